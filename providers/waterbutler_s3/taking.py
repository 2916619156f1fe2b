"""Taking files and folders from one place of a server to another."""

from __future__ import annotations

from dataclasses import dataclass

from waterbutler.core import Entry, Path, WriteMode
from waterbutler.core.errors import AlreadyExists, BadPath, SamePlace, Unsupported
from waterbutler.core.waiting import unbroken
from waterbutler_s3.bucket import Bucket
from waterbutler_s3.listing import has_any
from waterbutler_s3.transfer import Copier, Original, refuse_strangers


@dataclass(frozen=True, slots=True)
class Side:
    """A place: a path of a storage, and what it is called in the bucket."""

    bucket: Bucket
    path: Path
    key: str


async def take(copier: Copier, source: Side, to: Side, mode: WriteMode, *, keep: bool) -> Entry:
    """See `Provider.copy_from` and, without ``keep``, `Provider.move_from`."""
    refuse_strangers(to.bucket, source.bucket)
    at, where = source.path, str(to.path)
    if at.is_folder != to.path.is_folder:
        raise BadPath("A file does not become a folder, nor a folder a file.", path=where)
    is_inside = source.key == to.key or (at.is_folder and to.key.startswith(source.key))
    if source.bucket.place == to.bucket.place and is_inside:
        raise SamePlace("The destination is the source or inside it.", path=where)
    if at.is_folder:
        return await _take_folder(copier, source, to, mode, keep=keep)
    original = Original(source.bucket, source.key)
    taken, copy = await copier.copy_file(original, at, to.path, to.key, mode)
    if not keep:
        await unbroken(original.delete_unchanged(at, taken))
    return copy


async def _take_folder(
    copier: Copier, source: Side, to: Side, mode: WriteMode, *, keep: bool
) -> Entry:
    at, path = source.path, to.path
    if mode is WriteMode.REPLACE:
        raise Unsupported("A folder is not replaced in one step.", path=str(path))
    if at.is_root and not keep:
        raise Unsupported("A whole storage is not moved in one step.", path=str(at))
    if path.is_root or await has_any(to.bucket, to.key, path=str(path)):
        raise AlreadyExists("There is such a folder.", entry=Entry(path=path), path=str(path))
    copied = await copier.copy_folder(source.bucket, source.key, at, to.key, path)
    if not keep:
        await unbroken(copier.delete_copied(source.bucket, source.key, copied))
    return Entry(path=path)
