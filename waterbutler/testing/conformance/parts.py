"""Files that are sent in parts, by calls that have nothing else in common."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable

import pytest

from waterbutler.core import ByteStream, Path, Provider, SentPart, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    Corrupted,
    Interrupted,
    InvalidRequest,
    NotFound,
    QuotaExceeded,
    Unsupported,
    WaterButlerError,
)
from waterbutler.testing.conformance.base import (
    FILE,
    ContractBase,
    get,
    listing,
    put,
    same_facts,
    tree,
)
from waterbutler.testing.conformance.writing import noise
from waterbutler.testing.faults import FailingStream, ShortStream, SlowStream

SMALLEST = 1000
"""Parts are not smaller, so that bodies can fail in their middle."""


def _refused(data: bytes) -> ByteStream:
    """A body of the right size whose last step says that it is wrong."""

    async def chunks() -> AsyncIterator[bytes]:
        async for chunk in ByteStream.of(data[:-1] + b"?"):
            yield chunk
        raise InvalidRequest("This is something else.")

    return ByteStream(chunks(), size=len(data))


BODIES: dict[str, tuple[Callable[[bytes], ByteStream], type[WaterButlerError]]] = {
    "short": (lambda data: ShortStream(data[:-9], missing=9), Corrupted),
    "failing": (lambda data: FailingStream(data, after=len(data) // 2), Interrupted),
    "refused at its end": (_refused, InvalidRequest),
}


def pieces_for(provider: Provider) -> list[bytes]:
    """Three parts as small as the storage takes them, all different."""
    limits = provider.capabilities.parts
    assert limits is not None
    size = max(limits.min_size, SMALLEST)
    whole = noise(2 * size + SMALLEST)
    return [whole[:size], whole[size : 2 * size], whole[2 * size :]]


async def send(provider: Provider, path: Path, upload: str, number: int, data: bytes) -> SentPart:
    """Send a part from memory."""
    digest = hashlib.sha256(data).hexdigest()
    async with ByteStream.of(data) as body:
        return await provider.put_part(path, upload, number, body, sha256=digest)


async def sent(provider: Provider, path: Path, pieces: list[bytes]) -> tuple[str, list[SentPart]]:
    """An unfinished file with all its parts."""
    upload = await provider.begin_parts(path, size=sum(map(len, pieces)))
    parts = [
        await send(provider, path, upload, number, piece) for number, piece in enumerate(pieces, 1)
    ]
    return upload, parts


class Parts(ContractBase):
    """What ``parts`` promises."""

    @pytest.mark.needs("parts")
    async def test_parts_in_any_order_become_a_file(self, provider: Provider) -> None:
        """It is seen when it is finished, and not before."""
        pieces = pieces_for(provider)
        data = b"".join(pieces)
        upload = await provider.begin_parts(FILE, size=len(data))
        parts: dict[int, SentPart] = {}
        for number in (3, 1, 2):
            parts[number] = await send(provider, FILE, upload, number, pieces[number - 1])
            assert (parts[number].number, parts[number].size) == (number, len(pieces[number - 1]))
            assert await listing(provider) == []
        with pytest.raises(NotFound):
            await provider.stat(FILE)
        in_order = [parts[number] for number in (1, 2, 3)]
        entry = await provider.finish_parts(FILE, upload, in_order, mode=WriteMode.CREATE)
        assert entry.size == len(data)
        assert entry.hashes.keys() >= provider.capabilities.hashes
        same_facts(entry, await provider.stat(FILE))
        assert await get(provider, FILE) == data
        assert await listing(provider) == [str(FILE)]

    @pytest.mark.needs("parts")
    async def test_one_small_part_is_enough(self, provider: Provider) -> None:
        """The last part may be smaller than the others must be."""
        upload, parts = await sent(provider, FILE, [b"x"])
        await provider.finish_parts(FILE, upload, parts)
        assert await get(provider, FILE) == b"x"

    @pytest.mark.needs("parts")
    async def test_parts_beside_each_other(self, provider: Provider) -> None:
        """Parts are sent at the same time, and files in one place do not mix."""
        pieces = pieces_for(provider)
        uploads = [await provider.begin_parts(FILE, size=1) for _ in range(2)]
        found = await asyncio.gather(
            *(
                send(provider, FILE, upload, number, piece)
                for upload, order in zip(uploads, (pieces[:2], pieces[1::-1]), strict=True)
                for number, piece in enumerate([*order, pieces[2]], 1)
            )
        )
        await provider.finish_parts(FILE, uploads[0], found[:3])
        assert await get(provider, FILE) == b"".join(pieces)
        await provider.finish_parts(FILE, uploads[1], found[3:])
        assert await get(provider, FILE) == pieces[1] + pieces[0] + pieces[2]

    @pytest.mark.needs("parts")
    async def test_a_part_that_is_sent_again_replaces(self, provider: Provider) -> None:
        """The last one counts."""
        pieces = pieces_for(provider)
        upload, parts = await sent(provider, FILE, [pieces[0][::-1], *pieces[1:]])
        parts[0] = await send(provider, FILE, upload, 1, pieces[0])
        await provider.finish_parts(FILE, upload, parts)
        assert await get(provider, FILE) == b"".join(pieces)

    @pytest.mark.needs("parts")
    @pytest.mark.parametrize("how", [*BODIES, "cancelled"])
    @pytest.mark.parametrize("again", [False, True], ids=["new", "again"])
    async def test_a_part_whose_body_fails(self, provider: Provider, how: str, again: bool) -> None:
        """It is as it was before: not there, or the one before."""
        pieces = pieces_for(provider)
        upload, parts = await sent(provider, FILE, pieces if again else pieces[:2])
        await self._fail(provider, upload, pieces[2], how)
        if not again:
            parts.append(await send(provider, FILE, upload, 3, pieces[2]))
        await provider.finish_parts(FILE, upload, parts)
        assert await get(provider, FILE) == b"".join(pieces)

    async def _fail(self, provider: Provider, upload: str, data: bytes, how: str) -> None:
        digest = hashlib.sha256(data).hexdigest()
        if how == "cancelled":
            slow = SlowStream(data, pause_after=len(data) // 2, chunk_size=len(data) // 10)
            task = asyncio.create_task(provider.put_part(FILE, upload, 3, slow, sha256=digest))
            await slow.paused.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await slow.aclose()
            return
        make, error = BODIES[how]
        async with make(data) as body:
            with pytest.raises(error):
                await provider.put_part(FILE, upload, 3, body, sha256=digest)

    @pytest.mark.needs("parts")
    async def test_what_is_aborted_is_gone(self, provider: Provider) -> None:
        """Nothing is left, and it can be aborted again."""
        await put(provider, FILE, b"old")
        before = await tree(provider)
        pieces = pieces_for(provider)
        upload, parts = await sent(provider, FILE, pieces)
        for _ in range(2):
            await provider.abort_parts(FILE, upload)
        with pytest.raises(NotFound):
            await provider.finish_parts(FILE, upload, parts)
        with pytest.raises(NotFound):
            await send(provider, FILE, upload, 1, pieces[0])
        assert await tree(provider) == before

    @pytest.mark.needs("parts")
    async def test_what_was_begun_is_written_down_first(self, provider: Provider) -> None:
        """Whoever begins it knows what it is called, and can still refuse it."""
        names: list[str] = []

        async def note(name: str) -> None:
            names.append(name)
            if len(names) > 1:
                raise QuotaExceeded("There are too many.")

        upload = await provider.begin_parts(FILE, size=1, noted=note)
        assert names == [upload]
        with pytest.raises(QuotaExceeded):
            await provider.begin_parts(FILE, size=1, noted=note)
        with pytest.raises(NotFound):
            await send(provider, FILE, names[1], 1, b"x")
        part = await send(provider, FILE, upload, 1, b"x")
        await provider.finish_parts(FILE, upload, [part])
        assert await get(provider, FILE) == b"x"

    @pytest.mark.needs("parts")
    async def test_a_taken_name(self, provider: Provider) -> None:
        """``CREATE`` refuses it and changes nothing; the parts are still there to replace it."""
        pieces = pieces_for(provider)
        upload, parts = await sent(provider, FILE, pieces)
        await put(provider, FILE, b"old")
        before = await tree(provider)
        with pytest.raises(AlreadyExists):
            await provider.finish_parts(FILE, upload, parts, mode=WriteMode.CREATE)
        assert await tree(provider) == before
        await provider.finish_parts(FILE, upload, parts, mode=WriteMode.REPLACE)
        assert await get(provider, FILE) == b"".join(pieces)
        assert await listing(provider) == [str(FILE)]

    @pytest.mark.needs("parts")
    async def test_an_unfinished_file_is_not_another_one(self, provider: Provider) -> None:
        """What was begun in one place cannot be finished in another."""
        upload, parts = await sent(provider, FILE, [b"x"])
        elsewhere = Path.parse("/elsewhere.txt")
        with pytest.raises(NotFound):
            await provider.finish_parts(elsewhere, upload, parts)
        assert await listing(provider) == []
        await provider.abort_parts(FILE, upload)

    @pytest.mark.lacks("parts")
    async def test_parts_that_are_not_declared(self, provider: Provider) -> None:
        """They are refused."""
        with pytest.raises(Unsupported):
            await provider.begin_parts(FILE, size=1)
        with pytest.raises(Unsupported):
            await send(provider, FILE, "x", 1, b"x")
        with pytest.raises(Unsupported):
            await provider.finish_parts(FILE, "x", [SentPart(1, 1, "x")])
        with pytest.raises(Unsupported):
            await provider.abort_parts(FILE, "x")
