"""Listening, and the connections that are open."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import Any, cast

from tornado import iostream, tcpserver

from waterbutler.server.http1.connection import Connection, ConnectionOptions, Exchange
from waterbutler.server.http1.head import Request
from waterbutler.server.http1.listening import Listening


class Server(tcpserver.TCPServer):
    """Tornado's server, with connections that speak HTTP/1.1 by themselves.

    Args:
        answerer: Makes what answers a request.
        options: How connections behave.
    """

    def __init__(
        self,
        answerer: Callable[[Request, Connection], Exchange],
        options: ConnectionOptions,
    ) -> None:
        super().__init__()
        self._answerer = answerer
        self._options = options
        self._connections: set[Connection] = set()

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """See `tornado.tcpserver.TCPServer.add_sockets`."""
        super().add_sockets(cast("list[socket.socket]", [Listening(each) for each in sockets]))

    async def handle_stream(self, stream: iostream.IOStream, address: tuple[Any, ...]) -> None:  # noqa: ARG002
        """See `tornado.tcpserver.TCPServer.handle_stream`."""
        # The stream has not read anything yet, and gives its socket away.
        given = stream.socket
        own = socket.socket(given.family, given.type, given.proto, fileno=given.detach())
        await asyncio.get_running_loop().connect_accepted_socket(self._connection, own)

    async def close_all_connections(self) -> None:
        """Close what is open; an answer that is not complete is seen to be broken off."""
        await asyncio.gather(*(connection.stop() for connection in list(self._connections)))

    def _connection(self) -> Connection:
        connection = Connection(self._answerer, self._options, self._connections.discard)
        self._connections.add(connection)
        return connection
