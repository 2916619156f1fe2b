"""Streams: an honest length, sinks, closing and replaying."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waterbutler.core import ByteStream
from waterbutler.core.errors import Corrupted, Interrupted
from waterbutler.testing.faults import FailingStream, LongStream, ShortStream


class Recorder:
    def __init__(self, error=None):
        self.chunks = []
        self.error = error

    async def feed(self, chunk):
        if self.error:
            raise self.error
        self.chunks.append(chunk)


class Source:
    """An iterator whose closing can be seen."""

    def __init__(self, *chunks, error=None):
        self.chunks = list(chunks)
        self.closed = 0
        self.error = error

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.chunks:
            raise StopAsyncIteration
        return self.chunks.pop(0)

    async def aclose(self):
        self.closed += 1
        if self.error:
            raise self.error


async def test_all_bytes_come():
    """The chunks make the data, and the size is known beforehand."""
    stream = ByteStream.of(b"0123456789", chunk_size=4)
    assert (stream.size, stream.sent, stream.started) == (10, 0, False)
    assert [chunk async for chunk in stream] == [b"0123", b"4567", b"89"]
    assert (stream.sent, stream.started) == (10, True)


async def test_empty():
    """A stream of nothing ends at once."""
    assert [chunk async for chunk in ByteStream.of(b"")] == []


async def test_chunks_are_never_empty():
    """Empty chunks of the source are left out."""
    stream = ByteStream(Source(b"", b"a", b"", b"", b"b", b""), size=2)
    assert [chunk async for chunk in stream] == [b"a", b"b"]


@pytest.mark.parametrize("missing", [1, 100])
@pytest.mark.parametrize("data", [b"", b"abc"])
async def test_too_short(data, missing):
    """The end is an error when bytes are missing."""
    sink = Recorder()
    with pytest.raises(Corrupted):
        await ShortStream(data, missing=missing).tee(sink).read(100)
    assert b"".join(sink.chunks) == data


@pytest.mark.parametrize("data", [b"", b"abc"])
async def test_too_long(data):
    """What goes on after the promised size is never handed out."""
    sink = Recorder()
    with pytest.raises(Corrupted):
        await LongStream(data, extra=2).tee(sink).read(100)
    assert b"".join(sink.chunks) == data


async def test_too_long_within_a_chunk():
    """A chunk that reaches over the end is not handed out at all."""
    stream = ByteStream(Source(b"ab", b"cd"), size=3)
    assert await anext(stream) == b"ab"
    with pytest.raises(Corrupted):
        await anext(stream)


async def test_unknown_size():
    """Without a promise, the end is the end."""
    stream = ByteStream(Source(b"ab", b"c"))
    assert await stream.read(10) == b"abc"
    assert (stream.size, stream.sent) == (None, 3)


async def test_errors_of_the_source_come_through():
    """The stream does not change what the source raises."""
    with pytest.raises(Interrupted):
        await FailingStream(b"abcdef", after=3).read(10)


async def test_tee():
    """Each sink sees each chunk before it is handed out."""
    one, two = Recorder(), Recorder()
    stream = ByteStream.of(b"abcd", chunk_size=3).tee(one)
    assert stream.tee(two) is stream
    assert await anext(stream) == b"abc"
    assert one.chunks == two.chunks == [b"abc"]
    await stream.read(10)
    assert one.chunks == two.chunks == [b"abc", b"d"]


async def test_a_sink_may_refuse():
    """An error of a sink ends the reading."""
    stream = ByteStream.of(b"abc").tee(Recorder(Corrupted("no")))
    with pytest.raises(Corrupted):
        await stream.read(10)


async def test_sinks_do_not_see_excess():
    """What is refused is not shown to anybody."""
    sink = Recorder()
    with pytest.raises(Corrupted):
        await ByteStream(Source(b"abc"), size=2).tee(sink).read(10)
    assert sink.chunks == []


@pytest.mark.parametrize("limit", [3, 4])
async def test_read_within_the_limit(limit):
    """As many bytes as the limit are allowed."""
    assert await ByteStream.of(b"abc").read(limit) == b"abc"


async def test_read_over_the_limit():
    """One byte more is refused, and not everything is taken into memory for that."""
    source = Source(*[b"x" * 10] * 100)
    with pytest.raises(Corrupted):
        await ByteStream(source).read(25)
    assert len(source.chunks) == 97


async def test_closing():
    """Closing lets go of the source, then calls back; once."""
    events = []

    async def close():
        events.append(("close", source.closed))

    source = Source(b"abc")
    stream = ByteStream(source, close=close)
    async with stream:
        await anext(stream)
    await stream.aclose()
    assert source.closed == 1
    assert events == [("close", 1)]


async def test_a_closed_stream_is_over():
    """Reading after closing is a mistake in the program."""
    stream = ByteStream.of(b"abc")
    await stream.aclose()
    with pytest.raises(RuntimeError):
        await anext(stream)


async def test_the_callback_is_called_whatever_happens():
    """An error of the source's closing does not keep anything open."""
    events = []

    async def close():
        events.append("close")

    stream = ByteStream(Source(error=OSError("no")), close=close)
    with pytest.raises(OSError, match="no"):
        await stream.aclose()
    assert events == ["close"]


async def test_sources_without_closing():
    """A source need not be closable."""

    class Plain:
        def __aiter__(self):
            return self

        async def __anext__(self):
            raise StopAsyncIteration

    await ByteStream(Plain()).aclose()


async def test_closing_ends_a_generator():
    """What the source holds is given back when the stream is closed early."""
    events = []

    async def chunks():
        try:
            yield b"a"
            yield b"b"
        finally:
            events.append("released")

    async with ByteStream(chunks()) as stream:
        await anext(stream)
    assert events == ["released"]


async def test_replay():
    """A stream from memory can be made again, as often as needed, from the start."""
    stream = ByteStream.of(b"abc", chunk_size=2)
    await anext(stream)
    for _ in range(2):
        stream = stream.replay()
        assert [chunk async for chunk in stream] == [b"ab", b"c"]


async def test_no_replay():
    """A source that cannot be opened again has no replay."""
    assert ByteStream(Source()).replay is None


async def test_streams_of_streams():
    """A stream can be the source of another one, and is closed with it."""
    inner = ByteStream.of(b"abc")
    outer = ByteStream(inner, size=3)
    assert await outer.read(3) == b"abc"
    await outer.aclose()
    with pytest.raises(RuntimeError):
        await anext(inner)


@given(st.lists(st.binary(max_size=20)), st.integers(min_value=0, max_value=60))
def test_the_size_is_kept_or_an_error(chunks, size):
    """Whoever sees the end has exactly the promised bytes."""

    data = b"".join(chunks)

    async def run():
        return await ByteStream(Source(*chunks), size=size).read(10_000)

    if len(data) == size:
        assert asyncio.run(run()) == data
    else:
        with pytest.raises(Corrupted):
            asyncio.run(run())
