"""Uploads that are given up in the last moment."""

import asyncio

import pytest

from tests.providers.osfstorage_support import opened, registry
from waterbutler.core import ByteStream, Path
from waterbutler.host import Database, EmbeddedTrees
from waterbutler.http import HttpClient
from waterbutler.testing.memory import MemoryProvider


class LateProvider(MemoryProvider):
    """Learns that nobody wants a file any more when it has stored it already."""

    async def write(self, path, body, **options):
        await super().write(path, body, **options)
        raise asyncio.CancelledError


async def test_an_upload_that_is_cancelled_when_the_blob_is_written(tmp_path):
    """Nothing of it stays in the blob store."""
    store = LateProvider()
    trees = EmbeddedTrees(Database(f"sqlite:///{tmp_path / 'host.db'}"))
    async with HttpClient() as http:
        storages = registry(late=store)
        storage = opened(None, http, {"provider": "late"}, trees=trees, storages=storages)
        with pytest.raises(asyncio.CancelledError):
            await storage.write(Path.parse("/a.txt"), ByteStream.of(b"data"))
        assert [entry async for entry in store.list(Path())] == []
        await storage.aclose()
    await trees.aclose()
