"""A whole server on a free port, in the event loop of the test, and a client that adds nothing.

The server is the real one: routes, handlers, service, layers and static rights. Its storages are in
memory, each inside a `FlakyProvider` that counts calls and fails where a test says so.

Resource ``guid0`` has the storages ``memory``, ``other``, ``frozen`` (read-only for everybody);
``alice`` may write, ``bob`` may read, ``carol`` is known and may do nothing here, the key
``LINK_KEY`` gives the right to read. ``public`` may be read by anybody and written by ``alice``,
``wiki`` may be written by anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FsPath
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import structlog
from tornado.httputil import HTTPHeaders
from tornado.netutil import bind_sockets

from waterbutler.auth import Account, AuthChain, MountConfig, Resource, Sessions, StaticHandler
from waterbutler.auth.static import digest
from waterbutler.core import ByteStream, Entry, Path, Provider
from waterbutler.mounts import Mounts
from waterbutler.plugins import Context, Registry
from waterbutler.server.app import make_application, make_server
from waterbutler.server.context import GatewayServices, ServerContext, ServerOptions
from waterbutler.server.limits import Limits
from waterbutler.server.metrics import Metrics
from waterbutler.service import Butler
from waterbutler.testing.faults import FlakyProvider
from waterbutler.testing.memory import MemoryProvider

TOKENS = {"alice": "alice-token-71c2", "bob": "bob-token-93fe", "carol": "carol-token-5a08"}
LINK_KEY = "link-key-b6d1"
ALICE = {"Authorization": f"Bearer {TOKENS['alice']}"}
BOB = {"Authorization": f"Bearer {TOKENS['bob']}"}
CAROL = {"Authorization": f"Bearer {TOKENS['carol']}"}
NOBODY: dict[str, str] = {}

BASE = "/v1/resources/guid0/providers/memory"
OTHER = "/v1/resources/guid0/providers/other"
FROZEN = "/v1/resources/guid0/providers/frozen"

SMALL, LARGE = 1 << 10, 64 << 20
"""Sizes of bodies: below and far above what is read before a refusal is answered."""

_SESSION_KEY = b"only for tests, 32 bytes of it.."


@dataclass
class Reply:
    """An answer as it came.

    ``whole`` is whether its framing says that nothing is missing; ``raw`` is all of its bytes.
    """

    status: int
    headers: HTTPHeaders
    body: bytes
    whole: bool
    version: str = "HTTP/1.1"
    reason: str = ""

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"] == "application/json; charset=UTF-8", self.headers
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        return self.json["data"]

    @property
    def message(self) -> str:
        """The message of an error, which must have the shape that all errors have."""
        document = self.json
        assert document["code"] == self.status
        assert isinstance(document["message"], str)
        assert document["message"]
        return document["message"]


class Connection:
    """A client's end of a connection; sends exactly the bytes it is given."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @property
    def socket(self) -> socket.socket:
        return self.writer.get_extra_info("socket")

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def start(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        *,
        version: str = "HTTP/1.1",
    ) -> None:
        """Send the head of a request."""
        lines = [f"{method} {target} {version}"]
        given = {"Host": "127.0.0.1", **(headers or {})}
        lines += [f"{name}: {value}" for name, value in given.items() if value is not None]
        await self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        version: str = "HTTP/1.1",
    ) -> Reply:
        """Send a whole request and read the answer."""
        extra = {} if body is None else {"Content-Length": str(len(body))}
        await self.start(method, target, {**extra, **(headers or {})}, version=version)
        if body:
            await self.send(body)
        return await self.receive(method)

    async def receive(self, method: str = "GET", *, interim: bool = False) -> Reply:
        """Read an answer; those that only say to go on are skipped unless they are wanted."""
        while True:
            reply = await self._receive(method)
            if interim or reply.status >= 200:
                return reply

    async def _receive(self, method: str) -> Reply:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, _, rest = head.partition("\r\n")
        version, status, reason = line.split(" ", 2)
        headers = HTTPHeaders.parse(rest)
        reply = Reply(int(status), headers, b"", True, version, reason)
        if method == "HEAD" or reply.status in {204, 304} or reply.status < 200:
            return reply
        try:
            if headers.get("Transfer-Encoding") == "chunked":
                await self._chunks(reply)
            elif "Content-Length" in headers:
                reply.body = await self.reader.readexactly(int(headers["Content-Length"]))
            else:
                reply.body = await self.reader.read()
        except asyncio.IncompleteReadError as error:
            reply.body += error.partial
            reply.whole = False
        except ConnectionError:
            reply.whole = False
        return reply

    async def _chunks(self, reply: Reply) -> None:
        while True:
            size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
            reply.body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
            if size == 0:
                return

    async def ended(self) -> bool:
        """Whether the server closes the connection without another byte."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True

    def reset(self) -> None:
        """Leave without a word."""
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@dataclass
class LiveServer:
    """The server; see the module.

    Args:
        options: Changes of the server's options.
        storages: Storages in place of the usual ones, or further ones, of ``guid0``.
        mounts: Changes of the configuration of these mounts.
        handlers: Auth handlers to ask first.
    """

    options: dict[str, Any] = field(default_factory=dict)
    storages: dict[str, Provider] = field(default_factory=dict)
    mounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    data: FsPath = FsPath("/nonexistent")
    limits: Limits = field(default_factory=Limits)
    reasons: list[str] = field(default_factory=list)
    gateway: GatewayServices | None = None

    async def start(self) -> LiveServer:
        (listening,) = bind_sockets(0, "127.0.0.1", family=socket.AF_INET)
        self.port: int = listening.getsockname()[1]
        self.netloc = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.netloc}"
        usual = {"memory": MemoryProvider(), "other": MemoryProvider(), "frozen": MemoryProvider()}
        self.storages = {**usual, **self.storages}
        self.flaky = {
            name: storage if isinstance(storage, FlakyProvider) else FlakyProvider(storage)
            for name, storage in self.storages.items()
        }
        self.registry = Registry()
        for name, storage in self.flaky.items():
            self.registry.add(name, _factory(storage))
        self.sessions = Sessions(_SESSION_KEY, lifetime=3600)
        self.accounts = [
            Account(id=id, token_sha256=digest(token), name=id.title(), email=f"{id}@example.org")
            for id, token in TOKENS.items()
        ]
        self.static = StaticHandler(self.accounts, self._resources(), self.sessions)
        self.metrics = Metrics()
        self.opened = Mounts(Context(self.registry, self.data), self.metrics)
        auth = AuthChain([self.static])
        options = ServerOptions(domain=self.url)
        self.context = ServerContext(
            butler=Butler(auth, self.opened),
            auth=auth,
            sessions=self.sessions,
            options=replace(options, **self.options),
            metrics=self.metrics,
            readiness=self._readiness,
            accounts=self.static,
            limits=self.limits,
            gateway=self.gateway,
        )
        self.server = make_server(make_application(self.context), self.context.options)
        self.server.add_sockets([listening])
        return self

    async def stop(self) -> None:
        self.server.stop()
        await self.server.close_all_connections()
        await self.opened.aclose()

    @property
    def storage(self) -> FlakyProvider:
        """The storage ``memory``."""
        return self.flaky["memory"]

    @property
    def calls(self) -> dict[str, int]:
        """What ``memory`` was asked, without what it was asked to be set up."""
        return {name: count for name, count in self.storage.calls.items() if count}

    async def connect(self) -> Connection:
        return Connection(*await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20))

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        connection = await self.connect()
        try:
            yield connection
        finally:
            await connection.close()

    async def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        version: str = "HTTP/1.1",
    ) -> Reply:
        """One request on a connection of its own, as ``alice`` if nothing else is said."""
        given = ALICE if headers is None else headers
        async with self.connection() as connection:
            return await connection.request(method, target, given, body, version=version)

    async def get(self, target: str, headers: Mapping[str, str] | None = None) -> Reply:
        """GET with further headers, as ``alice``."""
        return await self.request("GET", target, {**ALICE, **(headers or {})})

    async def head(self, target: str, headers: Mapping[str, str] | None = None) -> Reply:
        return await self.request("HEAD", target, {**ALICE, **(headers or {})})

    async def put(
        self, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        return await self.request("PUT", target, {**ALICE, **(headers or {})}, body)

    async def post(
        self, target: str, document: object, headers: Mapping[str, str] | None = None
    ) -> Reply:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return await self.request("POST", target, {**ALICE, **(headers or {})}, body)

    async def delete(self, target: str, headers: Mapping[str, str] | None = None) -> Reply:
        return await self.request("DELETE", target, {**ALICE, **(headers or {})})

    async def have(self, path: str, data: bytes = b"data", storage: str = "memory") -> Entry:
        """Put a file, or an empty folder, into a storage, with all folders above it."""
        inner = self.storages[storage]
        where = Path.parse(path)
        for folder in reversed(list(where.ancestors)):
            if not folder.is_root and not await exists(inner, str(folder)):
                await inner.make_folder(folder)
        if where.is_folder:
            return await inner.make_folder(where)
        return await inner.write(where, ByteStream.of(data))

    async def content(self, path: str, storage: str = "memory") -> bytes | None:
        """What is in a file, ``None`` if there is none."""
        inner = self.storages[storage]
        if not await exists(inner, path):
            return None
        content = await inner.read(Path.parse(path))
        return await content.body.read(1 << 30)

    async def names(self, path: str = "/", storage: str = "memory") -> list[str]:
        """All paths below a folder, sorted."""
        found: list[str] = []
        async for entry in self.storages[storage].list(Path.parse(path)):
            found.append(str(entry.path))
            if entry.is_folder:
                found += await self.names(str(entry.path), storage)
        return sorted(found)

    def _resources(self) -> list[Resource]:
        def mounts(*names: str) -> dict[str, MountConfig]:
            return {
                name: replace(
                    MountConfig(provider=name, read_only=name == "frozen"),
                    **self.mounts.get(name, {}),
                )
                for name in names
            }

        rights = {"alice": True, "bob": False}
        keys = frozenset({digest(LINK_KEY)})
        return [
            Resource(
                id="guid0", access=rights, view_only_sha256=keys, mounts=mounts(*self.storages)
            ),
            Resource(
                id="public", access={"alice": True, "anonymous": False}, mounts=mounts("memory")
            ),
            Resource(id="wiki", access={"anonymous": True}, mounts=mounts("memory")),
        ]

    async def _readiness(self) -> list[str]:
        return list(self.reasons)


def _factory(storage: FlakyProvider) -> Any:
    return SimpleNamespace(capabilities=storage.capabilities, open=lambda _mount, _context: storage)


async def exists(storage: Provider, path: str) -> bool:
    from waterbutler.core.errors import WaterButlerError  # noqa: PLC0415

    try:
        await storage.stat(Path.parse(path))
    except WaterButlerError:
        return False
    return True


def named(name: str, kind: str = "file", base: str = BASE, folder: str = "/") -> str:
    """The URL that makes something new."""
    return f"{base}{folder}?kind={kind}&name={quote(name, safe='')}"


class Complaints(logging.Handler):
    """Whatever the event loop, Tornado and our own log say went wrong."""

    _made = 0

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []
        Complaints._made += 1
        if Complaints._made % 100 == 0:
            gc.unfreeze()
        # What earlier tests left is not this one's fault.
        gc.collect()

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))

    def loop(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.found.append(f"{context.get('message')}: {context.get('exception')!r}")

    def collect(self) -> None:
        """Let go of what nobody holds any more: abandoned tasks and generators speak up.

        What is left is not searched again for a while, which makes the search after the next test a
        quick one.
        """
        gc.collect()
        gc.freeze()


@contextlib.contextmanager
def captured_log() -> Any:
    """What the server logs, event by event, and nothing on the screen."""
    events: list[dict[str, Any]] = []

    def keep(_logger: object, level: str, event: dict[str, Any]) -> Any:
        if error := event.get("exc_info"):
            event = {**event, "exc_info": repr(error)}
        events.append({**event, "level": level})
        raise structlog.DropEvent

    before = structlog.get_config()["processors"]
    structlog.configure(processors=[keep])
    try:
        yield events
    finally:
        structlog.configure(processors=before)
