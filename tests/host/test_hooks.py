"""The hooks over the wire: shapes, statuses, signatures."""

import json
import time

import pytest

from tests.host.serving import STORAGE, signed, upload
from waterbutler.core.errors import CheckedOut, NotAFolder
from waterbutler.core.filetree import Destination
from waterbutler.http import HttpClient

FILE_KEYS = {
    *("id", "path", "name", "kind", "size", "contentType", "version", "downloads", "checkout"),
    *("md5", "sha256", "created", "modified"),
}


@pytest.fixture
def root(host, io_loop):
    return io_loop.run_sync(lambda: host.trees.root("guid0"))


async def put(host, parent, name="f.txt", content="data", **changes):
    """Record a blob; returns the answer."""
    return await host.hook("POST", f"{parent}/children/", upload(name, content, **changes))


async def test_a_file_is_made_updated_and_left_alone(host, root):
    first = await put(host, root)
    assert first.status == 201
    document = first.json
    assert (document["status"], document["archive"]) == ("success", True)
    item = document["data"]
    assert set(item) == FILE_KEYS
    assert item["path"] == f"/{item['id']}"
    assert (item["name"], item["kind"], item["size"], item["version"]) == ("f.txt", "file", 4, 1)
    assert (item["contentType"], item["checkout"], item["downloads"]) == (None, None, 0)
    assert item["created"] == item["modified"]
    assert item["created"].endswith("+00:00")
    again = await put(host, root)
    assert (again.status, again.json["version"]) == (200, document["version"])
    update = await put(host, root, content="longer")
    assert (update.status, update.json["data"]["version"]) == (200, 2)


async def test_an_item_and_its_lineage(host, root):
    folder = (await host.hook("POST", f"{root}/children/", {"kind": "folder", "name": "d"})).json
    assert folder["version"] is None
    folder = folder["data"]
    assert folder == {
        "id": folder["id"],
        "path": f"/{folder['id']}/",
        "name": "d",
        "kind": "folder",
    }
    file = (await put(host, folder["id"])).json["data"]
    shown = await host.hook("GET", f"{file['id']}/", query={"revision": ""})
    assert shown.json == {**file, "fullPath": "/d/f.txt"}
    top = (await host.hook("GET", "")).json
    assert (top["id"], top["name"], top["fullPath"]) == (root, "", "/")
    line = (await host.hook("GET", f"{file['id']}/lineage/")).json["data"]
    assert [item["id"] for item in line] == [file["id"], folder["id"], root]
    assert "fullPath" not in line[0]


async def test_a_listing_is_an_array(host, root):
    assert (await host.hook("GET", f"{root}/children/")).json == []
    for number in range(3):
        await put(host, root, f"f{number}")
    await host.hook("POST", f"{root}/children/", {"kind": "folder", "name": "d"})
    listed = (await host.hook("GET", f"{root}/children/", query={"user_id": "bob"})).json
    assert [item["name"] for item in listed] == ["f0", "f1", "f2", "d"]
    assert listed[0]["latestVersionSeen"] is None
    assert "latestVersionSeen" not in listed[-1]
    await host.trees.tree("guid0").mark_seen(listed[0]["id"], user="bob")
    listed = (await host.hook("GET", f"{root}/children/", query={"user_id": "bob"})).json
    assert listed[0]["latestVersionSeen"] == {"user": "bob", "seen": True}


async def test_a_listing_by_name_has_only_that(host, root):
    for name in ("a b", "c"):
        await put(host, root, name)
    await host.hook("POST", f"{root}/children/", {"kind": "folder", "name": "a b"})
    listed = (await host.hook("GET", f"{root}/children/", query={"name": "a b"})).json
    assert [item["kind"] for item in listed] == ["file", "folder"]
    assert (await host.hook("GET", f"{root}/children/", query={"name": "x"})).json == []


async def test_a_brief_listing_goes_on_after_a_key(host, root):
    await host.hook("POST", f"{root}/children/", {"kind": "folder", "name": "d"})
    for number in range(3):
        await put(host, root, f"f{number}")
    where, brief = f"{root}/children/", {"minimal": "true"}
    everything = (await host.hook("GET", where, query=brief)).json
    page = (await host.hook("GET", where, query={**brief, "limit": 2})).json
    more = {**brief, "limit": 9, "after": page[-1]["id"]}
    assert page + (await host.hook("GET", where, query=more)).json == everything
    assert [row["name"] for row in everything] == ["d", "f0", "f1", "f2"]
    assert everything[0]["storage"] is None
    stored = everything[1]["storage"]
    assert stored["data"]["name"] == "f0"
    assert stored["settings"] == {"folder": STORAGE["folder"]}
    assert (await host.hook("GET", where, query={**brief, "limit": "x"})).status == 400


async def test_where_a_version_is(host, root):
    await put(host, root, content="one")
    file = (await put(host, root, content="two")).json["data"]
    where = f"{file['id']}/download/"
    newest = (await host.hook("GET", where, query={"version": "", "mode": ""})).json
    assert newest == {
        "data": {"name": "f.txt", "path": file["sha256"]},
        "settings": {"folder": "/blobs"},
    }
    first = (await host.hook("GET", where, {"user": "bob"}, query={"version": "1"})).json
    assert first["data"]["path"] != file["sha256"]
    statuses = {"x": 400, "-1": 400, "0": 404, "3": 404, "9" * 12: 404, "9" * 30: 400}
    for version, status in statuses.items():
        reply = await host.hook("GET", where, query={"version": version})
        assert reply.status == status, version


async def test_versions_newest_first(host, root):
    await put(host, root, content="one")
    file = (await put(host, root, content="three", user=None)).json["data"]
    shown = (await host.hook("GET", f"{file['id']}/revisions/", query={"view_only": ""})).json
    assert [row["index"] for row in shown["revisions"]] == [2, 1]
    assert set(shown["revisions"][0]) == {
        *("index", "date", "downloads", "md5", "sha256", "size", "user")
    }
    assert shown["revisions"][0]["user"] is None
    assert shown["revisions"][1]["user"] == {"name": "Alice", "url": ""}


async def test_moves_and_copies(host, root):
    file = (await put(host, root)).json["data"]
    there = await host.trees.root("public")
    to = {"node": "public", "parent": there, "name": "g"}
    payload = {"user": "alice", "source": file["id"], "destination": to}
    copied = await host.hook("POST", "hooks/copy/", payload)
    assert copied.status == 201
    assert (copied.json["name"], copied.json["version"]) == ("g", 1)
    assert copied.json["id"] != file["id"]
    assert (await host.hook("POST", "hooks/move/", payload)).status == 409
    replaced = {**payload, "destination": {**to, "replace": True}}
    moved = await host.hook("POST", "hooks/move/", replaced)
    assert (moved.status, moved.json["id"]) == (200, file["id"])
    assert (await host.hook("GET", f"{file['id']}/")).status == 404
    old = {"target": "guid0", "parent": root, "name": "back"}
    payload = {"user": "alice", "source": file["id"], "destination": old}
    back = await host.hook("POST", "hooks/move/", payload, resource="public")
    assert back.json["name"] == "back"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"source": None}, 400),
        ({"source": "../x"}, 400),
        ({"source": "0" * 24}, 404),
        ({"destination": None}, 400),
        ({"node": None}, 400),
        ({"node": "nowhere"}, 404),
        ({"parent": "0" * 24}, 404),
        ({"name": None}, 400),
        ({"name": ""}, 400),
        ({"name": "a/b"}, 400),
        ({"name": ".."}, 400),
    ],
)
async def test_transfers_that_are_refused(host, root, change, status):
    file = (await put(host, root)).json["data"]
    to = {"node": "guid0", "parent": root, "name": "g"}
    payload = {"user": "alice", "source": file["id"], "destination": to}
    for name, value in change.items():
        (to if name in to else payload)[name] = value
    for hook in ("move", "copy"):
        assert (await host.hook("POST", f"hooks/{hook}/", payload)).status == status


async def test_a_folder_is_not_moved_into_itself(host, root):
    made = await host.hook("POST", f"{root}/children/", {"kind": "folder", "name": "d"})
    id = made.json["data"]["id"]
    to = {"node": "guid0", "parent": id, "name": "e"}
    reply = await host.hook("POST", "hooks/move/", {"source": id, "destination": to})
    assert reply.status == 400


async def test_what_is_deleted_is_gone(host, root):
    file = (await put(host, root)).json["data"]
    reply = await host.hook("DELETE", f"{file['id']}/", {"user": "alice"})
    assert (reply.status, reply.json) == (200, {"status": "success"})
    for method, where in (("DELETE", ""), ("GET", ""), ("GET", "download/")):
        assert (await host.hook(method, f"{file['id']}/{where}")).status == 404
    assert (await host.hook("DELETE", f"{root}/")).status == 400


async def test_check_outs(host, root):
    file = (await put(host, root)).json["data"]
    await host.trees.tree("guid0").check_out(file["id"], user="alice")
    assert (await host.hook("GET", f"{file['id']}/")).json["checkout"] == "alice"
    assert (await put(host, root, content="x", user="bob")).status == 403
    assert (await put(host, root, content="x", user="alice")).status == 200
    assert (await host.hook("DELETE", f"{file['id']}/", {"user": "alice"})).status == 403
    to = {"node": "guid0", "parent": root, "name": "g"}
    payload = {"user": "alice", "source": file["id"], "destination": to}
    assert (await host.hook("POST", "hooks/move/", payload)).status == 405
    assert (await host.hook("POST", "hooks/copy/", payload)).status == 201


async def test_quota(host, root):
    where = "quota_status/"
    assert (await host.hook("GET", where)).json == {"over_quota": False}
    assert (await put(host, root, content="x" * 60)).status == 201
    assert (await put(host, root, "g", content="y" * 60)).status == 507
    assert (await put(host, root, "g", content="y" * 40)).status == 201
    assert (await host.hook("GET", where)).json == {"over_quota": True}
    assert (await host.hook("GET", where, resource="public")).json == {"over_quota": False}


async def test_metadata_is_added(host, root):
    made = (await put(host, root)).json
    payload = {"version": made["version"], "metadata": {"vault": "v"}}
    assert (await host.hook("PUT", "hooks/metadata/", payload)).json == {"status": "success"}
    unknown = {"version": "0" * 24, "metadata": {}}
    assert (await host.hook("PUT", "hooks/metadata/", unknown)).status == 404
    assert (await host.hook("PUT", "hooks/metadata/", {"version": "x"})).status == 400


@pytest.mark.parametrize("key", ["metadata", "hashes", "settings", "worker", "name"])
async def test_what_a_file_needs(host, root, key):
    payload = upload("f", "x")
    del payload[key]
    assert (await host.hook("POST", f"{root}/children/", payload)).status == 400
    if key == "metadata":
        for name in ("name", "provider", "size"):
            broken = upload("f", "x")
            del broken["metadata"][name]
            assert (await host.hook("POST", f"{root}/children/", broken)).status == 400


async def test_a_file_may_be_meant_by_its_id(host, root):
    file = (await put(host, root)).json["data"]
    to = {"node": "guid0", "parent": root, "name": "renamed"}
    await host.hook("POST", "hooks/move/", {"source": file["id"], "destination": to})
    update = await put(host, root, content="new", file=file["id"])
    assert (update.status, update.json["data"]["name"]) == (200, "renamed")
    assert (await put(host, root, "renamed", "other", exclusive=True)).status == 409


@pytest.mark.parametrize(
    ("method", "where", "status"),
    [
        ("GET", "{root}/nothing/", 404),
        ("GET", "a/b/c/", 404),
        ("PUT", "{root}/", 405),
        ("GET", "hooks/move/", 405),
        ("PATCH", "{root}/", 405),
        ("GET", "%2e%2e/", 400),
        ("GET", "..%2f..%2fx/", 400),
        ("GET", "%ff/", 400),
        ("GET", "0123/", 404),
        ("GET", "{root}/download/", 400),
        ("GET", "{root}/revisions/", 400),
        ("POST", "{file}/children/", 400),
        ("GET", "{file}/children/", 400),
    ],
)
async def test_addresses_that_are_refused(host, root, method, where, status):
    file = (await put(host, root)).json["data"]["id"]
    payload = {"kind": "folder", "name": "x"}
    reply = await host.hook(method, where.format(root=root, file=file), payload)
    assert reply.status == status
    assert reply.json["message_long"] == reply.message


async def test_other_resources(host, root):
    assert (await host.hook("GET", f"{root}/", resource="public")).status == 404
    for resource in ("nowhere", "..", "a b"):
        assert (await host.hook("GET", "", resource=resource)).status == 404


class TestSignatures:
    """Nothing is done for a message that is not signed, or is too old."""

    @pytest.mark.parametrize(
        ("message", "status"),
        [
            ({}, 400),
            ({"payload": "e30="}, 400),
            ({"payload": "not base64!", "signature": "x"}, 400),
            ({"payload": "e30=", "signature": "0" * 64}, 401),
            ({"payload": "e30=", "signature": "ü"}, 401),
            (signed({}, secret="other"), 401),
            (signed({}, now=time.time() - 101), 400),
            (signed({"time": "x"}), 400),
        ],
    )
    async def test_refused(self, host, root, message, status):
        for method, where in (("GET", ""), ("DELETE", f"{root}/"), ("POST", f"{root}/children/")):
            assert (await host.hook(method, where, message=message)).status == status
        assert (await host.hook("GET", f"{root}/children/")).json == []

    @pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"\xff", b"[" * 100_000])
    async def test_bodies_that_are_none(self, host, root, body):
        target = f"/host/api/v1/guid0/osfstorage/{root}/children/"
        assert (await host.request("POST", target, {}, body)).status == 400

    async def test_a_body_that_is_too_large(self, host, root):
        target = f"/host/api/v1/guid0/osfstorage/{root}/children/"
        assert (await host.request("POST", target, {}, b"x" * ((1 << 20) + 1))).status == 413

    @pytest.mark.parametrize("user", ["\ud800", "nul\0"])
    async def test_users_that_cannot_be(self, host, root, user):
        assert (await put(host, root, user=user)).status in {201, 400}


class TestLogs:
    """What servers say that happened."""

    def said(self, **changes):
        about = {"nid": "guid0", "provider": "osfstorage", "kind": "file", "path": "/x"}
        about |= {"name": "f", "materialized": "/f"}
        return {
            "action": "create",
            "auth": {"id": "alice"},
            "metadata": about,
            "provider": "osfstorage",
            "errors": [],
            **changes,
        }

    async def kept(self, host):
        return [happened.action for happened in await host.host.journal.newest("guid0")]

    async def test_it_is_kept(self, host):
        about = self.said()["metadata"]
        for action in ("create", "update", "delete", "create_folder"):
            reply = await host.log(self.said(action=action))
            assert (reply.status, reply.json) == (200, {"status": "success"})
        await host.log(self.said(action="move", source=about, destination=about))
        assert await self.kept(host) == ["move", "create_folder", "delete", "update", "create"]

    async def test_downloads_are_only_acknowledged(self, host):
        for action in ("download_file", "download_zip"):
            assert (await host.log({"action": action, "auth": {}})).status == 200
        assert await self.kept(host) == []

    @pytest.mark.parametrize(
        "changes",
        [
            {"auth": {}},
            {"auth": None},
            {"auth": {"id": "nobody"}},
            {"action": "fly"},
            {"action": None},
            {"action": ["create"]},
            {"provider": None},
            {"metadata": None},
            {"metadata": {"path": "/x"}},
            {"action": "move"},
            {"action": "copy", "source": {}, "destination": {}},
        ],
    )
    async def test_what_makes_no_sense_is_refused(self, host, changes):
        assert (await host.log(self.said(**changes))).status == 400
        assert await self.kept(host) == []

    async def test_what_is_not_signed_is_refused(self, host):
        assert (await host.log(self.said(), secret="other")).status == 401
        assert (await host.log(self.said(), now=time.time() - 200)).status == 400
        assert (await host.log(self.said(), resource="nowhere")).status == 404

    async def test_only_the_newest_are_kept(self, host):
        journal = host.host.journal
        journal._kept = 20
        for number in range(230):
            await journal.add("guid0", "create", None, {"number": number})
        found = await journal.newest("guid0", 1000)
        assert [happened.payload["number"] for happened in found][:20] == list(range(229, 209, -1))
        assert len(found) <= 120


async def test_another_url_of_the_host_is_not_found(host):
    for target in ("/host/", "/host/api/v1/", "/host/api/v1/guid0/s3/", "/v1/resources/x"):
        reply = await host.request("GET", target)
        assert (reply.status, reply.json["code"]) == (404, 404)
    assert (await host.request("GET", "/status")).json["status"] == "up"


async def test_the_same_tree_over_the_wire(host, root):
    """The client's half of the contract meets the host's."""
    from tests.host.conftest import blob, names  # noqa: PLC0415
    from waterbutler_osfstorage.hooks import HookTree  # noqa: PLC0415

    async with HttpClient() as http:
        base = f"{host.url}/api/v1/guid0/osfstorage/"
        tree = HookTree(http, base, "guid0", "hmac secret")
        assert (await tree.item()).id == root
        folder = await tree.make_folder(root, "d ü", user="alice")
        file = (await tree.record(folder.id, "f", blob("one"), user="alice")).node
        again = await tree.record(folder.id, "f", blob("two"), user="alice")
        assert (again.created, again.node.version) == (False, 2)
        own = host.trees.tree("guid0")
        line = await own.lineage(file.id)
        assert await tree.lineage(file.id) == line
        assert (await tree.locate(file.id, version=1)).object == blob("one").object
        assert [version.index async for version in tree.revisions(file.id)] == [2, 1]
        to = Destination(resource="guid0", parent=root, name="g")
        copied = await tree.copy(file.id, to, user="alice")
        assert await names(tree) == ["d ü/", "g"]
        await tree.move(file.id, to, user="alice", replace=True)
        assert await names(tree) == ["d ü/", "g"]
        assert (await own.item(file.id)).full_path == "/g"
        assert copied.id != file.id
        await own.check_out(file.id, user="alice")
        away = Destination(resource="guid0", parent=folder.id, name="h")
        with pytest.raises(CheckedOut):
            await tree.move(file.id, away, user="alice")
        with pytest.raises(NotAFolder):
            await names(tree, file)
        await own.check_in(file.id)
        await tree.delete(file.id, user="alice")
        assert not (await tree.quota()).over
    assert json.dumps({"left": await names(own)}) == '{"left": ["d \\u00fc/"]}'
