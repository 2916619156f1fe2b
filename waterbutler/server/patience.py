"""Clients that stand still in the middle of a body."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

IDLE_SECONDS = 120.0
"""How long a client may stand still in the middle of a body."""


class Patience:
    """Gives up on a client that neither sends nor takes anything for too long.

    The time in which the client waits for this server does not count.

    Args:
        give_up: Called when the time is over.
    """

    def __init__(self, give_up: Callable[[], None]) -> None:
        self._give_up = give_up
        self._last_step = 0.0
        self._ours = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch; may be called again."""
        self.theirs()
        if self._timer is None:
            self._set()

    def theirs(self) -> None:
        """The client did something; the next step is the client's again."""
        self._last_step = time.monotonic()
        self._ours = False

    def ours(self) -> None:
        """The next step is this server's."""
        self._ours = True

    def stop(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS / 4, self._look)

    def _look(self) -> None:
        if not self._ours and time.monotonic() - self._last_step > IDLE_SECONDS:
            self._timer = None
            self._give_up()
        else:
            self._set()
