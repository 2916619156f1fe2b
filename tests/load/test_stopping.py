"""A stop signal while fifty transfers of all kinds are running."""

import asyncio
import io
import json
import secrets
import signal
import time
import zipfile

import pytest

from tests.load.support import (
    KIB,
    LONG,
    MIB,
    active,
    below,
    connect,
    digest,
    pattern,
    until,
    write_settings,
)
from tests.running import start_server
from tests.servers.between import Between
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, seaweedfs

BASE = "/v1/resources/demo/providers/filesystem"
AUTH = {"Authorization": "Bearer hush"}
OTHER = """
[resources.demo.providers.other]
provider = "osfstorage"
settings = {{ storage = {{ provider = "filesystem", folder = "{blobs}", create = true }} }}
"""
LARGE = pattern("large", 6 * MIB)
"""More than the buffers of a connection hold, so that it is still being sent when nobody reads."""
SMALL = [pattern(each, 160 * KIB) for each in range(40)]
DOWNLOADS, ZIPS, UPLOADS, COPIES = 22, 8, 17, 3


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    (folder / "many").mkdir(parents=True)
    for number, data in enumerate(SMALL):
        (folder / "many" / f"{number}.bin").write_bytes(data)
    (folder / "large.bin").write_bytes(LARGE)
    return folder


def serve(tmp_path, workers, seconds):
    more = OTHER.format(blobs=tmp_path / "blobs")
    limits = f"shutdown_seconds = {seconds}\ntransfer_concurrency = 2"
    file = write_settings(tmp_path / "settings.toml", more, limits=limits)
    options = ("--config", str(file), "--workers", str(workers))
    return start_server(tmp_path / "data", *options)


class Transfers:
    """Fifty of them, none of which can end before it is let go on."""

    def __init__(self):
        self.all = []

    async def begin(self, server):
        self.downloads = [await self._ask(server, "GET", "large.bin") for _ in range(DOWNLOADS)]
        self.zips = [await self._ask(server, "GET", "many/?zip=") for _ in range(ZIPS)]
        self.uploads = []
        for each in range(UPLOADS):
            connection = await self._ask(
                server, "PUT", f"?kind=file&name=new{each}.bin", {"Content-Length": str(MIB)}
            )
            await connection.send(LARGE[: MIB // 2])
            self.uploads.append(connection)
        for each in (*self.downloads, *self.zips):
            # The answer has begun, and nothing of it is taken.
            await each.socket_readable()
        self.copies = [await self._copy(server, each) for each in range(COPIES)]

    async def _ask(self, server, method, target, headers=None):
        connection = Paused(await connect(server, buffer=64 * KIB))
        self.all.append(connection)
        await connection.start(method, f"{BASE}/{target}", {**AUTH, **(headers or {})})
        return connection

    async def _copy(self, server, number):
        document = {
            "action": "copy",
            "path": "/",
            "provider": "other",
            "rename": f"copy{number}",
        }
        body = json.dumps(document).encode()
        length = {"Content-Length": str(len(body))}
        connection = await self._ask(server, "POST", "many/", length)
        await connection.send(body)
        return connection

    async def end_whole(self):
        """Let all of them go on to the end."""
        await asyncio.gather(*map(self._end_upload, self.uploads))
        replies = await asyncio.gather(*(each.receive() for each in self.downloads))
        assert [(each.status, each.whole) for each in replies] == [(200, True)] * DOWNLOADS
        assert all(each.body == LARGE for each in replies)
        for reply in await asyncio.gather(*(each.receive() for each in self.zips)):
            assert (reply.status, reply.whole) == (200, True)
            with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
                assert archive.testzip() is None
                assert len(archive.namelist()) == len(SMALL)
        for reply in await asyncio.gather(*(each.receive("POST") for each in self.copies)):
            assert (reply.status, reply.whole) == (201, True)
            assert len(reply.data["attributes"]["children"]) == len(SMALL)

    async def _end_upload(self, connection):
        await connection.send(LARGE[MIB // 2 : MIB])
        reply = await connection.receive("PUT")
        assert (reply.status, reply.headers["Connection"]) == (201, "close")

    def leave(self):
        for each in self.all:
            each.reset()


class Paused:
    """A connection whose answer is not taken before it is asked for."""

    def __init__(self, connection):
        self._connection = connection
        self.start, self.send = connection.start, connection.send
        self.reset = connection.reset
        connection.writer.transport.pause_reading()

    async def socket_readable(self):
        """Wait until something of the answer is there, and leave it."""
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        duplicate = self._connection.socket.dup()
        loop.add_reader(duplicate, arrived.set)
        await arrived.wait()
        loop.remove_reader(duplicate)
        duplicate.close()

    async def receive(self, method="GET"):
        self._connection.writer.transport.resume_reading()
        return await self._connection.receive(method)


@pytest.mark.parametrize("workers", [1, 2] if LONG else [2])
async def test_all_that_runs_is_finished(tmp_path, files, workers):
    """Whole and right, with nothing new taken, and with status 0."""
    transfers = Transfers()
    with serve(tmp_path, workers, seconds=60) as server:
        before = below(files)
        await transfers.begin(server)
        await until(lambda: active(server) == len(transfers.all), "all of them run")
        server.process.send_signal(signal.SIGTERM)
        await until(lambda: _is_refused(server), "nobody listens")
        await transfers.end_whole()
        assert await asyncio.to_thread(server.process.wait, 30) == 0
        assert "answer cut" not in "".join(server.log)
    transfers.leave()
    new = [f"new{each}.bin" for each in range(UPLOADS)]
    assert below(files) == sorted(before + new)
    assert all((files / name).read_bytes() == LARGE[:MIB] for name in new)
    blobs = tmp_path / "blobs"
    stored = {name: (blobs / name).read_bytes() for name in below(blobs)}
    assert sorted(stored) == sorted(map(digest, SMALL))
    assert all(digest(data) == name for name, data in stored.items())


def _is_refused(server):
    try:
        active(server)
    except OSError:
        return True
    return False


@pytest.mark.parametrize("workers", [1, 2] if LONG else [1])
async def test_what_is_not_finished_in_time_is_seen_to_be_broken(tmp_path, files, workers):
    """No answer looks whole, nothing of an upload stays, and the status is 0 all the same."""
    transfers = Transfers()
    with serve(tmp_path, workers, seconds=0.2) as server:
        before = below(files)
        await transfers.begin(server)
        await until(lambda: active(server) >= len(transfers.all) - COPIES, "they run")
        assert await asyncio.to_thread(server.stop) == 0
    assert "Traceback" not in "".join(server.log)
    for each in (*transfers.downloads, *transfers.zips, *transfers.uploads):
        assert not await looks_whole(each)
    transfers.leave()
    assert below(files) == before
    assert pending(tmp_path / "blobs") == []
    assert [path for path in (tmp_path / "data" / "segments").rglob("*") if path.is_file()] == []


async def looks_whole(connection):
    try:
        return (await connection.receive()).whole
    except (asyncio.IncompleteReadError, ConnectionError):
        return False


def pending(blobs):
    """What is not named by its content."""
    return [name for name in below(blobs) if len(name) != 64]


S3 = """
[resources.demo.providers.s3]
settings = {{ bucket = "first", prefix = "{prefix}", endpoint_url = "{url}", \
dialect = "seaweedfs", part_size = 5242880 }}
credentials = {{ access_key = "{key}", secret_key = "{secret}" }}
"""


async def test_uploads_to_s3_that_are_broken_leave_no_parts(tmp_path):
    """They are aborted before the process ends, also by a storage that takes its time."""
    storage, prefix = seaweedfs(), f"stopping-{secrets.token_hex(6)}"
    client = storage.client()

    def pending():
        found = client.list_multipart_uploads(Bucket="first").get("Uploads", [])
        return [each for each in found if each["Key"].startswith(prefix)]

    async with Between(storage.url) as between:
        between.rule = slow_to_delete
        table = S3.format(prefix=prefix, url=between.url, key=ACCESS_KEY, secret=SECRET_KEY)
        file = write_settings(tmp_path / "settings.toml", table, limits="shutdown_seconds = 0.2")
        uploads = await break_uploads(tmp_path, file, pending)
    assert pending() == []
    for each in uploads:
        assert not await looks_whole(each)
        each.reset()


def slow_to_delete(request):
    if request.method == "DELETE":
        time.sleep(0.3)


async def break_uploads(tmp_path, file, pending):
    with start_server(tmp_path / "data", "--config", str(file)) as server:
        uploads = [await connect(server) for _ in range(3)]
        for number, each in enumerate(uploads):
            target = f"/v1/resources/demo/providers/s3/?kind=file&name={number}.bin"
            await each.start("PUT", target, {**AUTH, "Content-Length": str(30 * MIB)})
            await each.send(LARGE)
        await until(lambda: len(pending()) == len(uploads), "their parts are at the storage")
        assert await asyncio.to_thread(server.stop) == 0
    return uploads
