"""What a storage should hold: the simplest thing that could be true."""

from __future__ import annotations

from dataclasses import dataclass, field

ROOT = "/"


class Refused(Exception):
    """The request must be refused, with one of these statuses, and change nothing."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(statuses)
        self.statuses = statuses


def parent_of(path: str) -> str:
    """The folder that something is in."""
    return path.rstrip("/").rpartition("/")[0] + "/"


def name_of(path: str) -> str:
    """The last name of a path."""
    return path.rstrip("/").rpartition("/")[2]


def inside(folder: str, name: str, like: str) -> str:
    """The path of a name in a folder, of the same kind as ``like``."""
    return folder + name + ("/" if like.endswith("/") else "")


@dataclass
class Tree:
    """Files with all their versions, the oldest first, and folders.

    Args:
        shares_names: Whether a file and a folder may have the same name.
        same_is_new: Whether writing what is there already makes a version.
        copies_versions: Whether copies have all versions, and what is moved over something else
            keeps its own; where not, copies have the newest, and the other gets a version more.
    """

    shares_names: bool = False
    same_is_new: bool = True
    copies_versions: bool = False
    files: dict[str, list[bytes]] = field(default_factory=dict)
    folders: set[str] = field(default_factory=lambda: {ROOT})

    @property
    def paths(self) -> list[str]:
        """Everything but the root."""
        return sorted([*self.files, *(self.folders - {ROOT})])

    def content(self, path: str) -> bytes:
        return self.files[path][-1]

    def below(self, folder: str) -> list[str]:
        """The folder itself and everything in it; of a file only itself."""
        if not folder.endswith("/"):
            return [folder]
        return [path for path in (ROOT, *self.paths) if path.startswith(folder)]

    def taken(self, path: str) -> str | None:
        """What has the name and does not share it."""
        found = [path]
        if not self.shares_names:
            found.append(path.rstrip("/") if path.endswith("/") else f"{path}/")
        return next((one for one in found if one in self.files or one in self.folders), None)

    def create(self, path: str, data: bytes) -> None:
        if self.taken(path):
            raise Refused(409)
        self.files[path] = [data]

    def replace(self, path: str, data: bytes) -> None:
        versions = self.files[path]
        if self.same_is_new or versions[-1] != data:
            versions.append(data)

    def make_folder(self, path: str) -> None:
        if self.taken(path):
            raise Refused(409)
        self.folders.add(path)

    def delete(self, path: str) -> None:
        for each in self.below(path):
            self.files.pop(each, None)
            self.folders.discard(each)

    def transfer(self, at: str, folder: str, name: str, conflict: str, *, moving: bool) -> str:
        """Move or copy; returns where it is."""
        to = inside(folder, name, at)
        if at.endswith("/") and to.startswith(at) and to != at:
            raise Refused(400)
        if to == at and (moving or conflict != "keep"):
            raise Refused(400)
        taken = self.taken(to)
        if taken is not None:
            to = self._instead(at, to, taken, conflict)
        moved = {path: to + path[len(at) :] for path in self.below(at)}
        files = {new: self.files[old] for old, new in moved.items() if old in self.files}
        folders = {new for old, new in moved.items() if old in self.folders}
        files = {path: self._carried(at, path, files[path], moving=moving) for path in files}
        self.delete(to)
        if moving:
            self.delete(at)
        self.files |= files
        self.folders |= folders
        return to

    def _carried(self, at: str, to: str, versions: list[bytes], *, moving: bool) -> list[bytes]:
        if self.copies_versions:
            return list(versions)
        if not at.endswith("/") and to in self.files:
            return [*self.files[to], versions[-1]]
        return list(versions) if moving else versions[-1:]

    def _instead(self, at: str, to: str, taken: str, conflict: str) -> str:
        if conflict == "keep":
            return self._candidate(to)
        if conflict == "warn" or taken != to:
            raise Refused(409)
        if at.startswith(to):
            # What would be replaced holds the source.
            raise Refused(400)
        return to

    def _candidate(self, path: str) -> str:
        name = name_of(path)
        stem, dot, extension = name.rpartition(".")
        if path.endswith("/") or not stem:
            stem, dot, extension = name, "", ""
        number = 1
        while True:
            wanted = inside(parent_of(path), f"{stem} ({number}){dot}{extension}", path)
            if not self.taken(wanted):
                return wanted
            number += 1
