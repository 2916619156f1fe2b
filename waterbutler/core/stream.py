"""Bytes on their way, with an honest length."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Protocol

from waterbutler.core.errors import Corrupted


class Sink(Protocol):
    """Something that is shown every chunk that passes: a hash, a counter."""

    async def feed(self, chunk: bytes) -> None:
        """Take the next chunk."""


class ByteStream:
    """An asynchronous iterator of chunks that knows its size and refuses to lie about it.

    Whoever holds a stream closes it; passing it on passes that duty. Chunks are never empty.
    Iterating raises `Corrupted` when the source ends before ``size`` bytes or goes on behind them,
    so a reader that saw the end of the iteration has every byte. A stream is read once.

    Args:
        chunks: The source.
        size: How many bytes will come, if known.
        close: Called once by `aclose`, after ``chunks`` was closed if it can be.
        replay: Makes the same stream anew, where the source can be opened again.
    """

    __slots__ = ("_chunks", "_close", "_closed", "_sinks", "replay", "sent", "size", "started")

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        *,
        size: int | None = None,
        close: Callable[[], Awaitable[None]] | None = None,
        replay: Callable[[], ByteStream] | None = None,
    ) -> None:
        self._chunks = chunks
        self._close = close
        self._closed = False
        self._sinks: tuple[Sink, ...] = ()
        self.size = size
        self.sent = 0
        self.started = False
        self.replay = replay

    @classmethod
    def of(cls, data: bytes, *, chunk_size: int = 1 << 16) -> ByteStream:
        """A stream of bytes that are in memory; it can be replayed."""

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(data), chunk_size):
                yield data[start : start + chunk_size]

        return cls(chunks(), size=len(data), replay=lambda: cls.of(data, chunk_size=chunk_size))

    def tee(self, *sinks: Sink) -> ByteStream:
        """This stream, showing each chunk to ``sinks`` before it is handed out."""
        self._sinks += sinks
        return self

    def __aiter__(self) -> ByteStream:
        return self

    async def __anext__(self) -> bytes:
        self.started = True
        if self._closed:
            raise RuntimeError("The stream is closed.")
        chunk = b""
        while not chunk:
            try:
                chunk = await anext(self._chunks)
            except StopAsyncIteration:
                if self.size is not None and self.sent < self.size:
                    raise Corrupted(
                        f"The data ended after {self.sent} of {self.size} bytes."
                    ) from None
                raise
        self.sent += len(chunk)
        if self.size is not None and self.sent > self.size:
            raise Corrupted(f"The data goes on after the promised {self.size} bytes.")
        for sink in self._sinks:
            await sink.feed(chunk)
        return chunk

    async def read(self, limit: int) -> bytes:
        """The whole content, for small things.

        Raises:
            Corrupted: It has more than ``limit`` bytes, or not as many as promised.
        """
        parts = []
        async for chunk in self:
            parts.append(chunk)
            if self.sent > limit:
                raise Corrupted(f"The data is larger than {limit} bytes.")
        return b"".join(parts)

    async def aclose(self) -> None:
        """Let go of the source; may be called again."""
        if self._closed:
            return
        self._closed = True
        try:
            aclose = getattr(self._chunks, "aclose", None)
            if aclose is not None:
                await aclose()
        finally:
            if self._close is not None:
                await self._close()

    async def __aenter__(self) -> ByteStream:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
