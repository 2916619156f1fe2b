"""What the host is told, what is made of its answers, and what it may refuse."""

import base64
import json
import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.fakes.osf_host import HMAC_SECRET, Refused, running_host
from tests.providers.osfstorage_support import ME, folder, opened
from waterbutler.core import ANONYMOUS, ROOT, ByteStream, Path, User, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    BadPath,
    CheckedOut,
    ConfigInvalid,
    Forbidden,
    InvalidRequest,
    NotFound,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExceeded,
    SamePlace,
    WaterButlerError,
)
from waterbutler.core.filetree import Blob, Destination
from waterbutler.core.signing import sign
from waterbutler.http import HttpClient
from waterbutler.plugins import Context, Mount, Registry
from waterbutler_filesystem import FilesystemProvider
from waterbutler_osfstorage import OsfStorageProvider
from waterbutler_osfstorage.hooks import HookTree, Patience

FILE = Path.parse("/a b.txt")
HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture
def host():
    with running_host() as host:
        yield host


@pytest.fixture
def http(io_loop):
    client = HttpClient()
    yield client
    io_loop.run_sync(client.aclose)


@pytest.fixture
def blobs(tmp_path):
    return tmp_path / "blobs"


@pytest.fixture
def provider(io_loop, host, http, blobs):
    provider = opened(host, http, folder(blobs))
    yield provider
    io_loop.run_sync(provider.aclose)


class Naps:
    """Remembers how long it should have slept."""

    def __init__(self):
        self.all = []

    async def __call__(self, seconds):
        self.all.append(seconds)


@pytest.fixture
def naps():
    return Naps()


@pytest.fixture
def tree(host, http, naps):
    return HookTree(
        http, host.base("guid0"), "guid0", HMAC_SECRET, patience=Patience(sleep=naps, seconds=5)
    )


async def put(provider, path, data, mode=WriteMode.REPLACE):
    return await provider.write(path, ByteStream.of(data), mode=mode)


async def get(provider, path, **kwargs):
    content = await provider.read(path, **kwargs)
    async with content.body as body:
        return await body.read(1 << 20)


def objects(blobs):
    return sorted(it.name for it in blobs.iterdir() if it.is_file())


async def test_what_is_told_of_an_upload(provider, host, blobs):
    """Every key that hosts need."""
    await put(provider, FILE, b"hello")
    call = host.last("E5")
    said = call.said
    assert call.method == "POST"
    assert set(said) == {"name", "user", "settings", "metadata", "hashes", "worker", "time"}
    await put(provider, FILE, b"hello", WriteMode.REPLACE)
    assert "exclusive" not in host.last("E5").said
    assert said["name"] == "a b.txt"
    assert said["user"] == ME.id
    assert said["settings"] == folder(blobs)
    assert said["hashes"] == {
        "md5": "5d41402abc4b2a76b9719d911017c592",
        "sha1": "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
        "sha256": HELLO,
    }
    assert set(said["worker"]) == {"host", "address", "version"}
    metadata = said["metadata"]
    assert {key: metadata[key] for key in ("provider", "kind", "name", "path", "materialized")} == {
        "provider": "filesystem",
        "kind": "file",
        "name": HELLO,
        "path": f"/{HELLO}",
        "materialized": f"/{HELLO}",
    }
    assert metadata["size"] == metadata["sizeInt"] == 5
    assert set(metadata) == {
        "provider", "kind", "name", "path", "materialized", "etag", "contentType", "size",
        "sizeInt", "modified", "modified_utc", "created_utc", "extra",
    }  # fmt: skip
    assert isinstance(said["time"], int)
    assert 90 < said["time"] - call.time <= 101
    assert objects(blobs) == [HELLO]


async def test_what_is_shown(provider, host):
    """Times to the microsecond, from the first and the last version; the tag of the newest."""
    node = host.make("guid0", "/a b.txt")
    node.versions = [
        {"size": 1, "contentType": None, "md5": "m", "sha256": "s", "date": date, "object": "o"}
        for date in ("2024-01-01T03:04:05.123456+00:00", "2024-01-02T04:04:05.1234+01:00")
    ]
    node.checkout = "usr02"
    host.seen[(ME.id, node.id)] = True
    (entry,) = [entry async for entry in provider.list(ROOT)]
    assert entry.created == datetime(2024, 1, 1, 3, 4, 5, 123456, UTC)
    assert entry.modified == datetime(2024, 1, 2, 3, 4, 5, 123400, UTC)
    assert entry.modified.isoformat() == "2024-01-02T03:04:05.123400+00:00"
    assert entry.etag == f"2::/{node.id}"
    assert entry.extra == {
        "guid": None,
        "version": 2,
        "downloads": 0,
        "checkout": "usr02",
        "latestVersionSeen": {"user": ME.id, "seen": True},
        "hashes": {"md5": "m", "sha256": "s"},
    }
    assert provider.wire_path(entry.path) == Path((node.id,), False)


async def test_equal_content_is_one_version_and_one_blob(provider, host, blobs):
    """The host adds no version, and nothing is left in the blob store."""
    await put(provider, FILE, b"hello")
    entry = await put(provider, FILE, b"hello")
    assert entry.version == "1"
    await put(provider, Path.parse("/other"), b"hello")
    assert objects(blobs) == [HELLO]


async def test_a_broken_blob_is_replaced(provider, blobs):
    """What has the name but not the content is not believed."""
    await put(provider, FILE, b"hello")
    (blobs / HELLO).write_bytes(b"hel")
    await put(provider, FILE, b"hello")
    assert (blobs / HELLO).read_bytes() == b"hello"


async def test_old_versions(provider):
    """Each is described and read as it was."""
    for text in (b"one", b"three"):
        await put(provider, FILE, text)
    old = await provider.stat(FILE, version="1")
    assert (old.size, old.version, old.extra["version"]) == (3, "1", 1)
    assert await get(provider, FILE, version="1") == b"one"
    assert (await provider.read(FILE, version="1")).entry.etag == old.etag
    assert old.etag != (await provider.stat(FILE)).etag
    versions = [version async for version in provider.versions(FILE)]
    assert [version.id for version in versions] == ["2", "1"]
    assert versions[0].extra["user"] == {"name": "User One", "url": "/usr01/"}
    for missing in ("0", "3", "x", "-1", "1.0", "", "9" * 30, "١"):
        with pytest.raises(NotFound):
            await provider.stat(FILE, version=missing)
        with pytest.raises(NotFound):
            await provider.read(FILE, version=missing)


async def test_a_key_that_hides_names(host, http, blobs, provider):
    """It reaches the host, which leaves them out."""
    await put(provider, FILE, b"x")
    reader = opened(host, http, folder(blobs), user=ANONYMOUS, view_only="anonymous")
    (version,) = [version async for version in reader.versions(FILE)]
    assert version.extra["user"] is None
    assert host.last("E8").query == {"view_only": ["anonymous"]}
    await reader.aclose()


async def test_each_version_is_read_where_it_is(provider, host, http, blobs, tmp_path):
    """The region may have changed since."""
    await put(provider, FILE, b"one")
    moved = opened(host, http, folder(tmp_path / "elsewhere"))
    await put(moved, FILE, b"two")
    assert await get(moved, FILE, version="1") == b"one"
    assert await get(moved, FILE) == b"two"
    assert await get(provider, FILE) == b"two"
    await moved.aclose()


async def test_a_lost_blob(provider, blobs):
    """It is the storage's fault, and not that the file does not exist."""
    await put(provider, FILE, b"hello")
    (blobs / HELLO).unlink()
    with pytest.raises(ProviderFault, match="blob store"):
        await provider.read(FILE)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".."])
async def test_an_object_that_cannot_be(provider, host, name):
    """The host cannot make the blob store read elsewhere."""
    await put(provider, FILE, b"hello")
    host.find("guid0", "/a b.txt").versions[0]["object"] = name
    with pytest.raises(ProviderFault):
        await provider.read(FILE)


class TestCheckedOut:
    """Who holds a file, and what others may still do."""

    @pytest.fixture(params=[ME.id, "usr02"])
    def holder(self, request, io_loop, provider, host):
        io_loop.run_sync(lambda: provider.make_folder(Path.parse("/f/")))
        io_loop.run_sync(lambda: put(provider, Path.parse("/f/a"), b"old"))
        host.find("guid0", "/f/a").checkout = request.param
        return request.param

    async def test_upload(self, provider, host, holder):
        path = Path.parse("/f/a")
        if holder == ME.id:
            assert (await put(provider, path, b"new")).version == "2"
            return
        with pytest.raises(Forbidden):
            await put(provider, path, b"new")
        assert len(host.find("guid0", "/f/a").versions) == 1

    async def test_upload_is_refused_before_the_body(self, provider, holder):
        if holder == ME.id:
            return
        path = (await provider.stat(Path.parse("/f/a"))).path
        body = ByteStream.of(b"new")
        with pytest.raises(Forbidden):
            await provider.write(path, body)
        assert not body.started

    @pytest.mark.parametrize("path", ["/f/a", "/f/"])
    async def test_delete(self, provider, host, holder, path):
        with pytest.raises(Forbidden):
            await provider.delete(Path.parse(path))
        assert host.find("guid0", "/f/a")

    @pytest.mark.parametrize(("at", "to"), [("/f/a", "/f/b"), ("/f/a", "/b"), ("/f/", "/g/")])
    async def test_move(self, provider, host, holder, at, to):
        with pytest.raises(CheckedOut):
            await provider.move_from(provider, Path.parse(at), Path.parse(to))
        assert host.find("guid0", "/f/a")

    @pytest.mark.parametrize(("at", "to"), [("/f/a", "/b"), ("/f/", "/g/")])
    async def test_copy_and_read(self, provider, host, holder, at, to):
        await provider.copy_from(provider, Path.parse(at), Path.parse(to))
        assert await get(provider, Path.parse("/f/a")) == b"old"

    @pytest.mark.parametrize("verb", ["copy_from", "move_from"])
    async def test_replacing_it(self, provider, host, holder, verb):
        await put(provider, Path.parse("/new"), b"new")
        before = len(host.calls)
        with pytest.raises(Forbidden):
            await getattr(provider, verb)(
                provider, Path.parse("/new"), Path.parse("/f/a"), mode=WriteMode.REPLACE
            )
        assert not {"E6", "E9", "E10"} & {call.name for call in host.calls[before:]}
        assert await get(provider, Path.parse("/f/a")) == b"old"


class TestReplacing:
    """What gives way is lost only when the new thing is there."""

    @pytest.fixture(autouse=True)
    def two_files(self, io_loop, provider):
        for name in ("old", "new"):
            path, data = Path.parse(f"/{name}"), name.encode()
            io_loop.run_sync(lambda path=path, data=data: put(provider, path, data))

    async def replace(self, provider, verb):
        return await getattr(provider, verb)(
            provider, Path.parse("/new"), Path.parse("/old"), mode=WriteMode.REPLACE
        )

    @pytest.mark.parametrize("verb", ["copy_from", "move_from"])
    async def test_it_works(self, provider, host, verb):
        entry = await self.replace(provider, verb)
        assert str(entry.path) == "/old"
        assert await get(provider, Path.parse("/old")) == b"new"
        left = [node.name for node in host.children(host.root("guid0").id)]
        assert sorted(left) == (["old"] if verb == "move_from" else ["new", "old"])

    @pytest.mark.parametrize("verb", ["copy_from", "move_from"])
    @pytest.mark.parametrize("status", [400, 403, 409, 500, 503])
    async def test_a_hook_that_fails(self, provider, host, verb, status):
        """Everything is as it was."""
        node = host.find("guid0", "/old")
        calls = []
        original = host.transfer

        def transfer(resource, said, *, move):
            calls.append(said["source"])
            if said["source"] != node.id:
                raise Refused(status)
            return original(resource, said, move=move)

        host.transfer = transfer
        with pytest.raises(WaterButlerError):
            await self.replace(provider, verb)
        assert host.find("guid0", "/old") is node
        assert await get(provider, Path.parse("/old")) == b"old"
        assert await get(provider, Path.parse("/new")) == b"new"
        assert calls[0] == calls[-1] == node.id

    def lose_news(self, host, moves, status):
        """The host does what it is asked for, and then says something else of this file, once."""
        original, lost = host.transfer, []

        def transfer(resource, said, *, move):
            answer = original(resource, said, move=move)
            if said["source"] == moves and not lost:
                lost.append(said)
                raise Refused(status)
            return answer

        host.transfer = transfer
        return lost

    @pytest.mark.parametrize("verb", ["copy_from", "move_from"])
    @pytest.mark.parametrize("status", [500, 503])
    async def test_the_news_of_the_new_thing_is_lost(self, provider, host, verb, status):
        """It is there all the same, so it is made an end of."""
        lost = self.lose_news(host, host.find("guid0", "/new").id, status)
        entry = await self.replace(provider, verb)
        assert lost
        assert str(entry.path) == "/old"
        assert await get(provider, Path.parse("/old")) == b"new"
        left = [node.name for node in host.children(host.root("guid0").id)]
        assert sorted(left) == (["old"] if verb == "move_from" else ["new", "old"])

    @pytest.mark.parametrize("status", [500, 503])
    async def test_the_news_of_making_way_is_lost(self, provider, host, status):
        """Everything is as it was."""
        node = host.find("guid0", "/old")
        lost = self.lose_news(host, node.id, status)
        with pytest.raises(WaterButlerError):
            await self.replace(provider, "move_from")
        assert lost
        assert host.find("guid0", "/old") is node
        assert await get(provider, Path.parse("/new")) == b"new"

    async def test_somebody_else_took_the_name(self, provider, host):
        """What is there then is not taken for the new thing; nothing is lost."""
        await put(provider, Path.parse("/third"), b"third")
        new, third = host.find("guid0", "/new"), host.find("guid0", "/third")
        original = host.transfer

        def transfer(resource, said, *, move):
            if said["source"] == new.id:
                third.name = "old"
                raise Refused(503)
            return original(resource, said, move=move)

        host.transfer = transfer
        with pytest.raises(ProviderUnavailable) as caught:
            await self.replace(provider, "move_from")
        (aside,) = {node.name for node in host.children(host.root("guid0").id)} - {"old", "new"}
        assert aside in caught.value.message
        kept = [await get(provider, Path.parse(f"/{name}")) for name in ("new", "old", aside)]
        assert kept == [b"new", b"third", b"old"]

    async def test_deleting_what_gave_way_is_tried_again(self, provider, host):
        host.trouble("E6", status=503, times=1)
        await self.replace(provider, "move_from")
        assert [node.name for node in host.children(host.root("guid0").id)] == ["old"]

    async def test_what_cannot_be_deleted_is_told(self, provider, host):
        """The old file is there still, and the message says under which name."""
        host.trouble("E6", status=500, times=3)
        with pytest.raises(ProviderFault) as caught:
            await self.replace(provider, "move_from")
        names = {node.name for node in host.children(host.root("guid0").id)}
        (aside,) = names - {"old"}
        assert aside in caught.value.message
        assert await get(provider, Path.parse("/old")) == b"new"


class TestRoom:
    """Whether there is room is asked before anything is stored."""

    @pytest.mark.parametrize(
        ("answers", "fits", "asked"),
        [
            (False, True, 1),
            (True, False, 1),
            ([None, None, False], True, 3),
            ([None, True], False, 2),
            ([None, None, None], True, 3),
        ],
    )
    async def test_answers(self, tree, host, naps, answers, fits, asked):
        host.over_quota = answers
        assert (await tree.quota()).over is not fits
        assert host.names.count("E11") == asked
        assert naps.all == [1.0, 2.0][: asked - 1]

    async def test_no_room(self, provider, host, blobs):
        host.over_quota = True
        body = ByteStream.of(b"hello")
        with pytest.raises(QuotaExceeded):
            await provider.write(FILE, body)
        assert not body.started
        assert "E5" not in host.names
        assert await provider.free_space() == 0

    @pytest.mark.parametrize("verb", ["copy_from", "move_from"])
    async def test_the_other_resource_is_asked(self, provider, host, http, blobs, verb):
        await put(provider, FILE, b"x")
        other = opened(host, http, folder(blobs), resource="guid1")
        host.over_quota = True
        with pytest.raises(QuotaExceeded):
            await getattr(other, verb)(provider, FILE, FILE)
        assert host.last("E11").path == "/api/v1/guid1/osfstorage/quota_status/"
        assert host.find("guid0", "/a b.txt")
        await getattr(provider, verb)(provider, FILE, Path.parse("/b"))
        await other.aclose()


async def test_uploads_that_fail_leave_nothing(provider, host, blobs):
    """Neither a version nor an object that nobody finishes."""

    async def chunks():
        yield b"hel"
        raise ProviderUnavailable("gone")

    with pytest.raises(ProviderUnavailable):
        await provider.write(FILE, ByteStream(chunks()))
    assert objects(blobs) == []
    host.trouble("E5", status=400)
    with pytest.raises(InvalidRequest):
        await put(provider, FILE, b"hello")
    assert objects(blobs) == [HELLO]
    assert not host.find("guid0", "/a b.txt")


async def test_left_overs_are_swept(provider, blobs):
    """Only those that no upload can be busy with."""
    await put(provider, FILE, b"hello")
    old, new = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "ab")
    for name in (old, new, "something"):
        (blobs / name).write_bytes(b"x")
    for name in (old, "something", HELLO):
        os.utime(blobs / name, (1, 1))
    assert await provider.sweep() == 1
    assert objects(blobs) == sorted([new, HELLO, "something"])


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
async def test_recording_is_tried_again(tree, host, naps, status):
    """The bytes are stored: a host that is busy for a moment must not lose them."""
    root = host.root("guid0").id
    blob = Blob(object="o", service="s", settings={}, size=1, hashes={"md5": "m", "sha256": "s"})
    host.trouble("E5", status=status, times=2)
    recorded = await tree.record(root, "a", blob, user=None)
    assert recorded.created
    assert naps.all == [2.0, 4.0]
    host.trouble("E5", status=503, times=3)
    with pytest.raises(ProviderUnavailable):
        await tree.record(root, "a", blob, user=None)


@pytest.mark.parametrize("hook", ["E4", "E6", "E9", "E10"])
async def test_nothing_else_is_done_twice(tree, host, hook):
    """A lost answer does not say whether it happened."""
    node = host.make("guid0", "/f/")
    root = host.root("guid0").id
    host.trouble(hook, status=503, times=9)
    to = Destination(resource="guid0", parent=root, name="g")
    calls = {
        "E4": lambda: tree.make_folder(root, "g", user="u"),
        "E6": lambda: tree.delete(node.id, user="u"),
        "E9": lambda: tree.move(node.id, to, user="u"),
        "E10": lambda: tree.copy(node.id, to, user="u"),
    }
    with pytest.raises(ProviderUnavailable):
        await calls[hook]()
    assert host.names == [hook]


MEANINGS = [
    (400, InvalidRequest),
    (401, ProviderFault),
    (403, Forbidden),
    (404, NotFound),
    (405, CheckedOut),
    (408, ProviderUnavailable),
    (409, AlreadyExists),
    (410, NotFound),
    (418, ProviderFault),
    (500, ProviderFault),
    (502, ProviderUnavailable),
    (503, ProviderUnavailable),
    (504, ProviderTimeout),
]


@pytest.mark.parametrize(("status", "kind"), MEANINGS)
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"message_long": "The host says."}'])
async def test_what_statuses_mean(tree, host, status, kind, body):
    host.trouble("E9", status=status, body=body)
    node = host.make("guid0", "/f/")
    to = Destination(resource="guid0", parent=host.root("guid0").id, name="g")
    with pytest.raises(kind) as caught:
        await tree.move(node.id, to, user="u")
    assert type(caught.value) is kind
    assert "html" not in caught.value.message
    told = "The host says." in caught.value.message
    temporary = issubclass(kind, ProviderUnavailable) or kind is ProviderFault
    assert told == (body.startswith(b"{") and not temporary)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b"null", b"\xff", b"[" * 9999, b"<html>",
        b'{"id": "a/b", "name": "x", "kind": "file"}',
        b'{"id": "a", "name": "x", "kind": "link"}',
        b'{"id": "a", "name": "x", "kind": "file", "created": "yesterday"}',
        b'{"id": "a", "name": "x", "kind": "file", "size": "big"}',
    ],
)  # fmt: skip
async def test_answers_that_make_no_sense(tree, host, body):
    host.trouble("E1", status=200, body=body)
    with pytest.raises(ProviderFault):
        await tree.item("abc")


async def test_a_silent_host(host, http):
    tree = HookTree(http, host.base("guid0"), "guid0", HMAC_SECRET, patience=Patience(seconds=0.05))
    host.trouble("E1", seconds=0.3)
    with pytest.raises(ProviderTimeout):
        await tree.item()


@pytest.mark.parametrize("id", ["", "..", "a/b", "a.b", "%2e", "a b", "é", "x" * 65])
async def test_ids_that_are_none_reach_no_address(tree, host, id):
    to = Destination(resource="guid0", parent=id, name="x")
    for call in (
        tree.item(id),
        tree.lineage(id),
        tree.delete(id, user=None),
        tree.locate(id),
        tree.move("abc", to, user=None),
        tree.make_folder(id, "x", user=None),
    ):
        with pytest.raises(BadPath):
            await call
    assert not host.calls


async def test_every_call_is_signed(host, http):
    """With another secret the host believes nothing, and says so."""
    tree = HookTree(http, host.base("guid0"), "guid0", "another")
    with pytest.raises(ProviderFault, match="secrets differ"):
        await tree.item()


def test_the_message_of_a_look():
    """An empty payload still names its end."""
    message = sign({}, HMAC_SECRET, expires=2000000000)
    assert json.loads(base64.b64decode(message["payload"])) == {"time": 2000000000}


async def test_ids_are_hints(provider, host):
    """What has the name counts, not what had the id."""
    first = (await put(provider, FILE, b"first")).path
    node = host.find("guid0", "/a b.txt")
    host.nodes[node.id].name = "renamed"
    host.make("guid0", "/a b.txt", *node.versions)
    provider._places.recent._seen.clear()
    found = await provider.stat(first)
    assert found.path.id != node.id
    await provider.delete(first)
    assert host.find("guid0", "/renamed")
    assert not host.find("guid0", "/a b.txt")


async def test_a_folder_into_itself(provider):
    await provider.make_folder(Path.parse("/f/"))
    await provider.make_folder(Path.parse("/f/g/"))
    for verb in ("copy_from", "move_from"):
        for to in ("/f/", "/f/x/", "/f/g/x/"):
            with pytest.raises(SamePlace):
                await getattr(provider, verb)(provider, Path.parse("/f/"), Path.parse(to))


async def test_names_that_no_path_can_hold_are_left_out(provider, host):
    host.make("guid0", "/ok")
    host.make("guid0", "/x").name = "x" * 300
    host.make("guid0", "/y").name = ".."
    assert [entry.name async for entry in provider.list(ROOT)] == ["ok"]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"storage": {}},
        {"storage": {"provider": "unknown"}},
        {"storage": {"provider": "osfstorage"}},
        {"storage": {"provider": "filesystem", "folder": "/x"}},
        {"storage": "text"},
    ],
)
def test_settings_that_open_nothing(settings, tmp_path):
    """One clear error."""
    registry = Registry()
    registry.add("filesystem", FilesystemProvider)
    context = Context(registry=registry, data=tmp_path)
    mount = Mount(provider="osfstorage", resource="guid0", settings=settings)
    with pytest.raises(ConfigInvalid):
        OsfStorageProvider.open(mount, context)


async def test_who_acts_is_told(host, http, blobs):
    """Somebody, or nobody."""
    for user, said in ((User(id="u9"), "u9"), (ANONYMOUS, None)):
        provider = opened(host, http, folder(blobs), user=user)
        await put(provider, FILE, b"x")
        assert host.last("E5").said["user"] == said
        await get(provider, FILE)
        assert host.last("E7").said.get("user") == said
        await provider.aclose()


def test_patience_can_be_changed():
    """Values are frozen."""
    assert replace(Patience(), seconds=1).seconds == 1
