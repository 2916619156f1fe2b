"""The parameters of v1."""

from __future__ import annotations

from waterbutler.server.base import CSRF_HEADER
from waterbutler.server.openapi.parts import (
    FLAG,
    TEXT,
    Object,
    header_parameter,
    path_parameter,
    query_parameter,
    ref,
)
from waterbutler.server.openapi.schemas import WORD
from waterbutler.server.paging import MAX_PAGE
from waterbutler.server.v1.commands import MFR_ACTION

_TAGS = "Quoted ETags, separated by commas, or `*`."
_MEMBER = r"[a-z0-9*_.-]+=:[A-Za-z0-9+/]+={0,2}:"
_DIGESTS: Object = {
    "type": "string",
    "description": "Members like `sha-256=:BASE64:`, separated by commas.",
    "pattern": f"^({_MEMBER}(, *{_MEMBER})*)?$",
}

_PATHS: Object = {
    "resource": path_parameter("resource", "The resource.", WORD),
    "provider": path_parameter("provider", "The name of one of the resource's storages.", WORD),
    "folder": path_parameter(
        "folder",
        "The names of the folders from the root down, or what the storage has in their place. "
        "Each name is percent-encoded on its own; an encoded slash is refused.",
        ref("schemas", "Name"),
        segments=True,
    ),
    "file": path_parameter(
        "file",
        "The names of the folders from the root down and of the file, or what the storage has in "
        "their place. Each name is percent-encoded on its own; an encoded slash is refused.",
        ref("schemas", "Name"),
        segments=True,
    ),
}

_QUERIES: Object = {
    "meta": query_parameter("meta", "Describe the file instead of sending it.", FLAG),
    "versions": query_parameter(
        "versions", "List the versions of the file; `meta` rules over it.", FLAG
    ),
    "revisions": query_parameter("revisions", "The same as `versions`.", FLAG),
    "zip": query_parameter("zip", "Send the folder as an archive instead of listing it.", FLAG),
    "direct": query_parameter("direct", "Never redirect to the storage.", FLAG),
    "version": query_parameter("version", "This version instead of the newest.", TEXT),
    "revision": query_parameter("revision", "The same as `version`, which rules over it.", TEXT),
    "displayName": query_parameter("displayName", "The name to save the file under.", TEXT),
    "mode": query_parameter(
        "mode", "Not used here; a host that decides about rights sees it.", TEXT
    ),
    "pageSize": query_parameter(
        "page[size]",
        "Answer with a page of at most so many entries and a link to the next one.",
        {"type": "integer", "minimum": 1, "maximum": MAX_PAGE},
    ),
    "pageAfter": query_parameter(
        "page[after]",
        "Where the page begins; it stands in `links.next` of the page before.",
        {"type": "string", "format": "waterbutler-cursor", "pattern": "^[A-Za-z0-9_-]*$"},
    ),
    "sort": query_parameter(
        "sort",
        "The order of the entries; with `-` the other way round.",
        {
            "type": "string",
            "enum": ["name", "-name", "size", "-size", "modified", "-modified", "kind", "-kind"],
        },
    ),
    "kind": query_parameter(
        "kind",
        "What to make in the folder. A new folder has no body.",
        {"type": "string", "enum": ["file", "folder"], "default": "file"},
        empty=False,
    ),
    "fileKind": query_parameter(
        "kind",
        "What the URL names.",
        {"type": "string", "enum": ["file"], "default": "file"},
        empty=False,
    ),
    "name": query_parameter(
        "name", "The name of what is new.", ref("schemas", "Name"), required=True
    ),
    "confirmDelete": query_parameter(
        "confirm_delete",
        "Says that everything in the storage is to be deleted.",
        {"type": "string", "enum": ["1"]},
        required=True,
    ),
}

_HEADERS: Object = {
    "range": header_parameter(
        "Range", "One range of bytes; several, and other units, are ignored.", TEXT
    ),
    "ifRange": header_parameter("If-Range", "Send a part only of this state of the file.", TEXT),
    "ifMatch": header_parameter("If-Match", f"Go on only in one of these states. {_TAGS}", TEXT),
    "ifNoneMatch": header_parameter(
        "If-None-Match", f"Go on only in none of these states. {_TAGS}", TEXT
    ),
    "ifModifiedSince": header_parameter("If-Modified-Since", "The client's state.", TEXT),
    "ifUnmodifiedSince": header_parameter(
        "If-Unmodified-Since", "Go on only if nothing changed since then.", TEXT
    ),
    "wantReprDigest": header_parameter(
        "Want-Repr-Digest", "The digests to show; SHA-256 by default.", TEXT
    ),
    "reprDigest": header_parameter(
        "Repr-Digest", "Refuse the body if it has another digest.", _DIGESTS
    ),
    "contentDigest": header_parameter(
        "Content-Digest", "Refuse the body if it has another digest.", _DIGESTS
    ),
    "contentMd5": header_parameter(
        "Content-MD5",
        "Refuse the body if it has another MD5.",
        {"type": "string", "pattern": "^[A-Za-z0-9+/]{21}[AQgw]==$"},
    ),
    "mfrAction": header_parameter(
        MFR_ACTION,
        "What a renderer will do with the file, so that rights are asked for that.",
        {"type": "string", "enum": ["render", "export"]},
    ),
    "mfrRender": header_parameter(
        "X-Cos-Mfr-Render-Request", "Passed on to a host that decides about rights.", TEXT
    ),
    "otp": header_parameter("X-OSF-OTP", "Passed on to a host that decides about rights.", TEXT),
    "csrfToken": header_parameter(
        CSRF_HEADER, "Proves that a write with a session cookie comes from our pages.", TEXT
    ),
}

PARAMETERS: Object = {**_PATHS, **_QUERIES, **_HEADERS}
RELAYED = ("mfrRender", "otp")
"""Headers that every v1 request may have."""
