"""What is stored and what storages answer: content that is code, and content that is a bomb."""

import gzip
import json
import struct
import time
import zlib

import pytest

from tests.fakes.osf_host import KEYS, running_host
from tests.gateway.client import SECOND, Gateway
from tests.gateway.conftest import services
from tests.harness import BASE, TOKENS, named
from tests.osf_server import BASE as OSF
from tests.osf_server import OsfServer
from tests.security.spies import spying
from waterbutler.auth.envelope import seal
from waterbutler.http import HttpClient

__all__ = ["services"]

PAGE = b"<!DOCTYPE html><script>alert(document.domain)</script>"
ACTIVE = [
    "a.html",
    "a.svg",
    "a.xml",
    "a.js",
    "a.xhtml",
    "a",
    "a.jpg",
    "a.htm;.png",
    "a.HTML",
    "a.pdf",
]
DEEP = 100_000


@pytest.fixture
def full(make_server, services, io_loop):
    """A server with all dialects."""
    return io_loop.run_sync(lambda: make_server(gateway=services))


@pytest.fixture
def host():
    with running_host() as host:
        yield host


@pytest.fixture
def osf(io_loop, host, tmp_path):
    """A server that asks a host."""
    server = io_loop.run_sync(OsfServer(host, tmp_path).start)
    yield server
    io_loop.run_sync(server.stop)


async def signed_in(server):
    return await Gateway(server, SECOND).sign_in(
        TOKENS["alice"], resource="guid0", provider="memory"
    )


# -- content that is code --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ACTIVE)
async def test_a_stored_page_is_no_page_of_ours(full, name):
    """It is saved and not shown, nothing guesses what it is, and if shown it may do nothing."""
    await full.have(f"/{name}", PAGE)
    gateway = await signed_in(full)
    (meta,) = (await gateway.children(gateway.root)).values()
    replies = [
        await full.get(f"{BASE}/{name}"),
        await full.get(f"{BASE}/{name}", {"Range": "bytes=0-20"}),
        await full.get(f"{BASE}/{name}?displayName=b.html"),
        await full.get(f"{BASE}/{name}?mode=render&direct="),
        await full.head(f"{BASE}/{name}"),
        await full.get(f"/file?nid=guid0&provider=memory&path=/{name}"),
        await full.get(f"/files/guid0/memory/{name}"),
        await gateway.send("download", meta.id),
    ]
    for reply in replies:
        assert reply.status in {200, 206}
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Content-Disposition"].startswith("attachment;")
        policy = reply.headers["Content-Security-Policy"]
        assert "sandbox" in policy
        assert "default-src 'none'" in policy


async def test_no_answer_is_guessed_at(full):
    """Errors and documents repeat what clients say: they are JSON, and stay that."""
    script = "%3Cscript%3Ealert(1)%3C/script%3E"
    for target in (
        f"/{script}",
        f"{BASE}/{script}",
        f"{BASE}/?action={script}",
        f"/v1/resources/guid0/providers/{script}/",
        f"/file?nid=guid0&provider=memory&path={script}",
        f"/v2/{script}",
        "/status",
        "/metrics",
        "/openapi.json",
    ):
        reply = await full.get(target)
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert not reply.headers["Content-Type"].startswith(("text/html", "image/", "text/xml"))


async def test_a_link_cannot_change_what_a_file_is(full):
    """Nobody chooses the type or the disposition by the address."""
    await full.have("/a.txt", PAGE)
    for query in (
        "response-content-type=text/html",
        "contentType=text/html",
        "displayName=a.html&inline=",
        "response-content-disposition=inline",
        "mode=render",
    ):
        reply = await full.get(f"{BASE}/a.txt?{query}")
        assert reply.headers["Content-Disposition"].startswith("attachment;")
        assert "sandbox" in reply.headers["Content-Security-Policy"]


# -- bombs -----------------------------------------------------------------------------------------


def png(width, height):
    """A picture of one colour: a few kilobytes that want to be gigabytes."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(min(height, 200))) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


async def test_an_image_that_is_a_bomb_is_not_drawn(full):
    """Neither one that says so, nor one in which a text of gigabytes is packed."""
    text = b"zTXt" + b"a\0\0" + zlib.compress(b"\0" * 5_000_000)
    small = png(8, 8)
    packed = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    bombs = {"wide.png": png(100_000, 100_000), "text.png": small[:33] + packed + small[33:]}
    gateway = await signed_in(full)
    assert (await gateway.upload(gateway.root, "fine.png", small)).name == "fine.png"
    for name, data in bombs.items():
        assert len(data) < 10_000_000
        await gateway.upload(gateway.root, name, data)
    found = await gateway.children(gateway.root)
    for name, meta in found.items():
        reply = await gateway.send("thumbnail", meta.id)
        assert (reply.status == 200) == (name == "fine.png"), name


NUMBER = '{"action": "copy", "path": "/", "rename": ' + "9" * 100_000 + "}"
BOMBS = {
    "deep arrays": b"[" * DEEP,
    "deep arrays that end": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "a long number": NUMBER.encode(),
    "a long fraction": b'{"action": 1e' + b"9" * 50_000 + b"}",
    "not a number": b'{"action": NaN}',
    "half of a pair": b'{"action": "rename", "rename": "\\ud800"}',
    "no UTF-8": b'{"action": "\xff"}',
    "too large": b'{"action": "' + b"a" * (1 << 23) + b'"}',
    "an empty document": b"",
    "a NUL": b"\0",
}


@pytest.mark.parametrize("case", BOMBS)
async def test_a_document_that_is_a_bomb_is_refused(full, case):
    """In each dialect, with an error of the client's own, and at once."""
    await full.have("/a.txt", b"data")
    gateway = await signed_in(full)
    body = BOMBS[case]
    replies = [
        await full.post(f"{BASE}/a.txt", body),
        await full.post("/ops/copy", body),
        await gateway.send("folder", gateway.root, body),
        await gateway.send("auth", None, body, {"Authorization": None}),
    ]
    for reply in replies:
        assert 400 <= reply.status < 500, reply.body
    if len(body) < 60_000 and b"\xff" not in body:
        header = {SECOND["upload"]: body.decode("latin-1").replace("\0", "x")}
        assert (await gateway.send("create", gateway.root, b"x", header)).status == 400
    assert await full.names() == ["/a.txt"]


async def test_a_packed_body_is_not_unpacked(full):
    """What arrives is what is stored: nothing grows on the way."""
    packed = gzip.compress(b"\0" * 1_000_000)
    reply = await full.put(named("a.bin"), packed, {"Content-Encoding": "gzip"})
    assert reply.status in {201, 400, 415}
    assert await full.content("/a.bin") in {packed, None}


XML = {
    "laughs": '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><Error><Code>&b;</Code></Error>',
    "a file": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Error><Code>&x;</Code></Error>',
    "another address": '<!DOCTYPE a SYSTEM "{spy}"><ListBucketResult/>',
    "deep": "<a>" * 50_000 + "</a>" * 50_000,
    "deep without an end": "<a>" * 50_000,
    "another encoding": '<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a>',
}


@pytest.mark.parametrize("case", XML)
@pytest.mark.parametrize("status", [200, 400])
async def test_a_storage_that_answers_with_a_bomb_is_at_fault(osf, host, case, status):
    """It is not unpacked, no entity is looked up, and nothing of it is shown."""
    async with spying() as there, spying() as bucket:
        body = XML[case].replace("{spy}", there.url()).encode()
        bucket.answer = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
        host.answer = lambda _, answer: {
            **answer,
            "settings": {"bucket": "bucket", "endpoint_url": bucket.url(), "region": "us-east-1"},
            "credentials": {"access_key": "a", "secret_key": "s"},
        }
        reply = await osf.request("GET", "/v1/resources/guid0/providers/s3/?meta=")
        assert reply.status in {500, 502}
        assert b"root:" not in reply.body
        assert b"ENTITY" not in reply.body
        assert there.connections == 0


async def asked(osf, name):
    """The answer to what the host is asked for by this call, and never remembers."""
    if name == "auth":
        return await osf.put("/?kind=folder&name=a", b"")
    return await osf.request("GET", f"{OSF}/?meta=")


def granted(host):
    """What the host says when it allows something: an answer that is right."""
    data = {"nid": "guid0", "provider": "osfstorage"}
    answer = {"data": host.authorize(data)}
    return json.dumps({"payload": seal(answer, KEYS, now=time.time())}).encode()


async def test_a_packed_answer_is_not_unpacked(osf, host):
    """Of a host, and be it right otherwise: what is small on the wire stays small."""
    for name, body in (("auth", granted(host)), ("E3", b"[]")):
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        host.trouble(name, status=200, body=gzip.compress(body), headers=headers, times=5)
        assert (await asked(osf, name)).status == 502
        host.troubles.clear()
    bomb = gzip.compress(b"\0" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(bomb), bomb)
    async with spying(head + chunks) as there, HttpClient() as http:
        reply = await http.open("GET", there.url())
        assert await reply.read() == bomb


@pytest.mark.parametrize(
    "body", [b"[" * DEEP, b'{"x":' * DEEP, b"\xff", b"9" * 100_000, b'{"payload": 1}']
)
async def test_a_host_that_answers_with_a_bomb_is_at_fault(osf, host, body):
    """Whatever it was asked."""
    for name in ("auth", "E3"):
        for status in (200, 403):
            host.trouble(name, status=status, body=body, times=5)
            assert (await asked(osf, name)).status in {502, status} - {200}
            host.troubles.clear()


async def test_an_endless_answer_is_not_kept(osf, host):
    """A host is not believed more than a megabyte."""
    host.trouble("auth", status=200, body=granted(host) + b" " * (2 << 20))
    assert (await asked(osf, "auth")).status == 502
    host.trouble("auth", status=200, body=granted(host) + b" " * 1000)
    assert (await asked(osf, "auth")).status == 201
