"""Connections that are never closed in a way that the client misunderstands."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import uuid

import msgspec
from tornado import iostream

LINGER_SECONDS = 30.0
"""How long a client may go on sending after its last answer."""
SILENCE_SECONDS = 5.0
"""How long it may be silent meanwhile."""

_PIECE = 1 << 16
_BARE_REFUSAL = b"HTTP/1.1 400 Bad Request\r\n\r\n"


class Stream(iostream.IOStream):
    """The server's end of a connection.

    Malformed requests, which no handler sees, get an answer with the body that every error has.

    Attributes:
        lingers: The client may still be sending when this is closed: then closing waits for it,
            because a connection that is closed on unread data is reset, and the client loses the
            answer that it had not read yet.
        busy: An answer is owed or half sent.
        answered: The request that is being received was refused already.
    """

    lingers = False
    busy = False
    answered = False

    def write(self, data: bytes | memoryview) -> asyncio.Future[None]:
        """See `tornado.iostream.BaseIOStream.write`."""
        if data == _BARE_REFUSAL:
            self.lingers = True
            data = b"" if self.answered else _refusal()
        return super().write(data)

    def close(self, exc_info: object = False) -> None:
        """See `tornado.iostream.BaseIOStream.close`."""
        if not self.closed():
            if isinstance(exc_info, iostream.UnsatisfiableReadError):
                self.lingers = True
                if not self.answered:
                    with contextlib.suppress(OSError):
                        self.socket.send(_refusal())
            if self.lingers:
                _Farewell.begin(self.socket)
        super().close(exc_info)  # type: ignore[arg-type]

    def abort(self) -> None:
        """Break the connection, so that nobody takes a cut answer for a whole one.

        A reset is visible also where the end of the connection is the end of the answer.
        """
        if self.closed():
            return
        self.lingers = False
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


class _Farewell:
    """Throws away what a client still sends after its last answer, for a while."""

    running: set[asyncio.Task[None]] = set()  # noqa: RUF012 - tasks must be held by somebody

    @classmethod
    def begin(cls, connection: socket.socket) -> None:
        """Say that nothing more comes, and keep the connection open beside its stream."""
        try:
            connection.shutdown(socket.SHUT_WR)
            own = connection.dup()
        except OSError:
            return
        task = asyncio.get_running_loop().create_task(cls._wait(own))
        cls.running.add(task)
        task.add_done_callback(cls.running.discard)

    @staticmethod
    async def _wait(connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with connection, contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while True:
                    async with asyncio.timeout(SILENCE_SECONDS):
                        if not await loop.sock_recv(connection, _PIECE):
                            return


async def end_farewells() -> None:
    """Stop waiting for clients that still send."""
    loop = asyncio.get_running_loop()
    running = [task for task in _Farewell.running if task.get_loop() is loop]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def _refusal() -> bytes:
    message = "The request is malformed, or its header is too large."
    body = msgspec.json.encode({"code": 400, "message": message, "message_long": message})
    lines = (
        "HTTP/1.1 400 Bad Request",
        "Content-Type: application/json; charset=UTF-8",
        f"Content-Length: {len(body)}",
        f"X-Waterbutler-Request-Id: {uuid.uuid4()}",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(lines).encode() + body
