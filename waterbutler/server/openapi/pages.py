"""The pages for people, in brief: their forms come with them and are for browsers only."""

from __future__ import annotations

from waterbutler.server.context import ServerOptions
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
from waterbutler.server.openapi.shared import (
    SECURITY,
    STORAGE_ERRORS,
    errors,
    own_errors,
    preflight,
    required_header,
    without_bodies,
)

TAG = "pages"
STORAGE = "/files/{resource}/{provider}"
FOLDER = STORAGE + "/{folder}/"
FILE = STORAGE + "/{file}"

_ABOUT = """\
The file browser. Its forms carry a token (`csrf`) that belongs to the browser's cookies. Errors \
are pages for who asks for HTML, and JSON for everybody else."""

_HTML = "text/html"
_ERROR: dict[str, Object] = {JSON_BODY: ref("schemas", "Error"), _HTML: TEXT}
_HEADERS = (
    "Content-Security-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Referrer-Policy",
    "Set-Cookie",
    "X-Frame-Options",
)
_FILE_HEADERS = ("Accept-Ranges", "Content-Disposition", "ETag", "Last-Modified", "Repr-Digest")
_PAGE = header_refs(*_HEADERS)
_DOWNLOAD = header_refs(*_HEADERS, *_FILE_HEADERS)

_HOME = (400, 401, 500)
_CHANGES = (*STORAGE_ERRORS, 409, 412, 413, 507)
_EACH: list[Object] = [{name: []} for name in SECURITY if name != "cookie"]
_SIGN_IN: tuple[Object, ...] = (*_EACH, {})
_FORMS = {"text": "application/x-www-form-urlencoded", "files": "multipart/form-data"}


def part(_options: ServerOptions) -> Part:
    """The part of the document about pages."""
    return Part(
        tag=TAG,
        about=_ABOUT,
        paths={
            "/": _home(),
            STORAGE: _folder("Storage", "resource", "provider"),
            STORAGE + "/": _folder("StorageRoot", "resource", "provider"),
            FOLDER: _folder("Folder", "resource", "provider", "folder"),
            FILE: _file(),
            "/static/{asset}": _asset(),
        },
        parameters={
            "done": query_parameter("done", "What the page says was done.", TEXT),
            "form": query_parameter(
                "form",
                "Ask for a new name, or whether to delete.",
                {"type": "string", "enum": ["rename", "delete"]},
                empty=False,
            ),
            "next": query_parameter("next", "The page to go to after signing in.", TEXT),
            "token": query_parameter("token", "Sign in with this token.", TEXT),
            "asset": {
                "name": "asset",
                "in": "path",
                "required": True,
                "description": "The name of a style sheet or an icon.",
                "schema": TEXT,
            },
        },
        headers={
            name: {"description": "For browsers.", "schema": TEXT}
            for name in _HEADERS
            if name != "Content-Security-Policy"
        },
    )


def _home() -> Object:
    page = response("The page.", _PAGE, {_HTML: TEXT})
    return _page(
        "Home",
        "All storages that one may see",
        {"200": page, "303": _onward("Signed in.")},
        _HOME,
        parameters=("token", "next", "done"),
        form={_FORMS["text"]: _form("sign-in", "sign-out")},
        refusals=(*_HOME, 403, 413),
    )


def _folder(name: str, *pieces: str) -> Object:
    listing = response(
        "The page, or with `zip` the archive.",
        _DOWNLOAD,
        {_HTML: TEXT, "application/zip": BYTES},
    )
    return {
        "parameters": [ref("parameters", piece) for piece in pieces],
        **_page(
            f"{name}Page",
            "A folder",
            {"200": listing},
            STORAGE_ERRORS,
            parameters=(
                *(("form",) if "folder" in pieces else ()),
                *("zip", "sort", "pageAfter", "pageSize", "version", "revision"),
            ),
            form={
                _FORMS["text"]: _form("new-folder", "rename", "delete"),
                _FORMS["files"]: _files(),
            },
            refusals=_CHANGES,
        ),
    }


def _file() -> Object:
    ranged = {**_DOWNLOAD, **required_header("Content-Range")}
    about = "A slash was forgotten, or the storage sends the file itself."
    answers: Object = {
        "200": response("The file, or a form.", _DOWNLOAD, {_HTML: TEXT, ANY_TYPE: ANYTHING}),
        "206": response("A part of the file.", ranged, {ANY_TYPE: ANYTHING}),
        "302": response(about, {**_PAGE, **required_header("Location")}),
        "304": response("The browser has it already.", _DOWNLOAD),
    }
    return {
        "parameters": [ref("parameters", name) for name in ("resource", "provider", "file")],
        **_page(
            "FilePage",
            "A file",
            answers,
            (*STORAGE_ERRORS, 412, 416),
            parameters=(
                *("form", "version", "revision", "range", "ifRange", "ifMatch", "ifNoneMatch"),
                *("ifModifiedSince", "ifUnmodifiedSince", "wantReprDigest"),
            ),
            form={_FORMS["text"]: _form("rename", "delete"), _FORMS["files"]: _files()},
            refusals=_CHANGES,
        ),
    }


def _asset() -> Object:
    headers = header_refs("Content-Security-Policy")
    found = response("It.", headers, {"text/css": TEXT, "image/svg+xml": TEXT})
    asset = operation(
        "getAsset", "What pages are dressed with", TAG, {"200": found, **errors(400, 404, 500)}
    )
    return {
        "parameters": [ref("parameters", "asset")],
        "get": asset,
        "head": operation(
            "headAsset",
            "What pages are dressed with, in headers",
            TAG,
            {"200": response("It.", headers), **own_errors(400, 404, 500)},
        ),
        "options": operation("optionsAsset", "What can be done here", TAG, preflight()),
    }


def _page(
    name: str,
    summary: str,
    answers: Object,
    failures: tuple[int, ...],
    *,
    parameters: tuple[str, ...],
    form: dict[str, Object],
    refusals: tuple[int, ...],
) -> Object:
    """GET, HEAD, POST and OPTIONS of a page."""
    methods = response("The methods.", {**_PAGE, **required_header("Allow")})
    return {
        "get": operation(
            f"get{name}",
            summary,
            TAG,
            {**answers, **_errors(*failures)},
            parameters=parameters,
            security=_SIGN_IN,
        ),
        "head": operation(
            f"head{name}",
            f"{summary}, in headers",
            TAG,
            {**without_bodies(answers), **own_errors(*failures, headers=_PAGE)},
            parameters=parameters,
            security=_SIGN_IN,
        ),
        "post": operation(
            f"post{name}",
            f"{summary}: a form",
            TAG,
            {"303": _onward("Done."), **_errors(*refusals)},
            body={"required": True, "content": content(form)},
            security=_SIGN_IN,
        ),
        "options": operation(f"options{name}", "What can be done here", TAG, {"204": methods}),
    }


def _errors(*statuses: int) -> Object:
    return own_errors(*statuses, bodies=_ERROR, headers=_PAGE)


def _onward(about: str) -> Object:
    return response(about, {**_PAGE, **required_header("Location")})


def _form(*wanted: str) -> Object:
    return record({"csrf": TEXT, "do": {"enum": [*wanted]}}, {"name": TEXT, "tag": TEXT})


def _files() -> Object:
    return record({"csrf": TEXT, "file": BYTES}, {"name": TEXT, "tag": TEXT})
