"""The routes, and the HTTP server around them."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Iterable
from typing import Any

import msgspec
from tornado import httpserver, httputil, iostream, routing, web

from waterbutler.server.base import Handler, NoSuchUrl
from waterbutler.server.context import ServerContext, ServerOptions
from waterbutler.server.health import MetricsHandler, ReadyHandler, StatusHandler
from waterbutler.server.v1.change import DeleteHandler, TransferHandler
from waterbutler.server.v1.commands import PREFIX as V1
from waterbutler.server.v1.read import ReadHandler
from waterbutler.server.v1.upload import UploadHandler

CHUNK = 1 << 16
"""How many bytes are taken from a connection at a time."""
MAX_HEADER = 1 << 16

_BARE_REFUSAL = b"HTTP/1.1 400 Bad Request\r\n\r\n"


class On(routing.Matcher):
    """Matches a prefix of the raw path and some methods, so each verb has a handler of its own."""

    def __init__(self, prefix: str, *methods: str) -> None:
        self._prefix = prefix
        self._methods = frozenset(methods)

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """See `tornado.routing.Matcher.match`."""
        if not (request.uri or "").startswith(self._prefix):
            return None
        return {} if not self._methods or request.method in self._methods else None


class Exactly(routing.Matcher):
    """Matches one path."""

    def __init__(self, path: str) -> None:
        self._path = path

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """See `tornado.routing.Matcher.match`."""
        return {} if request.path == self._path else None


def make_application(context: ServerContext, extra: Iterable[routing.Rule] = ()) -> web.Application:
    """The application with all its routes.

    Args:
        context: What handlers are given.
        extra: Further rules, asked before the v1 ones.
    """
    given = {"context": context}

    def rule(matcher: routing.Matcher, handler: type[Handler]) -> routing.Rule:
        return routing.Rule(matcher, handler, given)

    rules = [
        *extra,
        rule(On(V1, "PUT"), UploadHandler),
        rule(On(V1, "POST"), TransferHandler),
        rule(On(V1, "DELETE"), DeleteHandler),
        rule(On(V1), ReadHandler),
        rule(Exactly("/status"), StatusHandler),
        rule(Exactly("/ready"), ReadyHandler),
        rule(Exactly("/metrics"), MetricsHandler),
    ]
    return web.Application(
        rules,
        default_handler_class=NoSuchUrl,
        default_handler_args=given,
        log_function=_logged_elsewhere,
    )


class Server(httpserver.HTTPServer):
    """An HTTP server that explains itself also where no handler was reached."""

    def handle_stream(self, stream: iostream.IOStream, address: tuple[Any, ...]) -> None:
        """See `tornado.tcpserver.TCPServer.handle_stream`."""
        _explain(stream)
        super().handle_stream(stream, address)


def make_server(application: web.Application, options: ServerOptions) -> Server:
    """The server for an application.

    Bodies have no limit here: handlers have limits of their own and say so in their answers.
    """
    return Server(
        application,
        xheaders=options.trust_proxy,
        chunk_size=CHUNK,
        max_header_size=MAX_HEADER,
        max_body_size=1 << 62,
        idle_connection_timeout=options.idle_seconds,
    )


def _explain(stream: iostream.IOStream) -> None:
    """Give the bare refusal of a malformed request the body that every error has."""
    plain_write, plain_close = stream.write, stream.close

    def write(data: bytes | memoryview) -> asyncio.Future[None]:
        return plain_write(_refusal() if data == _BARE_REFUSAL else data)

    def close(exc_info: object = False) -> None:
        too_long = isinstance(exc_info, iostream.UnsatisfiableReadError)
        if too_long and stream.socket is not None:
            with contextlib.suppress(OSError):
                stream.socket.send(_refusal())
        plain_close(exc_info)  # type: ignore[arg-type]

    stream.write = write  # type: ignore[method-assign]
    stream.close = close  # type: ignore[method-assign]


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


def _logged_elsewhere(handler: web.RequestHandler) -> None:
    """Handlers log their own requests."""
