"""Files and folders as clients see them."""

from __future__ import annotations

import hashlib

from waterbutler.core import JSON, Entry, Path
from waterbutler.server.gateway.documents import milliseconds
from waterbutler.server.gateway.ids import Address, encode
from waterbutler.server.gateway.vocabulary import Vocabulary
from waterbutler.service import Room


def etag_of(entry: Entry) -> str:
    """What is the same as long as a file has not changed.

    It says nothing of its storage, and its characters do no harm anywhere.
    """
    mark = entry.etag or entry.version or f"{entry.path}\0{entry.size}\0{entry.modified}"
    return hashlib.sha256(mark.encode("utf-8", "surrogatepass")).hexdigest()[:40]


class Renderer:
    """Renders the entries of one room.

    Args:
        words: The vocabulary to use.
        root: The folder that the session begins at.
        room: The storage.
    """

    def __init__(self, words: Vocabulary, root: Address, room: Room) -> None:
        self._words = words
        self._root = root
        self._room = room

    def entry(self, entry: Entry) -> dict[str, JSON]:
        """The metadata of a file or folder."""
        path = entry.path
        address = self._address(path)
        name = path.name or address.name
        above = self._address(path.parent) if not path.is_root else Address(address.resource)
        shown = _common(self._words, self._root, address, above, name)
        if not entry.is_folder or self._words.folders_are_dated:
            # The roots of storages have no time: the folder around them does not know it either.
            modified = None if path.is_root else entry.modified
            shown[self._words.modified] = milliseconds(modified) if modified else None
        if not entry.is_folder:
            shown[self._words.size] = entry.size
            shown[self._words.etag] = etag_of(entry)
        return shown

    def _address(self, path: Path) -> Address:
        place = self._room.place
        return Address(place.resource, place.mount, self._room.provider.wire_path(path))


def virtual(words: Vocabulary, root: Address, address: Address) -> dict[str, JSON]:
    """The metadata of a folder that only this server has, or of a mount in one."""
    above = Address(address.resource) if address.mount else Address()
    shown = _common(words, root, address, above, address.name)
    if words.folders_are_dated:
        shown[words.modified] = None
    return shown


def _common(
    words: Vocabulary, root: Address, address: Address, above: Address, name: str
) -> dict[str, JSON]:
    shown: dict[str, JSON] = {
        words.id: encode(address),
        words.kind: "folder" if address.is_folder else "file",
        words.name: name,
    }
    if words.parent is not None:
        shown[words.parent] = None if address == root else encode(above)
    return shown
