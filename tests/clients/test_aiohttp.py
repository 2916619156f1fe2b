"""aiohttp, a strict client, with streamed bodies."""

import asyncio
import hashlib

import aiohttp
import pytest
from yarl import URL

MIB = 1 << 20


def pieces(size):
    """A body and its digest that take no memory."""
    hasher = hashlib.sha256()

    async def chunks():
        for number in range(size // MIB):
            chunk = bytes([number % 256]) * MIB
            hasher.update(chunk)
            yield chunk

    return chunks(), hasher


@pytest.mark.parametrize("sized", [True, False])
async def test_a_streamed_body(running, folder, sized):
    """Goes up in chunks or with its size, and comes back the same."""
    size = 20 * MIB
    body, hasher = pieces(size)
    headers = {**running.headers, **({"Content-Length": str(size)} if sized else {})}
    async with aiohttp.ClientSession() as session:
        url = f"{folder}/?kind=file&name=a.bin"
        async with session.put(url, data=body, headers=headers, expect100=True) as reply:
            assert reply.status == 201
            made = (await reply.json())["data"]
        assert made["attributes"]["size"] == size
        assert made["attributes"]["extra"]["hashes"]["sha256"] == hasher.hexdigest()
        found = hashlib.sha256()
        async with session.get(made["links"]["download"], headers=running.headers) as reply:
            assert reply.content_length == size
            async for chunk in reply.content.iter_any():
                found.update(chunk)
        assert found.hexdigest() == hasher.hexdigest()


async def test_many_at_once(running, folder):
    """Each gets its own."""

    async def one(session, number):
        data = bytes([number]) * 100_000
        url = f"{folder}/?name={number}.bin"
        async with session.put(url, data=data, headers=running.headers) as reply:
            assert reply.status == 201
        async with session.get(f"{folder}/{number}.bin", headers=running.headers) as reply:
            assert await reply.read() == data

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(one(session, number) for number in range(40)))
        async with session.get(f"{folder}/", headers=running.headers) as reply:
            assert len((await reply.json())["data"]) == 40


async def test_a_body_that_fails(running, folder, stored):
    """The client breaks off, and nothing of it stays."""

    async def chunks():
        for _ in range(5):
            yield b"x" * MIB
        raise ZeroDivisionError

    async with aiohttp.ClientSession() as session:
        url = f"{folder}/?name=a.bin"
        with pytest.raises((aiohttp.ClientError, ZeroDivisionError)):
            await session.put(url, data=chunks(), headers=running.headers)
        async with session.get(f"{folder}/", headers=running.headers) as reply:
            assert (await reply.json())["data"] == []
    assert list(stored.iterdir()) == []


async def test_metadata_in_a_header(running, folder):
    """A strict client reads it, whatever the name."""
    async with aiohttp.ClientSession() as session:
        name = "%C3%BC%E2%80%A8%7F%22.txt"
        await session.put(f"{folder}/?name={name}", data=b"x", headers=running.headers)
        async with session.get(f"{folder}/", headers=running.headers) as reply:
            (entry,) = (await reply.json())["data"]
        url = URL(entry["links"]["download"], encoded=True)
        async with session.head(url, headers=running.headers) as reply:
            assert reply.status == 200
            assert reply.headers["X-Waterbutler-Metadata"].isascii()
