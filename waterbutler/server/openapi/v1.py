"""The v1 API: files, folders and roots of storages."""

from __future__ import annotations

from waterbutler.server.context import ServerOptions
from waterbutler.server.openapi.parameters import PARAMETERS, RELAYED
from waterbutler.server.openapi.parts import (
    ANY_TYPE,
    ANYTHING,
    BYTES,
    JSON_BODY,
    Object,
    Part,
    content,
    header_refs,
    operation,
    ref,
    response,
)
from waterbutler.server.openapi.schemas import SCHEMAS
from waterbutler.server.openapi.shared import (
    ANY_SIGN_IN,
    CONDITIONS,
    DIGESTS,
    FILE_HEADERS,
    STORAGE_ERRORS,
    WRITE_CONDITIONS,
    errors,
    own_errors,
    preflight,
    required_header,
)

TAG = "v1"
ROOT = "/v1/resources/{resource}/providers/{provider}/"
FOLDER = ROOT + "{folder}/"
FILE = ROOT + "{file}"

_ABOUT = """\
Files and folders of all storages. The last piece of a URL may hold several names with slashes \
between them: `folder` and `file` stand for all of them, which templates of OpenAPI cannot say. \
The trailing slash says which kind is meant, so root, folders and files are described apart."""

_STORED = (*STORAGE_ERRORS, 411, 413, 507)
"""What may come when something is stored."""


def part(options: ServerOptions) -> Part:
    """The v1 part of the document."""
    limit = options.max_upload_size
    taken = f" Files of at most {limit} bytes are taken." if limit is not None else ""
    return Part(
        tag=TAG,
        about=_ABOUT + taken,
        paths={
            ROOT: _folder("Root", "root of the storage"),
            FOLDER: _folder("Folder", "folder"),
            FILE: _file(),
        },
        schemas=SCHEMAS,
        parameters=PARAMETERS,
        responses={
            "NameTaken": response(
                "The name is taken.", bodies={JSON_BODY: ref("schemas", "Conflict")}
            )
        },
    )


def _file() -> Object:
    return {
        "parameters": [ref("parameters", name) for name in ("resource", "provider", "file")],
        "get": _download(),
        "head": _head("File", "file", ("displayName", *CONDITIONS), _file_head()),
        "put": operation(
            "updateFile",
            "Replace the content of a file",
            TAG,
            {
                "200": _document("The file as it is now.", "FileDocument"),
                **errors(*_STORED, 412),
            },
            parameters=("fileKind", *DIGESTS, *WRITE_CONDITIONS, "csrfToken", *RELAYED),
            body=_upload("The new content."),
            security=ANY_SIGN_IN,
        ),
        "post": _transfer("File", "file", "MovedDocument", ("CopyOrMove", "Rename")),
        "delete": _delete("File", "file"),
        "options": _options("File"),
    }


def _folder(name: str, words: str) -> Object:
    root = name == "Root"
    bodies = ("CopyRoot",) if root else ("CopyOrMove", "Rename")
    pieces = ("resource", "provider") if root else ("resource", "provider", "folder")
    return {
        "parameters": [ref("parameters", piece) for piece in pieces],
        "get": _list(name, words),
        "head": _head(name, words, (), {"200": _metadata_head()}),
        "put": _create(name, words),
        "post": _transfer(name, words, "MovedFolderDocument", bodies),
        "delete": _delete(name, words, *(("confirmDelete",) if root else ())),
        "options": _options(name),
    }


def _download() -> Object:
    documents: Object = {
        "description": "With `meta` or `versions` a document; else the file, which may be JSON.",
        "anyOf": [ref("schemas", "FileDocument"), ref("schemas", "Versions"), {}],
    }
    ranged = {
        **header_refs(*FILE_HEADERS),
        **required_header("ETag"),
        **required_header("Content-Range"),
    }
    answers: Object = {
        "200": response(
            "The file, its description or its versions. An answer that breaks off is not whole.",
            header_refs(*FILE_HEADERS),
            {JSON_BODY: documents, ANY_TYPE: ANYTHING},
        ),
        "206": response("The part that was asked for.", ranged, {ANY_TYPE: ANYTHING}),
        "302": response(
            "The storage sends the file itself, from a URL that works for a few minutes.",
            required_header("Location"),
        ),
        "304": _unchanged(),
    }
    return operation(
        "getFile",
        "Download or describe a file, or list its versions",
        TAG,
        {**answers, **errors(*STORAGE_ERRORS, 412, 416)},
        parameters=(
            *("meta", "versions", "revisions", "version", "revision"),
            *("displayName", "direct", "mode", "range", "ifRange"),
            *(*CONDITIONS, "wantReprDigest", *RELAYED),
        ),
        security=ANY_SIGN_IN,
    )


def _list(name: str, words: str) -> Object:
    return operation(
        f"get{name}",
        f"List the {words}, or download it as an archive",
        TAG,
        {
            "200": response(
                "The entries, or the archive. An answer that breaks off is not whole.",
                header_refs("Content-Disposition"),
                {JSON_BODY: ref("schemas", "Listing"), "application/zip": BYTES},
            ),
            **errors(*STORAGE_ERRORS),
        },
        parameters=(
            *("zip", "pageSize", "pageAfter", "sort", "version", "revision", "mode"),
            *RELAYED,
        ),
        security=ANY_SIGN_IN,
    )


def _head(name: str, words: str, further: tuple[str, ...], answers: Object) -> Object:
    statuses = (*STORAGE_ERRORS, 412) if name == "File" else STORAGE_ERRORS
    digest = ("wantReprDigest",) if name == "File" else ()
    return operation(
        f"head{name}",
        f"Describe the {words} in headers",
        TAG,
        {**answers, **own_errors(*statuses)},
        parameters=(*("version", "revision", "mode"), *further, *digest, "mfrAction", *RELAYED),
        security=ANY_SIGN_IN,
    )


def _create(name: str, words: str) -> Object:
    return operation(
        f"putIn{name}",
        f"Upload a new file to the {words}, or make a folder in it",
        TAG,
        {
            "201": _document("What is new.", "EntityDocument"),
            **errors(*_STORED, 409, 412),
        },
        parameters=("kind", "name", *DIGESTS, *WRITE_CONDITIONS, "csrfToken", *RELAYED),
        body=_upload("The content of the new file; a new folder has none."),
        security=ANY_SIGN_IN,
    )


def _transfer(name: str, words: str, document: str, bodies: tuple[str, ...]) -> Object:
    schemas: Object = {"oneOf": [ref("schemas", body) for body in bodies]}
    schema = schemas if len(bodies) > 1 else ref("schemas", bodies[0])
    return operation(
        f"transfer{name}",
        f"Copy the {words}" + ("" if name == "Root" else ", move it, or give it another name"),
        TAG,
        {
            "200": _document("Something was replaced, or the name was changed.", document),
            "201": _document("The new place was free.", document),
            **errors(*_STORED, 409),
        },
        parameters=("csrfToken", *RELAYED),
        body={"required": True, "content": content({JSON_BODY: schema})},
        security=ANY_SIGN_IN,
    )


def _delete(name: str, words: str, *further: str) -> Object:
    what = f"Delete everything in the {words}" if name == "Root" else f"Delete the {words}"
    return operation(
        f"delete{name}",
        what,
        TAG,
        {"204": response("It is gone."), **errors(*STORAGE_ERRORS, 412)},
        parameters=(*further, *WRITE_CONDITIONS, "csrfToken", *RELAYED),
        security=ANY_SIGN_IN,
    )


def _options(name: str) -> Object:
    return operation(f"options{name}", "What can be done here", TAG, preflight())


def _document(about: str, schema: str) -> Object:
    return response(about, bodies={JSON_BODY: ref("schemas", schema)})


def _unchanged() -> Object:
    headers = {**required_header("ETag"), **header_refs("Last-Modified")}
    return response("The client has this state of the file already.", headers)


def _metadata_head() -> Object:
    return response("The description.", required_header("X-Waterbutler-Metadata"))


def _file_head() -> Object:
    headers = {
        **header_refs(*FILE_HEADERS),
        **required_header("ETag"),
        **required_header("X-Waterbutler-Metadata"),
    }
    about = "The headers of a download, and the description."
    return {"200": response(about, headers), "304": _unchanged()}


def _upload(about: str) -> Object:
    return {
        "description": f"{about} Any media type is taken; forms are not read.",
        "content": content({"application/octet-stream": BYTES}),
    }
