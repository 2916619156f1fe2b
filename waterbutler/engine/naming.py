"""What happens when a name is taken."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from waterbutler.core import Conflict, Entry, Path, Provider, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    InvalidRequest,
    IsAFolder,
    NotAFolder,
    NotFound,
)
from waterbutler.core.path import MAX_NAME_BYTES, split_extension
from waterbutler.engine.concurrency import closing

_NUMBER = r" \(([1-9]\d{0,17})\)"


@dataclass(frozen=True, slots=True)
class Target:
    """Where something will be, and what is there now."""

    path: Path
    replaces: Entry | None

    @property
    def mode(self) -> WriteMode:
        """How a file is written there: over the file that it replaces, else only if it is new."""
        if self.replaces is None or self.replaces.is_folder:
            return WriteMode.CREATE
        return WriteMode.REPLACE


async def choose_target(provider: Provider, wanted: Path, conflict: Conflict) -> Target:
    """Decide where something that should be called ``wanted`` will be.

    A free name costs one look at it and one at its folder. A taken one with ``KEEP`` costs one
    listing of the folder, of which only names like `` (1)`` are remembered. The name may be taken
    by somebody else before it is used: write with `Target.mode` and choose again.

    Raises:
        NotFound: The folder does not exist (not raised where folders are only prefixes).
        AlreadyExists: The name is taken, and either ``WARN`` was asked for or the other kind has
            it and cannot share it. ``entry`` is what has the name.
        InvalidRequest: Something should be kept beside the root.
    """
    taken = await _occupant(provider, wanted)
    if taken is None:
        return Target(wanted, None)
    if conflict is Conflict.KEEP:
        return Target(await _free_name(provider, wanted), None)
    if conflict is Conflict.REPLACE and taken.is_folder == wanted.is_folder:
        # The entry's own path carries ids, but may be spelled otherwise than was asked for.
        return Target(taken.path if taken.path == wanted else wanted, taken)
    raise AlreadyExists(
        f"The name {taken.name or '/'!r} is taken.", entry=taken, path=str(taken.path)
    )


def hidden_sibling(path: Path) -> Path:
    """A name beside ``path`` that nobody has, for what is not ready to be seen."""
    suffix = f".waterbutler-{secrets.token_hex(8)}"
    stem = path.name.encode()[: MAX_NAME_BYTES - len(suffix) - 1].decode(errors="ignore")
    return path.renamed(f".{stem}{suffix}")


def other_kind(path: Path) -> Path:
    """The same name as a folder's instead of a file's, or the other way round."""
    return path.as_file() if path.is_folder else path.as_folder()


class Taken(Exception):
    """The chosen name was taken by somebody else before it could be used.

    It stays inside the engine: a name is chosen anew, or ``error`` is raised.
    """

    def __init__(self, error: AlreadyExists) -> None:
        super().__init__(error.message)
        self.error = error


@contextmanager
def claiming() -> Iterator[None]:
    """Tell that a name is taken from `AlreadyExists` about anything else."""
    try:
        yield
    except AlreadyExists as error:
        raise Taken(error) from error


async def _occupant(provider: Provider, wanted: Path) -> Entry | None:
    """What has the name ``wanted`` and does not share it.

    Raises:
        NotFound: The name is free because its folder does not exist.
    """
    try:
        return await provider.stat(wanted)
    except NotFound:
        pass
    except (IsAFolder, NotAFolder):
        if not provider.capabilities.duplicate_names:
            try:
                return await provider.stat(other_kind(wanted))
            except (NotFound, IsAFolder, NotAFolder):
                pass
    parent = wanted.parent
    if not parent.is_root and provider.capabilities.empty_folders:
        try:
            await provider.stat(parent)
        except NotAFolder:
            raise NotFound("There is no such folder.", path=str(parent)) from None
    return None


async def _free_name(provider: Provider, wanted: Path) -> Path:
    """The first of ``wanted.candidates()`` that nothing has."""
    if wanted.is_root:
        raise InvalidRequest("Nothing can be kept beside the root.")
    declared = provider.capabilities
    pattern = re.compile(
        _NUMBER + re.escape(_extension(wanted)) + r"\Z",
        re.IGNORECASE if declared.case_insensitive else 0,
    )
    taken: set[int] = set()
    async with closing(provider.list(wanted.parent)) as siblings:
        async for entry in siblings:
            if declared.duplicate_names and entry.is_folder != wanted.is_folder:
                continue
            if found := pattern.search(entry.name):
                number = int(found[1])
                expected = wanted.candidate(number).name
                if _equal(entry.name, expected, fold=declared.case_insensitive):
                    taken.add(number)
    number = 1
    while number in taken:
        number += 1
    return wanted.candidate(number)


def _extension(path: Path) -> str:
    return "" if path.is_folder else split_extension(path.name)[1]


def _equal(one: str, other: str, *, fold: bool) -> bool:
    return one.casefold() == other.casefold() if fold else one == other
