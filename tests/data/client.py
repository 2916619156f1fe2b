"""A client of v1 that speaks of paths, whether the storage addresses by path or by id."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.data.model import ROOT, inside, name_of, parent_of
from tests.harness import ALICE, Connection, LiveServer, Reply

RECEIVE_BUFFER = 1 << 16
"""Bytes that a slow reader's side holds, so that the server cannot send everything ahead."""


@dataclass(frozen=True)
class Seen:
    """What a listing shows of something."""

    wire: str
    size: int | None
    etag: str
    hashes: Mapping[str, str]


class Files:
    """One folder of a mount, which the client sees as its root.

    Args:
        server: The server.
        mount: The mount's name.
        wire: The folder, as URLs name it.
    """

    def __init__(self, server: LiveServer, mount: str, wire: str = ROOT) -> None:
        self.server = server
        self.base = f"/v1/resources/guid0/providers/{mount}"
        self.mount = mount
        self.wire = wire
        self.seen: dict[str, Seen] = {}

    # -- addresses -------------------------------------------------------------------------

    def url(self, path: str) -> str:
        """The address of something that the last `look` has seen."""
        wire = self.wire if path == ROOT else self.seen[path].wire
        return self.base + quote(wire)

    def new(self, path: str) -> str:
        """The address that makes something."""
        kind = "folder" if path.endswith("/") else "file"
        return f"{self.url(parent_of(path))}?kind={kind}&name={quote(name_of(path), safe='')}"

    def wire_of(self, path: str) -> str:
        return self.wire if path == ROOT else self.seen[path].wire

    async def look(self) -> dict[str, Seen]:
        """List everything; each name must come once."""
        found: dict[str, Seen] = {}
        waiting = [ROOT]
        while waiting:
            folder = waiting.pop()
            for entry in await self.list(folder, found):
                attributes = entry["attributes"]
                path = inside(folder, attributes["name"], entry["attributes"]["path"])
                assert path not in found, f"{path} is listed twice"
                found[path] = Seen(
                    attributes["path"],
                    attributes["size"],
                    attributes["etag"],
                    attributes["extra"].get("hashes", {}),
                )
                if path.endswith("/"):
                    waiting.append(path)
        self.seen = found
        return found

    async def list(self, folder: str, known: Mapping[str, Seen] | None = None) -> list[Any]:
        seen = self.seen if known is None else known
        wire = self.wire if folder == ROOT else seen[folder].wire
        reply = await self.server.get(self.base + quote(wire))
        assert reply.status == 200, (folder, reply.body)
        return reply.data

    async def pages(self, folder: str, size: int) -> Any:
        """The names in a folder, page by page."""
        target = f"{self.url(folder)}?page[size]={size}"
        while target:
            reply = await self.server.get(target)
            assert reply.status == 200, reply.body
            yield [entry["attributes"]["name"] for entry in reply.data]
            following = reply.json["links"]["next"]
            target = following.removeprefix(self.server.url) if following else None

    # -- operations ------------------------------------------------------------------------

    async def read(self, path: str) -> bytes:
        reply = await self.server.get(f"{self.url(path)}?direct=")
        assert reply.status == 200, reply.body
        assert reply.whole
        return reply.body

    async def versions(self, path: str) -> list[bytes]:
        """The content of every version, the oldest first."""
        reply = await self.server.get(f"{self.url(path)}?versions=")
        assert reply.status == 200, reply.body
        found = []
        for version in reversed(reply.data):
            read = await self.server.get(f"{self.url(path)}?direct=&version={version['id']}")
            assert read.status == 200
            assert read.whole
            found.append(read.body)
        return found

    async def create(
        self, path: str, data: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """A new file or folder."""
        return await self.server.put(self.new(path), data, headers)

    async def replace(
        self, path: str, data: bytes, headers: Mapping[str, str] | None = None
    ) -> Reply:
        return await self.server.put(self.url(path), data, headers)

    async def delete(self, path: str) -> Reply:
        return await self.server.delete(self.url(path))

    async def transfer(self, action: str, at: str, folder: str, name: str, conflict: str) -> Reply:
        document: dict[str, str] = {"action": action, "rename": name, "conflict": conflict}
        if action != "rename":
            document["path"] = self.wire_of(folder)
        return await self.server.post(self.url(at), document)

    # -- halves of operations --------------------------------------------------------------

    async def begin_upload(self, target: str, data: bytes, sent: int) -> Connection:
        """A connection on which the first bytes of an upload were sent."""
        connection = await self.server.connect()
        await connection.start("PUT", target, {**ALICE, "Content-Length": str(len(data))})
        await connection.send(data[:sent])
        return connection

    async def end_upload(self, connection: Connection, data: bytes, sent: int) -> Reply:
        await connection.send(data[sent:])
        reply = await connection.receive("PUT")
        await connection.close()
        return reply

    async def begin_download(self, target: str) -> Connection:
        """A connection on which an answer has begun, and is not read on."""
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        reader.setblocking(False)
        await asyncio.get_running_loop().sock_connect(reader, ("127.0.0.1", self.server.port))
        streams = await asyncio.open_connection(sock=reader, limit=RECEIVE_BUFFER)
        connection = Connection(*streams)
        await connection.start("GET", target, {**ALICE, "Connection": "close"})
        while not connection.reader._buffer:
            await asyncio.sleep(0.001)
        return connection


def document(reply: Reply) -> Any:
    """The JSON of an answer, whatever its status."""
    return json.loads(reply.body)
