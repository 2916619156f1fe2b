"""From the words of a v1 request to what it means; nothing is asked of any storage here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec

from waterbutler.core import Action, Conflict, Path, check_name
from waterbutler.core.errors import InvalidRequest, NotFound, TooLarge
from waterbutler.server.documents import (
    TRANSFERS,
    Transfer,
    check_root,
    conflict_in,
    parse_document,
    text_in,
)
from waterbutler.server.query import Query, decode, parse_path
from waterbutler.service import Place

PREFIX = "/v1/resources/"
_TARGET = re.compile(r"/v1/resources/([^/]*)/providers/([^/]*)(/.*)?")
_WORD = re.compile(r"\w+")

MFR_ACTION = "X-Cos-Mfr-Request-Action"


class Target(msgspec.Struct, frozen=True):
    """What the URL of a request says."""

    place: Place
    query: Query


def parse_target(uri: str) -> Target:
    """Read the raw target of a request.

    Raises:
        NotFound: It is no v1 URL.
        InvalidRequest: A name or a parameter is bad.
    """
    raw_path, _, raw_query = uri.partition("?")
    match = _TARGET.fullmatch(raw_path)
    if match is None or not match[3]:
        raise NotFound("There is nothing at this URL.")
    resource, mount = decode(match[1]), decode(match[2])
    if not _WORD.fullmatch(resource) or not _WORD.fullmatch(mount):
        raise NotFound("There is nothing at this URL.")
    return Target(Place(resource, mount, parse_path(match[3])), Query(raw_query))


class Read(Enum):
    """What a GET wants; the value is the action that must be allowed."""

    LIST = Action.METADATA, "list"
    ZIP = Action.ZIP, "zip"
    DESCRIBE = Action.METADATA, "describe"
    VERSIONS = Action.REVISIONS, "versions"
    DOWNLOAD = Action.DOWNLOAD, "download"

    @property
    def action(self) -> Action:
        """What must be allowed."""
        return self.value[0]


def parse_read(target: Target) -> Read:
    """What a GET wants: ``zip`` rules on folders, ``meta`` before ``versions`` on files."""
    query = target.query
    if target.place.path.is_folder:
        return Read.ZIP if "zip" in query else Read.LIST
    if "meta" in query:
        return Read.DESCRIBE
    if "versions" in query or "revisions" in query:
        return Read.VERSIONS
    return Read.DOWNLOAD


def parse_head(mfr_action: str | None) -> Action:
    """What a HEAD wants: a renderer says in a header what it will do.

    Raises:
        InvalidRequest: The header has a value that means nothing.
    """
    if mfr_action is None:
        return Action.METADATA
    try:
        return {"render": Action.RENDER, "export": Action.EXPORT}[mfr_action.strip().lower()]
    except KeyError:
        raise InvalidRequest(f"{MFR_ACTION} is either 'render' or 'export'.") from None


def version_of(query: Query) -> str | None:
    """The version that is asked for: ``version`` before ``revision``, empty is absent."""
    return query.one_of("version", "revision")


@dataclass(frozen=True, slots=True)
class Put:
    """What a PUT wants."""

    action: Action
    name: str | None
    """The name of what is new; ``None`` updates the file of the URL."""


def parse_put(target: Target, *, body: bool) -> Put:
    """What a PUT wants.

    Args:
        target: The URL.
        body: Whether the request has a body that is not empty.

    Raises:
        InvalidRequest: ``kind`` or ``name`` do not fit the path.
        TooLarge: A folder comes with a body.
    """
    path, query = target.place.path, target.query
    kind = query.get("kind") if "kind" in query else "file"
    name = query.get("name")
    if kind not in {"file", "folder"}:
        raise InvalidRequest("The kind is either 'file' or 'folder'.")
    if kind == "folder":
        if not path.is_folder:
            raise InvalidRequest("A folder is made in a folder: the path must end with a slash.")
        if body:
            raise TooLarge("A new folder has no body.")
    if not path.is_folder:
        if name is not None:
            raise InvalidRequest("A file that exists is updated without a name; POST renames it.")
        return Put(Action.UPDATE_FILE, None)
    if name is None:
        raise InvalidRequest("The name of the new file or folder is missing.")
    check_name(name)
    action = Action.CREATE_FOLDER if kind == "folder" else Action.CREATE_FILE
    return Put(action, name)


def parse_post(target: Target, body: bytes) -> Transfer:
    """What a POST wants.

    Raises:
        InvalidRequest: The body is not the document that is expected.
    """
    document = parse_document(body)
    action = document.get("action")
    if not isinstance(action, str) or action not in TRANSFERS:
        raise InvalidRequest("The action is 'copy', 'move' or 'rename'.")
    name = text_in(document, "rename") or None
    if name is not None:
        check_name(name)
    elif action == "rename":
        raise InvalidRequest("The new name, 'rename', is missing.")
    if target.place.path.is_root:
        check_root(action, name)
    return Transfer(
        action=action,
        source=target.place,
        folder=None if action == "rename" else _folder(target, document),
        name=name,
        conflict=conflict_in(document, Conflict.WARN),
    )


def confirms(query: Query) -> bool:
    """Whether the deletion of everything is confirmed."""
    return query.get("confirm_delete") == "1"


def _folder(target: Target, document: dict[str, Any]) -> Place:
    path = text_in(document, "path")
    if not path:
        raise InvalidRequest("The folder to go to, 'path', is missing.")
    if not path.endswith("/"):
        raise InvalidRequest("The 'path' is a folder's: it must end with a slash.")
    resource = text_in(document, "resource") or target.place.resource
    mount = text_in(document, "provider") or target.place.mount
    if not _WORD.fullmatch(resource) or not _WORD.fullmatch(mount):
        raise NotFound("There is no such resource or provider.")
    return Place(resource, mount, Path.parse(path))
