"""From the words of a v0 request to what it means; nothing is asked of any storage here.

All that v1 has in the path of its URLs is a parameter here, and a path may end with the name of
what is not there yet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from waterbutler.core import Conflict, Path, check_name
from waterbutler.core.errors import InvalidRequest, TooLarge
from waterbutler.server.documents import (
    Transfer,
    check_root,
    conflict_in,
    parse_document,
    text_in,
)
from waterbutler.server.query import Query
from waterbutler.server.v1.commands import Target
from waterbutler.service import Place

_WORD = re.compile(r"\w+")
_NAMES = ("nid", "provider", "path")


def parse_target(uri: str) -> Target:
    """What the parameters of a URL name.

    Raises:
        InvalidRequest: One of ``nid``, ``provider`` and ``path`` is missing or bad.
    """
    query = Query(uri.partition("?")[2])
    names = {name: query.get(name) for name in _NAMES}
    return Target(_place(names), query)


def check_file(path: Path) -> None:
    """Refuse a path that names no file.

    Raises:
        InvalidRequest: It ends with a slash.
    """
    if path.is_folder:
        raise InvalidRequest("The 'path' is a file's: it must not end with a slash.")


def check_new_folder(path: Path, *, body: bool) -> None:
    """Refuse what cannot become a folder.

    Args:
        path: Where it should be.
        body: Whether the request has a body that is not empty.

    Raises:
        InvalidRequest: The path is not a folder's, or the root's.
        TooLarge: There is a body.
    """
    if not path.is_folder:
        raise InvalidRequest("The 'path' is a folder's: it must end with a slash.")
    if path.is_root:
        raise InvalidRequest("The 'path' must end with the name of the new folder and a slash.")
    if body:
        raise TooLarge("A new folder has no body; files are sent with PUT.")


def stays_here(query: Query) -> bool:
    """Whether a download must not be redirected to the storage.

    Raises:
        InvalidRequest: ``accept_url`` is neither ``true`` nor ``false``.
    """
    value = (query.get("accept_url") or "true").lower()
    if value not in {"true", "false"}:
        raise InvalidRequest("'accept_url' is either 'true' or 'false'.")
    return value == "false"


@dataclass(frozen=True, slots=True)
class Ops:
    """A copy or move, and the session cookies that its two ends bring, if they do."""

    transfer: Transfer
    source_cookie: str | None
    destination_cookie: str | None


def parse_ops(action: str, body: bytes) -> Ops:
    """What a copy or move wants.

    A destination that ends with a slash is the folder to go to; any other is the new place of the
    file itself. What is there already is replaced unless ``conflict`` says something else.

    Args:
        action: ``copy`` or ``move``.
        body: The document.

    Raises:
        InvalidRequest: It is not the document that is expected.
    """
    document = parse_document(body)
    source, source_cookie = _end(document, "source")
    destination, destination_cookie = _end(document, "destination")
    name = text_in(document, "rename") or None
    if name is not None:
        check_name(name)
    exact = not destination.path.is_folder
    if exact and source.path.is_folder:
        raise InvalidRequest("A folder goes into a folder: 'destination' must end with a slash.")
    if exact and name is not None:
        raise InvalidRequest("The 'destination' names the file already: leave out 'rename'.")
    if source.path.is_root:
        check_root(action, name)
    transfer = Transfer(
        action=action,
        source=source,
        folder=destination,
        name=name,
        conflict=conflict_in(document, Conflict.REPLACE),
        exact=exact,
    )
    return Ops(transfer, source_cookie, destination_cookie)


def _end(document: dict[str, Any], key: str) -> tuple[Place, str | None]:
    end = document.get(key)
    if not isinstance(end, dict):
        raise InvalidRequest(f"{key!r} must be an object with 'nid', 'provider' and 'path'.")
    names = {name: text_in(end, name) for name in _NAMES}
    return _place(names, f" of {key!r}"), text_in(end, "cookie") or None


def _place(names: Mapping[str, str | None], where: str = "") -> Place:
    found = {name: _required(name, value, where) for name, value in names.items()}
    for name in ("nid", "provider"):
        if not _WORD.fullmatch(found[name]):
            raise InvalidRequest(f"The {name!r}{where} is not a word.")
    return Place(found["nid"], found["provider"], Path.parse(found["path"]), legacy=True)


def _required(name: str, value: str | None, where: str) -> str:
    if not value:
        raise InvalidRequest(f"The {name!r}{where} is missing.")
    return value
