"""Uploads in segments: their bytes wait on disk or in the storage until all are there."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import TypeAlias

import structlog

from waterbutler.core import ByteStream, Entry, Provider
from waterbutler.core.errors import NotFound, WaterButlerError
from waterbutler.core.waiting import stop, unbroken
from waterbutler.segments import files, native
from waterbutler.segments.files import SegmentFile
from waterbutler.segments.passing import chunks, receive
from waterbutler.segments.plan import (
    Announced,
    Expected,
    Received,
    UploadPlan,
    UploadSession,
    check_complete,
    checked_sha256,
    wrong_digest,
    wrong_size,
)
from waterbutler.segments.sessions import Kept, Native, Sessions, Stored
from waterbutler.service import Butler, Condition, Room, Upload, always

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler.segments")

_ALL_AS_ANNOUNCED = Expected()
_SWEPT_AT_ONCE = 1000
"""How many unfinished files of a storage one sweep throws away."""
_BEGINNING = 60.0
"""Seconds that a segment has for becoming a file on disk."""


OpenStorage: TypeAlias = Callable[[], AbstractAsyncContextManager[Provider]]
"""Opens a storage for as long as the context lasts; may raise any error of ours."""


class SegmentUploads:
    """Keeps uploads that arrive in segments, until they are complete and stored.

    An upload belongs to its owner, and lives for ``lifetime`` seconds: it can go on after a
    restart and in another process with the same file and folder. The bytes of its segments lie in
    the folder, and nothing reaches a storage before all are there; or, where the storage takes a
    file in such parts and the caller gives it, they go there at once, and nobody sees them there
    before all are there. Foreign, expired and unknown uploads are told apart by nobody: all are
    `NotFound`.

    All methods raise `ProviderUnavailable` if the file or the folder cannot be used.

    Args:
        file: Knows the uploads; made at first use, with mode 0600.
        spool: Has the bytes; made at first use, with mode 0700.
        quota: How many bytes all segments that have arrived may have together.
        lifetime: See above.
        per_owner: How many unfinished uploads an owner may have.
        look: How often, in seconds, `start` looks for what has expired or was left behind.
        storages: What this server can open without a request: sweeps throw away there what
            uploads left that have ended. In other storages that waits for the next upload.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        file: Path,
        spool: Path,
        *,
        quota: int,
        lifetime: float = 86400,
        per_owner: int = 100,
        look: float = 600,
        storages: Iterable[OpenStorage] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sessions = Sessions(file, quota=quota, lifetime=lifetime, per_owner=per_owner)
        self._spool = spool
        self._look = look
        self._storages = tuple(storages)
        self._clock = clock
        self._sweeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to sweep, now and every ``look`` seconds; call it in the server's loop."""
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().create_task(self._keep_sweeping())

    async def begin(
        self, owner: str, plan: UploadPlan, upload: Upload | None = None
    ) -> UploadSession:
        """Begin an upload.

        Args:
            owner: Whose it will be.
            plan: What it will be.
            upload: Where the file will be. If the storage takes a file in such parts, and no
                digest of the whole is to be verified, the segments go there: then `put` needs
                its room, and `finish` takes the place of `open` and `done`.

        Raises:
            InvalidRequest: The plan makes no sense: a digest is none, the numbers are not those
                from 1 on, the sizes do not add up, or there are more than 10,000 segments.
            QuotaExceeded: The owner has too many unfinished uploads, or there is no room for
                the bytes now. No room is kept: segments may still be refused later.
        """
        plan = plan.checked()
        if upload is None:
            return await asyncio.to_thread(self._sessions.begin, owner, plan, now=self._clock())
        await native.tidy(self._sessions, upload.room.provider)
        return await unbroken(self._begin(owner, plan, upload))

    async def get(self, owner: str, id: str) -> UploadSession:
        """An upload that has begun.

        Raises:
            NotFound: There is none of this owner.
        """
        kept = await asyncio.to_thread(self._sessions.get, owner, id, now=self._clock())
        return kept.session

    async def put(
        self,
        owner: str,
        id: str,
        number: int,
        body: ByteStream,
        *,
        size: int | None = None,
        sha256: str | None = None,
        room: Room | None = None,
    ) -> Received:
        """Take a segment; one that was there before is replaced when the new one is complete.

        If the body fails, is cut or is something else than was announced, or the call is
        cancelled, everything is as it was before. The body is closed in any case.

        Args:
            owner: Whose upload it is.
            id: Which one.
            number: Which segment.
            body: Its bytes.
            size: How many there are, if the client says it again.
            sha256: Their digest in hexadecimal, if the client says it again.
            room: The storage, if `begin` was given it.

        Raises:
            NotFound: There is no such upload of this owner, or its storage has lost it.
            InvalidRequest: There is no such segment, or it was announced with another size or
                digest.
            QuotaExceeded: There is no room for it.
            Interrupted: The upload ended while the segment arrived.
        """
        try:
            segment, begun = await asyncio.to_thread(
                self._sessions.announced, owner, id, number, now=self._clock()
            )
            for said in (size, body.size):
                if said is not None and said != segment.size:
                    raise wrong_size(segment)
            if sha256 is not None and checked_sha256(sha256) != segment.sha256:
                raise wrong_digest(segment)
            if begun is None:
                await self._take(owner, id, segment, body)
            else:
                await self._pass_on(begun, room, id, segment, body)
        finally:
            await body.aclose()
        return Received(segment.number, segment.size, segment.sha256)

    async def open(self, owner: str, id: str, expected: Expected = _ALL_AS_ANNOUNCED) -> ByteStream:
        """The whole file, for storing it; verified on the way, and it can be replayed.

        The stream ends well only if the bytes have the digest that was said for the whole, or, if
        none was, the segments have theirs. The upload stays as it is, and is not swept for some
        time; call `done` when the file is stored.

        Args:
            owner: Whose upload it is.
            id: Which one.
            expected: What the client says of the file now.

        Raises:
            NotFound: There is no such upload of this owner.
            InvalidRequest: A segment is missing, or the file was announced differently; while
                iterating: the bytes do not have the digest.
            Corrupted: While iterating: the server has lost bytes of a segment.
        """
        return self._opened(await self._kept(owner, id), expected)

    async def finish(
        self,
        owner: str,
        id: str,
        expected: Expected,
        butler: Butler,
        upload: Upload,
        condition: Condition = always,
    ) -> Entry:
        """Store the file, wherever its segments are, and forget the upload.

        On any error nothing is stored, and the upload stays as it is.

        Args:
            owner: Whose upload it is.
            id: Which one.
            expected: What the client says of the file now.
            butler: Stores what lies here.
            upload: Where the file will be.
            condition: As for `Butler.finish_upload`.

        Raises:
            NotFound: There is no such upload of this owner.
            InvalidRequest: As `open` says; or the storage that has the parts has lost them, or
                they were begun for another place, or a digest of the whole comes only now.
            AlreadyExists: The name is taken by now.
        """
        kept = await self._kept(owner, id)
        if kept.native is None:
            body = self._opened(kept, expected)
            entry = await butler.finish_upload(upload, body, condition)
        else:
            entry = await native.finish(kept, kept.native, upload, expected, condition)
        try:
            await self.done(owner, id)
            if kept.native is not None:
                await asyncio.to_thread(self._sessions.aborted, kept.native)
        except WaterButlerError as error:
            # The file is stored, whatever becomes of its segments: a sweep finds them.
            _log.warning("upload not forgotten", reason=error.message)
        return entry

    async def done(self, owner: str, id: str) -> None:
        """The file is stored: forget the upload and its bytes, if they are still there."""
        with suppress(NotFound):
            await self._end(owner, id, None)

    async def cancel(self, owner: str, id: str, room: Room | None = None) -> None:
        """Forget an upload and its bytes.

        Args:
            owner: Whose it is.
            id: Which one.
            room: Its storage. Without it, parts that are there are thrown away by a sweep, or
                when an upload to that storage begins the next time.

        Raises:
            NotFound: There is none of this owner.
        """
        await self._end(owner, id, self._clock())
        if room is not None:
            await native.tidy(self._sessions, room.provider)

    async def sweep(self) -> int:
        """Remove what has expired, and what processes left that have ended.

        Returns:
            How many uploads and files were removed.
        """
        count = await unbroken(asyncio.to_thread(self._sweep))
        await self._tidy()
        return count

    async def aclose(self) -> None:
        """Stop sweeping, and close the file; uploads can go on later."""
        if self._sweeper is not None:
            await stop(self._sweeper)
            self._sweeper = None
        await asyncio.to_thread(self._sessions.close)

    async def _begin(self, owner: str, plan: UploadPlan, upload: Upload) -> UploadSession:
        kept: list[UploadSession] = []

        async def keep(begun: Native | None) -> None:
            begin, now = self._sessions.begin, self._clock()
            kept.append(await asyncio.to_thread(begin, owner, plan, now=now, native=begun))

        await native.begin(upload, plan, keep)
        return kept[0]

    async def _pass_on(
        self, begun: Native, room: Room | None, id: str, segment: Announced, body: ByteStream
    ) -> None:
        if room is None:
            raise ValueError("The storage has the segments of this upload; its room is needed.")
        tag = await native.put(begun, room.provider, segment, body)
        await unbroken(asyncio.to_thread(self._sessions.note, id, segment.number, tag))

    async def _kept(self, owner: str, id: str) -> Kept:
        return await asyncio.to_thread(self._sessions.get, owner, id, now=self._clock(), keep=True)

    def _opened(self, kept: Kept, expected: Expected) -> ByteStream:
        if kept.native is not None:
            raise ValueError("The storage has the segments of this upload; use `finish`.")
        session = kept.session
        sha256 = expected.checked(session.plan)
        check_complete([item.segment.number for item in kept.stored if item.tag is None])
        return self._whole(session.id, kept.stored, session.plan.size, sha256)

    async def _take(self, owner: str, id: str, segment: Announced, body: ByteStream) -> None:
        name = f"{segment.number}-{secrets.token_hex(8)}"
        file = SegmentFile(self._spool / id / name)
        now = self._clock()
        try:
            await unbroken(
                asyncio.to_thread(self._sessions.reserve, owner, id, name, segment.size, now=now)
            )
            await unbroken(asyncio.to_thread(file.open))
            await receive(file, segment, body)
            await unbroken(asyncio.to_thread(self._keep, id, segment.number, name, file))
        except GeneratorExit:
            # The event loop is gone and nothing can be awaited; a sweep finds the file.
            file.close()
            raise
        except BaseException:
            await unbroken(asyncio.to_thread(self._drop, id, segment.number, name, file))
            raise

    def _keep(self, id: str, number: int, name: str, file: SegmentFile) -> None:
        replaced = self._sessions.keep(id, number, name)
        file.close()
        if replaced is not None:
            files.remove(self._spool / id / replaced)

    def _drop(self, id: str, number: int, name: str, file: SegmentFile) -> None:
        try:
            if self._sessions.forget(id, number, name):
                files.remove(self._spool / id / name)
        except WaterButlerError as error:
            _log.warning("segment left behind", reason=error.message)
        finally:
            file.close()

    async def _end(self, owner: str, id: str, now: float | None) -> None:
        await asyncio.to_thread(self._sessions.end, owner, id, now=now)
        await asyncio.to_thread(files.remove_all, self._spool / id)

    def _whole(
        self, id: str, stored: Sequence[Stored], size: int, sha256: str | None
    ) -> ByteStream:
        def again() -> ByteStream:
            return self._whole(id, stored, size, sha256)

        return ByteStream(chunks(self._spool / id, stored, sha256), size=size, replay=again)

    async def _keep_sweeping(self) -> None:
        while True:
            try:
                count = await self.sweep()
            except (WaterButlerError, OSError) as error:
                _log.warning("segments not swept", reason=str(error))
            else:
                if count:
                    _log.info("segments swept", count=count)
            await asyncio.sleep(self._look)

    async def _tidy(self) -> None:
        untidy = await asyncio.to_thread(self._sessions.untidy)
        if not untidy:
            return
        for use in self._storages:
            try:
                async with use() as provider:
                    if provider.info.root in untidy:
                        await native.tidy(self._sessions, provider, _SWEPT_AT_ONCE)
            except WaterButlerError as error:
                _log.warning("storage not swept", reason=error.message)

    def _sweep(self) -> int:
        now = self._clock()
        expired = self._sessions.expire(now=now)
        for writing in self._sessions.writing(before=now - _BEGINNING):
            if files.is_abandoned(self._spool / writing.session / writing.file):
                self._sessions.release(writing.file)
        # The files first: what was there before and is known afterwards was always known.
        there = files.stored(self._spool)
        known = self._sessions.known(there)
        count = len(expired)
        for id, names in there.items():
            if id not in known:
                files.remove_all(self._spool / id)
                count += id not in expired
                continue
            for name in set(names) - known[id]:
                files.remove(self._spool / id / name)
                count += 1
        return count
