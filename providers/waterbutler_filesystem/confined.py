"""Access below an open folder, name by name, never through a symbolic link.

Every name is looked up relative to the descriptor of the folder it is in, so that nothing that
happens to the folders above can lead somewhere else. Names are bytes; errors are `OSError`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from typing import NoReturn, Self

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_ABOVE = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class Folder:
    """An open folder; closed at the end of a ``with``.

    Args:
        fd: Its descriptor, which belongs to this object from now on.
    """

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor; may be called again."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def descend(self, names: Iterable[bytes]) -> Self:
        """Become the folder that the names lead to; closed when that fails."""
        for name in names:
            try:
                below = os.open(name, FOLDER, dir_fd=self.fd)
            except BaseException:
                self.close()
                raise
            os.close(self.fd)
            self.fd = below
        return self

    def enter(self, name: bytes) -> Folder:
        """Open a folder in this one."""
        return Folder(os.open(name, FOLDER, dir_fd=self.fd))

    def find(self, name: bytes) -> os.stat_result | None:
        """Describe a file or folder; ``None`` where there is none, or something else."""
        try:
            info = self.look(name)
        except FileNotFoundError:
            return None
        return info if stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode) else None

    def look(self, name: bytes) -> os.stat_result:
        """Describe whatever has the name, also a link or a device."""
        return os.stat(name, dir_fd=self.fd, follow_symlinks=False)

    def open_file(self, name: bytes, flags: int = os.O_RDONLY) -> int:
        """Open a file and nothing else: opening a device can do things, opening a pipe can wait.

        What the name means may change between looking and opening; so it is looked at again.
        """
        _expect_file(self.look(name))
        fd = os.open(name, flags | _FILE, dir_fd=self.fd)
        try:
            _expect_file(os.fstat(fd))
        except BaseException:
            os.close(fd)
            raise
        return fd

    def sync(self) -> None:
        """Make the names in this folder safe from a power failure, where the system can."""
        try:
            os.fsync(self.fd)
        except OSError as error:
            if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EBADF}:
                raise


def identity(fd: int) -> tuple[int, int]:
    """What tells an open file or folder from all others that exist now."""
    info = os.fstat(fd)
    return info.st_dev, info.st_ino


def is_below(folder: Folder, top: tuple[int, int]) -> bool:
    """Whether ``folder`` is the folder with the identity ``top`` or lies inside it."""
    here = os.dup(folder.fd)
    try:
        seen = identity(here)
        while seen != top:
            above = os.open("..", _ABOVE, dir_fd=here)
            os.close(here)
            here = above
            last, seen = seen, identity(here)
            if seen == last:
                return False
    except PermissionError:
        # What may not be looked into is above the folder of the mount.
        return False
    finally:
        os.close(here)
    return True


def _expect_file(info: os.stat_result) -> None:
    if stat.S_ISDIR(info.st_mode):
        _fail(errno.EISDIR)
    if not stat.S_ISREG(info.st_mode):
        _fail(errno.ENOENT)


def _fail(number: int) -> NoReturn:
    raise OSError(number, os.strerror(number))
