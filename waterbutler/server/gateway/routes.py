"""Which URL of the gateway API is answered by which handler."""

from __future__ import annotations

from typing import Any

from tornado import httputil, routing

from waterbutler.server.context import ServerContext
from waterbutler.server.gateway.auth import AuthHandler
from waterbutler.server.gateway.base import GatewayHandler
from waterbutler.server.gateway.change import ChangeHandler
from waterbutler.server.gateway.content import ContentHandler
from waterbutler.server.gateway.read import ReadHandler
from waterbutler.server.gateway.route import is_gateway, parse_route
from waterbutler.server.gateway.segments import SegmentHandler, SegmentsHandler
from waterbutler.server.gateway.upload import UploadHandler
from waterbutler.server.gateway.vocabulary import Operation

_HANDLERS: tuple[tuple[type[GatewayHandler], frozenset[Operation]], ...] = (
    (
        AuthHandler,
        frozenset({Operation.METHOD, Operation.SIGN_IN, Operation.REFRESH, Operation.SIGN_OUT}),
    ),
    (ContentHandler, frozenset({Operation.DOWNLOAD, Operation.THUMBNAIL})),
    (ReadHandler, frozenset({Operation.DESCRIBE, Operation.LIST})),
    (
        ChangeHandler,
        frozenset({Operation.MAKE_FOLDER, Operation.DELETE, Operation.MOVE, Operation.RENAME}),
    ),
    (UploadHandler, frozenset({Operation.UPLOAD, Operation.UPDATE})),
    (SegmentHandler, frozenset({Operation.SEGMENT})),
    (
        SegmentsHandler,
        frozenset(
            {
                Operation.BEGIN,
                Operation.CANCEL,
                Operation.FINISH_UPLOAD,
                Operation.FINISH_UPDATE,
            }
        ),
    ),
)


class _For(routing.Matcher):
    """Matches the raw targets of some operations."""

    def __init__(self, operations: frozenset[Operation], prefix: str) -> None:
        self._operations = operations
        self._prefix = prefix

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """See `tornado.routing.Matcher.match`."""
        route = parse_route(request.uri or "", self._prefix)
        if route is None:
            return None
        return {} if route.operations.get(request.method or "") in self._operations else None


class _Rest(routing.Matcher):
    """Matches what is left of this API, so that it is refused in its own words."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """See `tornado.routing.Matcher.match`."""
        return {} if is_gateway(request.uri or "", self._prefix) else None


def gateway_rules(context: ServerContext) -> list[routing.Rule]:
    """The rules of the gateway API; none where it is switched off."""
    if context.gateway is None:
        return []
    prefix = context.gateway.prefix
    rules: list[tuple[routing.Matcher, type[GatewayHandler]]] = [
        *((_For(operations, prefix), handler) for handler, operations in _HANDLERS),
        (_Rest(prefix), GatewayHandler),
    ]
    return [routing.Rule(matcher, handler, {"context": context}) for matcher, handler in rules]
