"""Bytes on their way from a storage to the client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from waterbutler.core import ByteRange, ByteStream, Content, Entry
from waterbutler.core.errors import RangeNotSatisfiable
from waterbutler.server import conditions, digests
from waterbutler.server.base import Handler
from waterbutler.server.disposition import attachment, content_type

PIECE = 1 << 16
"""Long documents are sent in pieces of about this many bytes."""

FILE_POLICY = "sandbox; default-src 'none'"
"""What a file may do that a browser shows in spite of everything: nothing."""


class StreamHandler(Handler):
    """A handler whose answers may be larger than memory."""

    async def send_stream(self, body: ByteStream) -> None:
        """Send a body at the speed of the client, after the headers that are set.

        Nothing is sent before the first chunk is there: an error until then is an error answer,
        an error afterwards breaks the connection.
        """
        chunk = await anext(body, b"")
        self._watch()
        while chunk:
            await self.send_chunk(chunk)
            # Many slow clients at once: hold one chunk for each and not two.
            chunk = b""
            chunk = await anext(body, b"")
        await self.finish()

    async def send_chunk(self, chunk: bytes) -> None:
        """Send a chunk and wait until the client has taken most of what came before."""
        self._progress()
        self.write(chunk)
        await self.flush()
        self._client_waits = True
        self.sent += len(chunk)

    async def send_array(
        self, items: AsyncIterator[bytes], *, head: bytes = b'{"data":[', tail: bytes = b"]}"
    ) -> None:
        """Send a JSON array in pieces, between what comes before and after it in the document.

        Nothing is sent before the first piece is there, as in `send_stream`.
        """
        await self.send_stream(ByteStream(_pieces(items, head, tail)))


class FileHandler(StreamHandler):
    """A handler that sends files: validators, ranges, names, and the bytes."""

    def etag_of(self, entry: Entry) -> str | None:
        """The tag of a file as the dialect shows it, without quotes."""
        raise NotImplementedError

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
        except RangeNotSatisfiable:
            if not conditions.is_conditional_read(self.request.headers):
                raise
            entry = await describe()
            if self.answered_by_condition(entry):
                return
            if self._range_applies(entry):
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


async def _pieces(items: AsyncIterator[bytes], head: bytes, tail: bytes) -> AsyncIterator[bytes]:
    buffer = bytearray(head)
    separator = b""
    async for item in items:
        buffer += separator
        buffer += item
        separator = b","
        if len(buffer) >= PIECE:
            yield bytes(buffer)
            buffer.clear()
    buffer += tail
    yield bytes(buffer)
