"""Copies that the server makes by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from waterbutler.core import Entry, Path, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Unsupported,
)
from waterbutler.core.waiting import together, unbroken
from waterbutler_s3.blocks import Block
from waterbutler_s3.bucket import Bucket, Refused
from waterbutler_s3.entries import clean_etag, from_headers
from waterbutler_s3.listing import Object, pages
from waterbutler_s3.options import WriteOptions
from waterbutler_s3.parts import MAX_PARTS, PartsUpload
from waterbutler_s3.removal import delete_below, delete_folders, delete_key, delete_keys, folders_of
from waterbutler_s3.writing import Writer

WHOLE = 1 << 30
"""Up to this many bytes are copied in one request; the server allows 5 GiB, and takes long."""
PART = 256 << 20
"""What is copied in one request of a larger object."""
_AT_ONCE = 8
_ASIDE = frozenset(
    {
        *("cache-control", "content-disposition", "content-encoding", "content-language"),
        *("content-type", "expires"),
    }
)
"""Headers that belong to an object; copies in one request take them along by themselves."""


@dataclass(frozen=True, slots=True)
class Original:
    """What is copied: a key of a bucket."""

    bucket: Bucket
    key: str

    def header(self) -> str:
        """How a request names it."""
        name = quote(self.key, safe="/~", errors="surrogateescape")
        return f"/{self.bucket.place.bucket}/{name}"

    async def look(self, path: Path) -> tuple[Entry, Mapping[str, str]]:
        """What it is now."""
        try:
            reply = await self.bucket.open("HEAD", self.key, path=str(path))
        except Refused as refused:
            raise refused.error() from None
        await reply.aclose()
        return from_headers(path, reply.headers), reply.headers

    async def delete_unchanged(self, path: Path, taken: Entry) -> None:
        """Delete it after it was copied, unless it was replaced meanwhile."""
        try:
            now, _ = await self.look(path)
        except NotFound:
            return
        if now.etag == taken.etag:
            await delete_key(self.bucket, self.key, path=str(path))


class Copier:
    """Copies into a bucket.

    Args:
        bucket: Where to.
        writer: Writes what cannot be copied.
        options: How objects are written.
        whole: Up to this many bytes are copied in one request.
        part: What is copied in one request of larger ones.
    """

    def __init__(
        self,
        bucket: Bucket,
        writer: Writer,
        options: WriteOptions,
        whole: int = WHOLE,
        part: int = PART,
    ) -> None:
        self._bucket = bucket
        self._writer = writer
        self._options = options
        self._whole = whole
        self._part = part

    async def copy_file(
        self, original: Original, at: Path, to: Path, key: str, mode: WriteMode
    ) -> tuple[Entry, Entry]:
        """Copy an object.

        Returns:
            What was copied, and the copy.

        Raises:
            NotFound: There is nothing to copy.
            Unsupported: The server refuses; nothing was changed.
            AlreadyExists: With ``CREATE``: the name is taken.
        """
        source, headers = await original.look(at)
        try:
            return source, await self._copy(original, source, headers, to, key, mode)
        except PreconditionFailed:
            raise AlreadyExists("The name is taken.", path=str(to)) from None
        except (Forbidden, NotFound) as error:
            # The source was there a moment ago. It may be gone, or be hidden from these keys.
            await original.look(at)
            raise Unsupported("The storage does not copy this by itself.", path=str(at)) from error

    async def copy_folder(
        self, source: Bucket, from_prefix: str, at: Path, to_prefix: str, to: Path
    ) -> set[int]:
        """Copy all objects whose keys begin alike to where there are none.

        Returns:
            What was copied, for `delete_copied`.

        Raises:
            Unsupported: The server refuses; nothing is left behind.
        """
        copied: set[int] = set()
        try:
            async for page in pages(source, from_prefix):
                await self._copy_page(source, page.objects, from_prefix, to_prefix, at, to)
                copied.update(map(_mark, page.objects))
        except GeneratorExit:
            raise
        except BaseException:
            await unbroken(delete_below(self._bucket, to_prefix))
            raise
        if not copied:
            raise NotFound("There is no such folder.", path=str(at))
        return copied

    async def delete_copied(self, source: Bucket, prefix: str, copied: set[int]) -> None:
        """Delete what was copied; what was added or altered since then stays."""
        folders: set[str] = set()
        async for page in pages(source, prefix):
            keys = [found.key for found in page.objects if _mark(found) in copied]
            await delete_keys(source, keys)
            folders.update(folders_of(keys, prefix))
        await delete_folders(source, folders)

    async def _copy_page(
        self,
        source: Bucket,
        objects: list[Object],
        from_prefix: str,
        to_prefix: str,
        at: Path,
        to: Path,
    ) -> None:
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(found: Object) -> None:
            key = to_prefix + found.key[len(from_prefix) :]
            async with slots:
                if found.key.endswith("/") and not found.size:
                    # Some servers show these and find none of them when they should copy it.
                    await self._writer.put_marker(to, key)
                elif (found.size or 0) <= self._whole:
                    await self._copy_whole(Original(source, found.key), key, to, {})
                else:
                    original = Original(source, found.key)
                    await self.copy_file(original, at, to, key, WriteMode.REPLACE)

        try:
            await together(one(found) for found in objects)
        except Forbidden as error:
            raise Unsupported("The storage does not copy this by itself.") from error

    async def _copy(
        self,
        original: Original,
        source: Entry,
        headers: Mapping[str, str],
        to: Path,
        key: str,
        mode: WriteMode,
    ) -> Entry:
        size = source.size or 0
        exclusive = mode is WriteMode.CREATE
        dialect = self._bucket.dialect
        in_parts = size > self._whole
        extra: dict[str, str] = {}
        if exclusive and await self._writer.claim("copy", to, key):
            extra["If-None-Match"] = "*"
        elif exclusive and "complete" in dialect.conditional and dialect.part_copy:
            # Parts can be put together on a condition, and one part is enough.
            in_parts = True
        if in_parts and not size:
            return await self._writer.put(to, key, await Block.of([]), mode, self._kept(headers))
        if in_parts:
            etag = await self._copy_parts(original, source, headers, to, key, exclusive=exclusive)
        else:
            etag = await self._copy_whole(original, key, to, extra)
        return await self._writer.described(key, Entry(path=to, size=size, etag=etag))

    async def _copy_whole(
        self, original: Original, key: str, to: Path, extra: Mapping[str, str]
    ) -> str | None:
        headers = {
            **self._options.headers,
            **extra,
            "x-amz-copy-source": original.header(),
            "x-amz-metadata-directive": "COPY",
        }
        _, root = await unbroken(self._bucket.call("PUT", key, headers=headers, path=str(to)))
        return clean_etag(root.findtext("ETag")) if root is not None else None

    async def _copy_parts(
        self,
        original: Original,
        source: Entry,
        headers: Mapping[str, str],
        to: Path,
        key: str,
        *,
        exclusive: bool,
    ) -> str | None:
        if not self._bucket.dialect.part_copy:
            raise Unsupported("The storage does not copy files of this size.", path=str(to))
        async with PartsUpload(self._bucket, key, str(to)) as upload:
            own = {**self._options.headers, **self._kept(headers)}
            await unbroken(upload.begin(own, self._options.unfinished))
            await self._copy_ranges(upload, original, source)
            conditional = exclusive and await self._writer.claim("complete", to, key)
            return await unbroken(upload.complete(exclusive=conditional))

    async def _copy_ranges(self, upload: PartsUpload, original: Original, source: Entry) -> None:
        size = source.size or 0
        step = max(self._part, -(-size // MAX_PARTS))
        slots = asyncio.Semaphore(self._options.concurrency)
        same = {"x-amz-copy-source-if-match": f'"{source.etag}"'} if source.etag else {}

        async def one(number: int, start: int) -> None:
            last = min(start + step, size) - 1
            headers = {
                **same,
                "x-amz-copy-source": original.header(),
                "x-amz-copy-source-range": f"bytes={start}-{last}",
            }
            async with slots:
                await upload.copy(number, headers)

        await together(one(number, start) for number, start in enumerate(range(0, size, step), 1))

    def _kept(self, headers: Mapping[str, str]) -> dict[str, str]:
        """What a copy in parts must be told, because it does not come along."""
        return {
            name.lower(): value
            for name, value in headers.items()
            if name.lower() in _ASIDE or name.lower().startswith("x-amz-meta-")
        }


def refuse_strangers(mine: Bucket, theirs: Bucket) -> None:
    """Refuse to copy between buckets that do not share a server and keys.

    Raises:
        Unsupported: They do not.
    """
    one, two = mine.place, theirs.place
    same_server = (one.scheme, one.host, one.base) == (two.scheme, two.host, two.base)
    if not same_server or mine.signer.keys is None or mine.signer.keys != theirs.signer.keys:
        raise Unsupported("Only buckets of the same account can be copied from.")


def _mark(found: Object) -> int:
    return hash((found.key, found.etag, found.size))
