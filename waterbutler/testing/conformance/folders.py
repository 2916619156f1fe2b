"""Listing and making folders."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from waterbutler.core import ROOT, Path, Provider
from waterbutler.core.errors import AlreadyExists, NotAFolder, NotFound, Unsupported
from waterbutler.testing.conformance.base import (
    FILE,
    FOLDER,
    MISSING_FOLDER,
    ContractBase,
    contents,
    entries,
    listing,
    put,
    put_many,
    tree,
    wrong_kind,
)


class Listing(ContractBase):
    """What `list` promises."""

    async def test_list_an_empty_storage(self, provider: Provider) -> None:
        """There is nothing in an empty root."""
        assert await listing(provider) == []

    async def test_list_an_empty_folder(self, provider: Provider) -> None:
        """There is nothing in an empty folder."""
        await self.seed(provider, {"/folder/": None})
        assert await listing(provider, FOLDER) == []

    async def test_list_only_what_is_directly_inside(self, provider: Provider) -> None:
        """Neither grandchildren nor the folder itself nor names that begin alike are listed."""
        await self.seed(
            provider,
            {
                "/folder/a": b"1",
                "/folder/sub/b": b"2",
                "/folder/sub/sub/c": b"3",
                "/folder2/d": b"4",
                "/folder.txt": b"5",
                "/folder-": b"6",
            },
        )
        assert await listing(provider) == ["/folder-", "/folder.txt", "/folder/", "/folder2/"]
        assert await listing(provider, FOLDER) == ["/folder/a", "/folder/sub/"]
        assert await listing(provider, Path.parse("/folder/sub/sub/")) == ["/folder/sub/sub/c"]

    async def test_list_entries_are_children(self, provider: Provider) -> None:
        """Each entry has a full path, a name and the right kind."""
        await self.seed(provider, {"/folder/a": b"123", "/folder/sub/b": b""})
        file, folder = await entries(provider, FOLDER)
        assert (file.path, file.name, file.is_folder) == (FOLDER.child("a"), "a", False)
        assert (folder.path, folder.is_folder) == (FOLDER.child("sub", folder=True), True)
        assert file.size == 3

    @pytest.mark.parametrize("path", [MISSING_FOLDER, Path.parse("/no/such/")], ids=str)
    async def test_list_nothing(self, provider: Provider, path: Path) -> None:
        """A missing folder is not an empty one."""
        with pytest.raises(NotFound):
            await entries(provider, path)

    async def test_list_a_file_has_no_entries(self, provider: Provider) -> None:
        """A file is not an empty folder."""
        await self.seed(provider, {"/file.txt": b""})
        with pytest.raises(wrong_kind(provider, NotAFolder)):
            await entries(provider, FILE.as_folder())

    @pytest.mark.needs("write", "duplicate_names")
    async def test_list_a_file_and_a_folder_of_one_name(self, provider: Provider) -> None:
        """Where both may have a name, both are listed."""
        await self.seed(provider, {"/folder/a": b"1", "/folder": b"2"})
        assert await listing(provider) == ["/folder", "/folder/"]
        await provider.delete(FOLDER)
        assert await contents(provider) == {"/folder": b"2"}

    @pytest.mark.needs("write")
    async def test_list_more_than_two_pages(self, provider: Provider) -> None:
        """A large folder is listed completely, each entry once."""
        await self.seed(provider, {"/folder/first": b""})
        names = [f"entry {number:05}" for number in range(self.page_entries)]
        await put_many(provider, [FOLDER.child(name) for name in names])
        found = [entry.name async for entry in provider.list(FOLDER)]
        assert sorted(found) == [*names, "first"]
        assert await listing(provider) == ["/folder/"]

    @pytest.mark.needs("write")
    async def test_list_changes_meanwhile(self, provider: Provider) -> None:
        """What is neither added nor removed while listing is listed, once."""
        names = [f"entry {number:05}" for number in range(self.page_entries)]
        await put_many(provider, [ROOT.child(name) for name in names])
        seen: list[str] = []
        removed: set[str] = set()
        async for entry in provider.list(ROOT):
            seen.append(entry.name)
            if len(seen) in {1, self.page_entries // 3, self.page_entries // 2}:
                behind = next(name for name in seen if name in names and name not in removed)
                ahead = next(name for name in names[::-1] if name not in {*seen, *removed})
                for name in (behind, ahead):
                    await provider.delete(ROOT.child(name))
                    removed.add(name)
                await put(provider, ROOT.child(f"{behind} added"), b"")
        assert len(set(seen)) == len(seen)
        assert set(names) - removed <= set(seen)
        assert {name for name in seen if "added" not in name} <= set(names)

    async def test_list_stopping_early(self, provider: Provider) -> None:
        """Whoever has seen enough may leave."""
        await self.seed(provider, {f"/{number}": b"" for number in range(5)})
        listed = provider.list(ROOT)
        first = await anext(listed)
        if isinstance(listed, AsyncGenerator):
            await listed.aclose()
        assert str(first.path) in await listing(provider)

    async def test_list_two_listings_at_once(self, provider: Provider) -> None:
        """Listings do not disturb each other."""
        await self.seed(provider, {"/a": b"", "/b": b"", "/folder/c": b""})
        pairs = [
            (str(outer.path), str(inner.path))
            async for outer in provider.list(ROOT)
            async for inner in provider.list(ROOT)
        ]
        texts = ["/a", "/b", "/folder/"]
        assert sorted(pairs) == [(outer, inner) for outer in texts for inner in texts]


class Folders(ContractBase):
    """What `make_folder` promises."""

    @pytest.mark.needs("make_folder")
    async def test_make_folder_new(self, provider: Provider) -> None:
        """A new folder is there and empty."""
        entry = await provider.make_folder(FOLDER)
        assert entry.path == FOLDER
        assert entry.is_folder
        assert (await provider.stat(FOLDER)).path == FOLDER
        assert await listing(provider) == ["/folder/"]
        assert await listing(provider, FOLDER) == []

    @pytest.mark.needs("make_folder", "write")
    async def test_make_folder_nested(self, provider: Provider) -> None:
        """Folders are made in folders, and files put there."""
        await provider.make_folder(FOLDER)
        inner = FOLDER.child("inner", folder=True)
        await provider.make_folder(inner)
        await put(provider, inner.child("file"), b"data")
        assert await contents(provider) == {
            "/folder/": None,
            "/folder/inner/": None,
            "/folder/inner/file": b"data",
        }

    @pytest.mark.needs("make_folder", "write")
    async def test_make_folder_a_folder_has_the_name(self, provider: Provider) -> None:
        """A folder is not made twice, and the first one keeps its content."""
        await self.seed(provider, {"/folder/a": b"1"})
        before = await tree(provider)
        with pytest.raises(AlreadyExists):
            await provider.make_folder(FOLDER)
        assert await tree(provider) == before

    @pytest.mark.needs("make_folder")
    async def test_make_folder_the_root_has_its_name(self, provider: Provider) -> None:
        """The root is there already."""
        with pytest.raises(AlreadyExists):
            await provider.make_folder(ROOT)

    @pytest.mark.needs("make_folder", "write")
    @pytest.mark.lacks("duplicate_names")
    async def test_make_folder_a_file_has_the_name(self, provider: Provider) -> None:
        """A folder never takes the place of a file."""
        await put(provider, FILE, b"data")
        before = await tree(provider)
        with pytest.raises(AlreadyExists):
            await provider.make_folder(FILE.as_folder())
        assert await tree(provider) == before

    @pytest.mark.needs("make_folder", "empty_folders")
    async def test_make_folder_the_folder_above_is_missing(self, provider: Provider) -> None:
        """No folder is made by the way."""
        with pytest.raises(NotFound):
            await provider.make_folder(Path.parse("/no/such/folder/"))
        assert await listing(provider) == []

    @pytest.mark.needs("make_folder", "write", "empty_folders")
    async def test_make_folder_a_file_is_no_folder(self, provider: Provider) -> None:
        """No folder can be inside a file."""
        await put(provider, FILE, b"data")
        before = await tree(provider)
        with pytest.raises((NotFound, NotAFolder)):
            await provider.make_folder(FILE.as_folder().child("inside", folder=True))
        assert await tree(provider) == before

    @pytest.mark.lacks("make_folder")
    async def test_make_folder_undeclared(self, provider: Provider) -> None:
        """A storage that does not declare `make_folder` refuses it."""
        with pytest.raises(Unsupported):
            await provider.make_folder(FOLDER)
        assert await listing(provider) == []
