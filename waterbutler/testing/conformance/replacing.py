"""Folders that take the place of others on the storage's side."""

from __future__ import annotations

import asyncio

import pytest

from waterbutler.core import Path, Provider, WriteMode
from waterbutler.core.errors import (
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
    listing,
    put,
    tree,
)
from waterbutler.testing.conformance.copying import (
    BOTH,
    NEW_FOLDER,
    TREE,
    take,
    take_if_possible,
)

OLD = {"/new/a": b"old", "/new/gone": b"", "/new/deep/deeper/x": b"x"}
"""What gives way."""
DECLARED = pytest.mark.needs("replaces_folders")


class Replacing(ContractBase):
    """What `copy_from` and `move_from` promise for folders with ``REPLACE``."""

    @BOTH
    @DECLARED
    @pytest.mark.parametrize("there", [OLD, {"/new/": None}, {}], ids=["full", "empty", "nothing"])
    async def test_replace_a_folder(
        self, provider: Provider, verb: str, there: dict[str, bytes | None]
    ) -> None:
        """The new folder has the name, with its content only; nothing shows the old one."""
        await self.seed(provider, {**TREE, **there})
        before = await contents(provider, FOLDER)
        entry = await take_if_possible(
            verb, provider, provider, FOLDER, NEW_FOLDER, WriteMode.REPLACE
        )
        assert entry.path == NEW_FOLDER
        assert await contents(provider, NEW_FOLDER) == before
        assert await listing(provider) == (["/folder/", "/new/"] if verb == "copy" else ["/new/"])
        if verb == "copy":
            assert await contents(provider, FOLDER) == before

    @BOTH
    @DECLARED
    async def test_replace_a_folder_elsewhere(self, provider: Provider, verb: str) -> None:
        """What is replaced may be in another folder, whose other content stays."""
        await self.seed(provider, {**TREE, "/else/new/a": b"old", "/else/stays": b"1"})
        before = await contents(provider, FOLDER)
        target = Path.parse("/else/new/")
        await take_if_possible(verb, provider, provider, FOLDER, target, WriteMode.REPLACE)
        assert await contents(provider, target) == before
        assert await listing(provider, target.parent) == ["/else/new/", "/else/stays"]

    @BOTH
    @DECLARED
    async def test_replace_from_another_storage(
        self, provider: Provider, neighbour: Provider, verb: str
    ) -> None:
        """Between two storages of a kind it works alike, or is refused."""
        await self.seed(provider, OLD)
        await self.seed(neighbour, TREE)
        before = await contents(neighbour, FOLDER)
        await take_if_possible(verb, provider, neighbour, FOLDER, NEW_FOLDER, WriteMode.REPLACE)
        assert await contents(provider, NEW_FOLDER) == before
        assert await listing(provider) == ["/new/"]
        assert await listing(neighbour) == (["/folder/"] if verb == "copy" else [])

    @BOTH
    @DECLARED
    async def test_replace_at_every_moment(self, provider: Provider, verb: str) -> None:
        """Whoever looks meanwhile finds the old folder or the new one."""
        await self.seed(provider, {**TREE, **OLD})
        change = asyncio.ensure_future(
            take(verb, provider, provider, FOLDER, NEW_FOLDER, WriteMode.REPLACE)
        )
        try:
            while not change.done():
                assert (await provider.stat(NEW_FOLDER)).path == NEW_FOLDER
                await asyncio.sleep(0)
        finally:
            await asyncio.wait([change])
        if isinstance(change.exception(), Unsupported):
            pytest.skip(f"the storage cannot {verb} this on its side")
        await change

    @BOTH
    @DECLARED
    @pytest.mark.lacks("duplicate_names")
    async def test_replace_no_file(self, provider: Provider, verb: str) -> None:
        """A folder never takes the place of a file."""
        await self.seed(provider, TREE)
        await put(provider, FILE, b"stays")
        before = await tree(provider)
        with pytest.raises((NotAFolder, Unsupported)):
            await take(verb, provider, provider, FOLDER, FILE.as_folder(), WriteMode.REPLACE)
        assert await tree(provider) == before

    @BOTH
    @DECLARED
    @pytest.mark.parametrize("to", ["/folder/", "/folder/sub/", "/folder/sub/sub/"])
    async def test_replace_around_and_inside(self, provider: Provider, verb: str, to: str) -> None:
        """Neither the source, nor a folder around it or in it, gives way to the source."""
        await self.seed(provider, TREE)
        before = await tree(provider)
        with pytest.raises((SamePlace, Unsupported)):
            await take(
                verb,
                provider,
                provider,
                Path.parse("/folder/sub/"),
                Path.parse(to),
                WriteMode.REPLACE,
            )
        assert await tree(provider) == before

    @BOTH
    @DECLARED
    async def test_replace_by_nothing(self, provider: Provider, verb: str) -> None:
        """The old folder stays if there is nothing to put in its place."""
        await self.seed(provider, OLD)
        before = await tree(provider)
        with pytest.raises((NotFound, Unsupported)):
            await take(verb, provider, provider, FOLDER, NEW_FOLDER, WriteMode.REPLACE)
        assert await tree(provider) == before

    @BOTH
    @pytest.mark.lacks("replaces_folders")
    async def test_replace_undeclared(self, provider: Provider, verb: str) -> None:
        """A storage that does not declare `replaces_folders` leaves the old folder as it is."""
        await self.seed(provider, {**TREE, **OLD})
        before = await tree(provider)
        with pytest.raises(WaterButlerError):
            await take(verb, provider, provider, FOLDER, NEW_FOLDER, WriteMode.REPLACE)
        assert await tree(provider) == before
