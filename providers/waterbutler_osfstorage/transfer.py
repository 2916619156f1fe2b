"""Copies and moves that the host does itself, without touching a blob."""

from __future__ import annotations

from dataclasses import dataclass

from waterbutler.core import Entry, Path, WriteMode
from waterbutler.core.errors import BadPath, SamePlace, Unsupported
from waterbutler.core.filetree import Destination, FileTree
from waterbutler_osfstorage.entries import entry_of
from waterbutler_osfstorage.places import Places
from waterbutler_osfstorage.room import require_room
from waterbutler_osfstorage.vault import Vault


@dataclass(frozen=True, slots=True)
class Store:
    """What one provider stands on.

    Attributes:
        tree: The host's tree.
        host: What the trees of all resources of this host have in common.
        vault: The blob store.
        places: Finds nodes of the tree.
        user: The id of who acts.
        replaces_folders: Whether the host has one step for that.
    """

    tree: FileTree
    host: str
    vault: Vault
    places: Places
    user: str | None
    replaces_folders: bool


async def transfer(
    source: Store, at: Path, dest: Store, to: Path, mode: WriteMode, *, move: bool
) -> Entry:
    """Copy or move between two resources of one host whose blobs are in one place.

    Raises:
        Unsupported: The host cannot do it.
        WaterButlerError: See `Provider.copy_from`.
    """
    if source.host != dest.host:
        raise Unsupported("Only resources of the same host can be copied from.")
    if source.vault.region != dest.vault.region:
        raise Unsupported("The blobs of the two resources are in different places.")
    if at.is_folder != to.is_folder or to.is_root:
        raise BadPath("A file becomes a file and a folder a folder.", path=str(to))
    if at.is_root and move:
        raise Unsupported("The root is not moved as a whole.")
    if to.is_folder and mode is WriteMode.REPLACE and not dest.replaces_folders:
        raise Unsupported("A folder is not replaced in one step.")
    parent, parent_id = await dest.places.folder(to.parent)
    id = await _id(source, at)
    here = source.tree.resource == dest.tree.resource
    if here and (at == to or id == parent_id or id in parent.ids):
        raise SamePlace("The destination is the source or inside it.", path=str(to))
    if here and mode is WriteMode.REPLACE and to.contains(at):
        raise SamePlace("What would be replaced holds the source.", path=str(to))
    if not here:
        await require_room(dest.tree, None)
    target = Destination(resource=dest.tree.resource, parent=parent_id, name=to.name)
    carry = source.tree.move if move else source.tree.copy
    try:
        node = await carry(id, target, user=dest.user, replace=mode is WriteMode.REPLACE)
    finally:
        dest.places.recent.forget(to)
        source.places.recent.forget(at)
    where = parent.child(node.name, folder=node.is_folder, id=node.id)
    dest.places.recent.saw(where, node)
    return entry_of(node, where, dest.user)


async def _id(store: Store, path: Path) -> str:
    if path.is_root:
        return await store.places.root_id()
    return (await store.places.find(path)).node.id
