"""Which URL of the host is answered by which handler."""

from __future__ import annotations

import re
from typing import Any

from tornado import httputil, routing

from waterbutler.host import OSFSTORAGE, Host
from waterbutler.server.context import ServerContext
from waterbutler.server.host.base import AuthEndpoint, HostHandler, LogEndpoint
from waterbutler.server.host.hooks import HookHandler

_API = "/host/api/v1"


class _Matching(routing.Matcher):
    """Matches the raw path, so that an encoded slash is no separator."""

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern)

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """See `tornado.routing.Matcher.match`."""
        path = (request.uri or "").partition("?")[0]
        return {} if self._pattern.fullmatch(path) else None


def host_rules(context: ServerContext, host: Host) -> list[routing.Rule]:
    """The routes of the embedded host."""
    handlers: tuple[tuple[str, type[HostHandler]], ...] = (
        (f"{_API}/files/auth/?", AuthEndpoint),
        (f"{_API}/project/[^/]+/waterbutler/logs/?", LogEndpoint),
        (f"{_API}/[^/]+/{OSFSTORAGE}(/.*)?", HookHandler),
    )
    given = {"context": context, "host": host}
    return [routing.Rule(_Matching(pattern), handler, given) for pattern, handler in handlers]
