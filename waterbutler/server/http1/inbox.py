"""What a client sends: heads of requests, and their bodies, taken apart when they are asked for."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from tornado import httputil

from waterbutler.core.shares import Shares
from waterbutler.core.waiting import wake
from waterbutler.server.http1.chunks import Dechunker
from waterbutler.server.http1.head import EMPTY, Framing, Headers, Malformed, parse_head

READ_AHEAD = 1 << 16
"""From how many bytes on that nobody has asked for yet the client is not read any further."""
PIECES_AHEAD = 1 << 10
"""The same in pieces: each takes memory besides, and a client may send byte by byte."""
PIECE = 1 << 18
"""How many bytes to take from the system at once, at most."""
_SHARES = Shares(1 << 21, smallest=1 << 15)
"""What the pieces of all bodies that come have together. Some are on their way in each."""
MAX_HEAD = 1 << 16
"""The largest head of a request, in bytes."""

_END = b"\r\n\r\n"


class ConnectionLost(Exception):
    """The client is gone."""


class _Transport(Protocol):
    """What can be told to wait."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Inbox:
    """The receiving side of a connection.

    Args:
        transport: Where the bytes come from.
    """

    def __init__(self, transport: _Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pieces: deque[bytes] = deque()
        self._paused = False
        self._arrival: asyncio.Future[None] | None = None
        self._left = 0
        self._dechunker: Dechunker | None = None
        self.lost = False
        self.unread = 0
        """How many bytes have come that nobody has asked for."""
        self.has_read_all = True
        """Whether the body of the request is complete."""

    @property
    def piece(self) -> int:
        """How many bytes to take from the system at once."""
        return _SHARES.share(PIECE)

    def feed(self, data: bytes) -> None:
        """Bytes came."""
        self._pieces.append(data)
        self.unread += len(data)
        much = self.unread >= READ_AHEAD or len(self._pieces) >= PIECES_AHEAD
        if much and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self.wake()

    def lose(self) -> None:
        """Nothing more will come, and what came is of no use any more."""
        self.lost = True
        self.clear()
        _SHARES.leave(self)
        self.wake()

    def clear(self) -> None:
        """Throw away what came."""
        self._pieces.clear()
        self.unread = 0

    def wake(self) -> None:
        """Whoever waits shall look again."""
        wake(self._arrival)

    async def wait(self) -> None:
        """Wait until something comes, or `wake` is called."""
        if self._paused and not self.lost:
            self._paused = False
            self._transport.resume_reading()
        self._arrival = self._loop.create_future()
        await self._arrival

    def expect(self, framing: Framing) -> None:
        """The next bytes are a body."""
        self.has_read_all = framing.is_empty
        self._take_part()
        self._left = framing.size or 0
        self._dechunker = Dechunker() if framing.size is None else None

    async def next_body(self) -> bytes:
        """The next bytes of the request's body; none when it is complete.

        Raises:
            ConnectionLost: The client went away.
            Malformed: What it sends makes no sense.
        """
        while not self.has_read_all:
            piece = await self._receive()
            if self._dechunker is None:
                return self._take(piece)
            content = b"".join(self._dechunker.feed(piece))
            if self._dechunker.ended:
                self.has_read_all = True
                self._take_part()
                self._give_back(self._dechunker.rest)
            if content:
                return content
        return b""

    async def head(self) -> tuple[httputil.RequestStartLine, Headers]:
        """The head of the next request.

        Raises:
            ConnectionLost: The client went away.
            Malformed: It is no head, or too large.
        """
        self.expect(EMPTY)
        buffer: bytes | bytearray = await self._receive()
        searched = 0
        while True:
            if buffer[:1] in b"\r\n":
                # Some clients send a line break behind a body.
                buffer = buffer.lstrip(b"\r\n")
            end = buffer.find(_END, searched)
            if end > MAX_HEAD or (end < 0 and len(buffer) > MAX_HEAD):
                raise Malformed("The head of the request is too large.")
            if end >= 0:
                break
            if b"\n\n" in buffer[max(searched - 1, 0) :]:
                raise Malformed("The lines of the request do not end as they should.")
            searched = max(len(buffer) - len(_END), 0)
            more = await self._receive()
            if isinstance(buffer, bytes):
                buffer = bytearray(buffer)
            buffer += more
        self._give_back(bytes(buffer[end + len(_END) :]))
        return parse_head(bytes(buffer[: end + 2]))

    def _take(self, piece: bytes) -> bytes:
        if len(piece) > self._left:
            self._give_back(piece[self._left :])
            piece = piece[: self._left]
        self._left -= len(piece)
        self.has_read_all = not self._left
        self._take_part()
        return piece

    def _take_part(self) -> None:
        """Have a share while a body comes."""
        (_SHARES.leave if self.has_read_all or self.lost else _SHARES.join)(self)

    async def _receive(self) -> bytes:
        while not self._pieces:
            if self.lost:
                raise ConnectionLost
            await self.wait()
        piece = self._pieces.popleft()
        self.unread -= len(piece)
        return piece

    def _give_back(self, piece: bytes) -> None:
        if piece:
            self._pieces.appendleft(piece)
            self.unread += len(piece)
