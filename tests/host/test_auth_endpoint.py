"""Who may do what, as the host answers it over the wire."""

import base64
import time

import pytest

from tests.host.conftest import blob
from tests.host.serving import (
    ALICE,
    BOB,
    CAROL,
    KEYS,
    LINK_KEY,
    OTHER,
    OTHER_CREDENTIALS,
    STORAGE,
)
from waterbutler.auth.envelope import EnvelopeKeys, seal
from waterbutler.host.exchange import only_shows

READS = ["metadata", "revisions", "download", "render", "export", "copyfrom"]
WRITES = ["upload", "create_folder", "delete", "copy", "move", "copyto", "moveto", "movefrom"]


def basic(password):
    return {"Authorization": "Basic " + base64.b64encode(f"x:{password}".encode()).decode()}


async def test_the_answer_says_who_and_where(host):
    granted = await host.grant({"action": "download"}, ALICE)
    root = await host.trees.tree("guid0").item()
    assert granted == {
        "auth": {"id": "alice", "email": "alice@example.org", "name": "Alice"},
        "credentials": {"storage": {}},
        "settings": {
            "storage": STORAGE,
            "nid": "guid0",
            "rootId": root.id,
            "baseUrl": f"{host.url}/api/v1/guid0/osfstorage/",
        },
        "callback_url": f"{host.url}/api/v1/project/guid0/waterbutler/logs/",
    }


async def test_other_storages_are_answered_as_they_are_configured(host):
    granted = await host.grant({"provider": "filesystem"}, BOB)
    assert (granted["settings"], granted["credentials"]) == ({"folder": "/srv"}, {})
    renamed = await host.grant({"provider": "archive"}, BOB)
    assert renamed["settings"] == {"service": "s3"}
    assert renamed["credentials"] == {"secret_key": "k"}


@pytest.mark.parametrize("action", READS + WRITES)
@pytest.mark.parametrize(
    ("who", "reads", "writes"),
    [
        (ALICE, 200, 200),
        (BOB, 200, 403),
        (CAROL, 403, 403),
        ({}, 403, 403),
        (basic("alice-token"), 200, 200),
        (basic("wrong"), 401, 401),
        ({"Authorization": "Bearer wrong"}, 403, 403),
        ({"Authorization": "bearer bob-token"}, 200, 403),
        ({"Authorization": "Digest x"}, 403, 403),
    ],
)
async def test_rights(host, action, who, reads, writes):
    reply = await host.ask({"action": action}, who)
    assert reply.status == (reads if action in READS else writes)


async def test_a_public_resource_is_read_by_anybody(host):
    granted = await host.grant({"nid": "public", "action": "metadata"})
    assert granted["auth"] == {}
    assert (await host.ask({"nid": "public", "action": "upload"})).status == 403


async def test_a_key_gives_the_right_to_read(host):
    assert (await host.ask({"action": "metadata"}, view_only=LINK_KEY)).status == 200
    assert (await host.ask({"action": "upload"}, view_only=LINK_KEY)).status == 403
    assert (await host.ask({"action": "metadata"}, view_only="other")).status == 403


class TestCookies:
    """The session of our own pages, relayed by another server."""

    @pytest.fixture
    def cookie(self, host):
        return host.sessions.issue("alice", host.accounts[0].token_sha256)

    async def test_it_signs_in(self, host, cookie):
        headers = {"Cookie": f"waterbutler_session={cookie}"}
        assert (await host.grant({}, headers))["auth"]["id"] == "alice"
        assert (await host.ask({}, {"Cookie": "waterbutler_session=nonsense"})).status == 403

    async def test_it_signs_in_inside_of_the_question(self, host, cookie):
        assert (await host.grant({"cookie": cookie}))["auth"]["id"] == "alice"
        assert (await host.ask({"cookie": "stale"})).status == 401

    @pytest.mark.parametrize(
        ("origin", "status"), [(None, 200), ("http://own.example", 200), ("http://evil", 403)]
    )
    async def test_pages_of_others_do_not_write_with_it(self, host, cookie, origin, status):
        headers = {"Cookie": f"waterbutler_session={cookie}"}
        data = {"action": "upload", "metrics": {"origin": origin, "uri": "/v1/x"}}
        assert (await host.ask(data, headers)).status == status


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"nid": "nowhere"}, 404),
        ({"provider": "nothing"}, 404),
        ({"action": "fly"}, 400),
        ({"action": None}, 400),
        ({"nid": 5}, 400),
        ({"provider": "archive", "action": "upload"}, 403),
    ],
)
async def test_questions_that_are_refused(host, data, status):
    reply = await host.ask(data, ALICE)
    assert reply.status == status
    assert set(reply.json) == {"message_short", "message_long", "message", "code", "referrer"}
    assert reply.json["code"] == status


class TestTokens:
    """What is believed."""

    async def test_none(self, host):
        for target in ("/host/api/v1/files/auth/", "/host/api/v1/files/auth/?payload="):
            assert (await host.request("GET", target, ALICE)).status == 400

    @pytest.mark.parametrize("token", ["nonsense", "a.b.c.d.e", "....", "\x00", "é" * 9])
    async def test_nonsense(self, host, token):
        assert (await host.ask({}, ALICE, token=token)).status == 403

    async def test_expired(self, host):
        assert (await host.ask({}, ALICE, exp=time.time() - 1)).status == 403

    async def test_too_long_lived(self, host):
        token = seal({"data": {}}, KEYS, now=time.time(), lifetime=10_000)
        assert (await host.ask({}, ALICE, token=token)).status == 403

    async def test_of_others(self, host):
        keys = EnvelopeKeys.derive(jwe_secret="jwe secret", jwe_salt="jwe salt", jwt_secret="x")
        token = seal({"data": {"nid": "guid0"}}, keys, now=time.time())
        assert (await host.ask({}, ALICE, token=token)).status == 403

    async def test_without_data(self, host):
        token = seal({"other": 1}, KEYS, now=time.time())
        assert (await host.ask({}, ALICE, token=token)).status == 400

    async def test_only_get(self, host):
        reply = await host.request("POST", "/host/api/v1/files/auth/", ALICE, b"{}")
        assert reply.status == 405


class TestFiles:
    """A file in the path."""

    @pytest.fixture
    def file(self, host, io_loop):
        async def make():
            tree = host.trees.tree("guid0")
            root = await tree.item()
            await tree.record(root.id, "f", blob("one", settings=STORAGE), user="alice")
            far = blob("two", settings=OTHER, service="s3")
            return (await tree.record(root.id, "f", far, user="alice")).node

        return io_loop.run_sync(make)

    async def count(self, host, file):
        tree = host.trees.tree("guid0")
        return [version.downloads async for version in tree.revisions(file.id)]

    async def test_the_blob_store_of_the_version_is_answered(self, host, file):
        newest = await host.grant({"path": f"/{file.id}"}, ALICE)
        assert newest["settings"]["storage"] == OTHER
        assert newest["credentials"]["storage"] == OTHER_CREDENTIALS
        oldest = await host.grant({"path": f"/{file.id}", "version": "1"}, ALICE)
        assert oldest["settings"]["storage"] == STORAGE

    async def test_a_store_that_is_not_configured_any_more_changes_nothing(self, host):
        tree = host.trees.tree("guid0")
        lost = blob("x", settings={"provider": "filesystem", "folder": "/moved"})
        node = (await tree.record((await tree.item()).id, "g", lost, user=None)).node
        granted = await host.grant({"path": f"/{node.id}"}, ALICE)
        assert granted["settings"]["storage"] == STORAGE

    @pytest.mark.parametrize("version", ["3", "0", "-1", "x", "1.0", "²", "9" * 30])
    async def test_a_version_that_is_not_there_is_refused(self, host, file, version):
        reply = await host.ask({"path": f"/{file.id}", "version": version}, ALICE)
        assert reply.status == 400

    async def test_paths_that_name_no_file_are_fine(self, host):
        for path in ("/", "/new", "/" + "0" * 24, "/%2e%2e/", "/a/b/c", "/ü"):
            assert (await host.ask({"path": path, "action": "upload"}, ALICE)).status == 200

    async def test_a_file_of_another_resource_counts_for_nothing(self, host, file):
        granted = await host.grant({"nid": "public", "path": f"/{file.id}"}, CAROL)
        assert granted["settings"]["storage"] == OTHER
        assert await self.count(host, file) == [0, 0]

    async def test_downloads_are_counted(self, host, file):
        for version in (None, "1", "1"):
            data = {"path": f"/{file.id}", "version": version}
            await host.grant(data, view_only=LINK_KEY)
        assert await self.count(host, file) == [1, 2]

    @pytest.mark.parametrize(
        ("data", "headers", "options"),
        [
            ({"action": "metadata"}, {}, {"view_only": LINK_KEY}),
            ({"action": "render"}, {}, {"view_only": LINK_KEY}),
            ({}, ALICE, {}),
            ({}, BOB, {}),
            ({}, {"X-Cos-Mfr-Render-Request": "1"}, {"view_only": LINK_KEY}),
            ({"metrics": {"uri": "/x?direct&mode=render"}}, {}, {"view_only": LINK_KEY}),
        ],
    )
    async def test_what_is_no_download_is_not(self, host, file, data, headers, options):
        await host.grant({"path": f"/{file.id}", **data}, headers, **options)
        assert await self.count(host, file) == [0, 0]

    async def test_what_was_rendered_was_seen(self, host, file):
        tree = host.trees.tree("guid0")
        await host.grant({"path": f"/{file.id}", "action": "render"}, BOB)
        assert [node.seen async for node in tree.children(user="bob")] == [True]
        assert [node.seen async for node in tree.children(user="alice")] == [None]


@pytest.mark.parametrize(
    ("uri", "shows"),
    [
        (None, False),
        ("", False),
        ("/v1/resources/a/providers/b/c", False),
        ("/v1/resources/a/providers/b/mode=render", False),
        ("/v1/resources/a/providers/b/c?direct=", False),
        ("/v1/resources/a/providers/b/c?mode=other", False),
        ("/v1/resources/a/providers/b/c?direct=&mode=render", True),
        ("/v1/resources/a/providers/b/c?%6Dode=rende%72", True),
    ],
)
def test_which_downloads_only_show_a_file(uri, shows):
    """However their address spells it."""
    assert only_shows(uri) is shows
