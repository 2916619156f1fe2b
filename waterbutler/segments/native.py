"""Segments that a storage takes as parts of a file: their bytes do not lie on this server."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import structlog

from waterbutler.core import ByteStream, Entry, Path, Provider, SentPart
from waterbutler.core.errors import InvalidRequest, NotFound, WaterButlerError
from waterbutler.core.waiting import unbroken
from waterbutler.segments.plan import (
    Announced,
    Expected,
    UploadPlan,
    check_complete,
    wrong_digest,
    wrong_size,
)
from waterbutler.segments.sessions import Kept, Native, Sessions
from waterbutler.service import Condition, Upload, always

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler.segments")

Keep: TypeAlias = Callable[[Native | None], Awaitable[None]]
"""Keeps an upload, with the unfinished file that takes its segments."""
BLOCK = 1 << 20
"""How many bytes are handed on at once."""
AT_ONCE = 10
"""How many unfinished files are thrown away while a request waits."""


async def begin(upload: Upload, plan: UploadPlan, keep: Keep) -> None:
    """Begin a file in the storage and ``keep`` it; `None` is kept if it takes no such segments.

    Nor does this work where the digest of the whole must be verified: that takes all bytes in
    their order. What cannot be kept is thrown away, and what dies before it is kept is found by
    the storage's own sweep.
    """
    provider, path = upload.room.provider, upload.target.path
    limits, most = provider.capabilities.parts, provider.capabilities.max_file_size
    sizes = [segment.size for segment in plan.segments]
    too_large = most is not None and plan.size > most
    if plan.sha256 is not None or limits is None or too_large or not limits.fit(sizes):
        await keep(None)
        return

    async def noted(name: str) -> None:
        await keep(Native(provider.info.root, str(path), name))

    await provider.begin_parts(path, size=plan.size, noted=noted)


async def put(native: Native, provider: Provider, segment: Announced, body: ByteStream) -> str:
    """Send a segment to the storage; gives the tag of the part.

    Raises:
        NotFound: The storage is another one by now, or has lost the file.
        InvalidRequest: The body is not as announced.
    """
    _check_storage(native, provider)
    path = Path.parse(native.path)
    async with _checked(body, segment) as checked:
        part = await provider.put_part(
            path, native.upload, segment.number, checked, sha256=segment.sha256
        )
    return part.tag


async def finish(
    kept: Kept, native: Native, upload: Upload, expected: Expected, condition: Condition
) -> Entry:
    """Make the file of its parts.

    Raises:
        InvalidRequest: A segment is missing, the file was announced differently or for another
            place, a digest of the whole comes only now, or the storage has lost the parts.
    """
    provider, path = upload.room.provider, upload.target.path
    if expected.checked(kept.session.plan) is not None:
        raise InvalidRequest("The SHA-256 of a whole file must be said when its upload begins.")
    check_complete([item.segment.number for item in kept.stored if item.tag is None])
    parts = [
        SentPart(item.segment.number, item.segment.size, item.tag)
        for item in kept.stored
        if item.tag is not None
    ]
    try:
        _check_storage(native, provider)
        if str(path) != native.path:
            raise InvalidRequest("The upload was begun for another place.")
        if condition is not always:
            condition(await _current(provider, path))
        return await provider.finish_parts(
            path, native.upload, parts, mode=upload.mode, modified=upload.modified
        )
    except NotFound as error:
        raise InvalidRequest(f"Begin the upload anew: {error.message}") from error


async def tidy(sessions: Sessions, provider: Provider, most: int = AT_ONCE) -> None:
    """Throw away unfinished files of a storage whose uploads have ended, ``most`` at a time.

    Many storages are opened for requests only, so that this is done when there is one. What fails
    is tried again another time.
    """
    storage = provider.info.root
    for native in await asyncio.to_thread(sessions.abandoned, storage, most):
        try:
            await provider.abort_parts(Path.parse(native.path), native.upload)
        except WaterButlerError as error:
            _log.warning("parts left behind", storage=provider.info.label, reason=error.message)
            return
        await unbroken(asyncio.to_thread(sessions.aborted, native))


def _check_storage(native: Native, provider: Provider) -> None:
    if provider.info.root != native.storage:
        raise NotFound("The upload was begun in another storage.")


async def _current(provider: Provider, path: Path) -> Entry | None:
    try:
        return await provider.stat(path)
    except NotFound:
        return None


def _checked(body: ByteStream, segment: Announced) -> ByteStream:
    """The body in larger blocks, refused if it is not as announced."""
    digest = hashlib.sha256()

    def joined(batch: list[bytes]) -> bytes:
        block = b"".join(batch)
        digest.update(block)
        return block

    async def chunks() -> AsyncIterator[bytes]:
        batch: list[bytes] = []
        held = 0
        async for chunk in body:
            if body.sent > segment.size:
                raise wrong_size(segment)
            batch.append(chunk)
            held += len(chunk)
            if held >= BLOCK:
                yield await asyncio.to_thread(joined, batch)
                batch, held = [], 0
        if body.sent != segment.size:
            raise wrong_size(segment)
        if batch:
            yield await asyncio.to_thread(joined, batch)
        if digest.hexdigest() != segment.sha256:
            raise wrong_digest(segment)

    return ByteStream(chunks(), size=segment.size)
