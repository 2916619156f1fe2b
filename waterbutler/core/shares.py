"""Memory that is shared among all who do the same."""

from __future__ import annotations


class Shares:
    """Says how large a block of one of many may be, so that all blocks together stay small.

    With many of them, who are slow then anyway, the blocks become smaller. Whoever has joined
    leaves before it ends.

    Args:
        total: How many bytes all have together, as long as ``smallest`` allows it.
        smallest: How many bytes each has at least.
    """

    def __init__(self, total: int, *, smallest: int = 0) -> None:
        self._total = total
        self._smallest = smallest
        # Each change is one step of the interpreter: threads, and what is called while something
        # is thrown away, need no lock that they could wait for in vain.
        self._busy: set[int] = set()

    def join(self, who: object) -> None:
        """``who`` is busy; may be called again."""
        self._busy.add(id(who))

    def leave(self, who: object) -> None:
        """``who`` is not busy, any more or at all."""
        self._busy.discard(id(who))

    def share(self, wanted: int) -> int:
        """How many bytes one of them gets, who wants so many."""
        return min(wanted, max(self._total // max(len(self._busy), 1), self._smallest))
