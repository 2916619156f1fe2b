"""Blobs that nothing needs any more: finding them, and removing them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import suppress

from waterbutler.core import ROOT, Entry, Provider
from waterbutler.core.errors import NotFound
from waterbutler.core.filetree import BlobReferences

_BLOB = re.compile(r"[0-9a-f]{64}")
"""The names of complete blobs; all else in a blob store is not looked at."""
_CHUNK = 500
_BATCH = 20
"""How many are removed while uploads wait."""


async def unreferenced(store: Provider, references: BlobReferences) -> AsyncIterator[Entry]:
    """The blobs of a store that no version of a live file points at.

    Args:
        store: The blob store; what else it holds is left alone.
        references: Knows what is needed, in all resources that use the store.
    """
    chunk: list[Entry] = []
    async for entry in store.list(ROOT):
        if entry.is_folder or not _BLOB.fullmatch(entry.name):
            continue
        chunk.append(entry)
        if len(chunk) == _CHUNK:
            for idle in await _idle(chunk, references):
                yield idle
            chunk = []
    for idle in await _idle(chunk, references):
        yield idle


async def remove(store: Provider, blobs: list[Entry], references: BlobReferences) -> int:
    """Remove those of ``blobs`` that are still needed by nothing; returns how many.

    Uploads wait meanwhile, for a moment at a time.

    Raises:
        ProviderUnavailable: An upload is running.
    """
    count = 0
    for start in range(0, len(blobs), _BATCH):
        async with references.sweeping():
            for blob in await _idle(blobs[start : start + _BATCH], references):
                with suppress(NotFound):
                    await store.delete(blob.path)
                    count += 1
    return count


async def _idle(blobs: list[Entry], references: BlobReferences) -> list[Entry]:
    needed = await references.referenced([blob.name for blob in blobs])
    return [blob for blob in blobs if blob.name not in needed]
