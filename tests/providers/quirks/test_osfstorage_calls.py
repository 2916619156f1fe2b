"""Which calls the host gets for each request: those of the contract, or fewer."""

import pytest

from tests.fakes.osf_host import running_host
from tests.osf_server import BASE, OTHER, OsfServer


@pytest.fixture
def host():
    with running_host() as host:
        yield host


@pytest.fixture
def server(io_loop, host, tmp_path):
    server = io_loop.run_sync(OsfServer(host, tmp_path).start)
    yield server
    io_loop.run_sync(server.stop)


@pytest.fixture
def fresh(server, host):
    """Forgets the calls so far; gives those from now on."""

    def forget():
        host.calls.clear()
        return host

    return forget


async def test_download_a_file(server, fresh):
    id = await server.upload("a.txt", b"hello")
    host = fresh()
    reply = await server.request("GET", f"{BASE}/{id}")
    assert (reply.status, reply.body) == (200, b"hello")
    assert host.names == ["auth", "E2", "E7"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_describe_a_file(server, fresh, method):
    id = await server.upload("a.txt")
    host = fresh()
    assert (await server.request(method, f"{BASE}/{id}?meta=")).status == 200
    assert host.names in (["auth", "E2", "E1"], ["auth", "E2"])


async def test_versions_of_a_file(server, fresh):
    id = await server.upload("a.txt", b"one")
    assert (await server.put(f"/{id}", b"two")).status == 200
    host = fresh()
    reply = await server.request("GET", f"{BASE}/{id}?revisions=&view_only=key")
    assert [it["id"] for it in reply.data] == ["2", "1"]
    assert host.names == ["auth", "E2", "E8"]
    assert host.last("E8").query == {"view_only": ["key"]}


async def test_list_folders(server, fresh):
    id = await server.folder("f")
    host = fresh()
    assert (await server.request("GET", f"{BASE}/")).status == 200
    assert host.names == ["auth", "E3"]
    assert host.last("E3").query == {"user_id": ["usr01"]}
    host = fresh()
    assert (await server.request("GET", f"{BASE}/{id}/")).status == 200
    assert host.names == ["auth", "E2", "E3"]


async def test_zip_a_folder(server, fresh, host):
    id = await server.folder("f")
    assert (await server.put(f"/{id}/?kind=file&name=a.txt")).status == 201
    inner = (await server.put(f"/{id}/?kind=folder&name=g", b"")).data["attributes"]["path"]
    assert (await server.put(f"{inner}?kind=file&name=b.txt")).status == 201
    host = fresh()
    reply = await server.request("GET", f"{BASE}/{id}/?zip=")
    assert reply.status == 200
    assert reply.body.count(b"PK\x01\x02") == 2
    assert sorted(host.names) == ["E2", "E3", "E3", "E7", "E7", "auth"]


async def test_upload_a_new_file(server, fresh):
    host = fresh()
    await server.upload("a.txt")
    assert host.names == ["auth", "E3", "E11", "E5"]
    id = await server.folder("f")
    host = fresh()
    assert (await server.put(f"/{id}/?kind=file&name=a.txt")).status == 201
    assert host.names == ["auth", "E2", "E3", "E11", "E5"]


async def test_upload_to_a_taken_name(server, fresh):
    await server.upload("a.txt")
    host = fresh()
    reply = await server.put("/?kind=file&name=a.txt", b"new")
    assert reply.status == 409
    assert reply.data["links"]["upload"].endswith("?kind=file")
    assert host.names in (["auth", "E3", "E1"], ["auth", "E3"])


async def test_update_a_file(server, fresh):
    id = await server.upload("a.txt")
    host = fresh()
    assert (await server.put(f"/{id}", b"new")).status == 200
    assert host.names == ["auth", "E2", "E11", "E5"]
    root = host.root("guid0").id
    assert host.last("E5").path == f"/api/v1/guid0/osfstorage/{root}/children/"


async def test_make_a_folder(server, fresh):
    id = await server.folder("f")
    host = fresh()
    assert (await server.put(f"/{id}/?kind=folder&name=g", b"")).status == 201
    assert host.names == ["auth", "E2", "E3", "E4"]
    host = fresh()
    assert (await server.put(f"/{id}/?kind=folder&name=g", b"")).status == 409
    assert host.names == ["auth", "E2", "E3"]


async def test_delete(server, fresh):
    id = await server.upload("a.txt")
    host = fresh()
    assert (await server.request("DELETE", f"{BASE}/{id}")).status == 204
    assert host.names == ["auth", "E2", "E6"]
    assert host.last("E6").said["user"] == "usr01"


async def test_empty_the_root(server, fresh):
    await server.upload("a.txt")
    await server.folder("f")
    host = fresh()
    assert (await server.request("DELETE", f"{BASE}/?confirm_delete=1")).status == 204
    assert host.names == ["auth", "E3", "E6", "E6"]


async def test_rename(server, fresh):
    id = await server.upload("a.txt")
    host = fresh()
    reply = await server.post(f"/{id}", {"action": "rename", "rename": "b.txt"})
    assert reply.status == 200
    assert reply.data["attributes"]["path"] == f"/{id}"
    assert host.names == ["auth", "E2", "E3", "E9"]


async def test_rename_a_folder(server, fresh):
    id = await server.folder("f")
    host = fresh()
    reply = await server.post(f"/{id}/", {"action": "rename", "rename": "g"})
    assert reply.data["attributes"]["children"] == []
    assert host.names in (
        ["auth", "E2", "E3", "E9", "E2", "E3"],
        ["auth", "E2", "E3", "E9", "E3"],
    )


@pytest.mark.parametrize(("action", "hook"), [("move", "E9"), ("copy", "E10")])
async def test_transfer_within_a_resource(server, fresh, action, hook):
    id, to = await server.upload("a.txt"), await server.folder("f")
    host = fresh()
    reply = await server.post(f"/{id}", {"action": action, "path": f"/{to}/"})
    assert reply.status == 201
    assert host.names == ["auth", "E2", "auth", "E2", "E3", hook]


@pytest.mark.parametrize("resource", ["guid0", "guid1"])
@pytest.mark.parametrize(("action", "hook"), [("move", "E9"), ("copy", "E10")])
async def test_transfer_of_a_folder(server, fresh, action, hook, resource):
    """However much is in it."""
    id = await server.folder("f")
    for name in ("g", "h"):
        inner = (await server.put(f"/{id}/?kind=folder&name={name}", b"")).data
        path = inner["attributes"]["path"]
        assert (await server.put(f"{path}?kind=file&name=a.txt")).status == 201
    other = OTHER if resource == "guid1" else BASE
    to = await server.folder("to", base=other)
    host = fresh()
    body = {"action": action, "path": f"/{to}/", "resource": resource}
    reply = await server.post(f"/{id}/", body)
    assert reply.status == 201
    assert {child["name"] for child in reply.data["attributes"]["children"]} == {"g", "h"}
    room = ["E11"] if resource == "guid1" else []
    before = ["auth", "E2", "auth", "E2", "E3", *room, hook]
    assert host.names in ([*before, "E2", "E3"], [*before, "E3"])


@pytest.mark.parametrize(("action", "hook"), [("move", "E9"), ("copy", "E10")])
async def test_transfer_in_place_of_a_folder(server, fresh, action, hook):
    """What had the name is put aside and deleted at the end: two calls more, and nothing lost."""
    id, to = await server.folder("f"), await server.folder("to")
    assert (await server.put(f"/{to}/?kind=folder&name=f", b"")).status == 201
    host = fresh()
    reply = await server.post(
        f"/{id}/", {"action": action, "path": f"/{to}/", "conflict": "replace"}
    )
    assert reply.status == 200
    assert host.names[:5] == ["auth", "E2", "auth", "E2", "E3"]
    assert host.names[5:9] == [hook, "E9", "E9", "E6"]
    assert set(host.names[9:]) <= {"E1", "E2", "E3"}


@pytest.mark.parametrize(("action", "hook"), [("move", "E9"), ("copy", "E10")])
async def test_transfer_to_another_resource(server, fresh, action, hook):
    id = await server.upload("a.txt")
    host = fresh()
    reply = await server.post(f"/{id}", {"action": action, "path": "/", "resource": "guid1"})
    assert reply.status == 201
    assert reply.data["attributes"]["resource"] == "guid1"
    assert host.names == ["auth", "E2", "auth", "E3", "E11", hook]
    assert host.last(hook).path.startswith("/api/v1/guid0/")
    assert (await server.request("GET", f"{OTHER}{reply.data['attributes']['path']}")).body == (
        b"data"
    )


async def test_bad_names_and_ids_reach_no_hook(server, fresh):
    """What cannot be right is refused before the host is asked, or its first answer decides."""
    id = await server.upload("a.txt")
    for name in ("", ".", "..", "a/b", "x" * 300, "nul\0"):
        host = fresh()
        reply = await server.post(f"/{id}", {"action": "rename", "rename": name})
        assert reply.status == 400, name
        assert not [call for call in host.names if call != "auth"]
    for path in ("/%2e%2e/", "/a-b", "/..%2fx", "/a.b", "/%20"):
        host = fresh()
        reply = await server.request("GET", BASE + path)
        assert reply.status in {400, 404}, path
        assert set(host.names) <= {"auth"}


async def test_a_folder_into_itself(server, fresh):
    id = await server.folder("f")
    inner = (await server.put(f"/{id}/?kind=folder&name=g", b"")).data["attributes"]["path"]
    for target in (f"/{id}/", inner):
        host = fresh()
        reply = await server.post(f"/{id}/", {"action": "move", "path": target})
        assert reply.status == 400
        assert not {"E9", "E10"} & set(host.names)
