"""Tasks that are bounded, end together and leave nothing running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from waterbutler.core.waiting import stop

T = TypeVar("T")
Emit = Callable[[T], Awaitable[None]]
"""Hands an item over; waits while too many are waiting to be taken."""


@asynccontextmanager
async def closing(items: AsyncIterator[T]) -> AsyncGenerator[AsyncIterator[T], None]:
    """``items``, closed at the end where they can be: what was not read is let go of."""
    try:
        yield items
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()


async def in_background(
    produce: Callable[[Emit[T]], Coroutine[None, None, None]], ahead: int
) -> AsyncGenerator[T, None]:
    """What ``produce`` emits, while it works on in a task of its own.

    At most ``ahead`` items wait to be taken. Errors of ``produce`` are raised after everything
    that it emitted before. Close the generator when leaving early: that ends the task.
    """
    room = asyncio.Semaphore(ahead)
    ready: asyncio.Queue[tuple[T] | None] = asyncio.Queue()

    async def emit(item: T) -> None:
        await room.acquire()
        ready.put_nowait((item,))

    task = asyncio.create_task(produce(emit))
    task.add_done_callback(lambda _: ready.put_nowait(None))
    try:
        while (found := await ready.get()) is not None:
            room.release()
            yield found[0]
        task.result()
    finally:
        await stop(task)
        # What it raised goes through this frame.
        del task


class Shared(Generic[T]):
    """One iterator that several tasks take from; each item goes to one of them."""

    def __init__(self, items: AsyncIterator[T]) -> None:
        self._items = items
        self._turn = asyncio.Lock()

    def __aiter__(self) -> Shared[T]:
        return self

    async def __anext__(self) -> T:
        async with self._turn:
            return await anext(self._items)
