"""Bytes on their way, with an honest length."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from waterbutler.core.closing import Closing
from waterbutler.core.errors import Corrupted


class Sink(Protocol):
    """Something that is shown every chunk that passes: a hash, a counter."""

    async def feed(self, chunk: bytes) -> None:
        """Take the next chunk."""


class FileSource(Protocol):
    """Bytes that lie in a file of this machine, so that the system can send them by itself."""

    @property
    def sendable(self) -> int:
        """How many bytes from here on can be sent; what is left afterwards must be read."""

    async def send(self, fd: int) -> int:
        """Send the next bytes to a socket that does not block; 0 means that it takes none now.

        Ends only when ``fd`` is not used any more, also when it is cancelled.
        """


class ByteStream(Closing):
    """An asynchronous iterator of chunks that knows its size and refuses to lie about it.

    Whoever holds a stream closes it; passing it on passes that duty. Chunks are never empty.
    Iterating raises `Corrupted` when the source ends before ``size`` bytes or goes on behind them,
    so a reader that saw the end of the iteration has every byte. A stream is read once.

    Args:
        chunks: The source.
        size: How many bytes will come, if known.
        close: Called once by `aclose`, after ``chunks`` was closed if it can be.
        replay: Makes the same stream anew, where the source can be opened again.
        file: Sends the bytes without bringing them here, where they lie in a file.
    """

    __slots__ = (
        *("_chunks", "_close", "_file", "_hooks", "_sinks"),
        *("replay", "sent", "size", "started"),
    )

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        *,
        size: int | None = None,
        close: Callable[[], Awaitable[None]] | None = None,
        replay: Callable[[], ByteStream] | None = None,
        file: FileSource | None = None,
    ) -> None:
        self._chunks: AsyncIterator[bytes] | None = chunks
        self._close = close
        self._sinks: tuple[Sink, ...] = ()
        self._hooks: tuple[Callable[[], None], ...] = ()
        self._file = file
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

    def closing(self, hook: Callable[[], None]) -> ByteStream:
        """This stream, calling ``hook`` once when it is closed."""
        self._hooks += (hook,)
        return self

    @property
    def sendable(self) -> int:
        """How many of the next bytes `send_to` can send; 0 where they must be read."""
        return self._file.sendable if self._file is not None and not self._sinks else 0

    async def send_to(self, fd: int) -> int:
        """Send some of the next bytes to a socket that does not block, without reading them.

        Returns:
            How many; 0 if the socket takes none now.
        """
        assert self._file is not None
        self.started = True
        count = await self._file.send(fd)
        self.sent += count
        return count

    def __aiter__(self) -> ByteStream:
        return self

    async def __anext__(self) -> bytes:
        self.started = True
        chunks = self._chunks
        if chunks is None:
            raise RuntimeError("The stream is closed.")
        chunk = b""
        while not chunk:
            try:
                chunk = await anext(chunks)
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
        chunks, self._chunks = self._chunks, None
        if chunks is None:
            return
        # All of these may know the stream, and a cycle keeps its memory for long.
        hooks, self._hooks = self._hooks, ()
        close, self._close = self._close, None
        try:
            aclose = getattr(chunks, "aclose", None)
            if aclose is not None:
                await aclose()
        finally:
            for hook in hooks:
                hook()
            if close is not None:
                await close()
