"""The answers, headers and parameters of the storage gateway API."""

from __future__ import annotations

from waterbutler.server.gateway.segments import COOKIE, ID, NUMBER, SEGMENT_COOKIE, SHA256, SIZE
from waterbutler.server.gateway.vocabulary import (
    SEGMENT_HEADER,
    VOCABULARIES,
    Operation,
    Vocabulary,
)
from waterbutler.server.openapi.parts import (
    BYTES,
    JSON_BODY,
    TEXT,
    Object,
    header_parameter,
    header_refs,
    path_parameter,
    query_parameter,
    record,
    ref,
    response,
)
from waterbutler.server.openapi.shared import required_header
from waterbutler.server.paging import MAX_PAGE

IDENTIFIER: Object = {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}
MILLISECONDS: Object = {"type": "integer", "description": "Milliseconds since 1970."}
COUNT: Object = {"type": "integer", "minimum": 0}

ERROR: Object = {
    "description": "Every error of the gateway API.",
    **record({"code": {"type": "integer"}, "message": TEXT}),
}
ERROR_HEADERS: Object = {
    "X-Status": {"description": "The status.", "required": True, "schema": TEXT},
    "X-Reason": {
        "description": "The message, in ASCII.",
        "required": True,
        "schema": TEXT,
    },
}
ADDED_HEADERS: Object = {
    words.page_header: {
        "description": "Asks for the next page; not there on the last one.",
        "schema": TEXT,
    }
    for words in VOCABULARIES
}
SECURITY: Object = {
    "gatewayAccess": {
        "type": "http",
        "scheme": "bearer",
        "description": "The access token of a session of the gateway API.",
    }
}
PARAMETERS: Object = {
    "content": path_parameter("content", "An id, or what the operation names.", TEXT),
    "page": query_parameter("page", "The token of the page; empty for the first one.", TEXT),
    "xUploadJson": {
        **header_parameter("X-Upload-Json", "Name, time and size of the file, as JSON.", TEXT),
        "required": True,
    },
    "xGatewayUpload": {
        **header_parameter(
            "X-Gateway-Upload",
            "Name (percent-encoded), time, size and SHA-256 of the file, as JSON.",
            TEXT,
        ),
        "required": True,
    },
    "xGatewayUploadSegment": {
        **header_parameter(SEGMENT_HEADER, "What the server said of the segment, as JSON.", TEXT),
        "required": True,
    },
}

_ALWAYS = (429, 500, 503)
_STORAGE = (401, 403, 404, 405, *_ALWAYS, 502, 504)
_FAILURES: dict[Operation, tuple[int, ...]] = {
    Operation.METHOD: _ALWAYS,
    Operation.SIGN_IN: (400, 403, 413, *_ALWAYS, 502, 504),
    Operation.REFRESH: (400, 403, 413, *_ALWAYS, 502, 504),
    Operation.SIGN_OUT: (404, 413, *_ALWAYS),
    Operation.DOWNLOAD: (400, 412, 416, *_STORAGE),
    Operation.DESCRIBE: _STORAGE,
    Operation.LIST: (400, *_STORAGE),
    Operation.DELETE: (413, *_STORAGE),
}
_CHANGE = (400, 409, 413, *_STORAGE, 507)

_FILE = header_refs(
    *("Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Security-Policy"),
    *("ETag", "Last-Modified", "Repr-Digest"),
)
_BYTES = "application/octet-stream"


def failures_of(wanted: Operation) -> tuple[int, ...]:
    """The statuses of an operation that are no success."""
    return _FAILURES.get(wanted, _CHANGE)


def answers_of(words: Vocabulary, name: str, wanted: Operation) -> Object:
    """The answers of an operation that are successes."""
    if wanted is Operation.DOWNLOAD:
        part = {**_FILE, **required_header("Content-Range")}
        return {
            "200": response("The file.", _FILE, {_BYTES: BYTES}),
            "206": response("A part of it.", part, {_BYTES: BYTES}),
            "304": response("The client has it already.", _FILE),
        }
    if wanted is Operation.THUMBNAIL:
        headers = header_refs("ETag", "Last-Modified", "Content-Length")
        bodies = {"image/png": BYTES, "image/jpeg": BYTES}
        return {"200": response("The picture.", headers, bodies)}
    headers = header_refs(words.page_header) if wanted is Operation.LIST else {}
    return {"200": response("Done.", headers, {JSON_BODY: _shown(words, name, wanted)})}


def _shown(words: Vocabulary, name: str, wanted: Operation) -> Object:
    """The JSON that an operation answers with."""
    prefix = f"Gateway{name.title()}"
    file, folder = ref("schemas", f"{prefix}File"), ref("schemas", f"{prefix}Folder")
    session, tokens = ref("schemas", f"{prefix}Session"), ref("schemas", f"{prefix}Tokens")
    either: Object = {"oneOf": [file, folder]}
    nothing: Object = {"type": "object", "maxProperties": 0}
    said: Object = {NUMBER: COUNT, SIZE: COUNT, SHA256: TEXT, SEGMENT_COOKIE: {}}
    shown: dict[Operation, Object] = {
        Operation.METHOD: _method(),
        Operation.SIGN_IN: session if words.refresh_shows_root else {"anyOf": [session, tokens]},
        Operation.REFRESH: tokens,
        Operation.SIGN_OUT: nothing,
        Operation.DESCRIBE: either,
        Operation.LIST: {"type": "array", "maxItems": MAX_PAGE, "items": either},
        Operation.MAKE_FOLDER: folder,
        Operation.MOVE: either,
        Operation.RENAME: either,
        Operation.DELETE: nothing,
        Operation.BEGIN: ref("schemas", "GatewayUpload"),
        Operation.SEGMENT: record({ID: TEXT, **said, COOKIE: {}}),
        Operation.CANCEL: nothing,
    }
    return shown.get(wanted, file)


def _method() -> Object:
    field = "gateway.auth.form.input.field"
    asked: Object = {
        f"{field}.prompt": TEXT,
        f"{field}.name": TEXT,
        f"{field}.required": {"type": "boolean"},
        f"{field}.order": {"type": "integer"},
    }
    form: Object = {"type": "array", "items": record(asked)}
    return record({"gateway.auth.method": {"const": "form"}, "gateway.auth.form": form})
