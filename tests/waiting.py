"""Waiting for what happens beside a test."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object]) -> None:
    """Wait until ``condition`` holds; it does soon, or the test fails."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)
