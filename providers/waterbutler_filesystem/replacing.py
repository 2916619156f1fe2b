"""Putting a folder in the place of another one, in one step.

Both change places, which the system does at once; then the old folder, which has a temporary name
by now, is removed. A process that dies in between leaves that to the next sweep.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

from waterbutler.core import Path
from waterbutler.core.errors import NotAFolder, SamePlace, Unsupported
from waterbutler_filesystem.confined import Folder, is_below
from waterbutler_filesystem.failures import translated
from waterbutler_filesystem.journal import Pending
from waterbutler_filesystem.removal import remove_folder
from waterbutler_filesystem.renaming import exchange, rename_exclusively
from waterbutler_filesystem.threads import Stop

_ATTEMPTS = 16
"""How often to try while others give the name away and take it again."""


def check_gives_way(old: os.stat_result, source: Folder, path: Path) -> None:
    """Refuse to replace anything but a folder, and a folder around the source.

    Args:
        old: What has the name of the target.
        source: The folder that the source is in.
        path: The target.

    Raises:
        NotAFolder: It is a file.
        PermissionError: It is a link, a device or the like, which is left alone.
        SamePlace: The source is in it.
    """
    if stat.S_ISREG(old.st_mode):
        raise NotAFolder("A file has that name.", path=str(path))
    if not stat.S_ISDIR(old.st_mode):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
    if is_below(source, (old.st_dev, old.st_ino)):
        raise SamePlace("What would be replaced holds the source.", path=str(path))


def put_in_place(folder: Folder, pending: bytes, name: bytes) -> bool:
    """Give a folder with a temporary name its own, which another folder may have until then.

    Returns:
        Whether that one has the temporary name now.

    Raises:
        Unsupported: The system has no step for it; nothing was changed.
        NotADirectoryError: The name belongs to something else by now, which is left alone.
    """
    for _ in range(_ATTEMPTS):
        try:
            exchanged = exchange(folder, pending, folder, name)
        except FileNotFoundError:
            try:
                rename_exclusively(folder, pending, folder, name, is_folder=True)
            except FileExistsError:
                continue
            return False
        if not exchanged:
            raise cannot_exchange()
        if stat.S_ISDIR(folder.look(pending).st_mode):
            return True
        exchange(folder, pending, folder, name)
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def set_aside(folder: Folder, name: bytes, pending: bytes, old: os.stat_result) -> None:
    """Give the folder ``old``, which has a name because it was exchanged, a temporary one.

    Raises:
        OSError: Others have brought something else there meanwhile, which stays.
    """
    os.rename(name, pending, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
    if os.path.samestat(folder.look(pending), old):
        return
    rename_exclusively(folder, pending, folder, name, is_folder=True)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def remove_replaced(
    folder: Folder, pending: Pending, path: Path, *, sync: Sequence[Folder]
) -> None:
    """Remove what had the name of ``path`` before; what cannot be is left to the next sweep.

    Args:
        folder: The folder that it is in.
        pending: The name that it has now.
        path: The name that it had.
        sync: The folders whose names are made safe before.

    Raises:
        WaterButlerError: It could not be removed.
    """
    try:
        for changed in sync:
            changed.sync()
        remove_folder(folder, pending.name, Stop())
    except OSError as failure:
        pending.abandon()
        error = translated(failure, str(path))
        error.message = (
            f"{path} was replaced, but what it was before could not be removed. {error.message}"
        )
        raise error from failure
    pending.end()


def cannot_exchange() -> Unsupported:
    """The error for a system, or a filesystem, without a step for it."""
    return Unsupported("A folder is not replaced in one step.")
