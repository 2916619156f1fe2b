"""The handlers of v0."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import msgspec

from waterbutler.core import Action, Entry, Identity
from waterbutler.server.base import JSON_TYPE
from waterbutler.server.changes import RemovingHandler, TransferHandler
from waterbutler.server.documents import Transfer
from waterbutler.server.query import Query
from waterbutler.server.respond import FileHandler
from waterbutler.server.rooms import RoomHandler
from waterbutler.server.uploads import BodyHandler
from waterbutler.server.v0.commands import (
    Ops,
    check_file,
    check_new_folder,
    parse_ops,
    parse_target,
    stays_here,
)
from waterbutler.server.v0.render import FlatRenderer
from waterbutler.server.v1.commands import Target, confirms, version_of
from waterbutler.server.v1.render import Renderer
from waterbutler.service import Room

DEPRECATED = "@1483228800"
"""Since when v0 is deprecated: the start of 2017, as RFC 9745 writes a time."""

FILE_METHODS = ("GET", "PUT", "POST", "DELETE")


class V0Handler(RoomHandler):
    """A handler of v0; every answer says that there is something newer."""

    dialect = "v0"
    methods: ClassVar[tuple[str, ...]] = ("GET",)
    renderer = FlatRenderer

    def set_default_headers(self) -> None:
        """See `Handler.set_default_headers`."""
        super().set_default_headers()
        self.set_header("Deprecation", DEPRECATED)
        about = f"{self.context.options.domain}/openapi.json"
        self.set_header("Link", f'<{about}>; rel="deprecation"; type="application/json"')


class TargetHandler(V0Handler):
    """A handler whose parameters name a file or folder."""

    target: Target

    async def begin(self) -> None:
        """Read the parameters."""
        self.target = parse_target(self.request.uri or "")
        self.query = self.target.query

    @asynccontextmanager
    async def reading(
        self, action: Action, successor: str = "", *, version: str | None = None
    ) -> AsyncIterator[tuple[Room, Renderer]]:
        """Enter the place that the parameters name, and tell what it is called in v1.

        Args:
            action: What must be allowed.
            successor: What stands behind the path in v1's URL.
            version: Which version of a file will be looked at.
        """
        self.action = action.value
        place = self.target.place
        async with self.context.butler.enter(place, action, self.who, version=version) as room:
            renderer = self.enter(room, action)
            url = renderer.url(room.path) + successor
            self.add_header("Link", f'<{url}>; rel="successor-version"')
            yield room, renderer


class DownloadHandler(FileHandler, TargetHandler):
    """GET of a file."""

    methods = FILE_METHODS

    async def begin(self) -> None:
        """Refuse what is no file, and words that mean nothing."""
        await super().begin()
        check_file(self.target.place.path)
        self._direct = stays_here(self.query)

    async def serve(self) -> None:
        """Send the file, a part of it, or the client to where its storage has it."""
        query, version = self.query, version_of(self.query)
        async with self.reading(Action.DOWNLOAD, version=version) as (room, renderer):
            name = query.get("displayName") or room.path.name
            item = renderer.item(room.path)
            self.note("download_file", room, item, version=version)
            await self.send_download(room, name, version=version, direct=self._direct)

    def etag_of(self, entry: Entry) -> str | None:
        """See `FileHandler.etag_of`."""
        assert self._renderer is not None
        return self._renderer.etag(entry)


class UploadHandler(BodyHandler, TargetHandler):
    """PUT of a file, whether or not it is there."""

    methods = FILE_METHODS

    async def begin(self) -> None:
        """Decide whether the body is wanted, and start storing it."""
        await super().begin()
        place = self.target.place
        check_file(place.path)
        self.action = Action.CREATE_FILE.value
        await self.take(place, Action.CREATE_FILE, self.context.butler.begin_overwrite)

    async def serve(self) -> None:
        """The body is complete: answer with what is there now."""
        await self.answer_stored()


class FolderHandler(TargetHandler):
    """POST of a folder that is not there yet."""

    methods = FILE_METHODS

    async def begin(self) -> None:
        """Refuse what cannot become a folder."""
        await super().begin()
        check_new_folder(self.target.place.path, body=self.declared_body)
        self.action = Action.CREATE_FOLDER.value

    async def serve(self) -> None:
        """Make it."""
        place, action = self.target.place, Action.CREATE_FOLDER
        async with self.context.butler.enter(place, action, self.who) as room:
            await self.make_folder(room.above, room.path.name)


class DeleteHandler(RemovingHandler, TargetHandler):
    """DELETE of a file or folder."""

    methods = FILE_METHODS

    async def serve(self) -> None:
        """Delete it, or empty a root if that was confirmed."""
        await self.remove(self.target.place, confirmed=confirms(self.query))


class DataHandler(TargetHandler):
    """What a file is, or what is in a folder."""

    async def serve(self) -> None:
        """Describe the file, or list the folder."""
        butler, version = self.context.butler, version_of(self.query)
        folder = self.target.place.path.is_folder
        successor = "" if folder else "?meta="
        async with self.reading(Action.METADATA, successor, version=version) as (room, renderer):
            if folder:
                self.set_header("Content-Type", JSON_TYPE)
                await self.send_array(butler.list(room), renderer.encoded)
            else:
                entry = await butler.describe(room, version=version)
                self.write_json({"data": renderer.entry(entry)})


class RevisionsHandler(TargetHandler):
    """The versions of a file."""

    async def begin(self) -> None:
        """Refuse what is no file."""
        await super().begin()
        check_file(self.target.place.path)

    async def serve(self) -> None:
        """List them, newest first."""
        async with self.reading(Action.REVISIONS, "?versions=") as (room, renderer):
            self.set_header("Content-Type", JSON_TYPE)
            await self.send_array(
                self.context.butler.versions(room),
                lambda version: msgspec.json.encode(renderer.version(version)),
            )


class ZipHandler(FileHandler, TargetHandler):
    """A folder, or a single file, as an archive."""

    async def serve(self) -> None:
        """Send it while it is made."""
        successor = "?zip=" if self.target.place.path.is_folder else ""
        async with self.reading(Action.ZIP, successor) as (room, renderer):
            self.note("download_zip", room, renderer.item(room.path))
            await self.send_archive(room)


class OpsHandler(TransferHandler, V0Handler):
    """Base of copies and moves, whose document names both ends."""

    methods = ("POST",)
    operation: ClassVar[str]
    _ops: Ops

    async def begin(self) -> None:
        """Read the parameters, which only say who asks."""
        self.query = Query((self.request.uri or "").partition("?")[2])
        await super().begin()

    def parse(self, body: bytes) -> Transfer:
        """See `TransferHandler.parse`."""
        self._ops = parse_ops(self.operation, body)
        return self._ops.transfer

    def identities(self) -> tuple[Identity, Identity]:
        """See `TransferHandler.identities`; each end may bring a session cookie of its own."""
        who, ops = self.who, self._ops
        here, there = ops.source_cookie or who.cookie, ops.destination_cookie or who.cookie
        return msgspec.structs.replace(who, cookie=here), msgspec.structs.replace(who, cookie=there)


class CopyHandler(OpsHandler):
    """Copies."""

    operation = "copy"


class MoveHandler(OpsHandler):
    """Moves."""

    operation = "move"


ROUTES: tuple[tuple[str, tuple[str, ...], type[V0Handler]], ...] = (
    ("/file", ("PUT",), UploadHandler),
    ("/file", ("POST",), FolderHandler),
    ("/file", ("DELETE",), DeleteHandler),
    ("/file", (), DownloadHandler),
    ("/data", (), DataHandler),
    ("/revisions", (), RevisionsHandler),
    ("/zip", (), ZipHandler),
    ("/ops/copy", (), CopyHandler),
    ("/ops/move", (), MoveHandler),
)
"""Each path with its methods, where they have different handlers, in the order to ask."""
