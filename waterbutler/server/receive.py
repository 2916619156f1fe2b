"""Bodies on their way from the client: to a storage, or into memory where they must be small."""

from __future__ import annotations

import asyncio
from collections import deque

from waterbutler.core import ByteStream
from waterbutler.core.errors import Interrupted, TooLarge
from waterbutler.core.waiting import wake

ROOM = 1 << 17
"""How many bytes may wait for the storage before the client is made to wait."""
LEAST = 1 << 14
"""How many bytes to hand out at least, but at the end: a client that sends byte by byte must not
cost memory and time by the byte."""


class BodyIntake:
    """A bounded channel from the connection to whoever stores the body.

    The connection awaits `feed`, which is the back-pressure: the client is not read any faster
    than the storage takes. Small pieces that have piled up meanwhile are handed out as one.

    Args:
        size: The promised number of bytes, if the client said it.
    """

    def __init__(self, size: int | None) -> None:
        self._waiting: deque[bytes] = deque()
        self._small = bytearray()
        self._count = 0
        self._ended = False
        self._failure: BaseException | None = None
        self._deaf = False
        self._arrival: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self.stream = ByteStream(_Reader(self), size=size)

    async def feed(self, chunk: bytes) -> None:
        """Hand over the next chunk; returns when there is room for another."""
        if self._deaf:
            return
        if len(chunk) < LEAST:
            self._small += chunk
        else:
            self._gather()
            self._waiting.append(chunk)
        self._count += len(chunk)
        if self._count >= LEAST:
            wake(self._arrival)
        while self._count >= ROOM and not self._deaf:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def end(self) -> None:
        """The body is complete."""
        self._ended = True
        wake(self._arrival)

    def fail(self, error: BaseException) -> None:
        """The body will never be complete; the reader is told."""
        self._failure = error
        wake(self._arrival)

    def ignore(self) -> None:
        """Nobody reads any more: drop what comes, so that the connection is not kept waiting."""
        self._deaf = True
        self._waiting.clear()
        self._small.clear()
        self._count = 0
        wake(self._room)

    async def take(self) -> bytes:
        """The next of what has arrived; raises `StopAsyncIteration` at the end."""
        while not self._waiting and self._count < LEAST:
            if self._count and (self._ended or self._failure is not None):
                break
            if self._failure is not None:
                raise self._failure
            if self._ended:
                raise StopAsyncIteration
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        if not self._waiting:
            self._gather()
        chunk = self._waiting.popleft()
        self._count -= len(chunk)
        wake(self._room)
        return chunk

    def _gather(self) -> None:
        if self._small:
            self._waiting.append(bytes(self._small))
            self._small.clear()


class _Reader:
    """The storage's end of the channel."""

    def __init__(self, intake: BodyIntake) -> None:
        self._intake = intake

    def __aiter__(self) -> _Reader:
        return self

    async def __anext__(self) -> bytes:
        return await self._intake.take()

    async def aclose(self) -> None:
        self._intake.ignore()


class SmallBody:
    """Collects a body that must stay small, for requests whose body is a document."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # Not a list: a client that sends byte by byte would fill it with objects.
        self._data = bytearray()
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Take a chunk.

        Raises:
            TooLarge: The body is larger than the limit.
        """
        self._size += len(chunk)
        if self._size > self._limit:
            self._data.clear()
            raise TooLarge(f"The body of this request has at most {self._limit} bytes.")
        self._data += chunk

    def data(self) -> bytes:
        """The whole body."""
        return bytes(self._data)


def interrupted() -> Interrupted:
    """What the storage is told when the client goes away."""
    return Interrupted("The connection was closed before the body was complete.")
