"""A whole server that asks a fake OSF-like host for everything, and clients of it."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tornado.netutil import bind_sockets

from tests.fakes.osf_host import HMAC_SECRET, FakeHost
from tests.harness import Connection, Reply
from waterbutler.assembly import Assembly, assemble
from waterbutler.settings import (
    AuthSettings,
    MountSettings,
    OsfSettings,
    OutboundSettings,
    ResourceSettings,
    ServerSettings,
    Settings,
)

BASE = "/v1/resources/guid0/providers/osfstorage"
OTHER = "/v1/resources/guid1/providers/osfstorage"


@dataclass
class OsfServer:
    """The server; `start` it in the loop of the test."""

    host: FakeHost
    data: Path
    handlers: list[str] = field(default_factory=lambda: ["osf"])
    origins: list[str] = field(default_factory=lambda: ["*"])
    outbound: OutboundSettings = field(default_factory=OutboundSettings)

    async def start(self) -> OsfServer:
        (listening,) = bind_sockets(0, "127.0.0.1", family=socket.AF_INET)
        self.port = listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.host.storage = {
            "provider": "filesystem",
            "folder": str(self.data / "blobs"),
            "create": True,
        }
        self.assembly = self.assemble()
        self.assembly.server.add_sockets([listening])
        return self

    def assemble(self) -> Assembly:
        osf = OsfSettings(
            url=self.host.auth_url,
            jwe_secret="jwe secret",
            jwe_salt="jwe salt",
            jwt_secret="jwt secret",
            hmac_secret=HMAC_SECRET,
        )
        settings = Settings(
            server=ServerSettings(data=str(self.data), cors_origins=self.origins),
            auth=AuthSettings(handlers=self.handlers, osf=osf),
            resources={"own": self.own_resource()},
            outbound=self.outbound,
        )
        return assemble(settings, url=self.url)

    def own_resource(self) -> ResourceSettings:
        """A resource of this server's own, for the handler ``static``."""
        files = MountSettings(
            provider="filesystem", settings={"folder": str(self.data / "own"), "create": True}
        )
        return ResourceSettings(access={"anonymous": "read"}, providers={"files": files})

    async def stop(self) -> None:
        self.assembly.server.stop()
        await self.assembly.aclose()

    async def request(
        self,
        method: str,
        target: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        given = {"Authorization": "Bearer token", "User-Agent": "probe/1", **(headers or {})}
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        connection = Connection(reader, writer)
        try:
            return await connection.request(method, target, given, body)
        finally:
            await connection.close()

    async def post(self, target: str, document: Any, base: str = BASE) -> Reply:
        return await self.request("POST", base + target, body=json.dumps(document).encode())

    async def put(self, target: str, body: bytes = b"data", base: str = BASE) -> Reply:
        return await self.request("PUT", base + target, body=body)

    async def upload(self, name: str, body: bytes = b"data", base: str = BASE) -> str:
        """A new file in the root; its id."""
        reply = await self.put(f"/?kind=file&name={name}", body, base)
        assert reply.status == 201, reply.body
        return reply.data["attributes"]["path"].strip("/")

    async def folder(self, name: str, base: str = BASE) -> str:
        """A new folder in the root; its id."""
        reply = await self.put(f"/?kind=folder&name={name}", b"", base)
        assert reply.status == 201, reply.body
        return reply.data["attributes"]["path"].strip("/")

    async def logs(self, count: int) -> list[dict[str, Any]]:
        """What the host was told, when it is so much."""
        for _ in range(500):
            if len(self.host.logs) >= count:
                break
            await asyncio.sleep(0.01)
        assert len(self.host.logs) == count
        return self.host.logs
