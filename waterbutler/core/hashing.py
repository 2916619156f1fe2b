"""Hashes of passing bytes, computed off the event loop."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable

_INLINE_SIZE = 1 << 14
"""Chunks up to this many bytes are hashed at once: a thread would cost more than the hash."""


class Hasher:
    """A `Sink` that computes several hashes.

    Args:
        names: hashlib names, ``md5``, ``sha256``.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in names}
        slow = [hash for name, hash in self._hashes.items() if name == "md5"]
        # It takes as long as all others.
        others = [hash for name, hash in self._hashes.items() if name != "md5"]
        self._lanes = [lane for lane in (slow, others) if lane]

    async def feed(self, chunk: bytes) -> None:
        """Take the next chunk."""
        if len(chunk) <= _INLINE_SIZE:
            self.update(chunk)
        else:
            await asyncio.gather(*(asyncio.to_thread(_update, lane, chunk) for lane in self._lanes))

    def update(self, chunk: bytes) -> None:
        """Take the next chunk at once, for callers that are in a thread already."""
        for hash in self._hashes.values():
            hash.update(chunk)

    def digests(self) -> dict[str, str]:
        """The digests so far, in lower-case hexadecimal."""
        return {name: hash.hexdigest() for name, hash in self._hashes.items()}


def _update(lane: list[hashlib._Hash], chunk: bytes) -> None:
    for hash in lane:
        hash.update(chunk)
