"""From nodes of the file tree to entries, versions and paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from waterbutler.core import JSON, ROOT, Entry, Path, Version
from waterbutler.core.errors import BadPath, NotFound
from waterbutler.core.filetree import Node, NodeVersion

HASHES = frozenset({"md5", "sha256"})
"""The hashes that every host says."""


def path_of(lineage: Sequence[Node]) -> Path:
    """The path of the first node; the last one is the root.

    Raises:
        NotFound: No path can name it.
    """
    path = ROOT
    try:
        for node in reversed(lineage[:-1]):
            path = path.child(node.name, folder=node.is_folder, id=node.id)
    except BadPath:
        raise NotFound("The file has a name that cannot be shown.") from None
    return path


def is_at(node: Node, path: Path) -> bool:
    """Whether a node, as `FileTree.item` shows it, is what a path names."""
    names = "/".join(path.names)
    return node.is_folder == path.is_folder and (node.full_path or "").strip("/") == names


def entry_of(node: Node, path: Path, user: str | None) -> Entry:
    """What is known of a node at a path."""
    if node.is_folder:
        return Entry(path=path)
    return Entry(
        path=path,
        size=node.size,
        modified=node.modified,
        created=node.created,
        etag=etag_of(node.id, node.version),
        version=str(node.version) if node.version else None,
        content_type=node.content_type,
        hashes=shown(node.hashes),
        extra=_extra(
            node,
            version=node.version,
            downloads=node.downloads,
            seen=None if node.seen is None else {"user": user, "seen": node.seen},
            hashes=node.hashes,
        ),
    )


def version_entry(node: Node, version: NodeVersion, path: Path) -> Entry:
    """What is known of one version of a file."""
    return Entry(
        path=path,
        size=version.size,
        modified=version.date,
        created=node.created,
        etag=etag_of(node.id, version.index),
        version=str(version.index),
        content_type=version.content_type,
        hashes=shown(version.hashes),
        extra=_extra(
            node, version=version.index, downloads=version.downloads, hashes=version.hashes
        ),
    )


def _extra(
    node: Node, *, version: int, downloads: int, hashes: Mapping[str, str], seen: JSON = None
) -> dict[str, JSON]:
    """What only this storage knows of a file, as v1 shows it for all its versions alike."""
    return {
        "guid": None,
        "version": version,
        "downloads": downloads,
        "checkout": node.checkout,
        "latestVersionSeen": seen,
        "hashes": dict(shown(hashes)),
    }


def listed(version: NodeVersion) -> Version:
    """A version as a list of versions shows it."""
    author = version.author
    user: JSON = {"name": author.name, "url": author.url} if author else None
    hashes = shown(version.hashes)
    return Version(
        id=str(version.index),
        modified=version.date,
        size=version.size,
        hashes=hashes,
        extra={"user": user, "downloads": version.downloads, "hashes": dict(hashes)},
    )


def etag_of(id: str, version: int) -> str:
    """Changes with each version; hosts and clients compute the same from it."""
    return f"{version}::/{id}"


def shown(hashes: Mapping[str, str]) -> Mapping[str, str]:
    """The hashes that are shown, whatever else the host knows."""
    return {name: hashes[name] for name in sorted(HASHES & hashes.keys())}


def number_of(version: str) -> int:
    """The number of a version.

    Raises:
        NotFound: It is none that a file could have.
    """
    if not (version.isascii() and version.isdigit() and len(version) <= 9):
        raise NotFound(f"There is no version {version!r}.")
    return int(version)
