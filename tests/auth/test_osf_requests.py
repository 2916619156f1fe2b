"""From requests of clients to what the host is asked, and from its refusals to their answers."""

import asyncio
import json

import pytest

from tests.fakes.osf_host import KEYS, Refused, running_host
from tests.osf_server import BASE, OsfServer
from waterbutler.auth import envelope


@pytest.fixture
def host():
    with running_host() as host:
        yield host


@pytest.fixture
def server(io_loop, host, tmp_path):
    server = io_loop.run_sync(OsfServer(host, tmp_path).start)
    host.make("guid0", "/f/")
    yield server
    io_loop.run_sync(server.stop)


def asked(host):
    """The words of each question, in order."""
    questions = [call.said["data"] for call in host.calls if call.name == "auth"]
    return [(it["action"], it["intent"], it["path"], it["version"]) for it in questions]


MFR = "X-Cos-Mfr-Request-Action"
ROWS = [
    ("GET", "/{f}/", {}, None, [("metadata", "metadata", "/{f}/", None)]),
    ("GET", "/{f}/?zip=0", {}, None, [("download", "daz", "/{f}/", None)]),
    ("GET", "/{f}/?meta=", {}, None, [("metadata", "metadata", "/{f}/", None)]),
    ("GET", "/x", {}, None, [("download", "download", "/x", None)]),
    ("GET", "/x?version=3", {}, None, [("download", "download", "/x", "3")]),
    ("GET", "/x?version=&revision=2", {}, None, [("download", "download", "/x", "2")]),
    ("GET", "/x?meta&revisions", {}, None, [("metadata", "metadata", "/x", None)]),
    ("GET", "/x?revisions", {}, None, [("revisions", "revisions", "/x", None)]),
    ("GET", "/x?versions=", {}, None, [("revisions", "revisions", "/x", None)]),
    ("HEAD", "/x", {}, None, [("metadata", "metadata", "/x", None)]),
    ("HEAD", "/x", {MFR: "Render"}, None, [("render", "render", "/x", None)]),
    ("HEAD", "/x", {MFR: "EXPORT"}, None, [("export", "export", "/x", None)]),
    ("HEAD", "/x", {MFR: "else"}, None, []),
    ("PUT", "/x", {}, b"x", [("upload", "update_file", "/x", None)]),
    ("PUT", "/{f}/?name=n", {}, b"x", [("upload", "create_file", "/{f}/", None)]),
    ("PUT", "/{f}/?name=n&kind=file", {}, b"x", [("upload", "create_file", "/{f}/", None)]),
    ("PUT", "/{f}/?name=n&kind=folder", {}, b"", [("upload", "create_dir", "/{f}/", None)]),
    ("DELETE", "/x", {}, None, [("delete", "delete", "/x", None)]),
    (
        "POST",
        "/{f}/",
        {},
        {"action": "copy", "path": "/", "rename": "g"},
        [("download", "copyfrom", "/{f}/", None), ("upload", "copyto", "/", None)],
    ),
    (
        "POST",
        "/{f}/",
        {},
        {"action": "move", "path": "/", "rename": "g"},
        [("delete", "movefrom", "/{f}/", None), ("upload", "moveto", "/", None)],
    ),
    (
        "POST",
        "/{f}/",
        {},
        {"action": "rename", "rename": "g"},
        [("upload", "rename", "/{f}/", None)],
    ),
    ("PATCH", "/x", {}, None, []),
    ("OPTIONS", "/x", {}, None, []),
]


@pytest.mark.parametrize(
    ("method", "target", "headers", "body", "expected"),
    ROWS,
    ids=[f"{row[0]} {row[1]} {row[2] or ''}{row[3] or ''}" for row in ROWS],
)
async def test_what_is_asked(server, host, method, target, headers, body, expected):
    """Each row of the table, in order, once."""
    id = host.find("guid0", "/f/").id
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    await server.request(method, BASE + target.replace("{f}", id), headers, data)
    assert asked(host) == [
        (action, intent, path.replace("{f}", id), version)
        for action, intent, path, version in expected
    ]


async def test_what_of_the_client_reaches_the_host(server, host):
    """Headers, the session and the address; not the cookies of others."""
    await server.request(
        "GET",
        f"{BASE}/x?cookie=c&view_only=v&view_only=w&displayName=d",
        {
            "Cookie": "osf=session; csrftoken=secret",
            "Authorization": "Bearer t",
            "X-OSF-OTP": "123456",
            "X-Cos-Mfr-Render-Request": "1",
            "X-CSRFToken": "secret",
            "Referer": "http://osf/page",
        },
    )
    call = host.last("auth")
    assert call.headers["cookie"] == "osf=session"
    assert call.headers["authorization"] == "Bearer t"
    assert call.headers["x-osf-otp"] == "123456"
    assert call.headers["x-cos-mfr-render-request"] == "1"
    assert call.query["view_only"] == ["v"]
    assert call.said["data"]["cookie"] == "c"
    assert call.said["data"]["metrics"] == {
        "referrer": "http://osf/page",
        "user_agent": "probe/1",
        "origin": None,
        "uri": f"{BASE}/x?cookie=c&view_only=v&view_only=w&displayName=d",
    }
    assert "secret" not in str(call.headers)


@pytest.mark.parametrize("query", ["", "?view_only", "?view_only="])
async def test_an_empty_key_is_none(server, host, query):
    await server.request("GET", f"{BASE}/{query}")
    assert "view_only" not in host.last("auth").query


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_what_the_host_says_reaches_the_client(server, host, status):
    """Its own keys, and the two that all errors have."""

    def answer(_, __):
        raise Refused(status, "You shall not pass.")

    host.answer = answer
    reply = await server.request("GET", f"{BASE}/")
    assert reply.status == status
    assert reply.json == {
        "code": status,
        "message": "You shall not pass.",
        "message_short": "You shall not pass.",
        "message_long": "You shall not pass.",
        "referrer": None,
    }
    assert ("WWW-Authenticate" in reply.headers) == (status == 401)


TROUBLES = {
    "html refusal": ({"status": 403, "body": b"<html>"}, 403),
    "sends headers": ({"status": 403, "body": b'{"headers": {"X-Evil": "1"}}'}, 403),
    "failed": ({"status": 500, "body": b'{"message": "secret"}'}, 502),
    "html success": ({"status": 200, "body": b"<html>"}, 502),
    "no payload": ({"status": 200, "body": b"{}"}, 502),
    "out of order": ({"status": 503}, 503),
    "redirect": ({"status": 302, "headers": {"Location": "/"}}, 401),
    "expired": (
        {
            "status": 200,
            "body": json.dumps({"payload": envelope.seal({"data": {}}, KEYS, now=0)}).encode(),
        },
        502,
    ),
}


@pytest.mark.parametrize(("trouble", "status"), TROUBLES.values(), ids=TROUBLES)
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_broken_answers(server, host, trouble, status, method):
    """A clear status and our JSON, never 500, and nothing of the host's answer."""
    host.trouble("auth", **trouble)
    body = b"x" if method == "PUT" else None
    reply = await server.request(method, f"{BASE}/?name=a", body=body)
    assert reply.status == status
    assert reply.message
    assert b"secret" not in reply.body
    assert "X-Evil" not in reply.headers


async def test_a_host_that_comes_back(server, host):
    """503, and when the host is back the request works."""
    host.trouble("auth", status=503, times=1)
    assert (await server.request("GET", f"{BASE}/")).status == 503
    assert (await server.request("GET", f"{BASE}/")).status == 200


async def test_an_unknown_provider(server, host):
    """Only after the host has allowed it."""
    reply = await server.request("GET", "/v1/resources/guid0/providers/nothing/")
    assert reply.status == 404
    assert host.names == ["auth"]


async def test_settings_that_open_nothing(server, host):
    """The host granted something that makes no sense: an error that says so."""
    host.answer = lambda _, answer: {**answer, "settings": {}}
    reply = await server.request("GET", f"{BASE}/")
    assert reply.status == 500
    assert "settings of osfstorage" in reply.message


async def test_many_at_once(server, host):
    """Everybody gets their own answer."""
    host.answer = lambda data, answer: {
        **answer,
        "settings": {**answer["settings"], "nid": data["nid"]},
    }
    for number in range(8):
        host.make(f"r{number}", f"/name{number}/")

    async def names(number):
        target = f"/v1/resources/r{number}/providers/osfstorage/"
        reply = await server.request("GET", target)
        return [it["attributes"]["name"] for it in reply.data]

    found = await asyncio.gather(*(names(number) for number in range(8)))
    assert found == [[f"name{number}"] for number in range(8)]
