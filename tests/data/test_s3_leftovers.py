"""Uploads in parts that a server left behind when it died are aborted by the next one."""

import asyncio
import os

import pytest

from tests.data.stores import bucket_client, unfinished
from tests.providers.s3_support import CREDENTIALS, PART, PATIENT
from tests.servers.between import Between, Cut, Lost, times
from tests.servers.s3 import seaweedfs
from waterbutler.core import ByteStream, Path
from waterbutler.core.errors import ProviderUnavailable
from waterbutler.http import HttpClient
from waterbutler.testing.faults import SlowStream
from waterbutler_s3 import S3Provider, S3Settings
from waterbutler_s3 import unfinished as notes

LARGE = bytes(PART + 1)
FILE = Path.parse("/file")


@pytest.fixture
def http(io_loop):
    client = HttpClient()
    yield client
    io_loop.run_sync(client.aclose)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "s3-uploads"


@pytest.fixture
def open_again(http, folder):
    """Opens the same storage as another process would."""
    prefix = os.urandom(6).hex()

    def make(url=None, **settings):
        server = seaweedfs()
        given = {
            "bucket": "first",
            "prefix": prefix,
            "endpoint_url": url or server.url,
            "dialect": server.dialect,
            "part_size": PART,
            **settings,
        }
        return S3Provider(
            "s3", S3Settings(**given), CREDENTIALS, http, "a bucket", PATIENT, data=folder.parent
        )

    return make


def begun(provider, key="file"):
    """An upload that the bucket has, which is not noted."""
    key = f"{provider._prefix}{key}"
    return bucket_client().create_multipart_upload(Bucket="first", Key=key)["UploadId"]


def note(folder, provider, id, key="file", since=None):
    """A note of a process that died."""
    storage = notes.Unfinished(folder, provider.info.root, None)
    made = storage._begin(folder, f"{provider._prefix}{key}")
    if since is not None:
        old = notes.Begun(made.begun.storage, made.begun.key, since)
        made.file.write_bytes(notes._encode(old))
    elif id:
        made.name(id)
    made.leave()


async def test_what_a_dead_process_began_is_aborted(open_again, folder):
    provider = open_again()
    note(folder, provider, begun(provider))
    assert await provider.sweep() == 1
    assert unfinished(provider) == []
    assert os.listdir(folder) == []
    assert await provider.sweep() == 0


async def test_the_first_upload_aborts_it_too(open_again, folder):
    """Storages that a host hands out are not opened when the server starts."""
    provider = open_again()
    note(folder, provider, begun(provider))
    await provider.write(FILE, ByteStream.of(LARGE))
    assert unfinished(provider) == []
    assert os.listdir(folder) == []


async def test_what_others_began_stays(open_again, folder):
    """An upload of somebody else, one of another mount, and one that is still running."""
    provider, other = open_again(), open_again(prefix="other-" + os.urandom(4).hex())
    strange = begun(provider, "strange")
    note(folder, other, begun(other))
    body = SlowStream(LARGE, pause_after=PART + 1, chunk_size=1 << 10)
    running = asyncio.create_task(provider.write(FILE, body))
    await body.paused.wait()
    assert len(unfinished(provider)) == 2
    again = open_again()
    assert await again.sweep() == 0
    assert len(unfinished(provider)) == 2
    assert len(unfinished(other)) == 1
    body.resume()
    await running
    assert len(unfinished(provider)) == 1
    await provider._bucket.call("DELETE", f"{provider._prefix}strange", [("uploadId", strange)])
    assert await other.sweep() == 1


async def test_an_upload_whose_name_nobody_heard_is_aborted_a_day_later(
    open_again, folder, monkeypatch
):
    """The server had begun it, and the process died before the answer came."""
    provider = open_again()
    begun(provider)
    note(folder, provider, "")
    assert await provider.sweep() == 0
    assert len(unfinished(provider)) == 1
    monkeypatch.setattr(notes, "UNNAMED_AGE", -1.0)
    assert await provider.sweep() == 1
    assert unfinished(provider) == []
    assert os.listdir(folder) == []


async def test_an_upload_that_began_at_another_time_is_not_that_one(open_again, folder):
    provider = open_again()
    id = begun(provider)
    note(folder, provider, "", since=1_600_000_000.0)
    assert await provider.sweep() == 1
    assert len(unfinished(provider)) == 1
    await provider.abort_parts(FILE, id)


async def test_what_cannot_be_aborted_now_is_aborted_later(open_again, folder):
    async with Between(seaweedfs().url) as between:
        provider = open_again(between.url)
        note(folder, provider, begun(provider))
        between.rule = times(1000, Cut(), "DELETE", "uploadId")
        assert await provider.sweep() == 0
        assert len(unfinished(provider)) == 1
        assert len(os.listdir(folder)) == 1
        between.rule = lambda _: None
        assert await provider.sweep() == 1
    assert unfinished(provider) == []


async def test_an_upload_that_fails_and_cannot_be_aborted_is_noted(open_again, folder):
    async with Between(seaweedfs().url) as between:
        provider = open_again(between.url)
        between.rule = lambda request: (
            Cut() if request.method in {"PUT", "DELETE"} and "uploadId" in request.target else None
        )
        with pytest.raises(ProviderUnavailable):
            await provider.write(FILE, ByteStream.of(LARGE))
        assert len(os.listdir(folder)) == 1
        between.rule = lambda _: None
        assert await provider.sweep() == 1
    assert unfinished(provider) == []


async def test_an_upload_whose_beginning_is_lost_is_noted(open_again, folder, monkeypatch):
    """The server has begun it, and its answer does not arrive."""
    monkeypatch.setattr(notes, "UNNAMED_AGE", -1.0)
    async with Between(seaweedfs().url) as between:
        provider = open_again(between.url)
        between.rule = times(1, Lost(), "POST", r"\?uploads")
        with pytest.raises(ProviderUnavailable):
            await provider.write(FILE, ByteStream.of(LARGE))
        assert len(unfinished(provider)) == 1
        assert await provider.sweep() == 1
    assert unfinished(provider) == []


async def test_uploads_that_end_leave_no_note(open_again, folder):
    """Whether they end well or not."""
    provider = open_again()
    await provider.write(FILE, ByteStream.of(LARGE))
    await provider.copy_from(provider, FILE, Path.parse("/copy"))
    body = SlowStream(LARGE)

    async def broken():
        async for chunk in body:
            yield chunk
        raise ProviderUnavailable("It breaks at its end.")

    with pytest.raises(ProviderUnavailable):
        await provider.write(FILE, ByteStream(broken(), size=len(LARGE)))
    assert unfinished(provider) == []
    assert os.listdir(folder) == []


async def test_uploads_work_without_notes(open_again, tmp_path, folder):
    """The data folder cannot be written to."""
    folder.write_text("no folder")
    provider = open_again()
    await provider.write(FILE, ByteStream.of(LARGE))
    assert await provider.sweep() == 0
