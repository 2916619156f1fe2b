"""Which kinds of file systems there are."""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable

_LOCAL = {
    0x0000EF53: "ext2, ext3 and ext4",
    0x58465342: "XFS",
    0x9123683E: "Btrfs",
    0xF2F52010: "F2FS",
    0x01021994: "tmpfs",
}
"""By their numbers (statfs(2)): what they say about an open file comes from memory."""
_ROOM = 256
"""More than ``struct statfs`` takes; it begins with the number."""


def is_local(fd: int) -> bool:
    """Whether an open file is on one of this machine's own disks, or in its memory.

    Others may be too; these are known to be.
    """
    call = _statfs()
    if call is None:
        return False
    found = ctypes.create_string_buffer(_ROOM)
    if call(fd, found) != 0:
        return False
    return ctypes.c_long.from_buffer(found).value in _LOCAL


@functools.cache
def _statfs() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    function: Callable[..., int] = ctypes.CDLL(None).fstatfs
    return function
