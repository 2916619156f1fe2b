"""Values of the contract as the JSON of its hooks, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from waterbutler.core import JSON
from waterbutler.core.errors import InvalidRequest
from waterbutler.core.filetree import Blob, Destination, Location, Node, NodeVersion, Recorded

_PLACES = ("folder", "container", "bucket")


def item(node: Node) -> dict[str, JSON]:
    """A node as the hooks show it."""
    if node.is_folder:
        return {"id": node.id, "path": f"/{node.id}/", "name": node.name, "kind": "folder"}
    return {
        "id": node.id,
        "path": f"/{node.id}",
        "name": node.name,
        "kind": "file",
        "size": node.size,
        "contentType": node.content_type,
        "version": node.version,
        "downloads": node.downloads,
        "checkout": node.checkout,
        "md5": node.hashes.get("md5"),
        "sha256": node.hashes.get("sha256"),
        "created": node.created.isoformat() if node.created else None,
        "modified": node.modified.isoformat() if node.modified else None,
    }


def child(node: Node, user: str | None) -> dict[str, JSON]:
    """A node as a listing shows it to a user."""
    shown = item(node)
    if not node.is_folder:
        known = node.seen is not None and user is not None
        shown["latestVersionSeen"] = {"user": user, "seen": node.seen} if known else None
    return shown


def brief_child(node: Node, key: int, location: Location | None) -> dict[str, JSON]:
    """A node as a listing with ``minimal`` shows it."""
    return {
        "id": key,
        "name": node.name,
        "kind": "folder" if node.is_folder else "file",
        "path": f"/{node.id}/" if node.is_folder else f"/{node.id}",
        "storage": None if location is None else download(location),
    }


def download(location: Location) -> dict[str, JSON]:
    """Where a version is."""
    settings = {name: location.settings[name] for name in _PLACES if name in location.settings}
    return {
        "data": {"name": location.name, "path": location.object},
        "settings": settings,
    }


def revision(version: NodeVersion) -> dict[str, JSON]:
    """A version as the list of versions shows it; ``size`` is more than others say."""
    author = version.author
    return {
        "index": version.index,
        "date": version.date.isoformat() if version.date else None,
        "downloads": version.downloads,
        "md5": version.hashes.get("md5"),
        "sha256": version.hashes.get("sha256"),
        "size": version.size,
        "user": {"name": author.name, "url": author.url} if author else None,
    }


def recorded(result: Recorded) -> dict[str, JSON]:
    """What recording a blob did."""
    return {
        "status": "success",
        "archive": True,
        "data": item(result.node),
        "version": result.version_id,
    }


class _Metadata(msgspec.Struct):
    name: str
    provider: str
    size: int
    contentType: str | None = None  # noqa: N815 - the wire's word
    etag: str | None = None
    modified_utc: str | None = None
    extra: dict[str, Any] = msgspec.field(default_factory=dict)


class NewChild(msgspec.Struct):
    """The payload that makes a folder, or a version of a file.

    ``file`` and ``exclusive`` are more than others know; see `FileTree.record`.
    """

    name: str
    user: str | None = None
    kind: str | None = None
    settings: dict[str, Any] | None = None
    metadata: _Metadata | None = None
    hashes: dict[str, str] | None = None
    worker: dict[str, Any] | None = None
    file: str | None = None
    exclusive: bool = False

    def blob(self) -> Blob:
        """The blob that was stored.

        Raises:
            InvalidRequest: Something of it is missing.
        """
        about = self.metadata
        if about is None or self.hashes is None or self.settings is None or self.worker is None:
            raise InvalidRequest("A file needs metadata, hashes, settings and worker.")
        if not about.name or not about.provider or about.size < 0:
            raise InvalidRequest("The metadata makes no sense.")
        return Blob(
            object=about.name,
            service=about.provider,
            settings=self.settings,
            size=about.size,
            hashes=self.hashes,
            content_type=about.contentType,
            etag=about.etag,
            extra={**about.extra, "modified": about.modified_utc},
            worker=self.worker,
        )


class _To(msgspec.Struct):
    parent: str
    name: str
    node: str | None = None
    target: str | None = None
    replace: bool = False


class Transfer(msgspec.Struct):
    """The payload that moves or copies; ``destination.replace`` is more than others know."""

    source: str
    destination: _To
    user: str | None = None

    @property
    def to(self) -> Destination:
        """Where to.

        Raises:
            InvalidRequest: No resource is named.
        """
        resource = self.destination.node or self.destination.target
        if not resource:
            raise InvalidRequest("The destination lacks its node.")
        name = self.destination.name
        return Destination(resource=resource, parent=self.destination.parent, name=name)


class Acting(msgspec.Struct):
    """The payload of what only needs to know who acts."""

    user: str | None = None


class Metadata(msgspec.Struct):
    """The payload that adds to what is known of a version."""

    version: str
    metadata: dict[str, Any]


def read(payload: Mapping[str, JSON], kind: type[msgspec.Struct]) -> Any:  # noqa: ANN401
    """A payload as a value of ``kind``.

    Raises:
        InvalidRequest: It is none; the message names the field.
    """
    try:
        return msgspec.convert(payload, kind)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"Invalid payload: {error}.") from None
