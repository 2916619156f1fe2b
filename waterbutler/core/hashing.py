"""Hashes of passing bytes, computed off the event loop."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import partial

from waterbutler.core.lanes import Lanes
from waterbutler.core.shares import Shares

BEHIND = 1 << 21
"""How many bytes may have passed that are not hashed yet."""
_SHARES = Shares(1 << 22)
"""The same of all streams together; with many of them, each waits for its hashes."""
_INLINE_SIZE = 1 << 14
"""Chunks up to this many bytes are hashed at once: a thread would cost more than the hash."""


class Hasher:
    """A `Sink` that computes several hashes, side by side and while the next bytes come.

    Args:
        names: hashlib names, ``md5``, ``sha256``.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in names}
        updates = {name: hash.update for name, hash in self._hashes.items()}
        # It takes as long as all others.
        slow = updates.pop("md5", None)
        lanes = filter(None, ([slow] if slow else [], list(updates.values())))
        self._lanes = Lanes(*(partial(_update, lane) for lane in lanes))

    async def feed(self, chunk: bytes) -> None:
        """Take the next chunk."""
        if not self._hashes:
            return
        if len(chunk) <= _INLINE_SIZE and not self._lanes.behind:
            self.update(chunk)
            return
        _SHARES.join(self)
        await self._lanes.put([chunk], _SHARES.share(BEHIND))

    def update(self, chunk: bytes) -> None:
        """Take the next chunk at once, for callers that are in a thread already."""
        for hash in self._hashes.values():
            hash.update(chunk)

    async def digests(self) -> dict[str, str]:
        """The digests of all that was fed, in lower-case hexadecimal."""
        await self._lanes.join()
        _SHARES.leave(self)
        return {name: hash.hexdigest() for name, hash in self._hashes.items()}

    def __del__(self) -> None:
        # Nobody need say that a stream has ended early.
        _SHARES.leave(self)


def _update(updates: Iterable[Callable[..., None]], chunks: list[bytes]) -> None:
    # One call for all: each time a thread comes back it waits for the interpreter.
    data = b"".join(chunks)
    for update in updates:
        update(data)
