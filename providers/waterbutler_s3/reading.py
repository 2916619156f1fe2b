"""Asking for a file or a part of it, whether the server knows of parts or not."""

from __future__ import annotations

from collections.abc import AsyncIterator

from waterbutler.core import ByteRange, ByteStream, Content, Path, Span
from waterbutler.core.errors import NotFound, ProviderFault, RangeNotSatisfiable
from waterbutler.core.parsing import parse_number
from waterbutler.http import Reply
from waterbutler_s3.bucket import Bucket, Refused
from waterbutler_s3.entries import from_headers
from waterbutler_s3.signing import Query


async def ask(
    bucket: Bucket, method: str, key: str, path: Path, query: Query, range: ByteRange | None = None
) -> Reply:
    """The answer to a question for a file, or for the version of it that ``query`` names.

    Raises:
        NotFound: There is no such file, or no such version of it.
        RangeNotSatisfiable: It is shorter.
    """
    headers = {"Range": range.header()} if range is not None else {}
    try:
        reply = await bucket.open(method, key, query, headers=headers, path=str(path))
    except Refused as refused:
        failure = refused.failure
        if failure.status == 416:
            total = failure.size
            if total is None:
                total = await _size(bucket, key, path, query)
            raise RangeNotSatisfiable("The range lies outside.", total=total) from None
        # 405 is a deletion that was asked for as a version; a wrong one may be no id at all.
        is_odd = failure.status == 400 and failure.code in {"", "InvalidArgument"}
        if query and (failure.status in {404, 405} or is_odd):
            raise NotFound("There is no such version.", path=str(path)) from None
        raise refused.error() from None
    shown = reply.headers.get("x-amz-version-id", "null")
    if query and shown != query[0][1]:
        # A bucket that keeps no versions may ignore that one is asked for.
        await reply.aclose()
        raise NotFound("There is no such version.", path=str(path))
    return reply


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


async def _size(bucket: Bucket, key: str, path: Path, query: Query) -> int:
    reply = await ask(bucket, "HEAD", key, path, query)
    await reply.aclose()
    return from_headers(path, reply.headers).size or 0


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
