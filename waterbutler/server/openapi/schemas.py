"""What v1 shows and takes."""

from __future__ import annotations

from waterbutler.core import JSON
from waterbutler.core.path import MAX_NAME_BYTES
from waterbutler.server.openapi.parts import TEXT, Object, nullable, record, ref

_TIME: Object = {"type": ["string", "null"], "format": "date-time"}
_SIZE: Object = {"type": ["integer", "null"], "minimum": 0}
_EXTRA: Object = {
    "type": "object",
    "description": "What only this storage knows, and under `hashes` what is known of the content.",
    "properties": {
        "hashes": {
            "type": "object",
            "description": "Hexadecimal digests by algorithm, such as md5 and sha256.",
            "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]+$"},
        }
    },
}
_LINK: Object = {"type": "string", "format": "uri"}
_WORD: Object = {"type": "string", "pattern": r"^\w+$"}

NAME: Object = {
    "type": "string",
    "description": f"At most {MAX_NAME_BYTES} bytes of UTF-8, without slashes and NUL characters.",
    "minLength": 1,
    "maxLength": MAX_NAME_BYTES,
    "pattern": r"^[^/\u0000]+$",
    "not": {"enum": [".", ".."]},
}
WORD = _WORD

_OPTIONAL_NAME: Object = {
    "description": "The new name; without it, or empty, the name stays.",
    "anyOf": [ref("schemas", "Name"), {"type": ["string", "null"], "maxLength": 0}],
}
_CONFLICT: Object = {
    "type": ["string", "null"],
    "description": (
        "What to do when the name is taken: refuse, put this in its place, or keep both by adding "
        "a number to the new one. Empty means `keep`, for old clients."
    ),
    "enum": ["warn", "replace", "keep", "", None],
    "default": "warn",
}
_FOLDER_PATH: Object = {
    "type": "string",
    "description": "The folder to go to, as its `path` attribute shows it, with its last slash.",
    "pattern": r"^/((?!\.{1,2}/)[^/\u0000]{1,255}/)*$",
    "examples": ["/", "/folder/"],
}


def _attributes(kind: str, times: Object) -> Object:
    return record(
        {
            "extra": _EXTRA,
            "kind": {"const": kind},
            "name": {"type": "string", "description": "Empty for the root."},
            "path": {
                "type": "string",
                "description": "What stands in the URL behind the provider; ids in some storages.",
                "pattern": r"^/([\s\S]*/)?$" if kind == "folder" else r"^/[\s\S]*[^/]$",
            },
            "provider": _WORD,
            "materialized": {"type": "string", "description": "The names.", "pattern": "^/"},
            "etag": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "resource": _WORD,
            "size": _SIZE,
            "sizeInt": _SIZE,
            **times,
        }
    )


def _entity(kind: str, links: Object, required: Object) -> Object:
    writing: Object = {"move": _LINK, "upload": _LINK, "delete": _LINK}
    return {
        "description": "Links to what the storage cannot do are left out.",
        **record(
            {
                "id": {"type": "string", "description": "The provider and the path."},
                "type": {"const": "files"},
                "attributes": ref("schemas", f"{kind}Attributes"),
                "links": record(required, {**writing, **links}),
            }
        ),
    }


def _data(schema: JSON) -> Object:
    return record({"data": schema})


def _either(*names: str) -> Object:
    return {"oneOf": [ref("schemas", name) for name in names]}


def _moved_folder() -> Object:
    """A folder as POST shows it: with what is directly in it."""
    attributes = _attributes("folder", {})
    members = attributes["properties"]
    assert isinstance(members, dict)
    children: Object = {
        "type": "array",
        "items": _either("FileAttributes", "FolderAttributes"),
        "description": "What is directly in the folder.",
    }
    folder = _entity("Folder", {"new_folder": _LINK}, {})
    shown = folder["properties"]
    assert isinstance(shown, dict)
    return {
        **folder,
        "properties": {**shown, "attributes": record({**members, "children": children})},
    }


_VERSION: Object = record(
    {
        "id": TEXT,
        "type": {"const": "file_versions"},
        "attributes": record(
            {
                "extra": _EXTRA,
                "version": TEXT,
                "modified": _TIME,
                "modified_utc": _TIME,
                "versionIdentifier": {
                    "type": "string",
                    "description": "The query parameter that asks for this version.",
                },
                "size": _SIZE,
            }
        ),
    }
)

_COPY: Object = record(
    {"action": {"enum": ["copy", "move"]}, "path": _FOLDER_PATH},
    {
        "rename": _OPTIONAL_NAME,
        "conflict": _CONFLICT,
        "resource": {
            "type": ["string", "null"],
            "description": "Where the folder is; the resource of the URL by default.",
        },
        "provider": {
            "type": ["string", "null"],
            "description": "Where the folder is; the provider of the URL by default.",
        },
    },
)


def _copied_root() -> Object:
    members = _COPY["properties"]
    assert isinstance(members, dict)
    own: Object = {**members, "action": {"const": "copy"}, "rename": ref("schemas", "Name")}
    return {**_COPY, "properties": own, "required": ["action", "path", "rename"]}


SCHEMAS: Object = {
    "Name": NAME,
    "FileAttributes": _attributes(
        "file",
        {
            "contentType": nullable(TEXT),
            "modified": _TIME,
            "modified_utc": _TIME,
            "created_utc": _TIME,
        },
    ),
    "FolderAttributes": _attributes("folder", {}),
    "File": _entity("File", {}, {"download": _LINK}),
    "Folder": _entity("Folder", {"new_folder": _LINK}, {}),
    "MovedFolder": _moved_folder(),
    "Version": _VERSION,
    "FileDocument": _data(ref("schemas", "File")),
    "EntityDocument": _data(_either("File", "Folder")),
    "MovedDocument": _data(_either("File", "MovedFolder")),
    "MovedFolderDocument": _data(ref("schemas", "MovedFolder")),
    "Listing": {
        "description": "A folder, or a page of it. The links are there when a page was asked for.",
        **record(
            {"data": {"type": "array", "items": _either("File", "Folder")}},
            {
                "links": record(
                    {
                        "next": {
                            "type": ["string", "null"],
                            "format": "uri",
                            "description": "The next page; null on the last one.",
                        }
                    }
                )
            },
        ),
    },
    "Versions": {
        "description": "Newest first; empty where a storage keeps no versions.",
        **_data({"type": "array", "items": ref("schemas", "Version")}),
    },
    "Conflict": {
        "description": "What has the name, with the links to go on with; null if nobody knows.",
        **record(
            {
                "code": {"const": 409},
                "message": TEXT,
                "data": {
                    "anyOf": [ref("schemas", "File"), ref("schemas", "Folder"), {"type": "null"}]
                },
            }
        ),
    },
    "CopyOrMove": _COPY,
    "CopyRoot": _copied_root(),
    "Rename": record(
        {"action": {"const": "rename"}, "rename": ref("schemas", "Name")}, {"conflict": _CONFLICT}
    ),
}
