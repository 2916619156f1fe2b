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

    async def feed(self, chunk: bytes) -> None:
        """Take the next chunk."""
        if len(chunk) <= _INLINE_SIZE:
            self.update(chunk)
        elif self._hashes:
            await asyncio.to_thread(self.update, chunk)

    def update(self, chunk: bytes) -> None:
        """Take the next chunk at once, for callers that are in a thread already."""
        for hash in self._hashes.values():
            hash.update(chunk)

    def digests(self) -> dict[str, str]:
        """The digests so far, in lower-case hexadecimal."""
        return {name: hash.hexdigest() for name, hash in self._hashes.items()}
