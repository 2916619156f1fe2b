"""The API does the same over every storage, which knows nothing of it."""

import pytest

from tests.gateway.client import VOCABULARIES, Gateway
from tests.harness import TOKENS, LiveServer
from tests.matrix import storages
from tests.providers.osfstorage_support import folder, opened, registry
from waterbutler.core import ROOT
from waterbutler.host.database import Database
from waterbutler.host.tree import EmbeddedTrees
from waterbutler.http import HttpClient
from waterbutler.server import paging


class Contract:
    """Everything that a client does, in one go per subject; `storage` makes an empty storage."""

    @pytest.fixture
    def client(self, make_server, words, storage, io_loop):
        server: LiveServer = io_loop.run_sync(lambda: make_server(storages={"memory": storage}))
        client = Gateway(server, words)
        where = {"resource": "guid0", "provider": "memory"}
        yield io_loop.run_sync(lambda: client.sign_in(TOKENS["alice"], **where))
        io_loop.run_sync(lambda: empty(storage))

    async def test_files_come_change_and_go(self, client):
        made = await client.upload(client.root, "č a.txt", b"12345")
        assert (made.type, made.name, made.size, made.parent) == (
            *("file", "č a.txt", 5),
            client.root if client.words is VOCABULARIES["second"] else None,
        )
        assert (await client.describe(made.id)).raw == made.raw
        assert (await client.children(client.root))["č a.txt"].raw == made.raw
        assert await client.download(made.id) == b"12345"
        part = await client.send("download", made.id, headers={"Range": "bytes=1-2"})
        assert (part.status, part.body) == (206, b"23")
        changed = await client.update(made.id, b"54321")
        assert changed.id == made.id
        assert changed.etag != made.etag
        assert await client.download(made.id) == b"54321"
        await client.delete(made.id)
        assert (await client.send("describe", made.id)).status == 404
        assert (await client.send("download", made.id)).status == 404
        assert (await client.send("delete", made.id)).status == 404
        assert await client.children(client.root) == {}

    async def test_folders_come_move_and_go(self, client):
        outer = await client.folder(client.root, "outer")
        inner = await client.folder(outer.id, "inner")
        file = await client.upload(inner.id, "file", b"1")
        assert (await client.describe(inner.id)).name == "inner"
        renamed = await client.rename(outer, "new")
        inner = (await client.children(renamed.id))["inner"]
        file = (await client.children(inner.id))["file"]
        assert await client.download(file.id) == b"1"
        moved = await client.move(inner, client.root)
        assert (await client.describe(moved.id)).raw == moved.raw
        assert set(await client.children(client.root)) == {"new", "inner"}
        file = (await client.children(moved.id))["file"]
        up = await client.move(file, renamed.id)
        up = await client.rename(up, "other")
        assert await client.download(up.id) == b"1"
        assert (await client.describe(up.id)).raw == up.raw
        assert set(await client.children(renamed.id)) == {"other"}
        await client.delete(renamed.id)
        assert set(await client.children(client.root)) == {"inner"}
        for gone in (renamed, up):
            assert (await client.send("describe", gone.id)).status == 404

    async def test_old_ids_are_unknown_or_still_the_same_thing(self, client):
        file = await client.upload(client.root, "file", b"1")
        renamed = await client.rename(file, "new")
        reply = await client.send("describe", file.id)
        assert reply.status == 404 or reply.json == renamed.raw

    async def test_taken_names_stay_taken(self, client):
        words = client.words
        file = await client.upload(client.root, "taken", b"old")
        other = await client.upload(client.root, "other", b"1")
        folder = await client.folder(client.root, "folder")
        inner = await client.upload(folder.id, "taken", b"2")
        says = client.says("taken", 3, 1)
        assert (await client.send("create", client.root, b"new", says)).status == 409
        assert (await client.send("rename", other.id, {words["new_name"]: "taken"})).status == 409
        reply = await client.send("move", inner.id, {words["new_parent"]: client.root})
        assert reply.status == 409
        assert (await client.send("folder", client.root, {words["name"]: "folder"})).status == 409
        assert await client.download(file.id) == b"old"
        assert (await client.describe(file.id)).raw == file.raw

    async def test_what_makes_no_sense_is_refused(self, client):
        words = client.words
        folder = await client.folder(client.root, "f")
        file = await client.upload(client.root, "a", b"1")
        says = client.says("x", 1, 1)
        assert (await client.send("children", file.id)).status == 400
        assert (await client.send("download", folder.id)).status == 400
        assert (await client.send("update", folder.id, b"1", says)).status == 400
        assert (await client.send("create", file.id, b"1", says)).status == 400
        assert (await client.send("folder", file.id, {words["name"]: "x"})).status == 400
        assert (await client.send("move", folder.id, {words["new_parent"]: file.id})).status == 400
        assert (
            await client.send("move", folder.id, {words["new_parent"]: folder.id})
        ).status == 403
        await client.delete(folder.id)
        assert (await client.send("create", folder.id, b"1", says)).status == 404
        assert (await client.send("folder", folder.id, {words["name"]: "x"})).status == 404
        assert (await client.send("children", folder.id)).status == 404
        assert set(await client.children(client.root)) == {"a"}

    async def test_a_body_that_is_not_as_promised_leaves_nothing(self, client):
        file = await client.upload(client.root, "a", b"old")
        says = client.says("new", 7, 1)
        assert (await client.send("create", client.root, b"new", says)).status == 400
        assert (await client.send("update", file.id, b"new", says)).status == 400
        assert await client.download(file.id) == b"old"
        assert set(await client.children(client.root)) == {"a"}

    async def test_pages_have_everything_once(self, client, monkeypatch):
        monkeypatch.setattr(paging, "MAX_PAGE", 2)
        names = {"a", "b c", "ä", "z.txt", "Z"}
        for name in names:
            await client.upload(client.root, name, b"")
        found, token = [], ""
        while token is not None:
            page, token = await client.page(client.root, token)
            found += [meta.name for meta in page]
        assert len(found) == len(names)
        assert set(found) == names


async def empty(storage):
    await storage.delete(ROOT)
    await storage.aclose()


class TestMemory(Contract):
    @pytest.fixture
    def storage(self, tmp_path):
        return storages.STORAGES["memory"](tmp_path)


class TestFilesystem(Contract):
    @pytest.fixture
    def storage(self, tmp_path):
        return storages.STORAGES["filesystem"](tmp_path)


class TestS3(Contract):
    @pytest.fixture
    def storage(self, tmp_path):
        return storages.SERVED["s3"](tmp_path)


class TestOsfStorage(Contract):
    @pytest.fixture
    def storage(self, tmp_path, io_loop):
        trees = EmbeddedTrees(Database(f"sqlite:///{tmp_path}/host.db"))
        http = HttpClient()
        yield opened(None, http, folder(tmp_path / "blobs"), trees=trees, storages=registry())
        io_loop.run_sync(trees.leases.aclose)
        io_loop.run_sync(trees.aclose)
        io_loop.run_sync(http.aclose)
