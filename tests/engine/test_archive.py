"""Folders as zip archives."""

import asyncio
import io
import random
import shutil
import struct
import subprocess
import zipfile
import zlib
from contextlib import aclosing
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from tests.engine.support import FLAT, TREE, below, fill, path
from waterbutler.core import ROOT, ByteStream, Capabilities, Content, Entry, Provider, StorageInfo
from waterbutler.core.errors import (
    BadPath,
    Corrupted,
    InvalidRequest,
    NotFound,
    ProviderUnavailable,
)
from waterbutler.engine import archive, members
from waterbutler.engine.archive import zip_file, zip_folder
from waterbutler.engine.members import is_compressed
from waterbutler.engine.zipnames import clean
from waterbutler.testing.faults import FlakyProvider
from waterbutler.testing.memory import MemoryProvider

NOISE = random.Random(5).randbytes(700_000)
TEXT = b"The same again and again. " * 40_000
MANY = {
    "/t/noise.bin": NOISE,
    "/t/noise.zip": NOISE,
    "/t/text.txt": TEXT,
    "/t/text.PNG": TEXT,
    "/t/small.txt": TEXT[:5000],
    "/t/small.bin": NOISE[:5000],
    "/t/tiny": b"x",
    "/t/nothing.txt": b"",
    "/t/f/\u00e4\u4e2d\U0001f600.txt": b"unicode",
    "/t/f/empty/": None,
    "/t/empty too/": None,
}


async def packed(provider, folder=ROOT, **options):
    async with zip_folder(provider, folder, **options) as stream:
        assert stream.size is None
        return b"".join([chunk async for chunk in stream])


async def opened(provider, folder=ROOT, **options):
    return zipfile.ZipFile(io.BytesIO(await packed(provider, folder, **options)))


def unpacked(file):
    assert file.testzip() is None
    return {
        f"/{info.filename}": None if info.is_dir() else file.read(info) for info in file.infolist()
    }


def expected(tree, top="/"):
    """Files, and folders with nothing in them."""
    inside = below({"/": None, **tree}, top) if top != "/" else tree
    return {
        name: data
        for name, data in inside.items()
        if data is not None or not any(other != name and other.startswith(name) for other in inside)
    }


@pytest.mark.parametrize("deflate", [True, False])
@pytest.mark.parametrize("tree", [TREE, MANY], ids=["tree", "many"])
async def test_everything_is_in_it(tree, deflate):
    """Files whole, empty folders as members of their own, names relative to the folder."""
    provider = await fill(MemoryProvider(), {"/other": b"o", **tree})
    file = await opened(provider, path("/t/"), deflate=deflate)
    assert unpacked(file) == expected(tree, "/t/")
    whole = await opened(provider)
    assert unpacked(whole) == expected({"/other": b"o", **tree})


@pytest.mark.parametrize("deflate", [True, False])
async def test_other_programs_read_it(deflate, tmp_path):
    """Info-ZIP finds no fault."""
    unzip = shutil.which("unzip")
    if unzip is None:
        pytest.skip("unzip is not installed")
    provider = await fill(MemoryProvider(), MANY)
    target = tmp_path / "a.zip"
    target.write_bytes(await packed(provider, deflate=deflate))
    tested = subprocess.run([unzip, "-tq", target], capture_output=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    subprocess.run([unzip, "-q", target, "-d", tmp_path / "out"], check=True)
    for name, data in expected(MANY).items():
        here = tmp_path / "out" / name.strip("/")
        assert here.is_dir() if data is None else here.read_bytes() == data


async def test_an_empty_folder_is_a_valid_archive():
    """With nothing in it."""
    assert unpacked(await opened(MemoryProvider())) == {}


async def test_what_is_compressed():
    """What gains from it, and was not compressed before."""
    file = await opened(await fill(MemoryProvider(), MANY), path("/t/"))
    methods = {info.filename: info.compress_type for info in file.infolist()}
    deflated = {name for name, method in methods.items() if method == zipfile.ZIP_DEFLATED}
    assert deflated == {"noise.bin", "text.txt", "small.txt"}
    assert file.getinfo("text.txt").compress_size < len(TEXT) / 100
    plain = await opened(await fill(MemoryProvider(), MANY), path("/t/"), deflate=False)
    assert {info.compress_type for info in plain.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize(
    ("name", "compressed"),
    [("a.zip", True), ("a.JPG", True), ("a.tar.gz", True), ("a.txt", False), ("zip", False)],
)
def test_extensions_that_tell_of_compression(name, compressed):
    """Whatever their case."""
    assert is_compressed(name) == compressed


async def test_small_files_need_no_descriptor():
    """Programs that read from front to back like that."""
    data = await packed(await fill(MemoryProvider(), {"/a": b"12345", "/b": TEXT[:9000]}))
    for info in zipfile.ZipFile(io.BytesIO(data)).infolist():
        assert not info.flag_bits & 8
        assert info.flag_bits & 0x800
        crc, size, unpacked_size = struct.unpack_from("<III", data, info.header_offset + 14)
        assert (crc, size, unpacked_size) == (info.CRC, info.compress_size, info.file_size)


class Timed(MemoryProvider):
    """Everything was changed at one time."""

    def __init__(self, when):
        super().__init__()
        self.when = when

    async def list(self, folder):
        async for entry in super().list(folder):
            yield msgspec.structs.replace(entry, modified=self.when)


CET = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("when", "dos", "extended"),
    [
        (datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), (2024, 5, 6, 7, 8, 8), True),
        (datetime(2024, 5, 6, 0, 30, 0, tzinfo=CET), (2024, 5, 5, 23, 30, 0), True),
        (datetime(1975, 1, 2, tzinfo=UTC), (1980, 1, 1, 0, 0, 0), True),
        (datetime(1850, 1, 2, tzinfo=UTC), (1980, 1, 1, 0, 0, 0), False),
        (datetime(2050, 1, 2, tzinfo=UTC), (2050, 1, 2, 0, 0, 0), False),
        (datetime(2200, 1, 2, tzinfo=UTC), (2107, 12, 31, 23, 59, 58), False),
        (None, (1980, 1, 1, 0, 0, 0), False),
    ],
)
async def test_times(when, dos, extended):
    """The nearest that DOS can say, and the exact one beside it."""
    file = await opened(await fill(Timed(when), {"/a": b"x", "/e/": None}))
    for info in file.infolist():
        assert info.date_time == dos
        assert info.extra == (
            struct.pack("<HHBi", 0x5455, 5, 1, int(when.timestamp())) if extended else b""
        )


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a\\b", "a_b"),
        ("..\\..\\x", ".._.._x"),
        ("C:", "C_"),
        ("c:x", "c_x"),
        ("12:30", "12:30"),
        ("a\nb\x7f\x85", "a_b__"),
        ("...", "___"),
        (".. ", "___"),
        (" ", "_"),
        (".a", ".a"),
        ("a..b", "a..b"),
        ("\u00e4", "\u00e4"),
    ],
)
async def test_names_that_would_mislead(name, safe):
    """Of files and of folders."""
    assert clean(name) == safe
    provider = MemoryProvider()
    await provider.write(ROOT.child(name), ByteStream.of(b"1"))
    folder = (await provider.make_folder(ROOT.child("f", folder=True))).path
    inner = (await provider.make_folder(folder.child(name, folder=True))).path
    await provider.write(inner.child(name), ByteStream.of(b"2"))
    names = set(unpacked(await opened(provider)))
    assert names == {f"/{safe}", f"/f/{safe}/{safe}"}


@pytest.mark.parametrize("listings", range(4))
async def test_cleaned_names_stay_unique(listings):
    """They make room for those that are there, and for each other."""
    names = ["a_b", "a\\b", "a\x01b", "a_b (1)", "a\x02b"]
    random.Random(listings).shuffle(names)
    provider = MemoryProvider()
    for name in names:
        await provider.write(ROOT.child(name), ByteStream.of(name.encode()))
    inner = ["f\\", "f\n", "f_"]
    for name in inner:
        folder = (await provider.make_folder(ROOT.child(name, folder=True))).path
        await provider.write(folder.child("x"), ByteStream.of(name.encode()))
        await provider.write(folder.child("y\\"), ByteStream.of(name.encode()))
    found = unpacked(await opened(provider))
    assert len(found) == len(names) + 2 * len(inner)
    assert (found["/a_b"], found["/a_b (1)"]) == (b"a_b", b"a_b (1)")
    assert found["/f_/x"] == found["/f_/y_"] == b"f_"
    assert {name for name in found if name.endswith("/x")} == {"/f_/x", "/f_ (1)/x", "/f_ (2)/x"}
    for name in ("/f_ (1)/", "/f_ (2)/"):
        assert found[f"{name}x"] == found[f"{name}y_"]


async def test_a_path_that_is_too_long():
    """A zip archive cannot name it: it is refused, not cut."""

    class Deep(MemoryProvider):
        async def list(self, folder):
            yield Entry(path=type(folder)(("x" * 255,) * 257, False), size=0)

    with pytest.raises(InvalidRequest):
        await packed(Deep())


async def test_a_file_and_a_folder_of_one_name():
    """They could not be unpacked: the folder gets another name."""
    provider = await fill(FLAT(), {"/a": b"file", "/a/b": b"b", "/a (1)": b"1", "/a/c/d": b"d"})
    assert unpacked(await opened(provider)) == {
        "/a": b"file",
        "/a (1)": b"1",
        "/a (2)/b": b"b",
        "/a (2)/c/d": b"d",
    }


class TestFailures:
    """An archive that ends is complete."""

    @pytest.mark.parametrize("operation", ["list", "read"])
    @pytest.mark.parametrize("after", [None, 0, 1])
    async def test_a_call_fails(self, operation, after):
        """Whichever it is: the iteration ends with the error."""
        tree = {**TREE, "/t/big": NOISE}
        calls = FlakyProvider(await fill(MemoryProvider(), tree))
        await packed(calls)
        assert calls.calls[operation] > 3
        for call in range(1, calls.calls[operation] + 1):
            provider = FlakyProvider(calls.inner)
            provider.fail(operation, ProviderUnavailable("down"), at=call, after=after)
            before = asyncio.all_tasks()
            with pytest.raises(ProviderUnavailable):
                await packed(provider)
            assert asyncio.all_tasks() == before

    @pytest.mark.parametrize("size", [10, 900_000])
    @pytest.mark.parametrize("change", [-1, 1])
    @pytest.mark.parametrize("known", [True, False])
    async def test_a_file_of_another_size(self, size, change, known):
        """A body that is short or long is found out, whether or not it knows its size."""

        class Off(MemoryProvider):
            async def read(self, here, **options):
                content = await super().read(here, **options)
                body = ByteStream.of(bytes(size + change))
                body.size = size if known else None
                return Content(body, content.entry)

        provider = await fill(Off(), {"/a": bytes(size)})
        with pytest.raises(Corrupted):
            await packed(provider)

    async def test_a_file_that_grew_since_it_was_listed(self):
        """What it is now is packed."""

        class Grown(MemoryProvider):
            async def list(self, folder):
                async for entry in super().list(folder):
                    yield msgspec.structs.replace(entry, size=3)

        provider = await fill(Grown(), {"/a.txt": TEXT, "/b.zip": NOISE, "/c": b"1234"})
        assert unpacked(await opened(provider)) == {"/a.txt": TEXT, "/b.zip": NOISE, "/c": b"1234"}

    async def test_what_is_no_folder(self):
        """A file is refused at once, a missing folder when it is read."""
        with pytest.raises(BadPath):
            zip_folder(MemoryProvider(), path("/a"))
        with pytest.raises(NotFound):
            await packed(MemoryProvider(), path("/a/"))

    @pytest.mark.parametrize("name", ["noise.bin", "text.txt", "nothing.txt"])
    async def test_a_file_alone(self, name):
        """It is the only member, whatever its size; it is read only when the archive is."""
        provider = await fill(FlakyProvider(MemoryProvider()), MANY)
        stream = zip_file(provider, path(f"/t/{name}"))
        assert provider.calls["stat"] == provider.calls["read"] == 0
        async with stream:
            data = b"".join([chunk async for chunk in stream])
        assert unpacked(zipfile.ZipFile(io.BytesIO(data))) == {f"/{name}": MANY[f"/t/{name}"]}

    async def test_a_file_that_is_none(self):
        """A folder is refused at once, a missing file when it is read."""
        with pytest.raises(BadPath):
            zip_file(MemoryProvider(), path("/a/"))
        with pytest.raises(NotFound):
            await anext(zip_file(MemoryProvider(), path("/a")))

    @pytest.mark.parametrize("chunks", range(6))
    async def test_leaving_early(self, chunks):
        """Nothing goes on running, and every body is closed."""
        provider = await fill(Bodies(), {f"/{number}": NOISE[:300_000] for number in range(9)})
        before = asyncio.all_tasks()
        stream = zip_folder(provider, ROOT, deflate=False)
        for _ in range(chunks):
            await anext(stream)
        await stream.aclose()
        assert asyncio.all_tasks() == before
        assert provider.open == 0

    async def test_cancelling(self):
        """At whatever moment, nothing stays open."""
        provider = await fill(Bodies(), {f"/{number}": bytes(10_000) for number in range(9)})
        before = asyncio.all_tasks()
        for turns in range(0, 120, 3):
            task = asyncio.create_task(packed(provider, deflate=False))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert asyncio.all_tasks() == before
            assert provider.open == 0


class Bodies(MemoryProvider):
    """Counts the bodies that are open, and those that were opened."""

    def __init__(self):
        super().__init__()
        self.open = self.most = self.read_count = 0
        self.gate = None

    async def read(self, here, **options):
        self.read_count += 1
        self.open += 1
        self.most = max(self.most, self.open)
        if self.gate is not None:
            try:
                await self.gate(here)
            except BaseException:
                self.open -= 1
                raise
        content = await super().read(here, **options)

        async def close():
            self.open -= 1

        return Content(ByteStream(content.body, size=content.body.size, close=close), content.entry)


class TestReadingAhead:
    """Small files of a slow storage do not wait for each other."""

    async def test_several_are_read_at_once(self):
        """All that may be are asked for before the first has answered, and no more."""
        provider = await fill(Bodies(), {f"/{number}": b"x" for number in range(40)})
        started, go = [], asyncio.Event()

        async def gate(here):
            started.append(here)
            await go.wait()

        provider.gate = gate
        task = asyncio.create_task(packed(provider))
        for _ in range(2000):
            await asyncio.sleep(0)
        assert members.AHEAD <= len(started) <= members.AHEAD + 2
        go.set()
        assert len(zipfile.ZipFile(io.BytesIO(await task)).infolist()) == 40
        assert provider.most <= members.AHEAD + 2

    async def test_large_files_are_opened_when_they_are_due(self):
        """Only one of them is open at a time."""
        tree = {f"/{number}": bytes(members.SMALL + 1) for number in range(6)}
        provider = await fill(Bodies(), tree)
        await packed(provider)
        assert provider.most == 1

    async def test_the_first_bytes_come_at_once(self):
        """Before the tree is walked, and before the file is read to its end."""

        class Endless(MemoryProvider):
            listed = 0

            async def list(self, folder):
                while True:
                    self.listed += 1
                    await asyncio.sleep(0)
                    yield Entry(path=ROOT.child(str(self.listed)))

            async def read(self, here, **options):
                async def chunks():
                    yield b"x" * 10
                    await asyncio.Event().wait()

                return Content(ByteStream(chunks()), Entry(path=here))

        provider = Endless()
        async with zip_folder(provider, ROOT) as stream:
            assert (await anext(stream)).startswith(b"PK\3\4")
        assert provider.listed < 500

    async def test_memory_is_bounded(self):
        """A reader that does not read stops everything."""
        tree = {f"/{number}": bytes(1000) for number in range(300)}
        provider = await fill(Bodies(), tree)
        async with zip_folder(provider, ROOT) as stream:
            await anext(stream)
            for _ in range(3000):
                await asyncio.sleep(0)
            assert provider.read_count <= members.AHEAD + 3


@pytest.mark.parametrize("deflate", [True, False])
async def test_blocks_are_of_a_useful_size(deflate):
    """Tiny pieces are collected and huge ones are cut."""

    class Huge(MemoryProvider):
        async def read(self, here, **options):
            content = await super().read(here, **options)
            data = await content.body.read(1 << 23)
            return Content(ByteStream.of(data, chunk_size=1 << 23), content.entry)

    tree = {f"/{number}": b"x" for number in range(3000)} | {"/big": NOISE * 5}
    async with zip_folder(await fill(Huge(), tree), ROOT, deflate=deflate) as stream:
        sizes = [len(chunk) async for chunk in stream]
    assert max(sizes) <= 1 << 20
    assert sum(size < 1 << 16 for size in sizes) <= 2 + len(NOISE) * 5 // (1 << 20)


async def test_a_large_directory_goes_to_disk(monkeypatch):
    """And comes back whole."""
    monkeypatch.setattr(archive, "_DIRECTORY_IN_MEMORY", 1000)
    provider = await fill(MemoryProvider(), {f"/{number}": b"x" for number in range(300)})
    assert len(unpacked(await opened(provider))) == 300


class Zeros(Provider):
    """Files of nothing but zeros, which cost nothing; only what an archive asks for."""

    info = StorageInfo("zeros", "zeros://", "zeros")
    capabilities = Capabilities()
    block = bytes(1 << 20)

    def __init__(self, sizes, *, known=True):
        self.sizes = sizes
        self.known = known

    async def stat(self, here, *, version=None):
        return Entry(path=here)

    async def list(self, folder):
        for name, size in self.sizes():
            yield Entry(path=folder.child(name), size=size if self.known else None)

    async def read(self, here, *, range=None, version=None):
        size = dict(self.sizes())[here.name]

        async def chunks():
            left = size
            while left:
                chunk = self.block[:left] if left < len(self.block) else self.block
                yield chunk
                left -= len(chunk)

        body = ByteStream(chunks(), size=size if self.known else None)
        return Content(body, Entry(path=here, size=body.size))


async def sparse(provider, target):
    """Write an archive to a file without writing its zeros."""
    with target.open("wb") as file:
        async with zip_folder(provider, ROOT, deflate=False) as stream:
            async for chunk in stream:
                if chunk == Zeros.block:
                    file.seek(len(chunk), 1)
                else:
                    file.write(chunk)
    return zipfile.ZipFile(target)


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
async def test_more_than_four_gibibytes(tmp_path, known):
    """A member of that size, one behind it, and the directory behind both."""
    big = (1 << 32) + 5
    sizes = {"big.bin": big, "behind.bin": 70_000, "end": 3}
    provider = Zeros(sizes.items, known=known)
    with await sparse(provider, tmp_path / "a.zip") as file:
        assert {info.filename: info.file_size for info in file.infolist()} == sizes
        assert file.getinfo("behind.bin").header_offset > 1 << 32
        assert file.read("behind.bin") == bytes(70_000)
        assert file.read("end") == bytes(3)
        info = file.getinfo("big.bin")
        with (tmp_path / "a.zip").open("rb") as raw:
            raw.seek(info.header_offset + 30 + len("big.bin") + 20 + big)
            form = "<4sIQQ"
            end = struct.unpack(form, raw.read(struct.calcsize(form)))
        assert end == (b"PK\7\10", info.CRC, big, big)
        assert crc_of_zeros(big) == info.CRC
    if shutil.which("zipinfo"):
        listed = subprocess.run(
            ["zipinfo", "-1", tmp_path / "a.zip"], capture_output=True, check=True, text=True
        )
        assert listed.stdout.split() == list(sizes)


def crc_of_zeros(size):
    crc = 0
    for _ in range(size >> 20):
        crc = zlib.crc32(Zeros.block, crc)
    return zlib.crc32(bytes(size & 0xFFFFF), crc)


@pytest.mark.slow
async def test_more_members_than_sixteen_bits_count(tmp_path):
    """All of them are found again."""
    count = 65_600
    provider = Zeros(lambda: ((f"{number}.zip", 0) for number in range(count)))
    provider.read = empty
    with await sparse(provider, tmp_path / "a.zip") as file:
        assert len(file.infolist()) == count
        assert file.infolist()[-1].filename == f"{count - 1}.zip"


async def empty(here, **_):
    return Content(ByteStream.of(b""), Entry(path=here, size=0))


@pytest.mark.parametrize("size", [None, 0xEFFFFFFF, 0xF0000000])
async def test_sizes_that_may_need_64_bits(size):
    """Are prepared for it in the local header, before any data."""

    class Promising(Zeros):
        async def read(self, here, *, range=None, version=None):
            body = ByteStream(self.some(), size=size)
            return Content(body, Entry(path=here, size=size))

        async def some(self):
            yield bytes(10)
            await asyncio.Event().wait()

    provider = Promising(lambda: [("a", size)])
    async with aclosing(zip_folder(provider, ROOT)) as stream:
        header = await anext(stream)
    extra = struct.unpack_from("<HH", header, 31) if len(header) > 31 else None
    assert (extra == (1, 16)) == (size != 0xEFFFFFFF)
    assert struct.unpack_from("<I", header, 22) == ((0 if extra is None else 0xFFFFFFFF),)
