"""Memory that is shared among all who do the same."""

from __future__ import annotations

import threading


class Shares:
    """Says how large a block of one of many may be, so that all blocks together stay small.

    With many of them, who are slow then anyway, the blocks become smaller.

    Args:
        total: How many bytes all have together, as long as ``smallest`` allows it.
        smallest: How many bytes each has at least.
    """

    def __init__(self, total: int, *, smallest: int) -> None:
        self._total = total
        self._smallest = smallest
        self._mutex = threading.Lock()
        self._count = 0

    def join(self) -> None:
        """One more is busy."""
        self._change(1)

    def leave(self) -> None:
        """One of those who joined is not busy any more."""
        self._change(-1)

    def share(self, wanted: int) -> int:
        """How many bytes one of them gets, who wants so many."""
        return min(wanted, max(self._total // max(self._count, 1), self._smallest))

    def _change(self, by: int) -> None:
        with self._mutex:
            self._count += by
