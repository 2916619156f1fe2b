"""Steps that are not broken off."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


async def unbroken(step: Coroutine[None, None, T]) -> T:
    """Run ``step`` to its end even if this task is cancelled meanwhile.

    The cancellation is raised afterwards and hides an error of ``step``.
    """
    task = asyncio.create_task(step)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()
    raise cancelled
