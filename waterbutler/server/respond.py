"""Bytes on their way from a storage to the client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from waterbutler.core import ByteRange, ByteStream, Content, Entry
from waterbutler.core.errors import RangeNotSatisfiable
from waterbutler.server import conditions, digests
from waterbutler.server.base import Handler
from waterbutler.server.disposition import attachment, content_type
from waterbutler.service import Room

T = TypeVar("T")

PIECE = 1 << 16
"""Long documents are sent in pieces of about this many bytes."""

FILE_POLICY = "sandbox; default-src 'none'"
"""What a file may do that a browser shows in spite of everything: nothing."""

LINK_LIFETIME = timedelta(minutes=5)
"""How long a link that a download is redirected to works."""


class StreamHandler(Handler):
    """A handler whose answers may be larger than memory."""

    async def send_stream(self, body: ByteStream) -> None:
        """Send a body at the speed of the client, after the headers that are set.

        Nothing is sent before the first chunk is there: an error until then is an error answer,
        an error afterwards breaks the connection.
        """
        if body.sendable and "Content-Length" in self._headers:
            await self._send_file(body)
        chunk = await anext(body, b"")
        while chunk:
            await self.send_chunk(chunk)
            # Many slow clients at once: hold one chunk for each and not two.
            chunk = b""
            chunk = await anext(body, b"")
        self.finish()

    async def _send_file(self, body: ByteStream) -> None:
        """Have the system send what it can; an end is left over, so the answer is not complete."""
        self.patience.start()
        await self.flush()
        self.patience.ours()
        before = body.sent
        try:
            await self.connection.send_file(body, self.patience.theirs)
        finally:
            self.patience.ours()
            self.sent += body.sent - before

    async def send_chunk(self, chunk: bytes) -> None:
        """Send a chunk and wait until the client has taken most of what came before."""
        self.write(chunk)
        self._send_buffer()
        self.sent += len(chunk)
        if self.connection.is_full:
            self.patience.theirs()
            self.patience.start()
            await self.connection.drain()
            self.patience.ours()

    async def send_array(
        self,
        items: AsyncIterator[T],
        encode: Callable[[T], bytes],
        *,
        head: bytes = b'{"data":[',
        tail: bytes = b"]}",
    ) -> None:
        """Send a JSON array in pieces, between what comes before and after it in the document.

        Nothing is sent before the first piece is there, as in `send_stream`.
        """
        async with ByteStream(_pieces(items, encode, head, tail)) as body:
            await self.send_stream(body)


class FileHandler(StreamHandler):
    """A handler that sends files: validators, ranges, names, and the bytes."""

    def etag_of(self, entry: Entry) -> str | None:
        """The tag of a file as the dialect shows it, without quotes."""
        raise NotImplementedError

    async def send_download(
        self, room: Room, name: str, *, version: str | None = None, direct: bool = False
    ) -> None:
        """Answer a GET with the room's file, or send the client to where its storage has it.

        Args:
            room: The file.
            name: The name to save it under.
            version: Which version.
            direct: Never send the client elsewhere.
        """
        butler = self.context.butler
        if not direct and self._may_redirect(room):
            link = await butler.sign(room, version=version, filename=name, expires=LINK_LIFETIME)
            self.set_status(302)
            self.set_header("Location", link)
            return

        async def open_file(range: ByteRange | None) -> Content:
            return await butler.open(room, range=range, version=version)

        async def describe() -> Entry:
            return await butler.describe(room, version=version)

        await self.send_file(name, open_file, describe)

    async def send_archive(self, room: Room) -> None:
        """Answer a GET with the room's folder as a zip archive."""
        async with await self.context.butler.zip(room) as body:
            self.archive_headers(room)
            await self.send_stream(body)

    def archive_headers(self, room: Room) -> None:
        """The headers that GET and HEAD of an archive share."""
        name = f"{room.path.name}.zip" if room.path.names else f"{room.place.mount}-archive.zip"
        self.set_header("Content-Type", "application/zip")
        self.set_header("Content-Disposition", attachment(name))

    async def send_file(
        self,
        name: str,
        open: Callable[[ByteRange | None], Awaitable[Content]],
        describe: Callable[[], Awaitable[Entry]],
    ) -> None:
        """Answer a GET with a file, a part of it, or the news that the client has it.

        Args:
            name: The name to save it under.
            open: Opens the file, or a part of it.
            describe: Describes the file, for conditions on a range that lies outside of it.
        """
        try:
            content = await open(conditions.parse_range(self.request.headers.get("Range")))
        except RangeNotSatisfiable as error:
            if error.total > 0 and not conditions.is_conditional_read(self.request.headers):
                raise
            entry = await describe()
            if self.answered_by_condition(entry):
                return
            # An empty file has no part: clients that always ask for one get all of it.
            if error.total > 0 and self._range_applies(entry):
                raise
            content = await open(None)
        try:
            if self.answered_by_condition(content.entry):
                return
            if content.span is not None and not self._range_applies(content.entry):
                await content.body.aclose()
                content = await open(None)
            await self._send(name, content)
        finally:
            await content.body.aclose()

    def answered_by_condition(self, entry: Entry) -> bool:
        """Answer 304 if the client has the file already.

        Raises:
            PreconditionFailed: The client wants another state of the file.
        """
        headers, etag = self.request.headers, self.etag_of(entry)
        conditions.check(headers, etag, entry.modified)
        if not conditions.not_modified(headers, etag, entry.modified):
            return False
        self.set_status(304)
        self.validators(entry)
        self.finish()
        return True

    def validators(self, entry: Entry) -> None:
        """The headers by which a client recognises a file's state."""
        etag = self.etag_of(entry)
        self.set_header("Cache-Control", "private, no-cache")
        if etag is not None:
            self.set_header("ETag", f'"{etag}"')
        if entry.modified is not None:
            self.set_header("Last-Modified", conditions.http_date(entry.modified))

    def file_headers(self, name: str, entry: Entry) -> None:
        """The headers that GET and HEAD share."""
        self.validators(entry)
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("Content-Disposition", attachment(name))
        self.set_header("Content-Security-Policy", FILE_POLICY)
        self.set_header("Content-Type", content_type(name, entry.content_type))
        digest = digests.shown(entry.hashes, self.request.headers.get("Want-Repr-Digest"))
        if digest is not None:
            self.set_header("Repr-Digest", digest)

    def _may_redirect(self, room: Room) -> bool:
        wanted = room.grant.redirect
        if wanted is None:
            wanted = self.context.options.redirect_downloads
        return wanted and room.provider.capabilities.sign

    async def _send(self, name: str, content: Content) -> None:
        self.file_headers(name, content.entry)
        if content.span is not None:
            self.set_status(206)
            self.set_header("Content-Range", content.span.content_range())
        if content.body.size is not None:
            self.set_header("Content-Length", str(content.body.size))
        await self.send_stream(content.body)

    def _range_applies(self, entry: Entry) -> bool:
        return conditions.range_applies(self.request.headers, self.etag_of(entry), entry.modified)


async def _pieces(
    items: AsyncIterator[T], encode: Callable[[T], bytes], head: bytes, tail: bytes
) -> AsyncIterator[bytes]:
    buffer = bytearray(head)
    separator = b""
    try:
        async for item in items:
            buffer += separator
            buffer += encode(item)
            separator = b","
            if len(buffer) >= PIECE:
                yield bytes(buffer)
                buffer.clear()
    finally:
        aclose = getattr(items, "aclose", None)
        if aclose is not None:
            await aclose()
    buffer += tail
    yield bytes(buffer)
