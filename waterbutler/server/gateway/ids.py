"""What clients know files and folders by."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from waterbutler.core import ROOT, Path
from waterbutler.core.errors import BadPath, NotFound
from waterbutler.service import Place

_VERSION = "1"
_ID = re.compile(r"([A-Za-z0-9_-]+)(={0,2})")
_WORD = re.compile(r"\w+")
_LONGEST = 1 << 15


@dataclass(frozen=True, slots=True)
class Address:
    """Where something is in the tree that clients see: resources, their mounts, what is in those.

    Without a resource it is the folder of all resources, without a mount the folder of a
    resource's mounts. ``path`` is the path inside the mount as the storage's URLs have it.
    """

    resource: str = ""
    mount: str = ""
    path: Path = ROOT

    @property
    def is_virtual(self) -> bool:
        """Whether it lies above all storages, in folders that only this server has."""
        return not self.mount

    @property
    def is_mount(self) -> bool:
        """Whether it is the root of a storage."""
        return bool(self.mount) and self.path.is_root

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder's."""
        return self.path.is_folder

    @property
    def name(self) -> str:
        """What the folders that only this server has, and the roots of storages, are called."""
        return self.mount or self.resource

    @property
    def place(self) -> Place:
        """The same for the service; only if this is not virtual."""
        return Place(self.resource, self.mount, self.path)

    def contains(self, other: Address) -> bool:
        """Whether ``other`` lies in this part of the tree, or is its top; this must be no path."""
        return self.resource in {"", other.resource} and self.mount in {"", other.mount}


TOP = Address()
"""The folder of all resources."""


def encode(address: Address) -> str:
    """The id of something: URL-safe characters, and the same whenever it is asked for."""
    text = "\0".join((_VERSION, address.resource, address.mount, str(address.path)))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(id: str) -> Address:
    """What an id stands for; padding does no harm.

    Raises:
        NotFound: No such id was ever made here.
    """
    match = _ID.fullmatch(id)
    if match is None or len(id) > _LONGEST:
        raise _unknown()
    try:
        text = base64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4)).decode()
        version, resource, mount, path = text.split("\0")
        address = Address(resource, mount, Path.parse(path))
    except (binascii.Error, ValueError, BadPath):
        raise _unknown() from None
    whole = version == _VERSION and all(_WORD.fullmatch(word) for word in (resource, mount) if word)
    deep = bool(mount) or address.path.is_root
    if not whole or not deep or (mount and not resource) or encode(address) != match[1]:
        raise _unknown()
    return address


def _unknown() -> NotFound:
    return NotFound("There is no such file or folder.")
