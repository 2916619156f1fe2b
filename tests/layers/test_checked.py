"""No storage is asked for what it does not declare, and none may lie."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from waterbutler.core import ByteRange, ByteStream, Capabilities, Content, Entry, Path, WriteMode
from waterbutler.core.errors import (
    BadPath,
    Corrupted,
    InvalidRequest,
    IsAFolder,
    LengthRequired,
    ProviderFault,
    RangeNotSatisfiable,
    SamePlace,
    TooLarge,
    Unsupported,
)
from waterbutler.layers import Checked
from waterbutler.testing.faults import FlakyProvider
from waterbutler.testing.memory import MemoryProvider

FILE = Path.parse("/a.txt")
FOLDER = Path.parse("/f/")
DATA = b"0123456789" * 1000


@pytest.fixture
def memory(io_loop):
    memory = MemoryProvider()
    io_loop.run_sync(lambda: memory.write(FILE, ByteStream.of(DATA)))
    io_loop.run_sync(lambda: memory.make_folder(FOLDER))
    return memory


def declaring(memory, **changes):
    """The storage with other capabilities, in a layer of its own that counts calls."""
    memory.capabilities = replace(memory.capabilities, **changes)
    flaky = FlakyProvider(memory)
    return Checked(flaky), flaky


CALLS = {
    "write": lambda p: p.write(FILE, ByteStream.of(b"x")),
    "delete": lambda p: p.delete(FILE),
    "make_folder": lambda p: p.make_folder(Path.parse("/g/")),
    "copy_from": lambda p: p.copy_from(p, FILE, Path.parse("/b")),
    "move_from": lambda p: p.move_from(p, FILE, Path.parse("/b")),
    "sign": lambda p: p.sign(FILE),
    "free_space": lambda p: p.free_space(),
    "stat": lambda p: p.stat(FILE, version="1"),
    "read": lambda p: p.read(FILE, version="1"),
}


@pytest.mark.parametrize("operation", CALLS)
async def test_what_is_not_declared_is_not_asked(memory, operation):
    """The storage does not even hear of it."""
    memory.capabilities = Capabilities()
    flaky = FlakyProvider(memory)
    with pytest.raises(Unsupported):
        await CALLS[operation](Checked(flaky))
    assert flaky.calls[operation] == 0


async def test_versions_that_are_not_declared(memory):
    """The same, where the answer is a list."""
    provider, flaky = declaring(memory, versions=False)
    with pytest.raises(Unsupported):
        provider.versions(FILE)
    with pytest.raises(Unsupported):
        await provider.read(FILE, version="1")
    assert not flaky.calls


BAD_CALLS = {
    "reading a folder": (IsAFolder, lambda p: p.read(FOLDER)),
    "writing a folder": (BadPath, lambda p: p.write(FOLDER, ByteStream.of(b"x"))),
    "making a folder of a file": (BadPath, lambda p: p.make_folder(FILE)),
    "making the root": (BadPath, lambda p: p.make_folder(Path())),
    "moving the root": (InvalidRequest, lambda p: p.move_from(p, Path(), FOLDER)),
    "a file to a folder": (BadPath, lambda p: p.copy_from(p, FILE, FOLDER)),
    "a folder to a file": (BadPath, lambda p: p.copy_from(p, FOLDER, FILE)),
    "over the root": (BadPath, lambda p: p.copy_from(p, FOLDER, Path())),
    "onto itself": (SamePlace, lambda p: p.copy_from(p, FILE, FILE)),
    "into itself": (SamePlace, lambda p: p.move_from(p, FOLDER, Path.parse("/f/g/"))),
    "over the folder around it": (
        SamePlace,
        lambda p: p.move_from(p, Path.parse("/f/g/"), FOLDER, mode=WriteMode.REPLACE),
    ),
}


@pytest.mark.parametrize(("error", "call"), BAD_CALLS.values(), ids=BAD_CALLS)
async def test_arguments_that_make_no_sense(memory, error, call):
    """Never reach the storage."""
    provider, flaky = declaring(memory)
    with pytest.raises(error):
        await call(provider)
    assert not flaky.calls


@pytest.mark.parametrize("operation", ["copy_from", "move_from"])
async def test_folders_are_replaced_where_that_is_declared(memory, operation):
    """Others do not hear of it."""
    target = await memory.make_folder(Path.parse("/g/"))
    provider, flaky = declaring(memory, replaces_folders=False)
    with pytest.raises(Unsupported):
        await getattr(provider, operation)(provider, FOLDER, target.path, mode=WriteMode.REPLACE)
    assert not flaky.calls
    provider, flaky = declaring(memory, replaces_folders=True)
    await getattr(provider, operation)(provider, FOLDER, target.path, mode=WriteMode.REPLACE)
    assert flaky.calls[operation] == 1


@pytest.mark.parametrize("kept", [True, False])
async def test_times_are_given_to_those_who_keep_them(memory, kept):
    """Others do not hear of them; nobody refuses a file for its time."""
    provider, flaky = declaring(memory, keeps_modified=kept)
    heard = []

    async def write(path, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None):
        heard.append(modified)
        return await memory.write(path, body, mode=mode)

    async def finish_parts(path, upload, parts, *, mode=WriteMode.REPLACE, modified=None):
        heard.append(modified)
        return await memory.finish_parts(path, upload, parts, mode=mode)

    flaky.write, flaky.finish_parts = write, finish_parts
    moment = datetime(2001, 9, 9, tzinfo=UTC)
    await provider.write(FILE, ByteStream.of(b"x"), modified=moment)
    upload = await provider.begin_parts(FILE, size=1)
    part = await provider.put_part(FILE, upload, 1, ByteStream.of(b"x"), sha256="")
    await provider.finish_parts(FILE, upload, [part], modified=moment)
    assert heard == [moment if kept else None] * 2


async def test_an_upload_that_nobody_is_told_of(memory):
    """It is thrown away: who began it could not go on with it after a crash."""
    provider, flaky = declaring(memory)
    begin = flaky.begin_parts

    async def silent(at, *, size, noted=None):
        return await begin(at, size=size)

    flaky.begin_parts = silent
    with pytest.raises(ProviderFault, match="calls an upload"):
        await provider.begin_parts(FILE, size=1)
    assert flaky.calls["abort_parts"] == 1


async def test_sizes(memory):
    """A file that is too large, and one whose size is not known where it must be."""
    provider, flaky = declaring(memory, max_file_size=5, unknown_size=False)
    with pytest.raises(TooLarge):
        await provider.write(FILE, ByteStream.of(b"123456"))
    body = ByteStream.of(b"123")
    body.size = None
    with pytest.raises(LengthRequired):
        await provider.write(FILE, body)
    assert not flaky.calls
    assert (await provider.write(FILE, ByteStream.of(b"12345"))).size == 5


async def test_the_largest_file_of_unknown_size(memory):
    """It is stopped when it gets too large, and nothing of it stays."""
    provider, _ = declaring(memory, max_file_size=5)
    body = ByteStream.of(b"123456", chunk_size=1)
    body.size = None
    with pytest.raises(TooLarge):
        await provider.write(FILE, body)
    assert (await memory.stat(FILE)).size == len(DATA)
    body = ByteStream.of(b"12345", chunk_size=1)
    body.size = None
    assert (await provider.write(FILE, body)).size == 5


# -- storages that lie -----------------------------------------------------------------------------


async def test_a_storage_that_does_not_take_all(memory):
    """And says that it stored it."""
    provider, flaky = declaring(memory)

    async def write(path, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None):
        await anext(body)
        return Entry(path=path)

    flaky.write = write
    with pytest.raises(ProviderFault):
        await provider.write(FILE, ByteStream.of(b"123", chunk_size=1))


@pytest.mark.parametrize("size", [0, 2, 4])
@pytest.mark.parametrize("known", [True, False])
async def test_a_storage_that_says_another_size(memory, size, known):
    """Than what it took."""
    provider, flaky = declaring(memory)

    async def write(path, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None):
        async for _ in body:
            pass
        return Entry(path=path, size=size)

    flaky.write = write
    body = ByteStream.of(b"123")
    if not known:
        body.size = None
    with pytest.raises(ProviderFault):
        await provider.write(FILE, body)


async def test_a_storage_that_does_not_know_the_size(memory):
    """Is believed."""
    provider, flaky = declaring(memory)

    async def write(path, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None):
        async for _ in body:
            pass
        return Entry(path=path)

    flaky.write = write
    assert (await provider.write(FILE, ByteStream.of(b"123"))).size is None


def answering(flaky, data, **changes):
    """Reads give ``data`` whatever was asked, with another description."""
    read = flaky.inner.read

    async def lying(path, *, range=None, version=None):
        content = await read(path, range=range, version=version)
        body = ByteStream.of(data)
        body.size = changes.get("size")
        return Content(body, content.entry, content.span)

    flaky.read = lying


@pytest.mark.parametrize("data", [DATA[:50], DATA[:150], b""])
async def test_a_part_that_has_another_length(memory, data):
    """Is found out, also where the storage does not say how long it is."""
    provider, flaky = declaring(memory)
    answering(flaky, data)
    content = await provider.read(FILE, range=ByteRange(0, 99))
    assert content.body.size == 100
    with pytest.raises(Corrupted):
        await content.body.read(1 << 20)


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"x", b""])
async def test_a_file_that_has_another_length(memory, data):
    """Than its description says."""
    provider, flaky = declaring(memory)
    answering(flaky, data)
    content = await provider.read(FILE)
    assert content.body.size == len(DATA)
    with pytest.raises(Corrupted):
        await content.body.read(1 << 20)


# -- storages that cannot read parts ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (ByteRange(0, 0), DATA[:1]),
        (ByteRange(0, 99), DATA[:100]),
        (ByteRange(4321, 8765), DATA[4321:8766]),
        (ByteRange(9999), DATA[9999:]),
        (ByteRange(suffix=3), DATA[-3:]),
        (ByteRange(0), DATA),
        (ByteRange(500, 99999), DATA[500:]),
    ],
)
@pytest.mark.parametrize("chunk", [1, 7, 100, 1 << 16])
async def test_a_part_is_cut_out(memory, asked, wanted, chunk):
    """Whatever pieces the storage gives."""
    provider, flaky = declaring(memory, ranged_read=False)
    read = memory.read

    async def whole(path, *, range=None, version=None):
        assert range is None
        content = await read(path, version=version)
        return Content(ByteStream.of(DATA, chunk_size=chunk), content.entry)

    flaky.read = whole
    content = await provider.read(FILE, range=asked)
    assert content.body.size == content.span.length == len(wanted)
    assert await content.body.read(1 << 20) == wanted
    await content.body.aclose()


async def test_a_part_that_is_not_there(memory):
    """The file that was opened is closed."""
    provider, flaky = declaring(memory, ranged_read=False)
    closed = []

    async def close():
        closed.append(True)

    async def whole(path, *, range=None, version=None):
        body = ByteStream(ByteStream.of(DATA), size=len(DATA), close=close)
        return Content(body, Entry(path=path, size=len(DATA)))

    flaky.read = whole
    with pytest.raises(RangeNotSatisfiable):
        await provider.read(FILE, range=ByteRange(len(DATA)))
    assert closed


async def test_the_rest_of_a_file_is_not_read(memory):
    """Once the part is there; and the file is closed."""
    provider, flaky = declaring(memory, ranged_read=False)
    given, closed = [], []

    async def close():
        closed.append(True)

    async def chunks():
        for number in range(100):
            given.append(number)
            yield b"x" * 10

    async def whole(path, *, range=None, version=None):
        return Content(ByteStream(chunks(), size=1000, close=close), Entry(path=path, size=1000))

    flaky.read = whole
    content = await provider.read(FILE, range=ByteRange(5, 24))
    async with content.body:
        assert len(await content.body.read(100)) == 20
    assert len(given) == 3
    assert closed


async def test_a_cut_source_is_not_taken_for_the_part(memory):
    """The file ends in the middle of it."""
    provider, flaky = declaring(memory, ranged_read=False)
    flaky.fail("read", Corrupted("It ended."), after=50)
    content = await provider.read(FILE, range=ByteRange(0, 99))
    with pytest.raises(Corrupted):
        await content.body.read(1000)


async def test_a_part_of_a_file_of_unknown_size(memory):
    """Cannot be said: the whole file is given."""
    provider, flaky = declaring(memory, ranged_read=False)

    async def whole(path, *, range=None, version=None):
        body = ByteStream.of(DATA)
        body.size = None
        return Content(body, Entry(path=path))

    flaky.read = whole
    content = await provider.read(FILE, range=ByteRange(0, 99))
    assert content.span is None
    assert await content.body.read(1 << 20) == DATA
