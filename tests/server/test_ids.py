"""Storages whose URLs hold ids: what the contract says of them is true of v1 as a whole."""

import msgspec
import pytest

from tests.harness import BASE, LiveServer, named
from waterbutler.core import Path
from waterbutler.core.errors import NotFound
from waterbutler.testing.memory import MemoryProvider


class Identified(MemoryProvider):
    """Gives each name an id of its own; URLs are ``/<id>`` and ``/<id>/``."""

    def __init__(self):
        super().__init__()
        self._ids = {}
        self._paths = {}

    def _id(self, path):
        if path not in self._ids:
            self._ids[path] = f"id{len(self._ids)}"
            self._paths[self._ids[path]] = path
        return self._ids[path]

    def _named(self, entry):
        ids = []
        for depth in range(1, len(entry.path.names) + 1):
            last = depth == len(entry.path.names)
            prefix = Path(entry.path.names[:depth], entry.path.is_folder if last else True)
            ids.append(self._id(prefix))
        return msgspec.structs.replace(
            entry, path=Path(entry.path.names, entry.path.is_folder, tuple(ids))
        )

    async def stat(self, path, *, version=None):
        return self._named(await super().stat(path, version=version))

    async def list(self, path):
        async for entry in super().list(path):
            yield self._named(entry)

    async def read(self, path, *, range=None, version=None):
        content = await super().read(path, range=range, version=version)
        return msgspec.structs.replace(content, entry=self._named(content.entry))

    async def write(self, path, body, *, mode, content_type=None, modified=None):
        return self._named(await super().write(path, body, mode=mode))

    async def make_folder(self, path):
        return self._named(await super().make_folder(path))

    async def locate(self, wire):
        if wire.is_root:
            return wire
        found = self._paths.get(wire.name) if len(wire.names) == 1 else None
        if found is None or found.is_folder != wire.is_folder:
            raise NotFound("There is no such id.")
        return (await self.stat(found)).path

    def wire_path(self, path):
        return path if path.is_root else Path((path.id or "missing",), path.is_folder)


@pytest.fixture
def ids(make_server, io_loop):
    return io_loop.run_sync(lambda: make_server(storages={"memory": Identified()}))


async def test_a_walk_by_links(ids: LiveServer):
    """Every link that is shown works, and paths in URLs are never names."""
    folder = (await ids.put(named("folder", "folder"))).data
    assert folder["attributes"]["path"] == "/id0/"
    assert folder["attributes"]["materialized"] == "/folder/"
    upload = folder["links"]["upload"].removeprefix(ids.url) + "&name=a b.txt".replace(" ", "%20")
    file = (await ids.put(upload, b"data")).data
    assert file["id"] == f"memory{file['attributes']['path']}"
    assert file["attributes"]["materialized"] == "/folder/a b.txt"
    target = file["links"]["download"].removeprefix(ids.url)
    assert target.count("/") == BASE.count("/") + 1
    reply = await ids.get(target)
    assert reply.body == b"data"
    assert 'filename="a b.txt"' in reply.headers["Content-Disposition"]
    (listed,) = (await ids.get(f"{BASE}/id0/")).data
    assert listed == (await ids.get(f"{target}?meta")).data == file
    assert (await ids.put(target, b"more data")).status == 200
    assert (await ids.delete(target)).status == 204
    assert await ids.names() == ["/folder/"]


async def test_a_conflict_shows_the_id(ids):
    """So that the second try reaches the file that has the name."""
    await ids.put(named("a.txt"), b"old")
    reply = await ids.put(named("a.txt"), b"new")
    assert reply.status == 409
    target = reply.json["data"]["links"]["upload"].removeprefix(ids.url)
    assert target == f"{BASE}/id0?kind=file"
    assert (await ids.put(target, b"new")).status == 200
    assert await ids.content("/a.txt") == b"new"


async def test_a_move_goes_to_an_id(ids):
    """``path`` is the folder's id, and so is the answer's."""
    folder = (await ids.put(named("folder", "folder"))).data
    file = (await ids.put(named("a.txt"), b"data")).data
    document = {"action": "move", "path": folder["attributes"]["path"]}
    reply = await ids.post(file["links"]["move"].removeprefix(ids.url), document)
    assert reply.status == 201
    assert reply.data["attributes"]["materialized"] == "/folder/a.txt"
    assert (await ids.get(reply.data["links"]["download"].removeprefix(ids.url))).body == b"data"


async def test_children_have_ids(ids):
    """In the answer to a copy of a folder."""
    folder = (await ids.put(named("folder", "folder"))).data
    await ids.put(folder["links"]["upload"].removeprefix(ids.url) + "&name=a.txt", b"data")
    target = folder["links"]["move"].removeprefix(ids.url)
    document = {"action": "copy", "path": "/", "rename": "other"}
    reply = await ids.post(target, document)
    assert reply.status == 201
    (child,) = reply.data["attributes"]["children"]
    assert child["materialized"] == "/other/a.txt"
    assert (await ids.get(BASE + child["path"])).body == b"data"


@pytest.mark.parametrize("path", ["/id0", "/id9", "/id9/", "/folder/", "/id0/id1", "/id0/x/"])
async def test_ids_that_are_not_there(ids, path):
    """404, also for the other kind and for names."""
    await ids.put(named("folder", "folder"))
    reply = await ids.get(BASE + path)
    assert reply.status == 404
    assert reply.message


async def test_an_archive_is_named_by_name(ids):
    """Not by id; pages go on by id."""
    folder = (await ids.put(named("my folder", "folder"))).data
    target = folder["links"]["move"].removeprefix(ids.url)
    for number in range(3):
        await ids.put(f"{target}?name={number}.txt", b"x")
    reply = await ids.get(f"{target}?zip")
    assert 'filename="my folder.zip"' in reply.headers["Content-Disposition"]
    page = (await ids.get(f"{target}?page[size]=2")).json
    assert page["links"]["next"].startswith(f"{ids.url}{target}?")
    rest = (await ids.get(page["links"]["next"].removeprefix(ids.url))).data
    assert [entry["attributes"]["name"] for entry in rest] == ["2.txt"]
