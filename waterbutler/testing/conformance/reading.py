"""Describing and reading files."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from waterbutler.core import ROOT, ByteRange, ByteStream, Path, Provider
from waterbutler.core.errors import (
    IsAFolder,
    NotAFolder,
    NotFound,
    RangeNotSatisfiable,
    Unsupported,
)
from waterbutler.testing.conformance.base import (
    FILE,
    FOLDER,
    MISSING,
    MISSING_FOLDER,
    REFUSED_KIND,
    ContractBase,
    get,
    listing,
    plausible,
    put,
    same_facts,
    wrong_kind,
)

DATA = bytes(range(256)) * 40
"""10,240 bytes; no two parts of 256 bytes at different offsets below 256 are equal."""

RANGES = [
    (ByteRange(0), 0, 10240),
    (ByteRange(0, 0), 0, 1),
    (ByteRange(0, 10239), 0, 10240),
    (ByteRange(0, 10238), 0, 10239),
    (ByteRange(1), 1, 10240),
    (ByteRange(1, 1), 1, 2),
    (ByteRange(100, 355), 100, 356),
    (ByteRange(4095, 4096), 4095, 4097),
    (ByteRange(8191), 8191, 10240),
    (ByteRange(10239), 10239, 10240),
    (ByteRange(10239, 10239), 10239, 10240),
    (ByteRange(10000, 99999), 10000, 10240),
    (ByteRange(0, 10240), 0, 10240),
    (ByteRange(suffix=1), 10239, 10240),
    (ByteRange(suffix=300), 9940, 10240),
    (ByteRange(suffix=10240), 0, 10240),
    (ByteRange(suffix=10241), 0, 10240),
    (ByteRange(suffix=99999), 0, 10240),
]
OUTSIDE = [
    ByteRange(10240),
    ByteRange(10240, 10240),
    ByteRange(10241, 20000),
    ByteRange(99999),
    ByteRange(suffix=0),
]


def _name(value: object) -> str | None:
    return value.header() if isinstance(value, ByteRange) else None


class Reading(ContractBase):
    """What `stat` and `read` promise."""

    async def test_the_root_always_exists(self, provider: Provider) -> None:
        """An empty storage has a root, and it is a folder."""
        entry = await provider.stat(ROOT)
        assert entry.path == ROOT
        assert entry.is_folder

    async def test_check_passes(self, provider: Provider) -> None:
        """A storage that can be reached passes its own check."""
        await provider.check()

    def test_the_storage_is_named(self, provider: Provider) -> None:
        """Name, root and label are there, for logs and for telling storages apart."""
        assert provider.info.name
        assert provider.info.root
        assert provider.info.label

    def test_two_storages_have_two_roots(self, provider: Provider, neighbour: Provider) -> None:
        """Equal roots would mean that both show the same things."""
        assert provider.info.root != neighbour.info.root

    def test_declared_hashes_can_be_computed(self, provider: Provider) -> None:
        """Hashes are declared by the names that hashlib knows."""
        assert provider.capabilities.hashes <= hashlib.algorithms_available

    @pytest.mark.parametrize(
        "path", [MISSING, MISSING_FOLDER, Path.parse("/no/such/file")], ids=str
    )
    async def test_stat_of_nothing(self, provider: Provider, path: Path) -> None:
        """What is not there is not found, whatever the path's kind."""
        with pytest.raises(NotFound):
            await provider.stat(path)

    async def test_stat_of_a_file(self, provider: Provider) -> None:
        """A file's entry has its path, its size and a plausible time."""
        await self.seed(provider, {"/file.txt": b"12345"})
        entry = await provider.stat(FILE)
        assert entry.path == FILE
        assert not entry.is_folder
        assert entry.size == 5
        plausible(entry.modified)
        plausible(entry.created)

    async def test_stat_of_a_folder(self, provider: Provider) -> None:
        """A folder's entry has its path."""
        await self.seed(provider, {"/folder/file.txt": b""})
        entry = await provider.stat(FOLDER)
        assert entry.path == FOLDER
        assert entry.is_folder
        plausible(entry.modified)

    async def test_a_file_path_finds_no_folder(self, provider: Provider) -> None:
        """The kind of a path is a statement: ``/folder`` is not ``/folder/``."""
        await self.seed(provider, {"/folder/file.txt": b""})
        with pytest.raises(wrong_kind(provider, IsAFolder)):
            await provider.stat(FOLDER.as_file())
        with pytest.raises(wrong_kind(provider, IsAFolder)):
            await provider.read(FOLDER.as_file())

    async def test_a_folder_path_finds_no_file(self, provider: Provider) -> None:
        """The kind of a path is a statement: ``/file.txt/`` is not ``/file.txt``."""
        await self.seed(provider, {"/file.txt": b""})
        with pytest.raises(wrong_kind(provider, NotAFolder)):
            await provider.stat(FILE.as_folder())
        with pytest.raises(REFUSED_KIND):
            await provider.read(FILE.as_folder())

    async def test_nothing_is_inside_a_file(self, provider: Provider) -> None:
        """A path that leads through a file finds nothing."""
        await self.seed(provider, {"/file.txt": b""})
        inside = FILE.as_folder().child("inside")
        with pytest.raises((NotFound, NotAFolder)):
            await provider.stat(inside)
        with pytest.raises((NotFound, NotAFolder)):
            await provider.read(inside)

    @pytest.mark.parametrize("path", [MISSING, Path.parse("/no/such/file")], ids=str)
    async def test_read_of_nothing(self, provider: Provider, path: Path) -> None:
        """A missing file is reported by the call and not while iterating."""
        with pytest.raises(NotFound):
            await provider.read(path)

    @pytest.mark.parametrize("path", [FOLDER, ROOT], ids=str)
    async def test_read_of_a_folder(self, provider: Provider, path: Path) -> None:
        """Folders have no bytes."""
        await self.seed(provider, {"/folder/file.txt": b""})
        with pytest.raises(REFUSED_KIND):
            await provider.read(path)

    async def test_read_says_what_it_gives(self, provider: Provider) -> None:
        """A whole read has no span, the file's entry, and an honest size if any."""
        await self.seed(provider, {"/file.txt": DATA})
        content = await provider.read(FILE)
        async with content.body as body:
            assert content.span is None
            assert body.size in {None, len(DATA)}
            assert await body.read(len(DATA)) == DATA
        same_facts(content.entry, await provider.stat(FILE))

    async def test_readers_do_not_disturb_each_other(self, provider: Provider) -> None:
        """Each of several readers gets the whole file."""
        await self.seed(provider, {"/file.txt": DATA})
        assert await asyncio.gather(*(get(provider, FILE) for _ in range(8))) == [DATA] * 8

    async def test_a_reader_may_stop_early(self, provider: Provider) -> None:
        """A body that is closed in the middle, or unread, breaks nothing."""
        data = DATA * 100
        await self.seed(provider, {"/file.txt": data})
        unread = await provider.read(FILE)
        await unread.body.aclose()
        started = await provider.read(FILE)
        assert await anext(started.body)
        await started.body.aclose()
        await started.body.aclose()
        assert await get(provider, FILE) == data

    async def test_a_reader_may_be_cancelled(self, provider: Provider) -> None:
        """A read that is cancelled in the middle breaks nothing."""
        data = DATA * 100
        await self.seed(provider, {"/file.txt": data})
        begun = asyncio.Event()

        async def consume() -> None:
            content = await provider.read(FILE)
            async with content.body as body:
                async for _ in body:
                    begun.set()
                    await asyncio.Event().wait()

        task = asyncio.create_task(consume())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await get(provider, FILE) == data

    async def test_paths_survive_the_url(self, provider: Provider) -> None:
        """What `wire_path` writes, `locate` reads."""
        await self.seed(provider, {"/folder/file.txt": b""})
        for path in (ROOT, FOLDER, FOLDER.child("file.txt")):
            entry = await provider.stat(path)
            assert await provider.locate(provider.wire_path(entry.path)) == path


class Ranges(ContractBase):
    """What `read` promises about parts of a file."""

    @pytest.mark.needs("ranged_read")
    @pytest.mark.parametrize(("range", "start", "stop"), RANGES, ids=_name)
    async def test_a_range(
        self, provider: Provider, range: ByteRange, start: int, stop: int
    ) -> None:
        """Exactly the bytes of the range come, and the span says which they are."""
        await self.seed(provider, {"/file.txt": DATA})
        content = await provider.read(FILE, range=range)
        async with content.body as body:
            assert content.span is not None
            assert (content.span.start, content.span.stop) == (start, stop)
            assert content.span.total == len(DATA)
            assert body.size in {None, stop - start}
            assert await body.read(len(DATA)) == DATA[start:stop]
        assert content.entry.size == len(DATA)
        same_facts(content.entry, await provider.stat(FILE))

    @pytest.mark.needs("ranged_read")
    @pytest.mark.parametrize("range", OUTSIDE, ids=_name)
    async def test_a_range_outside(self, provider: Provider, range: ByteRange) -> None:
        """A range without any byte is refused by the call, with the file's size."""
        await self.seed(provider, {"/file.txt": DATA})
        with pytest.raises(RangeNotSatisfiable) as caught:
            await provider.read(FILE, range=range)
        assert caught.value.total == len(DATA)

    @pytest.mark.needs("ranged_read")
    @pytest.mark.parametrize(
        "range", [ByteRange(0), ByteRange(0, 0), ByteRange(5), ByteRange(suffix=1)], ids=_name
    )
    async def test_an_empty_file_has_no_ranges(self, provider: Provider, range: ByteRange) -> None:
        """No range of an empty file has a byte."""
        await self.seed(provider, {"/file.txt": b""})
        with pytest.raises(RangeNotSatisfiable) as caught:
            await provider.read(FILE, range=range)
        assert caught.value.total == 0

    @pytest.mark.needs("ranged_read")
    async def test_a_range_of_nothing(self, provider: Provider) -> None:
        """A missing file is missing, with a range as without."""
        with pytest.raises(NotFound):
            await provider.read(MISSING, range=ByteRange(0, 1))

    @pytest.mark.needs("ranged_read")
    async def test_parts_make_the_whole(self, provider: Provider) -> None:
        """A large file read in parts is the file."""
        data = DATA * (1 + self.large_size // len(DATA))
        await self.seed(provider, {"/file.txt": data})
        step = len(data) // 7 + 1
        parts = [
            await get(provider, FILE, range=ByteRange(first, first + step - 1))
            for first in range(0, len(data), step)
        ]
        assert b"".join(parts) == data

    @pytest.mark.lacks("ranged_read")
    async def test_an_undeclared_range_is_not_ignored(self, provider: Provider) -> None:
        """A storage that cannot read parts refuses, or gives the part: never something else."""
        await self.seed(provider, {"/file.txt": DATA})
        try:
            part = await get(provider, FILE, range=ByteRange(5, 9))
        except Unsupported:
            return
        assert part == DATA[5:10]


class Facts(ContractBase):
    """What entries say, and that all operations say the same."""

    @pytest.mark.needs("write")
    @pytest.mark.parametrize("data", [b"", b"some content"], ids=["empty", "full"])
    async def test_all_operations_agree(self, provider: Provider, data: bytes) -> None:
        """Writing, describing, listing and reading show one file with the same facts."""
        written = await put(provider, FILE, data)
        described = await provider.stat(FILE)
        (listed,) = [entry async for entry in provider.list(ROOT)]
        content = await provider.read(FILE)
        await content.body.aclose()
        for entry in (written, described, listed, content.entry):
            assert entry.path == FILE
            assert entry.size == len(data)
            plausible(entry.modified)
            for name, digest in entry.hashes.items():
                assert digest == hashlib.new(name, data, usedforsecurity=False).hexdigest()
        for entry in (described, listed, content.entry):
            same_facts(written, entry)

    @pytest.mark.needs("write", "hashes")
    @pytest.mark.parametrize("size", [0, 1, 100_000])
    async def test_declared_hashes_are_there(self, provider: Provider, size: int) -> None:
        """Every entry of a written file carries the hashes that are declared."""
        data = (DATA * 10)[:size]
        expected = {
            name: hashlib.new(name, data, usedforsecurity=False).hexdigest()
            for name in provider.capabilities.hashes
        }
        written = await put(provider, FILE, data)
        (listed,) = [entry async for entry in provider.list(ROOT)]
        for entry in (written, await provider.stat(FILE), listed):
            assert {name: entry.hashes[name] for name in expected} == expected

    @pytest.mark.needs("write")
    async def test_the_etag_follows_the_content(self, provider: Provider) -> None:
        """Content of the same size written at once after changes the etag, and reading does not."""
        seen = []
        for letter in b"abcdef":
            seen.append((await put(provider, FILE, bytes([letter]) * 64)).etag)
            await get(provider, FILE)
            assert (await provider.stat(FILE)).etag == seen[-1]
        if seen[0] is not None:
            assert len(set(seen)) == len(seen)

    @pytest.mark.needs("write")
    async def test_the_etag_of_another_file_stays(self, provider: Provider) -> None:
        """Writing one file changes nothing about its neighbours."""
        before = await put(provider, FILE, b"stays")
        await put(provider, FILE.renamed("file.txt2"), b"new")
        same_facts(before, await provider.stat(FILE))
        assert await listing(provider) == ["/file.txt", "/file.txt2"]

    @pytest.mark.needs("write")
    async def test_a_content_type_is_kept_or_ignored(self, provider: Provider) -> None:
        """A content type that a storage shows is the one that was given."""
        async with ByteStream.of(b"{}") as body:
            await provider.write(FILE, body, content_type="application/json")
        assert (await provider.stat(FILE)).content_type in {None, "application/json"}
