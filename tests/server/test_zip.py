"""Folders as archives."""

import io
import os
import zipfile

import pytest

from tests.harness import ALICE, BASE
from waterbutler.core.errors import ProviderFault


def opened(reply):
    return zipfile.ZipFile(io.BytesIO(reply.body))


async def test_a_folder_is_packed(server):
    """With names relative to it; empty folders have a member of their own."""
    await server.have("/f/a.txt", b"1")
    await server.have("/f/sub/ü.txt", b"22" * 100_000)
    await server.have("/f/empty/")
    await server.have("/g/other.txt")
    reply = await server.get(f"{BASE}/f/?zip=")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/zip"
    assert reply.headers["Content-Disposition"] == (
        "attachment; filename=\"f.zip\"; filename*=UTF-8''f.zip"
    )
    assert reply.headers["Transfer-Encoding"] == "chunked"
    assert "Accept-Ranges" not in reply.headers
    archive = opened(reply)
    assert sorted(archive.namelist()) == ["a.txt", "empty/", "sub/ü.txt"]
    assert archive.testzip() is None
    assert archive.read("sub/ü.txt") == b"22" * 100_000


async def test_a_root_is_packed(server):
    """Under the name of its storage."""
    await server.have("/a.txt")
    reply = await server.get(f"{BASE}/?zip")
    assert 'filename="memory-archive.zip"' in reply.headers["Content-Disposition"]
    assert opened(reply).namelist() == ["a.txt"]


async def test_an_empty_folder_is_a_valid_archive(server):
    """With nothing in it."""
    reply = await server.get(f"{BASE}/?zip")
    assert reply.status == 200
    assert opened(reply).namelist() == []


async def test_a_range_of_an_archive_means_nothing(server):
    """It is made anew each time."""
    await server.have("/a.txt")
    reply = await server.get(f"{BASE}/?zip", {"Range": "bytes=0-3"})
    assert reply.status == 200
    assert opened(reply).testzip() is None


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
async def test_a_storage_that_fails_in_the_middle_of_an_archive(server, version):
    """The connection is broken: nobody takes the half for the whole."""
    for number in range(5):
        await server.have(f"/{number}.bin", os.urandom(300_000))
    server.storage.fail("read", ProviderFault("Broken."), at=3, after=100_000)
    async with server.connection() as connection:
        await connection.start("GET", f"{BASE}/?zip", ALICE, version=version)
        reply = await connection.receive()
    assert reply.status == 200
    assert not reply.whole


async def test_a_listing_that_fails_in_the_middle_of_an_archive(server):
    """The same."""
    for number in range(100):
        await server.have(f"/{number:03}.bin", b"x" * 5000)
    server.storage.fail("list", ProviderFault("Broken."), after=60)
    reply = await server.get(f"{BASE}/?zip")
    assert not (reply.status == 200 and reply.whole)


async def test_a_storage_that_fails_before_the_archive_begins(server):
    """A real answer."""
    server.storage.fail("list", ProviderFault("Broken."), after=0)
    reply = await server.get(f"{BASE}/?zip")
    assert reply.status == 502
    assert reply.message == "Broken."
