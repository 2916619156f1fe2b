"""Where requests are counted, and what keeps a store that is out of order from harm."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from waterbutler.limits.rate import Rate, Verdict

PATIENCE = 0.25
"""How many seconds a store may take for one request."""
FAILURES = 3
"""After so many failures in a row a store is left alone."""
PAUSE = 5.0
"""For how many seconds."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler.limits")


class StoreDown(Exception):
    """The store cannot count; the text is the name of what went wrong and nothing of a server's."""


class Store(Protocol):
    """Keeps what callers owe."""

    async def count(self, key: str, rate: Rate) -> Verdict:
        """Count one request of a caller, in one step that no other request can come between.

        Raises:
            StoreDown: The store is out of order.
        """

    async def aclose(self) -> None:
        """Let go of everything."""


class Breaker:
    """A store that answers in time, or says that it cannot.

    A request waits for the store for a fraction of a second and no longer. After some failures in a
    row the store is left alone for some seconds, in which nobody waits at all; then one request
    tries it, and if that works, all do again. The log tells when a store goes and when it is back.

    Args:
        store: The store.
        patience: How many seconds it may take.
        failures: How many failures in a row open the circuit.
        pause: For how many seconds it stays open.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        store: Store,
        *,
        patience: float = PATIENCE,
        failures: int = FAILURES,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._patience = patience
        self._limit = failures
        self._pause = pause
        self._clock = clock
        self._failures = 0
        self._try_at = 0.0

    async def count(self, key: str, rate: Rate) -> Verdict:
        """See `Store.count`.

        Raises:
            StoreDown: The store failed, was too slow, or is being left alone.
        """
        if self._failures >= self._limit:
            if self._clock() < self._try_at:
                raise StoreDown("left alone")
            # The others stay away while this request tries.
            self._try_at = self._clock() + self._pause
        try:
            async with asyncio.timeout(self._patience):
                verdict = await self._store.count(key, rate)
        except TimeoutError:
            self._failed("TimeoutError")
            raise StoreDown("TimeoutError") from None
        except StoreDown as down:
            self._failed(str(down))
            raise
        if self._failures >= self._limit:
            _log.info("requests are counted again")
        self._failures = 0
        return verdict

    async def aclose(self) -> None:
        """See `Store.aclose`."""
        await self._store.aclose()

    def _failed(self, reason: str) -> None:
        self._failures += 1
        if self._failures >= self._limit:
            self._try_at = self._clock() + self._pause
        if self._failures == self._limit:
            _log.warning("requests cannot be counted", reason=reason, pause=self._pause)
