"""Providers that break the contract, each in one way, and the tests that must notice.

Each class names in ``caught_by`` the tests of the suite that fail for it.
"""

import asyncio
import builtins
import contextlib
import dataclasses

from waterbutler.core import ByteStream, Capabilities, Content, Path, WriteMode
from waterbutler.core.errors import NotFound, ProviderFault, Unsupported
from waterbutler.testing.memory import MemoryProvider


def declaring(**changes):
    return dataclasses.replace(MemoryProvider.capabilities, **changes)


class LeavesPartialFiles(MemoryProvider):
    """Stores what came before the body failed."""

    caught_by = (
        "test_a_body_that_lies_or_fails",
        "test_a_body_of_unknown_size_that_fails",
        "test_failures_do_not_add_up",
    )

    async def write(self, path, body, **options):
        data = b""
        try:
            async for chunk in body:
                data += chunk
        except Exception:
            await super().write(path, ByteStream.of(data), **options)
            raise
        return await super().write(path, ByteStream.of(data), **options)


class LeavesTemporaryFiles(MemoryProvider):
    """Writes beside the file first, and does not clean up."""

    caught_by = ("test_a_cancelled_write", "test_nobody_sees_a_file_before_it_is_complete")

    async def write(self, path, body, **options):
        beside = path.renamed(path.name[:200] + ".part")
        await super().write(beside, ByteStream.of(b""))
        entry = await super().write(path, body, **options)
        await self.delete(beside)
        return entry


class DeletesBeforeReplacing(MemoryProvider):
    """Loses the old file when the new one does not come."""

    caught_by = ("test_a_body_that_lies_or_fails", "test_a_cancelled_write")

    async def write(self, path, body, *, mode=WriteMode.REPLACE, content_type=None):
        if mode is WriteMode.REPLACE:
            with contextlib.suppress(NotFound):
                await self.delete(path)
        return await super().write(path, body, mode=mode, content_type=content_type)


class FinishesAfterCancelling(MemoryProvider):
    """Goes on writing in a task of its own."""

    caught_by = ("test_a_cancelled_write",)

    async def write(self, path, body, **options):
        return await asyncio.shield(super().write(path, body, **options))


class StopsAtThePromisedSize(MemoryProvider):
    """Does not look whether the body goes on."""

    caught_by = ("test_a_body_that_lies_or_fails",)

    async def write(self, path, body, **options):
        if body.size is None:
            return await super().write(path, body, **options)
        data = b""
        while len(data) < body.size:
            data += await anext(body)
        return await super().write(path, ByteStream.of(data), **options)


class ClosesTheBody(MemoryProvider):
    """Closes what belongs to the caller."""

    caught_by = ("test_write_body_is_consumed_but_not_closed", "test_a_failed_body_is_not_closed")

    async def write(self, path, body, **options):
        async with body:
            return await super().write(path, body, **options)


class WrapsTheBodysError(MemoryProvider):
    """Blames the storage for what the sender did."""

    caught_by = ("test_a_body_that_lies_or_fails", "test_creating_fails_alike")

    async def write(self, path, body, **options):
        try:
            data = b"".join([chunk async for chunk in body])
        except Exception as error:
            raise ProviderFault("The storage failed.") from error
        return await super().write(path, ByteStream.of(data), **options)


class LiesAboutSize(MemoryProvider):
    """Rounds sizes up."""

    caught_by = ("test_stat_of_a_file", "test_all_operations_agree")

    async def stat(self, path, *, version=None):
        entry = await super().stat(path, version=version)
        return dataclasses.replace(entry, size=None if entry.is_folder else (entry.size or 0) + 1)


class IgnoresRanges(MemoryProvider):
    """Gives the whole file whatever is asked."""

    caught_by = ("test_a_range", "test_a_range_outside", "test_parts_make_the_whole")

    async def read(self, path, *, range=None, version=None):
        return await super().read(path, version=version)


class CountsTheLastByteAway(MemoryProvider):
    """Takes the last byte of a range for the first one after it."""

    caught_by = ("test_a_range",)

    async def read(self, path, *, range=None, version=None):
        content = await super().read(path, range=range, version=version)
        if content.span is None or content.span.length == 1:
            return content
        data = await content.body.read(1 << 20)
        return Content(ByteStream.of(data[:-1]), content.entry, content.span)


class IgnoresCreate(MemoryProvider):
    """Replaces whatever the mode."""

    caught_by = ("test_write_refuses_a_taken_name", "test_exactly_one_creates")

    async def write(self, path, body, *, mode=WriteMode.REPLACE, content_type=None):
        return await super().write(path, body, content_type=content_type)


class ChecksOnlyBeforehand(MemoryProvider):
    """Looks whether the name is free, and then takes its time."""

    caught_by = (
        "test_exactly_one_creates",
        "test_create_loses_against_a_file_that_came_meanwhile",
    )

    async def write(self, path, body, *, mode=WriteMode.REPLACE, content_type=None):
        self._place(path, mode)
        return await super().write(path, body, content_type=content_type)


class ReusesEtags(MemoryProvider):
    """Makes the etag of the size."""

    caught_by = ("test_the_etag_follows_the_content",)

    def entry_of(self, entry):
        return entry if entry.is_folder else dataclasses.replace(entry, etag=f"{entry.size}")

    async def stat(self, path, *, version=None):
        return self.entry_of(await super().stat(path, version=version))

    async def write(self, path, body, **options):
        return self.entry_of(await super().write(path, body, **options))


class ListsOtherEtags(MemoryProvider):
    """Quotes etags in listings only."""

    caught_by = ("test_all_operations_agree",)

    async def list(self, path):
        async for entry in super().list(path):
            yield dataclasses.replace(entry, etag=f'"{entry.etag}"')


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
    )
    capabilities: Capabilities = declaring(
        make_folder=False, copy_from=False, move_from=False, versions=False
    )


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


class TearsReads(MemoryProvider):
    """Reads each chunk from what is there at that moment."""

    caught_by = ("test_a_reader_that_was_first",)

    async def read(self, path, *, range=None, version=None):
        content = await super().read(path, range=range, version=version)
        size = content.body.size or 0
        if range is not None or version is not None:
            return content

        async def chunks():
            for start in builtins.range(0, size, 4096):
                yield self._find(path).blobs[-1].data[start : start + 4096]

        return Content(ByteStream(chunks(), size=None), content.entry)


BROKEN = [
    kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, MemoryProvider) and hasattr(kind, "caught_by")
]
