"""GET and HEAD."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import urlencode

import msgspec

from waterbutler.core import ByteRange, Content, Entry
from waterbutler.server.base import JSON_TYPE
from waterbutler.server.disposition import attachment
from waterbutler.server.respond import FileHandler
from waterbutler.server.v1 import paging
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

LINK_LIFETIME = timedelta(minutes=5)


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
                await self._zip(room)
            elif read is Read.DESCRIBE:
                entry = await self.context.butler.describe(room, version=version)
                self.write_json({"data": self._render.entry(entry)})
            elif read is Read.VERSIONS:
                await self._versions(room)
            else:
                await self._download(room, version)

    async def _download(self, room: Room, version: str | None) -> None:
        butler, query = self.context.butler, self.target.query
        display = query.get("displayName") or None
        if self._may_redirect(room) and "direct" not in query:
            link = await butler.sign(
                room, version=version, filename=display or room.path.name, expires=LINK_LIFETIME
            )
            self.set_status(302)
            self.set_header("Location", link)
            return

        async def open_file(range: ByteRange | None) -> Content:
            return await butler.open(room, range=range, version=version)

        async def describe() -> Entry:
            return await butler.describe(room, version=version)

        await self.send_file(display or room.path.name, open_file, describe)

    def _may_redirect(self, room: Room) -> bool:
        wanted = room.grant.redirect
        if wanted is None:
            wanted = self.context.options.redirect_downloads
        return wanted and room.provider.capabilities.sign

    async def _head(self, room: Room, version: str | None) -> None:
        entry = await self.context.butler.describe(room, version=version)
        document = self._render.entry(entry)
        if entry.is_folder:
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
        await self.finish()

    async def _versions(self, room: Room) -> None:
        self.set_header("Content-Type", JSON_TYPE)
        versions = self.context.butler.versions(room)
        encode = msgspec.json.encode
        await self.send_array(encode(self._render.version(v)) async for v in versions)

    async def _zip(self, room: Room) -> None:
        name = f"{room.path.name}.zip" if room.path.names else f"{room.place.mount}-archive.zip"
        body = await self.context.butler.zip(room)
        async with body:
            self.set_header("Content-Type", "application/zip")
            self.set_header("Content-Disposition", attachment(name))
            await self.send_stream(body)

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
        await self.send_array(encoded(entry) async for entry in entries)

    async def _page(self, room: Room, asked: paging.Paging, size: int) -> None:
        entries = await paging.page(lambda: self.context.butler.list(room), asked, size + 1)
        following = None
        if len(entries) > size:
            entries = entries[:size]
            parameters = {"page[size]": str(size), "page[after]": asked.cursor(entries[-1])}
            if asked.sorted:
                parameters["sort"] = ("-" if asked.descending else "") + asked.field
            place = room.place
            following = (
                f"{self.context.options.domain}/v1/resources/{place.resource}"
                f"/providers/{place.mount}{encode_path(place.path)}?{urlencode(parameters)}"
            )
        data = [self._render.entry(entry) for entry in entries]
        self.write_json({"data": data, "links": {"next": following}})


def ascii_json(document: object) -> str:
    """JSON that fits into a header: every other character is escaped."""
    return json.dumps(document)
