"""What is wanted, by whom, and what is granted."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import ClassVar

import msgspec

from waterbutler.core.entry import JSON

_NOTHING: Mapping[str, JSON] = MappingProxyType({})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Action(Enum):
    """What a request wants to do to one place; the value is what logs show."""

    METADATA = "metadata"
    DOWNLOAD = "download"
    ZIP = "zip"
    REVISIONS = "revisions"
    RENDER = "render"
    EXPORT = "export"
    COPY_FROM = "copy_from"
    CREATE_FILE = "create_file"
    UPDATE_FILE = "update_file"
    CREATE_FOLDER = "create_folder"
    DELETE = "delete"
    RENAME = "rename"
    COPY_TO = "copy_to"
    MOVE_FROM = "move_from"
    MOVE_TO = "move_to"

    @property
    def writes(self) -> bool:
        """Whether the right to write is needed."""
        return self not in _READS


_READS = frozenset(
    {
        Action.METADATA,
        Action.DOWNLOAD,
        Action.ZIP,
        Action.REVISIONS,
        Action.RENDER,
        Action.EXPORT,
        Action.COPY_FROM,
    }
)


class Conflict(Enum):
    """What to do when a name is taken."""

    WARN = "warn"
    """Refuse with `AlreadyExists`."""
    REPLACE = "replace"
    """Put the new thing in place of the old one."""
    KEEP = "keep"
    """Keep both: the new one gets `` (1)``, `` (2)``, …"""


class _Discreet(msgspec.Struct, frozen=True, kw_only=True):
    """A struct of which only ``SHOWN`` is in its ``repr``, and so in logs and tracebacks."""

    SHOWN: ClassVar[tuple[str, ...]]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.SHOWN)
        return f"{type(self).__name__}({shown})"


class Identity(_Discreet, frozen=True, kw_only=True):
    """What a client shows to say who it is, and about where it comes from.

    Nothing here is trusted; secrets are kept out of ``repr``. `msgspec.structs.replace` gives one
    with other values, as it does for the other structs here.
    """

    SHOWN = ("same_origin", "referrer", "user_agent", "origin")

    authorization: str | None = None
    """The ``Authorization`` header as it came."""
    cookies: Mapping[str, str] = _NO_HEADERS
    cookie: str | None = None
    """The ``cookie`` query parameter."""
    view_only: str | None = None
    """The ``view_only`` query parameter; empty counts as absent."""
    same_origin: bool = False
    """The request provably comes from this server's own pages."""
    csrf_token: str | None = None
    referrer: str | None = None
    user_agent: str | None = None
    origin: str | None = None
    uri: str = ""
    headers: Mapping[str, str] = _NO_HEADERS
    """Further headers that an auth handler may want to relay, lower-case names."""


class AccessRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants to do something somewhere."""

    resource: str
    provider: str
    """The mount's name, as it stands in the URL."""
    action: Action
    path: str
    """The decoded path of the URL, with its leading slash."""
    version: str | None = None
    legacy: bool = False
    """The request came by the API's version 0, for which hosts have older words."""
    identity: Identity = Identity()


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts; all empty for anonymous."""

    id: str | None = None
    name: str | None = None
    email: str | None = None


ANONYMOUS = User()


class Grant(_Discreet, frozen=True, kw_only=True):
    """The answer to an access request that is allowed: which storage to open, and for whom."""

    SHOWN = (
        *("user", "provider", "settings", "callback_url"),
        *("writable", "redirect", "read_only", "foreign"),
    )

    user: User
    provider: str
    """The registered name of the provider to open."""
    settings: Mapping[str, JSON] = _NOTHING
    credentials: Mapping[str, JSON] = _NOTHING
    callback_url: str | None = None
    writable: bool = False
    """Whether the user may write here, for showing what is possible; not a permission."""
    redirect: bool | None = None
    """Whether downloads may be redirected to the storage; ``None``: as the server is set up."""
    read_only: bool = False
    """The mount refuses every change, whoever asks."""
    view_only: str | None = None
    """The key that the user reads with: some hosts hide names from who has one."""
    foreign: bool = False
    """Somebody else than this server's settings named the storage, and with it other machines."""
