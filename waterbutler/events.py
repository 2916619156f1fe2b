"""What happened, for whoever must know: the host.

Each download makes these, whether or not anybody wants to know, so they are structs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from waterbutler.core import User

_NOTHING: Mapping[str, Any] = MappingProxyType({})

DOWNLOADS = frozenset({"download_file", "download_zip"})
TRANSFERS = frozenset({"move", "copy"})


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """The file or folder that something happened to.

    Attributes:
        resource: The resource that it is in.
        provider: The mount, as it stands in URLs.
        kind: ``file`` or ``folder``.
        name: Its last name; empty for a root.
        path: Its path as it stands in URLs, not encoded.
        materialized: Its path in names.
        attributes: Everything that v1 shows of it, where that is known; includes all the above.
    """

    resource: str
    provider: str
    kind: str
    name: str
    path: str
    materialized: str
    attributes: Mapping[str, Any] = _NOTHING


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The request that made it happen.

    Attributes:
        method: The method.
        url: The whole address, as this server saw it.
        referrer: The page that sent the request.
        user_agent: The program that sent it.
        renders: Whether it was sent to show a file and not to keep it.
        id: The request's id, in its answer and in the log.
    """

    method: str
    url: str
    referrer: str | None = None
    user_agent: str | None = None
    renders: bool = False
    id: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, or a copy or move that failed.

    Attributes:
        action: ``create``, ``update``, ``create_folder``, ``delete``, ``download_file``,
            ``download_zip``, ``move`` or ``copy``. A rename is a move.
        user: Who did it.
        item: What it happened to; of a copy or move what is there now, or should be.
        source: What was copied or moved.
        version: Which version was downloaded, if one was asked for.
        origin: The request.
        callback_url: Where the host wants to be told.
        errors: What went wrong, in sentences for people; empty if nothing did.
        belated: Whether the client had been told to come back later; ``None`` if it waited anyway.
    """

    action: str
    user: User
    item: Item
    origin: Origin
    source: Item | None = None
    version: str | None = None
    callback_url: str | None = None
    errors: tuple[str, ...] = ()
    belated: bool | None = None


class Sink(Protocol):
    """Is told of events."""

    def emit(self, event: Event) -> None:
        """Take note of an event; returns at once and never raises."""


@dataclass(frozen=True, slots=True)
class Events:
    """Hands events to all who want to know."""

    sinks: Sequence[Sink] = ()

    def emit(self, event: Event) -> None:
        """See `Sink.emit`."""
        for sink in self.sinks:
            sink.emit(event)
