"""Downloads and thumbnails."""

from __future__ import annotations

from waterbutler.core import Action, Content, Entry
from waterbutler.core.errors import Forbidden, InvalidRequest
from waterbutler.server.disposition import DEFAULT_TYPE
from waterbutler.server.gateway.base import GatewayHandler
from waterbutler.server.gateway.ids import encode
from waterbutler.server.gateway.render import etag_of
from waterbutler.server.gateway.session import inside
from waterbutler.server.gateway.vocabulary import Operation
from waterbutler.server.respond import FileHandler
from waterbutler.service import Room


class ContentHandler(FileHandler, GatewayHandler):
    """``…file`` and ``…file_thumbnail``."""

    def etag_of(self, entry: Entry) -> str:
        """See `FileHandler.etag_of`: the same as in metadata."""
        return etag_of(entry)

    def file_headers(self, name: str, entry: Entry) -> None:
        """See `FileHandler.file_headers`; all files are bytes and nothing else here."""
        super().file_headers(name, entry)
        self.set_header("Content-Type", DEFAULT_TYPE)

    async def serve(self) -> None:
        """Send the file, or a small picture of it."""
        if self.target.is_virtual:
            await inside(self.context, self.target, self.who)
            raise self._no_file()
        thumbnail = self.operation is Operation.THUMBNAIL
        action = Action.RENDER if thumbnail else Action.DOWNLOAD
        if self.target.is_folder:
            action = Action.METADATA
        async with self.visit(self.target, action) as room:
            if self.target.is_folder:
                await self.context.butler.describe(room)
                raise self._no_file()
            if thumbnail:
                await self._send_thumbnail(room)
            elif self.request.method == "HEAD":
                await self._head(room)
            else:
                self.note("download_file", room, self.item(room))
                await self.send_download(room, room.path.name, direct=True)

    async def _head(self, room: Room) -> None:
        entry = await self.context.butler.describe(room)
        if self.answered_by_condition(entry):
            return
        self.file_headers(room.path.name, entry)
        if entry.size is not None:
            self.set_header("Content-Length", str(entry.size))
        await self.flush()
        self.finish()

    async def _send_thumbnail(self, room: Room) -> None:
        entry = await self.context.butler.describe(room)
        thumbnails = self.services.thumbnails

        async def open_file() -> Content:
            return await self.context.butler.open(room)

        # Every picture is looked up under its own place and state, after the rights to it.
        key = f"{encode(self.target)}:{etag_of(entry)}"
        found = await thumbnails.get(key, open_file)
        if found is None:
            raise Forbidden("There is no thumbnail of this file.")
        self.validators(entry)
        self.set_header("Content-Type", found.media_type)
        self.write(found.data)
        self.sent += len(found.data)

    def _no_file(self) -> Forbidden | InvalidRequest:
        if self.operation is Operation.THUMBNAIL:
            return Forbidden("There is no thumbnail of a folder.")
        return InvalidRequest("This is a folder; only files can be downloaded.")
