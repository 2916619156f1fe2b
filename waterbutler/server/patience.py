"""Clients that stand still in the middle of a body."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

LEAST = 1 << 12
"""How many bytes a client must move before it has made a step: one byte a minute is none."""


class Patience:
    """Gives up on a client that neither sends nor takes anything for too long.

    The time in which the client waits for this server does not count.

    Args:
        give_up: Called when the time is over.
        seconds: How long a client may go without a step.
    """

    def __init__(self, give_up: Callable[[], None], seconds: float) -> None:
        self._give_up: Callable[[], None] | None = give_up
        self._seconds = seconds
        self._last_step = 0.0
        self._moved = 0
        self._ours_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch, unless that is over; may be called again."""
        self.theirs()
        if self._timer is None and self._give_up is not None:
            self._set()

    def theirs(self, count: int = LEAST) -> None:
        """The client moved so many bytes; the next step is the client's again."""
        now = time.monotonic()
        if self._ours_since is not None:
            self._last_step += now - self._ours_since
            self._ours_since = None
        self._moved += count
        if self._moved >= LEAST:
            self._last_step, self._moved = now, 0

    def ours(self) -> None:
        """The next step is this server's."""
        if self._ours_since is None:
            self._ours_since = time.monotonic()

    def stop(self) -> None:
        """Watch no longer, for good; what would be called is let go of."""
        self._give_up = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds / 4, self._look)

    def _look(self) -> None:
        late = time.monotonic() - self._last_step > self._seconds
        if late and self._ours_since is None:
            self._timer = None
            if self._give_up is not None:
                self._give_up()
        else:
            self._set()
