"""HTTP/1.1 on the server's side: Tornado's request values, and a connection of our own."""

from __future__ import annotations

from waterbutler.server.http1.connection import Connection, ConnectionOptions
from waterbutler.server.http1.head import Headers, Malformed, Request
from waterbutler.server.http1.inbox import ConnectionLost
from waterbutler.server.http1.server import Server

__all__ = [
    "Connection",
    "ConnectionLost",
    "ConnectionOptions",
    "Headers",
    "Malformed",
    "Request",
    "Server",
]
