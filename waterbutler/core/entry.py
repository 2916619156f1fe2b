"""What a storage knows about a file, a folder, a version, and about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

import msgspec

from waterbutler.core.path import Path

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
"""What can stand in a JSON document."""

_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_EXTRA: Mapping[str, JSON] = MappingProxyType({})


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A file or a folder; ``path.is_folder`` says which.

    Times are aware and in UTC. ``hashes`` maps hashlib names to lower-case hexadecimal digests of
    the whole content. ``etag`` is opaque, changes when the content does, and is the same from
    every operation that shows the same content. ``extra`` is what only this storage knows.

    Listings make millions of them, so it is a struct, which takes a tenth of the time that a data
    class takes. `msgspec.structs.replace` gives one with other values.
    """

    path: Path
    size: int | None = None
    modified: datetime | None = None
    created: datetime | None = None
    etag: str | None = None
    version: str | None = None
    content_type: str | None = None
    hashes: Mapping[str, str] = _NOTHING
    extra: Mapping[str, JSON] = _NO_EXTRA

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder."""
        return self.path.is_folder

    @property
    def name(self) -> str:
        """The last name of the path."""
        return self.path.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a file, as a list of versions shows it."""

    id: str
    label: str = "version"
    """The query parameter that asks for this version."""
    modified: datetime | None = None
    size: int | None = None
    hashes: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    extra: Mapping[str, JSON] = field(default_factory=lambda: _NO_EXTRA)


@dataclass(frozen=True, slots=True)
class StorageInfo:
    """Which storage this is.

    Attributes:
        name: The name that the provider is registered under, ``filesystem``.
        root: What identifies the storage's own folder, ``file:///srv/a``; two providers with equal
            roots show the same things. It is never shown to clients.
        label: The storage in words, without secrets, for logs and error messages.
    """

    name: str
    root: str
    label: str
