"""Whether there is room for what is coming."""

from __future__ import annotations

from waterbutler.core import ByteStream
from waterbutler.core.errors import QuotaExceeded
from waterbutler.core.filetree import FileTree


async def require_room(tree: FileTree, size: int | None) -> int | None:
    """Refuse what cannot fit; gives how many bytes may come, if the host says it.

    Raises:
        QuotaExceeded: There is no room.
    """
    quota = await tree.quota()
    if quota.over or (size is not None and quota.free is not None and size > quota.free):
        raise _full()
    return quota.free


def metered(body: ByteStream, room: int | None) -> ByteStream:
    """The body, which fails when more comes than there is room for."""
    return body if room is None or body.size is not None else body.tee(_Meter(room))


class _Meter:
    def __init__(self, room: int) -> None:
        self._room = room

    async def feed(self, chunk: bytes) -> None:
        self._room -= len(chunk)
        if self._room < 0:
            raise _full()


def _full() -> QuotaExceeded:
    return QuotaExceeded("The resource has no room for this.")
