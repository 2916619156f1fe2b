"""A client that sends whatever it is given, and reads answers strictly.

It knows nothing of the server's library: an answer is what stands on the wire.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

PATIENCE = 20.0
"""Seconds of silence after which an answer counts as one that never comes."""

Headers = list[tuple[bytes, bytes]]


class Hang(AssertionError):
    """The server is silent, and should not be."""


class Nonsense(AssertionError):
    """What the server sends is no HTTP."""


@dataclass
class Request:
    """A request that is framed as it should be, whatever it says.

    Attributes:
        body: The whole body; ``None`` for none.
        pieces: Sends the body in chunks of these sizes, the rest in a last one.
    """

    method: str
    target: bytes
    headers: Headers = field(default_factory=list)
    body: bytes | None = None
    pieces: tuple[int, ...] | None = None

    def encoded(self) -> bytes:
        """What is sent."""
        lines = [b" ".join((self.method.encode(), self.target, b"HTTP/1.1")), b"Host: 127.0.0.1"]
        lines += [name + b": " + value for name, value in self.headers]
        body = self.body or b""
        if self.pieces is not None:
            lines.append(b"Transfer-Encoding: chunked")
            body = chunked(body, self.pieces)
        elif self.body is not None:
            lines.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join([*lines, b"", b""]) + body


@dataclass
class Answer:
    """An answer as it came; ``whole`` is whether nothing of it is missing."""

    status: int
    headers: Headers
    body: bytes = b""
    whole: bool = True

    def all(self, name: str) -> list[str]:
        """All values of a header."""
        wanted = name.lower().encode()
        return [value.decode("latin-1") for key, value in self.headers if key.lower() == wanted]

    def one(self, name: str) -> str:
        """The value of a header that comes once; empty where it is absent."""
        values = self.all(name)
        assert len(values) < 2, f"{name} comes {len(values)} times"
        return values[0] if values else ""

    @property
    def json(self) -> Any:
        assert self.one("Content-Type").startswith("application/json"), self.headers
        return json.loads(self.body)

    @property
    def closes(self) -> bool:
        """Whether nothing follows it on its connection."""
        return not self.whole or self.one("Connection").lower() == "close"


class Wire:
    """A connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream: BinaryIO = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send; what a server that has answered already does not take is its own affair."""
        try:
            self.socket.sendall(data)
        except TimeoutError as error:
            raise Hang("The server takes nothing.") from error
        except OSError:
            return

    def end(self) -> None:
        """Say that nothing more comes."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def receive(self, method: str = "GET") -> Answer | None:
        """The next answer, those left out that only say to go on; ``None`` at the end."""
        try:
            while True:
                answer = self._receive(method)
                if answer is None or answer.status >= 200:
                    return answer
        except TimeoutError as error:
            raise Hang("No answer comes.") from error
        except ConnectionError:
            return None

    def ask(self, request: Request) -> Answer | None:
        """Send a request and read its answer."""
        self.send(request.encoded())
        return self.receive(request.method)

    def rest(self) -> list[Answer]:
        """All answers until the connection ends."""
        return list(iter(self.receive, None))

    def close(self) -> None:
        self._stream.close()
        self.socket.close()

    def _receive(self, method: str) -> Answer | None:
        line = self._stream.readline(1 << 16)
        if not line:
            return None
        parts = _text(line).split(b" ", 2)
        if len(parts) != 3 or parts[0] != b"HTTP/1.1" or not parts[1].isdigit():
            raise Nonsense(f"no status line: {line[:200]!r}")
        answer = Answer(int(parts[1]), list(self._headers()))
        if method == "HEAD" or answer.status in {204, 304} or answer.status < 200:
            return answer
        self._body(answer)
        return answer

    def _headers(self) -> Iterable[tuple[bytes, bytes]]:
        while line := _text(self._stream.readline(1 << 16)):
            name, colon, value = line.partition(b":")
            if not colon or not name.strip() or name != name.strip():
                raise Nonsense(f"no header: {line[:200]!r}")
            yield name, value.strip(b" \t")

    def _body(self, answer: Answer) -> None:
        lengths = answer.all("Content-Length")
        try:
            if answer.all("Transfer-Encoding"):
                assert not lengths, "two ways of framing"
                self._chunks(answer)
            elif lengths:
                (length,) = map(int, lengths)
                answer.body = self._stream.read(length)
                answer.whole = len(answer.body) == length
            else:
                assert answer.one("Connection").lower() == "close", "nobody knows where it ends"
                answer.body = self._stream.read()
        except ConnectionError:
            answer.whole = False

    def _chunks(self, answer: Answer) -> None:
        while True:
            line = self._stream.readline(100)
            if not line:
                answer.whole = False
                return
            size = int(_text(line), 16)
            piece = self._stream.read(size)
            answer.body += piece
            if len(piece) < size or not self._stream.readline(3):
                answer.whole = False
                return
            if size == 0:
                return


def chunked(body: bytes, sizes: Iterable[int]) -> bytes:
    """A body in chunks of these sizes, the rest in a last one."""
    sent = b""
    for size in sizes:
        piece, body = body[:size], body[size:]
        if piece:
            sent += b"%x\r\n%s\r\n" % (len(piece), piece)
    if body:
        sent += b"%x\r\n%s\r\n" % (len(body), body)
    return sent + b"0\r\n\r\n"


def _text(line: bytes) -> bytes:
    """A line without its end, which must be there."""
    if line[-2:] != b"\r\n" or b"\n" in line[:-2] or b"\r" in line[:-2]:
        raise Nonsense(f"a line without its end: {line[:200]!r}")
    return line[:-2]
