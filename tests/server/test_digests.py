"""Digests: promised for bodies that come, shown for files that go."""

import base64
import hashlib
from dataclasses import replace

import msgspec
import pytest

from tests.harness import ALICE, BASE, named
from waterbutler.server import digests
from waterbutler.testing.memory import MemoryProvider

BODY = b"some content"


def encoded(name, body=BODY):
    return base64.b64encode(hashlib.new(name, body).digest()).decode()


GOOD = {
    "sha-256": {"Content-Digest": f"sha-256=:{encoded('sha256')}:"},
    "sha-512": {"Content-Digest": f"sha-512=:{encoded('sha512')}:"},
    "md5": {"Content-Digest": f"md5=:{encoded('md5')}:"},
    "sha": {"Repr-Digest": f"sha=:{encoded('sha1')}:"},
    "of the representation": {"Repr-Digest": f"sha-256=:{encoded('sha256')}:"},
    "two": {"Repr-Digest": f"sha-256=:{encoded('sha256')}:, md5=:{encoded('md5')}:"},
    "parameters": {"Repr-Digest": f"sha-256=:{encoded('sha256')}:;a=1;b=2,md5=:{encoded('md5')}:"},
    "odd blanks": {"Content-Digest": f"  sha-256=:{encoded('sha256')}:  ,"},
    "old": {"Content-MD5": encoded("md5")},
    "all": {
        "Content-MD5": encoded("md5"),
        "Content-Digest": f"sha-256=:{encoded('sha256')}:",
        "Repr-Digest": f"sha-256=:{encoded('sha256')}:",
    },
    "unknown": {"Content-Digest": f"sha-3000=:{encoded('md5', b'x')}:"},
    "unknown and known": {"Content-Digest": f"crc32c=:AAAAAA==:, md5=:{encoded('md5')}:"},
    "empty": {"Content-Digest": ""},
}


@pytest.mark.parametrize("headers", GOOD.values(), ids=GOOD)
async def test_a_body_that_keeps_its_promise(server, headers):
    """Is stored."""
    reply = await server.put(named("a.txt"), BODY, headers)
    assert reply.status == 201
    assert await server.content("/a.txt") == BODY


WRONG = {
    "sha-256": {"Content-Digest": f"sha-256=:{encoded('sha256', b'x')}:"},
    "sha-512": {"Repr-Digest": f"sha-512=:{encoded('sha512', b'x')}:"},
    "md5": {"Content-MD5": encoded("md5", b"x")},
    "one of two": {"Repr-Digest": f"sha-256=:{encoded('sha256')}:, md5=:{encoded('md5', b'x')}:"},
    "one of two headers": {
        "Content-Digest": f"sha-256=:{encoded('sha256')}:",
        "Content-MD5": encoded("md5", b"x"),
    },
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("there", [True, False])
async def test_a_body_that_breaks_its_promise(server, headers, there):
    """400, and everything is as it was."""
    if there:
        await server.have("/a.txt", b"old")
    target = f"{BASE}/a.txt" if there else named("a.txt")
    reply = await server.put(target, BODY, headers)
    assert reply.status == 400
    assert "digest" in reply.message
    assert await server.content("/a.txt") == (b"old" if there else None)
    assert len((await server.get(f"{BASE}/a.txt?versions")).body) < 1000


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_large_body_that_breaks_its_promise(server, chunked):
    """It is found out at its end, and nothing of it stays."""
    size = 1_000_000
    async with server.connection() as connection:
        framing = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(size)}
        headers = {**ALICE, **framing, **WRONG["sha-256"]}
        await connection.start("PUT", named("a.bin"), headers)
        body = b"x" * size
        await connection.send(b"%x\r\n%b\r\n0\r\n\r\n" % (size, body) if chunked else body)
        reply = await connection.receive()
        assert reply.status == 400
        assert reply.message
        assert (await connection.request("GET", f"{BASE}/a.bin", ALICE)).status == 404


MALFORMED = {
    "no colons": {"Content-Digest": f"sha-256={encoded('sha256')}"},
    "one colon": {"Content-Digest": f"sha-256=:{encoded('sha256')}"},
    "hexadecimal": {"Content-Digest": f"sha-256=:{hashlib.sha256(BODY).hexdigest()}:"},
    "cut": {"Content-Digest": f"sha-256=:{encoded('sha256')[:-5]}:"},
    "no base64": {"Content-Digest": "sha-256=:a:"},
    "nothing in it": {"Content-Digest": "sha-256=::"},
    "text": {"Content-Digest": "sha-256"},
    "another algorithm's length": {"Content-Digest": f"sha-256=:{encoded('md5')}:"},
    "upper case": {"Content-Digest": f"SHA-256=:{encoded('sha256')}:"},
    "no base64 in the old one": {"Content-MD5": "!!!"},
    "not ASCII in the old one": {"Content-MD5": "\xe9\xe9=="},
    "too short in the old one": {"Content-MD5": "AAAA"},
    "they disagree": {
        "Content-Digest": f"md5=:{encoded('md5')}:",
        "Content-MD5": encoded("md5", b"x"),
    },
}


@pytest.mark.parametrize("headers", MALFORMED.values(), ids=MALFORMED)
async def test_a_promise_that_cannot_be_read(server, headers):
    """400, before any storage is asked."""
    reply = await server.put(named("a.txt"), BODY, headers)
    assert reply.status == 400
    assert reply.message
    assert not server.calls


async def test_a_promise_of_an_update(server):
    """Is kept like that of a new file."""
    await server.have("/a.txt", b"old")
    reply = await server.put(f"{BASE}/a.txt", BODY, GOOD["md5"])
    assert reply.status == 200


# -- what is shown ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (None, ["sha-256"]),
        ("sha-256=10", ["sha-256"]),
        ("md5=1", ["md5"]),
        ("sha-256=1, md5=2", ["md5", "sha-256"]),
        ("sha-256=0, md5=2", ["md5"]),
        ("sha-256=0", []),
        ("sha-512=3", []),
        ("unknown=1, md5", ["md5"]),
        ("", []),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_digest_of_a_file(server, method, wanted, names):
    """What the client wants, as far as it is known without reading the file."""
    await server.have("/a.txt", BODY)
    headers = {} if wanted is None else {"Want-Repr-Digest": wanted}
    reply = await server.request(method, f"{BASE}/a.txt", {**ALICE, **headers})
    found = reply.headers.get("Repr-Digest", "")
    members = sorted(filter(None, found.split(", ")))
    algorithms = {"sha-256": "sha256", "md5": "md5"}
    assert members == [f"{name}=:{encoded(algorithms[name])}:" for name in names]


class Unhashed(MemoryProvider):
    """Knows no hashes."""

    capabilities = replace(MemoryProvider.capabilities, hashes=frozenset())

    async def read(self, path, *, range=None, version=None):
        content = await super().read(path, range=range, version=version)
        return msgspec.structs.replace(
            content, entry=msgspec.structs.replace(content.entry, hashes={})
        )


async def test_a_digest_that_is_not_known(make_server):
    """Is not shown."""
    server = await make_server(storages={"memory": Unhashed()})
    await server.have("/a.txt", BODY)
    assert "Repr-Digest" not in (await server.get(f"{BASE}/a.txt")).headers


def test_what_is_shown_can_be_promised():
    """One program writes what the other one reads."""
    shown = digests.shown({"sha256": hashlib.sha256(BODY).hexdigest()}, None)
    assert GOOD["of the representation"]["Repr-Digest"] == shown
