"""Bodies that lie, fail or wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from waterbutler.core import ByteStream
from waterbutler.core.errors import Interrupted

CHUNK = 1 << 14


class ShortStream(ByteStream):
    """Promises more than it has: ends ``missing`` bytes early."""

    def __init__(self, data: bytes, *, missing: int = 1, chunk_size: int = CHUNK) -> None:
        super().__init__(_pieces(data, chunk_size), size=len(data) + missing)


class LongStream(ByteStream):
    """Has more than it promises: ``extra`` bytes follow in a chunk of their own."""

    def __init__(self, data: bytes, *, extra: int = 1, chunk_size: int = CHUNK) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            async for chunk in _pieces(data, chunk_size):
                yield chunk
            yield b"+" * extra

        super().__init__(chunks(), size=len(data))


class FailingStream(ByteStream):
    """Raises after some bytes.

    Args:
        data: What it would give.
        after: How many bytes come before the error.
        error: What is raised; `Interrupted` if nothing else is said.
        known_size: Whether ``size`` is the length of ``data`` or ``None``.
        chunk_size: The largest chunk, in bytes.
    """

    def __init__(
        self,
        data: bytes,
        *,
        after: int,
        error: BaseException | None = None,
        known_size: bool = True,
        chunk_size: int = CHUNK,
    ) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            async for chunk in _pieces(data[:after], chunk_size):
                yield chunk
            raise error or Interrupted("The sender went away.")

        super().__init__(chunks(), size=len(data) if known_size else None)


class SlowStream(ByteStream):
    """Lets other tasks run before each chunk, and stops once in the middle if told so.

    Args:
        data: What it gives.
        pause_after: After at least this many bytes it waits for `resume`.
        known_size: Whether ``size`` is the length of ``data`` or ``None``.
        chunk_size: The largest chunk, in bytes.

    Attributes:
        paused: Set as soon as it waits.
    """

    def __init__(
        self,
        data: bytes,
        *,
        pause_after: int | None = None,
        known_size: bool = True,
        chunk_size: int = CHUNK,
    ) -> None:
        self.paused = asyncio.Event()
        self._resumed = asyncio.Event()

        async def chunks() -> AsyncIterator[bytes]:
            given = 0
            pausing = pause_after
            async for chunk in _pieces(data, chunk_size):
                await asyncio.sleep(0)
                if pausing is not None and given >= pausing:
                    await self._pause()
                    pausing = None
                yield chunk
                given += len(chunk)
            if pausing is not None:
                await self._pause()

        super().__init__(chunks(), size=len(data) if known_size else None)

    def resume(self) -> None:
        """Let it go on."""
        self._resumed.set()

    async def _pause(self) -> None:
        self.paused.set()
        await self._resumed.wait()


async def _pieces(data: bytes, chunk_size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), chunk_size):
        yield data[start : start + chunk_size]
