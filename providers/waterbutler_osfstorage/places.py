"""From paths to nodes: asking the host as rarely as can be."""

from __future__ import annotations

from waterbutler.core import Path
from waterbutler.core.errors import BadPath, NotAFolder, NotFound
from waterbutler.core.filetree import FileTree, Node, check_id
from waterbutler_osfstorage.entries import is_at, path_of
from waterbutler_osfstorage.recent import PLACE_SECONDS, Recent, Seen


class Places:
    """Finds nodes of one tree.

    Ids in paths are hints: whoever renames or replaces something makes them wrong. They are
    believed if the node was seen at just this path a moment ago, and otherwise checked.

    Args:
        tree: The tree.
        root_id: The id of its root, if that is known.
    """

    def __init__(self, tree: FileTree, root_id: str = "") -> None:
        self._tree = tree
        self._root_id = root_id
        self.recent = Recent()

    async def locate(self, wire: Path) -> Path:
        """The path of what has an id, given as ``/<id>`` or, for folders, ``/<id>/``.

        Raises:
            NotFound: Nothing of this kind has the id.
        """
        if wire.is_root:
            return wire
        try:
            id = check_id(wire.name) if len(wire.names) == 1 else ""
        except BadPath:
            id = ""
        if not id:
            raise _missing(wire)
        line = await self._tree.lineage(id)
        if line[0].is_folder != wire.is_folder:
            raise _missing(wire)
        path = path_of(line)
        here = path
        for depth, node in enumerate(line[:-1]):
            self.recent.saw(here, node, fresh=depth == 0)
            here = here.parent
        return path

    async def root_id(self) -> str:
        """The id of the root."""
        if not self._root_id:
            self._root_id = (await self._tree.item()).id
        return self._root_id

    async def folder(self, path: Path) -> tuple[Path, str]:
        """A folder's path with all ids, and its own.

        Raises:
            NotFound: There is no such folder.
        """
        if path.is_root:
            return path, await self.root_id()
        seen = await self.find(path)
        return seen.path, seen.node.id

    async def find(self, path: Path, within: float = PLACE_SECONDS) -> Seen:
        """What is at a path that is not the root, as it was seen in the last seconds or is now.

        Raises:
            NotFound: There is nothing of this kind.
        """
        return self.recent.find(path, within) or await self.look(path)

    async def look(self, path: Path) -> Seen:
        """What is at a path that is not the root, as the host says now.

        Raises:
            NotFound: There is nothing of this kind.
        """
        if self.recent.take_alone(path):
            raise _missing(path)
        node = await self._by_id(path)
        if node is not None:
            parent = path.parent
        else:
            parent, parent_id = await self.folder(path.parent)
            node = await self.child(parent, parent_id, path)
            if node is None:
                raise _missing(path)
        found = parent.child(path.name, folder=path.is_folder, id=node.id)
        self.recent.saw(found, node)
        return Seen(found, node, 0, fresh=False)

    async def child(self, parent: Path, parent_id: str, path: Path) -> Node | None:
        """What has the name and kind of ``path`` in its folder, if anything has."""
        try:
            node = await self._tree.child(parent_id, path.name, folder=path.is_folder)
        except (NotFound, NotAFolder):
            self.recent.forget(parent)
            raise NotFound("There is no such folder.", path=str(parent)) from None
        if node is None:
            self.recent.saw_nothing(path)
            seen = self.recent.find(parent)
            if seen is not None:
                self.recent.saw(seen.path, seen.node, fresh=True)
        return node

    async def _by_id(self, path: Path) -> Node | None:
        """The node that the path's hint leads to, if it is there still."""
        if path.id is None:
            return None
        try:
            node = await self._tree.item(path.id)
        except (NotFound, BadPath):
            return None
        return node if is_at(node, path) else None


def _missing(path: Path) -> NotFound:
    kind = "folder" if path.is_folder else "file"
    return NotFound(f"There is no such {kind}.", path=str(path))
