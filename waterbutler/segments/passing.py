"""Bytes on their way to the disk and back."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from waterbutler.core import ByteStream
from waterbutler.core.errors import Corrupted, InvalidRequest
from waterbutler.core.waiting import unbroken
from waterbutler.segments.files import SegmentFile, read_block
from waterbutler.segments.plan import Announced, wrong_digest, wrong_size
from waterbutler.segments.sessions import Stored

BLOCK = 1 << 20
"""How many bytes are written or read at once."""


async def receive(file: SegmentFile, segment: Announced, body: ByteStream) -> None:
    """Write a body, which must be as announced."""
    batch: list[bytes] = []
    held = 0
    async for chunk in body:
        if body.sent > segment.size:
            raise wrong_size(segment)
        batch.append(chunk)
        held += len(chunk)
        if held >= BLOCK:
            await unbroken(asyncio.to_thread(file.write, batch))
            batch, held = [], 0
    await unbroken(asyncio.to_thread(file.write, batch))
    if body.sent != segment.size:
        raise wrong_size(segment)
    if file.digest() != segment.sha256:
        raise wrong_digest(segment)


async def chunks(
    folder: Path, stored: Sequence[Stored], sha256: str | None
) -> AsyncIterator[bytes]:
    """The segments one after the other; each is hashed, or all together if ``sha256`` is known."""
    whole = hashlib.sha256()
    for item in stored:
        segment, file = item.segment, folder / str(item.tag)
        own = whole if sha256 else hashlib.sha256()
        start = 0
        while start < segment.size:
            wanted = min(BLOCK, segment.size - start)
            block = await asyncio.to_thread(read_block, file, start, wanted, own)
            start += len(block)
            yield block
        if not sha256 and own.hexdigest() != segment.sha256:
            raise Corrupted(f"Segment {segment.number} is damaged; it must be sent again.")
    if sha256 and whole.hexdigest() != sha256:
        raise InvalidRequest("The file does not have the SHA-256 that was announced.")
