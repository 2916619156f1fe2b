"""Copying one file, proven to be complete."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec

from waterbutler.core import ByteStream, Content, Entry, Hasher, Path, Provider, WriteMode
from waterbutler.core.errors import Corrupted, Unsupported, WaterButlerError
from waterbutler.core.waiting import unbroken
from waterbutler.engine.checks import difference, hashes_to_compute, verify
from waterbutler.engine.cleanup import discard
from waterbutler.engine.concurrency import closing


@dataclass(frozen=True, slots=True)
class Copied:
    """A file that was copied: as the source had it, and as the destination has it."""

    read: Entry
    written: Entry


async def copy_file(
    source: Provider,
    at: Path,
    dest: Provider,
    to: Path,
    *,
    mode: WriteMode,
    known: Entry | None = None,
) -> Copied:
    """Copy a file on the storages' side where that can be done, else by streaming it.

    What the source promised is checked before the destination commits the file, what the
    destination says it has is checked afterwards. If that fails the new file is removed, and a
    version that it replaced is brought back where the storage keeps versions.

    Args:
        source: The storage to read from.
        at: The file.
        dest: The storage to write to.
        to: The new place.
        mode: What may be there.
        known: The file as a listing showed it, which may be outdated.

    Raises:
        Corrupted: The copy differs from the source.
        WaterButlerError: Whatever reading or writing raises.
    """
    copied = await _copy_there(source, at, dest, to, mode=mode, known=known)
    if copied is None:
        copied = await _stream(source, at, dest, to, mode=mode)
    try:
        verify(copied.read, copied.written)
    except Corrupted as error:
        await unbroken(_take_back(dest, to, mode, error))
        raise
    return copied


async def _copy_there(
    source: Provider, at: Path, dest: Provider, to: Path, *, mode: WriteMode, known: Entry | None
) -> Copied | None:
    """Copy on the storages' side; ``None`` if that cannot be done."""
    if not dest.capabilities.copy_from:
        return None
    read = known or await source.stat(at)
    try:
        written = await dest.copy_from(source, at, to, mode=mode)
    except Unsupported:
        return None
    if difference(read, written):
        read = await source.stat(at)
    return Copied(read, written)


async def _stream(
    source: Provider, at: Path, dest: Provider, to: Path, *, mode: WriteMode
) -> Copied:
    content = await source.read(at)
    hasher = Hasher(hashes_to_compute(content.entry.hashes, dest.capabilities.hashes))
    async with content.body, _checked(content, hasher) as body:
        written = await dest.write(to, body, mode=mode, content_type=content.entry.content_type)
    hashes = {**(await hasher.digests()), **content.entry.hashes}
    return Copied(msgspec.structs.replace(content.entry, size=body.sent, hashes=hashes), written)


def _checked(content: Content, hasher: Hasher) -> ByteStream:
    """The body, which fails at its end if it is not what its entry promised."""

    async def chunks() -> AsyncIterator[bytes]:
        async for chunk in content.body.tee(hasher):
            yield chunk
        verify(content.entry, msgspec.structs.replace(content.entry, hashes=await hasher.digests()))

    size = content.entry.size if content.body.size is None else content.body.size
    return ByteStream(chunks(), size=size)


async def _take_back(dest: Provider, path: Path, mode: WriteMode, error: Corrupted) -> None:
    """Undo a write that went wrong: bring back the version before it, else remove the file."""
    if mode is WriteMode.REPLACE and dest.capabilities.versions:
        try:
            if await _restore(dest, path):
                return
        except WaterButlerError as failure:
            error.add_note(f"{path} could not be restored: {failure!r}")
            return
    await discard(dest, path, error)


async def _restore(dest: Provider, path: Path) -> bool:
    """Make the newest but one version the newest; ``False`` if there is only one."""
    async with closing(dest.versions(path)) as versions:
        await anext(versions, None)
        before = await anext(versions, None)
    if before is None:
        return False
    content = await dest.read(path, version=before.id)
    async with content.body:
        await dest.write(path, content.body, content_type=content.entry.content_type)
    return True
