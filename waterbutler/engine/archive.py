"""A folder as a zip archive, made while it is sent."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import IO

from waterbutler.core import ByteStream, Path, Provider
from waterbutler.core.errors import BadPath
from waterbutler.engine.members import Loader, Packer, Part, is_compressed
from waterbutler.engine.zipformat import DEFLATED, STORED, Member, end_records, needs_zip64

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


async def _archive(
    provider: Provider, folder: Path, *, deflate: bool
) -> AsyncGenerator[bytes, None]:
    """The archive in pieces of any size."""
    directory = _Directory()
    try:
        async with aclosing(Loader(provider, deflate=deflate).parts(folder)) as parts:
            async for part in parts:
                member = part.member
                member.offset = directory.position
                async with aclosing(_member(provider, part, deflate=deflate)) as pieces:
                    async for piece in pieces:
                        directory.position += len(piece)
                        yield piece
                directory.add(member)
        async with aclosing(directory.pieces()) as pieces:
            async for piece in pieces:
                yield piece
    finally:
        directory.close()
