"""Large files, which the system sends from the disk to the client by itself."""

import asyncio
import hashlib
import os

import pytest

from tests.harness import ALICE
from waterbutler_filesystem import FilesystemProvider, FilesystemSettings
from waterbutler_filesystem.reading import FIRST_BLOCK
from waterbutler_filesystem.sending import CAN_SEND, TAIL

LARGE = 20 * (1 << 20) + 17
FILES = "/v1/resources/guid0/providers/files"

pytestmark = pytest.mark.skipif(not CAN_SEND, reason="files are read on this system")


@pytest.fixture
def content():
    return os.urandom(1 << 16) * (LARGE >> 16) + b"end"


@pytest.fixture
def files(io_loop, make_server, tmp_path, content):
    (tmp_path / "large").write_bytes(content)
    provider = FilesystemProvider("files", FilesystemSettings(folder=str(tmp_path)), "files")
    return io_loop.run_sync(lambda: make_server(storages={"files": provider}))


def digest(data):
    return hashlib.sha256(data).hexdigest()


async def test_a_large_file(files, content):
    async with files.connection() as connection:
        for _ in range(2):
            reply = await connection.request("GET", f"{FILES}/large", ALICE)
            assert (reply.status, reply.whole) == (200, True)
            assert digest(reply.body) == digest(content)


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize(
    "part", [(0, FIRST_BLOCK), (1, FIRST_BLOCK + 1), (5, 5 + FIRST_BLOCK + TAIL), (17, LARGE - 40)]
)
async def test_parts_around_what_is_read(files, content, part, version):
    first, last = part
    headers = {**ALICE, "Range": f"bytes={first}-{last}"}
    reply = await files.request("GET", f"{FILES}/large", headers, version=version)
    assert (reply.status, reply.whole) == (206, True)
    assert digest(reply.body) == digest(content[first : last + 1])


async def test_requests_that_come_at_once(files, content):
    """The second answer follows the first one byte for byte."""
    async with files.connection() as connection:
        for _ in range(3):
            await connection.start("GET", f"{FILES}/large", ALICE)
        for _ in range(3):
            assert digest((await connection.receive()).body) == digest(content)


async def test_what_was_sent_is_counted(files, content, log):
    await files.get(f"{FILES}/large")
    (event,) = [event for event in log if event["event"] == "request"]
    assert (event["sent"], event["outcome"]) == (len(content), "ok")
    labels = {"direction": "read", "provider": "files"}
    read = files.metrics.registry.get_sample_value("waterbutler_storage_bytes_total", labels)
    assert read == len(content)


async def test_a_file_that_changes_meanwhile(files, tmp_path, content):
    """Nobody takes a mixture for the file."""
    async with files.connection() as connection:
        await connection.start("GET", f"{FILES}/large", ALICE)
        head = await connection.reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head
        with (tmp_path / "large").open("r+b") as file:
            file.write(b"other")
        reply = await connection.reader.read(1 << 16)
        received = len(reply)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await connection.reader.readexactly(len(content) - received)


async def test_a_file_that_becomes_shorter(files, tmp_path, content):
    async with files.connection() as connection:
        await connection.start("GET", f"{FILES}/large", ALICE)
        await connection.reader.readuntil(b"\r\n\r\n")
        os.truncate(tmp_path / "large", 1 << 20)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await connection.reader.readexactly(len(content))


async def test_clients_that_leave(files, tmp_path):
    """Nothing stays open, and nobody waits for them."""
    for _ in range(10):
        connection = await files.connect()
        await connection.start("GET", f"{FILES}/large", ALICE)
        await connection.reader.read(1000)
        connection.reset()
    await files.context.state.idle()
    for _ in range(500):
        names = [os.readlink(f"/proc/self/fd/{fd}") for fd in _open()]
        if not any(name.startswith(str(tmp_path)) for name in names):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(names)


async def test_a_client_that_stands_still(make_server, tmp_path, content):
    """It does not keep a thread, and in the end it is left."""
    (tmp_path / "large").write_bytes(content)
    provider = FilesystemProvider("files", FilesystemSettings(folder=str(tmp_path)), "files")
    files = await make_server(storages={"files": provider}, options={"stall_seconds": 0.4})
    async with files.connection() as still, files.connection() as other:
        await still.start("GET", f"{FILES}/large", ALICE)
        await other.start("GET", f"{FILES}/large", ALICE)
        assert digest((await other.receive()).body) == digest(content)
        await files.context.state.idle()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await still.reader.readexactly(len(content))


def _open():
    return [fd for fd in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{fd}")]
