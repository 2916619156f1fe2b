"""What the C library is told about memory, where it can be told."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import sys
from collections.abc import Callable

PAUSE = 60.0
"""After how many seconds again what is not needed is given back."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Parameters of ``mallopt`` in glibc; other libraries ignore them or lack the function."""
_LARGEST_BLOCK = 1 << 22
"""Blocks of passing bytes are smaller, in bytes."""
_KEPT = 1 << 23
"""How much of what was freed is kept for the next block, in bytes."""


def arrange() -> None:
    """Ask for few pools of memory, and for blocks that are used again.

    By default each thread gets a pool, and what was freed in one is of no use to another: then the
    memory of many transfers stays with the process when they are over.

    And by default each large block is got from the system and given back at once: then most of the
    work for a block of a file is the system's, which clears every page of it.
    """
    tell = _function("mallopt")
    if tell is not None:
        tell(_M_ARENA_MAX, 2)
        tell(_M_MMAP_THRESHOLD, _LARGEST_BLOCK)
        tell(_M_TRIM_THRESHOLD, _KEPT)


async def tidy() -> None:
    """Give back to the system what was freed, now and then, and for ever.

    What lies between things that are still needed stays with the process otherwise, and adds up.
    """
    give_back = _function("malloc_trim")
    while give_back is not None:
        await asyncio.sleep(PAUSE)
        await asyncio.to_thread(give_back, 0)


def _function(name: str) -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    with contextlib.suppress(OSError, AttributeError):
        function: Callable[..., int] = getattr(ctypes.CDLL(None), name)
        return function
    return None
