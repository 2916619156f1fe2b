"""Writing to open files, without the copy that one call for all of it would need."""

from __future__ import annotations

import os
from collections.abc import Sequence

_AT_ONCE = 1024
"""How many chunks the system takes in one call."""


def write_all(fd: int, chunks: Sequence[bytes]) -> None:
    """Write all chunks, one after the other, however little the system takes at once."""
    left = [memoryview(chunk) for chunk in chunks]
    while left:
        written = os.writev(fd, left[:_AT_ONCE])
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if written:
            left[0] = left[0][written:]
