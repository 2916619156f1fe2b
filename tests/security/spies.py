"""A machine that must not be asked, or not be told everything: it takes down what it hears."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Spy:
    """The machine.

    Args:
        answer: What it says to each request.
    """

    answer: bytes = NOT_FOUND
    heads: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def url(self, host: str = "127.0.0.1", scheme: str = "http") -> str:
        """Where it is."""
        return f"{scheme}://{host}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
                writer.write(self.answer)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def spying(
    answer: bytes = NOT_FOUND, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Spy]:
    """A spy, as long as the context lasts."""
    spy, tasks, writers = Spy(answer), set(), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        writers.append(writer)
        await spy.serve(reader, writer)

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    spy.port = server.sockets[0].getsockname()[1]
    try:
        yield spy
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*tasks)
        await server.wait_closed()


def redirect(to: str, status: int = 302, more: str = "") -> bytes:
    """An answer that sends somebody elsewhere."""
    return (
        f"HTTP/1.1 {status} Found\r\nLocation: {to}\r\n{more}Content-Length: 0\r\n\r\n"
    ).encode()
