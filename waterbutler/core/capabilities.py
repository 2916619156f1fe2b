"""What a storage can do, declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartLimits:
    """What parts a storage takes a large file in; sizes in bytes.

    Attributes:
        min_size: Of each part but the last one.
        max_size: Of each part.
        max_count: How many parts there may be.
        equal: Whether all parts but the last one must have the same size.
    """

    min_size: int
    max_size: int
    max_count: int
    equal: bool = False

    def fit(self, sizes: Sequence[int]) -> bool:
        """Whether a file can be sent in parts of these sizes, one after the other."""
        if not 0 < len(sizes) <= self.max_count:
            return False
        *others, last = sizes
        if self.equal and others and (max(others) > min(others) or last > others[0]):
            return False
        return all(self.min_size <= size <= self.max_size for size in others) and (
            0 < last <= self.max_size
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Operations are verbs, facts are adjectives, limits end in ``_size`` or ``_count``.

    Declared once by each provider and proven in both directions by the conformance suite: what is
    declared works, what is not declared raises `Unsupported`. Everything that depends on a
    storage's abilities (links, fast paths, documentation) reads this value.
    """

    write: bool = False
    """Files can be written and things deleted."""
    make_folder: bool = False
    copy_from: bool = False
    """Copies on the storage's side, for some sources at least."""
    move_from: bool = False
    """Moves on the storage's side, for some sources at least."""
    versions: bool = False
    """Old versions can be listed, described and read."""
    sign: bool = False
    """Links can be made that read a file without this server."""
    free_space: bool = False
    """The storage knows how many bytes may still be written."""

    exclusive_create: bool = False
    """``WriteMode.CREATE`` is atomic: of two writers one wins and the other is told."""
    ranged_read: bool = True
    """Parts of a file can be read without reading what comes before."""
    duplicate_names: bool = False
    """A file and a folder in one place may have the same name."""
    empty_folders: bool = True
    """A folder stays when nothing is in it."""
    case_insensitive: bool = False
    atomic_copy: bool = False
    """A copy on the storage's side is whole, or is not made at all: nobody need compare it."""
    replaces_folders: bool = False
    """``copy_from`` and ``move_from``, as far as they are declared, take `WriteMode.REPLACE` for
    folders, for some sources at least."""
    keeps_modified: bool = False
    """Files that are written can be given the time of their last change."""
    unknown_size: bool = True
    """A body whose size is not known beforehand can be written."""

    max_file_size: int | None = None
    parts: PartLimits | None = None
    """Files can be sent in parts, by requests that have nothing else in common."""
    hashes: frozenset[str] = frozenset()
    """Hashes (hashlib names) that entries of files written through this provider carry."""

    def read_only(self) -> Capabilities:
        """The same without anything that changes the storage."""
        return Capabilities(
            versions=self.versions,
            sign=self.sign,
            ranged_read=self.ranged_read,
            duplicate_names=self.duplicate_names,
            empty_folders=self.empty_folders,
            case_insensitive=self.case_insensitive,
            hashes=self.hashes,
        )
