"""Copying a folder with everything in it."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from waterbutler.core import Entry, Path, Provider, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    Corrupted,
    IsAFolder,
    NotAFolder,
    NotFound,
    Unsupported,
)
from waterbutler.core.waiting import together, unbroken
from waterbutler.engine.checks import TreeSum, same_name
from waterbutler.engine.cleanup import discard
from waterbutler.engine.concurrency import Shared, closing
from waterbutler.engine.files import copy_file
from waterbutler.engine.naming import Taken, claiming
from waterbutler.engine.walk import LISTINGS, walk


@dataclass(frozen=True, slots=True)
class TreeCopy:
    """One folder on its way.

    Attributes:
        source: The storage to read from.
        at: The folder there.
        dest: The storage to write to.
        to: The folder's place there.
        concurrency: How many files are copied at once.
    """

    source: Provider
    at: Path
    dest: Provider
    to: Path
    concurrency: int

    async def create(self) -> TreeSum:
        """Copy to a place that is free; if that fails, nothing stays there.

        Returns:
            What was copied, as the source's listings showed it.

        Raises:
            Taken: The place is not free.
            Corrupted: The copy differs from the source.
        """
        seen = await self._copy_there()
        if seen is not None:
            return seen
        await self._claim()
        try:
            return await self._fill(WriteMode.CREATE)
        except BaseException as error:
            await discard(self.dest, self.to, error)
            raise

    async def copy_at_once(self) -> Entry | None:
        """Copy to a place that is free, in one step of the storage that cannot be half done.

        Returns:
            The new folder; ``None`` if the storage cannot do that.

        Raises:
            Taken: The place is not free.
        """
        return await self._offer() if self.dest.capabilities.atomic_copy else None

    async def overlay(self) -> TreeSum:
        """Copy over the folder that is there, then remove from it what the source does not have.

        If that fails, files that were not reached are as before.

        Returns:
            What was copied, as the source's listings showed it.

        Raises:
            AlreadyExists: A file stands where a folder should be, or the other way round.
            Corrupted: The copy differs from the source.
        """
        seen = await self._fill(WriteMode.REPLACE)
        await self._prune()
        await self._compare()
        return seen

    async def result(self) -> Entry:
        """The folder as it is now."""
        try:
            return await self.dest.stat(self.to)
        except NotFound:
            return Entry(path=self.to)  # an empty folder, where folders are only prefixes

    async def refuse_changed(self, seen: TreeSum) -> None:
        """Refuse to delete a source that is no longer what was copied.

        Raises:
            Corrupted: A listing shows something that was not ``seen``, or does not show it.
        """
        what = (await self._sum_of(self.source, self.at)).difference(seen, etags=True)
        if what is not None:
            raise Corrupted("The source changed while it was copied.", path=str(self.at))

    async def _copy_there(self) -> TreeSum | None:
        """Copy on the storages' side and compare; ``None`` if that cannot be done."""
        try:
            if await self._offer() is None:
                return None
            return await self._compare()
        except Taken:
            raise
        except BaseException as error:
            await discard(self.dest, self.to, error)
            raise

    async def _offer(self) -> Entry | None:
        """Let the storages copy; ``None`` if they cannot."""
        if not self.dest.capabilities.copy_from:
            return None
        try:
            with claiming():
                return await self.dest.copy_from(self.source, self.at, self.to)
        except Unsupported:
            return None

    async def _claim(self) -> None:
        """Make the folder, so that its name is taken."""
        if self._makes_folders:
            undo = partial(discard, self.dest, self.to)
            with claiming():
                await unbroken(self.dest.make_folder(self.to), undo=undo)

    @property
    def _makes_folders(self) -> bool:
        return self.dest.capabilities.make_folder or self.dest.capabilities.empty_folders

    async def _fill(self, mode: WriteMode) -> TreeSum:
        """Copy what is in the folder, with a fixed number of tasks."""
        seen = self._sum(self.at)

        async def enter(folder: Entry) -> bool:
            if self._makes_folders:
                await self._make_folder(self._there(folder), mode)
            return True

        async def work() -> None:
            async for entry in entries:
                seen.add(entry)
                if not entry.is_folder:
                    await copy_file(
                        self.source,
                        entry.path,
                        self.dest,
                        self._there(entry),
                        mode=mode,
                        known=entry,
                    )

        listings = min(self.concurrency, LISTINGS)
        async with aclosing(
            walk(self.source, self.at, listings=listings, ahead=self.concurrency, enter=enter)
        ) as found:
            entries = Shared(found)
            await together(work() for _ in range(self.concurrency))
        return seen

    async def _make_folder(self, path: Path, mode: WriteMode) -> None:
        try:
            await self.dest.make_folder(path)
        except AlreadyExists:
            if mode is WriteMode.CREATE:
                raise
            try:
                await self.dest.stat(path)
            except NotAFolder:
                file = await self.dest.stat(path.as_file())
                raise AlreadyExists(
                    f"The name {file.name!r} is taken.", entry=file, path=str(file.path)
                ) from None

    async def _prune(self) -> None:
        """Delete what the source does not have."""

        async def enter(folder: Entry) -> bool:
            return not await self._delete_extra(folder)

        async def work() -> None:
            async for entry in entries:
                if not entry.is_folder:
                    await self._delete_extra(entry)

        async with aclosing(walk(self.dest, self.to, enter=enter)) as found:
            entries = Shared(found)
            await together(work() for _ in range(self.concurrency))

    async def _delete_extra(self, entry: Entry) -> bool:
        if await self._counterpart(entry.path.rebased(self.to, self.at)):
            return False
        await self.dest.delete(entry.path)
        return True

    async def _counterpart(self, path: Path) -> Path | None:
        """What the source has at ``path``, under a spelling that the destination may not keep."""
        try:
            return (await self.source.stat(path)).path
        except (NotFound, IsAFolder, NotAFolder):
            pass
        fold = self.dest.capabilities.case_insensitive
        if path == self.at or (not fold and all(name.isascii() for name in path.names)):
            return None
        parent = await self._counterpart(path.parent)
        if parent is None:
            return None
        async with closing(self.source.list(parent)) as siblings:
            async for entry in siblings:
                if entry.is_folder == path.is_folder and same_name(
                    entry.name, path.name, fold=fold
                ):
                    return entry.path
        return None

    async def _compare(self) -> TreeSum:
        """Compare both trees by their listings; gives the source's.

        Raises:
            Corrupted: They differ.
        """
        read = await self._sum_of(self.source, self.at)
        what = read.difference(await self._sum_of(self.dest, self.to))
        if what is not None:
            raise Corrupted(f"The {what} of the copy is not that of the source.", path=str(self.to))
        return read

    def _there(self, entry: Entry) -> Path:
        return entry.path.rebased(self.at, self.to)

    def _sum(self, top: Path) -> TreeSum:
        declared = self.dest.capabilities
        return TreeSum(top, fold=declared.case_insensitive, folders=declared.empty_folders)

    async def _sum_of(self, provider: Provider, top: Path) -> TreeSum:
        total = self._sum(top)
        try:
            async with aclosing(walk(provider, top)) as entries:
                async for entry in entries:
                    total.add(entry)
        except NotFound:
            # Where folders are only prefixes, an empty one is not there.
            if provider.capabilities.empty_folders:
                raise
        return total
