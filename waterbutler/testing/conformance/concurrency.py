"""Many tasks at once."""

from __future__ import annotations

import asyncio
from pathlib import Path as FsPath

import pytest

from waterbutler.core import ROOT, ByteStream, Entry, Provider, WriteMode
from waterbutler.core.errors import AlreadyExists, NotFound, WaterButlerError
from waterbutler.testing.conformance.base import (
    FILE,
    FOLDER,
    ContractBase,
    contents,
    get,
    listing,
    put,
    put_many,
    until_paused,
)
from waterbutler.testing.faults import SlowStream

WRITERS = 12
HANDLES = FsPath("/proc/self/fd")


def marked(number: int, size: int = 50_000) -> bytes:
    """Content that says in each byte who wrote it."""
    return bytes([65 + number]) * (size + number * 1000)


async def slowly(provider: Provider, number: int, mode: WriteMode, size: int = 50_000) -> Entry:
    """Write in many small steps, so that others come in between."""
    async with SlowStream(marked(number, size), chunk_size=3000) as body:
        return await provider.write(FILE, body, mode=mode)


def handles() -> int:
    """How many files and connections this process has open."""
    return len(list(HANDLES.iterdir()))


class Concurrency(ContractBase):
    """A provider may be used by many tasks at once."""

    @pytest.mark.needs("write", "exclusive_create")
    @pytest.mark.parametrize("attempt", range(3))
    async def test_exactly_one_creates(self, provider: Provider, attempt: int) -> None:
        """Of many writers one wins, the rest are told, and the file is the winner's."""
        outcomes = await asyncio.gather(
            *(slowly(provider, number, WriteMode.CREATE) for number in range(WRITERS)),
            return_exceptions=True,
        )
        winners = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Entry)]
        assert len(winners) == 1
        losers = [outcome for outcome in outcomes if not isinstance(outcome, Entry)]
        assert [type(outcome) for outcome in losers] == [AlreadyExists] * (WRITERS - 1)
        assert await contents(provider) == {"/file.txt": marked(winners[0])}

    @pytest.mark.needs("write", "exclusive_create")
    async def test_create_loses_against_a_file_that_came_meanwhile(
        self, provider: Provider
    ) -> None:
        """A name that is taken while the body is on its way is not overwritten."""
        body = SlowStream(b"late" * 1000, pause_after=2000, chunk_size=1000)
        late = asyncio.create_task(provider.write(FILE, body, mode=WriteMode.CREATE))
        await until_paused(body, late)
        await put(provider, FILE, b"early", WriteMode.CREATE)
        body.resume()
        with pytest.raises(AlreadyExists):
            await late
        assert await contents(provider) == {"/file.txt": b"early"}

    @pytest.mark.needs("write")
    async def test_replacers_do_not_mix(self, provider: Provider) -> None:
        """Of many replacements the last one stays, whole."""
        await asyncio.gather(
            *(slowly(provider, number, WriteMode.REPLACE) for number in range(WRITERS))
        )
        content = await contents(provider)
        assert list(content) == ["/file.txt"]
        assert content["/file.txt"] in [marked(number) for number in range(WRITERS)]
        assert (await provider.stat(FILE)).size == len(content["/file.txt"] or b"")

    @pytest.mark.needs("write")
    async def test_readers_see_whole_files(self, provider: Provider) -> None:
        """While a file is replaced again and again, each reader gets one of its contents."""
        await put(provider, FILE, marked(0))
        whole = {marked(number) for number in range(4)}
        done = asyncio.Event()

        async def read_on() -> int:
            count = 0
            while not done.is_set() or not count:
                try:
                    assert await get(provider, FILE) in whole
                except WaterButlerError as error:
                    # A storage may break a read whose file is replaced, but a file is there always.
                    assert not isinstance(error, NotFound)
                count += 1
                await asyncio.sleep(0)
            return count

        readers = [asyncio.create_task(read_on()) for _ in range(3)]
        for round in range(8):
            await slowly(provider, round % 4, WriteMode.REPLACE)
        done.set()
        assert all(await asyncio.gather(*readers))

    @pytest.mark.needs("write")
    @pytest.mark.parametrize("change", ["replace", "delete"])
    async def test_a_reader_that_was_first(self, provider: Provider, change: str) -> None:
        """Who opened a file before it changed gets the old content or an error, never a mix."""
        old = marked(0, self.large_size)
        await put(provider, FILE, old)
        content = await provider.read(FILE)
        async with content.body as body:
            parts = [await anext(body)]
            if change == "replace":
                await put(provider, FILE, marked(1, self.large_size))
            else:
                await provider.delete(FILE)
            try:
                parts += [chunk async for chunk in body]
            except WaterButlerError:
                return
        assert b"".join(parts) == old

    @pytest.mark.needs("write")
    async def test_many_files_at_once(self, provider: Provider) -> None:
        """Writers of different files do not disturb each other."""
        await self.seed(provider, {"/folder/first": b""})
        names = [f"file {number}" for number in range(100)]
        await put_many(provider, [FOLDER.child(name) for name in names], b"data")
        expected = {f"/{name}": b"data" for name in names}
        assert await contents(provider, FOLDER) == {"/first": b"", **expected}

    @pytest.mark.needs("make_folder")
    async def test_one_folder_many_makers(self, provider: Provider) -> None:
        """At least one is told that it made the folder; all others that it is there."""
        outcomes = await asyncio.gather(
            *(provider.make_folder(FOLDER) for _ in range(8)), return_exceptions=True
        )
        made = [outcome for outcome in outcomes if isinstance(outcome, Entry)]
        assert made
        assert all(isinstance(outcome, Entry | AlreadyExists) for outcome in outcomes)
        assert await listing(provider) == ["/folder/"]

    @pytest.mark.needs("write")
    async def test_one_file_many_deleters(self, provider: Provider) -> None:
        """At least one is told that it deleted the file; all others that it is gone."""
        await put(provider, FILE, b"data")
        outcomes = await asyncio.gather(
            *(provider.delete(FILE) for _ in range(8)), return_exceptions=True
        )
        assert None in outcomes
        assert all(outcome is None or isinstance(outcome, NotFound) for outcome in outcomes)
        assert await listing(provider) == []

    @pytest.mark.needs("move_from")
    async def test_one_file_many_movers(self, provider: Provider) -> None:
        """A file that several tasks move away ends in at least one place, whole."""
        await put(provider, FILE, b"data")
        outcomes = await asyncio.gather(
            *(provider.move_from(provider, FILE, ROOT.child(f"to {n}")) for n in range(6)),
            return_exceptions=True,
        )
        assert any(isinstance(outcome, Entry) for outcome in outcomes)
        assert all(isinstance(outcome, Entry | NotFound) for outcome in outcomes)
        after = await contents(provider)
        assert "/file.txt" not in after
        assert set(after.values()) == {b"data"}

    @pytest.mark.needs("copy_from", "exclusive_create")
    async def test_exactly_one_copies(self, provider: Provider) -> None:
        """Of many copies to one new name one wins."""
        sources = [ROOT.child(f"source {number}") for number in range(6)]
        for number, source in enumerate(sources):
            await put(provider, source, marked(number))
        outcomes = await asyncio.gather(
            *(provider.copy_from(provider, source, FILE) for source in sources),
            return_exceptions=True,
        )
        winners = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Entry)]
        assert len(winners) == 1
        assert sum(isinstance(outcome, AlreadyExists) for outcome in outcomes) == 5
        assert await get(provider, FILE) == marked(winners[0])

    @pytest.mark.skipif(not HANDLES.is_dir(), reason="the system does not show open handles")
    async def test_readers_that_stop_early_let_go(self, provider: Provider) -> None:
        """Handles and connections do not pile up behind bodies that were closed."""
        await self.seed(provider, {"/file.txt": marked(0, self.large_size)})

        async def begin_and_stop() -> None:
            content = await provider.read(FILE)
            async with content.body as body:
                await anext(body)

        await begin_and_stop()
        before = handles()
        for _ in range(30):
            await begin_and_stop()
        assert handles() < before + 15

    @pytest.mark.needs("write")
    async def test_a_slow_writer_stops_nobody(self, provider: Provider) -> None:
        """While one body waits for its sender, all other operations go on."""
        body = SlowStream(b"x" * 1000, pause_after=500, chunk_size=100)
        slow = asyncio.create_task(provider.write(FILE, body))
        await until_paused(body, slow)
        await put(provider, FILE.renamed("quick"), b"done")
        assert await listing(provider) == ["/quick"]
        await provider.delete(FILE.renamed("quick"))
        body.resume()
        await slow
        assert await listing(provider) == ["/file.txt"]

    @pytest.mark.needs("write")
    async def test_a_body_may_come_from_the_same_storage(self, provider: Provider) -> None:
        """A file can be written from a read that is still going on."""
        await put(provider, FILE, marked(0, self.large_size))
        content = await provider.read(FILE)
        async with content.body as body:
            await provider.write(FILE.renamed("copy"), ByteStream(body, size=body.size))
        assert await get(provider, FILE.renamed("copy")) == marked(0, self.large_size)
