"""Errors: their statuses, their shape, and requests that no handler sees."""

import asyncio
import json

import pytest

from tests.harness import ALICE, BASE, LARGE, NOBODY
from waterbutler.core import errors
from waterbutler.server.errors import STATUS, headers_of, message_of, status_of


def all_errors(kind=errors.WaterButlerError):
    for child in kind.__subclasses__():
        if child.__module__ == "waterbutler.core.errors":
            yield child
            yield from all_errors(child)


@pytest.mark.parametrize("kind", list(all_errors()), ids=lambda kind: kind.__name__)
def test_every_error_has_a_status(kind):
    """A row of its own, so that nothing becomes 500 by accident."""
    assert 400 <= STATUS[kind] < 600


def test_the_text_of_an_unexpected_error_is_not_shown():
    """It may hold anything."""
    error = ValueError("password is hunter2")
    assert status_of(error) == 500
    assert "hunter2" not in message_of(error, 500)


@pytest.mark.parametrize(("seconds", "header"), [(0.2, "1"), (5, "5"), (5.01, "6"), (None, None)])
def test_when_to_try_again(seconds, header):
    """Whole seconds, never too early."""
    error = errors.RateLimited("Slowly.", retry_after=seconds)
    assert headers_of(error).get("Retry-After") == header


# -- URLs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "target",
    [
        "/nowhere",
        "/v1",
        "/v1/",
        "/v1/resources",
        "/v1/resources/",
        "/v1/resources/guid0",
        "/v1/resources/guid0/",
        "/v1/resources/guid0/providers",
        "/v1/resources/guid0/providers/",
        "/v1/resources/guid0/providers/memory",
        "/v1/resources/guid0/providers/memory?meta=",
        "/v1/resources//providers/memory/",
        "/v1/resources/guid0/providers//a",
        "/v1/resources/gu-id/providers/memory/",
        "/v1/resources/guid0/providers/mem.ory/",
        "/v1/resources/guid0%2F/providers/memory/",
        "/v1/resources/guid0/x/providers/memory/",
        "/v1/resources/guid0/PROVIDERS/memory/",
        "/V1/resources/guid0/providers/memory/",
        "/v3/resources/guid0/providers/memory/",
        "/v1/jobs/../resources/guid0/providers/memory/",
        "/%76%31/nowhere",
    ],
)
async def test_urls_that_lead_nowhere(server, method, target):
    """404 in JSON, whatever the method; no storage is asked."""
    body = b"x" if method in {"PUT", "POST", "PATCH"} else None
    reply = await server.request(method, target, ALICE, body)
    expected = 405 if method == "PATCH" and target.startswith("/v1/resources/") else 404
    assert reply.status == expected
    if method != "HEAD":
        assert reply.message
    assert reply.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert not server.calls


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/v1/resources/nothing/providers/memory/", 404),
        ("/v1/resources/guid0/providers/nothing/", 404),
        ("/v1/resources/guid0/providers/nothing/a.txt?meta", 404),
        ("/v1/resources/GUID0/providers/memory/", 404),
        ("/v1/resources/%67uid0/providers/mem%6Fry/", 200),
        ("/v1/resources/abcde_v2/providers/memory/", 404),
        ("/v1/resources/%FF/providers/memory/", 400),
    ],
)
async def test_resources_and_providers(server, target, status):
    """404 where there is none."""
    reply = await server.get(target)
    assert reply.status == status
    if status != 200:
        assert reply.message


@pytest.mark.parametrize(
    "path",
    [
        "/..",
        "/../",
        "/.",
        "/./a",
        "/a/../b",
        "/%2e%2e/a",
        "/%2E%2E%2Fa",
        "/a%2Fb",
        "/%2F",
        "//",
        "//a",
        "/a//b",
        "/a//",
        "/a%00",
        "/%00/",
        "/%FF",
        "/%C3%28",
        "/%ED%A0%80",
        "/" + "n" * 256,
        "/a?displayName=%FF",
        "/a?meta&version=%FF",
        "/?%FF=1",
        "/?page[size]=%FF",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_paths_that_nothing_can_have(server, method, path):
    """400, before any storage is asked."""
    reply = await server.request(method, BASE + path, ALICE)
    assert reply.status == 400
    assert not server.calls


@pytest.mark.parametrize("path", ["/%", "/%zz", "/%4", "/a%", "/caf\u00e9"])
async def test_odd_escapes_are_names(server, path):
    """What is no escape stands for itself; bytes that are no UTF-8 are refused."""
    reply = await server.get(BASE + path)
    assert reply.status == (400 if "\u00e9" in path else 404)
    assert reply.message


async def test_raw_utf8_in_a_url(server):
    """Not allowed, but what some clients send."""
    await server.have("/é.txt", b"data")
    raw = "/é.txt".encode().decode("latin-1")
    assert (await server.get(BASE + raw)).body == b"data"


# -- methods ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, b"", b"x" * 100, b"x" * 1_000_000])
@pytest.mark.parametrize("method", ["PATCH", "TRACE", "PROPFIND", "FOO", "get", "PUTT", "FINISH"])
@pytest.mark.parametrize("target", [f"{BASE}/a.txt", "/status"])
async def test_methods_that_mean_nothing(server, method, target, body):
    """405 in JSON with what is possible, also behind a body."""
    reply = await server.request(method, target, ALICE, body)
    assert reply.status == 405
    assert reply.message
    allowed = set(reply.headers["Allow"].split(", "))
    assert {"GET", "HEAD", "OPTIONS"} <= allowed
    assert method not in allowed
    assert not server.calls


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
@pytest.mark.parametrize("target", ["/status", "/ready", "/metrics"])
async def test_pages_of_the_server_are_only_read(server, method, target):
    """405."""
    reply = await server.request(method, target, ALICE, b"x")
    assert reply.status == 405
    assert reply.headers["Allow"] == "GET, HEAD, OPTIONS"


# -- requests that are none ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /status\r\n\r\n",
        b"GET  /status HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /status HTTP/1.1\r\n\r\n",
        b"GET /status HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET /status HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET /status HTTP/1.1\r\nHost: x\r\nBad\x00Name: x\r\n\r\n",
        b"GET /status HTTP/1.1\r\nHost: x\r\n: no name\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_no_request(server, data):
    """400 in JSON, and the connection ends."""
    async with server.connection() as connection:
        await connection.send(data)
        reply = await connection.receive()
        assert reply.status == 400
        assert reply.message
        assert reply.headers["X-Waterbutler-Request-Id"]
        assert reply.headers["Connection"] == "close"
        assert await connection.ended()


@pytest.mark.parametrize("size", [70_000, 1_000_000])
async def test_a_header_that_is_too_large(server, size):
    """400 in JSON, which the client can read although it is still sending."""
    async with server.connection() as connection:
        await connection.start("GET", "/status", {"X-Large": "x" * size})
        reply = await connection.receive()
        assert reply.status == 400
        assert reply.message
        assert reply.headers["X-Waterbutler-Request-Id"]


async def test_a_target_that_is_too_long(server):
    """Is a header that is too large; a long one is fine."""
    assert (await server.get(f"{BASE}/?x={'y' * 60_000}")).status == 200
    reply = await server.get(f"{BASE}/?x={'y' * 70_000}")
    assert reply.status == 400
    assert reply.message


async def test_a_half_request_ends_with_the_client(server, log):
    """Nothing is answered and nothing is logged as an error."""
    async with server.connection() as connection:
        await connection.send(b"GET /status HT")
    async with server.connection() as connection:
        await connection.send(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\nGET /st")
        assert (await connection.receive()).status == 200
    assert [event for event in log if event["level"] != "info"] == []


async def test_more_than_the_length_is_the_next_request(server):
    """A body that is longer than it says: the file is what was said, the rest is no request."""
    async with server.connection() as connection:
        headers = {**ALICE, "Content-Length": "4"}
        await connection.start("PUT", f"{BASE}/?name=a.txt", headers)
        await connection.send(b"abcdefgh\r\n\r\n")
        assert (await connection.receive()).status == 201
        reply = await connection.receive()
        assert reply.status == 400
        assert reply.message
    assert await server.content("/a.txt") == b"abcd"


# -- what every answer has -------------------------------------------------------------------------

REQUESTS = [
    ("GET", "/status", None),
    ("GET", "/ready", None),
    ("GET", "/metrics", None),
    ("GET", "/openapi.json", None),
    ("GET", "/nowhere", None),
    ("GET", f"{BASE}/", None),
    ("GET", f"{BASE}/a.txt", None),
    ("HEAD", f"{BASE}/a.txt", None),
    ("GET", f"{BASE}/a.txt?meta", None),
    ("GET", f"{BASE}/a.txt?versions", None),
    ("GET", f"{BASE}/?zip", None),
    ("GET", f"{BASE}/nothing", None),
    ("GET", f"{BASE}/..", None),
    ("PUT", f"{BASE}/?name=b.txt", b"x"),
    ("PUT", f"{BASE}/?name=a.txt", b"x"),
    ("PUT", f"{BASE}/?name=c&kind=folder", None),
    ("POST", f"{BASE}/a.txt", b"{}"),
    ("POST", f"{BASE}/a.txt", b'{"action": "rename", "rename": "d"}'),
    ("DELETE", f"{BASE}/e.txt", None),
    ("DELETE", f"{BASE}/", None),
    ("PATCH", f"{BASE}/", None),
    ("OPTIONS", f"{BASE}/", None),
    ("FOO", "/", None),
]


@pytest.mark.parametrize(("method", "target", "body"), REQUESTS)
async def test_every_answer_has_an_id_and_says_what_it_is(server, log, method, target, body):
    """Errors too; the id is in the log; nothing is guessed or kept by strangers."""
    await server.have("/a.txt")
    await server.have("/e.txt")
    for who in (ALICE, NOBODY):
        reply = await server.request(method, target, who, body)
        assert len(reply.headers.get_list("X-Waterbutler-Request-Id")) == 1
        identity = reply.headers["X-Waterbutler-Request-Id"]
        assert identity in {event.get("request_id") for event in log}
        assert reply.headers["Server"] == "WaterButler"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Cache-Control"]
        assert "Date" in reply.headers
        if reply.status >= 400 and method != "HEAD":
            document = json.loads(reply.body)
            assert document["code"] == reply.status
            assert document["message"]


async def test_ids_differ(server):
    """Also on one connection."""
    async with server.connection() as connection:
        replies = [await connection.request("GET", "/status") for _ in range(5)]
    assert len({reply.headers["X-Waterbutler-Request-Id"] for reply in replies}) == 5


async def test_errors_have_what_all_clients_read(server):
    """``message`` for most, ``message_long`` for some."""
    document = (await server.get(f"{BASE}/nothing")).json
    assert set(document) == {"code", "message", "message_long"}


async def test_nobody_is_told_how_to_sign_in(server):
    """With a scheme that does not make browsers ask for a password."""
    reply = await server.request("GET", f"{BASE}/", NOBODY)
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")


async def test_status(server):
    """Without any rights."""
    reply = await server.request("GET", "/status", NOBODY)
    assert reply.json["status"] == "up"
    assert isinstance(reply.json["version"], str)


async def test_ready(server):
    """503 with the reasons, in the shape of an error."""
    assert (await server.request("GET", "/ready", NOBODY)).status == 200
    server.reasons.append("The disk is gone.")
    reply = await server.request("GET", "/ready", NOBODY)
    assert reply.status == 503
    assert reply.message
    assert reply.json["reasons"] == ["The disk is gone."]


async def test_a_server_that_stops_is_not_ready(server):
    """And tells clients to go elsewhere, while it still answers."""
    async with server.connection() as connection:
        await connection.request("GET", "/status")
        server.context.state.stopping = True
        reply = await connection.request("GET", "/ready")
        assert reply.status == 503
        assert reply.headers["Connection"] == "close"
        assert await connection.ended()


async def test_metrics(server):
    """What was asked is counted."""
    await server.have("/a.txt", b"hello")
    await server.get(f"{BASE}/a.txt")
    await server.get(f"{BASE}/nothing")
    text = (await server.request("GET", "/metrics", NOBODY)).body.decode()
    labels = 'action="download",dialect="v1",method="GET",status="200"'
    assert f"waterbutler_requests_total{{{labels}}} 1.0" in text
    assert "waterbutler_sent_bytes_total" in text
    assert 'waterbutler_storage_calls_total{operation="read",outcome="NotFound"' in text


async def test_odd_requests_do_not_make_new_series(server):
    """Metrics stay few, whatever clients send."""
    for method in ("FOO", "BAR", "BAZ"):
        await server.request(method, f"{BASE}/{method}", ALICE)
    text = (await server.request("GET", "/metrics", NOBODY)).body.decode()
    assert "FOO" not in text
    assert 'method="other"' in text


async def test_many_refused_connections_at_once(server):
    """Nothing is left behind."""

    async def one(number):
        async with server.connection() as connection:
            await connection.start("FOO", "/", {"Content-Length": str(LARGE)})
            reply = await connection.receive()
            assert reply.status == 405

    await asyncio.gather(*(one(number) for number in range(20)))
