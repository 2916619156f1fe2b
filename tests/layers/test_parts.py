"""Files in parts, through every layer."""

from dataclasses import replace

import pytest

from tests.layers.test_others import Notes
from waterbutler.core import ByteStream, PartLimits, Path, SentPart
from waterbutler.core.errors import (
    BadPath,
    InvalidRequest,
    LengthRequired,
    ProviderFault,
    TooLarge,
    Unsupported,
)
from waterbutler.layers import Checked, Limited, Observed, ReadOnly, stack
from waterbutler.layers.base import Layer
from waterbutler.testing.conformance.base import get
from waterbutler.testing.conformance.parts import send, sent
from waterbutler.testing.memory import MemoryProvider

FILE = Path.parse("/a.txt")


class Storage(MemoryProvider):
    capabilities = replace(
        MemoryProvider.capabilities,
        parts=PartLimits(min_size=3, max_size=10, max_count=2),
        max_file_size=15,
    )


@pytest.mark.parametrize(
    "wrap",
    [
        Layer,
        Checked,
        lambda inner: Limited(inner, 1),
        lambda inner: Observed(inner, Notes()),
        lambda inner: stack(inner, observer=Notes()),
    ],
)
async def test_every_layer_passes_parts_on(wrap):
    provider = wrap(Storage())
    upload, parts = await sent(provider, FILE, [b"one", b"2"])
    assert (await provider.finish_parts(FILE, upload, parts)).size == 4
    assert await get(provider, FILE) == b"one2"
    upload, _ = await sent(provider, FILE, [b"other"])
    await provider.abort_parts(FILE, upload)
    assert provider.unwrapped._uploads == {}


async def test_parts_are_counted():
    notes = Notes()
    provider = Observed(Storage(), notes)
    upload, parts = await sent(provider, FILE, [b"one"])
    await provider.finish_parts(FILE, upload, parts)
    names = [name for _, name, outcome in notes.operations if outcome == "ok"]
    assert names == ["begin_parts", "put_part", "finish_parts"]
    assert notes.bytes == [("written", 3)]


async def test_a_storage_for_reading_takes_none():
    provider = ReadOnly(Storage())
    assert provider.capabilities.parts is None
    for attempt in (
        provider.begin_parts(FILE, size=1),
        send(provider, FILE, "x", 1, b"x"),
        provider.finish_parts(FILE, "x", []),
        provider.abort_parts(FILE, "x"),
    ):
        with pytest.raises(Unsupported):
            await attempt


async def test_what_is_not_declared_is_not_asked_for():
    storage = Storage()
    upload, parts = await sent(storage, FILE, [b"x"])
    storage.capabilities = replace(storage.capabilities, parts=None)
    provider = Checked(storage)
    for attempt in (
        provider.begin_parts(FILE, size=1),
        send(provider, FILE, upload, 1, b"x"),
        provider.finish_parts(FILE, upload, parts),
        provider.abort_parts(FILE, upload),
    ):
        with pytest.raises(Unsupported):
            await attempt


async def test_arguments_are_checked():
    provider = Checked(Storage())
    with pytest.raises(TooLarge):
        await provider.begin_parts(FILE, size=16)
    with pytest.raises(BadPath):
        await provider.begin_parts(Path.parse("/f/"), size=1)
    upload = await provider.begin_parts(FILE, size=15)
    body = ByteStream.of(b"x")
    body.size = None
    with pytest.raises(LengthRequired):
        await provider.put_part(FILE, upload, 1, body, sha256="")
    with pytest.raises(InvalidRequest):
        await provider.finish_parts(FILE, upload, [SentPart(1, 2, ""), SentPart(2, 1, "")])


async def test_a_storage_that_lies_is_found_out():
    class Liar(Storage):
        async def put_part(self, path, upload, number, body, *, sha256):
            await anext(body)
            return SentPart(number, body.size, sha256)

    provider = Checked(Liar())
    upload = await provider.begin_parts(FILE, size=6)
    body = ByteStream.of(b"123456", chunk_size=3)
    with pytest.raises(ProviderFault):
        await provider.put_part(FILE, upload, 1, body, sha256="")


@pytest.mark.parametrize(
    ("sizes", "equal", "fits"),
    [
        ([], False, False),
        ([0], False, False),
        ([1], False, True),
        ([10], False, True),
        ([11], False, False),
        ([3, 1], False, True),
        ([2, 3], False, False),
        ([3, 0], False, False),
        ([10, 11], False, False),
        ([4, 5, 1], False, True),
        ([4, 5, 6, 1], False, False),
        ([4, 5, 1], True, False),
        ([4, 4, 1], True, True),
        ([4, 4, 4], True, True),
        ([4, 4, 5], True, False),
        ([1], True, True),
    ],
)
def test_the_sizes_of_parts(sizes, equal, fits):
    assert PartLimits(3, 10, 3, equal).fit(sizes) is fits
