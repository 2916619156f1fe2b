"""How the tables change; each function runs inside of one transaction.

A change locks the resources that it touches before it looks. On SQLite a writer is alone anyway; on
PostgreSQL changes inside one resource follow each other, and those of different resources do not
wait. So what was looked at is still true when it is changed.
"""

from __future__ import annotations

import dataclasses

from sqlalchemy import Connection, bindparam, insert, select, text, update

from waterbutler.core import JSON, check_name
from waterbutler.core.errors import (
    AlreadyExists,
    CheckedOut,
    Forbidden,
    InvalidRequest,
    QuotaExceeded,
    SamePlace,
)
from waterbutler.core.filetree import Blob, Destination, Node, Recorded, new_id
from waterbutler.host.reading import (
    Found,
    as_node,
    child,
    is_checked_out,
    lineage,
    live,
    live_file,
    live_folder,
    root_of,
    size_of,
    within,
)
from waterbutler.host.schema import moment, nodes, now, resources, versions

_ADD_RESOURCE = text("INSERT INTO resources (id) VALUES (:id) ON CONFLICT DO NOTHING")
_LOCK = (
    select(resources.c.id)
    .where(resources.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(resources.c.id)
    .with_for_update()
)
_USE = (
    update(resources)
    .where(resources.c.id == bindparam("resource"))
    .values(used=resources.c.used + bindparam("size"))
)
_USE_WITHIN = _USE.where(resources.c.used + bindparam("size") <= bindparam("limit"))
_ADD_NODE = insert(nodes).returning(nodes.c.seq)
_ADD_VERSION = insert(versions)
_NEWEST = update(nodes).where(nodes.c.seq == bindparam("node")).values(versions=bindparam("number"))
_FIRST = _NEWEST.values(created=bindparam("at"))


def make_root(connection: Connection, resource: str) -> str:
    """The id of a resource's root, which is made if it is missing."""
    connection.execute(_ADD_RESOURCE, {"id": resource})
    lock(connection, resource)
    found = root_of(connection, resource)
    return found or _add_node(connection, resource, None, "", folder=True)[0]


def lock(connection: Connection, *ids: str) -> None:
    """Let nobody else change these resources until the transaction ends."""
    if connection.dialect.name != "postgresql":
        return
    connection.execute(_LOCK, {"ids": sorted(set(ids))}).all()


def make_folder(connection: Connection, resource: str, parent: str, name: str) -> str:
    """Make a folder; returns its id."""
    check_name(name)
    lock(connection, resource)
    above = live_folder(connection, resource, parent)
    if child(connection, above.seq, name, folder=True) is not None:
        raise AlreadyExists(f"A folder has the name {name!r}.")
    return _add_node(connection, resource, above.seq, name, folder=True)[0]


def record(
    connection: Connection,
    resource: str,
    parent: str,
    name: str,
    blob: Blob,
    *,
    user: str | None,
    file: str | None,
    exclusive: bool,
    limit: int | None,
) -> Recorded:
    """Make a blob the newest version of a file; see `FileTree.record`."""
    check_name(name)
    lock(connection, resource)
    found = _file_to_change(connection, resource, parent, name, file)
    if isinstance(found, int):
        id, seq = _add_node(connection, resource, found, name, folder=False)
        node = Node(id=id, name=name, is_folder=False)
    else:
        if exclusive and file is None:
            raise AlreadyExists(f"A file has the name {name!r}.")
        if found.checkout not in {None, user}:
            raise Forbidden("The file is checked out by somebody else.")
        seq, node = found.seq, as_node(found)
        if found.object == blob.object:
            return Recorded(node=node, created=False, version_id=found.version_id)
    use(connection, resource, blob.size, limit)
    return _add_version(connection, seq, node, blob, user)


def _file_to_change(
    connection: Connection, resource: str, parent: str, name: str, file: str | None
) -> Found | int:
    """The file that gets a version, or the folder to make it in."""
    if file is not None:
        return live_file(connection, resource, file)
    folder = live_folder(connection, resource, parent)
    found = child(connection, folder.seq, name, folder=False)
    return int(folder.seq) if found is None else found


def delete(connection: Connection, resource: str, id: str, *, user: str | None) -> None:
    """Trash a node with everything in it."""
    lock(connection, resource)
    node = live(connection, resource, id)
    if node.parent is None:
        raise InvalidRequest("The root cannot be deleted.")
    _trash(connection, node, user)


def move(
    connection: Connection,
    resource: str,
    id: str,
    to: Destination,
    *,
    user: str | None,
    replace: bool,
    limit: int | None,
) -> None:
    """Move a node with everything in it; see `FileTree.move`."""
    check_name(to.name)
    lock(connection, resource, to.resource)
    node = live(connection, resource, id)
    if node.parent is None:
        raise InvalidRequest("The root cannot be moved.")
    folder = live_folder(connection, to.resource, to.parent)
    refuse_inside(connection, node, folder)
    if is_checked_out(connection, node):
        raise CheckedOut("It cannot be moved: it, or something in it, is checked out.")
    occupant = child(connection, folder.seq, to.name, folder=node.folder)
    if occupant is not None and occupant.seq == node.seq:
        return
    if occupant is not None:
        make_way(connection, occupant, node, user, replace=replace)
    if resource != to.resource:
        size = size_of(connection, node)
        use(connection, resource, -size, None)
        use(connection, to.resource, size, limit)
        connection.execute(update(nodes).where(within(node)).values(resource=to.resource))
    here = update(nodes).where(nodes.c.seq == node.seq)
    connection.execute(here.values(parent=folder.seq, name=to.name))
    if not node.folder and node.name != to.name:
        newest = (versions.c.node == node.seq) & (versions.c.number == node.versions)
        connection.execute(update(versions).where(newest).values(name=to.name))


def refuse_inside(connection: Connection, node: Found, folder: Found) -> None:
    """Raise `SamePlace` if a folder is the node itself or inside of it."""
    if not node.folder:
        return
    above = lineage(connection, folder.resource, folder.id)
    if any(found.seq == node.seq for found in above):
        raise SamePlace("A folder cannot go into itself.")


def make_way(
    connection: Connection, occupant: Found, node: Found, user: str | None, *, replace: bool
) -> None:
    """Trash what has the name that something else shall get."""
    if not replace:
        kind = "folder" if occupant.folder else "file"
        raise AlreadyExists(f"A {kind} has the name {occupant.name!r}.")
    if occupant.folder:
        above = lineage(connection, node.resource, node.id)
        if any(found.seq == occupant.seq for found in above):
            raise SamePlace("A folder cannot be replaced by something in it.")
    _trash(connection, occupant, user)


def use(connection: Connection, resource: str, size: int, limit: int | None) -> None:
    """Count bytes that a resource has more, or less.

    Raises:
        QuotaExceeded: It would have more than ``limit``.
    """
    if size == 0:
        return
    limited = size > 0 and limit is not None
    values = {"resource": resource, "size": size, "limit": limit}
    if connection.execute(_USE_WITHIN if limited else _USE, values).rowcount == 0:
        raise QuotaExceeded("The resource has no room left for this.")


def check_out(connection: Connection, resource: str, id: str, user: str) -> None:
    """Let nobody but ``user`` change a file."""
    lock(connection, resource)
    file = live_file(connection, resource, id)
    if file.checkout not in {None, user}:
        raise Forbidden("The file is checked out by somebody else.")
    connection.execute(update(nodes).where(nodes.c.seq == file.seq).values(checkout=user))


def check_in(connection: Connection, resource: str, id: str) -> None:
    """Let everybody change a file again."""
    lock(connection, resource)
    file = live_file(connection, resource, id)
    connection.execute(update(nodes).where(nodes.c.seq == file.seq).values(checkout=None))


def _trash(connection: Connection, node: Found, user: str | None) -> None:
    if is_checked_out(connection, node):
        raise Forbidden("It cannot be deleted: it, or something in it, is checked out.")
    use(connection, node.resource, -size_of(connection, node), None)
    gone = update(nodes).where(within(node)).values(trashed=now(), trashed_by=user)
    connection.execute(gone)


def _add_node(
    connection: Connection, resource: str, parent: int | None, name: str, *, folder: bool
) -> tuple[str, int]:
    id = new_id()
    row = {"id": id, "resource": resource, "parent": parent, "name": name, "folder": folder}
    seq: int = connection.execute(_ADD_NODE, row).scalar_one()
    return id, seq


def _add_version(
    connection: Connection, seq: int, file: Node, blob: Blob, user: str | None
) -> Recorded:
    id, micros, number = new_id(), now(), file.version + 1
    row = {
        "id": id,
        "node": seq,
        "number": number,
        "name": file.name,
        "object": blob.object,
        "service": blob.service,
        "settings": dict(blob.settings),
        "size": blob.size,
        "content_type": blob.content_type,
        "hashes": dict(blob.hashes),
        "created": micros,
        "creator": user,
        "metadata": _metadata(blob),
    }
    connection.execute(_ADD_VERSION, row)
    first = file.version == 0
    values = {"node": seq, "number": number, "at": micros}
    connection.execute(_FIRST if first else _NEWEST, values)
    node = dataclasses.replace(
        file,
        version=number,
        size=blob.size,
        content_type=blob.content_type,
        hashes=dict(blob.hashes),
        created=moment(micros) if first else file.created,
        modified=moment(micros),
    )
    return Recorded(node=node, created=first, version_id=id)


def _metadata(blob: Blob) -> dict[str, JSON]:
    """What is kept of a blob and is asked for by people only."""
    return {
        "etag": blob.etag,
        "modified": blob.modified.isoformat() if blob.modified else None,
        "extra": dict(blob.extra),
        "worker": dict(blob.worker),
    }
