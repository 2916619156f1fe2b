"""What v1 shows: JSON-API objects with links."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from waterbutler.core import Entry, Path, Version
from waterbutler.events import Item
from waterbutler.server.v1.documents import Document, FileAttributes, FolderAttributes, Links
from waterbutler.service import Room

_PLAIN = re.compile(r"[A-Za-z0-9_.~ -]*")
_ENCODED = {number: quote(chr(number), safe="") for number in range(128)}

_encode = msgspec.json.Encoder().encode


def encode_path(path: Path) -> str:
    """A path as it stands in a URL."""
    if not path.names:
        return "/"
    return "/" + "/".join(map(_encoded, path.names)) + ("/" if path.is_folder else "")


def _encoded(name: str) -> str:
    if _PLAIN.fullmatch(name):
        return name.replace(" ", "%20")
    return name.translate(_ENCODED) if name.isascii() else quote(name, safe="")


class Renderer:
    """Renders the entries of one room.

    Everything that is the same for all of them is computed once: a listing has many.

    Args:
        room: The storage and who looks at it.
        domain: What links start with.
    """

    def __init__(self, room: Room, domain: str) -> None:
        place = room.place
        self._provider = place.mount
        self._resource = place.resource
        self._wire_path = room.provider.wire_path
        self._prefix = f"{domain}/v1/resources/{place.resource}/providers/{place.mount}"
        self._can = room.provider.capabilities
        self._tagged: tuple[Entry | None, str] = (None, "")
        self._above: tuple[tuple[str, ...], str] = ((), "/")

    @property
    def writable(self) -> bool:
        """Whether the storage can be written to, whoever asks."""
        return self._can.write

    def etag(self, entry: Entry) -> str:
        """The tag of an entry, in its attributes and, quoted, in the ``ETag`` header."""
        if entry is self._tagged[0]:
            return self._tagged[1]
        raw = entry.etag
        if raw is None:
            raw = f"{entry.path}::{entry.modified}::{entry.size}"
        tag = hashlib.sha256(f"{self._provider}::{raw}".encode()).hexdigest()
        self._tagged = (entry, tag)
        return tag

    def url(self, path: Path) -> str:
        """The URL of a file or folder in v1, without parameters."""
        return self._prefix + self._encoded(self._wire_path(path))

    def entry(self, entry: Entry) -> dict[str, Any]:
        """The JSON-API object of a file or folder."""
        return _plain(self._document(entry))

    def document(self, entry: Entry) -> dict[str, Any]:
        """An answer that shows a file or folder."""
        return {"data": self.entry(entry)}

    def child(self, entry: Entry) -> dict[str, Any]:
        """A file or folder as its folder shows it, when that was copied or moved."""
        return self.attributes(entry)

    def around_children(self, folder: Entry) -> tuple[bytes, bytes]:
        """What comes before and after the children in an answer that shows a folder with them."""
        document = self.entry(folder)
        attributes = document.pop("attributes")
        head = _encode({"data": {**document, "attributes": attributes}})
        return head[: -len(b"}}}")] + b',"children":[', b"]}}}"

    def attributes(self, entry: Entry) -> dict[str, Any]:
        """The flat attributes of a file or folder, as ``children`` shows them."""
        return _plain(self._attributes(entry, str(self._wire_path(entry.path))))

    def item(self, path: Path, entry: Entry | None = None) -> Item:
        """A file or folder as events name it; with its attributes where its entry is given."""
        return Item(
            resource=self._resource,
            provider=self._provider,
            kind="folder" if path.is_folder else "file",
            name=path.name,
            path=str(self._wire_path(path)),
            materialized=str(path),
            attributes=self.attributes(entry) if entry is not None else {},
        )

    def encoded(self, entry: Entry) -> bytes:
        """`entry` as JSON."""
        return _encode(self._document(entry))

    def version(self, version: Version) -> dict[str, Any]:
        """The JSON-API object of a version."""
        modified = _iso(version.modified)
        extra: dict[str, Any] = dict(version.extra)
        if version.hashes:
            extra.setdefault("hashes", dict(version.hashes))
        return {
            "id": version.id,
            "type": "file_versions",
            "attributes": {
                "extra": extra,
                "version": version.id,
                "modified": modified,
                "modified_utc": modified,
                "versionIdentifier": version.label,
                "size": version.size,
            },
        }

    def _document(self, entry: Entry) -> Document:
        wire = self._wire_path(entry.path)
        path = str(wire)
        return Document(
            self._provider + path, "files", self._attributes(entry, path), self._links(entry, wire)
        )

    def _attributes(self, entry: Entry, wire: str) -> FolderAttributes:
        path = entry.path
        common = (
            _extra(entry),
            "folder" if path.is_folder else "file",
            path.name,
            wire,
            self._provider,
            str(path),
            self.etag(entry),
            self._resource,
            entry.size,
            entry.size,
        )
        if path.is_folder:
            return FolderAttributes(*common)
        modified = _iso(entry.modified)
        return FileAttributes(*common, entry.content_type, modified, modified, _iso(entry.created))

    def _links(self, entry: Entry, wire: Path) -> Links:
        """What can be done with an entry; what its storage cannot do is not offered.

        Links do not depend on who asks: clients in the field read files through ``upload``.
        """
        url = self._prefix + self._encoded(wire)
        links = Links()
        if self._can.write:
            links.move = links.delete = url
            links.upload = url + "?kind=file"
        if not entry.path.is_folder:
            links.download = url
        elif self._can.make_folder:
            links.new_folder = url + "?kind=folder"
        return links

    def _encoded(self, path: Path) -> str:
        """`encode_path`, which for what is in the same folder as the one before is short."""
        names = path.names
        if not names:
            return "/"
        above, prefix = self._above
        if above != names[:-1]:
            above = names[:-1]
            prefix = encode_path(Path(above))
            self._above = above, prefix
        return prefix + _encoded(names[-1]) + ("/" if path.is_folder else "")


def _extra(entry: Entry) -> dict[str, Any]:
    """What only the storage knows, and the hashes."""
    extra: dict[str, Any] = dict(entry.extra)
    if entry.hashes:
        extra.setdefault("hashes", dict(entry.hashes))
    return extra


def _plain(document: msgspec.Struct) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(document)
    return plain


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    if moment.tzinfo is UTC:
        # A fifth of the time that `isoformat` takes, and the same but for the name of the zone.
        return _encode(moment)[1:-2].decode() + "+00:00"
    return moment.isoformat()
