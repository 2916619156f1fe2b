"""The v0 API: what is left of it for old clients."""

from __future__ import annotations

from copy import deepcopy

from waterbutler.core import JSON
from waterbutler.server.context import ServerOptions
from waterbutler.server.openapi.parameters import RELAYED
from waterbutler.server.openapi.parts import (
    ANY_TYPE,
    ANYTHING,
    BYTES,
    JSON_BODY,
    TEXT,
    Object,
    Part,
    content,
    header_refs,
    operation,
    query_parameter,
    record,
    ref,
    response,
)
from waterbutler.server.openapi.schemas import SCHEMAS as V1_SCHEMAS
from waterbutler.server.openapi.schemas import WORD
from waterbutler.server.openapi.shared import (
    ANY_SIGN_IN,
    CONDITIONS,
    DIGESTS,
    FILE_HEADERS,
    STORAGE_ERRORS,
    WRITE_CONDITIONS,
    own_errors,
    preflight,
    required_header,
)

TAG = "v0"

_ABOUT = """\
The first version of the API, deprecated since 2017 and replaced by v1. Everything is named by \
parameters, and what is shown is flat: the `attributes` of v1. Every answer carries `Deprecation` \
(RFC 9745)."""

_NAME = r"(?!\.{1,2}(/|$))[^/\u0000]{1,255}"
_FILE_PATH = rf"^(/{_NAME})+$"
_NEW_FOLDER_PATH = rf"^/({_NAME}/)+$"
_ANY_PATH = rf"^/({_NAME}/)*({_NAME})?$"

_STORED = (*STORAGE_ERRORS, 409, 411, 413, 507)
_PLACE = ("nid", "storage")

_DEPRECATED: Object = {
    "Deprecation": {
        "description": "Since when this is deprecated (RFC 9745).",
        "required": True,
        "schema": {"type": "string", "pattern": "^@[0-9]+$"},
    },
    "Link": {
        "description": "This document, and the same thing in v1 as `successor-version`.",
        "required": True,
        "schema": TEXT,
    },
}


def part(_options: ServerOptions) -> Part:
    """The v0 part of the document."""
    return Part(
        tag=TAG,
        about=_ABOUT,
        paths={
            "/file": {
                "get": _download(),
                "put": _upload(),
                "post": _make_folder(),
                "delete": _delete(),
                "options": _options_of("LegacyFile"),
            },
            "/data": _reading("LegacyData", _data()),
            "/revisions": _reading("LegacyRevisions", _revisions()),
            "/zip": _reading("LegacyZip", _zip()),
            "/ops/copy": _transfer("LegacyCopy", "Copy a file or folder"),
            "/ops/move": _transfer("LegacyMove", "Move a file or folder"),
        },
        schemas=_schemas(),
        parameters=_parameters(),
    )


def _parameters() -> Object:
    def path(about: str, pattern: str) -> Object:
        return query_parameter("path", about, {"type": "string", "pattern": pattern}, required=True)

    return {
        "nid": query_parameter("nid", "The resource.", WORD, required=True),
        "storage": query_parameter(
            "provider", "The name of one of the resource's storages.", WORD, required=True
        ),
        "legacyPath": path("A file, or a folder with its last slash.", _ANY_PATH),
        "legacyFile": path("A file; it may end with a name in a folder.", _FILE_PATH),
        "legacyFolder": path("The new folder, with its last slash.", _NEW_FOLDER_PATH),
        "acceptUrl": query_parameter(
            "accept_url",
            "Whether the storage may be named to send the file itself.",
            {"type": "string", "enum": ["true", "false"], "default": "true"},
        ),
        "confirmRoot": query_parameter(
            "confirm_delete",
            "With `1`: everything in the storage is to be deleted, where `path` is its root.",
            TEXT,
        ),
    }


def _schemas() -> Object:
    file = _flat("FileAttributes", ("resource",))
    folder = _flat("FolderAttributes", ("resource", "size", "sizeInt"))
    children: Object = {"type": "array", "items": _either("FlatFile", "FlatFolder")}
    version = V1_SCHEMAS["Version"]
    assert isinstance(version, dict)
    members = version["properties"]
    assert isinstance(members, dict)
    return {
        "FlatFile": file,
        "FlatFolder": folder,
        "FlatMovedFolder": _with(folder, "children", children),
        "FlatData": record(
            {
                "data": {
                    "description": "A file, or what is in a folder.",
                    "anyOf": [ref("schemas", "FlatFile"), children],
                }
            }
        ),
        "FlatVersions": record(
            {"data": {"type": "array", "items": deepcopy(members["attributes"])}}
        ),
        "FlatConflict": record(
            {
                "code": {"const": 409},
                "message": TEXT,
                "data": {"anyOf": [*_refs("FlatFile", "FlatFolder"), {"type": "null"}]},
            }
        ),
        "LegacyTransfer": _ops(),
    }


def _ops() -> Object:
    """The document of a copy or move."""
    cookie: Object = {
        "type": ["string", "null"],
        "description": "A session for this end, instead of the one in the query.",
    }

    def end(about: str) -> Object:
        path: Object = {"type": "string", "pattern": _ANY_PATH}
        return {
            "description": about,
            **record({"nid": WORD, "provider": WORD, "path": path}, {"cookie": cookie}),
        }

    conflict: Object = {
        "type": ["string", "null"],
        "enum": ["warn", "replace", "keep", "", None],
        "default": "replace",
    }
    name: Object = {
        "description": "The new name; not where the destination names the file itself.",
        "anyOf": [ref("schemas", "Name"), {"type": ["string", "null"], "maxLength": 0}],
    }
    about = "With its last slash the folder to go to, else the new place of the file itself."
    return record(
        {"source": end("What is copied or moved."), "destination": end(about)},
        {"rename": name, "conflict": conflict},
    )


def _download() -> Object:
    ranged = {
        **header_refs(*FILE_HEADERS),
        **required_header("ETag"),
        **required_header("Content-Range"),
    }
    validators = {**required_header("ETag"), **header_refs("Last-Modified")}
    answers: Object = {
        "200": _answer("The file.", {ANY_TYPE: ANYTHING}, header_refs(*FILE_HEADERS)),
        "206": _answer("The part that was asked for.", {ANY_TYPE: ANYTHING}, ranged),
        "302": _answer("The storage sends the file itself.", None, required_header("Location")),
        "304": _answer("The client has this state of the file already.", None, validators),
    }
    parameters = (
        *("legacyFile", "acceptUrl", "version", "revision", "displayName", "mode"),
        *("range", "ifRange", *CONDITIONS, "wantReprDigest"),
    )
    return _operation(
        "getLegacyFile", "Download a file", answers, (*STORAGE_ERRORS, 412, 416), parameters
    )


def _upload() -> Object:
    answers: Object = {
        "200": _answer("The file had been there.", {JSON_BODY: ref("schemas", "FlatFile")}),
        "201": _answer("The file is new.", {JSON_BODY: ref("schemas", "FlatFile")}),
    }
    body: Object = {
        "description": "The content. Any media type is taken; forms are not read.",
        "content": content({"application/octet-stream": BYTES}),
    }
    parameters = ("legacyFile", *DIGESTS, *WRITE_CONDITIONS, "csrfToken")
    return _operation(
        "putLegacyFile", "Make or replace a file", answers, (*_STORED, 412), parameters, body
    )


def _make_folder() -> Object:
    answers: Object = {
        "201": _answer("The folder is new.", {JSON_BODY: ref("schemas", "FlatFolder")})
    }
    parameters = ("legacyFolder", "csrfToken")
    return _operation("postLegacyFile", "Make a folder", answers, _STORED, parameters)


def _delete() -> Object:
    answers: Object = {"204": _answer("It is gone.", None)}
    parameters = ("legacyPath", "confirmRoot", *WRITE_CONDITIONS, "csrfToken")
    return _operation(
        "deleteLegacyFile", "Delete a file or folder", answers, (*STORAGE_ERRORS, 412), parameters
    )


def _data() -> Object:
    answers: Object = {"200": _answer("It.", {JSON_BODY: ref("schemas", "FlatData")})}
    parameters = ("legacyPath", "version", "revision", "mode")
    return _operation(
        "getLegacyData", "Describe a file, or list a folder", answers, STORAGE_ERRORS, parameters
    )


def _revisions() -> Object:
    answers: Object = {"200": _answer("Newest first.", {JSON_BODY: ref("schemas", "FlatVersions")})}
    return _operation(
        "getLegacyRevisions",
        "List the versions of a file",
        answers,
        STORAGE_ERRORS,
        ("legacyFile",),
    )


def _zip() -> Object:
    headers = header_refs("Content-Disposition")
    answers: Object = {"200": _answer("The archive.", {"application/zip": BYTES}, headers)}
    return _operation(
        "getLegacyZip",
        "Download a folder, or a single file, as an archive",
        answers,
        STORAGE_ERRORS,
        ("legacyPath",),
    )


def _transfer(name: str, summary: str) -> Object:
    moved = {JSON_BODY: _either("FlatFile", "FlatMovedFolder")}
    answers: Object = {
        "200": _answer("Something was replaced.", moved),
        "201": _answer("The new place was free.", moved),
    }
    body: Object = {
        "required": True,
        "content": content({JSON_BODY: ref("schemas", "LegacyTransfer")}),
    }
    post = _operation(
        f"post{name}", summary, answers, _STORED, ("csrfToken",), body, in_query=False
    )
    return {"post": post, "options": _options_of(name)}


def _reading(name: str, get: Object) -> Object:
    return {"get": get, "options": _options_of(name)}


def _operation(
    id: str,
    summary: str,
    answers: Object,
    failures: tuple[int, ...],
    parameters: tuple[str, ...],
    body: Object | None = None,
    *,
    in_query: bool = True,
) -> Object:
    described = operation(
        id,
        summary,
        TAG,
        {**answers, **_errors(*failures)},
        parameters=(*(_PLACE if in_query else ()), *parameters, *RELAYED),
        body=body,
        security=ANY_SIGN_IN,
    )
    return {**described, "deprecated": True}


def _errors(*statuses: int) -> Object:
    usual = own_errors(
        *(status for status in statuses if status != 409),
        bodies={JSON_BODY: ref("schemas", "Error")},
        headers=_DEPRECATED,
    )
    taken = {JSON_BODY: ref("schemas", "FlatConflict")}
    return {**usual, **own_errors(*{409} & {*statuses}, bodies=taken, headers=_DEPRECATED)}


def _options_of(name: str) -> Object:
    answers = preflight()
    answer = answers["204"]
    assert isinstance(answer, dict)
    headers = answer["headers"]
    assert isinstance(headers, dict)
    described: Object = {"204": {**answer, "headers": {**headers, **_DEPRECATED}}}
    options = operation(f"options{name}", "What can be done here", TAG, described)
    return {**options, "deprecated": True}


def _answer(about: str, bodies: dict[str, Object] | None, headers: Object | None = None) -> Object:
    return response(about, {**_DEPRECATED, **(headers or {})}, bodies)


def _flat(name: str, without: tuple[str, ...]) -> Object:
    """The attributes of v1 as v0 shows them."""
    attributes = V1_SCHEMAS[name]
    assert isinstance(attributes, dict)
    members = attributes["properties"]
    assert isinstance(members, dict)
    return record({key: deepcopy(it) for key, it in members.items() if key not in without})


def _with(schema: Object, name: str, member: Object) -> Object:
    members = schema["properties"]
    assert isinstance(members, dict)
    return record({**deepcopy(members), name: member})


def _refs(*names: str) -> list[JSON]:
    return [ref("schemas", name) for name in names]


def _either(*names: str) -> Object:
    return {"oneOf": _refs(*names)}
