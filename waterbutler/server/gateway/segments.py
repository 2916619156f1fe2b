"""Uploads in segments."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

from waterbutler.core import JSON, Action, ByteStream
from waterbutler.core.errors import InvalidRequest, NotFound, TooLarge, WaterButlerError
from waterbutler.segments import Announced, Expected, Received, UploadPlan, UploadSession
from waterbutler.server.gateway.base import GatewayHandler
from waterbutler.server.gateway.documented import DocumentHandler
from waterbutler.server.gateway.documents import Document, header_document, wanted_name
from waterbutler.server.gateway.ids import encode
from waterbutler.server.gateway.vocabulary import SEGMENT_HEADER, Operation
from waterbutler.server.incoming import Incoming
from waterbutler.server.receive import interrupted
from waterbutler.service import always

UPLOAD, SEGMENT = "gateway.upload", "gateway.upload.segment"
ID, COOKIE, EXPIRATION = f"{UPLOAD}.id", f"{UPLOAD}.cookie", f"{UPLOAD}.expiration"
NUMBER, SIZE, SHA256 = f"{SEGMENT}.number", f"{SEGMENT}.size", f"{SEGMENT}.sha256"
SEGMENT_COOKIE = f"{SEGMENT}.cookie"
"""Cookies are for servers that keep nothing: this one gives them out and never reads them."""

MAX_DOCUMENT = 1 << 22
"""Enough for 10,000 segments with everything that is said of them."""


class SegmentsHandler(DocumentHandler):
    """The beginning and the end of an upload in segments."""

    max_document = MAX_DOCUMENT

    async def serve(self) -> None:
        """Do what is asked for."""
        if self.operation is Operation.CANCEL:
            await self._cancel()
        elif self.operation is Operation.BEGIN:
            await self._begin(self.document())
        else:
            await self._finish(self.document())

    # -- the beginning -------------------------------------------------------------------------

    async def _begin(self, document: Document) -> None:
        try:
            plan = self._plan(document)
            new = plan.name is not None
            async with self.visit(self.address(plan.target), _action(new=new)) as room:
                await self.require(room, folder=new)
                upload = await self.context.butler.begin_upload(room, plan.name, always)
                begun = await self.services.segments.begin(self.session.account, plan, upload)
        except NotFound as error:
            raise InvalidRequest("The parent, or the file to update, does not exist.") from error
        self.write_json(_shown(begun))

    def _plan(self, document: Document) -> UploadPlan:
        words = self.route.words
        size = document.count(words.size)
        if size is None:
            raise InvalidRequest(f"{words.size!r} is missing.")
        modified = document.moment(words.modified)
        if modified is None:
            raise InvalidRequest(f"{words.modified!r} is missing.")
        limit = self.context.options.max_upload_size
        if limit is not None and size > limit:
            raise TooLarge(f"This server takes files of at most {limit} bytes.")
        id, name = document.text(words.id), None
        if id is None:
            assert words.parent is not None
            id = document.text(words.parent) or ""
            name = wanted_name(document.required(words.name))
        assert words.sha256 is not None
        segments = _announced(document.array(SEGMENT))
        sha256 = document.sha256(words.sha256)
        return UploadPlan(encode(self.address(id)), name, size, sha256, segments, modified)

    # -- the end -------------------------------------------------------------------------------

    async def _finish(self, document: Document) -> None:
        uploads, owner, butler = self.services.segments, self.session.account, self.context.butler
        id = document.required(ID)
        expected = self._expected(document)
        modified = document.moment(self.route.words.modified)
        begun = await self._begun(id)
        self._compare(begun.plan, document)
        new = begun.plan.name is not None
        async with self.visit(self.target, _action(new=new)) as room:
            await self.require(room, folder=new)
            upload = await butler.begin_upload(
                room, begun.plan.name, always, modified=modified or begun.plan.modified
            )
            try:
                entry = await uploads.finish(owner, id, expected, butler, upload)
            except NotFound:
                # It is the upload that is gone, or the folder.
                await self._begun(id)
                raise
            self.note("create" if upload.created else "update", room, self.item(room, entry))
            self.write_json(self.shown(room, entry))

    async def _begun(self, id: str) -> UploadSession:
        try:
            return await self.services.segments.get(self.session.account, id)
        except NotFound:
            raise InvalidRequest("There is no such upload; it may have expired.") from None

    def _expected(self, document: Document) -> Expected:
        words = self.route.words
        assert words.sha256 is not None
        return Expected(
            document.count(words.size),
            document.sha256(words.sha256),
            _announced(document.array(SEGMENT)) if SEGMENT in document else None,
        )

    def _compare(self, plan: UploadPlan, document: Document) -> None:
        """Refuse to finish another upload than the one that has begun.

        Raises:
            InvalidRequest: It is a file instead of a folder, another place, or another name.
        """
        new = self.operation is Operation.FINISH_UPLOAD
        if new != (plan.name is not None) or plan.target != encode(self.target):
            raise InvalidRequest("The upload was begun for something else.")
        name = document.text(self.route.words.name)
        if new and name not in {None, plan.name}:
            raise InvalidRequest("The upload was begun with another name.")

    # -- or not at all -------------------------------------------------------------------------

    async def _cancel(self) -> None:
        """Forget the upload, also if its storage cannot be entered now."""
        uploads, owner, id = self.services.segments, self.session.account, self.route.id
        begun = await uploads.get(owner, id)
        async with AsyncExitStack() as entered:
            room = None
            with suppress(WaterButlerError):
                visit = self.visit(self.address(begun.plan.target), _action_of(begun))
                room = await entered.enter_async_context(visit)
            await uploads.cancel(owner, id, room)
        self.write_json({})


class SegmentHandler(GatewayHandler):
    """One segment of an upload; it goes where nobody sees it before the upload is finished."""

    _incoming: Incoming[Received] | None = None
    _said: Document

    async def begin(self) -> None:
        """Decide whether the segment is wanted, and start keeping it."""
        await super().begin()
        self._said = header_document(self.request.headers, (SEGMENT_HEADER,))
        number = self._said.count(NUMBER)
        if not number:
            raise InvalidRequest(f"{NUMBER!r} must be 1 or more.")
        self._number = number
        self._incoming = Incoming(self._take, self.declared_size if self.declared_body else 0)
        await self._incoming.start()

    async def receive(self, chunk: bytes) -> None:
        """Hand over a chunk."""
        if self._incoming is not None:
            await self._incoming.feed(chunk)

    async def serve(self) -> None:
        """The segment is complete."""
        assert self._incoming is not None
        received = await self._incoming.finish()
        shown = _shown_segment(self.route.id, received)
        self.write_json({ID: self.route.id, **shown, COOKIE: self.route.id})

    def refused(self) -> None:
        """Nobody waits for the rest of the segment."""
        if self._incoming is not None:
            self._incoming.give_up(interrupted())

    def on_connection_close(self) -> None:
        """The client went away: nothing of the segment stays."""
        super().on_connection_close()
        self.refused()

    def on_finish(self) -> None:
        """Nothing goes on after the answer."""
        super().on_finish()
        self.refused()

    async def _take(self, body: ByteStream, ready: Callable[[], None]) -> Received:
        uploads, owner, id = self.services.segments, self.session.account, self.route.id
        size, sha256 = self._said.count(SIZE), self._said.sha256(SHA256)
        with self.context.state.working():
            begun = await uploads.get(owner, id)
            async with self.visit(self.address(begun.plan.target), _action_of(begun)) as room:
                ready()
                return await uploads.put(
                    owner, id, self._number, body, size=size, sha256=sha256, room=room
                )


def _action(*, new: bool) -> Action:
    return Action.CREATE_FILE if new else Action.UPDATE_FILE


def _action_of(begun: UploadSession) -> Action:
    return _action(new=begun.plan.name is not None)


def _announced(segments: list[Any]) -> list[Announced]:
    found = []
    for segment in segments:
        said = Document.of(segment)
        number, size, sha256 = said.count(NUMBER), said.count(SIZE), said.sha256(SHA256)
        if not number or size is None or sha256 is None:
            raise InvalidRequest("A segment needs its number, its size and its SHA-256.")
        found.append(Announced(number, size, sha256))
    return found


def _shown(begun: UploadSession) -> dict[str, JSON]:
    segments: list[JSON] = [_shown_segment(begun.id, segment) for segment in begun.plan.segments]
    return {
        ID: begun.id,
        SEGMENT: segments,
        COOKIE: begun.id,
        EXPIRATION: begun.expires_ms,
    }


def _shown_segment(id: str, segment: Announced | Received) -> dict[str, JSON]:
    return {
        NUMBER: segment.number,
        SIZE: segment.size,
        SHA256: segment.sha256,
        SEGMENT_COOKIE: f"{id}.{segment.number}",
    }
