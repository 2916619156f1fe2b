"""Requests whose body is a JSON document that says what to copy or move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from waterbutler.core import Action, Conflict
from waterbutler.core.errors import InvalidRequest, LengthRequired, TooLarge
from waterbutler.service import Place

MAX_DOCUMENT = 1 << 20
"""The largest body of a request whose body is a document, in bytes."""

TRANSFERS = {
    "copy": (Action.COPY_FROM, Action.COPY_TO),
    "move": (Action.MOVE_FROM, Action.MOVE_TO),
    "rename": (Action.RENAME, None),
}
"""What must be allowed at both ends of a transfer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A copy, a move, or a rename.

    Attributes:
        action: ``copy``, ``move`` or ``rename``.
        source: What is copied, moved or renamed.
        folder: Where a copy or move goes.
        name: The new name; ``None`` keeps the old one.
        conflict: What to do if the name is taken.
        exact: ``folder`` is no folder but the new place of the file itself.
    """

    action: str
    source: Place
    folder: Place | None = None
    name: str | None = None
    conflict: Conflict
    exact: bool = False


def check_document_size(size: int | None) -> None:
    """Refuse a body that cannot be a document, before it is read.

    Raises:
        LengthRequired: Nobody knows how large it is.
        TooLarge: It is larger than `MAX_DOCUMENT`.
    """
    if size is None:
        raise LengthRequired("The Content-Length of the request is missing.")
    if size > MAX_DOCUMENT:
        raise TooLarge(f"The body of this request has at most {MAX_DOCUMENT} bytes.")


def parse_document(body: bytes) -> dict[str, Any]:
    """The members of a JSON object.

    Raises:
        InvalidRequest: The body is something else.
    """
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("The body is not valid JSON.") from None
    if not isinstance(document, dict):
        raise InvalidRequest("The body must be a JSON object.")
    return document


def text_in(document: dict[str, Any], key: str) -> str | None:
    """A member that is a string; ``None`` if it is absent or null.

    Raises:
        InvalidRequest: It is something else.
    """
    value = document.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(f"{key!r} must be a string.")
    return value


def conflict_in(document: dict[str, Any], default: Conflict) -> Conflict:
    """The conflict policy; an empty one means *keep*, as a client in the field relies on.

    Raises:
        InvalidRequest: There is no such policy.
    """
    value = text_in(document, "conflict")
    if value is None:
        return default
    try:
        return Conflict(value or "keep")
    except ValueError:
        raise InvalidRequest("The conflict is 'replace', 'keep' or 'warn'.") from None


def check_root(action: str, name: str | None) -> None:
    """Refuse what cannot be done with the root of a storage.

    Raises:
        InvalidRequest: It would be moved or renamed, or copied without a new name.
    """
    if action == "rename":
        raise InvalidRequest("The root of a storage cannot be renamed.")
    if action == "move" or not name:
        raise InvalidRequest(
            "The root of a storage is copied under a new name, 'rename', and never moved."
        )
