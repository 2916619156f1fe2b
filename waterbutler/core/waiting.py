"""Waiting, doing things at the same time, and ending the waiting of others.

A frame lives as long as an error that came through it, and a task as long as a frame that names it,
with its error: each function here forgets its tasks before it raises what they raised, so that all
of it is gone with the error and needs no search for garbage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TypeVar

T = TypeVar("T")


async def outwait(work: asyncio.Future[T]) -> asyncio.CancelledError | None:
    """Wait for the end of something, however it ends and however often the wait is cancelled.

    Returns:
        The last cancellation that came meanwhile, for the caller to raise when all is done. What
        ``work`` raised counts as seen; it is still there for who asks for the result.
    """
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if not work.cancelled():
        work.exception()
    try:
        return cancelled
    finally:
        del work, cancelled


async def unbroken(
    step: Awaitable[T],
    *,
    undo: Callable[[BaseException], Coroutine[None, None, None]] | None = None,
) -> T:
    """Run ``step`` to its end even if this task is cancelled meanwhile.

    The cancellation is raised afterwards, and hides an error of ``step``; before that, a step that
    succeeded is undone by ``undo``, which is given the cancellation and raises nothing.
    """
    task = asyncio.ensure_future(step)
    cancelled: asyncio.CancelledError | None = None
    try:
        cancelled = await outwait(task)
        if cancelled is None:
            return task.result()
        if undo is not None and not task.cancelled() and task.exception() is None:
            await outwait(asyncio.create_task(undo(cancelled)))
        raise cancelled
    finally:
        del task, cancelled


async def together(works: Iterable[Coroutine[None, None, None]]) -> None:
    """Run all of ``works`` at the same time; the first error cancels the others and is raised.

    Cancelling this cancels them all. It returns or raises when all have ended. (Not a task group:
    one that is broken off keeps its frames in a cycle, before Python 3.13.)
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        raise_first(tasks)
    finally:
        await stop(*tasks)
        tasks.clear()


def raise_first(tasks: Iterable[asyncio.Future[T]]) -> None:
    """Raise what one of the tasks raised that are done, if one did; all count as looked at."""
    errors = [task.exception() for task in tasks if task.done() and not task.cancelled()]
    first = next(filter(None, errors), None)
    try:
        if first is not None:
            raise first
    finally:
        del tasks, errors, first


async def first(*works: Awaitable[object]) -> None:
    """Wait until the first of these ends, however it does, and give up the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await stop(*tasks)


async def stop(*tasks: asyncio.Future[T]) -> None:
    """Cancel tasks and wait until they have ended, however they end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def wake(waiter: asyncio.Future[None] | None) -> None:
    """Let whoever waits go on, if somebody does."""
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
