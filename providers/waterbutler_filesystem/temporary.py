"""Files that nobody sees until they are complete.

Where the system has files without a name (``O_TMPFILE``), a new file gets its name in one step when
it is complete, and a process that dies leaves nothing. A file that takes the place of another one
gets a temporary name first, for the moment until it is renamed over it. Elsewhere it has the
temporary name from the start. Temporary names are in the folder of the target: so owner, group and
access rules are those of files in that folder, and renaming never crosses filesystems.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from datetime import datetime, timedelta

from waterbutler.core import WriteMode
from waterbutler_filesystem.attributes import BY_NAME, HAS_NAMES
from waterbutler_filesystem.confined import Folder
from waterbutler_filesystem.entries import EPOCH
from waterbutler_filesystem.journal import Pending
from waterbutler_filesystem.renaming import rename_exclusively
from waterbutler_filesystem.root import Root

NAMELESS: int | None = getattr(os, "O_TMPFILE", None) if HAS_NAMES else None
"""The flag for files without a name."""
_NO_NAMELESS = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.ENOSYS}
_MICROSECOND = timedelta(microseconds=1)
_ATTEMPTS = 16
"""How often to try while others give the name away and take it again."""


class Temporary:
    """A new file; whoever makes it publishes or discards it.

    Args:
        root: The mount's folder.
        folders: The names that lead to the folder that the file will be in.
        folder: That folder.

    Attributes:
        fd: Its descriptor, open for reading and writing.
    """

    def __init__(self, root: Root, folders: list[bytes], folder: Folder) -> None:
        self.fd = -1
        self._root = root
        self._folders = folders
        self._folder: Folder | None = None
        self._pending: Pending | None = None
        try:
            if not self._open_nameless(folder):
                self._open_named(folder)
        except BaseException:
            self.discard()
            raise

    def set_modified(self, moment: datetime) -> None:
        """Say when the content was last changed; a time that cannot be kept is forgotten."""
        wanted = (moment - EPOCH) // _MICROSECOND * 1000
        # Not every filesystem lets its times be set, and the file is worth more than its time.
        with contextlib.suppress(OSError):
            os.utime(self.fd, ns=(os.fstat(self.fd).st_atime_ns, wanted))

    def publish(self, folder: Folder, name: bytes, mode: WriteMode) -> bool:
        """Give the file its name, in one step.

        Returns:
            Whether nothing had the name before.

        Raises:
            FileExistsError: With ``CREATE``: something has the name.
            IsADirectoryError, PermissionError: With ``REPLACE``: it is no file, but a folder or
                something that is left alone.
        """
        for _ in range(_ATTEMPTS):
            try:
                self._take(folder, name)
            except FileExistsError:
                if mode is WriteMode.CREATE:
                    raise
            else:
                return True
            with contextlib.suppress(FileNotFoundError):
                self._replace(folder, name, folder.look(name))
                return False
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    def discard(self) -> None:
        """Let go of everything; the file is gone unless it was published. May be called again."""
        if self._pending is not None and self._folder is not None:
            try:
                os.unlink(self._pending.name, dir_fd=self._folder.fd)
            except FileNotFoundError:
                self._pending.end()
            except OSError:
                self._pending.abandon()
            else:
                self._pending.end()
        self._pending = None
        if self._folder is not None:
            self._folder.close()
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.discard()

    def _open_nameless(self, folder: Folder) -> bool:
        if NAMELESS is None:
            return False
        flags = NAMELESS | os.O_RDWR | os.O_CLOEXEC
        try:
            self.fd = os.open(".", flags, 0o666, dir_fd=folder.fd)
        except OSError as error:
            if error.errno in _NO_NAMELESS:
                return False
            raise
        return True

    def _open_named(self, folder: Folder) -> None:
        name = self._make_pending(folder)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self.fd = os.open(name, flags, 0o666, dir_fd=folder.fd)

    def _make_pending(self, folder: Folder) -> bytes:
        self._folder = Folder(os.dup(folder.fd))
        with self._root.open() as top:
            self._pending = Pending(top, self._folders)
        return self._pending.name

    def _take(self, folder: Folder, name: bytes) -> None:
        """Give the file a name that nothing has."""
        if self._pending is None or self._folder is None:
            self._link(folder, name)
        else:
            rename_exclusively(self._folder, self._pending.name, folder, name, is_folder=False)

    def _replace(self, folder: Folder, name: bytes, old: os.stat_result) -> None:
        """Give the file the name that another file has until then."""
        check_replaceable(old)
        self._adopt(old)
        if self._pending is None:
            self._link(folder, self._make_pending(folder))
        assert self._pending is not None
        assert self._folder is not None
        os.rename(self._pending.name, name, src_dir_fd=self._folder.fd, dst_dir_fd=folder.fd)

    def _link(self, folder: Folder, name: bytes) -> None:
        source = f"{BY_NAME}/{self.fd}"
        os.link(source, name, dst_dir_fd=folder.fd, follow_symlinks=True)

    def _adopt(self, old: os.stat_result) -> None:
        """Take over who may do what with the replaced file, as far as that is allowed."""
        new = os.fstat(self.fd)
        # While the file is still ours: its mode cannot be set once it was given away.
        with contextlib.suppress(PermissionError):
            os.fchmod(self.fd, stat.S_IMODE(old.st_mode) & 0o777)
        if new.st_gid != old.st_gid:
            with contextlib.suppress(PermissionError):
                os.fchown(self.fd, -1, old.st_gid)
        if new.st_uid != old.st_uid:
            with contextlib.suppress(PermissionError):
                os.fchown(self.fd, old.st_uid, -1)


def check_replaceable(old: os.stat_result) -> None:
    """Refuse to replace anything but a file.

    Raises:
        IsADirectoryError: It is a folder.
        PermissionError: It is a link, a device or the like, which is left alone.
    """
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(old.st_mode):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
