"""What is asked of the tables: nodes, what is above and below them, their versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal,
    select,
)

from waterbutler.core.errors import IsAFolder, NotAFolder, NotFound
from waterbutler.core.filetree import Author, Location, Node, NodeVersion, check_id
from waterbutler.host.schema import moment, nodes, resources, versions
from waterbutler.host.schema import seen as seen_versions

Found: TypeAlias = Row[*tuple[Any, ...]]
"""A row of `nodes` with what its newest version says, or a row of `versions`."""
Names: TypeAlias = Callable[[str], Author | None]
"""How a user's id becomes what others may see of the user."""

PAGE = 500
"""How many rows are read at a time."""

LAST = (1 << 31) - 1
"""Above the number of every version."""

_newest = and_(versions.c.node == nodes.c.seq, versions.c.number == nodes.c.versions)
_with_newest = nodes.outerjoin(versions, _newest)
_live = nodes.c.trashed.is_(None)
_columns = (
    nodes.c.seq,
    nodes.c.id,
    nodes.c.resource,
    nodes.c.parent,
    nodes.c.name,
    nodes.c.folder,
    nodes.c.checkout,
    nodes.c.versions,
    nodes.c.created,
    nodes.c.downloads,
    versions.c.size,
    versions.c.content_type,
    versions.c.hashes,
    versions.c.created.label("modified"),
    versions.c.object,
    versions.c.id.label("version_id"),
)


def _lineage() -> Select[Any]:
    """The node and all above it, nearest first; what is live has nothing trashed above it."""
    start = and_(nodes.c.id == bindparam("id"), nodes.c.resource == bindparam("resource"), _live)
    up = select(nodes.c.seq, nodes.c.parent, literal(0).label("depth")).where(start)
    above = up.cte("above", recursive=True)
    step = select(nodes.c.seq, nodes.c.parent, above.c.depth + 1).where(
        nodes.c.seq == above.c.parent
    )
    above = above.union_all(step)
    source = above.join(nodes, nodes.c.seq == above.c.seq).outerjoin(versions, _newest)
    return select(*_columns).select_from(source).order_by(above.c.depth)


_LINEAGE = _lineage()
_LIVE = (
    select(*_columns)
    .select_from(_with_newest)
    .where(nodes.c.id == bindparam("id"), nodes.c.resource == bindparam("resource"), _live)
)
_ROOT = select(nodes.c.id).where(
    nodes.c.resource == bindparam("resource"), nodes.c.parent.is_(None)
)
_CHILD = (
    select(*_columns)
    .select_from(_with_newest)
    .where(
        nodes.c.parent == bindparam("parent"),
        nodes.c.name == bindparam("name"),
        nodes.c.folder == bindparam("folder"),
        _live,
    )
)
_CHILDREN = (
    select(*_columns, seen_versions.c.number.label("seen"))
    .select_from(
        _with_newest.outerjoin(
            seen_versions,
            and_(seen_versions.c.node == nodes.c.seq, seen_versions.c.user == bindparam("user")),
        )
    )
    .where(nodes.c.parent == bindparam("parent"), nodes.c.seq > bindparam("after"), _live)
    .order_by(nodes.c.seq)
    .limit(bindparam("limit"))
)
_BRIEF = (
    select(*_columns, versions.c.name.label("saved_as"))
    .add_columns(versions.c.settings)
    .select_from(_with_newest)
    .where(nodes.c.parent == bindparam("parent"), nodes.c.seq > bindparam("after"), _live)
    .order_by(nodes.c.seq)
    .limit(bindparam("limit"))
)
_VERSION = select(versions).where(
    versions.c.node == bindparam("node"), versions.c.number == bindparam("number")
)
_VERSIONS = (
    select(versions)
    .where(versions.c.node == bindparam("node"), versions.c.number < bindparam("before"))
    .order_by(versions.c.number.desc())
    .limit(bindparam("limit"))
)
_USED = select(resources.c.used).where(resources.c.id == bindparam("resource"))


def root_of(connection: Connection, resource: str) -> str | None:
    """The id of a resource's root, if it was made."""
    found: str | None = connection.execute(_ROOT, {"resource": resource}).scalar()
    return found


def live(connection: Connection, resource: str, id: str) -> Found:
    """The node that has an id.

    Raises:
        NotFound: There is none in the resource, or it was deleted.
    """
    values = {"id": check_id(id), "resource": resource}
    found = connection.execute(_LIVE, values).one_or_none()
    if found is None:
        raise NotFound("There is no such file or folder.")
    return found


def live_folder(connection: Connection, resource: str, id: str) -> Found:
    """The same for what must be a folder; raises `NotAFolder` too."""
    found = live(connection, resource, id)
    if not found.folder:
        raise NotAFolder("This is a file.")
    return found


def live_file(connection: Connection, resource: str, id: str) -> Found:
    """The same for what must be a file; raises `IsAFolder` too."""
    found = live(connection, resource, id)
    if found.folder:
        raise IsAFolder("This is a folder.")
    return found


def lineage(connection: Connection, resource: str, id: str) -> Sequence[Found]:
    """The node first, the root last; raises `NotFound`."""
    values = {"id": check_id(id), "resource": resource}
    found = connection.execute(_LINEAGE, values).all()
    if not found:
        raise NotFound("There is no such file or folder.")
    return found


def child(connection: Connection, parent: int, name: str, *, folder: bool) -> Found | None:
    """What has a name and kind in a folder."""
    values = {"parent": parent, "name": name, "folder": folder}
    return connection.execute(_CHILD, values).one_or_none()


def children(
    connection: Connection, parent: int, *, after: int = 0, user: str | None = None
) -> Sequence[Found]:
    """The next page of a folder, in the order in which things were made; empty at its end."""
    values = {"parent": parent, "after": after, "user": user or "", "limit": PAGE}
    return connection.execute(_CHILDREN, values).all()


def brief_children(
    connection: Connection, parent: int, *, after: int, limit: int
) -> Sequence[Found]:
    """Like `children`, with where the newest version of each file is."""
    values = {"parent": parent, "after": after, "limit": limit}
    return connection.execute(_BRIEF, values).all()


def version(connection: Connection, file: Found, number: int | None = None) -> Found:
    """A version of a file, the newest without ``number``; raises `NotFound`."""
    wanted = file.versions if number is None else number
    values = {"node": file.seq, "number": wanted}
    known = 0 < wanted < LAST
    found = connection.execute(_VERSION, values).one_or_none() if known else None
    if found is None:
        raise NotFound("The file has no such version.")
    return found


def older_versions(connection: Connection, node: int, before: int) -> Sequence[Found]:
    """The next page of versions, newest first."""
    values = {"node": node, "before": before, "limit": PAGE}
    return connection.execute(_VERSIONS, values).all()


def used(connection: Connection, resource: str) -> int:
    """How many bytes all versions in a resource have."""
    found: int | None = connection.execute(_USED, {"resource": resource}).scalar()
    return found or 0


def within(node: Found) -> ColumnElement[bool]:
    """The condition that a row of `nodes` is this node or something live in it."""
    if not node.folder:
        return nodes.c.seq == int(node.seq)
    below = select(nodes.c.seq).where(nodes.c.seq == node.seq).cte("below", recursive=True)
    step = select(nodes.c.seq).where(nodes.c.parent == below.c.seq, _live)
    below = below.union_all(step)
    return nodes.c.seq.in_(below.select())


def is_checked_out(connection: Connection, node: Found) -> bool:
    """Whether it, or something in it, is checked out by anybody."""
    if not node.folder:
        return node.checkout is not None
    condition = exists(
        select(nodes.c.seq).where(within(node), nodes.c.checkout.is_not(None))
    ).select()
    return bool(connection.execute(condition).scalar())


def size_of(connection: Connection, node: Found) -> int:
    """How many bytes all versions of all that is in it have."""
    total = (
        select(func.coalesce(func.sum(versions.c.size), 0))
        .select_from(versions.join(nodes, versions.c.node == nodes.c.seq))
        .where(within(node))
    )
    return int(connection.execute(total).scalar_one())


def as_node(found: Found, *, full_path: str | None = None, seen: bool | None = None) -> Node:
    """A row as the value that the contract has."""
    return Node(
        id=found.id,
        name=found.name,
        is_folder=found.folder,
        version=found.versions,
        size=found.size,
        content_type=found.content_type,
        hashes=found.hashes or {},
        created=None if found.created is None else moment(found.created),
        modified=None if found.modified is None else moment(found.modified),
        downloads=found.downloads,
        checkout=found.checkout,
        seen=seen,
        full_path=full_path,
    )


def as_child(found: Found) -> Node:
    """A row of `children` as the value that the contract has."""
    newest = None if found.seen is None else bool(found.seen >= found.versions)
    return as_node(found, seen=newest)


def as_version(found: Found, names: Names) -> NodeVersion:
    """A row of `versions` as the value that the contract has."""
    return NodeVersion(
        index=found.number,
        date=moment(found.created),
        size=found.size,
        content_type=found.content_type,
        hashes=found.hashes,
        downloads=found.downloads,
        author=names(found.creator) if found.creator is not None else None,
    )


def as_location(found: Found, names: Names) -> Location:
    """Where the bytes of a row of `versions` are."""
    return Location(
        name=found.name,
        object=found.object,
        settings=found.settings,
        version=as_version(found, names),
    )
