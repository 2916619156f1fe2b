"""Names for the members of an archive, which no unpacker can be misled by."""

from __future__ import annotations

import asyncio
import re

from waterbutler.core import Entry, Path, Provider
from waterbutler.core.errors import InvalidRequest, IsAFolder, NotAFolder, NotFound
from waterbutler.engine.zipformat import MAX_NAME_SIZE

_UNSAFE = re.compile(r"[\\\x00-\x1f\x7f-\x9f]")
_DRIVE = re.compile(r"^([A-Za-z]):")
_ONLY_DOTS = re.compile(r"^[. ]+$")


def clean(name: str) -> str:
    """``name`` as it can be unpacked everywhere without leaving the folder.

    Backslashes, control characters, the colon of a drive letter, and names of nothing but dots
    and spaces, which some systems shorten to ``..``, are replaced by underscores.
    """
    name = _DRIVE.sub(r"\1_", _UNSAFE.sub("_", name))
    if _ONLY_DOTS.match(name):
        return name.replace(".", "_").replace(" ", "_")
    return name


class MemberNames:
    """The names of the members of one archive, relative to its folder, each unique.

    Names are unique in their folders already. Only names that had to be cleaned can collide, and
    in storages where a file and a folder may share a name, folders; only those are remembered.

    Args:
        provider: The storage that is asked whether another name is free.
        top: The archive's folder.
    """

    def __init__(self, provider: Provider, top: Path) -> None:
        self._provider = provider
        self._depth = len(top.names)
        self._changed: dict[Path, Path] = {}
        self._given: set[Path] = set()
        self._choosing = asyncio.Lock()

    async def enter(self, folder: Entry) -> bool:
        """Choose the name of a folder; called before that of anything in it."""
        if clean(folder.name) != folder.name or await self._shares_name(folder.path):
            await self._choose(folder.path)
        return True

    async def of(self, entry: Entry) -> bytes:
        """The member name of a file, or of a folder that was entered.

        Raises:
            InvalidRequest: It is too long for an archive.
        """
        if not entry.is_folder and clean(entry.name) != entry.name:
            await self._choose(entry.path)
        name = "/".join(self._names(entry.path)) + ("/" if entry.is_folder else "")
        encoded = name.encode()
        if len(encoded) > MAX_NAME_SIZE:
            raise InvalidRequest("The path is too long for an archive.", path=str(entry.path))
        return encoded

    def _names(self, path: Path) -> tuple[str, ...]:
        if not self._changed:
            return path.names[self._depth :]
        names = [self._changed.get(path, path).name]
        names += [self._changed.get(folder, folder).name for folder in path.ancestors]
        return tuple(reversed(names[: len(path.names) - self._depth]))

    async def _choose(self, path: Path) -> None:
        """Give something the first name that nothing in its folder has."""
        async with self._choosing:
            wanted = chosen = path.renamed(clean(path.name))
            number = 0
            while chosen.as_folder() in self._given or await self._is_taken(chosen):
                number += 1
                chosen = wanted.candidate(number)
            self._given.add(chosen.as_folder())
            self._changed[path] = chosen

    async def _shares_name(self, folder: Path) -> bool:
        return self._provider.capabilities.duplicate_names and await self._has(folder.as_file())

    async def _is_taken(self, path: Path) -> bool:
        return await self._has(path.as_file()) or await self._has(path.as_folder())

    async def _has(self, path: Path) -> bool:
        try:
            await self._provider.stat(path)
        except (NotFound, IsAFolder, NotAFolder):
            return False
        return True
