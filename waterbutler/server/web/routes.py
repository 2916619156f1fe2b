"""Which URLs the pages have."""

from __future__ import annotations

from typing import Any

from tornado import httputil, routing

from waterbutler.server.base import Handler
from waterbutler.server.context import ServerContext
from waterbutler.server.web.browse import BrowseHandler
from waterbutler.server.web.change import ChangeHandler
from waterbutler.server.web.home import HomeHandler
from waterbutler.server.web.static import StaticFileHandler
from waterbutler.server.web.upload import UploadHandler

_FILES = r"/files/.*"


class Posted(routing.PathMatches):
    """Matches the forms that are sent to a path; ``kind`` is how they are encoded."""

    def __init__(self, pattern: str, kind: str = "") -> None:
        super().__init__(pattern)
        self._kind = kind

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        """See `tornado.routing.Matcher.match`."""
        kind = request.headers.get("Content-Type", "").lower()
        if request.method != "POST" or not kind.startswith(self._kind):
            return None
        return super().match(request)


def page_rules(context: ServerContext) -> list[routing.Rule]:
    """The rules of all pages."""
    handlers: list[tuple[routing.Matcher, type[Handler]]] = [
        (routing.PathMatches(r"/"), HomeHandler),
        (Posted(_FILES, "multipart/form-data"), UploadHandler),
        (Posted(_FILES), ChangeHandler),
        (routing.PathMatches(_FILES), BrowseHandler),
        (routing.PathMatches(r"/static/.*"), StaticFileHandler),
    ]
    return [routing.Rule(matcher, handler, {"context": context}) for matcher, handler in handlers]
