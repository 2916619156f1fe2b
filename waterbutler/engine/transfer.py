"""Copying and moving: files and trees, within a storage and between storages.

What can be done on the storages' side is done there; everything else is streamed. Whatever fails,
the source is whole, and so is what should have been replaced.
"""

from __future__ import annotations

from dataclasses import dataclass

from waterbutler.core import Conflict, Entry, Path, Provider, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    NotFound,
    SamePlace,
    Unsupported,
    WaterButlerError,
)
from waterbutler.core.waiting import unbroken
from waterbutler.engine import checks
from waterbutler.engine.cleanup import discard, explain
from waterbutler.engine.files import copy_file
from waterbutler.engine.naming import Taken, Target, choose_target, claiming, hidden_sibling
from waterbutler.engine.swap import give_back, respell, swap_in
from waterbutler.engine.trees import TreeCopy

_TRIES = 10
"""How often a name is chosen that somebody else takes first."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a copy or move has made; ``created`` is false if it replaced something."""

    entry: Entry
    created: bool


async def copy(
    source: Provider,
    at: Path,
    dest: Provider,
    to: Path,
    *,
    conflict: Conflict = Conflict.WARN,
    concurrency: int = 5,
) -> Outcome:
    """Copy a file, or a folder with everything in it.

    The copy is compared with the source as far as sizes and hashes are known. If anything fails, a
    new file or folder is not left behind. A folder that is replaced is exactly the source
    afterwards: where ``dest`` can move folders, the old one stays in place until the new one is
    complete; elsewhere and for the root, files are replaced one after the other.

    Args:
        source: The storage to copy from.
        at: What to copy; may be the root.
        dest: The storage to copy to, perhaps the same.
        to: The wanted place, of the same kind as ``at``. With ``KEEP`` it may be ``at`` itself.
        conflict: What to do if the name is taken.
        concurrency: How many files of a tree are copied at once.

    Raises:
        BadPath: The paths are of different kinds.
        SamePlace: Both are the same, ``to`` is inside ``at``, or ``at`` inside what is replaced.
        NotFound: The source, or the folder to copy to, does not exist.
        AlreadyExists: The name is taken; ``entry`` has it.
        Unsupported: ``dest`` cannot be written to.
        Corrupted: The copy, or what was read, is not what it should be.
    """
    transfer = _Transfer(source, at, dest, to, conflict, max(concurrency, 1), moving=False)
    return await transfer.run()


async def move(
    source: Provider,
    at: Path,
    dest: Provider,
    to: Path,
    *,
    conflict: Conflict = Conflict.WARN,
    concurrency: int = 5,
) -> Outcome:
    """Move like `copy`; the source is deleted when the copy is complete, verified and in place.

    If deleting fails, that error is raised, says so, and both are there.

    Raises:
        InvalidRequest: The root should be moved.
        Corrupted: Also when the source changed meanwhile; it stays.
        WaterButlerError: Everything that `copy` raises.
    """
    transfer = _Transfer(source, at, dest, to, conflict, max(concurrency, 1), moving=True)
    return await transfer.run()


@dataclass(frozen=True, slots=True)
class _Transfer:
    source: Provider
    at: Path
    dest: Provider
    to: Path
    conflict: Conflict
    concurrency: int
    moving: bool

    async def run(self) -> Outcome:
        ends = (self.source, self.at, self.dest, self.to)
        beside = self.conflict is Conflict.KEEP
        checks.refuse_nonsense(*ends, moving=self.moving, beside=beside)
        tries = _TRIES
        while True:
            try:
                if self.moving and checks.changes_case_only(*ends):
                    return Outcome(await respell(*ends), created=True)
                target = await choose_target(self.dest, self.to, self.conflict)
                self._refuse_source_as(target)
                entry = await self.dest.described(await self._carry(target))
                return Outcome(entry, created=target.replaces is None)
            except Taken as taken:
                tries -= 1
                if tries == 0 or self.conflict is Conflict.WARN:
                    raise await self._described(taken.error) from None

    def _refuse_source_as(self, target: Target) -> None:
        if checks.is_same(self.source, self.at, self.dest, target.path):
            raise NotFound("There is no such file or folder.", path=str(self.at))
        if target.replaces is not None and checks.is_inside(
            self.source, self.at, self.dest, target.path
        ):
            raise SamePlace("What would be replaced holds the source.", path=str(target.path))

    async def _described(self, error: AlreadyExists) -> AlreadyExists:
        """``error`` with the entry that has the name, where that can be found out."""
        if error.entry is None:
            try:
                await choose_target(self.dest, self.to, Conflict.WARN)
            except AlreadyExists as described:
                return described
            except WaterButlerError:
                pass
        return error

    async def _carry(self, target: Target) -> Entry:
        if target.replaces is None:
            return await self._create(target.path)
        replaced = await self._replace_at_once(target.path)
        if replaced is not None:
            return replaced
        if target.replaces.is_folder:
            return await self._replace_folder(target.path)
        return await self._replace_file(target.path)

    async def _create(self, to: Path) -> Entry:
        moved = await self._move_there(to, WriteMode.CREATE)
        if moved is not None:
            return moved
        entry = await self._make(to)
        await self._delete_source(to)
        return entry

    async def _replace_at_once(self, to: Path) -> Entry | None:
        """Replace in one step of the storages that cannot be half done; ``None`` if they cannot."""
        declared = self.dest.capabilities
        if to.is_folder and (to.is_root or not declared.replaces_folders):
            return None
        if self.moving:
            return await self._move_there(to, WriteMode.REPLACE)
        if not declared.copy_from or not declared.atomic_copy:
            return None
        try:
            return await self.dest.copy_from(self.source, self.at, to, mode=WriteMode.REPLACE)
        except Unsupported:
            return None

    async def _replace_file(self, to: Path) -> Entry:
        entry = await self._make_beside(to)
        if entry is None:
            copied = await copy_file(self.source, self.at, self.dest, to, mode=WriteMode.REPLACE)
            entry = copied.written
            if self.moving:
                checks.refuse_changed(copied.read, await self.source.stat(self.at))
        await self._delete_source(to)
        return entry

    async def _make_beside(self, to: Path) -> Entry | None:
        """Replace a file by one that is complete before; ``None`` if that cannot be done.

        A storage with versions keeps what is replaced anyway, but only if it is written over.
        """
        declared = self.dest.capabilities
        if declared.versions or not declared.move_from:
            return None
        new = hidden_sibling(to)
        await self._make(new)
        try:
            return await unbroken(self.dest.move_from(self.dest, new, to, mode=WriteMode.REPLACE))
        except Unsupported as error:
            await discard(self.dest, new, error)
            return None
        except BaseException as error:
            await discard(self.dest, new, error)
            raise

    async def _replace_folder(self, to: Path) -> Entry:
        tree = self._tree(to)
        if to.is_root or not self.dest.capabilities.move_from or not await self._swap(to):
            seen = await tree.overlay()
            if self.moving:
                await tree.refuse_changed(seen)
            await self._delete_source(to)
        return await tree.result()

    async def _swap(self, to: Path) -> bool:
        """Replace a folder by one that is complete before; whether that could be done."""
        new = hidden_sibling(to)
        moved = await self._move_there(new, WriteMode.CREATE)
        if moved is None:
            await self._make(new)
        try:
            await swap_in(self.dest, new, to)
        except BaseException as error:
            if moved is None:
                await discard(self.dest, new, error)
            else:
                await give_back(self.dest, new, self.source, self.at, error)
            if isinstance(error, Unsupported):
                return False
            raise
        if moved is None:
            await self._delete_source(to)
        return True

    async def _move_there(self, to: Path, mode: WriteMode) -> Entry | None:
        """Move on the storages' side; ``None`` if that cannot be done or is not wanted."""
        if not self.moving or not self.dest.capabilities.move_from:
            return None
        try:
            with claiming():
                return await self.dest.move_from(self.source, self.at, to, mode=mode)
        except Unsupported:
            return None

    async def _make(self, to: Path) -> Entry:
        """Copy to a place that is free; if that fails, nothing stays there."""
        if self.at.is_folder:
            return await self._make_folder(to)
        with claiming():
            copied = await copy_file(self.source, self.at, self.dest, to, mode=WriteMode.CREATE)
        if self.moving:
            try:
                checks.refuse_changed(copied.read, await self.source.stat(self.at))
            except BaseException as error:
                await discard(self.dest, to, error)
                raise
        return copied.written

    async def _make_folder(self, to: Path) -> Entry:
        tree = self._tree(to)
        if not self.moving and (entry := await tree.copy_at_once()) is not None:
            return entry
        seen = await tree.create()
        try:
            if self.moving:
                await tree.refuse_changed(seen)
            return await tree.result()
        except BaseException as error:
            await discard(self.dest, to, error)
            raise

    async def _delete_source(self, to: Path) -> None:
        if not self.moving:
            return
        try:
            await self.source.delete(self.at)
        except NotFound:
            pass
        except WaterButlerError as error:
            explain(error, f"It was copied to {to}, but could not be deleted where it was.")
            raise

    def _tree(self, to: Path) -> TreeCopy:
        return TreeCopy(self.source, self.at, self.dest, to, self.concurrency)
