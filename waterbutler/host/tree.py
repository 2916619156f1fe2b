"""The embedded host's file trees: `FileTree` over a database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, select, update

from waterbutler.core import JSON
from waterbutler.core.errors import NotFound
from waterbutler.core.filetree import (
    Author,
    Blob,
    Destination,
    Location,
    Node,
    NodeVersion,
    Quota,
    Recorded,
)
from waterbutler.host import changing, counting, reading
from waterbutler.host.copying import copy
from waterbutler.host.database import Database
from waterbutler.host.leases import Leases
from waterbutler.host.reading import Found, Names
from waterbutler.host.schema import nodes, versions

T = TypeVar("T")

_CHUNK = 500
"""How many objects are asked for at a time."""


def _nobody(_user: str) -> Author | None:
    return None


def _unlimited(_resource: str) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class BriefChild:
    """Something in a folder, the key that it is found again by, and where its bytes are."""

    key: int
    node: Node
    location: Location | None


class EmbeddedTrees:
    """The trees of all resources in one database; fulfils `FileTrees` and `BlobReferences`.

    Args:
        database: Where they are.
        names: What others may see of a user.
        limits: How many bytes a resource may have; ``None`` for no limit.
    """

    def __init__(
        self,
        database: Database,
        *,
        names: Names = _nobody,
        limits: Callable[[str], int | None] = _unlimited,
    ) -> None:
        self.database = database
        self.names = names
        self.limits = limits
        self.leases = Leases(database)
        self._roots: dict[str, str] = {}

    def tree(self, resource: str) -> EmbeddedTree:
        """The tree of a resource; its root is made when it is first needed."""
        return EmbeddedTree(self, resource)

    async def root(self, resource: str) -> str:
        """The id of a resource's root."""
        known = self._roots.get(resource)
        if known is None:
            known = await self.database.read(partial(_root, resource=resource))
            if known is None:
                known = await self.database.write(partial(_make_root, resource=resource))
            self._roots[resource] = known
        return known

    async def referenced(self, objects: Collection[str]) -> frozenset[str]:
        """Those of ``objects`` that a version of a live file still needs, in any resource."""
        names = sorted(set(objects))
        needed: set[str] = set()
        for start in range(0, len(names), _CHUNK):
            chunk = names[start : start + _CHUNK]
            needed.update(await self.database.read(partial(_referenced, objects=chunk)))
        return frozenset(needed)

    def sweeping(self) -> AbstractAsyncContextManager[None]:
        """Blobs may be removed as long as this is entered; see `BlobReferences.sweeping`."""
        return self.leases.sweeping()

    async def aclose(self) -> None:
        """Finish what is running, and close the database."""
        await self.leases.aclose()
        await self.database.aclose()


class EmbeddedTree:
    """The tree of one resource; see `FileTree` for what the methods promise.

    Args:
        trees: Where it belongs to.
        resource: The id of the resource.
    """

    def __init__(self, trees: EmbeddedTrees, resource: str) -> None:
        self.resource = resource
        self._trees = trees
        self._database = trees.database

    async def item(self, id: str | None = None) -> Node:
        """See `FileTree.item`."""
        found = await self._lineage(id or await self._root())
        names = [part.name for part in reversed(found[:-1])]
        end = "/" if found[0].folder and names else ""
        return reading.as_node(found[0], full_path="/" + "/".join(names) + end)

    async def lineage(self, id: str) -> tuple[Node, ...]:
        """See `FileTree.lineage`."""
        return tuple(reading.as_node(found) for found in await self._lineage(id))

    async def children(
        self, id: str | None = None, *, user: str | None = None
    ) -> AsyncIterator[Node]:
        """See `FileTree.children`."""
        folder = await self._read(reading.live_folder, id or await self._root())
        after = 0
        while True:
            ask = partial(reading.children, parent=folder.seq, after=after, user=user)
            page = await self._database.read(ask)
            for found in page:
                yield reading.as_child(found)
            if len(page) < reading.PAGE:
                return
            after = page[-1].seq

    async def brief_children(
        self, id: str, *, after: int = 0, limit: int = reading.PAGE
    ) -> list[BriefChild]:
        """A page of a folder, with where the newest version of each file is.

        Args:
            id: The folder.
            after: The key of the last one that was seen.
            limit: How many at most.

        Raises:
            NotAFolder: It is a file.
        """

        def look(connection: Connection) -> list[BriefChild]:
            folder = reading.live_folder(connection, self.resource, id)
            most = min(limit, reading.PAGE)
            page = reading.brief_children(connection, folder.seq, after=after, limit=most)
            return [_brief(found) for found in page]

        return await self._database.read(look)

    async def child(self, parent: str, name: str, *, folder: bool) -> Node | None:
        """See `FileTree.child`."""

        def look(connection: Connection) -> Found | None:
            above = reading.live_folder(connection, self.resource, parent)
            return reading.child(connection, above.seq, name, folder=folder)

        found = await self._database.read(look)
        return None if found is None else reading.as_node(found)

    async def make_folder(self, parent: str, name: str, *, user: str | None) -> Node:  # noqa: ARG002
        """See `FileTree.make_folder`."""

        def make(connection: Connection) -> Found:
            id = changing.make_folder(connection, self.resource, parent, name)
            return reading.live(connection, self.resource, id)

        return reading.as_node(await self._database.write(make))

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
        """See `FileTree.record`."""
        change = partial(
            changing.record,
            resource=self.resource,
            parent=parent,
            name=name,
            blob=blob,
            user=user,
            file=file,
            exclusive=exclusive,
            limit=self._trees.limits(self.resource),
        )
        return await self._database.write(change)

    async def delete(self, id: str, *, user: str | None) -> None:
        """See `FileTree.delete`."""
        await self._database.write(
            partial(changing.delete, resource=self.resource, id=id, user=user)
        )

    async def locate(
        self,
        id: str,
        *,
        version: int | None = None,
        user: str | None = None,  # noqa: ARG002
    ) -> Location:
        """See `FileTree.locate`."""

        def look(connection: Connection) -> Found:
            file = reading.live_file(connection, self.resource, id)
            return reading.version(connection, file, version)

        return reading.as_location(await self._database.read(look), self._trees.names)

    async def revisions(
        self,
        id: str,
        *,
        view_only: str | None = None,  # noqa: ARG002
    ) -> AsyncIterator[NodeVersion]:
        """See `FileTree.revisions`; keys of this host hide nothing."""
        file = await self._read(reading.live_file, id)
        before = reading.LAST
        while True:
            ask = partial(reading.older_versions, node=file.seq, before=before)
            page = await self._database.read(ask)
            for found in page:
                yield reading.as_version(found, self._trees.names)
            if len(page) < reading.PAGE:
                return
            before = page[-1].number

    async def move(
        self, id: str, to: Destination, *, user: str | None, replace: bool = False
    ) -> Node:
        """See `FileTree.move`."""
        limit = self._trees.limits(to.resource)

        def change(connection: Connection) -> Found:
            changing.move(
                connection, self.resource, id, to, user=user, replace=replace, limit=limit
            )
            return reading.live(connection, to.resource, id)

        return reading.as_node(await self._database.write(change))

    async def copy(
        self, id: str, to: Destination, *, user: str | None, replace: bool = False
    ) -> Node:
        """See `FileTree.copy`."""
        limit = self._trees.limits(to.resource)

        def change(connection: Connection) -> Found:
            made = copy(connection, self.resource, id, to, user=user, replace=replace, limit=limit)
            return reading.live(connection, to.resource, made)

        return reading.as_node(await self._database.write(change))

    async def quota(self) -> Quota:
        """See `FileTree.quota`."""
        used = await self._database.read(partial(reading.used, resource=self.resource))
        limit = self._trees.limits(self.resource)
        return Quota(over=limit is not None and used >= limit, used=used, limit=limit)

    async def set_metadata(self, version_id: str, metadata: Mapping[str, JSON]) -> None:
        """See `FileTree.set_metadata`."""
        await self._database.write(
            partial(_set_metadata, resource=self.resource, id=version_id, more=dict(metadata))
        )

    def uploading(self) -> AbstractAsyncContextManager[None]:
        """See `FileTree.uploading`."""
        return self._trees.leases.uploading()

    async def check_out(self, id: str, *, user: str) -> None:
        """Let nobody but ``user`` add versions, and nobody move or delete.

        Raises:
            Forbidden: Somebody else has it checked out.
            IsAFolder: It is a folder.
        """
        await self._database.write(
            partial(changing.check_out, resource=self.resource, id=id, user=user)
        )

    async def check_in(self, id: str) -> None:
        """Undo `check_out`, whoever did it; raises `IsAFolder` too."""
        await self._database.write(partial(changing.check_in, resource=self.resource, id=id))

    async def count_download(self, id: str, *, version: int | None = None) -> None:
        """Count a download of a version, of the newest without ``version``."""
        await self._database.write(
            partial(counting.count_download, resource=self.resource, id=id, number=version)
        )

    async def mark_seen(self, id: str, *, user: str, version: int | None = None) -> None:
        """Keep that a user saw a version, the newest without ``version``."""
        await self._database.write(
            partial(counting.mark_seen, resource=self.resource, id=id, user=user, number=version)
        )

    async def _root(self) -> str:
        return await self._trees.root(self.resource)

    async def _lineage(self, id: str) -> list[Found]:
        return list(await self._read(reading.lineage, id))

    async def _read(self, ask: Callable[[Connection, str, str], T], id: str) -> T:
        return await self._database.read(lambda connection: ask(connection, self.resource, id))


def _brief(found: Found) -> BriefChild:
    location = None
    if found.object is not None:
        location = Location(name=found.saved_as, object=found.object, settings=found.settings)
    return BriefChild(found.seq, reading.as_node(found), location)


def _root(connection: Connection, resource: str) -> str | None:
    return reading.root_of(connection, resource)


def _make_root(connection: Connection, resource: str) -> str:
    return changing.make_root(connection, resource)


def _referenced(connection: Connection, objects: list[str]) -> list[str]:
    needed = (
        select(versions.c.object)
        .join(nodes, versions.c.node == nodes.c.seq)
        .where(versions.c.object.in_(objects), nodes.c.trashed.is_(None))
        .distinct()
    )
    return [row.object for row in connection.execute(needed)]


def _set_metadata(connection: Connection, resource: str, id: str, more: dict[str, JSON]) -> None:
    changing.lock(connection, resource)
    found = connection.execute(
        select(versions.c.seq, versions.c.metadata)
        .join(nodes, versions.c.node == nodes.c.seq)
        .where(versions.c.id == id, nodes.c.resource == resource, nodes.c.trashed.is_(None))
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such version.")
    row = update(versions).where(versions.c.seq == found.seq)
    connection.execute(row.values(metadata={**found.metadata, **more}))
