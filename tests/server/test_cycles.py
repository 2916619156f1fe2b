"""What a request has made is gone when it is over, without a search for garbage.

Cycles keep their memory until that search, and a full one is rare: what requests leave in them adds
up to megabytes.
"""

import asyncio
import json

import pytest

from tests.garbage import garbage
from tests.harness import ALICE
from tests.waiting import until
from waterbutler.server.receive import SmallBody
from waterbutler_filesystem.config import FilesystemSettings
from waterbutler_filesystem.provider import FilesystemProvider

FILES = "/v1/resources/guid0/providers/files"
AGAIN = 3
"""How often each request is made."""


@pytest.fixture
def server(make_server, io_loop, tmp_path):
    storage = FilesystemProvider("files", FilesystemSettings(folder=str(tmp_path)), "a folder")
    return io_loop.run_sync(lambda: make_server(storages={"files": storage}))


def request(method, path, body=None, headers=None):
    async def ask(server, number):
        given = {**ALICE, **(headers or {})}
        target = FILES + path.format(number)
        return (await server.request(method, target, given, body)).status

    return ask


def change(document):
    async def ask(server, number):
        made = {key: value.format(number) for key, value in document.items()}
        body = json.dumps(made).encode()
        return (await server.request("POST", f"{FILES}/a.txt", ALICE, body)).status

    return ask


async def half_an_upload(server, number):
    """The client goes away in the middle."""
    connection = await server.connect()
    size = {"Content-Length": str(1 << 20)}
    await connection.start("PUT", f"{FILES}/?name=half{number}", {**ALICE, **size})
    await connection.send(bytes(1 << 17))
    await asyncio.sleep(0.05)
    connection.reset()


async def half_an_archive(server, number):
    connection = await server.connect()
    await connection.start("GET", f"{FILES}/?zip=", ALICE)
    await asyncio.sleep(0.002 * number)
    connection.reset()


RANGE = {"Range": "bytes=1-2"}
REQUESTS = {
    "description": (request("GET", "/a.txt?meta="), 200),
    "download": (request("GET", "/a.txt"), 200),
    "part": (request("GET", "/a.txt", None, RANGE), 206),
    "wrong part": (request("GET", "/a.txt", None, {"Range": "bytes=999-"}), 416),
    "head": (request("HEAD", "/a.txt"), 200),
    "listing": (request("GET", "/"), 200),
    "archive": (request("GET", "/?zip="), 200),
    "new file": (request("PUT", "/?name=new{}", b"x" * 300_000), 201),
    "new content": (request("PUT", "/a.txt", b"new"), 200),
    "taken name": (request("PUT", "/?name=a.txt", b"x" * 300_000), 409),
    "new folder": (request("PUT", "/?kind=folder&name=new{}"), 201),
    "copy": (change({"action": "copy", "path": "/", "rename": "copy{}"}), 201),
    "rename": (change({"action": "rename", "rename": "a.txt"}), 400),
    "deletion": (request("DELETE", "/d{}"), 204),
    "nothing there": (request("GET", "/none"), 404),
    "stranger": (request("GET", "/a.txt", None, {"Authorization": "Bearer no"}), 401),
    "other state": (request("GET", "/a.txt", None, {"If-Match": '"other"'}), 412),
    "half an upload": (half_an_upload, None),
    "half an archive": (half_an_archive, None),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_nothing_is_left(server, name):
    """Neither of the request nor of an error that it met."""
    make, expected = REQUESTS[name]
    for number in range(AGAIN + 1):
        await server.have(f"/d{number}", storage="files")
    await server.have("/a.txt", b"some text", storage="files")
    # What is made once may stay.
    assert await make(server, 0) == expected
    await settled(server)
    with garbage() as found:
        for number in range(1, AGAIN + 1):
            assert await make(server, number) == expected
        await settled(server)
    assert not found, found


async def settled(server):
    """Wait until the last connection is forgotten."""
    await until(lambda: not server.metrics.active._value.get())
    await asyncio.sleep(0.1)


def test_a_cycle_is_seen():
    with garbage() as found:
        body = SmallBody(1)
        body.itself = body
        del body
    assert found == {"waterbutler.server.receive.SmallBody": 1}
