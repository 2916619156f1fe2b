"""Whether an operation makes sense, and whether its result is what it should be."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable

from waterbutler.core import Entry, Path, Provider
from waterbutler.core.errors import BadPath, Corrupted, InvalidRequest, SamePlace, Unsupported

_BEST_HASHES = ("sha256", "sha1", "md5")


def refuse_nonsense(
    source: Provider, at: Path, dest: Provider, to: Path, *, moving: bool, beside: bool
) -> None:
    """Refuse a copy or move that could not work, without asking the storages.

    Args:
        source: The storage that has the thing.
        at: Where it is.
        dest: The storage to bring it to.
        to: Where it should be.
        moving: Whether it should be gone from its old place afterwards.
        beside: Whether another name is taken if ``to`` is not free, so that ``to`` may be ``at``.

    Raises:
        BadPath: The paths are of different kinds.
        InvalidRequest: The root should be moved.
        SamePlace: Both places are the same, or ``to`` lies inside ``at``.
        Unsupported: One of the storages cannot be written to.
    """
    if at.is_folder != to.is_folder:
        raise BadPath("A file stays a file and a folder a folder.", path=str(to))
    if moving and at.is_root:
        raise InvalidRequest("The root cannot be moved.", path="/")
    if is_inside(dest, to, source, at):
        raise SamePlace("A folder cannot be brought into itself.", path=str(to))
    allowed = changes_case_only(source, at, dest, to) if moving else beside
    if is_same(source, at, dest, to) and not allowed:
        raise SamePlace("The source and the destination are the same.", path=str(to))
    for provider in (dest, source) if moving else (dest,):
        if not provider.capabilities.write:
            raise Unsupported(f"{provider.info.label} cannot be written to.")


def is_same(source: Provider, at: Path, dest: Provider, to: Path) -> bool:
    """Whether both are one place; names that differ in case only are the same to some storages."""
    fold = _folds(source, dest)
    return at.is_folder == to.is_folder and _place(source, at, fold=fold) == _place(
        dest, to, fold=fold
    )


def changes_case_only(source: Provider, at: Path, dest: Provider, to: Path) -> bool:
    """Whether both are one place under two spellings."""
    exact = _place(source, at, fold=False) == _place(dest, to, fold=False)
    return not exact and is_same(source, at, dest, to)


def is_inside(inner: Provider, path: Path, outer: Provider, folder: Path) -> bool:
    """Whether ``path`` lies below ``folder``, at any depth; never the folder itself."""
    fold = _folds(inner, outer)
    above = _place(outer, folder, fold=fold)
    below = _place(inner, path, fold=fold)
    return folder.is_folder and len(below) > len(above) and below[: len(above)] == above


def same_name(one: str, other: str, *, fold: bool) -> bool:
    """Whether two names are one to storages that normalise Unicode, and case if ``fold``."""
    return _plain(one, fold=fold) == _plain(other, fold=fold)


def verify(expected: Entry, found: Entry) -> None:
    """Compare what was read with what was written, as far as both are known.

    Raises:
        Corrupted: The sizes or the hashes of one name differ.
    """
    what = difference(expected, found)
    if what is not None:
        raise Corrupted(f"The {what} of the copy is not that of the source.", path=str(found.path))


def difference(one: Entry, other: Entry) -> str | None:
    """What differs in content, ``size`` or a hash's name; ``None`` if nothing is known to."""
    if None not in (one.size, other.size) and one.size != other.size:
        return "size"
    for name, digest in one.hashes.items():
        if other.hashes.get(name, digest).lower() != digest.lower():
            return name
    return None


def refuse_changed(before: Entry, now: Entry) -> None:
    """Refuse to delete what is no longer what was copied.

    Raises:
        Corrupted: The content differs.
    """
    if difference(before, now) or (
        before.etag is not None and now.etag is not None and before.etag != now.etag
    ):
        raise Corrupted("The source changed while it was copied.", path=str(now.path))


def hashes_to_compute(read: Iterable[str], written: Iterable[str]) -> set[str]:
    """The fewest hashes that check both ends of a copy.

    Args:
        read: The names of the hashes that the source knows.
        written: The names of those that the destination will know.
    """
    both = _best(set(read) & set(written))
    if both is not None:
        return {both}
    return {name for name in (_best(set(read)), _best(set(written))) if name is not None}


class TreeSum:
    """What is in a tree, as sums that do not depend on the order; memory does not grow.

    Args:
        top: The folder that paths are taken relative to.
        fold: Whether names that differ in case only count as equal.
        folders: Whether folders count.
    """

    def __init__(self, top: Path, *, fold: bool = False, folders: bool = True) -> None:
        self._top = len(top.names)
        self._fold = fold
        self._folders = folders
        self._sums: dict[str, tuple[int, int]] = {}

    def add(self, entry: Entry) -> None:
        """Count a file or folder below ``top``."""
        names = "/".join(_plain(name, fold=self._fold) for name in entry.path.names[self._top :])
        if entry.is_folder:
            if self._folders:
                self._count("folder", names, "")
            return
        self._count("file", names, "")
        if entry.size is not None:
            self._count("size", names, str(entry.size))
        if entry.etag is not None:
            self._count("etag", names, entry.etag)
        for name, digest in entry.hashes.items():
            self._count(f"hash {name}", names, digest.lower())

    def difference(self, other: TreeSum, *, etags: bool = False) -> str | None:
        """What differs, as far as both know it of every file; ``etags`` only within one storage."""
        for fact in ("file", "folder"):
            if self._sums.get(fact) != other._sums.get(fact):
                return f"{fact}s"
        files, _ = self._sums.get("file", (0, 0))
        for fact, (count, total) in self._sums.items():
            others, other_total = other._sums.get(fact, (0, 0))
            comparable = count == others == files and (etags or fact != "etag")
            if comparable and total != other_total:
                return fact
        return None

    def _count(self, fact: str, names: str, value: str) -> None:
        count, total = self._sums.get(fact, (0, 0))
        digest = hashlib.blake2b(f"{names}\0{value}".encode(), digest_size=16).digest()
        self._sums[fact] = count + 1, total + int.from_bytes(digest)


def _place(provider: Provider, path: Path, *, fold: bool) -> tuple[str, ...]:
    """One name after the other from the outside in: roots that nest as URLs do are compared."""
    names = (*provider.info.root.rstrip("/").split("/"), *path.names)
    return tuple(_plain(name, fold=True) for name in names) if fold else names


def _folds(one: Provider, other: Provider) -> bool:
    return one.capabilities.case_insensitive and other.capabilities.case_insensitive


def _plain(name: str, *, fold: bool) -> str:
    if name.isascii():
        return name.lower() if fold else name
    plain = unicodedata.normalize("NFC", name)
    return unicodedata.normalize("NFC", plain.casefold()) if fold else plain


def _best(names: set[str]) -> str | None:
    usable = {name for name in names if name in hashlib.algorithms_available}
    usable = {name for name in usable if not name.startswith("shake")}
    for name in _BEST_HASHES:
        if name in usable:
            return name
    return min(usable, default=None)
