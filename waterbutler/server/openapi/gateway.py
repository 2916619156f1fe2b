"""The storage gateway API: one part of the document, made of both vocabularies."""

from __future__ import annotations

from waterbutler.server.gateway.segments import (
    COOKIE,
    EXPIRATION,
    ID,
    NUMBER,
    SEGMENT,
    SEGMENT_COOKIE,
    SHA256,
    SIZE,
)
from waterbutler.server.gateway.vocabulary import FIRST, SECOND, Operation, Vocabulary
from waterbutler.server.openapi.gatewayparts import (
    ADDED_HEADERS,
    COUNT,
    ERROR,
    ERROR_HEADERS,
    IDENTIFIER,
    MILLISECONDS,
    PARAMETERS,
    SECURITY,
    answers_of,
    failures_of,
)
from waterbutler.server.openapi.parts import (
    ANY_TYPE,
    BYTES,
    JSON_BODY,
    TEXT,
    Object,
    Part,
    content,
    nullable,
    operation,
    record,
    ref,
)
from waterbutler.server.openapi.shared import own_errors, preflight, without_bodies

TAG = "gateway"

_ABOUT = """\
The storage gateway API of odrive, in two vocabularies that do the same. All of these URLs are \
also below `/gateway/<resource>/<provider>`, for that storage only. Without an id the root is \
meant."""

_SUMMARIES: dict[Operation, str] = {
    Operation.METHOD: "How to sign in",
    Operation.SIGN_IN: "Sign in",
    Operation.REFRESH: "New tokens",
    Operation.SIGN_OUT: "Sign out",
    Operation.DOWNLOAD: "Download a file",
    Operation.THUMBNAIL: "A small picture of a file",
    Operation.DESCRIBE: "Metadata of a file or folder",
    Operation.LIST: "What is in a folder",
    Operation.MAKE_FOLDER: "New folder",
    Operation.DELETE: "Delete",
    Operation.MOVE: "Move",
    Operation.RENAME: "Rename",
    Operation.UPLOAD: "Upload a new file",
    Operation.UPDATE: "Upload a file that exists",
    Operation.BEGIN: "Begin an upload in segments",
    Operation.SEGMENT: "Send a segment",
    Operation.CANCEL: "Give up an upload in segments",
    Operation.FINISH_UPLOAD: "Finish a new file",
    Operation.FINISH_UPDATE: "Finish a file that exists",
}
_OPEN = frozenset({Operation.METHOD, Operation.SIGN_IN, Operation.REFRESH, Operation.SIGN_OUT})
"""What nobody needs to be signed in for."""
_WITHOUT_ID = frozenset({Operation.METHOD, Operation.SIGN_IN, Operation.REFRESH, Operation.BEGIN})
_RAW = frozenset({Operation.UPLOAD, Operation.UPDATE, Operation.SEGMENT})
_BOTH = ((FIRST, "first"), (SECOND, "second"))


def part() -> Part:
    """The part of the document about the gateway API."""
    paths: Object = {}
    schemas: Object = {"GatewayError": ERROR}
    for words, name in _BOTH:
        paths |= _paths(words, name)
        schemas |= _schemas(words, name)
    return Part(
        tag=TAG,
        about=_ABOUT,
        paths=paths,
        schemas=schemas,
        parameters=PARAMETERS,
        headers=ADDED_HEADERS,
        security=SECURITY,
    )


def _paths(words: Vocabulary, name: str) -> Object:
    """The paths of one vocabulary; endpoints are there with an id, without one, or both."""
    paths: Object = {}
    for endpoint, operations in words.endpoints.items():
        for with_id in (False, True):
            here = {
                method: wanted
                for method, wanted in operations.items()
                if (wanted not in _WITHOUT_ID) == with_id
            }
            if here:
                path = f"/v2/{endpoint}/{{content}}" if with_id else f"/v2/{endpoint}"
                paths[path] = _path(words, name, endpoint, here, with_id=with_id)
    return paths


def _path(
    words: Vocabulary,
    name: str,
    endpoint: str,
    operations: dict[str, Operation],
    *,
    with_id: bool,
) -> Object:
    item: Object = {"parameters": [ref("parameters", "content")]} if with_id else {}
    for method, wanted in operations.items():
        item[method.lower()] = _operation(words, name, method, wanted)
    last = "".join(piece.title() for piece in endpoint.split("_")) + ("Item" if with_id else "")
    item["options"] = operation(
        f"optionsGateway{name.title()}{last}", "What can be done here", TAG, preflight()
    )
    return item


def _operation(words: Vocabulary, name: str, method: str, wanted: Operation) -> Object:
    id = "".join(piece.title() for piece in wanted.name.split("_"))
    head = method == "HEAD"
    answers = answers_of(words, name, wanted)
    if head:
        answers = without_bodies(answers)
    bodies = None if head else {JSON_BODY: ref("schemas", "GatewayError")}
    failures = own_errors(*failures_of(wanted), bodies=bodies, headers=ERROR_HEADERS)
    return operation(
        ("head" if head else "do") + f"Gateway{name.title()}{id}",
        _SUMMARIES[wanted] + (", in headers" if head else ""),
        TAG,
        {**answers, **failures},
        parameters=_parameters(words, wanted),
        body=_body(words, wanted),
        security=() if wanted in _OPEN else ({"gatewayAccess": []},),
    )


def _parameters(words: Vocabulary, wanted: Operation) -> tuple[str, ...]:
    match wanted:
        case Operation.LIST:
            return ("page",)
        case Operation.DOWNLOAD:
            return ("range", "ifRange", "ifMatch", "ifNoneMatch", "ifModifiedSince")
        case Operation.UPLOAD | Operation.UPDATE:
            return ("xUploadJson",) if words is FIRST else ("xGatewayUpload",)
        case Operation.SEGMENT:
            return ("xGatewayUploadSegment",)
        case _:
            return ()


def _body(words: Vocabulary, wanted: Operation) -> Object | None:
    if wanted in _RAW:
        return {"required": True, "content": content({ANY_TYPE: BYTES})}
    schema = _request(words, wanted)
    if schema is None:
        return None
    return {"required": True, "content": content({JSON_BODY: schema})}


def _request(words: Vocabulary, wanted: Operation) -> Object | None:
    """The JSON that a request sends."""
    name, parent = {words.new_name: TEXT}, {words.new_parent: IDENTIFIER}
    refresh = {words.refresh_token: TEXT}
    match wanted:
        case Operation.SIGN_IN:
            credential = record({"token": TEXT}, {"resource": TEXT, "provider": TEXT})
            return {"anyOf": [credential, record(refresh)]}
        case Operation.REFRESH:
            return record(refresh)
        case Operation.MAKE_FOLDER:
            return record({words.name: TEXT}, {words.modified: MILLISECONDS})
        case Operation.RENAME:
            return record(name, {words.old_name: TEXT} if words.old_name else None)
        case Operation.MOVE:
            return record(parent, {words.old_parent: IDENTIFIER} if words.old_parent else None)
        case Operation.BEGIN | Operation.FINISH_UPLOAD | Operation.FINISH_UPDATE:
            return _segmented(words, wanted)
        case _:
            return None


def _segmented(words: Vocabulary, wanted: Operation) -> Object:
    """What is said of a file that comes in segments."""
    size: Object = {words.size: COUNT}
    modified: Object = {words.modified: MILLISECONDS}
    digest: Object = {words.sha256: TEXT} if words.sha256 else {}
    segments: Object = {"type": "array", "items": ref("schemas", "GatewaySegment")}
    if wanted is Operation.BEGIN:
        assert words.parent is not None
        where: Object = {words.id: TEXT, words.parent: TEXT, words.name: TEXT}
        return record({**size, **modified, SEGMENT: segments}, {**where, **digest})
    name: Object = {words.name: TEXT} if wanted is Operation.FINISH_UPLOAD else {}
    return record({ID: TEXT}, {**name, **size, **modified, **digest, SEGMENT: segments, COOKIE: {}})


def _schemas(words: Vocabulary, name: str) -> Object:
    """What one vocabulary shows."""
    prefix = f"Gateway{name.title()}"
    common: Object = {words.id: IDENTIFIER, words.name: TEXT}
    if words.parent is not None:
        common[words.parent] = nullable(IDENTIFIER)
    dated: Object = {words.modified: nullable(MILLISECONDS)}
    size: Object = {words.size: nullable(COUNT)}
    file = record({**common, words.kind: {"const": "file"}, **dated, **size, words.etag: TEXT})
    folder = record(
        {**common, words.kind: {"const": "folder"}, **(dated if words.folders_are_dated else {})}
    )
    tokens: Object = {words.access_token: TEXT, words.refresh_token: TEXT}
    session: Object = {**tokens, words.root: IDENTIFIER}
    if words.account is not None:
        session[words.account] = TEXT
    if words.segment_size is not None:
        session[words.segment_size] = {"type": "integer", "minimum": 1}
    shown: Object = {
        f"{prefix}File": file,
        f"{prefix}Folder": folder,
        f"{prefix}Session": record(session),
    }
    if not words.refresh_shows_root:
        shown[f"{prefix}Tokens"] = record(tokens)
    if words.segment_size is not None:
        said: Object = {NUMBER: COUNT, SIZE: COUNT, SHA256: TEXT}
        shown["GatewaySegment"] = record(said, {SEGMENT_COOKIE: {}})
        shown["GatewayUpload"] = record(
            {
                ID: TEXT,
                SEGMENT: {"type": "array", "items": ref("schemas", "GatewaySegment")},
                COOKIE: {},
                EXPIRATION: MILLISECONDS,
            }
        )
    return shown
