"""Where something is inside a storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from waterbutler.core.errors import BadPath

MAX_NAME_BYTES = 255
"""The longest name, in bytes of UTF-8, that a path may hold."""


def check_name(name: str) -> str:
    """Return ``name`` if it may stand in a path.

    Raises:
        BadPath: It is empty, ``.``, ``..``, longer than 255 bytes, or holds a slash, a NUL
            or half of a surrogate pair.
    """
    if not name:
        raise BadPath("A name must not be empty.")
    if name in {".", ".."}:
        raise BadPath("A name must not be '.' or '..'.")
    if "/" in name:
        raise BadPath("A name must not contain a slash.")
    if "\0" in name:
        raise BadPath("A name must not contain a NUL character.")
    if name.isascii():
        size = len(name)
    else:
        try:
            size = len(name.encode())
        except UnicodeEncodeError:
            raise BadPath("A name must be valid Unicode.") from None
    if size > MAX_NAME_BYTES:
        raise BadPath(f"A name must not be longer than {MAX_NAME_BYTES} bytes.")
    return name


@dataclass(frozen=True, slots=True)
class Path:
    """An absolute, checked path: names from the root down, and whether it is a folder's.

    There is no unchecked ``Path``: making one with a bad name raises `BadPath`.
    Two paths are equal if their names and kinds are; ``ids`` are hints that id-based storages
    carry along, one for each name, and never part of equality.
    """

    names: tuple[str, ...] = ()
    is_folder: bool = True
    ids: tuple[str | None, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        for name in self.names:
            check_name(name)
        if not self.names and not self.is_folder:
            raise BadPath("The root is a folder.")
        if len(self.ids) > len(self.names):
            raise BadPath("A path has at most one id for each name.")

    @classmethod
    def _trusted(cls, names: tuple[str, ...], is_folder: bool, ids: tuple[str | None, ...]) -> Path:
        """Make a path from names that were checked before: listings make millions of them."""
        path = _new(cls)
        _set_names(path, names)
        _set_is_folder(path, is_folder)
        _set_ids(path, ids)
        return path

    @classmethod
    def parse(cls, text: str) -> Path:
        """Read ``/folder/file`` or ``/folder/``: the trailing slash makes it a folder.

        Raises:
            BadPath: It does not start with a slash or holds a bad name.
        """
        if not text.startswith("/"):
            raise BadPath("A path must start with a slash.")
        if text == "/":
            return ROOT
        is_folder = text.endswith("/")
        inner = text[1:-1] if is_folder else text[1:]
        return cls(tuple(inner.split("/")), is_folder)

    @property
    def is_root(self) -> bool:
        """Whether this is the storage's own folder."""
        return not self.names

    @property
    def name(self) -> str:
        """The last name; empty for the root."""
        return self.names[-1] if self.names else ""

    @property
    def id(self) -> str | None:
        """The id hint of the last name, if there is one."""
        return self.ids[-1] if self.names and len(self.ids) == len(self.names) else None

    @property
    def parent(self) -> Path:
        """The folder that this is in.

        Raises:
            BadPath: The root has no parent.
        """
        if not self.names:
            raise BadPath("The root has no parent.")
        names = self.names[:-1]
        return Path._trusted(names, True, self.ids[: len(names)])

    @property
    def ancestors(self) -> Iterator[Path]:
        """The folders above this one, nearest first, the root last."""
        here = self
        while here.names:
            here = here.parent
            yield here

    def child(self, name: str, *, folder: bool = False, id: str | None = None) -> Path:
        """What has ``name`` in this folder.

        Raises:
            BadPath: The name is bad, or this is no folder.
        """
        if not self.is_folder:
            raise BadPath("A file has nothing inside it.")
        check_name(name)
        if id is None and not self.ids:
            return Path._trusted((*self.names, name), folder, ())
        missing = (None,) * (len(self.names) - len(self.ids))
        return Path._trusted((*self.names, name), folder, (*self.ids, *missing, id))

    def renamed(self, name: str) -> Path:
        """The same place with another last name; the id hint of the old one is dropped."""
        return self.parent.child(name, folder=self.is_folder)

    def as_file(self) -> Path:
        """The same names, as a file's path."""
        return Path(self.names, False, self.ids)

    def as_folder(self) -> Path:
        """The same names, as a folder's path."""
        return Path._trusted(self.names, True, self.ids)

    def contains(self, other: Path) -> bool:
        """Whether ``other`` lies below this folder, at any depth; never the folder itself."""
        depth = len(self.names)
        return self.is_folder and len(other.names) > depth and other.names[:depth] == self.names

    def rebased(self, old: Path, new: Path) -> Path:
        """This path as it is after folder ``old`` became folder ``new``; id hints are dropped.

        Raises:
            BadPath: This is neither ``old`` nor inside it.
        """
        if self != old and not old.contains(self):
            raise BadPath(f"{self} is not inside {old}.")
        return Path(new.names + self.names[len(old.names) :], self.is_folder)

    def candidate(self, number: int) -> Path:
        """This path with `` (number)`` before the extension.

        A name that would grow over the limit loses the end of its stem.
        The extension is what follows the last dot, if something stands before that dot.
        """
        stem, extension = split_extension(self.name) if not self.is_folder else (self.name, "")
        suffix = f" ({number}){extension}"
        return self.renamed(_cut(stem, MAX_NAME_BYTES - len(suffix.encode())) + suffix)

    def candidates(self) -> Iterator[Path]:
        """This path with `` (1)``, `` (2)``, …, without end; see `candidate`."""
        number = 0
        while True:
            number += 1
            yield self.candidate(number)

    def __str__(self) -> str:
        if not self.names:
            return "/"
        return "/" + "/".join(self.names) + ("/" if self.is_folder else "")


_new = object.__new__
# How a frozen object gets its values, without looking up where they belong.
_set_names: Callable[[Path, tuple[str, ...]], None] = vars(Path)["names"].__set__
_set_is_folder: Callable[[Path, bool], None] = vars(Path)["is_folder"].__set__
_set_ids: Callable[[Path, tuple[str | None, ...]], None] = vars(Path)["ids"].__set__

ROOT = Path()
"""The storage's own folder."""


def split_extension(name: str) -> tuple[str, str]:
    """``("archive.tar", ".gz")`` for ``archive.tar.gz``; the second is empty without extension."""
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > MAX_NAME_BYTES // 2:
        return name, ""
    return stem, dot + extension


def _cut(stem: str, limit: int) -> str:
    """``stem`` shortened to at most ``limit`` bytes without splitting a character."""
    return stem.encode()[: max(limit, 0)].decode(errors="ignore")
