"""What every URL of the server keeps to, whatever is sent to it."""

import asyncio
import gc
import json
import os
import random
from urllib.parse import quote

import pytest

from tests.harness import ALICE, BASE, BOB, LINK_KEY, NOBODY, TOKENS
from tests.server.conftest import complaints, expected, log, make_server, server  # noqa: F401
from waterbutler.core import ROOT
from waterbutler.server.openapi import document

METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "FOO")
VALUES = {"resource": "guid0", "provider": "memory", "path": "folder/a.txt"}
REQUESTS = 2000
"""How many odd requests are made up."""


@pytest.fixture
def described(server):  # noqa: F811
    """Every path of the description, filled in, with the methods that it has."""
    paths = document(server.context.options)["paths"]
    found = {}
    for path, operations in paths.items():
        target = path
        for name, value in VALUES.items():
            target = target.replace(f"{{{name}}}", value)
        for piece in ("{folder}", "{file}", "{name}", "{asset}"):
            target = target.replace(piece, "x")
        found[target] = {name.upper() for name in operations if name.upper() in METHODS}
    return found


def assert_answer(reply, method):
    """What every answer is, also one that says no."""
    assert reply.status < 600
    assert reply.status != 500, reply.body
    assert reply.whole
    assert len(reply.headers.get_list("X-Waterbutler-Request-Id")) == 1
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    kind = reply.headers.get("Content-Type", "")
    if reply.status >= 400 and method != "HEAD":
        assert kind == "application/json; charset=UTF-8"
        parsed = json.loads(reply.body)
        assert parsed["code"] == reply.status
        assert parsed["message"]
        assert "Traceback" not in parsed["message"]
    if reply.status == 405:
        assert "OPTIONS" in reply.headers["Allow"].split(", ")
    if reply.status == 401:
        assert reply.headers["WWW-Authenticate"]


async def test_every_url_keeps_the_promises(server, described):  # noqa: F811
    """With every method, for who may everything, who may read, and nobody."""
    assert len(described) > 5
    await server.have("/folder/a.txt", b"data")
    for target in [*described, "/nowhere", "/v1/", "//", "/%00", "*"]:
        for method in METHODS:
            for who in (ALICE, BOB, NOBODY):
                body = b"{}" if method in {"PUT", "POST", "PATCH", "FOO"} else None
                headers = {**who, "Accept": "application/json"}
                reply = await server.request(method, target, headers, body)
                assert_answer(reply, method)
                if method == "OPTIONS":
                    assert reply.status == 204
                if method == "FOO":
                    assert reply.status == 405


async def test_what_is_described_is_possible(server, described):  # noqa: F811
    """A method that the description has is in ``Allow``, and the other way round."""
    for target, methods in described.items():
        reply = await server.request("OPTIONS", target, NOBODY)
        allowed = set(reply.headers["Allow"].split(", "))
        assert methods <= allowed, target


# -- odd requests ----------------------------------------------------------------------------------

PIECES = [
    "", "/", "//", ".", "..", "%2e%2e", "%00", "%FF", "%", "%zz", "a.txt", "folder", "folder/",
    "ü", "%C3%BC", "\x7f", "n" * 256, "n" * 255, "?", "#", "+", "%2F", "a b", "'\"<>", "memory",
    "v1", "resources", "guid0", "providers", ";", "*", ":", "@", "\\", "{}", "%u0041", "~",
]  # fmt: skip
KEYS = [
    "meta", "zip", "kind", "name", "versions", "revisions", "version", "revision", "direct",
    "displayName", "mode", "confirm_delete", "cookie", "view_only", "page[size]", "page[after]",
    "sort", "%FF", "", "token",
]  # fmt: skip
WORDS = [
    "", "file", "folder", "1", "-1", "0", "yes", "latest", "a.txt", "%00", "%FF", "..", "x" * 300,
    LINK_KEY, "name", "-size", "\u00e9", "%C3%A9", "&", "=", "9" * 40, "null",
]  # fmt: skip
HEADERS = {
    "Range": ["bytes=0-1", "bytes=-1", "bytes=9-", "bytes=5-2", "x", "bytes=0-0,1-1"],
    "If-Match": ["*", '"x"', "x", ""],
    "If-None-Match": ["*", '"x"', 'W/"x"'],
    "If-Modified-Since": ["Sat, 01 Jan 2000 00:00:00 GMT", "x"],
    "If-Unmodified-Since": ["Sat, 01 Jan 2000 00:00:00 GMT", "x"],
    "If-Range": ['"x"', "x"],
    "Content-MD5": ["x", "AAAAAAAAAAAAAAAAAAAAAA=="],
    "Content-Digest": ["x", "sha-256=:x:", "md5=:AAAAAAAAAAAAAAAAAAAAAA==:"],
    "Want-Repr-Digest": ["md5", "x=y=z", ",,"],
    "Content-Type": ["application/json", "multipart/form-data", "multipart/form-data; boundary=x"],
    "Origin": ["null", "https://x.example", "https://[", "\u00e9"],
    "Cookie": ["waterbutler_session=x", "=", ";;;", "a=\u00e9"],
    "Expect": ["100-continue", "x"],
    "X-Cos-Mfr-Request-Action": ["render", "x"],
    "Accept": ["text/html", "application/json", "x"],
    "Authorization": [ALICE["Authorization"], BOB["Authorization"], "Basic x", "Bearer", "\u00e9"],
    "Accept-Encoding": ["gzip", "identity;q=0"],
    "Connection": ["keep-alive", "close", "x"],
}
BODIES = [
    b"", b"x", b"{}", b"[]", b"null", b"\xff", b'{"action": "copy", "path": "/"}',
    b'{"action": "rename", "rename": "b.txt"}', b'{"action": "rename", "rename": "\\ud800"}',
    b'{"action": "move", "path": "/folder/", "conflict": ""}', b"x" * 70_000,
    b'{"action": "copy", "path": "/folder/", "provider": "other", "rename": "\\u0000"}',
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--x--\r\n',
]  # fmt: skip


def odd_request(chance):
    """A request that somebody might send, or nobody."""
    pieces = "/".join(chance.choice(PIECES) for _ in range(chance.randrange(4)))
    start = chance.choice(
        [f"{BASE}/", f"{BASE}/folder/", BASE, "/files/guid0/memory/", "/v1/", "/"]
    )
    pairs = [
        f"{chance.choice(KEYS)}={chance.choice(WORDS)}"
        for _ in range(chance.choice([0, 1, 1, 2, 3]))
    ]
    target = start + pieces + ("?" + "&".join(pairs) if pairs else "")
    headers = dict(ALICE if chance.random() < 0.8 else NOBODY)
    for name in chance.sample(sorted(HEADERS), chance.choice([0, 0, 1, 2, 3])):
        headers[name] = chance.choice(HEADERS[name])
    method = chance.choice(["GET", "GET", "PUT", "PUT", "POST", "POST", "DELETE", "HEAD", "PATCH"])
    body = chance.choice(BODIES) if method in {"PUT", "POST", "PATCH"} else None
    # What cannot stand in a request line would be another request.
    target = "".join(quote(char) if char in " #" else char for char in target)
    return method, target.encode().decode("latin-1"), headers, body


@pytest.mark.parametrize("seed", range(4))
async def test_odd_requests_are_answered(server, seed):  # noqa: F811
    """Never 500, never nothing, and always in the shape that clients know."""
    chance = random.Random(seed)
    for _ in range(REQUESTS // 4):
        if chance.random() < 0.3:
            for storage in ("memory", "other"):
                await server.storages[storage].delete(ROOT)
        if await server.content("/folder/a.txt") is None:
            await server.storages["memory"].delete(ROOT)
            await server.have("/folder/a.txt", b"data")
        method, target, headers, body = odd_request(chance)
        reply = await server.request(method, target, headers, body)
        said = f"{method} {target} {headers} {body!r}: {reply.status} {reply.body[:300]!r}"
        assert reply.status != 500, said
        assert reply.whole, said
        assert "X-Waterbutler-Request-Id" in reply.headers, said
        if reply.status >= 400 and method != "HEAD" and "html" not in headers.get("Accept", ""):
            assert json.loads(reply.body)["code"] == reply.status, said


# -- what is left behind ---------------------------------------------------------------------------


def handles():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc to count open files")
async def test_nothing_is_left_open(server):  # noqa: F811
    """Neither files, nor connections, nor tasks, after requests of all kinds."""
    await server.have("/folder/a.txt", b"x" * 500_000)

    async def one(number):
        await server.get(f"{BASE}/folder/a.txt")
        await server.get(f"{BASE}/folder/?zip")
        await server.put(f"{BASE}/?name={number}", b"x" * 500_000)
        await server.put(f"{BASE}/?name=folder", b"x" * 500_000)
        await server.request("PATCH", BASE, ALICE, b"x" * 500_000)
        async with server.connection() as connection:
            await connection.start("PUT", f"{BASE}/?name=left", {**ALICE, "Content-Length": "9"})
        async with server.connection() as connection:
            await connection.start("GET", f"{BASE}/folder/a.txt", ALICE)
        async with server.connection() as connection:
            await connection.send(b"nonsense\r\n\r\n")
            await connection.receive()

    await one("first")
    await settled(server)
    before, tasks = handles(), len(asyncio.all_tasks())
    await asyncio.gather(*(one(number) for number in range(10)))
    await settled(server)
    assert handles() <= before + 1
    assert len(asyncio.all_tasks()) <= tasks


async def settled(server):  # noqa: F811
    await server.context.state.idle()
    for _ in range(50):
        await asyncio.sleep(0.01)
        gc.collect()
        if len(asyncio.all_tasks()) == 1:
            return


async def test_no_secret_is_in_any_answer(server, described, log):  # noqa: F811
    """Nor in the log."""
    for target in described:
        for headers in (ALICE, {"Authorization": "Bearer made-up-secret"}):
            mark = "&" if "?" in target else "?"
            secret = (
                f"{target}{mark}view_only={LINK_KEY}&cookie=made-up-secret&token=made-up-secret"
            )
            for asked in (target, secret):
                reply = await server.request(
                    "GET", asked, {**headers, "Accept": "application/json"}
                )
                text = reply.body.decode(errors="replace") + str(list(reply.headers.get_all()))
                for value in (*TOKENS.values(), "made-up-secret"):
                    assert value not in text, target
    written = json.dumps(log, default=repr)
    for value in (*TOKENS.values(), LINK_KEY, "made-up-secret"):
        assert value not in written
