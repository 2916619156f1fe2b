"""The bytes of segments on disk; everything here blocks and is called in threads."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from waterbutler.core.descriptors import write_all
from waterbutler.core.disk import explained
from waterbutler.core.errors import Corrupted, NotFound
from waterbutler.core.locks import try_lock

if TYPE_CHECKING:
    from hashlib import _Hash

_WHAT = "segments"
"""What is kept here, in words."""


class SegmentFile:
    """A segment that is being written, under a name that nothing refers to yet.

    It is locked as long as its process lives, so that others can tell it from one that was left
    behind. Its methods are called one after the other.

    Args:
        file: Where it will be; making the object touches nothing.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._fd = -1
        self._hash = hashlib.sha256()

    def open(self) -> None:
        """Make it, in a folder that only its owner can read.

        Raises:
            NotFound: The folder is being removed, with the session.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with explained(_WHAT):
            try:
                spool = self._file.parent.parent
                spool.parent.mkdir(parents=True, exist_ok=True)
                for folder in (spool, self._file.parent):
                    folder.mkdir(mode=0o700, exist_ok=True)
                self._fd = os.open(self._file, flags, 0o600)
                fcntl.flock(self._fd, fcntl.LOCK_EX)
            except FileNotFoundError:
                raise NotFound("The upload has ended.") from None

    def write(self, batch: list[bytes]) -> None:
        """Append."""
        data = b"".join(batch)
        self._hash.update(data)
        with explained(_WHAT):
            write_all(self._fd, [data])

    def digest(self) -> str:
        """The SHA-256 of what was written, in hexadecimal."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Let go of it; may be called again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_block(file: Path, start: int, size: int, hash: _Hash) -> bytes:
    """Bytes of a complete segment, which ``hash`` is shown.

    Raises:
        Corrupted: They are not there.
    """
    block = b""
    with explained(_WHAT), suppress(FileNotFoundError), file.open("rb", buffering=0) as opened:
        block = os.pread(opened.fileno(), size, start)
    if not block:
        raise Corrupted("The server has lost a segment; it must be sent again.")
    hash.update(block)
    return block


def remove(file: Path) -> None:
    """Remove a segment, if it is there."""
    with suppress(FileNotFoundError):
        file.unlink()


def remove_all(folder: Path) -> None:
    """Remove all segments of a session; one that arrives meanwhile removes itself."""
    shutil.rmtree(folder, ignore_errors=True)


def is_abandoned(file: Path) -> bool:
    """Whether the process that was writing a segment has ended; also if it is not there."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        return try_lock(fd) is True
    finally:
        os.close(fd)


def stored(spool: Path) -> dict[str, list[str]]:
    """What is there: the names of the files, by the names of the folders."""
    found: dict[str, list[str]] = {}
    with suppress(FileNotFoundError):
        for folder in spool.iterdir():
            with suppress(FileNotFoundError, NotADirectoryError):
                found[folder.name] = [file.name for file in folder.iterdir()]
    return found
