"""Files that are sent as the body of a request, whatever the dialect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from waterbutler.core import Action, ByteStream, Entry
from waterbutler.core.errors import LengthRequired, TooLarge
from waterbutler.server import digests
from waterbutler.server.incoming import Incoming
from waterbutler.server.receive import interrupted
from waterbutler.server.rooms import RoomHandler
from waterbutler.service import Condition, Place, Room, Upload

Begin: TypeAlias = Callable[[Room, Condition], Awaitable[Upload]]
"""Decides about an upload to a room before its body is read."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that was stored; ``created`` is false if it replaced one."""

    entry: Entry
    created: bool


class BodyHandler(RoomHandler):
    """A handler whose body may be a file.

    The storage takes the body while it arrives. Everything that can refuse an upload is asked
    before the first byte is taken.
    """

    _incoming: Incoming[Stored] | None = None

    @property
    def chunked(self) -> bool:
        """Whether the body comes without a size."""
        return "Transfer-Encoding" in self.request.headers

    async def take(self, place: Place, action: Action, begin: Begin) -> None:
        """Start to store the body.

        Raises:
            LengthRequired: It comes with neither a size nor in chunks.
            TooLarge: It is larger than this server takes.
            WaterButlerError: Whatever the storage refuses it for.
        """
        size = None if self.chunked else self.declared_size
        if size is None and not self.chunked:
            raise LengthRequired("The Content-Length of the file is missing.")
        self._check_size(size or 0)
        promised = digests.expected(self.request.headers)
        store = partial(self._store, place, action, begin, promised)
        self._incoming = Incoming(store, size)
        await self._incoming.start()

    async def receive(self, chunk: bytes) -> None:
        """Hand a chunk to the storage."""
        self._check_size(self.received)
        if self._incoming is not None:
            await self._incoming.feed(chunk)

    async def answer_stored(self) -> None:
        """The body is complete: wait for the storage, and answer with the file."""
        assert self._incoming is not None
        stored = await self._incoming.finish()
        assert self._renderer is not None
        self.write_json(self._renderer.document(stored.entry), 201 if stored.created else 200)

    def refused(self) -> None:
        """The storage does not wait for a body that will not come."""
        if self._incoming is not None:
            self._incoming.give_up(interrupted())

    def on_connection_close(self) -> None:
        """The client went away: the storage is told, so that nothing of the body stays."""
        super().on_connection_close()
        self.refused()

    def on_finish(self) -> None:
        """Nothing goes on after the answer."""
        super().on_finish()
        self.refused()

    async def _store(
        self,
        place: Place,
        action: Action,
        begin: Begin,
        promised: dict[str, bytes],
        body: ByteStream,
        ready: Callable[[], None],
    ) -> Stored:
        butler = self.context.butler
        with self.context.state.working():
            async with butler.enter(place, action, self.who) as room:
                renderer = self.enter(room, action)
                condition = self.condition(renderer)
                upload = await begin(room, condition)
                ready()
                verified = digests.verified(body, promised)
                entry = await butler.finish_upload(upload, verified, condition)
                happened = "create" if upload.created else "update"
                self.note(happened, room, renderer.item(entry.path, entry))
                return Stored(entry, upload.created)

    def _check_size(self, size: int) -> None:
        limit = self.context.options.max_upload_size
        if limit is not None and size > limit:
            raise TooLarge(f"This server takes files of at most {limit} bytes.")
