"""The tools that make things go wrong do so exactly as they say."""

import asyncio

import pytest

from waterbutler.core import ROOT, ByteRange, ByteStream, Path
from waterbutler.core.errors import (
    Corrupted,
    Interrupted,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
)
from waterbutler.testing.faults import (
    FailingStream,
    FlakyProvider,
    LongStream,
    ShortStream,
    SlowStream,
)
from waterbutler.testing.memory import MemoryProvider

FILE = Path.parse("/file")
DOWN = ProviderUnavailable("down")


@pytest.fixture
def memory(io_loop):
    provider = MemoryProvider()
    io_loop.run_sync(lambda: provider.write(FILE, ByteStream.of(b"0123456789")))
    return provider


@pytest.fixture
def flaky(memory):
    return FlakyProvider(memory)


async def consumed(stream):
    """What comes before the error, and the error."""
    seen = b""
    try:
        async for chunk in stream:
            seen += chunk
    except Exception as error:
        return seen, type(error)
    return seen, None


@pytest.mark.parametrize(
    ("stream", "size", "seen", "error"),
    [
        (lambda: ShortStream(b"abc", missing=2), 5, b"abc", Corrupted),
        (lambda: LongStream(b"abc", extra=2), 3, b"abc", Corrupted),
        (lambda: FailingStream(b"abc", after=0), 3, b"", Interrupted),
        (lambda: FailingStream(b"abc", after=2, chunk_size=1), 3, b"ab", Interrupted),
        (lambda: FailingStream(b"abc", after=3), 3, b"abc", Interrupted),
        (lambda: FailingStream(b"abc", after=1, known_size=False), None, b"a", Interrupted),
        (lambda: FailingStream(b"abc", after=1, error=OSError()), 3, b"a", OSError),
        (lambda: SlowStream(b"abc", chunk_size=1), 3, b"abc", None),
        (lambda: SlowStream(b"abc", known_size=False), None, b"abc", None),
    ],
)
async def test_streams(stream, size, seen, error):
    """Each promises a size, gives some bytes, and ends as it should."""
    body = stream()
    assert body.size == size
    assert await consumed(body) == (seen, error)


@pytest.mark.parametrize(("after", "before"), [(0, 0), (1, 2), (2, 2), (3, 4), (4, 4), (99, 4)])
async def test_a_slow_stream_pauses(after, before):
    """It waits once, after at least so many bytes, and goes on when told to."""
    body = SlowStream(b"abcd", pause_after=after, chunk_size=2)
    task = asyncio.create_task(consumed(body))
    await body.paused.wait()
    assert body.sent == before
    body.resume()
    assert await task == (b"abcd", None)


async def test_a_chosen_call_fails(flaky):
    """Calls before and after it work, and all are counted."""
    flaky.fail("stat", DOWN, at=2, times=2)
    await flaky.stat(FILE)
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            await flaky.stat(FILE)
    assert (await flaky.stat(FILE)).size == 10
    assert flaky.calls == {"stat": 4}


async def test_failures_can_be_combined(flaky):
    """Each operation has failures of its own, and may have several."""
    flaky.fail("stat", DOWN).fail("stat", RateLimited("slow"), at=2).fail("read", DOWN)
    with pytest.raises(ProviderUnavailable):
        await flaky.stat(FILE)
    with pytest.raises(RateLimited):
        await flaky.stat(FILE)
    with pytest.raises(ProviderUnavailable):
        await flaky.read(FILE)
    await flaky.stat(FILE)
    await flaky.read(FILE)


@pytest.mark.parametrize("after", [0, 1, 4, 10, 50])
async def test_a_read_breaks_in_the_middle(flaky, after):
    """The body gives so many bytes and then fails."""
    flaky.fail("read", ProviderTimeout("slow"), after=after)
    content = await flaky.read(FILE)
    async with content.body as body:
        assert await consumed(body) == (b"0123456789"[:after], ProviderTimeout)


async def test_ranges_come_through(flaky):
    """What does not fail is the inner provider's answer."""
    content = await flaky.read(FILE, range=ByteRange(2, 4))
    async with content.body as body:
        assert await body.read(10) == b"234"


async def test_closing_a_broken_read_closes_the_real_one(memory):
    """The duty to close is passed on."""
    closed = []

    class Watched(MemoryProvider):
        async def read(self, path, *, range=None, version=None):
            content = await memory.read(path)

            async def close():
                closed.append(path)

            content.body._close = close
            return content

    content = await FlakyProvider(Watched()).fail("read", DOWN, after=3).read(FILE)
    await content.body.aclose()
    assert closed == [FILE]


async def test_a_write_breaks_in_the_middle(flaky, memory):
    """The inner provider sees a body that fails, and the body is not closed."""
    flaky.fail("write", DOWN, after=3)
    async with ByteStream.of(b"new content", chunk_size=2) as body:
        with pytest.raises(ProviderUnavailable):
            await flaky.write(FILE, body)
        assert body.sent == 4
        await anext(body)
    assert (await memory.stat(FILE)).size == 10


async def test_a_list_breaks_in_the_middle(flaky, memory):
    """So many entries come before the failure."""
    for name in "abc":
        await memory.write(ROOT.child(name), ByteStream.of(b""))
    flaky.fail("list", DOWN, after=2)
    listed = flaky.list(ROOT)
    assert {(await anext(listed)).name, (await anext(listed)).name} < {"a", "b", "c", "file"}
    with pytest.raises(ProviderUnavailable):
        await anext(listed)
    assert len([entry async for entry in flaky.list(ROOT)]) == 4


@pytest.mark.parametrize(("after", "gone"), [(None, False), (1, True)])
async def test_an_answer_may_get_lost(flaky, memory, after, gone):
    """A failure afterwards hides that the work was done."""
    flaky.fail("delete", DOWN, after=after)
    with pytest.raises(ProviderUnavailable):
        await flaky.delete(FILE)
    assert ([entry async for entry in memory.list(ROOT)] == []) is gone


async def test_it_is_a_wrapper(flaky, memory):
    """It shows what the inner provider is, unless it is opaque."""
    assert flaky.info is memory.info
    assert flaky.capabilities == memory.capabilities
    assert flaky.unwrapped is memory
    opaque = FlakyProvider(memory, opaque=True)
    assert opaque.unwrapped is opaque
    await flaky.copy_from(flaky, FILE, ROOT.child("copy"))
    await flaky.move_from(flaky, ROOT.child("copy"), ROOT.child("moved"))
    assert [version.size async for version in flaky.versions(ROOT.child("moved"))] == [10]
