"""Segments go to a storage as parts of a file where it takes such parts, and lie here elsewhere."""

import secrets
import time
from contextlib import aclosing

import pytest

from tests.gateway.client import SECOND, Gateway, Segments
from tests.harness import TOKENS
from tests.providers.s3_support import PART, opened
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, seaweedfs
from waterbutler.assembly import assemble
from waterbutler.core import ANONYMOUS, Grant, Path
from waterbutler.core.errors import Forbidden, ProviderUnavailable
from waterbutler.engine.naming import Target
from waterbutler.http import HttpClient
from waterbutler.segments import Announced, SegmentUploads, UploadPlan
from waterbutler.server.context import GatewayServices
from waterbutler.service import Place, Room, Upload
from waterbutler.settings import load
from waterbutler.thumbnails import Thumbnails
from waterbutler.tokens import TokenStore
from waterbutler_filesystem import FilesystemProvider, FilesystemSettings

DATA = bytes(range(256)) * 40
PLACE = {"resource": "guid0", "provider": "memory"}


@pytest.fixture
def words():
    return SECOND


@pytest.fixture
def begun(alice, io_loop):
    """An upload of four segments to the root of a storage that takes parts."""
    upload = Segments(alice, DATA, 3000, parent=alice.root, name="a")
    assert io_loop.run_sync(upload.begin).status == 200
    return upload


async def test_segments_go_to_the_storage_at_once(begun, server, held, spooled):
    for number in (1, 2):
        await begun.send(number)
    assert (held(), spooled()) == (2, [])
    assert server.calls["put_part"] == 2
    for number in (3, 4):
        await begun.send(number)
    await begun.finish()
    assert (held(), spooled()) == (0, [])
    assert "write" not in server.calls


async def test_an_upload_is_cancelled_also_if_its_storage_is_closed(begun, server, alice, held):
    """Its parts go when an upload begins there the next time."""
    await begun.send(1)
    server.storage.fail("locate", Forbidden("no"), at=server.calls["locate"] + 1)
    assert (await begun.cancel()).status == 200
    assert (await begun.cancel()).status == 404
    assert held() == 1
    other = Segments(alice, DATA, 6000, parent=alice.root, name="other")
    assert (await other.begin()).status == 200
    assert held() == 0


async def test_a_failing_storage_leaves_the_upload(begun, server):
    server.storage.fail("put_part", ProviderUnavailable("down"))
    server.storage.fail("finish_parts", ProviderUnavailable("down"))
    assert (await begun.send(1)).status == 503
    for number in (1, 2, 3, 4):
        assert (await begun.send(number)).status == 200
    assert (await begun.finish()).status == 503
    assert (await begun.finish()).status == 200


async def test_parts_that_the_storage_lost(begun, server):
    for number in (1, 2, 3):
        await begun.send(number)
    server.storages["memory"]._uploads.clear()
    assert (await begun.send(4)).status == 404
    assert (await begun.finish()).status == 400
    assert await server.names() == []


async def test_an_upload_that_ends_while_it_is_finished_is_400(begun, services, server):
    for number in (1, 2, 3, 4):
        await begun.send(number)
    finish = services.segments.finish

    async def late(owner, id, *rest):
        await services.segments.cancel(owner, id)
        return await finish(owner, id, *rest)

    services.segments.finish = late
    assert (await begun.finish()).status == 400
    assert await server.names() == []


async def test_over_a_folder_the_segments_lie_here(make_server, tmp_path, spooled):
    (tmp_path / "files").mkdir()
    storage = FilesystemProvider(
        "filesystem", FilesystemSettings(folder=str(tmp_path / "files")), "a folder"
    )
    server = await make_server(storages={"memory": storage})
    client = await Gateway(server, SECOND).sign_in(
        TOKENS["alice"], resource="guid0", provider="memory"
    )
    upload = Segments(client, DATA, 3000, parent=client.root, name="a")
    assert (await upload.begin()).status == 200
    for number in (4, 3, 2, 1):
        assert (await upload.send(number)).status == 200
    assert len(spooled()) == 4
    assert (await upload.finish()).status == 200
    assert (tmp_path / "files" / "a").read_bytes() == DATA
    assert spooled() == []


# -- a bucket ------------------------------------------------------------------------------------

LARGE = b"1" * PART + b"2" * PART + b"3"


@pytest.fixture
def prefix():
    """A folder of the bucket ``first`` for the test alone."""
    return secrets.token_hex(6)


@pytest.fixture
def http(io_loop):
    client = HttpClient()
    yield client
    io_loop.run_sync(client.aclose)


@pytest.fixture
def bucket(prefix, http):
    """Opens the storage, each time anew."""
    return lambda: opened(seaweedfs(), http, prefix=prefix)


@pytest.fixture
def pending(prefix):
    """What boto3 sees of the unfinished objects: the sizes of their parts, by their keys."""
    client = seaweedfs().client()

    def look():
        found = {}
        uploads = client.list_multipart_uploads(Bucket="first", Prefix=prefix).get("Uploads", [])
        for upload in uploads:
            listed = client.list_parts(
                Bucket="first", Key=upload["Key"], UploadId=upload["UploadId"]
            )
            found[upload["Key"]] = {
                part["PartNumber"]: part["Size"] for part in listed.get("Parts", [])
            }
        return found

    return look


@pytest.fixture
def on_bucket(make_server, bucket):
    """Signs alice in to a server of its own over the bucket."""

    async def sign_in(**changes):
        server = await make_server(storages={"memory": bucket()}, **changes)
        return await Gateway(server, SECOND).sign_in(TOKENS["alice"], **PLACE)

    return sign_in


async def test_a_bucket_has_the_segments_as_parts(
    on_bucket, make_server, bucket, pending, prefix, tmp_path, spooled
):
    """Nothing lies here, and another server with the same data folder goes on."""
    client = await on_bucket()
    upload = Segments(client, LARGE, PART, parent=client.root, name="a.bin")
    key = f"{prefix}/a.bin"
    assert (await upload.begin()).status == 200
    assert (await upload.send(2)).status == 200
    assert (await upload.send(1, b"0" * PART)).status == 400
    assert pending() == {key: {2: PART}}
    assert await client.children(client.root) == {}

    async with aclosing(services_in(tmp_path)) as other:
        client.server = await make_server(storages={"memory": bucket()}, gateway=other)
        for number in (3, 1):
            assert (await upload.send(number)).status == 200
        assert pending() == {key: {1: PART, 2: PART, 3: 1}}
        assert spooled() == []
        reply = await upload.finish()
        assert reply.status == 200
        made = client.meta(reply.json)
        assert (made.name, made.size) == ("a.bin", len(LARGE))
        assert await client.describe(made.id) == made

    boto3 = seaweedfs().client()
    stored = boto3.get_object(Bucket="first", Key=key)
    assert stored["ETag"].strip('"').endswith("-3"), "an object of three parts"
    assert stored["Body"].read() == LARGE
    assert pending() == {}


async def test_cancelling_leaves_nothing_in_a_bucket(on_bucket, pending, prefix):
    client = await on_bucket()
    upload = Segments(client, LARGE, PART, parent=client.root, name="a.bin")
    await upload.begin()
    assert (await upload.send(3)).status == 200
    assert pending() == {f"{prefix}/a.bin": {3: 1}}
    assert (await upload.cancel()).status == 200
    assert pending() == {}
    assert (await upload.send(3)).status == 404


async def test_segments_that_are_too_small_for_a_bucket_lie_here(on_bucket, pending, spooled):
    client = await on_bucket()
    upload = Segments(client, DATA, 6000, parent=client.root, name="a")
    await upload.begin()
    for number in (2, 1):
        assert (await upload.send(number)).status == 200
    assert (pending(), len(spooled())) == ({}, 2)
    assert (await upload.finish()).status == 200
    (made,) = (await client.children(client.root)).values()
    assert await client.download(made.id) == DATA
    assert spooled() == []


async def test_what_expired_goes_also_without_another_upload(bucket, pending, prefix, tmp_path):
    """The server opens the buckets of its own settings again."""
    data = tmp_path / "data"
    data.mkdir()
    before = SegmentUploads(
        *(data / "segments.db", data / "segments"),
        quota=1 << 20,
        clock=lambda: time.time() - 90_000,
    )
    grant = Grant(user=ANONYMOUS, provider="s3")
    room = Room(Place("open", "s3", Path()), grant, bucket(), Path())
    plan = UploadPlan("", "a", 3, None, [Announced(1, 3, "a" * 64)])
    await before.begin("owner", plan, Upload(room, Target(Path.parse("/a"), None)))
    await before.aclose()
    assert pending() == {f"{prefix}/a": {}}
    file = tmp_path / "config.toml"
    file.write_text(
        f'server.data = "{data}"\n'
        f'resources.open.providers.lost.settings = {{bucket = "no such"}}\n'
        'resources.open.providers.lost.provider = "s3"\n'
        f'resources.open.providers.s3.settings = {{bucket = "first", prefix = "{prefix}",'
        f' endpoint_url = "{seaweedfs().url}", dialect = "seaweedfs"}}\n'
        f'resources.open.providers.s3.credentials = {{access_key = "{ACCESS_KEY}",'
        f' secret_key = "{SECRET_KEY}"}}\n'
    )
    async with aclosing(assemble(load({}, file).settings)) as assembly:
        await assembly.context.gateway.segments.sweep()
        assert pending() == {}


def services_in(folder):
    """What another process has that shares a data folder."""
    return GatewayServices(
        tokens=TokenStore(folder / "tokens.db", access_seconds=3600, refresh_seconds=86400),
        thumbnails=Thumbnails(folder / "thumbnails"),
        segments=SegmentUploads(folder / "segments.db", folder / "segments", quota=64 << 20),
    )
