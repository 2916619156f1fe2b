"""Providers that break what the contract says about folders, copies, versions and declarations.

Each class names in ``caught_by`` the tests of the suite that fail for it.
"""

import asyncio
import dataclasses

from waterbutler.core import Capabilities, Path, WriteMode
from waterbutler.core.errors import NotFound, Unsupported
from waterbutler.testing.memory import MemoryProvider


def declaring(**changes):
    return dataclasses.replace(MemoryProvider.capabilities, **changes)


class ListsOnePage(MemoryProvider):
    """Forgets that there are more pages."""

    caught_by = ("test_list_more_than_two_pages", "test_list_changes_meanwhile")

    async def list(self, path):
        count = 0
        async for entry in super().list(path):
            if count == 10:
                return
            count += 1
            yield entry


class PagesByNumber(MemoryProvider):
    """Counts places in the folder, which move when something is deleted."""

    caught_by = ("test_list_changes_meanwhile",)

    async def list(self, path):
        start = 0
        while True:
            page = [entry async for entry in super().list(path)][start : start + 10]
            for entry in page:
                yield entry
            if not page:
                return
            start += 10


class ListsMissingFoldersAsEmpty(MemoryProvider):
    """Takes nothing for an empty folder."""

    caught_by = ("test_list_nothing",)

    async def list(self, path):
        try:
            async for entry in super().list(path):
                yield entry
        except NotFound:
            return


class DeletesSilently(MemoryProvider):
    """Is content when there is nothing to delete."""

    caught_by = ("test_delete_nothing", "test_delete_twice")

    async def delete(self, path):
        try:
            await super().delete(path)
        except NotFound:
            return


class DeletesByPrefix(MemoryProvider):
    """Takes everything that begins with the folder's name."""

    caught_by = ("test_delete_a_folder_with_content",)

    async def delete(self, path):
        await super().delete(path)
        if path.is_folder and not path.is_root:
            async for entry in super().list(path.parent):
                if entry.name.startswith(path.name):
                    await super().delete(entry.path)


class DeletesTheRoot(MemoryProvider):
    """Does not come back after its root was deleted."""

    caught_by = ("test_delete_the_root_is_emptied",)
    gone = False

    async def delete(self, path):
        await super().delete(path)
        self.gone = self.gone or path.is_root

    async def stat(self, path, *, version=None):
        if self.gone:
            raise NotFound("It is gone.")
        return await super().stat(path, version=version)


class IgnoresKinds(MemoryProvider):
    """Finds files by the paths of folders and the other way round."""

    caught_by = ("test_a_file_path_finds_no_folder", "test_a_folder_path_finds_no_file")

    async def stat(self, path, *, version=None):
        try:
            return await super().stat(path, version=version)
        except Exception:
            other = path.as_file() if path.is_folder and path.names else path.as_folder()
            return await super().stat(other, version=version)


class MakesFoldersByTheWay(MemoryProvider):
    """Makes what is missing above a file, though folders are things of their own."""

    caught_by = ("test_write_the_folder_is_missing",)

    async def write(self, path, body, **options):
        for folder in reversed([*path.ancestors][:-1]):
            try:
                await self.make_folder(folder)
            except Exception:
                continue
        return await super().write(path, body, **options)


class ChangesNames(MemoryProvider):
    """Strips blanks from names."""

    caught_by = ("test_name_of_a_file",)

    async def write(self, path, body, **options):
        return await super().write(path.renamed(path.name.strip() or "_"), body, **options)


class CopiesEverything(MemoryProvider):
    """Changes the storage before it finds that it cannot copy."""

    caught_by = ("test_copy_a_strange_source",)

    async def copy_from(self, source, at, to, *, mode=WriteMode.CREATE):
        if source.unwrapped is not self:
            await self.make_folder(Path.parse("/begun/"))
            raise Unsupported("Not from there.")
        return await super().copy_from(source, at, to, mode=mode)


class MovesByCopying(MemoryProvider):
    """Leaves the source where it was."""

    caught_by = ("test_copy_a_file_in_one_storage", "test_name_moved_to_and_from")

    async def move_from(self, source, at, to, *, mode=WriteMode.CREATE):
        return await self.copy_from(source, at, to, mode=mode)


class ReplacesFoldersInSteps(MemoryProvider):
    """Deletes the old folder before the new one is there."""

    caught_by = ("test_replace_at_every_moment",)

    async def move_from(self, source, at, to, *, mode=WriteMode.CREATE):
        if to.is_folder and mode is WriteMode.REPLACE:
            await self.delete(to)
            await asyncio.sleep(0)
        return await super().move_from(source, at, to, mode=mode)


class MergesFolders(MemoryProvider):
    """Keeps what was in the old folder."""

    caught_by = ("test_replace_a_folder", "test_replace_a_folder_elsewhere")

    async def copy_from(self, source, at, to, *, mode=WriteMode.CREATE):
        old = {}
        if to.is_folder and mode is WriteMode.REPLACE:
            try:
                old = dict(self._folder(to).children)
            except NotFound:
                old = {}
        entry = await super().copy_from(source, at, to, mode=mode)
        if old:
            self._folder(to).children.update(old)
        return entry


class IgnoresVersions(MemoryProvider):
    """Gives today's content for any version."""

    caught_by = ("test_all_versions", "test_an_unknown_version", "test_a_version_is_described")

    async def read(self, path, *, range=None, version=None):
        return await super().read(path, range=range)

    async def stat(self, path, *, version=None):
        return await super().stat(path)


class OldestFirst(MemoryProvider):
    """Lists versions the wrong way round."""

    caught_by = ("test_all_versions", "test_a_version_is_described")

    async def versions(self, path):
        for version in [version async for version in super().versions(path)][::-1]:
            yield version


class DeclaresTooMuch(MemoryProvider):
    """Promises what it cannot do."""

    caught_by = ("test_a_link", "test_free_space", "test_declared_hashes_are_there")
    capabilities: Capabilities = declaring(
        sign=True, free_space=True, hashes=frozenset({"md5", "sha512"})
    )


class DeclaresTooLittle(MemoryProvider):
    """Does what it does not declare."""

    caught_by = (
        "test_make_folder_undeclared",
        "test_copy_undeclared",
        "test_move_undeclared",
        "test_undeclared_versions",
        "test_a_time_is_not_kept_undeclared",
        "test_a_time_of_parts_is_not_kept_undeclared",
    )
    capabilities: Capabilities = declaring(
        make_folder=False, copy_from=False, move_from=False, versions=False, keeps_modified=False
    )


class ReplacesUndeclared(MemoryProvider):
    """Lets folders give way without saying so."""

    caught_by = ("test_replace_undeclared",)
    capabilities: Capabilities = declaring(replaces_folders=False)


class WritesUndeclared(MemoryProvider):
    """Says that it is read-only and is not."""

    caught_by = ("test_write_undeclared",)
    capabilities: Capabilities = MemoryProvider.capabilities.read_only()


class LeavesTasksRunning(MemoryProvider):
    """Starts a task that nobody ends."""

    caught_by = ("test_check_passes",)

    async def check(self):
        self.task = asyncio.create_task(asyncio.Event().wait())


class RaisesItsOwnErrors(MemoryProvider):
    """Lets errors of its libraries through."""

    caught_by = ("test_stat_of_nothing",)

    async def stat(self, path, *, version=None):
        try:
            return await super().stat(path, version=version)
        except NotFound:
            raise FileNotFoundError(str(path)) from None


BROKEN = [
    kind
    for kind in list(globals().values())
    if isinstance(kind, type) and "caught_by" in vars(kind)
]
