"""Copies inside of the tables, with all versions, in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from waterbutler.core import check_name
from waterbutler.core.errors import SamePlace
from waterbutler.core.filetree import Destination, new_id
from waterbutler.host.changing import lock, make_way, refuse_inside, use
from waterbutler.host.reading import Found, child, children, live, live_folder, size_of
from waterbutler.host.schema import nodes, versions

BATCH = 500
"""How many versions are copied at a time."""
_KEPT = (
    "number",
    "name",
    "object",
    "service",
    "settings",
    "size",
    "content_type",
    "hashes",
    "created",
    "creator",
    "metadata",
)
"""What a version and its copy have in common."""


def copy(
    connection: Connection,
    resource: str,
    id: str,
    to: Destination,
    *,
    user: str | None,
    replace: bool,
    limit: int | None,
) -> str:
    """Copy a node with everything in it; see `FileTree.copy`. Returns the id of the copy."""
    check_name(to.name)
    lock(connection, resource, to.resource)
    node = live(connection, resource, id)
    folder = live_folder(connection, to.resource, to.parent)
    refuse_inside(connection, node, folder)
    occupant = child(connection, folder.seq, to.name, folder=node.folder)
    if occupant is not None and occupant.seq == node.seq:
        raise SamePlace("This is the same place.")
    if occupant is not None:
        make_way(connection, occupant, node, user, replace=replace)
    use(connection, to.resource, size_of(connection, node), limit)
    made, seq = _copy_nodes(connection, [node], folder.seq, to, name=to.name)[0]
    waiting = deque([(node.seq, seq)] if node.folder else [])
    while waiting:
        old, new = waiting.popleft()
        after = 0
        while page := children(connection, old, after=after):
            after = page[-1].seq
            copies = _copy_nodes(connection, page, new, to)
            pairs = zip(page, copies, strict=True)
            waiting.extend((found.seq, seq) for found, (_, seq) in pairs if found.folder)
    return made


def _copy_nodes(
    connection: Connection,
    page: Sequence[Found],
    parent: int,
    to: Destination,
    *,
    name: str | None = None,
) -> list[tuple[str, int]]:
    """Copy what is on a page, each with its versions; returns the new ids in the same order."""
    ids = [new_id() for _ in page]
    rows = [
        {
            "id": id,
            "resource": to.resource,
            "parent": parent,
            "name": name or found.name,
            "folder": found.folder,
            "versions": found.versions,
            "created": found.created,
        }
        for id, found in zip(ids, page, strict=True)
    ]
    added = connection.execute(insert(nodes).returning(nodes.c.id, nodes.c.seq), rows)
    seqs = {row.id: row.seq for row in added}
    news = {found.seq: seqs[id] for id, found in zip(ids, page, strict=True)}
    _copy_versions(connection, news, name)
    return [(id, seqs[id]) for id in ids]


def _copy_versions(connection: Connection, news: dict[int, int], name: str | None) -> None:
    """Copy the versions of files; the newest one gets the copy's name, if that is another."""
    found = connection.execute(
        select(versions, nodes.c.versions.label("newest"))
        .join(nodes, versions.c.node == nodes.c.seq)
        .where(versions.c.node.in_(news))
    )
    for rows in found.mappings().partitions(BATCH):
        copies = [
            {**{key: row[key] for key in _KEPT}, "id": new_id(), "node": news[row["node"]]}
            for row in rows
        ]
        if name is not None:
            for row, copy in zip(rows, copies, strict=True):
                if row["number"] == row["newest"]:
                    copy["name"] = name
        connection.execute(insert(versions), copies)
