"""Walking a tree: everything, once, and never much at a time."""

import asyncio
import itertools
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from tests.engine.support import TREE, fill, path
from waterbutler.core import ROOT, Entry, Path
from waterbutler.core.errors import BadPath, NotAFolder, NotFound, ProviderUnavailable
from waterbutler.engine.walk import FolderStack, walk
from waterbutler.testing.faults import FlakyProvider
from waterbutler.testing.memory import MemoryProvider


class Counting(MemoryProvider):
    """Tells how much was listed, and how many listings were open at once."""

    def __init__(self):
        super().__init__()
        self.given = self.open = self.most = 0

    async def list(self, folder):
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            async for entry in super().list(folder):
                self.given += 1
                yield entry
        finally:
            self.open -= 1


def wide(folders=20, files=3):
    pairs = itertools.product(range(folders), range(files))
    return {f"/f{folder}/{file}": b"" for folder, file in pairs}


@pytest.mark.parametrize("listings", [1, 2, 7])
async def test_everything_once_and_folders_first(listings):
    """Each entry comes once, after the folders above it."""
    provider = await fill(MemoryProvider(), TREE | wide())
    seen = [entry async for entry in walk(provider, ROOT, listings=listings)]
    paths = [str(entry.path) for entry in seen]
    folders = {f"/f{number}/" for number in range(20)}
    assert sorted(paths) == sorted({*TREE, *wide(), *folders})
    for number, entry in enumerate(seen):
        above = {str(folder) for folder in entry.path.ancestors if not folder.is_root}
        assert above <= set(paths[:number])


async def test_entries_are_those_of_the_listing():
    """Sizes and hashes are not lost."""
    provider = await fill(MemoryProvider(), {"/t/a": b"12"})
    assert [entry async for entry in walk(provider, path("/t/"))] == [
        await provider.stat(path("/t/a"))
    ]


async def test_below_an_empty_folder_is_nothing():
    """And the folder itself is not below it."""
    provider = await fill(MemoryProvider(), {"/t/": None})
    assert [entry async for entry in walk(provider, path("/t/"))] == []


async def test_no_more_is_listed_than_is_asked_for():
    """The walk waits for its reader."""
    provider = await fill(Counting(), wide(folders=30, files=10))
    async with aclosing(walk(provider, ROOT, listings=2, ahead=5)) as entries:
        await anext(entries)
        for _ in range(1000):
            await asyncio.sleep(0)
        assert provider.given <= 1 + 5 + 2 + 2
        assert provider.most <= 2
    assert provider.open == 0


async def test_listings_are_bounded():
    """Several folders are listed at once, but not more than allowed."""
    provider = await fill(Counting(), wide())
    assert len([entry async for entry in walk(provider, ROOT, listings=3)]) == 80
    assert 2 <= provider.most <= 3


async def test_folders_that_are_not_entered():
    """They are there, what is in them is not."""
    provider = await fill(MemoryProvider(), TREE)
    asked = []

    async def enter(folder):
        asked.append(str(folder.path))
        return folder.name != "sub"

    seen = {str(entry.path) async for entry in walk(provider, path("/t/"), enter=enter)}
    assert seen == {"/t/a.txt", "/t/empty", "/t/hollow/", "/t/sub/"}
    assert sorted(asked) == ["/t/hollow/", "/t/sub/"]


async def test_folders_are_entered_before_they_are_listed():
    """And after those above them."""
    provider = await fill(MemoryProvider(), TREE)
    entered = [path("/t/")]

    async def enter(folder):
        assert folder.path.parent in entered
        await asyncio.sleep(0)
        entered.append(folder.path)
        return True

    async for entry in walk(provider, path("/t/"), enter=enter):
        assert entry.is_folder or entry.path.parent in entered


async def test_only_empty_folders():
    """Others are left out, with everything in them still there."""
    provider = await fill(MemoryProvider(), TREE)
    seen = {str(entry.path) async for entry in walk(provider, ROOT, only_empty_folders=True)}
    assert seen == {"/t/a.txt", "/t/empty", "/t/hollow/", "/t/sub/b.bin", "/t/sub/deep/c"}


async def test_an_empty_top_is_left_out():
    """Also when only empty folders are wanted."""
    assert [entry async for entry in walk(MemoryProvider(), ROOT, only_empty_folders=True)] == []


@pytest.mark.parametrize("call", range(1, 5))
async def test_errors_of_a_listing_are_raised(call):
    """No listing is passed over in silence."""
    provider = FlakyProvider(await fill(MemoryProvider(), TREE))
    provider.fail("list", ProviderUnavailable("down"), at=call)
    with pytest.raises(ProviderUnavailable):
        [entry async for entry in walk(provider, path("/t/"))]


@pytest.mark.parametrize(
    ("top", "error"), [("/t/a.txt/", NotAFolder), ("/no/", NotFound), ("/t/a.txt", BadPath)]
)
async def test_what_is_no_folder(top, error):
    """A file and nothing cannot be walked."""
    provider = await fill(MemoryProvider(), TREE)
    with pytest.raises(error):
        [entry async for entry in walk(provider, path(top))]


async def test_leaving_early_leaves_nothing_running():
    """Closing ends the listings."""
    provider = await fill(Counting(), wide())
    before = asyncio.all_tasks()
    entries = walk(provider, ROOT)
    await anext(entries)
    await entries.aclose()
    assert asyncio.all_tasks() == before
    assert provider.open == 0


@pytest.mark.parametrize("count", [0, 1, 5, 40])
async def test_waiting_folders_come_back_from_disk(count):
    """Names, ids and times survive, in the order of a stack."""
    stack = FolderStack(block=3)
    folders = [
        Entry(
            path=Path(("ä\n", str(number)), True, (None, f"id{number}")),
            modified=datetime(2024, 1, 1, 0, 0, 0, number, tzinfo=UTC) if number % 2 else None,
        )
        for number in range(count)
    ]
    for folder in folders:
        await stack.push(folder)
    assert len(stack) == count
    back = [await stack.pop() for _ in range(count)]
    assert back == folders[::-1]
    assert [entry.path.ids for entry in back] == [entry.path.ids for entry in folders[::-1]]
    stack.close()


async def test_pushing_and_popping_by_turns():
    """The stack is right whatever went to disk in between."""
    stack, expected = FolderStack(block=2), []
    for number in range(60):
        for step in range(number % 5):
            folder = Entry(path=ROOT.child(f"{number} {step}", folder=True))
            expected.append(folder)
            await stack.push(folder)
        for _ in range(min(number % 4, len(expected))):
            assert await stack.pop() == expected.pop()
        assert len(stack) == len(expected)
    stack.close()


async def test_more_folders_than_stay_in_memory(monkeypatch):
    """A walk finds everything also when most folders wait on disk."""
    monkeypatch.setattr("waterbutler.engine.walk.FolderStack", lambda: FolderStack(block=2))
    provider = await fill(MemoryProvider(), wide(folders=50))
    assert len([entry async for entry in walk(provider, ROOT, listings=2)]) == 200
