"""Limits, observation, storages for reading, and the stack of all layers."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from waterbutler.core import ByteRange, ByteStream, Conflict, Path, Provider, WriteMode
from waterbutler.core.errors import NotFound, ProviderUnavailable, Unsupported
from waterbutler.engine.transfer import move
from waterbutler.layers import Checked, Limited, Observed, ReadOnly, Retrying, stack
from waterbutler.layers.base import Layer
from waterbutler.testing.conformance.parts import sent
from waterbutler.testing.faults import FlakyProvider, SlowStream
from waterbutler.testing.memory import MemoryProvider

FILE = Path.parse("/a.txt")
FOLDER = Path.parse("/f/")


class Notes:
    """An observer that remembers."""

    def __init__(self):
        self.operations = []
        self.bytes = []

    def operation(self, storage, operation, seconds, outcome):
        assert seconds >= 0
        self.operations.append((storage.name, operation, outcome))

    def transferred(self, storage, direction, count):
        self.bytes.append((direction, count))


@pytest.fixture
def memory(io_loop):
    memory = MemoryProvider()
    io_loop.run_sync(lambda: memory.write(FILE, ByteStream.of(b"hello")))
    return memory


@pytest.fixture
def notes():
    return Notes()


WRAPS = [
    Layer,
    FlakyProvider,
    Checked,
    lambda inner: Limited(inner, 1),
    lambda inner: Observed(inner, Notes()),
    lambda inner: stack(inner, observer=Notes()),
]


# -- every layer -----------------------------------------------------------------------------------


def public(kind):
    return {name for name in vars(kind) if not name.startswith("_")} - {"info", "capabilities"}


def test_a_layer_forwards_everything():
    """Nothing of the contract is forgotten."""
    assert public(Provider) <= public(Layer)


@pytest.mark.parametrize(
    "wrap",
    [
        Layer,
        Checked,
        ReadOnly,
        lambda inner: Limited(inner, 1),
        lambda inner: Observed(inner, Notes()),
        lambda inner: stack(inner, observer=Notes()),
    ],
)
async def test_every_layer_reaches_the_storage(memory, wrap):
    """For everything that reads, and says whose layer it is."""
    provider = wrap(memory)
    assert provider.unwrapped is memory
    assert provider.info == memory.info
    assert (await provider.stat(FILE)).size == 5
    assert [entry.path async for entry in provider.list(Path())] == [FILE]
    assert len([version async for version in provider.versions(FILE)]) == 1
    content = await provider.read(FILE, range=ByteRange(1, 3))
    async with content.body:
        assert await content.body.read(10) == b"ell"
    assert await provider.locate(FILE) == FILE
    assert provider.wire_path(FILE) == FILE
    await provider.check()
    assert await provider.sweep() == 0
    await provider.aclose()


@pytest.mark.parametrize("wrap", WRAPS)
async def test_every_layer_passes_times_on(memory, wrap):
    """To a storage that keeps them."""
    moment = datetime(2001, 9, 9, tzinfo=UTC)
    provider = wrap(memory)
    assert (await provider.write(FILE, ByteStream.of(b"x"), modified=moment)).modified == moment
    upload, parts = await sent(provider, FILE, [b"x"])
    later = moment + timedelta(days=1)
    assert (await provider.finish_parts(FILE, upload, parts, modified=later)).modified == later


async def test_the_stack_has_one_order(memory, notes):
    """Checks inside, repeating outside, and what may not be written is refused first."""
    provider = stack(memory, observer=notes, read_only=True)
    kinds = []
    while isinstance(provider, Layer):
        kinds.append(type(provider))
        provider = provider.inner
    assert kinds == [ReadOnly, Retrying, Observed, Limited, Checked]


# -- limits ----------------------------------------------------------------------------------------


class Busy(MemoryProvider):
    """Counts who is in it at the same time."""

    def __init__(self):
        super().__init__()
        self.now = 0
        self.most = 0

    async def stat(self, path, *, version=None):
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0.001)
            return await super().stat(path, version=version)
        finally:
            self.now -= 1


async def test_only_so_many_at_once():
    """The others wait, and all are served."""
    busy = Busy()
    provider = Limited(busy, 3)
    results = await asyncio.gather(
        *(provider.stat(Path.parse("/nothing")) for _ in range(20)), return_exceptions=True
    )
    assert busy.most == 3
    assert {type(result) for result in results} == {NotFound}


async def test_an_open_file_holds_no_turn(memory):
    """A slow reader keeps nobody from the storage."""
    provider = Limited(memory, 1)
    contents = [await provider.read(FILE) for _ in range(5)]
    assert (await provider.stat(FILE)).size == 5
    for content in contents:
        await content.body.aclose()


async def test_a_write_keeps_others_from_writing_only(memory):
    """Its client may be slow, and its body may ask the same storage."""
    provider = Limited(memory, 1)
    slow = SlowStream(b"x" * 100, pause_after=0)
    first = asyncio.create_task(provider.write(Path.parse("/slow"), slow))
    await slow.paused.wait()
    second = asyncio.create_task(provider.write(Path.parse("/second"), ByteStream.of(b"x")))
    assert (await provider.stat(FILE)).size == 5
    await asyncio.sleep(0.01)
    assert not second.done()
    slow.resume()
    await asyncio.gather(first, second)


async def test_a_body_may_ask_the_storage_that_it_is_written_to(memory):
    """With a single turn, too."""
    provider = Limited(memory, 1)

    async def chunks():
        yield b"x"
        await provider.stat(FILE)

    entry = await provider.write(Path.parse("/b"), ByteStream(chunks()))
    assert entry.size == 1


async def test_turns_come_back_after_errors_and_cancelling(memory):
    """Nothing is lost."""
    flaky = FlakyProvider(memory).fail("stat", ProviderUnavailable("Down."))
    provider = Limited(flaky, 1)
    with pytest.raises(ProviderUnavailable):
        await provider.stat(FILE)
    slow = SlowStream(b"x", pause_after=0)
    task = asyncio.create_task(provider.write(Path.parse("/b"), slow))
    await slow.paused.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await provider.stat(FILE)).size == 5
    assert (await provider.write(Path.parse("/b"), ByteStream.of(b"x"))).size == 1


# -- observation -----------------------------------------------------------------------------------


async def test_what_is_asked_is_told(memory, notes):
    """Each call once, with its outcome."""
    provider = Observed(memory, notes)
    await provider.stat(FILE)
    with pytest.raises(NotFound):
        await provider.stat(Path.parse("/nothing"))
    assert [entry async for entry in provider.list(Path())]
    await provider.make_folder(FOLDER)
    await provider.copy_from(provider, FILE, Path.parse("/b"))
    await provider.move_from(provider, Path.parse("/b"), Path.parse("/c"), mode=WriteMode.REPLACE)
    await provider.delete(Path.parse("/c"))
    with pytest.raises(Unsupported):
        await provider.sign(FILE)
    assert [note[1:] for note in notes.operations] == [
        ("stat", "ok"),
        ("stat", "NotFound"),
        ("list", "ok"),
        ("make_folder", "ok"),
        ("copy_from", "ok"),
        ("move_from", "ok"),
        ("delete", "ok"),
        ("sign", "Unsupported"),
    ]


async def test_an_unexpected_error_has_no_name(memory, notes):
    """Names would make new series without end."""
    flaky = FlakyProvider(memory).fail("stat", ZeroDivisionError("x"))
    with pytest.raises(ZeroDivisionError):
        await Observed(flaky, notes).stat(FILE)
    assert notes.operations == [("memory", "stat", "error")]


async def test_bytes_are_counted(memory, notes):
    """As many as were really read and written."""
    provider = Observed(memory, notes)
    await provider.write(Path.parse("/b"), ByteStream.of(b"12345678"))
    content = await provider.read(FILE)
    async with content.body:
        await content.body.read(10)
    content = await provider.read(FILE, range=ByteRange(0, 1))
    await content.body.aclose()
    assert notes.bytes == [("written", 8), ("read", 5), ("read", 0)]


async def test_a_listing_that_is_left_is_told_and_closed(memory, notes):
    """Leaving is no error."""
    await memory.make_folder(FOLDER)
    provider = Observed(memory, notes)
    entries = provider.list(Path())
    await anext(entries)
    await entries.aclose()
    assert notes.operations == [("memory", "list", "ok")]


# -- storages for reading --------------------------------------------------------------------------


async def test_a_storage_for_reading_declares_nothing_else(memory):
    """And refuses what it does not declare."""
    provider = ReadOnly(memory)
    can = provider.capabilities
    assert not any((can.write, can.make_folder, can.copy_from, can.move_from, can.free_space))
    assert can.versions
    assert can.hashes == memory.capabilities.hashes
    for call in (
        lambda: provider.write(FILE, ByteStream.of(b"x")),
        lambda: provider.delete(FILE),
        lambda: provider.make_folder(FOLDER),
        lambda: provider.copy_from(memory, FILE, Path.parse("/b")),
        lambda: provider.move_from(memory, FILE, Path.parse("/b")),
        provider.free_space,
    ):
        with pytest.raises(Unsupported):
            await call()
    assert [entry.path async for entry in memory.list(Path())] == [FILE]


async def test_nothing_is_moved_out_of_a_storage_for_reading(memory):
    """Not by another storage of the same kind, either."""
    dest = MemoryProvider()
    with pytest.raises(Unsupported):
        await move(ReadOnly(memory), FILE, dest, FILE, conflict=Conflict.WARN)
    assert (await memory.stat(FILE)).size == 5
