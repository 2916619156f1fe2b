"""Files whose parts come by requests that have nothing else in common."""

from __future__ import annotations

from collections.abc import Sequence

from waterbutler.core import ByteStream, Entry, Noted, PartLimits, Path, SentPart, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    NotFound,
    PreconditionFailed,
    ProviderUnavailable,
    TooLarge,
)
from waterbutler.core.waiting import unbroken
from waterbutler_s3.bucket import Bucket
from waterbutler_s3.config import MIN_PART
from waterbutler_s3.parts import MAX_PARTS, PartsUpload
from waterbutler_s3.writing import MAX_SIZE, Writer

PARTS = PartLimits(min_size=MIN_PART, max_size=5 << 30, max_count=MAX_PARTS)


class Assembly:
    """One file that is sent in parts; nothing of it is kept here from call to call.

    Args:
        bucket: The bucket.
        writer: Writes into it.
        path: The file.
        key: Its key.
        upload: What the server calls the upload, once it has begun.
    """

    def __init__(
        self, bucket: Bucket, writer: Writer, path: Path, key: str, upload: str = ""
    ) -> None:
        self._writer = writer
        self._path = path
        self._key = key
        self._upload = PartsUpload(bucket, key, str(path), upload)

    async def begin(self, size: int, noted: Noted | None) -> str:
        """See `Provider.begin_parts`."""
        if size > MAX_SIZE:
            raise TooLarge(f"The storage takes files of at most {MAX_SIZE} bytes.")
        upload, unfinished = self._upload, self._writer.unfinished
        async with upload:
            await unbroken(upload.begin(self._writer.headers, unfinished))
            if noted is not None:
                await noted(upload.id)
        await unbroken(upload.hand_over())
        return upload.id

    async def put(self, number: int, body: ByteStream, sha256: str) -> SentPart:
        """See `Provider.put_part`."""
        try:
            tag = await self._upload.pass_on(number, body, sha256)
        except NotFound:
            raise self._lost() from None
        return SentPart(number, body.sent, tag)

    async def finish(self, parts: Sequence[SentPart], mode: WriteMode) -> Entry:
        """See `Provider.finish_parts`."""
        for part in parts:
            self._upload.recall(part.number, part.tag)
        exclusive = mode is WriteMode.CREATE
        conditional = exclusive and await self._writer.claim("complete", self._path, self._key)
        try:
            etag = await unbroken(self._upload.complete(exclusive=conditional))
        except PreconditionFailed:
            raise AlreadyExists("The name is taken.", path=str(self._path)) from None
        except NotFound:
            raise self._lost() from None
        written = Entry(path=self._path, size=sum(part.size for part in parts), etag=etag)
        return await self._writer.described(self._key, written)

    async def abort(self) -> None:
        """See `Provider.abort_parts`; what fails is remembered by who asked."""
        if not await unbroken(self._upload.abort()):
            raise ProviderUnavailable("The storage does not abort an upload.")

    def _lost(self) -> NotFound:
        return NotFound("The storage has no such unfinished file.", path=str(self._path))
