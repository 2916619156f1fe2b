"""Providers that break what the contract says about files.

Each class names in ``caught_by`` the tests of the suite that fail for it.
"""

import asyncio
import builtins
import contextlib

import msgspec

from waterbutler.core import ByteStream, Content, WriteMode
from waterbutler.core.errors import NotFound, ProviderFault
from waterbutler.testing.memory import MemoryProvider


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

    async def write(self, path, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None):
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
        return msgspec.structs.replace(
            entry, size=None if entry.is_folder else (entry.size or 0) + 1
        )


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

    async def write(self, path, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None):
        return await super().write(path, body, content_type=content_type)


class ChecksOnlyBeforehand(MemoryProvider):
    """Looks whether the name is free, and then takes its time."""

    caught_by = (
        "test_exactly_one_creates",
        "test_create_loses_against_a_file_that_came_meanwhile",
    )

    async def write(self, path, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None):
        self._place(path, mode)
        return await super().write(path, body, content_type=content_type)


class ReusesEtags(MemoryProvider):
    """Makes the etag of the size."""

    caught_by = ("test_the_etag_follows_the_content",)

    def entry_of(self, entry):
        return entry if entry.is_folder else msgspec.structs.replace(entry, etag=f"{entry.size}")

    async def stat(self, path, *, version=None):
        return self.entry_of(await super().stat(path, version=version))

    async def write(self, path, body, **options):
        return self.entry_of(await super().write(path, body, **options))


class ListsOtherEtags(MemoryProvider):
    """Quotes etags in listings only."""

    caught_by = ("test_all_operations_agree",)

    async def list(self, path):
        async for entry in super().list(path):
            yield msgspec.structs.replace(entry, etag=f'"{entry.etag}"')


class ForgetsTimes(MemoryProvider):
    """Shows when it was written to."""

    caught_by = ("test_a_given_time_is_kept", "test_a_given_time_of_parts_is_kept")

    async def write(self, path, body, *, modified=None, **options):
        return await super().write(path, body, **options)


class SaysHalf(MemoryProvider):
    """A write leaves out what nobody can ask for."""

    caught_by = ("test_what_was_written_can_be_described",)

    async def write(self, path, body, **options):
        entry = await super().write(path, body, **options)
        return msgspec.structs.replace(entry, modified=None)


class AnswersWithTheWish(MemoryProvider):
    """Says that it kept what it did not keep."""

    caught_by = ("test_a_given_time_is_kept",)

    async def write(self, path, body, *, modified=None, **options):
        entry = await super().write(path, body, **options)
        return msgspec.structs.replace(entry, modified=modified or entry.modified)


class KeepsTheOldTime(MemoryProvider):
    """A replaced file hands its time on."""

    caught_by = ("test_without_a_time_it_is_now",)

    async def write(self, path, body, *, modified=None, **options):
        with contextlib.suppress(NotFound):
            modified = modified or self._find(path).blobs[-1].modified
        return await super().write(path, body, modified=modified, **options)


class MakesEtagsOfTimes(MemoryProvider):
    """As web servers do that know no better."""

    caught_by = ("test_content_of_one_time_has_two_etags",)

    async def write(self, path, body, **options):
        entry = await super().write(path, body, **options)
        return msgspec.structs.replace(entry, etag=f"{entry.size}-{entry.modified}")


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
    if isinstance(kind, type) and "caught_by" in vars(kind)
]
