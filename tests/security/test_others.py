"""What belongs to somebody else: uploads, sessions, tokens, resources."""

import json

import pytest

from tests.gateway.client import FIRST, SECOND, Gateway, Segments
from tests.gateway.conftest import services
from tests.harness import ALICE, BASE, BOB, CAROL, NOBODY, TOKENS, named
from waterbutler.auth import COOKIE

__all__ = ["services"]

DATA = bytes(range(256)) * 30


@pytest.fixture
def server(make_server, services, io_loop):
    """A server with all dialects."""
    return io_loop.run_sync(lambda: make_server(gateway=services))


@pytest.fixture
def alice(server, io_loop):
    return io_loop.run_sync(lambda: signed_in(server, "alice"))


@pytest.fixture
def begun(alice, io_loop):
    """An upload of alice, of which one segment has arrived."""
    upload = Segments(alice, DATA, 3000, parent=alice.root, name="big")
    assert io_loop.run_sync(upload.begin).status == 200
    assert io_loop.run_sync(lambda: upload.send(1)).status == 200
    return upload


async def signed_in(server, user, resource="guid0", words=SECOND):
    return await Gateway(server, words).sign_in(TOKENS[user], resource=resource, provider="memory")


async def as_somebody_else(server, begun, user, resource="guid0"):
    """The same upload, in the hands of another user who knows everything about it."""
    stolen = Segments(await signed_in(server, user, resource), DATA, 3000, parent=begun.target)
    stolen.told, stolen.says = begun.told, begun.says
    return stolen


@pytest.mark.parametrize("user", ["bob", "nobody"])
async def test_an_upload_is_its_owners(server, begun, user):
    """Nobody else adds to it, finishes it, or ends it; it does not even exist for them."""
    if user == "nobody":
        stolen = await as_somebody_else(server, begun, "bob")
        stolen.client.tokens = {SECOND["access"]: "x" * 43}
    else:
        stolen = await as_somebody_else(server, begun, user)
    made_up = Segments(stolen.client, DATA, 3000, parent=begun.target)
    made_up.told = {**begun.told, "gateway.upload.id": "0" * len(begun.id)}
    made_up.says = begun.says
    for action in ("send", "finish", "cancel"):
        replies = []
        for upload in (stolen, made_up):
            reply = await (upload.send(2) if action == "send" else getattr(upload, action)())
            replies.append(reply)
            assert reply.status in {400, 401, 403, 404}
        assert replies[0].status == replies[1].status
        assert replies[0].json.get("message") == replies[1].json.get("message")
    for number in range(2, len(begun.pieces) + 1):
        assert (await begun.send(number)).status == 200
    assert (await begun.finish()).status == 200
    assert await server.content("/big") == DATA


async def test_another_writer_does_not_finish_it(make_server, services):
    """Also who may write in the same place: a right is not an upload."""
    server = await make_server(gateway=services)
    alice = await signed_in(server, "alice", "wiki")
    begun = Segments(alice, DATA, 3000, parent=alice.root, name="big")
    assert (await begun.begin()).status == 200
    for number in range(1, len(begun.pieces) + 1):
        assert (await begun.send(number)).status == 200
    stolen = await as_somebody_else(server, begun, "carol", "wiki")
    assert (await stolen.send(1)).status == 404
    assert (await stolen.finish()).status == 400
    assert (await stolen.cancel()).status == 404
    assert await server.names() == []
    assert (await begun.finish()).status == 200


@pytest.mark.parametrize("words", [FIRST, SECOND], ids=["first", "second"])
async def test_a_session_reaches_what_it_was_opened_for(server, words):
    """Not another resource or storage, whatever id it asks for."""
    await server.have("/a.txt", b"data")
    await server.have("/a.txt", b"data", storage="other")
    whole = await Gateway(server, words).sign_in(
        TOKENS["alice"], resource="guid0", provider="other"
    )
    foreign = (await whole.children(whole.root))["a.txt"]
    narrow = await signed_in(server, "alice", words=words)
    for what in ("describe", "download", "delete"):
        reply = await narrow.send(what, foreign.id)
        assert reply.status in {403, 404}
        assert reply.body != b"data"
    assert await server.content("/a.txt", storage="other") == b"data"


@pytest.mark.parametrize("words", [FIRST, SECOND], ids=["first", "second"])
async def test_a_token_has_one_use(server, words):
    """A refresh token opens nothing, an access token renews nothing, and what ended is over."""
    session = await signed_in(server, "alice", words=words)
    access, refresh = session.tokens[words["access"]], session.tokens[words["refresh"]]
    target = session.url("describe", session.root)
    for token in (refresh, access[:-1], access + "x", "", TOKENS["alice"]):
        reply = await server.request("GET", target, {"Authorization": f"Bearer {token}"})
        assert reply.status in {401, 403}
    reply = await session.send("renew", None, {words["refresh"]: access}, {"Authorization": None})
    assert reply.status == 403
    await session.sign_out()
    assert (await session.send("describe", session.root)).status in {401, 403}
    reply = await session.send("renew", None, {words["refresh"]: refresh}, {"Authorization": None})
    assert reply.status == 403


async def test_a_session_ends_with_its_token(server):
    """A cookie that was opened with an old token opens nothing after it was changed."""
    session = server.static.open_session(TOKENS["alice"])
    header = {"Cookie": f"{COOKIE}={session}"}
    assert (await server.request("GET", f"{BASE}/", header)).status == 200
    other = server.sessions.issue("alice", "0" * 64)
    assert (await server.request("GET", f"{BASE}/", {"Cookie": f"{COOKIE}={other}"})).status == 401
    bobs = server.static.open_session(TOKENS["bob"]).split(".")
    parts = session.split(".")
    mixed = ".".join([parts[0], bobs[1], *parts[2:]])
    assert (await server.request("GET", f"{BASE}/", {"Cookie": f"{COOKIE}={mixed}"})).status == 401


@pytest.mark.parametrize(("who", "reads"), [(BOB, True), (CAROL, False), (NOBODY, False)])
async def test_rights_are_the_same_in_every_dialect(server, who, reads):
    """Who may only read writes nowhere; who may nothing reads nowhere."""
    await server.have("/a.txt", b"data")
    query = "nid=guid0&provider=memory&path=/a.txt"
    for target in (f"{BASE}/a.txt", f"/file?{query}", "/files/guid0/memory/a.txt"):
        reply = await server.request("GET", target, who)
        assert (reply.body == b"data") == reads, target
    into = {"nid": "guid0", "provider": "memory", "path": "/"}
    copy = {"source": {**into, "path": "/a.txt"}, "destination": into, "rename": "b.txt"}
    wiki = {"action": "copy", "path": "/", "rename": "b.txt", "resource": "wiki"}
    for method, target, body in (
        ("PUT", named("b.txt"), b"x"),
        ("PUT", f"{BASE}/a.txt", b"x"),
        ("DELETE", f"{BASE}/a.txt", None),
        ("POST", f"{BASE}/a.txt", b'{"action": "rename", "rename": "c.txt"}'),
        ("PUT", f"/file?{query.replace('a.txt', 'b.txt')}", b"x"),
        ("DELETE", f"/file?{query}", None),
        ("POST", "/ops/copy", json.dumps(copy).encode()),
    ):
        assert (await server.request(method, target, who, body)).status in {401, 403}, target
    reply = await server.post(f"{BASE}/a.txt", wiki, {**dict.fromkeys(ALICE), **who})
    assert (reply.status == 201) == reads
    assert await server.content("/a.txt") == b"data"
