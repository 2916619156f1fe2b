"""Writing files: small ones in one request, larger ones in parts that are sent side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack

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
from waterbutler.core.waiting import raise_first, stop, unbroken
from waterbutler_s3.blocks import BOTH, BUDGET, PIPES, SMALL, Block, InFile, InMemory
from waterbutler_s3.bucket import Bucket, Refused
from waterbutler_s3.entries import SHA256, clean_etag, from_headers, hashes_of, is_md5
from waterbutler_s3.listing import has_any
from waterbutler_s3.options import WriteOptions
from waterbutler_s3.parts import MAX_PARTS, PartsUpload
from waterbutler_s3.unfinished import Unfinished

MAX_SIZE = 5 << 40
"""The largest object, in bytes."""
_NO_HEADERS: Mapping[str, str] = {}


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

    @property
    def unfinished(self) -> Unfinished | None:
        """Knows the uploads in parts that are under way."""
        return self._options.unfinished

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
        with ExitStack() as held:
            pipes = PIPES if body.size is None else min(body.size, PIPES)
            BUDGET.owe(pipes)
            held.callback(BUDGET.give_back, pipes)
            pieces = _Pieces(body)
            first = await self._next(pieces, size, more=BOTH)
            held.callback(first.close)
            if pieces.ended:
                return await self.put(path, key, first, mode, headers)
            return await self._store_parts(path, key, pieces, first, mode, headers)

    async def put(
        self, path: Path, key: str, block: Block, mode: WriteMode, headers: Mapping[str, str]
    ) -> Entry:
        """Write an object in one request."""
        exclusive = mode is WriteMode.CREATE
        await block.ready()
        sent = {**headers, **self._bucket.proof(block), SHA256: block.sha256 or ""}
        if exclusive:
            answer = await self._put_new(path, key, block, sent)
        else:
            answer = await unbroken(self._put(path, key, block, sent))
        etag = clean_etag(answer.get("ETag"))
        version = answer.get("x-amz-version-id")
        md5 = block.md5.hex() if block.md5 else etag
        if etag is not None and is_md5(etag, answer) and etag != md5:
            await unbroken(self._undo(key, version, exclusive=exclusive))
            raise Corrupted("The file did not arrive as it was sent.", path=str(path))
        noted = {**answer, SHA256: block.sha256 or ""}
        return Entry(
            path=path,
            size=block.size,
            etag=etag,
            version=version,
            hashes=hashes_of(etag, noted),
        )

    async def put_marker(self, path: Path, key: str, *, exclusive: bool = False) -> None:
        """Write the empty object that keeps a folder.

        Raises:
            AlreadyExists: With ``exclusive``: there is one, and the server can tell.
        """
        block = await Block.of([])
        headers = {**self._options.headers, **self._bucket.proof(block)}
        dialect = self._bucket.dialect
        if exclusive and "put" in dialect.conditional and not dialect.has_folders:
            headers["If-None-Match"] = "*"
        try:
            await unbroken(self._put(path, key, block, headers))
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
            request: As `Dialect.conditional` calls it: ``copy`` or ``complete``.
            path: What will be written.
            key: Its key.

        Raises:
            AlreadyExists: The name is taken.
        """
        dialect = self._bucket.dialect
        in_the_way = dialect.has_folders and await self._folder_in_the_way(key)
        if request in dialect.conditional and not in_the_way:
            return True
        await self.refuse_taken(path, key)
        return False

    def _size_of(self, number: int, total: int | None) -> int:
        return self._options.size_of(number, total, equal=self._bucket.dialect.equal_parts)

    async def _put_new(
        self, path: Path, key: str, block: Block, headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        """Write an object whose name is free; a folder in the way is looked for only if need be."""
        dialect = self._bucket.dialect
        if "put" in dialect.conditional:
            sent = {**headers, "If-None-Match": "*"}
            try:
                return await unbroken(self._put(path, key, block, sent))
            except AlreadyExists:
                if not dialect.has_folders or not await self._folder_in_the_way(key):
                    raise
        await self.refuse_taken(path, key)
        return await unbroken(self._put(path, key, block, headers))

    async def _folder_in_the_way(self, key: str) -> bool:
        """Whether a folder has taken the name of a file: then the condition does not hold."""
        return await self._bucket.patiently(lambda: has_any(self._bucket, f"{key}/"))

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
            if isinstance(refused.error(), NotFound):
                return None
            raise refused.error() from None
        await reply.aclose()
        return from_headers(path, reply.headers)

    async def _store_parts(
        self,
        path: Path,
        key: str,
        pieces: _Pieces,
        first: Block,
        mode: WriteMode,
        headers: Mapping[str, str],
    ) -> Entry:
        exclusive = mode is WriteMode.CREATE
        conditional = False
        try:
            async with PartsUpload(self._bucket, key, str(path)) as upload:
                await unbroken(upload.begin(headers, self._options.unfinished))
                await self._fill(upload, pieces, first)
                conditional = exclusive and await self.claim("complete", path, key)
                etag = await unbroken(upload.complete(exclusive=conditional))
        except PreconditionFailed:
            if conditional:
                raise AlreadyExists("The name is taken.", path=str(path)) from None
            raise
        except NotFound:
            await self._explain_loss(path, key, mode)
            raise
        return Entry(path=path, size=pieces.taken, etag=etag)

    async def _explain_loss(self, path: Path, key: str, mode: WriteMode) -> None:
        """Say why an upload is gone: another writer may have won, or somebody cleaned up."""
        if mode is WriteMode.CREATE:
            await self.refuse_taken(path, key)
        raise ProviderUnavailable("The storage has lost the upload.", path=str(path)) from None

    async def _fill(self, upload: PartsUpload, pieces: _Pieces, first: Block) -> None:
        running: set[asyncio.Task[None]] = set()
        number, block = 1, first
        try:
            while True:
                # Who has to do without memory is one of many, and each part under way takes some.
                alone = isinstance(block, InMemory)
                while len(running) >= (self._options.concurrency if alone else 1):
                    await _next_done(running)
                running.add(asyncio.create_task(self._send(upload, number, block)))
                if pieces.ended:
                    break
                number += 1
                if number > MAX_PARTS:
                    raise TooLarge("The file has too many parts for its storage.")
                size = self._size_of(number, pieces.total)
                block = await self._next(pieces, size, running)
            while running:
                await _next_done(running)
        finally:
            await unbroken(stop(*running))
            # It may be one that nobody has begun to send.
            block.close()

    async def _next(
        self,
        pieces: _Pieces,
        size: int,
        running: set[asyncio.Task[None]] | None = None,
        more: frozenset[str] = frozenset(),
    ) -> Block:
        """Collect a block: in memory, or in a file if all memory is with other uploads."""
        expected = pieces.expected(size)
        digests = self._bucket.digests | more
        taken = expected if expected > SMALL else 0
        in_memory = BUDGET.take(taken)
        while not in_memory and running:
            # What this upload is sending makes room soon, without a detour.
            await _next_done(running)
            in_memory = BUDGET.take(taken)
        folder = self._options.folder
        block: Block = InMemory(taken, digests) if in_memory else InFile(folder, digests)
        try:
            await pieces.fill(block, size)
        except BaseException:
            block.close()
            raise
        return block

    async def _send(self, upload: PartsUpload, number: int, block: Block) -> None:
        try:
            await block.ready()
            await upload.send(number, block)
        finally:
            block.close()


async def _next_done(running: set[asyncio.Task[None]]) -> None:
    """Wait until one of the tasks ends; raises what it raised."""
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    running -= done
    try:
        raise_first(done)
    finally:
        done.clear()


class _Pieces:
    """Cuts a body into pieces, without ever joining its chunks.

    Attributes:
        total: How many bytes will come, if known.
        taken: How many came.
        ended: Whether the body has ended: only then is it known to be complete.
    """

    def __init__(self, body: ByteStream) -> None:
        self._body = body
        self._rest = b""
        self.total = body.size
        self.taken = 0
        self.ended = False

    def expected(self, size: int) -> int:
        """How many bytes the next piece has, if that is known; ``size`` otherwise."""
        return size if self.total is None else min(size, self.total - self.taken)

    async def fill(self, block: Block, size: int) -> None:
        """Put the next ``size`` bytes into a block; fewer only at the end.

        The body is read on until a byte behind the piece shows that it is not the last one.
        """
        while True:
            chunk = self._rest or await anext(self._body, b"")
            if not chunk:
                self.ended = True
                return
            room = size - block.size
            self._rest = chunk[room:]
            if room:
                fitting = chunk[:room]
                self.taken += len(fitting)
                await block.add(fitting)
            if self._rest:
                return
