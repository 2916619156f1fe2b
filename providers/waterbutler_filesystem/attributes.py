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
NOTHING = b""
"""Stands for the attribute of a file that has none, or one that is none of ours."""
LONGEST = 128
"""Bytes of an attribute; one that is longer is none of ours. Python gets as much at once."""
_HAS_NONE = frozenset({errno.ENODATA, errno.EOPNOTSUPP, errno.ERANGE})


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
    """The attribute of an open file; ``NOTHING`` if it has none, ``None`` if nobody can tell."""
    if not HAS_ATTRIBUTES:
        return NOTHING
    try:
        return os.getxattr(fd, ATTRIBUTE)
    except OSError as error:
        return _meaning(error.errno)


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
        """The attribute of what has a name in the folder; otherwise as `read`."""
        if not HAS_ATTRIBUTES:
            return NOTHING
        if _call is None:
            place = self._below + os.fsdecode(name)
            try:
                return os.getxattr(place, ATTRIBUTE, follow_symlinks=False)
            except OSError as error:
                return _meaning(error.errno)
        size = _call(_GETXATTRAT, self._folder, name, _NO_FOLLOW, _NAME, self._where, _SIZE)
        return self._found.raw[:size] if size >= 0 else _meaning(ctypes.get_errno())


def _meaning(number: int | None) -> bytes | None:
    return NOTHING if number in _HAS_NONE else None


def _system_call() -> Callable[..., int] | None:
    """``getxattrat``, if the system has it and lets this process use it."""
    if not HAS_ATTRIBUTES:
        return None
    nothing = ctypes.c_size_t(0)
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    function: Callable[..., int] = call
    function(_GETXATTRAT, -1, b"", 0, b"", None, nothing)
    return function if ctypes.get_errno() == errno.EINVAL else None


_call = _system_call()
