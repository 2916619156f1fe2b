"""What the host's hooks say, read into values; and what they are told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from waterbutler.core import JSON
from waterbutler.core.errors import BadPath, ProviderFault
from waterbutler.core.filetree import Author, Blob, Location, Node, NodeVersion, check_id
from waterbutler.core.parsing import parse_iso_date

_HASHES = ("md5", "sha256")


class Seen(msgspec.Struct, frozen=True):
    """Whether a user saw the newest version."""

    user: str | None = None
    seen: bool = False


class Item(msgspec.Struct, frozen=True, rename="camel"):
    """A file or a folder."""

    id: str
    name: str
    kind: str
    size: int | None = None
    content_type: str | None = None
    version: int | None = None
    downloads: int | None = None
    checkout: str | None = None
    md5: str | None = None
    sha256: str | None = None
    created: str | None = None
    modified: str | None = None
    latest_version_seen: Seen | None = None
    full_path: str | None = None

    def node(self) -> Node:
        """The same as a node.

        Raises:
            ProviderFault: It makes no sense.
        """
        if self.kind not in {"file", "folder"}:
            raise ProviderFault("The host shows something that is neither file nor folder.")
        try:
            check_id(self.id)
        except BadPath:
            raise ProviderFault("The host shows an id that is none.") from None
        hashes = {name: getattr(self, name) for name in _HASHES}
        return Node(
            id=self.id,
            name=self.name,
            is_folder=self.kind == "folder",
            version=self.version or 0,
            size=self.size,
            content_type=self.content_type,
            hashes={name: value for name, value in hashes.items() if value},
            created=moment(self.created),
            modified=moment(self.modified),
            downloads=self.downloads or 0,
            checkout=self.checkout,
            seen=self.latest_version_seen.seen if self.latest_version_seen else None,
            full_path=self.full_path,
        )


class Lineage(msgspec.Struct, frozen=True):
    """An item and the folders above it, the root last."""

    data: list[Item]


class Changed(msgspec.Struct, frozen=True):
    """What was made: a folder, or a version of a file."""

    data: Item
    version: str | None = None


class _Object(msgspec.Struct, frozen=True):
    name: str
    path: str


class Download(msgspec.Struct, frozen=True):
    """Where the bytes of a version are."""

    data: _Object
    settings: dict[str, Any] = msgspec.field(default_factory=dict)

    def location(self) -> Location:
        """The same as a location."""
        name = self.data.path.removeprefix("/")
        if not name or "/" in name:
            raise ProviderFault("The host names an object that cannot be.")
        return Location(name=self.data.name, object=name, settings=self.settings)


class _User(msgspec.Struct, frozen=True):
    name: str | None = None
    url: str | None = None


class Revision(msgspec.Struct, frozen=True):
    """One version of a file."""

    index: int
    date: str | None = None
    downloads: int | None = None
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None
    user: _User | None = None

    def version(self) -> NodeVersion:
        """The same as a version."""
        hashes = {name: getattr(self, name) for name in _HASHES}
        author = Author(name=self.user.name or "", url=self.user.url or "") if self.user else None
        return NodeVersion(
            index=self.index,
            date=moment(self.date),
            size=self.size,
            hashes={name: value for name, value in hashes.items() if value},
            downloads=self.downloads or 0,
            author=author,
        )


class Revisions(msgspec.Struct, frozen=True):
    """All versions of a file, the newest first."""

    revisions: list[Revision]


class QuotaStatus(msgspec.Struct, frozen=True):
    """Whether a resource is full."""

    over_quota: bool


def moment(text: str | None) -> datetime | None:
    """A time of the host's, in UTC; hosts write fractions of a second with up to six digits.

    Raises:
        ProviderFault: It is none.
    """
    if not text:
        return None
    time = parse_iso_date(text)
    if time is None:
        raise ProviderFault("The host says a time that is none.")
    return time


def recording(name: str, user: str | None, blob: Blob) -> dict[str, JSON]:
    """How the host is told that a blob is the newest version of a file."""
    modified = blob.modified
    metadata: dict[str, JSON] = {
        "provider": blob.service,
        "kind": "file",
        "name": blob.object,
        "path": f"/{blob.object}",
        "materialized": f"/{blob.object}",
        "etag": blob.etag,
        "contentType": blob.content_type,
        "size": blob.size,
        "sizeInt": blob.size,
        "modified": modified.isoformat() if modified else None,
        "modified_utc": modified.isoformat() if modified else None,
        "created_utc": None,
        "extra": dict(blob.extra),
    }
    return {
        "name": name,
        "user": user,
        "settings": dict(blob.settings),
        "metadata": metadata,
        "hashes": dict(blob.hashes),
        "worker": dict(blob.worker),
    }
