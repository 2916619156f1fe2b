"""The v0 dialect: copies and moves, whose document names both ends."""

import json

import pytest

from tests.harness import ALICE, BOB, LARGE, NOBODY
from tests.server.test_v0 import FLAT, FLAT_FOLDER, assert_deprecated
from waterbutler.core.errors import ProviderFault

BOTH = pytest.mark.parametrize("action", ["copy", "move"])


def end(path, provider="memory", nid="guid0", **further):
    return {"nid": nid, "provider": provider, "path": path, **further}


def document(source, destination, **further):
    """A document; ends that are only paths are in the usual storage."""
    ends = (it if isinstance(it, dict) else end(it) for it in (source, destination))
    return {**dict(zip(("source", "destination"), ends, strict=True)), **further}


@BOTH
@pytest.mark.parametrize("to", ["memory", "other"])
async def test_a_file_into_a_folder(server, action, to):
    """Under its own name or a new one; the answer is flat."""
    await server.have("/f/", storage=to)
    for rename, name in ((None, "a.txt"), ("", "a.txt"), ("ü.txt", "ü.txt")):
        await server.have("/a.txt", b"data")
        wanted = document("/a.txt", end("/f/", to), rename=rename)
        reply = await server.post(f"/ops/{action}", wanted)
        assert reply.status == (200 if rename == "" else 201)
        assert set(reply.json) == FLAT
        shown = {key: reply.json[key] for key in ("name", "path", "provider", "size")}
        assert shown == {"name": name, "path": f"/f/{name}", "provider": to, "size": 4}
        assert await server.content(f"/f/{name}", to) == b"data"
        assert (await server.content("/a.txt") is None) == (action == "move")
        assert_deprecated(reply)


@BOTH
async def test_a_file_to_its_new_place(server, action):
    """Without a slash at its end the destination is the file itself, there or not."""
    await server.have("/f/b.txt", b"old")
    for to, status in (("/f/b.txt", 200), ("/f/c.txt", 201)):
        await server.have("/a.txt", b"new")
        reply = await server.post(f"/ops/{action}", document("/a.txt", to))
        assert (reply.status, reply.json["path"]) == (status, to)
        assert await server.content(to) == b"new"
        assert (await server.content("/a.txt") is None) == (action == "move")


@BOTH
@pytest.mark.parametrize("to", ["memory", "other"])
async def test_a_folder(server, action, to):
    """It comes with what is directly in it, flat as well."""
    await server.have("/f/a.txt", b"data")
    await server.have("/f/g/b.txt")
    await server.have("/to/", storage=to)
    reply = await server.post(f"/ops/{action}", document("/f/", end("/to/", to)))
    assert reply.status == 201
    assert set(reply.json) == FLAT_FOLDER | {"children"}
    children = {child["name"]: set(child) for child in reply.json["children"]}
    assert children == {"a.txt": FLAT, "g": FLAT_FOLDER}
    assert await server.content("/to/f/g/b.txt", to) == b"data"
    assert (await server.content("/f/a.txt") is None) == (action == "move")


@BOTH
@pytest.mark.parametrize(
    ("conflict", "status", "names"),
    [
        (None, 200, ["/to/", "/to/a.txt"]),
        ("replace", 200, ["/to/", "/to/a.txt"]),
        ("keep", 201, ["/to/", "/to/a (1).txt", "/to/a.txt"]),
        ("", 201, ["/to/", "/to/a (1).txt", "/to/a.txt"]),
        ("warn", 409, ["/to/", "/to/a.txt"]),
    ],
)
async def test_a_name_that_is_taken(server, action, conflict, status, names):
    """What is there is replaced unless something else is said."""
    await server.have("/a.txt", b"new")
    await server.have("/to/a.txt", b"old")
    wanted = document("/a.txt", "/to/", **({} if conflict is None else {"conflict": conflict}))
    reply = await server.post(f"/ops/{action}", wanted)
    assert reply.status == status
    assert await server.names("/to/") == names[1:]
    replaced = status == 200
    assert await server.content("/to/a.txt") == (b"new" if replaced else b"old")
    if status == 409:
        assert reply.message == "The name 'a.txt' is taken."
        assert set(reply.json["data"]) == FLAT
        assert await server.content("/a.txt") == b"new"


async def test_a_root(server):
    """It is copied under a new name."""
    await server.have("/a.txt")
    wanted = document("/", end("/", "other"))
    assert (await server.post("/ops/copy", wanted)).status == 400
    assert (await server.post("/ops/move", {**wanted, "rename": "all"})).status == 400
    reply = await server.post("/ops/copy", {**wanted, "rename": "all"})
    assert (reply.status, reply.json["path"]) == (201, "/all/")
    assert await server.names(storage="other") == ["/all/", "/all/a.txt"]


@BOTH
@pytest.mark.parametrize(
    ("source", "to"),
    [("/a.txt", "/"), ("/a.txt", "/a.txt"), ("/f/", "/"), ("/f/", "/f/"), ("/f/", "/f/g/")],
)
async def test_onto_and_into_itself(server, action, source, to):
    """400, and everything is as it was."""
    await server.have("/a.txt")
    await server.have("/f/g/b.txt")
    before = await server.names()
    reply = await server.post(f"/ops/{action}", document(source, to))
    assert (reply.status, bool(reply.message)) == (400, True)
    assert await server.names() == before


@BOTH
@pytest.mark.parametrize(
    ("source", "to"),
    [
        ("/nothing", "/f/"),
        ("/nothing/", "/f/"),
        ("/f", "/g/"),
        ("/a.txt", "/nothing/"),
        ("/a.txt", "/nothing/b.txt"),
        ("/a.txt/", "/f/"),
    ],
)
async def test_what_is_not_there(server, action, source, to):
    """404, for either end."""
    await server.have("/a.txt")
    await server.have("/f/")
    await server.have("/g/")
    assert (await server.post(f"/ops/{action}", document(source, to))).status == 404


GOOD = document("/a.txt", "/f/")
BAD = {
    "no JSON": b"{",
    "not UTF-8": b'"\xff"',
    "nothing": b"",
    "a list": [GOOD],
    "null": None,
    "no source": {"destination": GOOD["destination"]},
    "no destination": {"source": GOOD["source"]},
    "source null": {**GOOD, "source": None},
    "source a text": {**GOOD, "source": "/a.txt"},
    "no nid": {**GOOD, "source": {"provider": "memory", "path": "/a.txt"}},
    "nid empty": document(end("/a.txt", nid=""), "/f/"),
    "nid a number": document(end("/a.txt", nid=7), "/f/"),
    "nid no word": document(end("/a.txt", nid="a/b"), "/f/"),
    "provider null": document("/a.txt", end("/f/", None)),
    "provider no word": document("/a.txt", end("/f/", "a b")),
    "path missing": {**GOOD, "source": {"nid": "guid0", "provider": "memory"}},
    "path a list": document(end(["/a.txt"]), "/f/"),
    "path without a slash": document("a.txt", "/f/"),
    "path with dots": document("/../a.txt", "/f/"),
    "path with a surrogate": document("/\ud800", "/f/"),
    "path with NUL": document("/a\0", "/f/"),
    "folder to a file": document("/f/", "/b"),
    "file with two names": {**document("/a.txt", "/b.txt"), "rename": "c.txt"},
    "rename a number": {**GOOD, "rename": 7},
    "rename with a slash": {**GOOD, "rename": "a/b"},
    "rename up": {**GOOD, "rename": ".."},
    "rename too long": {**GOOD, "rename": "x" * 256},
    "conflict unknown": {**GOOD, "conflict": "other"},
    "conflict a number": {**GOOD, "conflict": 1},
    "cookie a number": document(end("/a.txt", cookie=1), "/f/"),
}


@BOTH
@pytest.mark.parametrize("wanted", BAD.values(), ids=BAD)
async def test_a_document_that_makes_no_sense(server, action, wanted):
    """400 before anything is asked, and never 500."""
    reply = await server.post(f"/ops/{action}", wanted)
    assert reply.status == 400
    assert reply.message
    assert_deprecated(reply)
    assert not server.calls


async def test_a_document_has_a_size(server):
    """A length, and not too much of it; however large it is, the answer can be read."""
    headers = {**ALICE, "Transfer-Encoding": "chunked"}
    async with server.connection() as client:
        await client.start("POST", "/ops/copy", headers)
        await client.send(b"2\r\n{}\r\n0\r\n\r\n")
        assert (await client.receive("POST")).status == 411
    large = await server.request("POST", "/ops/copy", ALICE, b"{" + b" " * LARGE)
    assert (large.status, bool(large.message)) == (413, True)


@BOTH
async def test_who_may(server, action):
    """To copy one reads here and writes there; to move one writes at both ends."""
    await server.have("/a.txt")
    here = document("/a.txt", end("/", "other"))
    open_there = document("/a.txt", end("/copies/", nid="wiki"))
    await server.have("/copies/")
    for wanted, headers, status in (
        (here, NOBODY, 401),
        (here, BOB, 403),
        (document("/a.txt", end("/", "frozen")), ALICE, 405),
        (open_there, NOBODY, 401),
        (open_there, BOB, 201 if action == "copy" else 403),
        (document(end("/a.txt", nid="nothing"), "/f/"), ALICE, 404),
        (document("/a.txt", end("/f/", "nothing")), ALICE, 404),
    ):
        body = json.dumps(wanted).encode()
        reply = await server.request("POST", f"/ops/{action}", headers, body)
        assert reply.status == status, wanted
    assert await server.content("/a.txt") == b"data"


@BOTH
async def test_sessions_of_the_ends(server, action):
    """The query has one for both, and each end may bring its own."""
    sessions = {
        account.id: server.sessions.issue(account.id, account.token_sha256)
        for account in server.accounts
    }
    alice, bob = sessions["alice"], sessions["bob"]
    for query, here, there, status in (
        (alice, None, None, 201),
        (None, alice, alice, 201),
        (bob, alice, alice, 201),
        (None, alice, None, 401),
        (bob, alice, None, 403),
        (alice, None, bob, 403),
        (alice, "", "", 201),
    ):
        await server.have("/a.txt")
        source, to = end("/a.txt", cookie=here), end("/", "other", cookie=there)
        body = json.dumps(document(source, to, conflict="keep")).encode()
        target = f"/ops/{action}" + (f"?cookie={query}" if query else "")
        assert (await server.request("POST", target, NOBODY, body)).status == status


@BOTH
async def test_a_transfer_that_fails(server, action):
    """The source is whole, and nothing half is left."""
    await server.have("/a.txt", b"data")
    for operation in ("write", "copy_from", "move_from"):
        server.flaky["other"].fail(operation, ProviderFault("broken"), at=1, times=100)
    reply = await server.post(f"/ops/{action}", document("/a.txt", end("/", "other")))
    assert (reply.status, reply.message) == (502, "broken")
    assert await server.content("/a.txt") == b"data"
    assert await server.names(storage="other") == []
