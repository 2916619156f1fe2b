"""The folder that everything of a mount is in."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path as FsPath

from waterbutler.core import Path
from waterbutler.core.errors import ConfigInvalid, NotFound, ProviderUnavailable
from waterbutler_filesystem.confined import Folder
from waterbutler_filesystem.journal import sweep
from waterbutler_filesystem.kinds import is_local
from waterbutler_filesystem.threads import Stop

_NO_FOLDER = {
    *(errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ELOOP, errno.ENAMETOOLONG),
}
_TOP = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Root:
    """Opens the mount's folder for each operation.

    Not once for all: a descriptor that is kept would go on showing a folder that was removed,
    replaced or unmounted, as an empty one. Each operation holds one descriptor as its only way
    down, so within an operation the folder cannot become another one.

    Args:
        folder: The absolute name on this machine.
        create: Make it if it is missing at first use.

    Attributes:
        name: The absolute name.
        device: The number of its file system, once it was used, if that is one of this machine's
            own disks and memory.
        exchanges: Whether the file system lets two names be exchanged, as far as is known.
    """

    def __init__(self, folder: str, *, create: bool = False) -> None:
        self.name = folder
        self.device: int | None = None
        self.exchanges = True
        self._create = create
        self._used = False

    def open(self) -> Folder:
        """The folder itself. The first time, names left by processes that died are removed.

        Raises:
            ConfigInvalid: It never was a folder that may be opened.
            ProviderUnavailable: It was one, and is none now.
        """
        try:
            top = self._open()
        except OSError as error:
            if error.errno not in _NO_FOLDER:
                raise
            if self._used:
                raise ProviderUnavailable("The folder of the storage cannot be reached.") from error
            raise ConfigInvalid("The folder of the storage cannot be opened.") from error
        if not self._used:
            self._used = True
            with contextlib.suppress(OSError):
                sweep(top, Stop())
            if is_local(top.fd):
                self.device = os.fstat(top.fd).st_dev
        return top

    def folder(self, names: list[bytes], path: Path) -> Folder:
        """A folder below.

        Raises:
            NotFound: There is none, or a link or file is in the way.
        """
        top = self.open()
        try:
            return top.descend(names)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound("There is no such folder.", path=str(path)) from error

    def _open(self) -> Folder:
        if self._create and not self._used:
            FsPath(self.name).mkdir(parents=True, exist_ok=True)
        return Folder(os.open(self.name, _TOP))
