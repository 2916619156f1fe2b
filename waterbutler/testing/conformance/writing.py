"""Storing files."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from waterbutler.core import ROOT, ByteStream, Path, Provider, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    IsAFolder,
    LengthRequired,
    NotAFolder,
    NotFound,
    TooLarge,
    Unsupported,
)
from waterbutler.testing.conformance.base import (
    FILE,
    FOLDER,
    ContractBase,
    contents,
    get,
    listing,
    put,
    same_facts,
    tree,
    wrong_kind,
)

SIZES = [0, 1, 2, 255, 4096, 65_535, 65_536, 65_537, 131_072, 262_145]
"""Around the sizes that chunks and buffers usually have."""
CHUNKS = [1, 7, 4096, 65_536, 1 << 20]
MODES = pytest.mark.parametrize("mode", list(WriteMode), ids=lambda mode: mode.value)


def noise(size: int) -> bytes:
    """Always the same bytes that look like nothing."""
    return random.Random(size).randbytes(size)


class Writing(ContractBase):
    """What `write` promises when all goes well, and what it refuses."""

    @pytest.mark.needs("write")
    @MODES
    @pytest.mark.parametrize("size", SIZES)
    async def test_write_sizes(self, provider: Provider, size: int, mode: WriteMode) -> None:
        """What is read is what was written, byte for byte."""
        data = noise(size)
        entry = await put(provider, FILE, data, mode)
        assert entry.path == FILE
        assert entry.size == size
        assert await get(provider, FILE) == data
        assert await listing(provider) == ["/file.txt"]

    @pytest.mark.needs("write")
    @MODES
    async def test_write_a_large_file(self, provider: Provider, mode: WriteMode) -> None:
        """A file larger than one part of the storage is the same file."""
        data = noise(self.large_size + 1)
        assert (await put(provider, FILE, data, mode)).size == len(data)
        assert await get(provider, FILE) == data

    @pytest.mark.needs("write")
    @pytest.mark.parametrize("chunk_size", CHUNKS)
    async def test_write_chunks_do_not_matter(self, provider: Provider, chunk_size: int) -> None:
        """A body may come in pieces of any size."""
        data = noise(2000 if chunk_size < 100 else 200_000)
        async with ByteStream.of(data, chunk_size=chunk_size) as body:
            await provider.write(FILE, body)
        assert await get(provider, FILE) == data

    @pytest.mark.needs("write", "unknown_size")
    @pytest.mark.parametrize("size", [0, 1, 65_536, 300_000])
    async def test_write_a_body_of_unknown_size(self, provider: Provider, size: int) -> None:
        """The end of the iteration is the end of the file."""
        data = noise(size)
        async with _unsized(data) as body:
            assert (await provider.write(FILE, body)).size == size
        assert await get(provider, FILE) == data

    @pytest.mark.needs("write", "unknown_size")
    async def test_write_a_large_body_of_unknown_size(self, provider: Provider) -> None:
        """Also when one part of the storage is too small for it."""
        data = noise(self.large_size + 1)
        async with _unsized(data) as body:
            assert (await provider.write(FILE, body)).size == len(data)
        assert await get(provider, FILE) == data

    @pytest.mark.needs("write")
    @pytest.mark.lacks("unknown_size")
    async def test_write_an_unknown_size_is_refused(self, provider: Provider) -> None:
        """A storage that must know the size says so and stores nothing."""
        async with _unsized(b"data") as body:
            with pytest.raises(LengthRequired):
                await provider.write(FILE, body)
        assert await listing(provider) == []

    @pytest.mark.needs("write", "max_file_size")
    async def test_write_a_file_that_is_too_large(self, provider: Provider) -> None:
        """A size over the declared limit is refused before anything is read."""
        limit = provider.capabilities.max_file_size
        assert limit is not None
        body = ByteStream(ByteStream.of(b"x" * 1000), size=limit + 1)
        async with body:
            with pytest.raises(TooLarge):
                await provider.write(FILE, body)
        assert await listing(provider) == []

    @pytest.mark.needs("write")
    @pytest.mark.parametrize("size", [0, 1, 100, 100_000])
    async def test_write_replacing(self, provider: Provider, size: int) -> None:
        """The new content takes the place of the old one, whether it is longer or shorter."""
        await put(provider, FILE, noise(5000))
        data = noise(size)
        entry = await put(provider, FILE, data, WriteMode.REPLACE)
        assert entry.size == size
        assert await get(provider, FILE) == data
        assert await listing(provider) == ["/file.txt"]

    @pytest.mark.needs("write")
    @pytest.mark.parametrize("size", [0, 100_000])
    async def test_what_was_written_can_be_described(self, provider: Provider, size: int) -> None:
        """In full: what a write leaves out is asked for where somebody looks."""
        written = await put(provider, FILE, noise(size))
        described, found = await provider.described(written), await provider.stat(FILE)
        same_facts(described, found)
        assert (described.modified is None) == (found.modified is None)
        assert (described.created is None) == (found.created is None)
        assert described.hashes == found.hashes
        assert await provider.described(described) == described

    @pytest.mark.needs("write")
    async def test_write_replaces_by_default(self, provider: Provider) -> None:
        """Without a mode, a file is replaced."""
        await put(provider, FILE, b"old")
        async with ByteStream.of(b"new") as body:
            await provider.write(FILE, body)
        assert await get(provider, FILE) == b"new"

    @pytest.mark.needs("write")
    async def test_write_refuses_a_taken_name(self, provider: Provider) -> None:
        """``CREATE`` leaves the old file as it is; what the error shows is that file."""
        await put(provider, FILE, b"old")
        before = await tree(provider)
        with pytest.raises(AlreadyExists) as caught:
            await put(provider, FILE, b"new", WriteMode.CREATE)
        assert caught.value.entry is None or caught.value.entry.path == FILE
        assert await tree(provider) == before

    @pytest.mark.needs("write")
    @MODES
    async def test_write_a_folder_has_the_name(self, provider: Provider, mode: WriteMode) -> None:
        """A file never takes the place of a folder."""
        await self.seed(provider, {"/folder/inside.txt": b"inside"})
        if provider.capabilities.duplicate_names:
            await put(provider, FOLDER.as_file(), b"file", mode)
            assert await listing(provider) == ["/folder", "/folder/"]
        else:
            expected = AlreadyExists if mode is WriteMode.CREATE else IsAFolder
            with pytest.raises(expected):
                await put(provider, FOLDER.as_file(), b"file", mode)
            assert await listing(provider) == ["/folder/"]
        assert await get(provider, FOLDER.child("inside.txt")) == b"inside"

    @pytest.mark.needs("write", "empty_folders")
    @MODES
    @pytest.mark.parametrize("path", ["/no/file.txt", "/no/such/folder/file.txt"])
    async def test_write_the_folder_is_missing(
        self, provider: Provider, path: str, mode: WriteMode
    ) -> None:
        """Where folders are things of their own, none is made by the way."""
        with pytest.raises(NotFound):
            await put(provider, Path.parse(path), b"data", mode)
        assert await listing(provider) == []

    @pytest.mark.needs("write")
    @pytest.mark.lacks("empty_folders")
    async def test_write_folders_are_only_prefixes(self, provider: Provider) -> None:
        """Where folders are nothing of their own, a file is enough to have them."""
        await put(provider, Path.parse("/a/b/file.txt"), b"data")
        assert await contents(provider) == {"/a/": None, "/a/b/": None, "/a/b/file.txt": b"data"}

    @pytest.mark.needs("write", "empty_folders")
    @MODES
    async def test_write_a_file_is_no_folder(self, provider: Provider, mode: WriteMode) -> None:
        """Nothing can be put inside a file."""
        await put(provider, FILE, b"data")
        before = await tree(provider)
        with pytest.raises((NotFound, NotAFolder)):
            await put(provider, FILE.as_folder().child("inside.txt"), b"data", mode)
        assert await tree(provider) == before

    @pytest.mark.needs("write")
    async def test_write_body_is_consumed_but_not_closed(self, provider: Provider) -> None:
        """Closing the body stays with the caller, whether it is stored or refused."""
        closed = []

        async def close() -> None:
            closed.append(True)

        for mode in (WriteMode.CREATE, WriteMode.REPLACE, WriteMode.CREATE):
            body = ByteStream(ByteStream.of(b"data"), size=4, close=close)
            try:
                await provider.write(FILE, body, mode=mode)
                assert body.sent == 4
            except AlreadyExists:
                assert mode is WriteMode.CREATE
            assert not closed

    @pytest.mark.needs("write")
    async def test_write_files_in_folders(self, provider: Provider) -> None:
        """The same name in different folders is different files."""
        content = {"/a/x": b"1", "/b/x": b"2", "/a/a/x": b"3"}
        await self.seed(provider, content)
        for text, data in content.items():
            assert await get(provider, Path.parse(text)) == data
        await put(provider, Path.parse("/a/x"), b"new")
        assert await get(provider, Path.parse("/b/x")) == b"2"
        assert await get(provider, Path.parse("/a/a/x")) == b"3"

    @pytest.mark.needs("write")
    async def test_write_a_deep_place(self, provider: Provider) -> None:
        """Folders may be nested deeply."""
        text = "".join(f"/level{number}" for number in range(30)) + "/file.txt"
        await self.seed(provider, {text: b"deep"})
        assert await get(provider, Path.parse(text)) == b"deep"
        assert len(await tree(provider)) == 31

    @pytest.mark.lacks("write")
    async def test_write_undeclared(self, provider: Provider) -> None:
        """A storage that does not declare `write` refuses to write and to delete."""
        with pytest.raises(Unsupported):
            await put(provider, FILE, b"data")
        with pytest.raises(Unsupported):
            await provider.delete(FILE)
        assert await listing(provider) == []


class Deleting(ContractBase):
    """What `delete` promises."""

    @pytest.mark.needs("write")
    async def test_delete_a_file(self, provider: Provider) -> None:
        """A deleted file is gone, and only that one."""
        await self.seed(provider, {"/file.txt": b"1", "/file.txt2": b"2", "/file": b"3"})
        await provider.delete(FILE)
        with pytest.raises(NotFound):
            await provider.stat(FILE)
        with pytest.raises(NotFound):
            await provider.read(FILE)
        assert await contents(provider) == {"/file.txt2": b"2", "/file": b"3"}

    @pytest.mark.needs("write")
    async def test_delete_a_folder_with_content(self, provider: Provider) -> None:
        """A folder goes with everything in it; what only begins with its name stays."""
        await self.seed(
            provider,
            {
                "/folder/a": b"1",
                "/folder/sub/b": b"2",
                "/folder/sub/sub/c": b"3",
                "/folder2/a": b"4",
                "/folder 2": b"5",
            },
        )
        await provider.delete(FOLDER)
        with pytest.raises(NotFound):
            await provider.stat(FOLDER)
        with pytest.raises(NotFound):
            await provider.stat(Path.parse("/folder/sub/b"))
        assert await contents(provider) == {
            "/folder2/": None,
            "/folder2/a": b"4",
            "/folder 2": b"5",
        }

    @pytest.mark.needs("write", "make_folder", "empty_folders")
    async def test_delete_an_empty_folder(self, provider: Provider) -> None:
        """A folder without content can be deleted too."""
        await provider.make_folder(FOLDER)
        await provider.delete(FOLDER)
        assert await listing(provider) == []

    @pytest.mark.needs("write")
    async def test_delete_the_root_is_emptied(self, provider: Provider) -> None:
        """The root loses everything and stays."""
        await self.seed(provider, {"/a": b"1", "/folder/b": b"2", "/folder/sub/c": b"3"})
        await provider.delete(ROOT)
        assert await listing(provider) == []
        assert (await provider.stat(ROOT)).is_folder
        await put(provider, FILE, b"again")
        assert await contents(provider) == {"/file.txt": b"again"}

    @pytest.mark.needs("write")
    async def test_delete_the_empty_root(self, provider: Provider) -> None:
        """Emptying an empty storage is fine."""
        await provider.delete(ROOT)
        assert await listing(provider) == []

    @pytest.mark.needs("write")
    @pytest.mark.parametrize("path", ["/missing.txt", "/missing/", "/no/such", "/no/such/"])
    async def test_delete_nothing(self, provider: Provider, path: str) -> None:
        """What is not there cannot be deleted."""
        await put(provider, FILE, b"stays")
        with pytest.raises(NotFound):
            await provider.delete(Path.parse(path))
        assert await listing(provider) == ["/file.txt"]

    @pytest.mark.needs("write")
    async def test_delete_the_wrong_kind(self, provider: Provider) -> None:
        """A path of the other kind deletes nothing."""
        await self.seed(provider, {"/file.txt": b"1", "/folder/a": b"2"})
        before = await tree(provider)
        with pytest.raises(wrong_kind(provider, IsAFolder)):
            await provider.delete(FOLDER.as_file())
        with pytest.raises(wrong_kind(provider, NotAFolder)):
            await provider.delete(FILE.as_folder())
        assert await tree(provider) == before

    @pytest.mark.needs("write")
    async def test_delete_twice(self, provider: Provider) -> None:
        """What was deleted is not there any more."""
        await put(provider, FILE, b"")
        await provider.delete(FILE)
        with pytest.raises(NotFound):
            await provider.delete(FILE)

    @pytest.mark.needs("write")
    @MODES
    async def test_delete_the_name_is_free_again(self, provider: Provider, mode: WriteMode) -> None:
        """Where something was deleted, something new can be."""
        await put(provider, FILE, b"old")
        await provider.delete(FILE)
        await put(provider, FILE, b"new", mode)
        assert await get(provider, FILE) == b"new"

    @pytest.mark.needs("write", "make_folder")
    async def test_delete_the_name_is_free_for_the_other_kind(self, provider: Provider) -> None:
        """A folder can be where a file was, and the other way round."""
        await put(provider, FOLDER.as_file(), b"file")
        await provider.delete(FOLDER.as_file())
        await provider.make_folder(FOLDER)
        assert await listing(provider) == ["/folder/"]
        await provider.delete(FOLDER)
        await put(provider, FOLDER.as_file(), b"file")
        assert await contents(provider) == {"/folder": b"file"}

    @pytest.mark.needs("write", "empty_folders")
    async def test_delete_an_emptied_folder_stays(self, provider: Provider) -> None:
        """Deleting the last file of a folder leaves the folder."""
        await self.seed(provider, {"/folder/a": b"1"})
        await provider.delete(FOLDER.child("a"))
        assert await contents(provider) == {"/folder/": None}


def _unsized(data: bytes) -> ByteStream:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 10_000):
            yield data[start : start + 10_000]

    return ByteStream(chunks())
