"""What the host is told of each request, and when."""

import asyncio
import json

import pytest

from tests.fakes.osf_host import USER, running_host
from tests.osf_server import BASE, OsfServer
from waterbutler.callbacks import Spool

MINIMAL = {"nid", "resource", "provider", "kind", "path", "name", "materialized", "extra"}
FULL = MINIMAL | {
    "etag",
    "contentType",
    "modified",
    "modified_utc",
    "created_utc",
    "size",
    "sizeInt",
}
FOLDER = MINIMAL | {"etag", "size", "sizeInt"}


@pytest.fixture
def host():
    with running_host() as host:
        yield host


@pytest.fixture
def server(io_loop, host, tmp_path):
    server = io_loop.run_sync(OsfServer(host, tmp_path).start)
    yield server
    io_loop.run_sync(server.stop)


async def only(server, already=0):
    """The one message that is new; nothing follows it."""
    logs = await server.logs(already + 1)
    return logs[-1]


async def nothing(server, already=0):
    """No message comes."""
    await asyncio.sleep(0.2)
    assert len(server.host.logs) == already


async def test_a_new_file(server, host):
    """All that v1 shows, who did it, and by which request."""
    id = await server.upload("a%20b.txt", b"hello")
    said = await only(server)
    assert said["action"] == "create"
    assert said["action_meta"] == {}
    assert said["errors"] == []
    assert said["provider"] == "osfstorage"
    assert isinstance(said["time"], float)
    assert said["auth"] == {
        **USER,
        "callback_url": f"{host.url}/api/v1/project/guid0/waterbutler/logs/",
    }
    assert said["request_meta"] == {
        "method": "PUT",
        "url": f"http://127.0.0.1{BASE}/?kind=file&name=a%20b.txt",
        "referrer": None,
        "user_agent": "probe/1",
    }
    assert not {"email", "source", "destination"} & set(said)
    assert set(said["metadata"]) == FULL
    assert said["metadata"]["path"] == f"/{id}"
    assert said["metadata"]["materialized"] == "/a b.txt"
    assert (said["metadata"]["nid"], said["metadata"]["resource"]) == ("guid0", "guid0")
    assert said["metadata"]["sizeInt"] == 5
    assert said["metadata"]["extra"]["version"] == 1
    assert host.last("log").method == "PUT"


async def test_a_new_version(server):
    """Also if the host adds none."""
    id = await server.upload("a.txt", b"one")
    for count, body in enumerate((b"two", b"two"), 2):
        assert (await server.put(f"/{id}", body)).status == 200
        said = (await server.logs(count))[-1]
        assert said["action"] == "update"
        assert set(said["metadata"]) == FULL
        assert said["metadata"]["extra"]["version"] == 2


async def test_a_new_folder(server):
    await server.folder("f")
    said = await only(server)
    assert said["action"] == "create_folder"
    assert set(said["metadata"]) == FOLDER
    assert said["metadata"]["kind"] == "folder"
    assert said["metadata"]["materialized"] == "/f/"


async def test_a_deletion(server):
    id = await server.upload("a.txt")
    await server.logs(1)
    await server.request("DELETE", f"{BASE}/{id}")
    said = await only(server, 1)
    assert said["action"] == "delete"
    assert said["metadata"] == {
        "nid": "guid0",
        "resource": "guid0",
        "provider": "osfstorage",
        "kind": "file",
        "path": f"/{id}",
        "name": "a.txt",
        "materialized": "/a.txt",
        "extra": {},
    }


@pytest.mark.parametrize(
    ("headers", "renders"),
    [
        ({}, False),
        ({"Referer": "http://localhost:7778/render?url=x"}, True),
        ({"Referer": "http://localhost:7777/"}, False),
        ({"Referer": "http://[bad/"}, False),
        ({"X-Cos-Mfr-Render-Request": "1"}, True),
    ],
)
async def test_a_download(server, headers, renders):
    id = await server.upload("a.txt")
    await server.logs(1)
    await server.request("GET", f"{BASE}/{id}", headers)
    said = await only(server, 1)
    assert said["action"] == "download_file"
    assert said["action_meta"] == {"is_mfr_render": renders}
    assert set(said["metadata"]) == MINIMAL
    assert said["request_meta"]["referrer"] == headers.get("Referer")


@pytest.mark.parametrize("root", [True, False])
async def test_an_archive(server, root):
    id = await server.folder("f")
    await server.logs(1)
    await server.request("GET", f"{BASE}/?zip=" if root else f"{BASE}/{id}/?zip=")
    said = await only(server, 1)
    assert said["action"] == "download_zip"
    assert said["metadata"]["name"] == ("" if root else "f")
    assert said["metadata"]["path"] == ("/" if root else f"/{id}/")


async def test_a_rename(server):
    """The host finds out by itself that it is one."""
    id = await server.upload("a.txt")
    await server.logs(1)
    await server.post(f"/{id}", {"action": "rename", "rename": "b.txt"})
    said = await only(server, 1)
    assert said["action"] == "move"
    assert set(said["source"]) == MINIMAL
    assert set(said["destination"]) == FULL
    assert (said["source"]["name"], said["destination"]["name"]) == ("a.txt", "b.txt")
    assert said["source"]["path"] == said["destination"]["path"] == f"/{id}"
    assert not {"metadata", "provider", "email"} & set(said)


@pytest.mark.parametrize("action", ["move", "copy"])
async def test_a_transfer(server, host, action):
    """The destination's host is told."""
    id = await server.folder("f")
    await server.put(f"/{id}/?kind=file&name=a.txt")
    await server.logs(2)
    await server.post(f"/{id}/", {"action": action, "path": "/", "resource": "guid1"})
    said = await only(server, 2)
    assert said["action"] == action
    assert (said["source"]["nid"], said["destination"]["nid"]) == ("guid0", "guid1")
    assert host.last("log").path == "/api/v1/project/guid1/waterbutler/logs/"
    (child,) = said["destination"]["children"]
    assert child["materialized"] == "/f/a.txt"
    assert said["destination"]["kind"] == "folder"


async def test_a_failed_transfer(server, host):
    """The host hears of it too, with the place that was meant."""
    id = await server.upload("a.txt")
    await server.logs(1)
    host.trouble("E9", status=500)
    reply = await server.post(f"/{id}", {"action": "move", "path": "/", "resource": "guid1"})
    assert reply.status == 502
    said = await only(server, 1)
    assert said["action"] == "move"
    assert said["errors"] == [reply.message]
    assert set(said["destination"]) == MINIMAL
    assert said["destination"]["materialized"] == "/a.txt"
    assert said["destination"]["nid"] == "guid1"


async def test_what_is_not_told(server, host):
    """Looking, parts, what is known already, and what was refused."""
    id = await server.upload("a.txt")
    folder = await server.folder("f")
    await server.logs(2)
    etag = (await server.request("HEAD", f"{BASE}/{id}")).headers["ETag"]
    for method, target, headers, status in (
        ("HEAD", f"/{id}", {}, 200),
        ("GET", f"/{id}?meta=", {}, 200),
        ("GET", f"/{id}?versions=", {}, 200),
        ("GET", f"/{id}?revisions=", {}, 200),
        ("GET", "/", {}, 200),
        ("GET", f"/{id}", {"Range": "bytes=0-1"}, 206),
        ("GET", f"/{id}", {"If-None-Match": etag}, 304),
        ("GET", f"/{id}", {"Range": "bytes=100-"}, 416),
        ("GET", "/nothing", {}, 404),
        ("OPTIONS", f"/{id}", {}, 204),
    ):
        assert (await server.request(method, BASE + target, headers)).status == status, target
    assert (await server.put("/?kind=file&name=a.txt")).status == 409
    taken = {"action": "copy", "path": f"/{folder}/", "rename": "x/y"}
    assert (await server.post(f"/{id}", taken)).status == 400
    assert (await server.post(f"/{id}", {"action": "copy", "path": "/"})).status == 400
    await nothing(server, 2)


async def test_without_a_user_agent(server):
    """Who does not say what program it is is told of like everybody."""
    headers = {"User-Agent": None, "Authorization": "Bearer t"}
    reply = await server.request("PUT", f"{BASE}/?name=a", headers, b"x")
    assert reply.status == 201
    said = await only(server)
    assert said["request_meta"]["user_agent"] is None


async def test_the_client_does_not_wait(server, host):
    """The answer comes while the host is still busy with the last message."""
    host.trouble("log", seconds=1, status=200)
    await server.upload("a.txt")
    assert len([call for call in host.calls if call.name == "log"]) <= 1
    await asyncio.sleep(1.1)


async def test_a_restart_loses_nothing(server, host, tmp_path):
    """What the host had not heard when the server stopped it hears from the next one."""
    host.trouble("log", status=503, times=2)
    await server.upload("a.txt")
    await server.logs(2)
    await server.stop()
    spool = Spool(tmp_path / "callbacks.db")
    (waiting,) = spool.take(10, now=1e12, until=0)
    spool.close()
    assert waiting.document["action"] == "create"
    server.assembly = server.assemble()
    assert (await server.logs(3))[-1]["metadata"] == json.loads(
        json.dumps(waiting.document["metadata"])
    )
