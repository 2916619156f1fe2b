"""The routes, and the HTTP server around them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any
from weakref import WeakSet

from tornado import httpserver, httputil, iostream, routing, web

from waterbutler.core.errors import NotFound
from waterbutler.server.base import Handler
from waterbutler.server.connection import Stream, end_farewells
from waterbutler.server.context import ServerContext, ServerOptions
from waterbutler.server.gateway.routes import gateway_rules
from waterbutler.server.health import MetricsHandler, ReadyHandler, StatusHandler
from waterbutler.server.openapi import OpenApiHandler
from waterbutler.server.v0.handlers import ROUTES as V0
from waterbutler.server.v1.change import DeleteHandler, TransferHandler
from waterbutler.server.v1.commands import PREFIX as V1
from waterbutler.server.v1.read import ReadHandler
from waterbutler.server.v1.upload import UploadHandler
from waterbutler.server.web.routes import page_rules

CHUNK = 1 << 16
"""How many bytes are taken from a connection at a time."""
MAX_HEADER = 1 << 16


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
    """Matches one path and some methods."""

    def __init__(self, path: str, *methods: str) -> None:
        self._path = path
        self._methods = frozenset(methods)

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """See `tornado.routing.Matcher.match`."""
        if request.path != self._path:
            return None
        return {} if not self._methods or request.method in self._methods else None


class NoSuchUrl(Handler):
    """What answers for every URL that nothing else does."""

    methods = Handler.SUPPORTED_METHODS

    async def begin(self) -> None:
        """Refuse."""
        raise NotFound("There is nothing at this URL.")


def make_application(
    context: ServerContext, extra: Iterable[routing.Rule] = (), *, alone: bool = False
) -> web.Application:
    """The application with all its routes.

    Args:
        context: What handlers are given.
        extra: Further rules, asked before the ones of the API.
        alone: There are only these further ones, and those that tell how the server is.
    """
    given = {"context": context}

    def rule(matcher: routing.Matcher, handler: type[Handler]) -> routing.Rule:
        return routing.Rule(matcher, handler, given)

    rules = [
        *extra,
        rule(Exactly("/status"), StatusHandler),
        rule(Exactly("/ready"), ReadyHandler),
        rule(Exactly("/metrics"), MetricsHandler),
    ]
    if not alone:
        rules += [
            rule(On(V1, "PUT"), UploadHandler),
            rule(On(V1, "POST"), TransferHandler),
            rule(On(V1, "DELETE"), DeleteHandler),
            rule(On(V1), ReadHandler),
            *(rule(Exactly(path, *methods), handler) for path, methods, handler in V0),
            rule(Exactly("/openapi.json"), OpenApiHandler),
            *gateway_rules(context),
            *page_rules(context),
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
        own = Stream(
            stream.socket,
            max_buffer_size=stream.max_buffer_size,
            read_chunk_size=stream.read_chunk_size,
        )
        self._streams.add(own)
        super().handle_stream(own, address)

    async def close_all_connections(self) -> None:
        """Close what is open; an answer that is not complete is seen to be broken off."""
        for stream in list(self._streams):
            if stream.busy:
                stream.abort()
        await super().close_all_connections()
        await end_farewells()

    @cached_property
    def _streams(self) -> WeakSet[Stream]:
        return WeakSet()


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


def _logged_elsewhere(handler: web.RequestHandler) -> None:
    """Handlers log their own requests."""
