"""A connection to a client: requests are read one after the other, and answered in that order.

Nothing is read ahead but what the system hands over at once, and nothing is written faster than the
client takes it. A connection is never closed in a way that the client misunderstands: what is cut
off is seen to be cut off, and an answer that was given before the client had sent everything is not
lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import structlog

from waterbutler.core import ByteStream
from waterbutler.core.waiting import stop, wake
from waterbutler.server.http1.answer import Answer, refusal
from waterbutler.server.http1.head import (
    Malformed,
    Request,
    framing_of,
    seen_through_proxy,
)
from waterbutler.server.http1.inbox import PIECE, ConnectionLost, Inbox
from waterbutler.server.http1.outlet import Outlet

LINGER_SECONDS = 30.0
"""How long a client may go on sending after its last answer."""
SILENCE_SECONDS = 5.0
"""How long it may be silent meanwhile."""
WRITE_AHEAD = 1 << 16
"""From how many bytes on that the client has not taken yet nothing more is written."""
_buffer = memoryview(bytearray(PIECE))
"""What comes on any connection. An event loop that has filled it hands it over at once."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler")


class Exchange(Protocol):
    """What answers one request."""

    async def run(self) -> None:
        """Answer it; raises only what `Connection.next_body` raises."""

    def on_connection_close(self) -> None:
        """The client went away before the answer was complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """How connections behave.

    Attributes:
        idle_seconds: How long the head of a request may take, and the pause before it.
        trust_proxy: Believe the headers in which a proxy says who asks.
    """

    idle_seconds: float = 75.0
    trust_proxy: bool = False


class Connection(asyncio.BufferedProtocol):
    """The server's end of a connection.

    Args:
        answerer: Makes what answers a request that came by a connection.
        options: How it behaves.
        on_end: Is told when it is over.
    """

    def __init__(
        self,
        answerer: Callable[[Request, Connection], Exchange],
        options: ConnectionOptions,
        on_end: Callable[[Connection], None],
    ) -> None:
        self._answerer = answerer
        self._options = options
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._discards = False
        self._heard = 0.0
        self._room: asyncio.Future[None] | None = None
        self._full = False
        self._outlet: Outlet | None = None
        self._quiet_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._exchange: Exchange | None = None
        self._answer: Answer | None = None
        self._owes_continue = False
        self._task: asyncio.Task[None] | None = None

    # -- called by the event loop --------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol.connection_made`."""
        self._inbox = Inbox(cast("asyncio.Transport", transport))
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_AHEAD)
        name = transport.get_extra_info("peername")
        self._remote_ip = str(name[0]) if isinstance(name, tuple) and name else "0.0.0.0"  # noqa: S104
        self._timer = self._loop.call_later(self._options.idle_seconds, self._look)
        self._task = self._loop.create_task(self._run())

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - we know better
        """See `asyncio.BufferedProtocol.get_buffer`."""
        return _buffer[: self._inbox.piece]

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol.buffer_updated`."""
        if self._discards:
            self._heard = self._loop.time()
            return
        self._inbox.feed(bytes(_buffer[:nbytes]))

    def eof_received(self) -> None:
        """See `asyncio.Protocol.eof_received`: who says that nothing more comes is gone."""

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - the reason is not
        """See `asyncio.BaseProtocol.connection_lost`."""
        if self._timer is not None:
            self._timer.cancel()
        self._inbox.lost = True
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            # It still sees how much came that nobody asked for.
            exchange.on_connection_close()
        self._inbox.lose()
        wake(self._room)
        if self._outlet is not None:
            self._outlet.wake()

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol.pause_writing`."""
        self._full = True

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol.resume_writing`."""
        self._full = False
        wake(self._room)

    # -- for what answers ----------------------------------------------------------------------

    @property
    def has_read_all(self) -> bool:
        """Whether the request is complete."""
        return self._inbox.has_read_all

    @property
    def unread(self) -> int:
        """How many bytes have come that nobody has asked for."""
        return self._inbox.unread

    @property
    def is_full(self) -> bool:
        """Whether the client has still to take what was written."""
        return self._full

    @property
    def is_lost(self) -> bool:
        """Whether the client is gone."""
        return self._inbox.lost

    async def next_body(self) -> bytes:
        """The next bytes of the request's body; none when it is complete.

        Raises:
            ConnectionLost: The client went away.
            Malformed: What it sends makes no sense.
        """
        if self._owes_continue:
            self._owes_continue = False
            if not self._inbox.has_read_all:
                self._transport.write(_CONTINUE)
        return await self._inbox.next_body()

    def begin(self, answer: Answer, chunk: bytes = b"") -> None:
        """Send the head of the answer, and what is there of its body.

        Raises:
            ConnectionLost: The client is gone.
        """
        self._check()
        self._answer = answer
        self._transport.write(answer.head(chunk))

    def write(self, chunk: bytes) -> None:
        """Send more of the body.

        Raises:
            ConnectionLost: The client is gone.
        """
        self._check()
        assert self._answer is not None
        pieces = self._answer.body(chunk)
        if len(pieces) == 1:
            self._transport.write(pieces[0])
        elif pieces:
            self._transport.writelines(pieces)

    def end(self) -> None:
        """The answer is complete. One that is not as long as it says is broken off."""
        self._exchange = None
        answer = self._answer
        if self._inbox.lost or answer is None:
            return
        if not answer.is_whole:
            self.abort()
            return
        tail = answer.tail()
        if tail:
            self._transport.write(tail)

    async def drain(self) -> None:
        """Wait until the client has taken most of what was written.

        Raises:
            ConnectionLost: The client is gone.
        """
        while self._full and not self._inbox.lost:
            self._room = self._loop.create_future()
            await self._room
        self._check()

    async def send_file(self, body: ByteStream, before: Callable[[], None]) -> None:
        """Send what the system can send of a body by itself; the head was sent before.

        Args:
            body: The body.
            before: Called before each wait for the client.

        Raises:
            ConnectionLost: The client is gone.
        """
        answer = self._answer
        if answer is None or answer.is_chunked or not body.sendable:
            return
        # Until now it may have stayed here.
        self._transport.set_write_buffer_limits(high=0)
        try:
            await self.drain()
        finally:
            self._transport.set_write_buffer_limits(high=WRITE_AHEAD)
        connection = self._transport.get_extra_info("socket")
        with Outlet(connection.fileno()) as outlet:
            self._outlet = outlet
            try:
                while body.sendable:
                    self._check()
                    count = await body.send_to(outlet.fd)
                    answer.skip(count)
                    if not count and not self._inbox.lost:
                        before()
                        await outlet.writable()
            except (BrokenPipeError, ConnectionResetError):
                raise ConnectionLost from None
            finally:
                self._outlet = None

    def abort(self) -> None:
        """Break the connection, so that nobody takes a cut answer for a whole one.

        A reset is visible also where the end of the connection is the end of the answer.
        """
        if self._inbox.lost:
            return
        with contextlib.suppress(OSError):
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    # -- the life of a connection --------------------------------------------------------------

    async def stop(self) -> None:
        """Close it; an answer that is not complete is seen to be broken off."""
        if self._exchange is not None:
            self.abort()
        if self._task is not None:
            await stop(self._task)

    async def _run(self) -> None:
        try:
            while await self._serve_one():
                pass
        except ConnectionLost:
            pass
        except Malformed:
            await self._refuse()
        except Exception as error:  # noqa: BLE001 - the last one who can say something about it
            _log.error("connection failed", exc_info=error)
            self.abort()
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._close()
            self._on_end(self)

    async def _serve_one(self) -> bool:
        """Answer the next request; returns whether there may be another."""
        self._answer = None
        self._quiet_since = self._loop.time()
        line, headers = await self._inbox.head()
        self._quiet_since = None
        self._inbox.expect(framing_of(headers, line.version))
        address, protocol = self._remote_ip, "http"
        if self._options.trust_proxy:
            address, protocol = seen_through_proxy(headers, address)
        request = Request(line, headers, address, protocol)
        self._owes_continue = request.expects_continue
        exchange = self._exchange = self._answerer(request, self)
        try:
            await exchange.run()
        except Malformed:
            self._exchange = None
            exchange.on_connection_close()
            raise
        answer: Answer | None = self._answer
        if answer is None or self._inbox.lost:
            return False
        self._quiet_since = self._loop.time()
        await self.drain()
        if not self._inbox.has_read_all:
            await self._farewell()
        return answer.keeps_connection and self._inbox.has_read_all

    def _check(self) -> None:
        if self._inbox.lost or self._transport.is_closing():
            raise ConnectionLost

    async def _refuse(self) -> None:
        """Answer what cannot be understood, unless it was answered already."""
        if self._inbox.lost:
            return
        if self._answer is None:
            self._transport.write(refusal())
        await self._farewell()

    async def _farewell(self) -> None:
        """Say that nothing more comes, and throw away what the client still sends, for a while.

        A connection that is closed on unread data is reset, and the client loses the answer that it
        had not read yet.
        """
        self._inbox.clear()
        self._discards = True
        self._quiet_since = None
        with contextlib.suppress(OSError, RuntimeError):
            self._transport.write_eof()
        self._heard = self._loop.time()
        end = self._heard + LINGER_SECONDS
        while not self._inbox.lost:
            left = min(end, self._heard + SILENCE_SECONDS) - self._loop.time()
            if left <= 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._inbox.wait()

    def _close(self) -> None:
        """Close it when the client has taken everything, or does not come to take it."""
        self._transport.close()
        if not self._inbox.lost and self._transport.get_write_buffer_size():
            self._loop.call_later(LINGER_SECONDS, self._transport.abort)

    def _look(self) -> None:
        """Close a connection that has waited for too long for a request."""
        since, now = self._quiet_since, self._loop.time()
        idle = self._options.idle_seconds
        if since is None or self._discards:
            self._timer = self._loop.call_later(idle, self._look)
        elif now - since >= idle:
            self._close()
        else:
            self._timer = self._loop.call_later(since + idle - now, self._look)
