"""What can be kept beside the content of a file: an extended attribute of it.

A file that is not open is found below an open folder, never through a link. Linux has a call for
that since version 6.13 (``getxattrat``). Before, the folder is named by way of `BY_NAME`: to find
the way there takes longer than everything else that is asked about an entry of a listing.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable

from waterbutler_filesystem.confined import Folder

BY_NAME = "/proc/self/fd"
"""Where open files have names, on Linux."""
HAS_NAMES = os.path.isdir(BY_NAME)  # noqa: PTH112 - the same in all of this package: os, not pathlib
HAS_ATTRIBUTES = hasattr(os, "getxattr") and HAS_NAMES
ATTRIBUTE = "user.waterbutler.hashes"
LONGEST = 128
"""Bytes of an attribute; one that is longer is none of ours. Python gets as much at once."""


class _Arguments(ctypes.Structure):
    """``struct xattr_args``: where to write to, and how much there is room for."""

    _fields_ = (("value", ctypes.c_uint64), ("size", ctypes.c_uint32), ("flags", ctypes.c_uint32))


# Made once: to make them of numbers takes as long as the call itself.
_GETXATTRAT = ctypes.c_long(464)
"""The number of the call, the same on all kinds of processors but Alpha."""
_NO_FOLLOW = ctypes.c_uint(0x100)
"""``AT_SYMLINK_NOFOLLOW``."""
_NAME = ctypes.c_char_p(ATTRIBUTE.encode())
_SIZE = ctypes.c_size_t(ctypes.sizeof(_Arguments))


def read(fd: int) -> bytes | None:
    """The attribute of an open file; ``None`` if it has none, or none can be had."""
    if not HAS_ATTRIBUTES:
        return None
    try:
        return os.getxattr(fd, ATTRIBUTE)
    except OSError:
        return None


def write(fd: int, value: bytes) -> bool:
    """Set the attribute of an open file; returns whether that could be done."""
    if not HAS_ATTRIBUTES:
        return False
    try:
        os.setxattr(fd, ATTRIBUTE, value)
    except OSError:
        return False
    return True


class Attributes:
    """Those of the files in a folder; asked by one thread at a time.

    Args:
        folder: The folder, which stays open meanwhile.
    """

    __slots__ = ("_below", "_folder", "_found", "_where")

    def __init__(self, folder: Folder) -> None:
        self._below = f"{BY_NAME}/{folder.fd}/"
        self._folder = ctypes.c_int(folder.fd)
        self._found = ctypes.create_string_buffer(LONGEST)
        where = _Arguments(ctypes.addressof(self._found), LONGEST, 0)
        self._where = ctypes.pointer(where)

    def of(self, name: bytes) -> bytes | None:
        """The attribute of what has a name in the folder; ``None`` as with `read`."""
        if not HAS_ATTRIBUTES:
            return None
        if _call is None:
            try:
                return os.getxattr(
                    self._below + os.fsdecode(name), ATTRIBUTE, follow_symlinks=False
                )
            except OSError:
                return None
        size = _call(_GETXATTRAT, self._folder, name, _NO_FOLLOW, _NAME, self._where, _SIZE)
        return self._found.raw[:size] if size >= 0 else None


def _system_call() -> Callable[..., int] | None:
    """``getxattrat``, if the system has it and lets this process use it."""
    if not HAS_ATTRIBUTES:
        return None
    nothing = ctypes.c_size_t(0)
    ctypes.CDLL(None, use_errno=True).syscall(_GETXATTRAT, -1, b"", 0, b"", None, nothing)
    if ctypes.get_errno() != errno.EINVAL:
        return None
    # Without the number of the error: to keep it takes a third of the time of the call.
    call = ctypes.CDLL(None).syscall
    call.restype = ctypes.c_long
    function: Callable[..., int] = call
    return function


_call = _system_call()
