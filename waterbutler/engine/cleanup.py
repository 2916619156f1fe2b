"""Taking back what a failed operation has made."""

from __future__ import annotations

import asyncio

from waterbutler.core import Path, Provider
from waterbutler.core.errors import NotFound, WaterButlerError
from waterbutler.core.waiting import unbroken

TIME_LIMIT = 60.0
"""Seconds after which taking something back is given up."""


async def discard(provider: Provider, path: Path, error: BaseException) -> None:
    """Delete what was made at ``path`` before ``error`` came up; what is missing is fine.

    A cancellation does not break it off. What cannot be deleted is told by a note on ``error``,
    which the caller raises.
    """
    await unbroken(_discard(provider, path, error))


async def _discard(provider: Provider, path: Path, error: BaseException) -> None:
    try:
        async with asyncio.timeout(TIME_LIMIT):
            await provider.delete(path)
    except NotFound:
        pass
    except (WaterButlerError, TimeoutError) as failure:
        error.add_note(f"{path} on {provider.info.label} could not be removed: {failure!r}")


def explain(error: BaseException, sentence: str) -> None:
    """Put a sentence in front of the message of ``error``, so that clients see it."""
    error.add_note(sentence)
    if isinstance(error, WaterButlerError):
        error.message = f"{sentence} {error.message}"
