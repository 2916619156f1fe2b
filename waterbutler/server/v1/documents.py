"""The JSON-API objects of files and folders, in the order that clients know.

They are structs and not dictionaries because a listing makes thousands of them: to fill and write
one takes a quarter of the time.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class FolderAttributes(msgspec.Struct):
    """What is said about a folder."""

    extra: dict[str, Any]
    kind: str
    name: str
    path: str
    provider: str
    materialized: str
    etag: str
    resource: str
    size: int | None
    sizeInt: int | None  # noqa: N815 - the names are those of the wire


class FileAttributes(FolderAttributes):
    """What is said about a file."""

    contentType: str | None  # noqa: N815
    modified: str | None
    modified_utc: str | None
    created_utc: str | None


class Links(msgspec.Struct):
    """What can be done; what cannot is left out."""

    move: str | UnsetType = UNSET
    upload: str | UnsetType = UNSET
    delete: str | UnsetType = UNSET
    download: str | UnsetType = UNSET
    new_folder: str | UnsetType = UNSET


class Document(msgspec.Struct):
    """A file or folder."""

    id: str
    type: str
    attributes: FolderAttributes
    links: Links
