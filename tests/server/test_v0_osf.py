"""The v0 dialect over storages with ids, and what a host is asked and told."""

import json
from urllib.parse import urlencode

import pytest

from tests.fakes.osf_host import running_host
from tests.osf_server import BASE, OsfServer

V0 = {"nid": "guid0", "provider": "osfstorage"}


@pytest.fixture
def host():
    with running_host() as host:
        yield host


@pytest.fixture
def server(io_loop, host, tmp_path):
    server = io_loop.run_sync(OsfServer(host, tmp_path).start)
    yield server
    io_loop.run_sync(server.stop)


def at(url, path, **further):
    return f"{url}?{urlencode({**V0, 'path': path, **further})}"


def asked(host):
    """The words of each question, in order."""
    questions = [call.said["data"] for call in host.calls if call.name == "auth"]
    return [
        (it["action"], it["nid"], it["provider"], it["path"], it["version"]) for it in questions
    ]


async def ops(server, action, source, destination, **further):
    ends = {"source": {**V0, **source}, "destination": {**V0, **destination}}
    body = json.dumps({**ends, **further}).encode()
    return await server.request("POST", f"/ops/{action}", body=body)


# -- paths -----------------------------------------------------------------------------------------


async def test_paths_of_files(server):
    """By id; by a name in the root; by a name in a folder with an id."""
    folder = await server.folder("f")
    made = await server.request("PUT", at("/file", "/a b.txt"), body=b"one")
    assert (made.status, made.json["materialized"]) == (201, "/a b.txt")
    inner = await server.request("PUT", at("/file", f"/{folder}/c.txt"), body=b"two")
    assert (inner.status, inner.json["materialized"]) == (201, "/f/c.txt")
    for paths, body in (
        ((made.json["path"], "/a b.txt"), b"one"),
        ((inner.json["path"], f"/{folder}/c.txt"), b"two"),
    ):
        for path in paths:
            assert (await server.request("GET", at("/file", path))).body == body
            data = (await server.request("GET", at("/data", path))).data
            assert data["path"] == paths[0]
            assert len((await server.request("GET", at("/revisions", path))).data) == 1


async def test_an_upload_by_id_and_by_name(server):
    """Both make a new version of the same file."""
    made = (await server.request("PUT", at("/file", "/a.txt"), body=b"one")).json
    for count, path in enumerate(("/a.txt", made["path"]), 2):
        reply = await server.request("PUT", at("/file", path), body=bytes(count))
        assert (reply.status, reply.json["path"]) == (200, made["path"])
        assert reply.json["extra"]["version"] == count
    old = await server.request("GET", at("/file", made["path"], version=1))
    assert old.body == b"one"


async def test_paths_of_folders(server):
    """The same for folders."""
    outer = (await server.request("POST", at("/file", "/f/"))).json
    inner = await server.request("POST", at("/file", f"{outer['path']}g/"))
    assert (inner.status, inner.json["materialized"]) == (201, "/f/g/")
    again = await server.request("POST", at("/file", f"{outer['path']}g/"))
    assert (again.status, again.json["data"]["path"]) == (409, inner.json["path"])
    for path in (outer["path"], "/f/"):
        (child,) = (await server.request("GET", at("/data", path))).data
        assert child["path"] == inner.json["path"]
    (only,) = (await server.request("GET", at("/data", "/"))).data
    assert only["path"] == outer["path"]
    assert (await server.request("DELETE", at("/file", "/f/"))).status == 204
    assert (await server.request("GET", at("/data", "/"))).data == []


@pytest.mark.parametrize("path", ["/nothing", "/nothing/", "/0123456789abcdef", "/a/b/c", "/x/y"])
async def test_what_is_not_there(server, path):
    """404, whether it looks like an id or like a name."""
    assert (await server.request("GET", at("/data", path))).status == 404


async def test_the_other_kind(server):
    """A folder's id without its slash is no file, and the other way round."""
    file, folder = await server.upload("a.txt"), await server.folder("f")
    for path in (f"/{folder}", f"/{file}/"):
        assert (await server.request("GET", at("/data", path))).status == 404


async def test_names_do_not_reach_v1(server):
    """There a path is an id, and nothing else."""
    await server.upload("a.txt")
    assert (await server.request("GET", f"{BASE}/a.txt")).status == 404


async def test_the_successor_has_the_id(server):
    """Whatever the path was, v1 finds the file."""
    id = await server.upload("a.txt")
    reply = await server.request("GET", at("/file", "/a.txt"))
    assert f"{BASE}/{id}>; rel=" in ", ".join(reply.headers.get_list("Link"))


@pytest.mark.parametrize("action", ["copy", "move"])
async def test_transfers(server, action):
    """Into folders by id or name, to a new name, onto a file by its id."""
    folder = await server.folder("f")
    file = await server.upload("a.txt", b"new")
    there = await ops(server, action, {"path": f"/{file}"}, {"path": f"/{folder}/"})
    assert (there.status, there.json["materialized"]) == (201, "/f/a.txt")
    moved = there.json["path"]
    named = await ops(server, action, {"path": moved}, {"path": "/b.txt"})
    assert (named.status, named.json["materialized"]) == (201, "/b.txt")
    other = await server.upload("c.txt", b"old")
    onto = await ops(server, action, {"path": named.json["path"]}, {"path": f"/{other}"})
    assert (onto.status, onto.json["materialized"]) == (200, "/c.txt")
    assert (await server.request("GET", at("/file", "/c.txt"))).body == b"new"
    away = await ops(server, action, {"path": f"/{folder}/"}, {"path": "/", "nid": "guid1"})
    assert away.status == 201
    names = [child["name"] for child in away.json["children"]]
    assert names == (["a.txt"] if action == "copy" else [])


# -- what the host is asked ------------------------------------------------------------------------


ROWS = [
    ("GET", "/file", "/x", "download"),
    ("PUT", "/file", "/x", "upload"),
    ("DELETE", "/file", "/x", "delete"),
    ("POST", "/file", "/x/", "create_folder"),
    ("GET", "/data", "/x", "metadata"),
    ("GET", "/revisions", "/x", "revisions"),
    ("GET", "/zip", "/", "download"),
]


@pytest.mark.parametrize(("method", "url", "path", "action"), ROWS)
async def test_what_is_asked(server, host, method, url, path, action):
    """Once, in the words of v0, with the path and version of the parameters."""
    body = b"x" if method == "PUT" else None
    await server.request(method, at(url, path, version="3"), body=body)
    version = "3" if url in {"/file", "/data"} and method == "GET" else None
    assert asked(host) == [(action, "guid0", "osfstorage", path, version)]


@pytest.mark.parametrize(
    ("action", "words"), [("copy", ["copyfrom", "copyto"]), ("move", ["movefrom", "moveto"])]
)
async def test_what_is_asked_about_transfers(server, host, action, words):
    """Both ends, each with what its object says."""
    id = await server.upload("a.txt")
    host.calls.clear()
    source = {"path": f"/{id}", "cookie": "here"}
    await ops(server, action, source, {"path": "/", "nid": "guid1", "cookie": "there"})
    assert asked(host) == [
        (words[0], "guid0", "osfstorage", f"/{id}", None),
        (words[1], "guid1", "osfstorage", "/", None),
    ]
    cookies = [call.said["data"]["cookie"] for call in host.calls if call.name == "auth"]
    assert cookies == ["here", "there"]


async def test_what_of_the_client_reaches_the_host(server, host):
    """Headers, the session, and the two parameters."""
    headers = {"Cookie": "osf=session; other=secret", "Authorization": "Bearer t"}
    await server.request("GET", at("/file", "/x", cookie="c", view_only="v"), headers)
    call = host.last("auth")
    assert (call.headers["cookie"], call.headers["authorization"]) == ("osf=session", "Bearer t")
    assert call.query["view_only"] == ["v"]
    assert call.said["data"]["cookie"] == "c"


async def test_bad_paths_reach_no_hook(server, host):
    """They are refused before the host is asked."""
    for path in ("", "x", "/..", "/../x", "/a//b", "/nul\0"):
        reply = await server.request("GET", at("/file", path))
        assert reply.status == 400
    assert host.names == []


# -- what the host is told -------------------------------------------------------------------------


async def test_what_is_told(server):
    """As by v1: also what v0 itself does not show."""
    made = (await server.request("PUT", at("/file", "/a.txt"), body=b"one")).json
    await server.request("PUT", at("/file", "/a.txt"), body=b"two")
    await server.request("POST", at("/file", "/f/"))
    await server.request("GET", at("/file", "/a.txt"))
    await server.request("GET", at("/zip", "/"))
    await server.logs(5)
    await ops(server, "copy", {"path": made["path"]}, {"path": "/f/"})
    await ops(server, "move", {"path": "/a.txt"}, {"path": "/b.txt"})
    await server.request("DELETE", at("/file", made["path"]))
    logs = await server.logs(8)
    assert sorted(said["action"] for said in logs[:5]) == [
        *("create", "create_folder", "download_file", "download_zip", "update")
    ]
    by_action = {said["action"]: said for said in logs}
    created = by_action["create"]["metadata"]
    assert (created["nid"], created["resource"]) == ("guid0", "guid0")
    assert (created["path"], created["sizeInt"]) == (made["path"], 3)
    assert by_action["create_folder"]["metadata"]["materialized"] == "/f/"
    moved = by_action["move"]
    assert moved["source"]["materialized"] == "/a.txt"
    assert moved["destination"]["materialized"] == "/b.txt"
    assert by_action["copy"]["destination"]["materialized"] == "/f/a.txt"
    assert by_action["delete"]["metadata"]["path"] == made["path"]
    assert by_action["create"]["request_meta"]["url"].startswith("http://127.0.0.1/file?")


async def test_what_is_not_told(server):
    """Looking, parts, and what was refused."""
    await server.request("PUT", at("/file", "/a.txt"), body=b"one")
    await server.logs(1)
    for method, url, headers in (
        ("GET", at("/data", "/a.txt"), {}),
        ("GET", at("/revisions", "/a.txt"), {}),
        ("GET", at("/file", "/a.txt"), {"Range": "bytes=0-0"}),
        ("GET", at("/file", "/nothing"), {}),
        ("DELETE", at("/file", "/"), {}),
    ):
        await server.request(method, url, headers)
    await server.request("DELETE", at("/file", "/a.txt"))
    assert [said["action"] for said in await server.logs(2)] == ["create", "delete"]
