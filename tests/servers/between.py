"""A server between a client and a real one, which does what tests need to go wrong.

Requests are passed on byte for byte, so that their signatures stay valid, unless a rule says what
happens to them instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Request:
    """What the client asks."""

    method: str
    target: str
    headers: dict[str, str]
    raw: bytes = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """The real server is not asked; this is answered."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def raw(self, *, head_only: bool) -> bytes:
        head = {"Content-Length": str(len(self.body)), **self.headers, "Connection": "close"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        return f"HTTP/1.1 {self.status} Odd\r\n{lines}\r\n".encode() + (
            b"" if head_only else self.body
        )


@dataclass(frozen=True)
class Cut:
    """The connection breaks after so many bytes of the request's body."""

    after: int = 0


@dataclass(frozen=True)
class Lost:
    """The real server does it, and nobody hears of it."""


@dataclass(frozen=True)
class Stall:
    """Nothing is answered, ever."""


@dataclass(frozen=True)
class Alter:
    """The real server's answer goes through ``change``."""

    change: Callable[[bytes], bytes]


@dataclass(frozen=True)
class AlterBody:
    """The real server gets the request's body as ``change`` makes it, of the same length."""

    change: Callable[[bytes], bytes]


Effect = Answer | Cut | Lost | Stall | Alter | AlterBody
Rule = Callable[[Request], Effect | None]


def error(code: str, status: int = 503, **headers: str) -> Answer:
    """An answer with a document that says what is wrong."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode(), names)


class Between:
    """Passes on to ``url``; ``rule`` may be set at any time."""

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self.rule: Rule = lambda _: None
        self.requests: list[Request] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def seen(self, method: str, pattern: str = "") -> list[Request]:
        """The requests of a method whose target fits."""
        return [r for r in self.requests if r.method == method and re.search(pattern, r.target)]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._one(reader, writer)
        finally:
            await _closed(writer)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = await reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode().rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        request = Request(method, target, headers, raw)
        self.requests.append(request)
        effect = self.rule(request)
        length = int(headers.get("content-length", 0))
        if isinstance(effect, Cut):
            await reader.readexactly(min(effect.after, length))
            _reset(writer)
            return
        body = await reader.readexactly(length)
        if isinstance(effect, AlterBody):
            body = effect.change(body)
        if isinstance(effect, Stall):
            await asyncio.sleep(3600)
        if isinstance(effect, Answer):
            answer = effect.raw(head_only=method == "HEAD")
        else:
            answer = await self._pass_on(raw, body)
        if isinstance(effect, Lost):
            _reset(writer)
            return
        if isinstance(effect, Alter):
            answer = effect.change(answer)
        writer.write(answer)
        await writer.drain()

    async def _pass_on(self, raw: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._to.hostname, self._to.port)
        try:
            writer.write(raw[:-2] + b"Connection: close\r\n\r\n" + body)
            return await reader.read()
        finally:
            await _closed(writer)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError, asyncio.CancelledError):
        await writer.wait_closed()


def _reset(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def times(count: int, effect: Effect, method: str, pattern: str) -> Rule:
    """The effect for the first ``count`` requests of a method whose target fits."""
    left = [count]

    def rule(request: Request) -> Effect | None:
        fits = re.fullmatch(method, request.method) and re.search(pattern, request.target)
        if not fits or left[0] <= 0:
            return None
        left[0] -= 1
        return effect

    return rule
