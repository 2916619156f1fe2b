"""GET and HEAD."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import msgspec

from waterbutler.core import Entry
from waterbutler.server import paging
from waterbutler.server.base import JSON_TYPE
from waterbutler.server.respond import FileHandler
from waterbutler.server.v1.commands import (
    MFR_ACTION,
    Read,
    parse_head,
    parse_read,
    version_of,
)
from waterbutler.server.v1.handlers import V1Handler
from waterbutler.server.v1.render import Renderer, encode_path
from waterbutler.service import Room


class ReadHandler(FileHandler, V1Handler):
    """Downloads, descriptions, listings, versions and archives."""

    _render: Renderer

    def etag_of(self, entry: Entry) -> str | None:
        """See `FileHandler.etag_of`."""
        return self._render.etag(entry)

    async def serve(self) -> None:
        """Find out what is wanted, and answer it."""
        query = self.target.query
        head = self.request.method == "HEAD"
        read = Read.DESCRIBE if head else parse_read(self.target)
        action = parse_head(self.request.headers.get(MFR_ACTION)) if head else read.action
        self.action = action.value
        place, version = self.target.place, version_of(query)
        async with self.context.butler.enter(place, action, self.who, version=version) as room:
            self._render = self.enter(room, action)
            if head:
                await self._head(room, version)
            elif read is Read.LIST:
                await self._list(room)
            elif read is Read.ZIP:
                self.note("download_zip", room, self._render.item(room.path))
                await self.send_archive(room)
            elif read is Read.DESCRIBE:
                entry = await self.context.butler.describe(room, version=version)
                self.write_json(self._render.document(entry))
            elif read is Read.VERSIONS:
                await self._versions(room)
            else:
                name = query.get("displayName") or room.path.name
                direct = "direct" in query
                self.note("download_file", room, self._render.item(room.path), version=version)
                await self.send_download(room, name, version=version, direct=direct)

    async def _head(self, room: Room, version: str | None) -> None:
        entry = await self.context.butler.describe(room, version=version)
        document = self._render.entry(entry)
        if entry.is_folder:
            if "zip" in self.target.query:
                self.archive_headers(room)
            else:
                self.set_header("Content-Type", JSON_TYPE)
            self.set_header("X-Waterbutler-Metadata", ascii_json(document))
        else:
            if self.answered_by_condition(entry):
                return
            self.file_headers(self.target.query.get("displayName") or entry.name, entry)
            self.set_header("X-Waterbutler-Metadata", ascii_json(document))
            if entry.size is not None:
                self.set_header("Content-Length", str(entry.size))
        await self.flush()
        self.finish()

    async def _versions(self, room: Room) -> None:
        self.set_header("Content-Type", JSON_TYPE)
        render, encode = self._render.version, msgspec.json.encode
        await self.send_array(self.context.butler.versions(room), lambda item: encode(render(item)))

    async def _list(self, room: Room) -> None:
        self.set_header("Content-Type", JSON_TYPE)
        butler, encoded = self.context.butler, self._render.encoded
        asked = paging.parse_paging(self.target.query)
        if asked is None:
            entries = butler.list(room)
        elif asked.size is None:
            entries = paging.in_order(lambda: butler.list(room), asked)
        else:
            await self._page(room, asked, asked.size)
            return
        await self.send_array(entries, encoded)

    async def _page(self, room: Room, asked: paging.Paging, size: int) -> None:
        entries = await paging.page(lambda: self.context.butler.list(room), asked, size + 1)
        following = None
        if len(entries) > size:
            entries = entries[:size]
            parameters = {"page[size]": str(size), "page[after]": asked.cursor(entries[-1])}
            if asked.sorted:
                parameters["sort"] = asked.order
            place = room.place
            following = (
                f"{self.context.options.domain}/v1/resources/{place.resource}"
                f"/providers/{place.mount}{encode_path(place.path)}?{urlencode(parameters)}"
            )
        data = [msgspec.Raw(self._render.encoded(entry)) for entry in entries]
        self.write_json({"data": data, "links": {"next": following}})


def ascii_json(document: object) -> str:
    """JSON that fits into a header: every other character is escaped."""
    return json.dumps(document).replace("\x7f", "\\u007f")
