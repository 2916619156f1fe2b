"""A folder, or a file, as a zip archive, made while it is sent."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from waterbutler.core import ByteStream, Path, Provider
from waterbutler.core.errors import BadPath
from waterbutler.engine.members import Loader, Packer, Part, open_size
from waterbutler.engine.zipformat import Member, end_records, needs_zip64

_BLOCK = 1 << 16
"""Output is collected until there is this much."""
_MAX_BLOCK = 1 << 20
_DIRECTORY_IN_MEMORY = 1 << 20


def zip_folder(provider: Provider, folder: Path, *, deflate: bool = True) -> ByteStream:
    """A zip archive of everything below ``folder``.

    Members are named relative to the folder; folders have a member of their own only if they are
    empty. Files that are compressed already are stored. Nothing is asked of the storage before
    the first byte is. Memory does not grow with the folder; the archive's directory, about 100
    bytes a member, is kept on disk when it is large.

    Iterating raises whatever listing or reading raises, and `Corrupted` when a file has more or
    fewer bytes than it should: an archive whose iteration has ended is complete.

    Args:
        provider: The storage.
        folder: What to pack; may be the root.
        deflate: Whether to compress at all.

    Raises:
        BadPath: ``folder`` is not a folder's path.
    """
    if not folder.is_folder:
        raise BadPath("Only a folder can be packed.", path=str(folder))
    return ByteStream(_in_blocks(_archive(provider, folder, deflate=deflate)))


def zip_file(provider: Provider, file: Path, *, deflate: bool = True) -> ByteStream:
    """A zip archive whose only member is ``file``, under its name; otherwise as `zip_folder`.

    Raises:
        BadPath: ``file`` is not a file's path.
    """
    if file.is_folder:
        raise BadPath("A folder is packed with everything in it.", path=str(file))
    return ByteStream(_in_blocks(_archive(provider, file, deflate=deflate)))


async def _archive(provider: Provider, top: Path, *, deflate: bool) -> AsyncGenerator[bytes, None]:
    """The archive in pieces of any size."""
    directory = _Directory()
    try:
        async with aclosing(Loader(provider, deflate=deflate).parts(top)) as parts:
            async for part in parts:
                part.member.offset = directory.start
                async with aclosing(_member(provider, part)) as pieces:
                    async for piece in pieces:
                        directory.start += len(piece)
                        yield piece
                directory.add(part.member)
        async with aclosing(directory.pieces()) as pieces:
            async for piece in pieces:
                yield piece
    finally:
        directory.close()


async def _member(provider: Provider, part: Part) -> AsyncGenerator[bytes, None]:
    """Header, data and what belongs behind them."""
    member = part.member
    if part.data is not None:
        yield member.local_header()
        if part.data:
            yield part.data
        return
    content = await provider.read(part.entry.path)
    async with content.body:
        member.streamed = True
        member.zip64 = needs_zip64(open_size(content))
        packer = Packer(member.method)
        yield member.local_header()
        async for chunk in content.body:
            if packed := await packer.feed(chunk):
                yield packed
    yield packer.finish()
    packer.describe(member)
    yield member.descriptor()


async def _in_blocks(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The same bytes in blocks of a useful size; the first piece is not kept waiting."""
    waiting: list[bytes] = []
    size = _BLOCK
    async with aclosing(pieces):
        async for piece in pieces:
            waiting.append(piece)
            size += len(piece)
            if size >= _BLOCK:
                for block in _cut(b"".join(waiting)):
                    yield block
                waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _cut(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _MAX_BLOCK):
        yield data[start : start + _MAX_BLOCK]


class _Directory:
    """What stands at the end of an archive: one record for each member.

    Attributes:
        start: How many bytes come before it.
    """

    def __init__(self) -> None:
        self.start = 0
        self._count = 0
        self._size = 0
        self._records = tempfile.SpooledTemporaryFile(_DIRECTORY_IN_MEMORY)  # noqa: SIM115 - `close`

    def add(self, member: Member) -> None:
        """Add a member whose data was written."""
        record = member.central_record()
        self._records.write(record)
        self._count += 1
        self._size += len(record)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """All records, and the end of the archive."""
        self._records.seek(0)
        while piece := await asyncio.to_thread(self._records.read, _MAX_BLOCK):
            yield piece
        yield end_records(self._count, self.start, self._size)

    def close(self) -> None:
        """Remove what is on disk."""
        self._records.close()
