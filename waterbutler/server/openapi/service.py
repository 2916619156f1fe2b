"""What the server says about itself."""

from __future__ import annotations

from waterbutler.server.context import ServerOptions
from waterbutler.server.openapi.parts import (
    JSON_BODY,
    TEXT,
    Object,
    Part,
    operation,
    record,
    ref,
    response,
)
from waterbutler.server.openapi.shared import (
    HEADERS,
    SCHEMAS,
    SECURITY,
    error_responses,
    errors,
    own_errors,
    preflight,
    required_header,
    without_bodies,
)

TAG = "server"
PATH = "/openapi.json"

_REASONS: Object = {"type": "array", "items": TEXT}
_FAILURES = (400, 500)


def part(_options: ServerOptions) -> Part:
    """The server's own part of the document, and what all parts share."""
    return Part(
        tag=TAG,
        about="The server itself. No rights are needed.",
        paths={
            "/status": _status(),
            "/ready": _ready(),
            "/metrics": _metrics(),
            PATH: _description(),
        },
        schemas={
            **SCHEMAS,
            "Status": record({"status": {"const": "up"}, "version": TEXT}),
            "Ready": record(
                {"status": {"const": "ready"}, "reasons": {"type": "array", "maxItems": 0}}
            ),
            "NotReady": record(
                {
                    "code": {"const": 503},
                    "message": TEXT,
                    "status": {"const": "unavailable"},
                    "reasons": _REASONS,
                }
            ),
        },
        headers=HEADERS,
        responses=error_responses(),
        security=SECURITY,
    )


def _read_only(
    name: str, summary: str, answers: Object, parameters: tuple[str, ...] = ()
) -> Object:
    """GET, HEAD and OPTIONS of a document; HEAD answers as GET does, without bodies."""
    return {
        "get": operation(
            f"get{name}", summary, TAG, {**answers, **errors(*_FAILURES)}, parameters=parameters
        ),
        "head": operation(
            f"head{name}",
            f"{summary}, in headers",
            TAG,
            {**without_bodies(answers), **own_errors(*_FAILURES)},
            parameters=parameters,
        ),
        "options": operation(f"options{name}", "What can be done here", TAG, preflight()),
    }


def _status() -> Object:
    up = response("The process is there.", bodies={JSON_BODY: ref("schemas", "Status")})
    return _read_only("Status", "Whether the process is there", {"200": up})


def _ready() -> Object:
    return _read_only(
        "Ready",
        "Whether the server can serve",
        {
            "200": response("It can.", bodies={JSON_BODY: ref("schemas", "Ready")}),
            "503": response("It cannot.", bodies={JSON_BODY: ref("schemas", "NotReady")}),
        },
    )


def _metrics() -> Object:
    series = response("The series.", bodies={"text/plain": TEXT})
    return _read_only("Metrics", "Numbers for Prometheus", {"200": series})


def _description() -> Object:
    etag = required_header("ETag")
    return _read_only(
        "Description",
        "This document",
        {
            "200": response("It.", etag, {JSON_BODY: {"type": "object", "required": ["openapi"]}}),
            "304": response("The client has it already.", etag),
        },
        ("ifNoneMatch",),
    )
