"""Bodies that fail, writers and readers that go away: nothing is left behind, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from waterbutler.core import ROOT, ByteStream, Provider, WriteMode
from waterbutler.core.errors import Corrupted, Interrupted, WaterButlerError
from waterbutler.testing.conformance.base import (
    FILE,
    FOLDER,
    ContractBase,
    contents,
    get,
    listing,
    put,
    tree,
    until_paused,
)
from waterbutler.testing.conformance.writing import noise
from waterbutler.testing.faults import FailingStream, LongStream, ShortStream, SlowStream

BODIES: dict[str, tuple[Callable[[bytes], ByteStream], type[WaterButlerError]]] = {
    "short": (ShortStream, Corrupted),
    "very short": (lambda data: ShortStream(data[:1], missing=len(data) - 1), Corrupted),
    "empty but promised": (lambda data: ShortStream(b"", missing=len(data)), Corrupted),
    "long": (LongStream, Corrupted),
    "much too long": (lambda data: LongStream(data, extra=len(data)), Corrupted),
    "long where nothing was promised": (lambda data: LongStream(b"", extra=5), Corrupted),
    "failing at the start": (lambda data: FailingStream(data, after=0), Interrupted),
    "failing in the middle": (lambda data: FailingStream(data, after=len(data) // 2), Interrupted),
    "failing at the end": (lambda data: FailingStream(data, after=len(data)), Interrupted),
}
UNSIZED: dict[str, Callable[[bytes], ByteStream]] = {
    "at the start": lambda data: FailingStream(data, after=0, known_size=False),
    "in the middle": lambda data: FailingStream(data, after=len(data) // 2, known_size=False),
    "at the end": lambda data: FailingStream(data, after=len(data), known_size=False),
}
PLACES = pytest.mark.parametrize("replacing", [False, True], ids=["new", "replacing"])
LARGE = pytest.mark.parametrize("large", [False, True], ids=["small", "large"])


class Failing(ContractBase):
    """A write that does not succeed never happened."""

    async def _before(self, provider: Provider, *, replacing: bool) -> dict[str, object]:
        await self.seed(provider, {"/folder/other": b"other"})
        if replacing:
            await put(provider, FOLDER.child("file"), b"old content")
        return dict(await tree(provider))

    def _data(self, *, large: bool) -> bytes:
        return noise(self.large_size + 1000 if large else 10_000)

    @pytest.mark.needs("write")
    @PLACES
    @LARGE
    @pytest.mark.parametrize("kind", list(BODIES))
    async def test_a_body_that_lies_or_fails(
        self, provider: Provider, kind: str, large: bool, replacing: bool
    ) -> None:
        """The error of the body comes through, and everything is as it was before."""
        make, error = BODIES[kind]
        before = await self._before(provider, replacing=replacing)
        async with make(self._data(large=large)) as body:
            with pytest.raises(error):
                await provider.write(FOLDER.child("file"), body)
        assert await tree(provider) == before

    @pytest.mark.needs("write", "unknown_size")
    @PLACES
    @LARGE
    @pytest.mark.parametrize("kind", list(UNSIZED))
    async def test_a_body_of_unknown_size_that_fails(
        self, provider: Provider, kind: str, large: bool, replacing: bool
    ) -> None:
        """An error is not the end of the file."""
        before = await self._before(provider, replacing=replacing)
        async with UNSIZED[kind](self._data(large=large)) as body:
            with pytest.raises(Interrupted):
                await provider.write(FOLDER.child("file"), body)
        assert await tree(provider) == before

    @pytest.mark.needs("write")
    @pytest.mark.parametrize("kind", list(BODIES))
    async def test_creating_fails_alike(self, provider: Provider, kind: str) -> None:
        """With ``CREATE`` nothing is left behind either: the name can be created afterwards."""
        make, error = BODIES[kind]
        async with make(noise(10_000)) as body:
            with pytest.raises(error):
                await provider.write(FILE, body, mode=WriteMode.CREATE)
        assert await listing(provider) == []
        await put(provider, FILE, b"works", WriteMode.CREATE)
        assert await contents(provider) == {"/file.txt": b"works"}

    @pytest.mark.needs("write")
    async def test_a_failed_body_is_not_closed(self, provider: Provider) -> None:
        """Closing the body stays with the caller, also when it failed."""
        closed = []

        async def close() -> None:
            closed.append(True)

        body = ByteStream(FailingStream(b"12345", after=2), size=5, close=close)
        with pytest.raises(Interrupted):
            await provider.write(FILE, body)
        assert not closed

    @pytest.mark.needs("write")
    @PLACES
    @LARGE
    async def test_nobody_sees_a_file_before_it_is_complete(
        self, provider: Provider, large: bool, replacing: bool
    ) -> None:
        """While a body is on its way, everything looks as before; afterwards the file is there."""
        before = await self._before(provider, replacing=replacing)
        data = self._data(large=large)
        body = SlowStream(data, pause_after=len(data) - 500, chunk_size=499)
        writing = asyncio.create_task(provider.write(FOLDER.child("file"), body))
        await until_paused(body, writing)
        assert await tree(provider) == before
        body.resume()
        assert (await writing).size == len(data)
        assert await get(provider, FOLDER.child("file")) == data
        assert await listing(provider, FOLDER) == ["/folder/file", "/folder/other"]

    @pytest.mark.needs("write")
    @PLACES
    @LARGE
    @pytest.mark.parametrize("part", [0.0, 0.5, 1.0], ids=["start", "middle", "end"])
    async def test_a_cancelled_write(
        self, provider: Provider, part: float, large: bool, replacing: bool
    ) -> None:
        """A write that is cancelled before the body ended leaves nothing behind."""
        before = await self._before(provider, replacing=replacing)
        data = self._data(large=large)
        body = SlowStream(data, pause_after=int(len(data) * part))
        writing = asyncio.create_task(provider.write(FOLDER.child("file"), body))
        await until_paused(body, writing)
        await _cancel(writing)
        assert await tree(provider) == before
        await put(provider, FOLDER.child("file"), b"works")
        assert await get(provider, FOLDER.child("file")) == b"works"

    @pytest.mark.needs("write")
    @PLACES
    @pytest.mark.parametrize("steps", [0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 40])
    async def test_a_write_cancelled_at_any_step(
        self, provider: Provider, steps: int, replacing: bool
    ) -> None:
        """Whenever the cancelling comes, the file is whole or everything is as before."""
        before = await self._before(provider, replacing=replacing)
        data = noise(20_000)
        writing = asyncio.create_task(provider.write(FOLDER.child("file"), SlowStream(data)))
        for _ in range(steps):
            await asyncio.sleep(0)
        await _cancel(writing)
        after = await tree(provider)
        if after != before:
            assert await get(provider, FOLDER.child("file")) == data
            assert await listing(provider, FOLDER) == ["/folder/file", "/folder/other"]
            assert await listing(provider) == ["/folder/"]
        await asyncio.sleep(0.02)
        assert await tree(provider) == after

    @pytest.mark.needs("write")
    async def test_failures_do_not_add_up(self, provider: Provider) -> None:
        """After many failed writes the storage works as before and is as empty."""
        for count in range(12):
            async with FailingStream(noise(5000), after=count * 400) as body:
                with pytest.raises(Interrupted):
                    await provider.write(ROOT.child(f"file {count}"), body)
        assert await listing(provider) == []
        await put(provider, FILE, b"works")
        assert await contents(provider) == {"/file.txt": b"works"}


async def _cancel(task: asyncio.Task[Any]) -> None:
    """Cancel, and wait until it is over, whether it was in time or not."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()
