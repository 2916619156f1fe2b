"""A wire to a server that is slow, cut, silent, garbled or gone, whenever a test says so.

`Wire` understands as much of HTTP as it needs to know where messages begin and end. It passes bytes
on as they come, in both directions, and keeps connections open as servers do: what a fault leaves
behind on a kept connection is part of what is tested. `Pipe` knows nothing of what it carries.
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

PIECE = 1 << 16
EVER = 1 << 30


@dataclass
class Request:
    """The head of what the client asks."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Slow:
    """The request is passed on after some seconds."""

    seconds: float


@dataclass(frozen=True)
class CutUp:
    """The connection is reset after so many bytes of the request's body."""

    after: int


@dataclass(frozen=True)
class CutDown:
    """The connection ends after so many bytes of the answer's body, if it has more."""

    after: int
    reset: bool = False


@dataclass(frozen=True)
class Says:
    """The server is not asked; this is answered."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"<html>out of order</html>"


@dataclass(frozen=True)
class Noise:
    """What is answered is no HTTP."""


@dataclass(frozen=True)
class Garbled:
    """The head of the answer is right, and its body is other bytes."""


@dataclass(frozen=True)
class Longer:
    """The answer says that its body has so many bytes more than it has."""

    by: int


@dataclass(frozen=True)
class Hang:
    """Nothing is answered; or nothing more after so many bytes of the answer's body."""

    after: int | None = None


@dataclass(frozen=True)
class Lost:
    """The server does it, and the connection is reset before anybody hears of it."""


Effect = Slow | CutUp | CutDown | Says | Noise | Garbled | Longer | Hang | Lost
Rule = Callable[[Request], Effect | None]


def always(effect: Effect | None, method: str = "", target: str = "") -> Rule:
    """The effect for all requests of a method whose target fits."""
    return times(EVER, effect, method, target)


def times(count: int, effect: Effect | None, method: str = "", target: str = "") -> Rule:
    """The effect for the first ``count`` requests of a method whose target fits."""
    left = [count]

    def rule(request: Request) -> Effect | None:
        fits = re.fullmatch(method or ".*", request.method) and re.search(target, request.target)
        if not fits or left[0] <= 0:
            return None
        left[0] -= 1
        return effect

    return rule


def first_of_each(effect: Effect) -> Rule:
    """The effect for the first request of each method and target, without what changes in it."""
    seen: set[tuple[str, str]] = set()

    def rule(request: Request) -> Effect | None:
        target = re.sub("(payload|signature|uploadId)=[^&]*", "", request.target)
        if (request.method, target) in seen:
            return None
        seen.add((request.method, target))
        return effect

    return rule


class _Ended(Exception):
    """The connection is over."""


class _Listener:
    """A port whose connections are counted, and closed in the end."""

    def __init__(self, url: str) -> None:
        self.to = urlsplit(url)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self):
        await self.listen()
        return self

    async def __aexit__(self, *error):
        await self.away()

    @property
    def url(self) -> str:
        return f"{self.to.scheme}://127.0.0.1:{self.port}"

    async def listen(self) -> None:
        """Be there, always on the same port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def away(self) -> None:
        """Be gone: connections break, new ones are refused."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, _Ended):
                await self._serve(reader, writer)
        except asyncio.CancelledError:
            # Only `away` cancels; nobody waits for more than the end.
            pass
        finally:
            self._tasks.discard(task)
            await _closed(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.to.hostname, self.to.port)


class Wire(_Listener):
    """Passes HTTP on to ``url``; ``rule`` may be set at any time.

    Attributes:
        busy: How many requests are under way: connections that are kept do not count.
        requests: All heads of requests.
        troubled: Those of them that the rule had an effect for.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.rule: Rule = lambda _: None
        self.requests: list[Request] = []
        self.troubled: list[Request] = []
        self.busy = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            raw = await reader.readuntil(b"\r\n\r\n")
            first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
            method, target, _ = first.split(" ")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            request = Request(method, target, headers)
            self.requests.append(request)
            self.busy += 1
            try:
                await self._exchange(request, raw, reader, writer)
            finally:
                self.busy -= 1

    async def _exchange(
        self,
        request: Request,
        raw: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        effect = self.rule(request)
        if effect is not None:
            self.troubled.append(request)
        if isinstance(effect, Slow):
            await asyncio.sleep(effect.seconds)
        length = int(request.headers.get("content-length", 0))
        if isinstance(effect, CutUp) and length > effect.after:
            await reader.readexactly(effect.after)
            _reset(writer)
            raise _Ended
        if isinstance(effect, Says | Noise) or effect == Hang():
            await _skip(reader, length)
            await _answer(effect, request, reader, writer)
            return
        there, here = await self._connect()
        try:
            here.write(raw[:-2] + b"Connection: close\r\n\r\n")
            sending = asyncio.create_task(_pass(reader, here, length))
            try:
                await _bring_back(effect, request, there, writer, reader)
            finally:
                sending.cancel()
                (error,) = await asyncio.gather(sending, return_exceptions=True)
            if isinstance(error, BaseException):
                raise _Ended
        finally:
            await _closed(here)


async def _answer(
    effect: Says | Noise | Hang,
    request: Request,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Answer without having asked anybody."""
    if isinstance(effect, Hang):
        # Until the other side has had enough.
        await reader.read(1)
        raise _Ended
    if isinstance(effect, Noise):
        writer.write(b"\x00\xff\x7fthis is no HTTP\r\n\r\n" * 3)
        await writer.drain()
        raise _Ended
    body = b"" if request.method == "HEAD" else effect.body
    headers = {"Content-Length": str(len(effect.body)), **effect.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {effect.status} Odd\r\n{lines}\r\n".encode() + body)
    await writer.drain()


async def _bring_back(
    effect: Effect | None,
    request: Request,
    there: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    reader: asyncio.StreamReader,
) -> None:
    """Pass the answer on, as far as the effect lets it."""
    head = await there.readuntil(b"\r\n\r\n")
    if isinstance(effect, Lost):
        await there.read()
        _reset(writer)
        raise _Ended
    head = re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", head)
    found = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    status = int(head.split(b" ", 2)[1])
    bodiless = request.method == "HEAD" or status in {204, 304}
    if bodiless or found is None:
        # An answer in chunks is the last one of its connection here.
        writer.write(head if bodiless else head[:-2] + b"Connection: close\r\n\r\n")
        if not bodiless:
            await _pass(there, writer, EVER, effect, reader)
        await writer.drain()
        if not bodiless:
            raise _Ended
        return
    length = int(found[1])
    if isinstance(effect, Longer):
        head = head.replace(found[0], found[0].replace(found[1], b"%d" % (length + effect.by)))
    writer.write(head)
    await _pass(there, writer, length, effect, reader)
    await writer.drain()
    if isinstance(effect, Longer):
        raise _Ended


async def _pass(
    source: asyncio.StreamReader,
    sink: asyncio.StreamWriter,
    count: int,
    effect: Effect | None = None,
    client: asyncio.StreamReader | None = None,
) -> None:
    """Pass so many bytes on, or all there are, as far as the effect lets them."""
    limit = effect.after if isinstance(effect, CutDown | Hang) else None
    given = 0
    while given < count:
        piece = await source.read(min(PIECE, count - given))
        if not piece:
            return
        if isinstance(effect, Garbled):
            piece = b"\xfe" * len(piece)
        if limit is not None and given + len(piece) > limit:
            sink.write(piece[: limit - given])
            await sink.drain()
            if isinstance(effect, Hang) and client is not None:
                await client.read(1)
            if isinstance(effect, CutDown) and effect.reset:
                _reset(sink)
            raise _Ended
        sink.write(piece)
        await sink.drain()
        given += len(piece)


async def _skip(reader: asyncio.StreamReader, length: int) -> None:
    while length:
        length -= len(await reader.readexactly(min(PIECE, length)))


class Pipe(_Listener):
    """Passes bytes on to ``url``, or does what ``mode`` says, also to connections that are open.

    ``pass`` passes on, ``silent`` swallows, ``noise`` answers whatever comes with bytes that mean
    nothing, ``cut`` breaks at the first byte.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.mode = "pass"

    @property
    def url(self) -> str:
        user = f"{self.to.username or ''}:{self.to.password or ''}@" if self.to.password else ""
        return f"{self.to.scheme}://{user}127.0.0.1:{self.port}{self.to.path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await self._connect()
        back = asyncio.create_task(self._carry(there, writer))
        try:
            while data := await reader.read(PIECE):
                if self.mode == "cut":
                    _reset(writer)
                    return
                if self.mode == "noise":
                    writer.write(b"\x00\xff?\r\n" * 4)
                elif self.mode == "pass":
                    here.write(data)
                await here.drain()
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            await _closed(here)

    async def _carry(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await there.read(PIECE):
            if self.mode == "pass":
                writer.write(data)


async def _closed(writer: asyncio.StreamWriter) -> None:
    """Close, and see how that ends: an error that nobody has seen would be found as a leak."""
    writer.close()
    with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(1):
            await writer.wait_closed()
    writer.transport.abort()


def _reset(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    with contextlib.suppress(OSError):
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
