"""Reading a part of a file, whether the server knows of parts or not."""

from __future__ import annotations

from collections.abc import AsyncIterator

from waterbutler.core import ByteRange, ByteStream, Content, Path, Span
from waterbutler.core.errors import ProviderFault
from waterbutler.core.parsing import parse_number
from waterbutler.http import Reply
from waterbutler_s3.entries import from_headers


def part_of(path: Path, reply: Reply, range: ByteRange) -> Content:
    """The content of an answer to a range, which the server may have ignored."""
    if reply.status != 206:
        entry = from_headers(path, reply.headers)
        span = range.resolve(entry.size or 0)
        return Content(_slice(reply.body, span), entry, span)
    bounds, _, total = reply.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    start, _, end = bounds.partition("-")
    first, last, size = parse_number(start), parse_number(end), parse_number(total)
    if first is None or last is None or size is None:
        raise ProviderFault("The storage does not say which part it sends.", path=str(path))
    span = Span(first, last + 1, size)
    if span != range.resolve(span.total):
        raise ProviderFault("The storage sends another part than was asked for.", path=str(path))
    return Content(reply.body, from_headers(path, reply.headers, span.total), span)


def _slice(body: ByteStream, span: Span) -> ByteStream:
    async def chunks() -> AsyncIterator[bytes]:
        position = 0
        async for chunk in body:
            start, stop = max(span.start - position, 0), span.stop - position
            position += len(chunk)
            if chunk[start:stop]:
                yield chunk[start:stop]
            if position >= span.stop:
                return

    return ByteStream(chunks(), size=span.length, close=body.aclose)
