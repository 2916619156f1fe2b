"""Reading files and listing folders, in blocks and batches."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Self

from waterbutler.core import ByteRange, Entry, Path, Span
from waterbutler.core.errors import BadPath, Corrupted, IsAFolder, NotAFolder, NotFound
from waterbutler.core.shares import Shares
from waterbutler_filesystem.attributes import Attributes
from waterbutler_filesystem.confined import Folder
from waterbutler_filesystem.digests import (
    recall_and_keep,
    recall_below,
    recall_listed,
    recent,
)
from waterbutler_filesystem.entries import file_entry, folder_entry, require
from waterbutler_filesystem.names import is_reserved, known_path, shown
from waterbutler_filesystem.root import Root
from waterbutler_filesystem.threads import Handle

BLOCK = 1 << 20
"""How many bytes to read at once: smaller blocks spend their time on changing threads, larger ones
on fetching new memory from the system."""
FIRST_BLOCK = 1 << 18
"""Files up to this size are read while they are opened."""
_SHARES = Shares(1 << 24, smallest=1 << 16)
"""What the blocks of all open files have together."""
BATCH = 512
"""How many entries to list at once: some milliseconds of work."""


def look(root: Root, path: Path) -> Entry:
    """Describe a file or folder."""
    if path.is_root:
        with root.open() as top:
            return folder_entry(path, os.fstat(top.fd))
    *folders, name = known_path(path)
    with root.folder(folders, path) as folder:
        info = require(folder.find(name), path)
        if path.is_folder:
            return folder_entry(path, info)
        return file_entry(path, info, recall_below(folder, name, info))


class OpenFile(Handle):
    """A file that is being read. Opening it reads small files to their end.

    Args:
        path: Where it is.
        fd: Its descriptor, which belongs to this object from now on.
        range: The part that is asked for.
        waits: Whether it may wait for the disk. If not, only what is known and in memory is
            taken; the rest is read later.

    Attributes:
        entry: What the file is.
        span: The part that is read, if a part was asked for.
        size: How many bytes that are.
        first: The first block.
        ended: Whether the last block was read.

    Raises:
        RangeNotSatisfiable: As `Provider.read` says.
        Corrupted: The file changed meanwhile.
        Unknown: It may not wait, and what is remembered of the file must be read.
    """

    def __init__(self, path: Path, fd: int, range: ByteRange | None, *, waits: bool = True) -> None:
        self._fd = fd
        super().__init__()
        _SHARES.join(self)
        try:
            self._begin(path, range, waits=waits)
        except BaseException:
            self.close()
            raise

    @classmethod
    def at(cls, root: Root, path: Path, range: ByteRange | None) -> Self:
        """Open a file of a mount.

        Raises:
            NotFound, IsAFolder, RangeNotSatisfiable, Corrupted: See above.
        """
        if path.is_folder:
            raise IsAFolder("It is a folder.", path=str(path))
        *folders, name = known_path(path)
        with root.folder(folders, path) as folder:
            fd = folder.open_file(name)
        return cls(path, fd, range)

    def next(self) -> bytes:
        """The next block; empty only if the file has become shorter."""
        with self:
            return self._read(BLOCK)

    def _begin(self, path: Path, range: ByteRange | None, *, waits: bool) -> None:
        self._info = os.fstat(self._fd)
        self._path = path
        record = recall_and_keep(self._fd, self._info) if waits else recent(self._info)
        self.entry = file_entry(path, self._info, record)
        self.span: Span | None = None if range is None else range.resolve(self._info.st_size)
        self._offset = 0 if self.span is None else self.span.start
        self._stop = self._info.st_size if self.span is None else self.span.stop
        self.size = self._stop - self._offset
        # A larger file may be sent by the system, and then nothing of it need be read.
        self.ended = False
        self.first = b"" if self.size > FIRST_BLOCK else self._read(FIRST_BLOCK, waits=waits)

    @property
    def left(self) -> int:
        """How many bytes were not read yet."""
        return self._stop - self._offset

    def send(self, to: int, count: int) -> int:
        """Have the system send the next bytes, up to ``count``, to a socket.

        Raises:
            BlockingIOError: The socket takes none now.
            Corrupted: The file has become shorter.
        """
        with self:
            sent = os.sendfile(to, self._fd, self._offset, count)
            self._offset += sent
            if not sent:
                self._check_unchanged()
            return sent

    def _read(self, size: int, *, waits: bool = True) -> bytes:
        size = min(_SHARES.share(size), self._stop - self._offset)
        read = os.pread if waits else _read_at_once
        block = read(self._fd, size, self._offset) if size else b""
        self._offset += len(block)
        self.ended = self._offset >= self._stop or (waits and not block)
        if self.ended:
            self._check_unchanged()
            self.close()
        return block

    def _check_unchanged(self) -> None:
        """Before the last block is handed out: nobody takes a mixture for the file."""
        info = os.fstat(self._fd)
        if (info.st_size, info.st_mtime_ns) != (self._info.st_size, self._info.st_mtime_ns):
            raise Corrupted("The file was changed while it was read.", path=str(self._path))

    def _release(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
            _SHARES.leave(self)


def _read_at_once(fd: int, size: int, offset: int) -> bytes:
    """What is in memory of a part of a file; nothing if its beginning is not."""
    try:
        room = _rooms.room
    except AttributeError:
        room = _rooms.room = memoryview(bytearray(FIRST_BLOCK))
    try:
        count = os.preadv(fd, [room[:size]], offset, os.RWF_NOWAIT)
    except OSError:
        return b""
    return bytes(room[:count])


_rooms = threading.local()
"""Memory that each thread reads into; new memory takes longer than reading."""


class Blocks:
    """The content of an open file, for a `ByteStream`.

    Args:
        file: The file.
        call: Runs a function in a thread and gives errors their meaning.
    """

    __slots__ = ("_call", "_file", "_first")

    def __init__(
        self, file: OpenFile, call: Callable[[Callable[[], bytes]], Awaitable[bytes]]
    ) -> None:
        self._file = file
        self._first = file.first
        self._call = call
        file.first = b""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        block, self._first = self._first, b""
        if not block and not self._file.ended:
            block = await self._call(self._file.next)
        if not block:
            raise StopAsyncIteration
        return block

    async def aclose(self) -> None:
        """Close the file, when no thread is reading it any more."""
        self._first = b""
        self._file.close()


class Listing(Handle):
    """A folder that is being listed. Opening it lists the first batch.

    Attributes:
        first: The first batch.
        ended: Whether the last batch was listed.

    Raises:
        NotFound, NotAFolder: As `Provider.list` says.
    """

    def __init__(self, root: Root, path: Path) -> None:
        self._items: os._ScandirIterator[str] | None = None
        self._folder = Folder(-1)
        super().__init__()
        self._path = path
        self._folder = _open_folder(root, path)
        self._attributes = Attributes(self._folder)
        self.ended = False
        try:
            self._items = os.scandir(self._folder.fd)
            self.first = self.next()
        except BaseException:
            self.close()
            raise

    def next(self) -> list[Entry]:
        """The next batch; may be empty where there is nothing of interest."""
        with self:
            items = list(islice(self._items or (), BATCH))
            if len(items) < BATCH:
                self.ended = True
                self.close()
            return [entry for item in items if (entry := self._describe(item)) is not None]

    def _describe(self, item: os.DirEntry[str]) -> Entry | None:
        name = item.name
        if is_reserved(name):
            return None
        try:
            info = item.stat(follow_symlinks=False)
            if stat.S_ISREG(info.st_mode):
                path = self._path.child(shown(name))
                return file_entry(path, info, recall_listed(self._attributes, name, info))
            if stat.S_ISDIR(info.st_mode):
                return folder_entry(self._path.child(shown(name), folder=True), info)
        except (FileNotFoundError, BadPath):
            # It was removed meanwhile, or its name is too long when shown.
            return None
        return None

    def _release(self) -> None:
        if self._items is not None:
            self._items.close()
        self._folder.close()


def _open_folder(root: Root, path: Path) -> Folder:
    if path.is_root:
        return root.open()
    *folders, name = known_path(path)
    parent = root.folder(folders, path)
    with parent:
        try:
            return parent.enter(name)
        except NotADirectoryError:
            # A file, or something that does not exist for clients.
            if parent.find(name) is None:
                raise NotFound("There is no such folder.", path=str(path)) from None
            raise NotAFolder("It is a file.", path=str(path)) from None
