"""What v1 shows: JSON-API objects with links.

A listing has thousands of them, so each is written as JSON by filling in a text: that takes less
time than to build an object and to write that. Where the object itself is wanted it is read from
there, so there is one place that says what is in it.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from waterbutler.core import Entry, Path, Version
from waterbutler.events import Item
from waterbutler.service import Room

_PLAIN = re.compile(r"[A-Za-z0-9_.~ -]*")
_SAME = re.compile(r"[A-Za-z0-9_.~-]*")
"""What stands for itself in a string of JSON and in a URL."""
_ENCODED = {number: quote(chr(number), safe="") for number in range(128)}

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


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
        self._texts = tuple(map(_inside, (self._prefix, place.mount, place.resource)))
        self._can = room.provider.capabilities
        self._around_links = {folder: self._links(folder=folder) for folder in (False, True)}
        self._tagged: tuple[Entry | None, str] = (None, "")
        self._above: tuple[tuple[str, ...], str, str] = ((), "/", "/")

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
        return self._prefix + self._shown(self._wire_path(path))[1]

    def entry(self, entry: Entry) -> dict[str, Any]:
        """The JSON-API object of a file or folder."""
        document: dict[str, Any] = _decode(self._text(entry))
        return document

    def document(self, entry: Entry) -> dict[str, Any]:
        """An answer that shows a file or folder."""
        return {"data": msgspec.Raw(self.encoded(entry))}

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
        attributes: dict[str, Any] = _decode(self._text(entry))["attributes"]
        return attributes

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
        return self._text(entry).encode()

    def version(self, version: Version) -> dict[str, Any]:
        """The JSON-API object of a version."""
        modified = None if version.modified is None else _moment(version.modified)[1:-1]
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

    def _text(self, entry: Entry) -> str:
        """The JSON of a file or folder, its keys in the order that clients know."""
        path = entry.path
        wire = self._wire_path(path)
        prefix, provider, resource = self._texts
        shown, url, name = self._shown(wire)
        place = shown
        if wire is not path:
            place, name = _inside(str(path)), _inside(path.name)
        size = "null" if entry.size is None else entry.size
        folder = path.is_folder
        return (
            f'{{"id":"{provider}{shown}","type":"files","attributes":{{"extra":{_extra(entry)},'
            f'"kind":"{"folder" if folder else "file"}","name":"{name}","path":"{shown}",'
            f'"provider":"{provider}","materialized":"{place}","etag":"{self.etag(entry)}",'
            f'"resource":"{resource}","size":{size},"sizeInt":{size}'
            f"{'' if folder else _of_file(entry)}}},"
            f'"links":{{{f"{prefix}{url}".join(self._around_links[folder])}}}}}'
        )

    def _links(self, *, folder: bool) -> list[str]:
        """What can be done, as the texts around the URL; what the storage cannot do is not offered.

        Links do not depend on who asks: clients in the field read files through ``upload``.
        """
        links = []
        if self._can.write:
            links += ['"move":"%"', '"upload":"%?kind=file"', '"delete":"%"']
        if not folder:
            links.append('"download":"%"')
        elif self._can.make_folder:
            links.append('"new_folder":"%?kind=folder"')
        return ",".join(links).split("%")

    def _shown(self, path: Path) -> tuple[str, str, str]:
        """A path inside of a JSON string and in a URL, and its name inside of a string.

        Its folder is mostly the one before.
        """
        names = path.names
        if not names:
            return "/", "/", ""
        above, shown, encoded = self._above
        if above != names[:-1]:
            above = names[:-1]
            folder = Path(above)
            shown, encoded = _inside(str(folder)), encode_path(folder)
            self._above = above, shown, encoded
        end = "/" if path.is_folder else ""
        name = names[-1]
        if _SAME.fullmatch(name):
            return f"{shown}{name}{end}", f"{encoded}{name}{end}", name
        inside = _inside(name)
        return f"{shown}{inside}{end}", f"{encoded}{_encoded(name)}{end}", inside


def _inside(text: str) -> str:
    """A text as it stands between the quotes of a JSON string."""
    return text if _PLAIN.fullmatch(text) else _encode(text)[1:-1].decode()


def _extra(entry: Entry) -> str:
    """What only the storage knows, and the hashes."""
    if not entry.extra and not entry.hashes:
        return "{}"
    extra: dict[str, Any] = dict(entry.extra)
    if entry.hashes:
        extra.setdefault("hashes", dict(entry.hashes))
    return _encode(extra).decode()


def _of_file(entry: Entry) -> str:
    """The attributes that folders do not have."""
    kind = "null" if entry.content_type is None else _encode(entry.content_type).decode()
    modified = "null" if entry.modified is None else _moment(entry.modified)
    created = "null" if entry.created is None else _moment(entry.created)
    return (
        f',"contentType":{kind},"modified":{modified},"modified_utc":{modified},'
        f'"created_utc":{created}'
    )


def _moment(moment: datetime) -> str:
    """A time as JSON."""
    if moment.tzinfo is UTC:
        # A fifth of the time that `isoformat` takes, and the same but for the name of the zone.
        return f'{_encode(moment).decode()[:-2]}+00:00"'
    return f'"{moment.isoformat()}"'
