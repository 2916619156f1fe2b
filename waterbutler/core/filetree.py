"""The tree of files that an OSF-like host keeps: names, and the blobs that are their versions.

The bytes are elsewhere, in a blob store that the host never touches. Two things fulfil `FileTree`:
the embedded host in this process, and the hooks of another host over HTTP.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from waterbutler.core.entry import JSON
from waterbutler.core.errors import BadPath

OSFSTORAGE = "osfstorage"
"""The provider whose trees these are, and the name in the URLs of their hooks."""

_NO_HASHES: Mapping[str, str] = MappingProxyType({})
_NOTHING: Mapping[str, JSON] = MappingProxyType({})


def check_id(id: str) -> str:
    """Return ``id`` if it may be the id of a node.

    Raises:
        BadPath: It is anything but ASCII letters and digits, at most 64 of them. An id becomes
            part of a URL, so nothing else may reach it.
    """
    if not (id.isascii() and id.isalnum() and len(id) <= 64):
        raise BadPath("This is not the id of a file or folder.")
    return id


def new_id() -> str:
    """An id that nothing has: 24 hexadecimal digits."""
    return secrets.token_hex(12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who made a version, as a list of versions shows it."""

    name: str
    url: str = ""
    """The page of the user on the host; empty where users have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeVersion:
    """One version of a file.

    ``size`` and ``content_type`` are ``None`` where the host does not say them: the list of
    versions over HTTP has neither. ``hashes`` maps hashlib names to lower-case hexadecimal digests.
    """

    index: int
    """Counts from 1; the newest has the highest."""
    date: datetime | None = None
    size: int | None = None
    content_type: str | None = None
    hashes: Mapping[str, str] = field(default_factory=lambda: _NO_HASHES)
    downloads: int = 0
    author: Author | None = None
    """``None`` where it is unknown, or hidden from who asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A file or a folder of the tree, with what its newest version says.

    All that only files have is empty for folders. Times are aware and in UTC: ``created`` is the
    oldest version's, ``modified`` the newest one's.
    """

    id: str
    name: str
    """Empty for the root."""
    is_folder: bool
    version: int = 0
    """How many versions there are, which is the index of the newest."""
    size: int | None = None
    content_type: str | None = None
    hashes: Mapping[str, str] = field(default_factory=lambda: _NO_HASHES)
    created: datetime | None = None
    modified: datetime | None = None
    downloads: int = 0
    """Of all versions together."""
    checkout: str | None = None
    """The id of the user who has the file checked out."""
    seen: bool | None = None
    """Whether the user of a listing saw the newest version; ``None``: no version of it at all."""
    full_path: str | None = None
    """The names from the root down with slashes; only `FileTree.item` says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A complete object in the blob store, which becomes a version.

    Attributes:
        object: Its name there, which is the SHA-256 of its content.
        service: The registered name of the blob store's provider.
        settings: The settings that the blob store was opened with: where the object is.
        size: In bytes.
        content_type: As the blob store says.
        modified: When the blob store wrote it.
        etag: As the blob store says.
        hashes: hashlib names to lower-case hexadecimal digests; ``md5``, ``sha1`` and ``sha256``.
        extra: What else the blob store says of it.
        worker: Which process stored it, for people who look for traces.
    """

    object: str
    service: str
    settings: Mapping[str, JSON]
    size: int
    hashes: Mapping[str, str]
    content_type: str | None = None
    modified: datetime | None = None
    etag: str | None = None
    extra: Mapping[str, JSON] = field(default_factory=lambda: _NOTHING)
    worker: Mapping[str, JSON] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What recording a blob did.

    Attributes:
        node: The file, as it is now.
        created: Whether its name was new.
        version_id: The id of the version's record, for `FileTree.set_metadata`.
    """

    node: Node
    created: bool
    version_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where the bytes of a version are.

    Attributes:
        name: The name that the file had as this version.
        object: The object's name in the blob store.
        settings: Which part of which blob store: ``{"folder" | "container" | "bucket": …}``, and
            whatever else the host says. It is the version's own: another one may be elsewhere.
        version: What is known of the version; ``None`` where the host only says where it is.
    """

    name: str
    object: str
    settings: Mapping[str, JSON] = field(default_factory=lambda: _NOTHING)
    version: NodeVersion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a node is moved or copied to: the id of a folder in a resource, and the name in it."""

    resource: str
    parent: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How much of a resource's room is used; bytes of all versions of everything in it.

    ``used`` and ``limit`` are ``None`` where the host says only whether there is room, and
    ``limit`` also where there is none.
    """

    over: bool
    used: int | None = None
    limit: int | None = None

    @property
    def free(self) -> int | None:
        """How many bytes may still be written, if that is known."""
        if self.used is None or self.limit is None:
            return None
        return max(self.limit - self.used, 0)


class FileTree(Protocol):
    """The files and folders of one resource, by id.

    Ids are letters and digits and never used again. A live file and a live folder may have the
    same name in the same folder; two files, or two folders, never. Every change happens whole or
    not at all, and when the call has returned it stays, also if this process dies.

    All calls may raise, besides what each one says:

    * `BadPath`: an id or a name is not one;
    * `NotFound`: there is no such node in this resource, or it was deleted;
    * `ProviderUnavailable`: the host or its database cannot be reached, or is too busy; nothing
      was changed as far as is known, and the same call may be made again;
    * `ProviderFault`: the host answered something that makes no sense;
    * `Forbidden`, `Unauthenticated`: the host does not let this server do it.

    ``user`` is the id of who acts, ``None`` for anonymous. Rights are not checked here.
    """

    resource: str
    """The id of the resource."""

    async def item(self, id: str | None = None) -> Node:
        """One node, with its ``full_path``; the root without ``id``."""

    async def lineage(self, id: str) -> tuple[Node, ...]:
        """The node and the folders above it: the node first, the root last."""

    def children(self, id: str | None = None, *, user: str | None = None) -> AsyncIterator[Node]:
        """What is directly in a folder, each once, in an order of the host's own.

        The embedded host reads pages while iterating and keeps nothing open between them: memory
        does not grow with the folder. Over HTTP the host sends everything in one answer. What is
        added or removed meanwhile may or may not appear; all else does.

        Args:
            id: The folder; the root without it.
            user: Whose ``seen`` to say.

        Raises:
            NotAFolder: It is a file.
        """

    async def child(self, parent: str, name: str, *, folder: bool) -> Node | None:
        """What has this name and kind in a folder; ``None`` if nothing has.

        Raises:
            NotAFolder: ``parent`` is a file.
        """

    async def make_folder(self, parent: str, name: str, *, user: str | None) -> Node:
        """Make an empty folder.

        Raises:
            AlreadyExists: A folder has the name.
            NotAFolder: ``parent`` is a file.
        """

    async def record(
        self,
        parent: str,
        name: str,
        blob: Blob,
        *,
        user: str | None,
        file: str | None = None,
        exclusive: bool = False,
    ) -> Recorded:
        """Make a blob the newest version of a file, which is created if nothing has its name.

        A blob that is the newest version already makes no new one: a call that is repeated because
        its answer was lost does no harm.

        Args:
            parent: The folder.
            name: The name of the file.
            blob: What was stored.
            user: Who did it.
            file: The id of the file that is meant: it gets the version, also if it was renamed or
                moved inside of the resource meanwhile. A host that does not know this goes by
                parent and name.
            exclusive: Refuse a name that is taken. A host that does not know this adds a version.

        Raises:
            AlreadyExists: With ``exclusive``: a file has the name.
            Forbidden: Somebody else has the file checked out.
            QuotaExceeded: The resource has no room for it.
            NotAFolder: ``parent`` is a file.
            IsAFolder: ``file`` is a folder.
        """

    async def delete(self, id: str, *, user: str | None) -> None:
        """Remove a node with everything in it; blobs stay in the blob store.

        Raises:
            Forbidden: It, or something in it, is checked out, by whomever.
            InvalidRequest: It is the root.
        """

    async def locate(
        self, id: str, *, version: int | None = None, user: str | None = None
    ) -> Location:
        """Where the bytes of a version are, of the newest without ``version``. Nothing is counted.

        Raises:
            NotFound: There is no such version.
            IsAFolder: It is a folder.
        """

    def revisions(self, id: str, *, view_only: str | None = None) -> AsyncIterator[NodeVersion]:
        """The versions of a file, newest first.

        Args:
            id: The file.
            view_only: The key that the client reads with: some keys hide who made a version.

        Raises:
            IsAFolder: It is a folder.
        """

    async def move(
        self, id: str, to: Destination, *, user: str | None, replace: bool = False
    ) -> Node:
        """Move or rename a node with everything in it; it keeps its id and its versions.

        Args:
            id: What to move.
            to: Where to; perhaps in another resource of the same host.
            user: Who does it.
            replace: What has the name there gives way in the same step. A host that cannot do this
                in one step never removes it before the node is known to be movable.

        Raises:
            AlreadyExists: Something of the same kind has the name, and ``replace`` is off.
            CheckedOut: It, or something in it, is checked out, by whomever.
            Forbidden: What would give way, or something in it, is checked out.
            SamePlace: The destination is inside of what is moved, or would replace a folder
                around it.
            QuotaExceeded: The other resource has no room for it.
            NotAFolder: ``to.parent`` is a file.
            InvalidRequest: It is the root.
        """

    async def copy(
        self, id: str, to: Destination, *, user: str | None, replace: bool = False
    ) -> Node:
        """Copy a node with everything in it and all versions; every copy has a new id.

        What is checked out may be copied; the copy is not checked out. Everything else is as in
        `move`, but a root may be copied under a name.
        """

    async def quota(self) -> Quota:
        """Whether the resource has room. A host that does not know yet counts as having room."""

    async def set_metadata(self, version_id: str, metadata: Mapping[str, JSON]) -> None:
        """Add what was learned of a version later; keys that are there are replaced.

        Raises:
            NotFound: There is no such version in this resource.
        """

    def uploading(self) -> AbstractAsyncContextManager[None]:
        """An upload runs as long as this is entered: no blob is removed from the blob store.

        Enter it before looking whether a blob is there, leave it when the blob is recorded.

        Raises:
            ProviderUnavailable: Blobs are being removed just now; try again later.
        """


class FileTrees(Protocol):
    """The embedded host, as providers see it: the trees of all resources."""

    def tree(self, resource: str) -> FileTree:
        """The tree of a resource; its root is made when it is first needed."""


class BlobReferences(Protocol):
    """What the sweeper of a blob store asks the embedded host; other hosts sweep on their own."""

    async def referenced(self, objects: Collection[str]) -> frozenset[str]:
        """Those of ``objects`` that a version of a live file still needs, in any resource."""

    def sweeping(self) -> AbstractAsyncContextManager[None]:
        """Blobs may be removed as long as this is entered: no upload begins meanwhile.

        Raises:
            ProviderUnavailable: An upload is running, in this process or another one.
        """
