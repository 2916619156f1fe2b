"""Uploads and the removal of blobs keep out of each other's way."""

import asyncio

import pytest

from tests.host.conftest import blob
from waterbutler.core import ByteStream, Path
from waterbutler.core.errors import ProviderUnavailable
from waterbutler.host import Database, EmbeddedTrees, leases, remove, unreferenced
from waterbutler.testing.memory import MemoryProvider


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(leases, "_PATIENCE", 0.3)


@pytest.fixture
def elsewhere(url, trees, io_loop):
    """The same trees in what could be another process."""
    made = EmbeddedTrees(Database(url))
    yield made
    io_loop.run_sync(made.aclose)


async def test_nothing_is_removed_while_an_upload_runs(tree, elsewhere):
    async with tree.uploading():
        with pytest.raises(ProviderUnavailable):
            async with elsewhere.sweeping():
                pass


async def test_no_upload_begins_while_blobs_are_removed(trees, tree, elsewhere):
    async with elsewhere.sweeping():
        with pytest.raises(ProviderUnavailable):
            async with tree.uploading():
                pass
        with pytest.raises(ProviderUnavailable):
            await trees.leases.announce("guid0")
    async with tree.uploading():
        pass


async def test_an_upload_waits_for_a_short_removal(tree, elsewhere, monkeypatch):
    monkeypatch.setattr(leases, "_PATIENCE", 30)
    async with elsewhere.sweeping():
        upload = asyncio.create_task(_upload(tree))
        await asyncio.sleep(0.05)
        assert not upload.done()
    assert await upload == "done"


async def _upload(tree):
    async with tree.uploading():
        return "done"


async def test_only_one_removes(trees, elsewhere):
    async with trees.sweeping():
        with pytest.raises(ProviderUnavailable):
            async with elsewhere.sweeping():
                pass


async def test_an_idle_process_gives_its_own_lease_up(trees, tree):
    async with tree.uploading():
        pass
    async with trees.sweeping():
        pass
    async with tree.uploading():
        pass


async def test_a_lease_ends_by_itself(tree, elsewhere, monkeypatch):
    monkeypatch.setattr(leases, "LASTS", 0.4)
    async with tree.uploading():
        pass
    await _until_free(elsewhere)


async def test_a_long_upload_keeps_its_lease(tree, elsewhere, monkeypatch):
    monkeypatch.setattr(leases, "LASTS", 2)
    async with tree.uploading():
        await asyncio.sleep(2.5)
        with pytest.raises(ProviderUnavailable):
            async with elsewhere.sweeping():
                pass


async def test_many_uploads_share_a_lease(trees, tree):
    taken = []
    write = trees.database.write

    async def counted(work):
        taken.append(work)
        return await write(work)

    trees.database.write = counted
    try:
        await asyncio.gather(*(_upload(tree) for _ in range(20)))
    finally:
        del trees.database.write
    assert len(taken) == 1


async def test_an_announced_upload_counts_until_it_is_over(trees, elsewhere):
    await trees.leases.announce("guid0")
    await trees.leases.announce("guid1")
    await trees.leases.retract("guid0")
    with pytest.raises(ProviderUnavailable):
        async with elsewhere.sweeping():
            pass
    await trees.leases.retract("guid1")
    await trees.leases.retract("guid1")
    async with elsewhere.sweeping():
        pass


async def test_closing_gives_up_what_is_held(trees, elsewhere):
    async with elsewhere.tree("guid0").uploading():
        pass
    await elsewhere.leases.aclose()
    async with trees.sweeping():
        pass


class TestSweeping:
    """A blob store with what is needed, what is not, and what is none of our business."""

    @pytest.fixture
    def store(self):
        return MemoryProvider()

    async def fill(self, store, tree, root):
        for content in ("needed", "idle", "deleted"):
            await store.write(
                Path.parse(f"/{blob(content).object}"), ByteStream.of(content.encode())
            )
        await store.write(Path.parse("/0b8b6a43-pending"), ByteStream.of(b"pending"))
        await store.make_folder(Path.parse("/folder/"))
        await tree.record(root.id, "f", blob("needed"), user=None)
        gone = (await tree.record(root.id, "g", blob("deleted"), user=None)).node
        await tree.delete(gone.id, user=None)

    async def left(self, store):
        return {entry.name async for entry in store.list(Path())}

    async def test_only_what_nothing_needs_is_found_and_removed(self, store, trees, tree, root):
        await self.fill(store, tree, root)
        found = [entry async for entry in unreferenced(store, trees)]
        assert {entry.name for entry in found} == {blob("idle").object, blob("deleted").object}
        assert await remove(store, found, trees) == 2
        assert await self.left(store) == {blob("needed").object, "0b8b6a43-pending", "folder"}
        assert await remove(store, found, trees) == 0

    async def test_what_is_needed_by_now_stays(self, store, trees, tree, root):
        await self.fill(store, tree, root)
        found = [entry async for entry in unreferenced(store, trees)]
        await tree.record(root.id, "h", blob("idle"), user=None)
        assert await remove(store, found, trees) == 1
        assert blob("idle").object in await self.left(store)

    async def test_nothing_goes_while_an_upload_runs(self, store, trees, tree, root, elsewhere):
        await self.fill(store, tree, root)
        before = await self.left(store)
        found = [entry async for entry in unreferenced(store, trees)]
        async with elsewhere.tree("guid0").uploading():
            with pytest.raises(ProviderUnavailable):
                await remove(store, found, trees)
        assert await self.left(store) == before


async def _until_free(trees):
    for _ in range(100):
        try:
            async with trees.sweeping():
                return
        except ProviderUnavailable:
            await asyncio.sleep(0.1)
    raise AssertionError("the lease did not end")
