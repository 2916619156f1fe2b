"""Writing files: small ones in one request, larger ones in parts that are sent side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from waterbutler.core import ByteStream, Entry, Path, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    Corrupted,
    NotFound,
    PreconditionFailed,
    ProviderUnavailable,
    TooLarge,
    WaterButlerError,
)
from waterbutler_s3.bucket import Block, Bucket, Refused
from waterbutler_s3.entries import SHA256, clean_etag, from_headers, hashes_of, is_md5
from waterbutler_s3.listing import has_any
from waterbutler_s3.options import WriteOptions
from waterbutler_s3.parts import MAX_PARTS, PartsUpload, finished

MAX_SIZE = 5 << 40
"""The largest object, in bytes."""
_MIB = 1 << 20
_NO_HEADERS: Mapping[str, str] = {}


class Budget:
    """Bytes that may be in memory beyond what each upload needs to get on at all.

    Nobody waits for it: an upload that gets nothing sends its parts one after the other. So uploads
    cannot block each other, however slowly their senders are.
    """

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, size: int) -> bool:
        """Whether ``size`` bytes are there; then they are taken."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give_back(self, size: int) -> None:
        """Let others have them."""
        self._left += size


BUDGET = Budget(64 * _MIB)
"""One for the process."""


class Writer:
    """Writes files into a bucket.

    Args:
        bucket: The bucket.
        options: How.
    """

    def __init__(self, bucket: Bucket, options: WriteOptions) -> None:
        self._bucket = bucket
        self._options = options

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers that all new objects get."""
        return self._options.headers

    async def store(
        self, path: Path, key: str, body: ByteStream, mode: WriteMode, content_type: str | None
    ) -> Entry:
        """Write all of ``body``; see `Provider.write`."""
        if body.size is not None and body.size > MAX_SIZE:
            raise TooLarge(f"The storage takes files of at most {MAX_SIZE} bytes.", path=str(path))
        size = self._size_of(1, body.size)
        is_large = body.size is None or body.size > size
        if mode is WriteMode.CREATE and is_large:
            await self.refuse_taken(path, key)
        headers = dict(self._options.headers)
        if content_type and content_type.isascii() and content_type.isprintable():
            headers["content-type"] = content_type
        pieces = _Pieces(body)
        first = await pieces.next(size)
        if pieces.ended:
            return await self.put(path, key, first, mode, headers)
        return await self._store_parts(path, key, pieces, first, mode, headers)

    async def put(
        self, path: Path, key: str, chunks: list[bytes], mode: WriteMode, headers: Mapping[str, str]
    ) -> Entry:
        """Write an object in one request."""
        exclusive = mode is WriteMode.CREATE
        block = await Block.of(chunks, sha256=True)
        sent = {**headers, **self._bucket.proof(block), SHA256: block.sha256 or ""}
        if exclusive and await self.claim("put", path, key):
            sent["If-None-Match"] = "*"
        answer = await finished(self._put(path, key, block, sent))
        etag = clean_etag(answer.get("ETag"))
        version = answer.get("x-amz-version-id")
        md5 = block.md5.hex() if block.md5 else etag
        if etag is not None and is_md5(etag, answer) and etag != md5:
            await finished(self._undo(key, version, exclusive=exclusive))
            raise Corrupted("The file did not arrive as it was sent.", path=str(path))
        noted = {**answer, SHA256: block.sha256 or ""}
        written = Entry(
            path=path,
            size=block.size,
            etag=etag,
            version=version,
            hashes=hashes_of(etag, noted),
        )
        return await self.described(key, written)

    async def put_marker(self, path: Path, key: str, *, exclusive: bool = False) -> None:
        """Write the empty object that keeps a folder.

        Raises:
            AlreadyExists: With ``exclusive``: there is one, and the server can tell.
        """
        block = await Block.of([], sha256=True)
        headers = {**self._options.headers, **self._bucket.proof(block)}
        dialect = self._bucket.dialect
        if exclusive and "put" in dialect.conditional and not dialect.has_folders:
            headers["If-None-Match"] = "*"
        try:
            await finished(self._put(path, key, block, headers))
        except AlreadyExists:
            raise AlreadyExists(
                "There is such a folder.", entry=Entry(path=path), path=str(path)
            ) from None

    async def refuse_taken(self, path: Path, key: str) -> None:
        """Look whether the name is free.

        Raises:
            AlreadyExists: It is not.
        """
        entry = await self._bucket.patiently(lambda: self._look(path, key))
        if entry is not None:
            raise AlreadyExists("The name is taken.", entry=entry, path=str(path))

    async def described(self, key: str, written: Entry) -> Entry:
        """What was written, with what only the server knows, unless another writer came after."""
        version = written.version if written.version != "null" else None
        try:
            entry = await self._bucket.patiently(lambda: self._look(written.path, key, version))
        except WaterButlerError:
            return written
        is_same = entry is not None and entry.size == written.size
        if entry is None or not is_same or entry.etag != (written.etag or entry.etag):
            return written
        return entry

    async def claim(self, request: str, path: Path, key: str) -> bool:
        """Whether a request can be made on the condition that the name is free.

        If it cannot, this looks whether the name is free: the request should follow at once.

        Args:
            request: As `Dialect.conditional` calls it.
            path: What will be written.
            key: Its key.

        Raises:
            AlreadyExists: The name is taken.
        """
        dialect = self._bucket.dialect
        # Where a folder takes the name of a file, the condition would not hold.
        in_the_way = dialect.has_folders and await self._bucket.patiently(
            lambda: has_any(self._bucket, f"{key}/")
        )
        if request in dialect.conditional and not in_the_way:
            return True
        await self.refuse_taken(path, key)
        return False

    def _size_of(self, number: int, total: int | None) -> int:
        return self._options.size_of(number, total, equal=self._bucket.dialect.equal_parts)

    async def _put(
        self, path: Path, key: str, block: Block, headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        tried = 0

        async def attempt() -> Mapping[str, str]:
            nonlocal tried
            tried += 1
            answer, _ = await self._bucket.call(
                "PUT", key, headers=headers, body=block, path=str(path)
            )
            return answer

        try:
            return await self._bucket.patiently(attempt)
        except PreconditionFailed:
            # What has the name may be this very file: the first answer may have been lost.
            if tried > 1:
                entry = await self._look(path, key)
                if entry is not None and entry.hashes.get("sha256") == block.sha256:
                    return {"ETag": entry.etag or "", "x-amz-version-id": entry.version or ""}
            raise AlreadyExists("The name is taken.", path=str(path)) from None

    async def _undo(self, key: str, version: str | None, *, exclusive: bool) -> None:
        """Take back what is broken, where that brings back what was there before."""
        query = [("versionId", version)] if version and version != "null" else []
        if query or exclusive:
            await self._bucket.patiently(lambda: self._bucket.call("DELETE", key, query))

    async def _look(self, path: Path, key: str, version: str | None = None) -> Entry | None:
        query = [("versionId", version)] if version else []
        try:
            reply = await self._bucket.open("HEAD", key, query, path=str(path))
        except Refused as refused:
            if isinstance(refused.error, NotFound):
                return None
            raise refused.error from None
        await reply.aclose()
        return from_headers(path, reply.headers)

    async def _store_parts(
        self,
        path: Path,
        key: str,
        pieces: _Pieces,
        first: list[bytes],
        mode: WriteMode,
        headers: Mapping[str, str],
    ) -> Entry:
        upload = PartsUpload(self._bucket, key, str(path))
        exclusive = mode is WriteMode.CREATE
        conditional = False
        try:
            await finished(upload.begin(headers, self._options.unfinished))
            await self._fill(upload, pieces, first)
            conditional = exclusive and await self.claim("complete", path, key)
            etag = await finished(upload.complete(exclusive=conditional))
        except GeneratorExit:
            # The event loop is gone and nothing can be awaited.
            raise
        except BaseException as error:
            if upload.is_open:
                await finished(upload.abort())
            if conditional and isinstance(error, PreconditionFailed):
                raise AlreadyExists("The name is taken.", path=str(path)) from None
            if isinstance(error, NotFound):
                await self._explain_loss(path, key, mode)
            raise
        written = Entry(path=path, size=pieces.taken, etag=etag)
        return await self.described(key, written)

    async def _explain_loss(self, path: Path, key: str, mode: WriteMode) -> None:
        """Say why an upload is gone: another writer may have won, or somebody cleaned up."""
        if mode is WriteMode.CREATE:
            await self.refuse_taken(path, key)
        raise ProviderUnavailable("The storage has lost the upload.", path=str(path)) from None

    async def _fill(self, upload: PartsUpload, pieces: _Pieces, first: list[bytes]) -> None:
        running: set[asyncio.Task[None]] = set()
        number, chunks = 1, first
        try:
            while True:
                size = sum(map(len, chunks))
                borrowed = await self._make_room(running, size)
                task = asyncio.create_task(self._send(upload, number, chunks))
                if borrowed:
                    task.add_done_callback(partial(_give_back, size))
                running.add(task)
                # The task alone keeps the bytes, and lets them go when it ends.
                del chunks, task
                if pieces.ended:
                    break
                number += 1
                if number > MAX_PARTS:
                    raise TooLarge("The file has too many parts for its storage.")
                chunks = await pieces.next(self._size_of(number, pieces.total))
            while running:
                await _next_done(running)
        finally:
            for task in running:
                task.cancel()
            await finished(asyncio.gather(*running, return_exceptions=True))

    async def _make_room(self, running: set[asyncio.Task[None]], size: int) -> bool:
        """Wait until a part may be sent; returns whether it has to give its bytes back."""
        while running:
            if len(running) < self._options.concurrency and BUDGET.take(size):
                return True
            await _next_done(running)
        return False

    async def _send(self, upload: PartsUpload, number: int, chunks: list[bytes]) -> None:
        digests = self._bucket.digests
        block = await Block.of(chunks, md5="md5" in digests, sha256="sha256" in digests)
        await upload.send(number, block)


def _give_back(size: int, _: asyncio.Task[None]) -> None:
    BUDGET.give_back(size)


async def _next_done(running: set[asyncio.Task[None]]) -> None:
    """Wait until one of the tasks ends; raises what it raised."""
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    running -= done
    # All are looked at: several may have failed at the same time.
    errors = [error for task in done if (error := task.exception()) is not None]
    if errors:
        raise errors[0]


class _Pieces:
    """Cuts a body into pieces, without ever joining its chunks.

    Attributes:
        total: How many bytes will come, if known.
        taken: How many came.
        ended: Whether the body has ended: only then is it known to be complete.
    """

    def __init__(self, body: ByteStream) -> None:
        self._body = body
        self._rest: list[bytes] = []
        self.total = body.size
        self.taken = 0
        self.ended = False

    async def next(self, size: int) -> list[bytes]:
        """The next ``size`` bytes; fewer only at the end, and none only for an empty body.

        The body is read on until a byte behind the piece shows that it is not the last one.
        """
        chunks, self._rest = self._rest, []
        held = sum(map(len, chunks))
        while held <= size:
            chunk = await anext(self._body, None)
            if chunk is None:
                self.ended = True
                self.taken += held
                return chunks
            chunks.append(chunk)
            held += len(chunk)
        return self._cut(chunks, held, size)

    def _cut(self, chunks: list[bytes], held: int, size: int) -> list[bytes]:
        while held > size:
            chunk = chunks.pop()
            held -= len(chunk)
            if held < size:
                keep = size - held
                chunks.append(chunk[:keep])
                held += keep
                chunk = chunk[keep:]
                self._rest.insert(0, chunk)
                break
            self._rest.insert(0, chunk)
        self.taken += size
        return chunks
