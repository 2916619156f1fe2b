"""Memory that many have together."""

from __future__ import annotations


class Budget:
    """Bytes that all of a kind may have in memory together, in one event loop.

    Nobody waits for it: who gets nothing does without. So nobody is held up by others, however
    slow those are.

    Args:
        size: How many bytes.
    """

    def __init__(self, size: int) -> None:
        self._left = size

    @property
    def left(self) -> int:
        """How many bytes nobody has."""
        return self._left

    def take(self, size: int) -> bool:
        """Whether ``size`` bytes are there; then they are taken."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def owe(self, size: int) -> None:
        """Take ``size`` bytes that are in use anyway, so that less is left for others."""
        self._left -= size

    def give_back(self, size: int) -> None:
        """Let others have them."""
        self._left += size
