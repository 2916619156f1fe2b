"""Copying and moving on the storage's side."""

from __future__ import annotations

from contextlib import suppress

import pytest

from waterbutler.core import ROOT, Entry, Path, Provider, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    IsAFolder,
    NotAFolder,
    NotFound,
    SamePlace,
    Unsupported,
    WaterButlerError,
)
from waterbutler.testing.conformance.base import (
    FILE,
    FOLDER,
    ContractBase,
    contents,
    get,
    listing,
    put,
    tree,
    wrong_kind,
)
from waterbutler.testing.conformance.writing import noise
from waterbutler.testing.faults import FlakyProvider
from waterbutler.testing.memory import MemoryProvider

COPY = pytest.param("copy", marks=pytest.mark.needs("copy_from"))
MOVE = pytest.param("move", marks=pytest.mark.needs("move_from"))
BOTH = pytest.mark.parametrize("verb", [COPY, MOVE])
NEW = Path.parse("/new.txt")
NEW_FOLDER = Path.parse("/new/")
TREE = {
    "/folder/a": b"1",
    "/folder/sub/b": b"2",
    "/folder/sub/sub/c": b"",
    "/folder/two words": b"3",
}


async def take(
    verb: str, to: Provider, source: Provider, at: Path, path: Path, mode: WriteMode
) -> Entry:
    """Copy or move, from ``at`` in ``source`` to ``path`` in ``to``."""
    if verb == "copy":
        return await to.copy_from(source, at, path, mode=mode)
    return await to.move_from(source, at, path, mode=mode)


async def take_if_possible(
    verb: str,
    to: Provider,
    source: Provider,
    at: Path,
    path: Path,
    mode: WriteMode = WriteMode.CREATE,
) -> Entry:
    """Like `take`; a refusal is fine if it changed nothing, and ends the test."""
    before = await tree(source), await tree(to)
    try:
        return await take(verb, to, source, at, path, mode)
    except Unsupported:
        assert (await tree(source), await tree(to)) == before
        pytest.skip(f"the storage cannot {verb} this on its side")


class Copying(ContractBase):
    """What `copy_from` and `move_from` promise."""

    @BOTH
    @pytest.mark.parametrize("mode", list(WriteMode), ids=lambda mode: mode.value)
    @pytest.mark.parametrize("size", [0, 1, 70_000])
    async def test_copy_a_file_in_one_storage(
        self, provider: Provider, verb: str, size: int, mode: WriteMode
    ) -> None:
        """The copy has the content; after a move the source is gone."""
        data = noise(size)
        await put(provider, FILE, data)
        entry = await take(verb, provider, provider, FILE, NEW, mode)
        assert entry.path == NEW
        assert entry.size == size
        assert entry.etag == (await provider.stat(NEW)).etag
        left = {"/file.txt": data} if verb == "copy" else {}
        assert await contents(provider) == {"/new.txt": data, **left}

    @BOTH
    @pytest.mark.parametrize("size", [0, 1, 70_000])
    async def test_copy_a_file_from_another_storage(
        self, provider: Provider, neighbour: Provider, verb: str, size: int
    ) -> None:
        """Between two storages of a kind it works alike, or is refused."""
        data = noise(size)
        await put(neighbour, FILE, data)
        entry = await take_if_possible(verb, provider, neighbour, FILE, NEW)
        assert entry.path == NEW
        assert await contents(provider) == {"/new.txt": data}
        assert await contents(neighbour) == ({"/file.txt": data} if verb == "copy" else {})

    @BOTH
    async def test_copy_a_large_file(self, provider: Provider, verb: str) -> None:
        """A file that is larger than one part of the storage is copied whole."""
        data = noise(self.large_size + 1)
        await put(provider, FILE, data)
        await take(verb, provider, provider, FILE, NEW, WriteMode.CREATE)
        assert await get(provider, NEW) == data

    @BOTH
    async def test_copy_the_hashes_come_along(self, provider: Provider, verb: str) -> None:
        """A copy carries the hashes that are declared."""
        written = await put(provider, FILE, b"content")
        entry = await take(verb, provider, provider, FILE, NEW, WriteMode.CREATE)
        for name in provider.capabilities.hashes:
            assert entry.hashes[name] == written.hashes[name]

    @BOTH
    async def test_copy_is_a_thing_of_its_own(self, provider: Provider, verb: str) -> None:
        """Writing to the old name changes nothing about the new one, and the other way round."""
        await put(provider, FILE, b"first")
        await take(verb, provider, provider, FILE, NEW, WriteMode.CREATE)
        await put(provider, FILE, b"second")
        assert await get(provider, NEW) == b"first"
        await put(provider, NEW, b"third")
        assert await get(provider, FILE) == b"second"

    @BOTH
    async def test_copy_into_a_folder(self, provider: Provider, verb: str) -> None:
        """The new place may be in another folder; its other content stays."""
        await self.seed(provider, {"/file.txt": b"data", "/folder/a": b"1"})
        await take(verb, provider, provider, FILE, FOLDER.child("b"), WriteMode.CREATE)
        assert await contents(provider, FOLDER) == {"/a": b"1", "/b": b"data"}

    @BOTH
    async def test_copy_a_tree_in_one_storage(self, provider: Provider, verb: str) -> None:
        """A folder is copied with everything in it, and nothing beside it."""
        await self.seed(provider, {**TREE, "/folder2/d": b"4"})
        before = await contents(provider, FOLDER)
        entry = await take_if_possible(verb, provider, provider, FOLDER, NEW_FOLDER)
        assert entry.path == NEW_FOLDER
        assert await contents(provider, NEW_FOLDER) == before
        left = ["/folder/"] if verb == "copy" else []
        assert await listing(provider) == [*left, "/folder2/", "/new/"]
        if verb == "copy":
            assert await contents(provider, FOLDER) == before

    @BOTH
    async def test_copy_a_tree_from_another_storage(
        self, provider: Provider, neighbour: Provider, verb: str
    ) -> None:
        """Between two storages of a kind it works alike, or is refused."""
        await self.seed(neighbour, {**TREE, "/folder2/d": b"4"})
        before = await contents(neighbour, FOLDER)
        await take_if_possible(verb, provider, neighbour, FOLDER, NEW_FOLDER)
        assert await contents(provider, NEW_FOLDER) == before
        assert await listing(provider) == ["/new/"]
        left = ["/folder/"] if verb == "copy" else []
        assert await listing(neighbour) == [*left, "/folder2/"]

    @BOTH
    async def test_copy_an_empty_folder(self, provider: Provider, verb: str) -> None:
        """A folder without content is copied too."""
        await self.seed(provider, {"/folder/": None, "/folder/sub/": None})
        await take_if_possible(verb, provider, provider, FOLDER, NEW_FOLDER)
        assert await contents(provider, NEW_FOLDER) == {"/sub/": None}

    @BOTH
    async def test_copy_a_whole_storage(
        self, provider: Provider, neighbour: Provider, verb: str
    ) -> None:
        """The root of another storage can be a source; it stays as a folder, or it is refused."""
        await self.seed(neighbour, TREE)
        before = await contents(neighbour)
        await take_if_possible(verb, provider, neighbour, ROOT, NEW_FOLDER)
        assert await contents(provider, NEW_FOLDER) == before
        assert await contents(neighbour) == (before if verb == "copy" else {})

    @BOTH
    async def test_copy_refuses_a_taken_name(self, provider: Provider, verb: str) -> None:
        """Both files are as they were before."""
        await put(provider, FILE, b"source")
        await put(provider, NEW, b"taken")
        before = await tree(provider)
        with pytest.raises(AlreadyExists):
            await take(verb, provider, provider, FILE, NEW, WriteMode.CREATE)
        assert await tree(provider) == before

    @BOTH
    async def test_copy_creates_by_default(self, provider: Provider, verb: str) -> None:
        """Without a mode nothing is replaced."""
        await put(provider, FILE, b"source")
        await put(provider, NEW, b"taken")
        call = provider.copy_from if verb == "copy" else provider.move_from
        with pytest.raises(AlreadyExists):
            await call(provider, FILE, NEW)
        assert await get(provider, NEW) == b"taken"

    @BOTH
    @pytest.mark.lacks("duplicate_names")
    @pytest.mark.parametrize("mode", list(WriteMode), ids=lambda mode: mode.value)
    async def test_copy_a_folder_has_the_name(
        self, provider: Provider, verb: str, mode: WriteMode
    ) -> None:
        """A file never takes the place of a folder."""
        await self.seed(provider, {"/file.txt": b"source", "/folder/a": b"1"})
        before = await tree(provider)
        expected = AlreadyExists if mode is WriteMode.CREATE else IsAFolder
        with pytest.raises(expected):
            await take(verb, provider, provider, FILE, FOLDER.as_file(), mode)
        assert await tree(provider) == before

    @BOTH
    async def test_copy_replacing_a_file(self, provider: Provider, verb: str) -> None:
        """With ``REPLACE`` a file takes the place of a file."""
        await put(provider, FILE, b"source")
        old = await put(provider, NEW, b"victim")
        entry = await take(verb, provider, provider, FILE, NEW, WriteMode.REPLACE)
        assert entry.etag is None or entry.etag != old.etag
        assert await get(provider, NEW) == b"source"
        left = ["/file.txt"] if verb == "copy" else []
        assert await listing(provider) == [*left, "/new.txt"]

    @BOTH
    async def test_copy_refuses_a_taken_name_of_a_folder(
        self, provider: Provider, verb: str
    ) -> None:
        """A folder that has the name is left as it is."""
        await self.seed(provider, {**TREE, "/new/x": b"stays"})
        before = await tree(provider)
        with pytest.raises((AlreadyExists, Unsupported)):
            await take(verb, provider, provider, FOLDER, NEW_FOLDER, WriteMode.CREATE)
        assert await tree(provider) == before

    @BOTH
    @pytest.mark.parametrize(
        ("at", "to"),
        [("/no.txt", "/new.txt"), ("/no/", "/new/"), ("/no/such", "/new.txt")],
        ids=["file", "folder", "nested"],
    )
    async def test_copy_nothing_to_take(
        self, provider: Provider, verb: str, at: str, to: str
    ) -> None:
        """A missing source is missing, and nothing is made at the new place."""
        source, target = Path.parse(at), Path.parse(to)
        expected = (NotFound, Unsupported) if source.is_folder else NotFound
        with pytest.raises(expected):
            await take(verb, provider, provider, source, target, WriteMode.CREATE)
        assert await listing(provider) == []

    @BOTH
    async def test_copy_a_missing_source_replaces_nothing(
        self, provider: Provider, verb: str
    ) -> None:
        """The old file stays if there is nothing to put in its place."""
        await put(provider, NEW, b"stays")
        before = await tree(provider)
        with pytest.raises(NotFound):
            await take(verb, provider, provider, FILE, NEW, WriteMode.REPLACE)
        assert await tree(provider) == before

    @BOTH
    async def test_copy_the_wrong_kind_of_source(self, provider: Provider, verb: str) -> None:
        """A file's path takes no folder."""
        await self.seed(provider, {"/folder/a": b"1"})
        before = await tree(provider)
        with pytest.raises(wrong_kind(provider, IsAFolder)):
            await take(verb, provider, provider, FOLDER.as_file(), NEW, WriteMode.CREATE)
        assert await tree(provider) == before

    @BOTH
    @pytest.mark.needs("empty_folders")
    async def test_copy_the_folder_is_missing(self, provider: Provider, verb: str) -> None:
        """Where folders are things of their own, none is made by the way."""
        await put(provider, FILE, b"data")
        before = await tree(provider)
        with pytest.raises((NotFound, NotAFolder)):
            await take(
                verb, provider, provider, FILE, Path.parse("/no/such/file"), WriteMode.CREATE
            )
        assert await tree(provider) == before

    @BOTH
    @pytest.mark.parametrize("to", ["/folder/", "/folder/inside/", "/folder/sub/inside/"])
    async def test_copy_into_itself(self, provider: Provider, verb: str, to: str) -> None:
        """A folder is not put inside itself."""
        await self.seed(provider, TREE)
        before = await tree(provider)
        with pytest.raises((SamePlace, Unsupported, AlreadyExists)):
            await take(verb, provider, provider, FOLDER, Path.parse(to), WriteMode.CREATE)
        assert await tree(provider) == before

    @BOTH
    @pytest.mark.parametrize("mode", list(WriteMode), ids=lambda mode: mode.value)
    async def test_copy_onto_itself(self, provider: Provider, verb: str, mode: WriteMode) -> None:
        """A file that is put in its own place is not lost, whether that is refused or not."""
        await put(provider, FILE, b"data")
        with suppress(WaterButlerError):
            await take(verb, provider, provider, FILE, FILE, mode)
        assert await contents(provider) == {"/file.txt": b"data"}

    @BOTH
    @pytest.mark.parametrize(("at", "to"), [("/file.txt", "/new.txt"), ("/folder/", "/new/")])
    async def test_copy_a_strange_source(
        self, provider: Provider, verb: str, at: str, to: str
    ) -> None:
        """A storage that cannot be reached from here is refused before anything changes."""
        inside = MemoryProvider("stranger")
        await put(inside, FILE, b"data")
        await inside.make_folder(FOLDER)
        stranger = FlakyProvider(inside, opaque=True)
        await put(provider, Path.parse("/stays"), b"stays")
        before = await tree(provider), await tree(inside)
        with pytest.raises(Unsupported):
            await take(verb, provider, stranger, Path.parse(at), Path.parse(to), WriteMode.CREATE)
        assert (await tree(provider), await tree(inside)) == before

    @BOTH
    async def test_copy_a_wrapped_source(self, provider: Provider, verb: str) -> None:
        """A source with a layer around it is the same storage."""
        await put(provider, FILE, b"data")
        await take(verb, provider, FlakyProvider(provider), FILE, NEW, WriteMode.CREATE)
        assert await get(provider, NEW) == b"data"

    @pytest.mark.lacks("copy_from")
    async def test_copy_undeclared(self, provider: Provider) -> None:
        """A storage that does not declare `copy_from` refuses it."""
        await self.seed(provider, {"/file.txt": b"data"})
        with pytest.raises(Unsupported):
            await provider.copy_from(provider, FILE, NEW)
        assert await contents(provider) == {"/file.txt": b"data"}

    @pytest.mark.lacks("move_from")
    async def test_move_undeclared(self, provider: Provider) -> None:
        """A storage that does not declare `move_from` refuses it."""
        await self.seed(provider, {"/file.txt": b"data"})
        with pytest.raises(Unsupported):
            await provider.move_from(provider, FILE, NEW)
        assert await contents(provider) == {"/file.txt": b"data"}
