"""POST: rename, move, copy."""

import asyncio
import json
from urllib.parse import quote

import pytest

from tests.engine.support import Masked
from tests.harness import ALICE, BASE, BOB, CAROL, FROZEN, LINK_KEY, NOBODY, OTHER, named
from tests.server.test_put import BAD_NAMES, assert_conflict
from waterbutler.core.errors import ProviderFault
from waterbutler.testing.memory import MemoryProvider

BAD_TEXTS = {
    "dot": ".",
    "dots": "..",
    "slash": "a/b",
    "only a slash": "/",
    "NUL": "a\0",
    "256 bytes": "n" * 256,
    "256 bytes of UTF-8": "é" * 128,
    "a surrogate": "\ud800",
    "a surrogate inside": "a\udfffb",
}


def transfer(action="copy", path="/", **more):
    return {"action": action, "path": path, **more}


# -- rename ----------------------------------------------------------------------------------------


async def test_a_file_is_renamed(server):
    """200, and the file under its new name, in the same folder."""
    await server.have("/folder/a.txt", b"data")
    reply = await server.post(f"{BASE}/folder/a.txt", {"action": "rename", "rename": "ü b.txt"})
    assert reply.status == 200
    assert reply.data["attributes"]["name"] == "ü b.txt"
    assert reply.data == (await server.get(f"{BASE}/folder/%C3%BC%20b.txt?meta")).data
    assert await server.names() == ["/folder/", "/folder/ü b.txt"]
    assert await server.content("/folder/ü b.txt") == b"data"


async def test_a_folder_is_renamed(server):
    """200, the folder, and what is directly in it."""
    await server.have("/old/sub/deep.txt")
    await server.have("/old/a.txt")
    reply = await server.post(f"{BASE}/old/", {"action": "rename", "rename": "new"})
    assert reply.status == 200
    attributes = reply.data["attributes"]
    assert (attributes["kind"], attributes["path"]) == ("folder", "/new/")
    children = {child["name"]: child for child in attributes["children"]}
    assert set(children) == {"sub", "a.txt"}
    assert children["a.txt"]["materialized"] == "/new/a.txt"
    assert "links" not in children["a.txt"]
    listed = (await server.get(f"{BASE}/new/")).data
    assert [entry["attributes"] for entry in listed] == attributes["children"]
    assert await server.names() == ["/new/", "/new/a.txt", "/new/sub/", "/new/sub/deep.txt"]


@pytest.mark.parametrize(
    "more",
    [
        {"path": "/elsewhere/", "provider": "other", "resource": "public"},
        {"path": "no slash"},
        {"conflict": "warn"},
        {"conflict": "replace"},
        {"conflict": "keep"},
        {"conflict": ""},
        {"conflict": None},
        {"branch": "main", "unknown": [1]},
    ],
)
async def test_a_rename_ignores_where(server, more):
    """Only the name changes, whatever else is said."""
    await server.have("/a.txt")
    document = {"action": "rename", "rename": "b.txt", **more}
    reply = await server.post(f"{BASE}/a.txt", document)
    assert reply.status == 200
    assert await server.names() == ["/b.txt"]


@pytest.mark.parametrize("conflict", [None, "warn"])
@pytest.mark.parametrize(
    ("source", "there"), [("/a", "/b"), ("/a/", "/b/"), ("/a", "/b/"), ("/a/", "/b")]
)
async def test_a_rename_to_a_name_that_is_taken(server, source, there, conflict):
    """409 with what has it; nothing has changed."""
    await server.have(source)
    await server.have(there)
    document = {"action": "rename", "rename": "b"}
    if conflict is not None:
        document["conflict"] = conflict
    reply = await server.post(BASE + source, document)
    assert await server.names() == sorted([source, there])
    await assert_conflict(server, reply, there)


async def test_a_rename_that_replaces(server):
    """What had the name is gone; the status is still 200."""
    await server.have("/a.txt", b"new")
    await server.have("/b.txt", b"old")
    document = {"action": "rename", "rename": "b.txt", "conflict": "replace"}
    assert (await server.post(f"{BASE}/a.txt", document)).status == 200
    assert await server.names() == ["/b.txt"]
    assert await server.content("/b.txt") == b"new"


@pytest.mark.parametrize("conflict", ["keep", ""])
async def test_a_rename_that_keeps_both(server, conflict):
    """The next free name is taken; an empty policy means the same, as one client relies on."""
    await server.have("/a.txt", b"new")
    await server.have("/b.txt", b"old")
    await server.have("/b (1).txt", b"older")
    document = {"action": "rename", "rename": "b.txt", "conflict": conflict}
    reply = await server.post(f"{BASE}/a.txt", document)
    assert reply.status == 200
    assert reply.data["attributes"]["name"] == "b (2).txt"
    assert await server.content("/b.txt") == b"old"
    assert await server.content("/b (2).txt") == b"new"


# -- move and copy ---------------------------------------------------------------------------------

DESTINATIONS = {
    "same storage": ({}, "memory"),
    "same storage, said": ({"resource": "guid0", "provider": "memory"}, "memory"),
    "other storage": ({"provider": "other"}, "other"),
    "other resource": ({"resource": "wiki"}, "memory"),
    "empty is absent": ({"resource": "", "provider": None, "rename": ""}, "memory"),
}


@pytest.mark.parametrize("action", ["copy", "move"])
@pytest.mark.parametrize(("where", "storage"), DESTINATIONS.values(), ids=DESTINATIONS)
async def test_a_file_goes_elsewhere(server, action, where, storage):
    """201 where nothing was; the answer is the file in its new place."""
    await server.have("/from/a.txt", b"data")
    await server.have("/to/", storage=storage)
    reply = await server.post(f"{BASE}/from/a.txt", transfer(action, "/to/", **where))
    assert reply.status == 201
    attributes = reply.data["attributes"]
    assert attributes["path"] == "/to/a.txt"
    assert attributes["provider"] == storage
    assert attributes["resource"] == (where.get("resource") or "guid0")
    assert await server.content("/to/a.txt", storage) == b"data"
    assert (await server.content("/from/a.txt") is None) == (action == "move")
    target = reply.data["links"]["download"].removeprefix(server.url)
    assert (await server.get(target)).body == b"data"


@pytest.mark.parametrize("action", ["copy", "move"])
@pytest.mark.parametrize("storage", ["memory", "other"])
async def test_a_folder_goes_elsewhere(server, action, storage):
    """With everything in it; the answer shows what is directly in it."""
    await server.have("/from/sub/deep.txt", b"1")
    await server.have("/from/empty/")
    await server.have("/from/a.txt", b"22")
    await server.have("/to/", storage=storage)
    document = transfer(action, "/to/", provider=storage, rename="new name")
    reply = await server.post(f"{BASE}/from/", document)
    assert reply.status == 201
    attributes = reply.data["attributes"]
    assert attributes["path"] == "/to/new name/"
    assert {child["name"] for child in attributes["children"]} == {"sub", "empty", "a.txt"}
    assert all(child["provider"] == storage for child in attributes["children"])
    names = await server.names("/to/", storage)
    assert "/to/new name/sub/deep.txt" in names
    assert "/to/new name/empty/" in names
    assert ("/from/" in await server.names()) == (action == "copy")


async def test_an_empty_folder_has_no_children(server):
    """But the list of them."""
    await server.have("/empty/")
    await server.have("/to/")
    reply = await server.post(f"{BASE}/empty/", transfer("copy", "/to/"))
    assert reply.data["attributes"]["children"] == []


@pytest.mark.parametrize("action", ["copy", "move"])
async def test_a_new_name_on_the_way(server, action):
    """``rename`` is the name there."""
    await server.have("/a.txt", b"data")
    await server.have("/to/")
    document = transfer(action, "/to/", rename="b (ü).txt")
    reply = await server.post(f"{BASE}/a.txt", document)
    assert (reply.status, reply.data["attributes"]["path"]) == (201, "/to/b (ü).txt")


async def test_a_file_is_copied_beside_itself(server):
    """Under another name, or with *keep*."""
    await server.have("/a.txt", b"data")
    reply = await server.post(f"{BASE}/a.txt", transfer("copy", "/", rename="b.txt"))
    assert reply.status == 201
    reply = await server.post(f"{BASE}/a.txt", transfer("copy", "/", conflict="keep"))
    assert reply.status == 201
    assert await server.names() == ["/a (1).txt", "/a.txt", "/b.txt"]


@pytest.mark.parametrize("action", ["copy", "move"])
@pytest.mark.parametrize("storage", ["memory", "other"])
@pytest.mark.parametrize("name", ["x.txt", "x/"])
class TestTakenNames:
    """What happens when the name is taken where something goes."""

    async def prepare(self, server, storage, name):
        await server.have(f"/from/{name}", b"new")
        await server.have(f"/to/{name}", b"old", storage)
        if name.endswith("/"):
            await server.have(f"/from/{name}new.txt", b"new")
            await server.have(f"/to/{name}old.txt", b"old", storage)
        return f"{BASE}/from/{name}"

    @pytest.mark.parametrize("conflict", [{}, {"conflict": "warn"}, {"conflict": None}])
    async def test_warn(self, server, action, storage, name, conflict):
        """409, with what has the name, as full as everywhere; this is what happens by default."""
        source = await self.prepare(server, storage, name)
        before = await server.names(), await server.names(storage=storage)
        reply = await server.post(source, transfer(action, "/to/", provider=storage, **conflict))
        assert reply.status == 409
        document = reply.json
        assert set(document) == {"code", "message", "data"}
        assert document["code"] == 409
        assert name.rstrip("/") in document["message"]
        data = document["data"]
        assert data["id"] == f"{storage}/to/{name}"
        listed = (await server.get(f"/v1/resources/guid0/providers/{storage}/to/")).data
        assert data == next(entry for entry in listed if entry["id"] == data["id"])
        assert before == (await server.names(), await server.names(storage=storage))
        if not name.endswith("/"):
            target = data["links"]["upload"].removeprefix(server.url)
            assert (await server.put(target, b"second try")).status == 200

    async def test_replace(self, server, action, storage, name):
        """200, and exactly what was brought is there."""
        source = await self.prepare(server, storage, name)
        document = transfer(action, "/to/", provider=storage, conflict="replace")
        reply = await server.post(source, document)
        assert reply.status == 200
        names = await server.names(f"/to/{name}" if name.endswith("/") else "/to/", storage)
        assert names == ([f"/to/{name}new.txt"] if name.endswith("/") else [f"/to/{name}"])
        probe = f"/to/{name}new.txt" if name.endswith("/") else f"/to/{name}"
        assert await server.content(probe, storage) == b"new"
        assert (await server.content(probe.replace("/to/", "/from/")) is None) == (action == "move")

    @pytest.mark.parametrize("conflict", ["keep", ""])
    async def test_keep(self, server, action, storage, name, conflict):
        """201, with a number behind the name."""
        source = await self.prepare(server, storage, name)
        document = transfer(action, "/to/", provider=storage, conflict=conflict)
        reply = await server.post(source, document)
        assert reply.status == 201
        wanted = "x (1)" if name.endswith("/") else "x (1).txt"
        assert reply.data["attributes"]["name"] == wanted
        probe = f"/to/{name}old.txt" if name.endswith("/") else f"/to/{name}"
        assert await server.content(probe, storage) == b"old"


async def test_copies_that_keep_both_at_the_same_time(server):
    """Each gets a name of its own."""
    await server.have("/a.txt", b"data")
    await server.have("/to/a.txt", b"old")
    document = transfer("copy", "/to/", conflict="keep")
    replies = await asyncio.gather(*(server.post(f"{BASE}/a.txt", document) for _ in range(5)))
    assert [reply.status for reply in replies] == [201] * 5
    names = {reply.data["attributes"]["name"] for reply in replies}
    assert names == {f"a ({number}).txt" for number in range(1, 6)}


# -- the root --------------------------------------------------------------------------------------


async def test_a_whole_storage_is_copied(server):
    """Under a new name, as an archiver does it: no type, odd parameters."""
    await server.have("/f/a.txt", b"data")
    body = json.dumps(
        transfer("copy", "/", rename="Archive of X", resource="wiki", provider="memory")
    )
    async with server.connection() as connection:
        target = f"{OTHER}/?cookie=&view_only&revision=latest&user"
        await server.have("/f/a.txt", b"data", "other")
        reply = await connection.request("POST", target, ALICE, body.encode())
    assert reply.status == 201
    assert reply.data["attributes"]["path"] == "/Archive of X/"
    assert reply.data["attributes"]["resource"] == "wiki"
    assert await server.content("/Archive of X/f/a.txt") == b"data"


@pytest.mark.parametrize(
    "document",
    [
        {"action": "rename", "rename": "new"},
        transfer("copy", "/"),
        transfer("copy", "/", rename=""),
        transfer("copy", "/f/", rename="x"),
        transfer("move", "/f/"),
        transfer("move", "/f/", rename="x"),
        transfer("move", "/", provider="other", rename="x"),
    ],
)
async def test_the_root_goes_nowhere_else(server, document):
    """It has no name, is never moved, and is not copied into itself."""
    await server.have("/f/")
    reply = await server.post(f"{BASE}/", document)
    assert reply.status == 400
    assert reply.message
    assert await server.names() == ["/f/"]


# -- places that make no sense ---------------------------------------------------------------------


@pytest.mark.parametrize("conflict", ["warn", "replace", "keep"])
@pytest.mark.parametrize(
    ("source", "document"),
    [
        ("/f/", transfer("move", "/f/")),
        ("/f/", transfer("move", "/f/sub/")),
        ("/f/", transfer("copy", "/f/")),
        ("/f/", transfer("copy", "/f/sub/", rename="x")),
        ("/f/", transfer("move", "/")),
        ("/f/sub/", transfer("move", "/f/")),
        ("/f/a.txt", transfer("move", "/f/")),
        ("/f/a.txt", transfer("move", "/f/", rename="a.txt")),
        ("/f/a.txt", {"action": "rename", "rename": "a.txt"}),
        ("/f/", {"action": "rename", "rename": "f"}),
    ],
)
async def test_into_itself_or_where_it_is(server, source, document, conflict):
    """400, and nothing has changed."""
    await server.have("/f/sub/")
    await server.have("/f/a.txt")
    reply = await server.post(BASE + source, {**document, "conflict": conflict})
    assert reply.status == 400
    assert reply.message
    assert await server.names() == ["/f/", "/f/a.txt", "/f/sub/"]


@pytest.mark.parametrize("conflict", ["warn", "replace"])
@pytest.mark.parametrize("source", ["/f/", "/f/a.txt"])
async def test_a_copy_onto_itself(server, source, conflict):
    """400: there is nothing to do."""
    await server.have("/f/a.txt")
    folder = source.rstrip("/").rpartition("/")[0] + "/"
    document = transfer("copy", folder, conflict=conflict)
    assert (await server.post(BASE + source, document)).status == 400
    assert await server.names() == ["/f/", "/f/a.txt"]


async def test_the_same_storage_under_another_resource_is_the_same_place(server):
    """Two mounts of one storage are not two storages."""
    await server.have("/f/a.txt")
    reply = await server.post(f"{BASE}/f/a.txt", transfer("move", "/f/", resource="wiki"))
    assert reply.status == 400
    reply = await server.post(f"{BASE}/f/", transfer("copy", "/f/", resource="wiki"))
    assert reply.status == 400


@pytest.mark.parametrize("action", ["copy", "move"])
@pytest.mark.parametrize(
    ("source", "more", "status"),
    [
        ("/nothing", {}, 404),
        ("/nothing/", {}, 404),
        ("/f", {}, 404),
        ("/a.txt/", {}, 404),
        ("/a.txt", {"path": "/nothing/"}, 404),
        ("/a.txt", {"path": "/f/sub/"}, 404),
        ("/a.txt", {"path": "/b.txt/"}, 404),
        ("/a.txt", {"resource": "nothing"}, 404),
        ("/a.txt", {"provider": "nothing"}, 404),
        ("/a.txt", {"resource": "gu-id"}, 404),
        ("/a.txt", {"provider": "../x"}, 404),
    ],
)
async def test_places_that_are_not_there(server, action, source, more, status):
    """404, and nothing has changed."""
    await server.have("/a.txt")
    await server.have("/b.txt")
    await server.have("/f/")
    reply = await server.post(BASE + source, {**transfer(action, "/f/"), **more})
    assert reply.status == status
    assert reply.message
    assert await server.names() == ["/a.txt", "/b.txt", "/f/"]


# -- bodies that make no sense ---------------------------------------------------------------------

BODIES = {
    "empty": b"",
    "no JSON": b"action=copy&path=/",
    "cut": b'{"action": "copy"',
    "two": b"{}{}",
    "an array": b'[{"action": "copy", "path": "/"}]',
    "a string": b'"copy"',
    "a number": b"1",
    "null": b"null",
    "invalid UTF-8": b'{"action": "rename", "rename": "\xff"}',
    "UTF-16": '{"action": "rename", "rename": "b"}'.encode("utf-16"),
    "deep": b"[" * 100_000,
    "no action": {"path": "/"},
    "empty action": {"action": "", "path": "/"},
    "unknown action": {"action": "delete", "path": "/"},
    "upper case": {"action": "Copy", "path": "/"},
    "a list of actions": {"action": ["copy"], "path": "/"},
    "a number as action": {"action": 1, "path": "/"},
    "no path": {"action": "copy"},
    "empty path": {"action": "copy", "path": ""},
    "null path": {"action": "move", "path": None},
    "a number as path": {"action": "copy", "path": 5},
    "no slash at the end": {"action": "copy", "path": "/f"},
    "no slash at the start": {"action": "copy", "path": "f/"},
    "dots in the path": {"action": "copy", "path": "/../"},
    "NUL in the path": {"action": "copy", "path": "/a\0/"},
    "a surrogate in the path": {"action": "copy", "path": "/\ud800/"},
    "two slashes": {"action": "copy", "path": "//"},
    "a long name in the path": {"action": "copy", "path": f"/{'n' * 256}/"},
    "no new name": {"action": "rename"},
    "empty new name": {"action": "rename", "rename": ""},
    "null new name": {"action": "rename", "rename": None},
    "a number as new name": {"action": "rename", "rename": 5},
    "an object as new name": {"action": "copy", "path": "/", "rename": {}},
    "a number as resource": {"action": "copy", "path": "/", "resource": 5},
    "a list as provider": {"action": "copy", "path": "/", "provider": ["memory"]},
    "unknown conflict": {"action": "copy", "path": "/", "conflict": "overwrite"},
    "upper case conflict": {"action": "copy", "path": "/", "conflict": "KEEP"},
    "a number as conflict": {"action": "copy", "path": "/", "conflict": 1},
    "true as conflict": {"action": "copy", "path": "/", "conflict": True},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_bodies_that_make_no_sense(server, body):
    """400 in JSON, before any storage is asked."""
    await server.have("/a.txt")
    reply = await server.post(f"{BASE}/a.txt", body)
    assert reply.status == 400
    assert reply.message
    assert not server.calls


@pytest.mark.parametrize("action", ["rename", "copy", "move"])
@pytest.mark.parametrize("name", BAD_TEXTS.values(), ids=BAD_TEXTS)
async def test_names_that_nothing_can_have(server, name, action):
    """400, before any storage is asked."""
    await server.have("/a.txt")
    reply = await server.post(f"{BASE}/a.txt", transfer(action, "/", rename=name))
    assert reply.status == 400
    assert reply.message
    assert not server.calls


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
async def test_urls_that_nothing_can_have(server, name):
    """400, before any storage is asked."""
    if name == "":
        name = "/"
    reply = await server.post(f"{BASE}/{name}", transfer())
    assert reply.status == 400
    assert reply.message
    assert not server.calls


@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", "x/y;z", None]
)
async def test_the_type_of_the_body_means_nothing(server, kind):
    """Clients in the field send odd ones, or none."""
    await server.have("/a.txt")
    headers = {"Content-Type": kind} if kind else {}
    reply = await server.post(f"{BASE}/a.txt", {"action": "rename", "rename": "b.txt"}, headers)
    assert reply.status == 200


async def test_a_document_without_a_length(server):
    """411."""
    reply = await server.request("POST", f"{BASE}/a.txt")
    assert reply.status == 411
    assert reply.message


async def test_a_document_in_chunks(server):
    """411 as well: a document has a size."""
    async with server.connection() as connection:
        headers = {**ALICE, "Transfer-Encoding": "chunked"}
        await connection.start("POST", f"{BASE}/a.txt", headers)
        await connection.send(b"2\r\n{}\r\n0\r\n\r\n")
        reply = await connection.receive()
    assert reply.status == 411
    assert reply.message


@pytest.mark.parametrize(("size", "status"), [(1 << 20, 200), ((1 << 20) + 1, 413), (5 << 20, 413)])
async def test_a_document_that_is_too_large(server, size, status):
    """A mebibyte is allowed."""
    await server.have("/a.txt")
    document = json.dumps({"action": "rename", "rename": "b.txt"}).encode()
    reply = await server.post(f"{BASE}/a.txt", document.ljust(size))
    assert reply.status == status
    if status == 413:
        assert reply.message
        assert not server.calls


async def test_a_surrogate_pair_is_one_character(server):
    """Escaped as JSON does it."""
    await server.have("/a.txt")
    body = b'{"action": "rename", "rename": "\\ud83d\\ude00.txt"}'
    reply = await server.post(f"{BASE}/a.txt", body)
    assert reply.status == 200
    assert await server.names() == ["/\U0001f600.txt"]


# -- rights ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "source", "document", "status"),
    [
        (NOBODY, f"{BASE}/a.txt", {"action": "rename", "rename": "b"}, 401),
        (CAROL, f"{BASE}/a.txt", {"action": "rename", "rename": "b"}, 403),
        (BOB, f"{BASE}/a.txt", {"action": "rename", "rename": "b"}, 403),
        (BOB, f"{BASE}/a.txt", transfer("copy", "/f/"), 403),
        (BOB, f"{BASE}/a.txt", transfer("move", "/f/", resource="wiki"), 403),
        (BOB, f"{BASE}/a.txt", transfer("copy", "/f/", resource="wiki", provider="memory"), 201),
        (NOBODY, f"{BASE}/a.txt", transfer("copy", "/f/", resource="wiki"), 401),
        (NOBODY, f"{BASE}/a.txt?view_only={LINK_KEY}", transfer("copy", "/f/"), 403),
        (
            NOBODY,
            f"{BASE}/a.txt?view_only={LINK_KEY}",
            transfer("copy", "/f/", resource="wiki"),
            201,
        ),
        (NOBODY, "/v1/resources/public/providers/memory/a.txt", transfer("copy", "/f/"), 401),
        (
            NOBODY,
            "/v1/resources/public/providers/memory/a.txt",
            transfer("copy", "/f/", resource="wiki"),
            201,
        ),
    ],
)
async def test_both_ends_need_their_rights(server, who, source, document, status):
    """A copy reads at its source and writes at its destination; a move writes at both."""
    await server.have("/a.txt")
    await server.have("/f/")
    reply = await server.request("POST", source, who, json.dumps(document).encode())
    assert reply.status == status
    if status != 201:
        assert await server.names() == ["/a.txt", "/f/"]


@pytest.mark.parametrize(
    ("source", "document", "status"),
    [
        (f"{FROZEN}/a.txt", {"action": "rename", "rename": "b"}, 405),
        (f"{FROZEN}/a.txt", transfer("move", "/", provider="memory"), 405),
        (f"{FROZEN}/a.txt", transfer("copy", "/", provider="memory"), 201),
        (f"{BASE}/b.txt", transfer("copy", "/", provider="frozen"), 405),
        (f"{BASE}/b.txt", transfer("move", "/", provider="frozen"), 405),
    ],
)
async def test_a_storage_for_reading(server, source, document, status):
    """Nothing is taken out of it or brought into it."""
    await server.have("/a.txt", b"data", "frozen")
    await server.have("/b.txt")
    reply = await server.post(source, document)
    assert reply.status == status
    assert await server.names(storage="frozen") == ["/a.txt"]
    assert "/b.txt" in await server.names()


# -- storages that fail ----------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["copy", "move"])
async def test_a_storage_that_fails_in_the_middle(server, action):
    """The client is told, the source is whole, and nothing is left at the destination."""
    plain = Masked(MemoryProvider(), copy_from=False, move_from=False)
    await server.have("/from/a.txt", b"x" * 100_000)
    server.storage.fail("read", ProviderFault("Broken."), after=50_000, times=9)
    server.flaky["other"].inner = plain
    server.storages["other"] = plain
    reply = await server.post(f"{BASE}/from/a.txt", transfer(action, "/", provider="other"))
    assert reply.status == 502
    assert reply.message == "Broken."
    assert await server.names() == ["/from/", "/from/a.txt"]
    assert await server.names(storage="other") == []


async def test_links_of_odd_names_work(server):
    """In the answer to a move, too."""
    await server.have("/a.txt", b"data")
    await server.have("/zu #1?/")
    reply = await server.post(f"{BASE}/a.txt", transfer("move", "/zu #1?/", rename="ä%41.txt"))
    assert reply.status == 201
    url = reply.data["links"]["download"].removeprefix(server.url)
    assert url == f"{BASE}/{quote('zu #1?', safe='')}/{quote('ä%41.txt', safe='')}"
    assert (await server.get(url)).body == b"data"


async def test_a_connection_takes_many_documents(server):
    """Good and bad ones."""
    async with server.connection() as connection:
        for number in range(3):
            await connection.request("PUT", named(f"{number}"), ALICE, b"")
            for body, status in ((b"{}", 400), (b"[", 400), (b" " * 100_000, 400)):
                reply = await connection.request("POST", f"{BASE}/{number}", ALICE, body)
                assert reply.status == status
            document = json.dumps({"action": "rename", "rename": f"new {number}"}).encode()
            reply = await connection.request("POST", f"{BASE}/{number}", ALICE, document)
            assert reply.status == 200
    assert await server.names() == ["/new 0", "/new 1", "/new 2"]
