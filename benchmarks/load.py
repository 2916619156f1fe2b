"""The load: sockets for large transfers, ``wrk`` for many small requests.

What comes in is thrown away by the kernel (``MSG_TRUNC``) and what goes out is sent by the kernel
(``sendfile``), so that the one who asks for a gigabyte costs next to nothing, and what is measured
is who answers. The row ``clients`` shows how that compares with curl. Every request has a
connection of its own, and every peer is asked by the same code.
"""

from __future__ import annotations

import math
import os
import re
import resource
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.programs import program

PATIENCE = 900.0
"""Seconds within which something must happen on some connection."""
BLOCK = 8 << 20
"""How much to take or to send with one call."""
MOST_SECONDS = 10.0
"""How long ``wrk`` waits at least before a server that answers nothing is given up."""
_HEAD = 1 << 16


class WrongAnswer(Exception):
    """A server did not answer as it must; then nothing is measured."""


@dataclass(frozen=True)
class Request:
    """What to ask for.

    Attributes:
        url: Where.
        token: Signs in, if there is one.
        method: How.
        source: The file to send as the body.
        body: A JSON document to send instead of a file.
    """

    url: str
    token: str = ""
    method: str = "GET"
    source: Path | None = None
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What came.

    Attributes:
        size: How many bytes came after the headers.
        first: Seconds from the start to the first of these bytes.
        seconds: Seconds from the start to the last one.
    """

    size: int
    first: float
    seconds: float


class _Exchange:
    """One request on one connection that does not block."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.size = 0
        self.first = 0.0
        self._head = b""
        self._length: int | None = None
        self._offset = 0
        self._file = request.source.open("rb") if request.source else None
        self._left = os.fstat(self._file.fileno()).st_size if self._file else 0
        where = urlsplit(request.url)
        self.start = time.perf_counter()
        self.socket = socket.create_connection((where.hostname, where.port), PATIENCE)
        self.socket.sendall(_head(request, self._left or len(request.body)) + request.body)
        self.socket.setblocking(False)

    @property
    def sends(self) -> bool:
        """Whether there is more to send."""
        return self._left > 0

    def close(self) -> None:
        """Leave nothing open."""
        self.socket.close()
        if self._file:
            self._file.close()

    def send(self) -> None:
        """Send what the connection takes now."""
        assert self._file is not None
        count = min(self._left, BLOCK)
        sent = os.sendfile(self.socket.fileno(), self._file.fileno(), self._offset, count)
        self._offset += sent
        self._left -= sent

    def receive(self, buffer: bytearray) -> bool:
        """Take what is there; whether it was the end."""
        if self._length is None:
            return self._receive_head()
        count = self.socket.recv_into(buffer, 0, socket.MSG_TRUNC)
        return self._count(count)

    def _receive_head(self) -> bool:
        data = self.socket.recv(_HEAD)
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            if data:
                return False
            raise WrongAnswer(f"{self.request.url}: no answer")
        lines = head.decode("latin-1").split("\r\n")
        if not re.match(r"HTTP/1\.1 2\d\d ", lines[0] + " "):
            text = rest.decode(errors="replace")
            raise WrongAnswer(f"{self.request.method} {self.request.url}: {lines[0]}\n{text}")
        fields = dict(line.lower().split(":", 1) for line in lines[1:])
        # Without a length the end of the connection is the end.
        self._length = int(fields.get("content-length", -1))
        if lines[0].startswith("HTTP/1.1 204"):
            self._length = 0
        return self._length == 0 or (bool(rest) and self._count(len(rest)))

    def _count(self, count: int) -> bool:
        if not self.size:
            self.first = time.perf_counter() - self.start
        self.size += count
        if count or self.size == self._length:
            return self.size == self._length
        if self._length is not None and self._length >= 0:
            raise WrongAnswer(f"{self.request.url}: {self.size} of {self._length} bytes came")
        return True


def _head(request: Request, length: int) -> bytes:
    where = urlsplit(request.url)
    target = where.path + (f"?{where.query}" if where.query else "")
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {where.netloc}", "Connection: close"]
    if request.token:
        lines.append(f"Authorization: Bearer {request.token}")
    if request.method in ("PUT", "POST"):
        lines.append(f"Content-Length: {length}")
    if request.body:
        lines.append("Content-Type: application/json")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def exchange(requests: Sequence[Request]) -> list[Reply]:
    """Make all requests at the same time; returns when the last one is answered.

    Raises:
        WrongAnswer: A status is not 2xx, or an answer is shorter than it says.
        OSError: A connection broke.
    """
    buffer = bytearray(BLOCK)
    replies: dict[int, Reply] = {}
    exchanges: list[_Exchange] = []
    with selectors.DefaultSelector() as selector:
        try:
            for number, request in enumerate(requests):
                one = _Exchange(request)
                exchanges.append(one)
                event = selectors.EVENT_WRITE if one.sends else selectors.EVENT_READ
                selector.register(one.socket, event, number)
            while len(replies) < len(exchanges):
                ready = selector.select(PATIENCE)
                if not ready:
                    raise WrongAnswer(f"{requests[0].url}: nothing happens")
                for key, _ in ready:
                    one = exchanges[key.data]
                    if one.sends:
                        one.send()
                        if not one.sends:
                            selector.modify(one.socket, selectors.EVENT_READ, key.data)
                    elif one.receive(buffer):
                        taken = time.perf_counter() - one.start
                        replies[key.data] = Reply(one.size, one.first, taken)
                        selector.unregister(one.socket)
        finally:
            for one in exchanges:
                one.close()
    return [replies[number] for number in range(len(requests))]


def ask(request: Request) -> Reply:
    """Make one request."""
    return exchange([request])[0]


def download(request: Request, size: int, connections: int = 1) -> float:
    """Bytes per second of so many downloads at the same time.

    Args:
        request: What each of them asks for.
        size: How long it is.
        connections: How many at the same time.

    Raises:
        WrongAnswer: Something else came.
    """
    start = time.perf_counter()
    replies = exchange([request] * connections)
    taken = time.perf_counter() - start
    for reply in replies:
        if reply.size != size:
            raise WrongAnswer(f"{request.url}: {reply.size} bytes instead of {size}")
    return size * connections / taken


def upload(request: Request) -> float:
    """Bytes per second of one upload."""
    assert request.source is not None
    return request.source.stat().st_size / ask(request).seconds


@dataclass(frozen=True)
class Requests:
    """What ``wrk`` saw.

    Attributes:
        rate: Requests per second.
        cores: How many cores it took itself.
    """

    rate: float
    cores: float


def wrk(
    url: str, token: str, seconds: float, *, connections: int = 16, script: Path | None = None
) -> Requests:
    """Ask for the same again and again, each connection as fast as it is answered.

    Args:
        url: What to ask for.
        token: Signs in, if there is one.
        seconds: For how long; longer if not a single answer has come by then.
        connections: How many; they are kept.
        script: A script that makes the requests.

    Raises:
        WrongAnswer: Not every answer was a success.
    """
    command = [
        program("wrk"),
        "-t1",
        f"-c{connections}",
        f"-d{math.ceil(seconds)}",
        "--timeout",
        "60",
        url,
    ]
    if script:
        command += ["-s", str(script)]
    if token:
        command += ["-H", f"Authorization: Bearer {token}"]
    before, start = _children(), time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        if seconds < 1:
            # It counts whole seconds; told to stop, it says what it has seen so far.
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
        output, _ = process.communicate()
    match = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if match is None or "Non-2xx" in output or "Socket errors" in output:
        raise WrongAnswer(f"{url} does not answer as it should:\n{output}")
    if not float(match[1]):
        if seconds >= MOST_SECONDS:
            raise WrongAnswer(f"{url} answers nothing within {seconds:g} seconds")
        return wrk(url, token, seconds * 4, connections=connections, script=script)
    return Requests(float(match[1]), (_children() - before) / (time.perf_counter() - start))


def curl(request: Request) -> float:
    """The processor time in seconds that curl takes for the same as `ask`."""
    command = [
        program("curl"),
        "-sS",
        "-f",
        "-o",
        "/dev/null",
        "-X",
        request.method,
        "-H",
        "Expect:",
    ]
    if request.token:
        command += ["-H", f"Authorization: Bearer {request.token}"]
    if request.source:
        command += ["-T", str(request.source)]
    before = _children()
    subprocess.run([*command, request.url], check=True)
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
