"""One file on its way from a connection to a storage."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeAlias, TypeVar

from waterbutler.core import ByteStream
from waterbutler.server.receive import BodyIntake, interrupted

T = TypeVar("T")

Store: TypeAlias = Callable[[ByteStream, Callable[[], None]], Awaitable[T]]
"""Stores a body; calls its second argument when nothing speaks against the upload any more."""


class Incoming(Generic[T]):
    """Runs a `Store` while its file arrives.

    Args:
        store: What stores it.
        size: The promised number of bytes, if somebody said it.
    """

    def __init__(self, store: Store[T], size: int | None = None) -> None:
        self._intake = BodyIntake(size)
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[T] | None = asyncio.create_task(self._run(store))

    async def start(self) -> None:
        """Wait until the storage wants the file; raises why it does not."""
        await self._ready
        if self._task is None or self._task.done():
            await self._end()

    async def feed(self, chunk: bytes) -> None:
        """Hand over the next bytes; returns when there is room for more."""
        if self._task is not None and self._task.done():
            await self._end()
        await self._intake.feed(chunk)

    async def finish(self) -> T:
        """The file is complete: wait until it is stored; what the `Store` gives."""
        self._intake.end()
        return await self._end()

    def give_up(self, reason: Exception) -> None:
        """The file will never be complete: nothing of it stays."""
        task, self._task = self._task, None
        if task is None or task.done():
            return
        self._intake.fail(reason)
        task.cancel()
        task.add_done_callback(_retrieve)

    async def _end(self) -> T:
        """How it ended, for the one who asks first."""
        if self._task is None:
            raise interrupted()
        try:
            return await self._task
        finally:
            # It holds its error, whose frames hold whoever holds this.
            self._task = None

    async def _run(self, store: Store[T]) -> T:
        try:
            return await store(self._intake.stream, self._set_ready)
        finally:
            await self._intake.stream.aclose()
            self._set_ready()

    def _set_ready(self) -> None:
        if not self._ready.done():
            self._ready.set_result(None)


def _retrieve(task: asyncio.Task[T]) -> None:
    """Take note of how an abandoned upload ended; nobody else will."""
    if not task.cancelled():
        task.exception()
