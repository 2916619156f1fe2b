"""Counting in the memory of one process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from waterbutler.limits.rate import MICROSECONDS, Rate, Verdict

MOST = 100_000
"""How many callers are remembered: about 20 megabytes."""

_SWEPT = 2
"""How many old callers are looked at for each new one, so that the table shrinks again."""


class MemoryStore:
    """Remembers what callers owe, for as long as they owe something.

    The number of callers is bounded: where there are too many, who was not seen for the longest
    time is forgotten, and starts anew. So somebody with very many addresses cannot fill the
    memory; each of their addresses has its own limit all the same, as in any other store.

    Args:
        most: How many callers are remembered.
        clock: Seconds that only grow.
    """

    def __init__(self, *, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._paid: OrderedDict[str, int] = OrderedDict()
        """For each caller when nothing will be owed any more; who was seen last stands last."""

    def __len__(self) -> int:
        return len(self._paid)

    async def count(self, key: str, rate: Rate) -> Verdict:
        """See `Store.count`; nothing is waited for, so nothing comes between."""
        now = int(self._clock() * MICROSECONDS)
        paid = self._paid.get(key)
        if paid is None:
            self._make_room(now)
        allowed, debt = rate.spend(0 if paid is None else paid - now)
        self._paid[key] = now + debt
        self._paid.move_to_end(key)
        return Verdict(rate, allowed, debt)

    async def aclose(self) -> None:
        """See `Store.aclose`."""
        self._paid.clear()

    def _make_room(self, now: int) -> None:
        for _ in range(_SWEPT):
            oldest = next(iter(self._paid), None)
            if oldest is None:
                return
            if self._paid[oldest] > now and len(self._paid) < self._most:
                return
            del self._paid[oldest]
