"""What all parts refer to: headers, errors, ways to sign in."""

from __future__ import annotations

from collections.abc import Mapping

from waterbutler.auth import COOKIE
from waterbutler.server import limits
from waterbutler.server.base import CSRF_HEADER
from waterbutler.server.openapi.parts import (
    JSON_BODY,
    REQUEST_ID,
    TEXT,
    Object,
    header_refs,
    record,
    ref,
    response,
)

STORAGE_ERRORS = (400, 401, 403, 404, 405, 429, 500, 502, 503, 504)
"""What may come whenever a storage is asked."""
FILE_HEADERS = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Length",
    "Content-Security-Policy",
    "ETag",
    "Last-Modified",
    "Repr-Digest",
)
"""What answers with a file carry."""
CONDITIONS = ("ifMatch", "ifNoneMatch", "ifModifiedSince", "ifUnmodifiedSince")
WRITE_CONDITIONS = ("ifMatch", "ifNoneMatch", "ifUnmodifiedSince")
DIGESTS = ("reprDigest", "contentDigest", "contentMd5")
"""Parameters by their names in the document: of reading, of writing, of uploads."""

_ERRORS: dict[int, tuple[str, str, tuple[str, ...]]] = {
    400: ("InvalidRequest", "The request makes no sense, whatever is stored.", ()),
    401: ("Unauthenticated", "Nobody is signed in, or the token is wrong.", ("WWW-Authenticate",)),
    403: ("Forbidden", "Who is signed in lacks the right.", ()),
    404: (
        "NotFound",
        "There is no such thing, or one of the other kind: the trailing slash says which is meant.",
        (),
    ),
    405: ("NotPossible", "The storage cannot do this.", ("Allow",)),
    409: ("NameTaken", "The name is taken.", ()),
    411: ("LengthRequired", "The body has no Content-Length and needs one.", ()),
    412: ("PreconditionFailed", "A condition in the headers does not hold.", ()),
    413: ("TooLarge", "The body is larger than this server or the storage takes.", ()),
    416: ("RangeNotSatisfiable", "The range lies outside of the file.", ("Content-Range",)),
    429: (
        "RateLimited",
        "Too many requests; try again later. The headers tell more of a limit of this server.",
        ("Retry-After", *limits.HEADERS, *limits.OLD_HEADERS),
    ),
    500: ("InternalError", "This server is at fault or badly configured.", ()),
    502: (
        "StorageFault",
        "The storage answered nonsense, or bytes were damaged.",
        ("Retry-After",),
    ),
    503: ("StorageUnavailable", "The storage cannot be reached now.", ("Retry-After",)),
    504: ("StorageTimeout", "The storage was silent for too long.", ("Retry-After",)),
    507: ("StorageFull", "The storage has no room left.", ("Retry-After",)),
}
"""For each status the name of its answer, when it comes, and the headers it may carry."""

_REQUIRED = frozenset({"Allow", "WWW-Authenticate", "Content-Range"})
"""Headers that an error carries always, where it may carry them."""

SCHEMAS: Object = {
    "Error": {
        "description": "Every error, whatever the URL.",
        **record(
            {
                "code": {"type": "integer", "description": "The status.", "examples": [404]},
                "message": {"type": "string", "description": "One sentence for the reader."},
            },
            {"message_long": {"type": "string", "description": "The same, for older clients."}},
        ),
    }
}


def _header(about: str, schema: Object | None = None, *, required: bool = False) -> Object:
    described: Object = {"description": about, "schema": schema or TEXT}
    if required:
        described["required"] = True
    return described


_COUNT: Object = {"type": "integer", "minimum": 0}

HEADERS: Object = {
    REQUEST_ID: _header(
        "Stands in the server's log as well.", {"type": "string", "format": "uuid"}, required=True
    ),
    "Accept-Ranges": _header("Parts of the file can be asked for.", {"const": "bytes"}),
    "Access-Control-Allow-Credentials": _header("Only where the origin is allowed."),
    "Access-Control-Allow-Headers": _header("Only where the origin is allowed."),
    "Access-Control-Allow-Methods": _header("Only where the origin is allowed."),
    "Access-Control-Allow-Origin": _header("The origin of the request, where it is allowed."),
    "Access-Control-Expose-Headers": _header("Only where the origin is allowed."),
    "Access-Control-Max-Age": _header("Seconds that this answer may be remembered."),
    "Allow": _header("The methods of this URL."),
    "Content-Disposition": _header("The name to save under (RFC 6266)."),
    "Content-Length": _header("Bytes of the body.", _COUNT),
    "Content-Range": _header(
        "Which bytes these are, and how many there are.",
        {"type": "string", "pattern": r"^bytes (\d+-\d+|\*)/\d+$"},
    ),
    "Content-Security-Policy": _header("What a page that is shown in spite of all may do."),
    "ETag": _header(
        "Names the content that was answered, in quotes.",
        {"type": "string", "pattern": '^"[^"]+"$'},
    ),
    "Last-Modified": _header("When the file was changed."),
    "Location": _header("Where to go on.", {"type": "string", "format": "uri-reference"}),
    "RateLimit-Limit": _header("How many requests are allowed in a window.", _COUNT),
    "RateLimit-Remaining": _header("How many of them are left.", _COUNT),
    "RateLimit-Reset": _header("Seconds until all of them are there again.", _COUNT),
    "Repr-Digest": _header("Digests of the whole file, where they are known (RFC 9530)."),
    "Retry-After": _header("Seconds to wait, where this server or the storage knows it.", _COUNT),
    "WWW-Authenticate": _header("How to sign in."),
    "X-Waterbutler-Metadata": _header("The file or folder as JSON, with only ASCII characters."),
    "X-Waterbutler-RateLimiting-Limit": _header("The same as RateLimit-Limit.", _COUNT),
    "X-Waterbutler-RateLimiting-Remaining": _header("The same as RateLimit-Remaining.", _COUNT),
    "X-Waterbutler-RateLimiting-Reset": _header(
        "When all requests are there again.", {"type": "string", "format": "date-time"}
    ),
    "X-Waterbutler-RateLimiting-Window": _header("The seconds of a window.", _COUNT),
}

SECURITY: Object = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A user's token."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "Any user name, and the token as the password.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": (
            "The session of a browser. A write on the strength of it needs an Origin of this "
            f"server, or the session's token in the header {CSRF_HEADER}."
        ),
    },
    "cookie": {
        "type": "apiKey",
        "in": "query",
        "name": "cookie",
        "description": "The value of a session cookie, for clients that cannot send cookies.",
    },
    "view_only": {
        "type": "apiKey",
        "in": "query",
        "name": "view_only",
        "description": "The key of a link that gives the right to read.",
    },
}

_ERROR: dict[str, Object] = {JSON_BODY: ref("schemas", "Error")}
_NO_HEADERS: Object = {}

_EACH: list[Object] = [{name: []} for name in SECURITY]
ANY_SIGN_IN: tuple[Object, ...] = (*_EACH, {})
"""One of them, or none where everybody is allowed."""


def required_header(name: str) -> Object:
    """A header that an answer carries always."""
    described = HEADERS[name]
    assert isinstance(described, dict)
    return {name: {**described, "required": True}}


def error_responses() -> Object:
    """The components that `errors` refers to; a dialect that shows what has a name adds its own."""
    return {
        name: _error(status, _ERROR, {})
        for status, (name, _, _) in _ERRORS.items()
        if status != 409
    }


def errors(*statuses: int) -> Object:
    """The answers for these statuses, as JSON."""
    return {str(status): ref("responses", _ERRORS[status][0]) for status in statuses}


def own_errors(
    *statuses: int, bodies: Mapping[str, Object] | None = None, headers: Object = _NO_HEADERS
) -> Object:
    """The answers for these statuses where they are not as usual.

    Args:
        statuses: The statuses.
        bodies: For each media type the schema of the body; none for HEAD.
        headers: Further headers.
    """
    return {str(status): _error(status, bodies, headers) for status in statuses}


def without_bodies(answers: Object) -> Object:
    """The answers to HEAD where these are the answers to GET."""
    return {
        status: {key: value for key, value in answer.items() if key != "content"}
        for status, answer in answers.items()
        if isinstance(answer, dict)
    }


def _error(status: int, bodies: Mapping[str, Object] | None, headers: Object) -> Object:
    _, about, names = _ERRORS[status]
    own = header_refs(*(name for name in names if name not in _REQUIRED))
    for name in names:
        if name in _REQUIRED:
            own |= required_header(name)
    return response(about, {**headers, **own}, bodies)


def preflight() -> Object:
    """The answers to OPTIONS."""
    names = [name for name in HEADERS if name.startswith("Access-Control-")]
    about = "The methods; and what pages of other origins may do, where the origin is allowed."
    return {"204": response(about, {**required_header("Allow"), **header_refs(*names)})}
