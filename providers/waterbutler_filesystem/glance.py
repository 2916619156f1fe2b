"""Looking without waiting: at what the system has in memory.

To hand a call over to a thread costs many times what the call takes, because both threads want the
interpreter. Linux can be asked for what it can say at once, without a disk or a network: to find a
file (``openat2`` with ``RESOLVE_CACHED``) and to read one (``preadv2`` with ``RWF_NOWAIT``). So the
event loop asks in this way first. Where there is no answer, for whatever reason, a thread asks as
it does everywhere else, and says what is wrong if something is.

It is done only on file systems of this machine's own disks and memory, where everything about an
open file is in memory; never across a mount point, and never through a link.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
import sys
from collections.abc import Callable

from waterbutler.core import ByteRange, Entry, Path
from waterbutler_filesystem.attributes import BY_NAME, HAS_NAMES
from waterbutler_filesystem.digests import Unknown, recent
from waterbutler_filesystem.entries import file_entry, folder_entry
from waterbutler_filesystem.names import known_path
from waterbutler_filesystem.reading import OpenFile
from waterbutler_filesystem.root import Root

CAN_GLANCE = sys.platform.startswith("linux") and HAS_NAMES and hasattr(os, "RWF_NOWAIT")

_OPENAT2 = 437
"""The number of the call, the same on all kinds of processors but Alpha."""
_HERE = -100
"""``AT_FDCWD``."""
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH, _CACHED = 0x01, 0x02, 0x04, 0x08, 0x20
_PATH = getattr(os, "O_PATH", 0) | os.O_CLOEXEC
# What ``struct open_how`` holds: flags, mode, and how to find the way.
_TOP = struct.pack("QQQ", _PATH | os.O_DIRECTORY, 0, _CACHED)
_BELOW = struct.pack(
    *("QQQ", _PATH | os.O_NOFOLLOW, 0),
    _CACHED | _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS | _NO_XDEV,
)
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class Glance:
    """Looks at files of one mount; called in the event loop's thread.

    Args:
        root: The mount's folder.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._folder = os.fsencode(root.name)

    def entry(self, path: Path) -> Entry | None:
        """Describe a file or folder; ``None`` if that is not known at once.

        Raises:
            NotFound: Nothing can be at this path.
        """
        names = known_path(path)
        if self._root.device is None:
            return None
        with contextlib.suppress(OSError, Unknown):
            fd = self._find(names)
            try:
                info = os.fstat(fd)
            finally:
                os.close(fd)
            if self._is(stat.S_ISDIR if path.is_folder else stat.S_ISREG, info):
                if path.is_folder:
                    return folder_entry(path, info)
                return file_entry(path, info, recent(info))
        return None

    def open(self, path: Path, range: ByteRange | None) -> OpenFile | None:
        """Open a file, and read its beginning as far as it is there.

        Raises:
            NotFound: Nothing can be at this path.
            RangeNotSatisfiable, Corrupted: As `OpenFile` says.
        """
        names = known_path(path)
        if self._root.device is None or path.is_folder:
            return None
        with contextlib.suppress(OSError, Unknown):
            found = self._find(names)
            try:
                info = os.fstat(found)
                if not self._is(stat.S_ISREG, info):
                    return None
                recent(info)
                fd = os.open(f"{BY_NAME}/{found}", _READ)
            finally:
                os.close(found)
            return OpenFile(path, fd, range, waits=False)
        return None

    def _find(self, names: list[bytes]) -> int:
        """Open what is at a path, for looking only; raises `OSError` if that is not known."""
        top = _open(_HERE, self._folder, _TOP)
        if not names:
            return top
        try:
            return _open(top, b"/".join(names), _BELOW)
        finally:
            os.close(top)

    def _is(self, kind: Callable[[int], bool], info: os.stat_result) -> bool:
        return kind(info.st_mode) and info.st_dev == self._root.device


def _open(folder: int, name: bytes, how: bytes) -> int:
    fd = _call(_OPENAT2, folder, name, how, len(how))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "not at once")
    return fd


def _system_call() -> Callable[..., int]:
    if not CAN_GLANCE:
        return lambda *_: -1
    # The interpreter is kept meanwhile: nothing is waited for, and getting it again takes longer.
    call = ctypes.PyDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    call.argtypes = (
        *(ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t),
    )
    function: Callable[..., int] = call
    return function


_call = _system_call()
