"""Waiting, and ending the waiting of others."""

from __future__ import annotations

import asyncio
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
    return cancelled


async def stop(*tasks: asyncio.Future[T]) -> None:
    """Cancel tasks and wait until they have ended, however they end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def wake(waiter: asyncio.Future[None] | None) -> None:
    """Let whoever waits go on, if somebody does."""
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
