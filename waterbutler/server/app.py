"""The routes, and the HTTP server around them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tornado import httputil, routing

from waterbutler.core.errors import NotFound
from waterbutler.server.base import Handler
from waterbutler.server.context import ServerContext, ServerOptions
from waterbutler.server.gateway.routes import gateway_rules
from waterbutler.server.health import MetricsHandler, ReadyHandler, StatusHandler
from waterbutler.server.http1 import Connection, ConnectionOptions, Request, Server
from waterbutler.server.openapi import OpenApiHandler
from waterbutler.server.v0.handlers import ROUTES as V0
from waterbutler.server.v1.change import DeleteHandler, TransferHandler
from waterbutler.server.v1.commands import PREFIX as V1
from waterbutler.server.v1.read import ReadHandler
from waterbutler.server.v1.upload import UploadHandler
from waterbutler.server.web.routes import page_rules


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


class Application:
    """Finds what answers a request.

    Args:
        rules: Which requests are answered by which handlers; the first that matches counts.
        context: What handlers are given.
    """

    def __init__(self, rules: Sequence[routing.Rule], context: ServerContext) -> None:
        self.rules = tuple(rules)
        """The rules, in their order."""
        self._rules = [(rule.matcher.match, rule.target, rule.target_kwargs) for rule in rules]
        self._context = context

    def __call__(self, request: Request, connection: Connection) -> Handler:
        """What answers a request that came by a connection."""
        for matches, target, given in self._rules:
            if matches(request) is not None:
                handler: Handler = target(request, connection, **given)
                return handler
        return NoSuchUrl(request, connection, self._context)


def make_application(
    context: ServerContext, extra: Iterable[routing.Rule] = (), *, alone: bool = False
) -> Application:
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
    return Application(rules, context)


def make_server(application: Application, options: ServerOptions) -> Server:
    """The server for an application.

    Bodies have no limit here: handlers have limits of their own and say so in their answers.
    """
    return Server(
        application,
        ConnectionOptions(idle_seconds=options.idle_seconds, trust_proxy=options.trust_proxy),
    )
