"""What is said about a file or folder."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta

from waterbutler.core import Entry, Path
from waterbutler.core.errors import IsAFolder, NotAFolder, NotFound
from waterbutler_filesystem.confined import Folder
from waterbutler_filesystem.digests import Record, recall_below

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def file_entry(path: Path, info: os.stat_result, record: Record | None) -> Entry:
    """Describe a file."""
    if record is None:
        return Entry(path=path, size=info.st_size, modified=modified(info), etag=etag(info))
    return Entry(
        path=path,
        size=info.st_size,
        modified=modified(info),
        etag=etag(info, record),
        hashes=record.hashes,
    )


def folder_entry(path: Path, info: os.stat_result) -> Entry:
    """Describe a folder."""
    return Entry(path=path, modified=modified(info))


def etag(info: os.stat_result, record: Record | None = None) -> str:
    """What changes with the content: its hash if all processes know it, else what the system says.

    That is the change time and not the modification time, which can be set back.
    """
    if record is not None and record.durable:
        return record.sha256[:16].hex()
    # The fastest way of all to write it; listings do this for every file.
    return "%x-%x-%x" % (info.st_ino, info.st_size, info.st_ctime_ns)  # noqa: UP031


def modified(info: os.stat_result) -> datetime | None:
    """The modification time; ``None`` if it lies outside of what can be written as a date.

    It is exact to the microsecond, which a time in seconds is not when it is a float.
    """
    try:
        return EPOCH + info.st_mtime_ns // 1000 * _MICROSECOND
    except OverflowError:
        return None


def require(info: os.stat_result | None, path: Path) -> os.stat_result:
    """``info``, if it is there and of the path's kind.

    Raises:
        NotFound, IsAFolder, NotAFolder: It is not.
    """
    if info is None:
        raise NotFound("There is no such file or folder.", path=str(path))
    if stat.S_ISDIR(info.st_mode) and not path.is_folder:
        raise IsAFolder("It is a folder.", path=str(path))
    if path.is_folder and not stat.S_ISDIR(info.st_mode):
        raise NotAFolder("It is a file.", path=str(path))
    return info


def occupant(folder: Folder, name: bytes, path: Path) -> Entry | None:
    """What has a name, of whichever kind; ``path`` says how it is asked for."""
    info = folder.find(name)
    if info is None:
        return None
    if stat.S_ISDIR(info.st_mode):
        return folder_entry(path.as_folder(), info)
    return file_entry(path.as_file(), info, recall_below(folder, name, info))
