"""Thumbnails of what storages hold: read once, drawn in a process of their own, and kept."""

from __future__ import annotations

import asyncio
import importlib.util
import math
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, TypeVar

import structlog

from waterbutler.core import ByteStream, Content
from waterbutler.core.waiting import outwait
from waterbutler.thumbnails.cache import Cache, Thumbnail
from waterbutler.thumbnails.formats import HEAD, format_of

__all__ = ["Limits", "Thumbnail", "Thumbnails"]

T = TypeVar("T")

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler")

_PROGRAM = Path(__file__).with_name("drawing.py")
_MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png"}
_ENVIRONMENT = ("LD_LIBRARY_PATH", "PYTHONPATH", "SYSTEMROOT")
"""What the program may know of the server's environment: where its libraries are, no secrets."""
_STOPPED = {-signal.SIGTERM, -signal.SIGINT}
"""What a program ends with when somebody stops the machine or the server with all its programs."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a thumbnail may cost.

    Attributes:
        side: The longest side of a thumbnail, in pixels.
        source_bytes: How large a file may be; what is larger is not read to its end.
        pixels: How many pixels an image may have. Its program has 12 bytes of memory for each,
            and what needs more is not drawn.
        seconds: How long drawing may take.
        drawings: How many are drawn at the same time.
        readings: How many files are read, or wait on disk to be drawn, at the same time.
        kept_bytes: How much is kept of what was drawn.
        none_seconds: How long to remember that there is no thumbnail.
    """

    side: int = 256
    source_bytes: int = 64 << 20
    pixels: int = 50_000_000
    seconds: float = 20
    drawings: int = 2
    readings: int = 8
    kept_bytes: int = 256 << 20
    none_seconds: float = 3600

    @property
    def output_bytes(self) -> int:
        """More than any picture of this size needs, in either format."""
        return self.side * self.side * 5 + (64 << 10)


class _NotNow(Exception):
    """This machine has no room or no process to spare: it says nothing about the image."""


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Thumbnails:
    """Draws thumbnails of images and keeps them.

    Images come from strangers, and decoders are large C libraries: each image is decoded in a
    process of its own, which may be killed, may crash, and has no more memory and time than it
    needs. A server that draws nothing loads nothing for it. Without Pillow there are no thumbnails.

    Args:
        folder: Where to keep thumbnails and, while they are drawn, files; made at first use.
        limits: How much a thumbnail may cost.
    """

    def __init__(self, folder: Path, *, limits: Limits | None = None) -> None:
        self._folder = folder
        self._limits = limits or Limits()
        self._cache = Cache(
            folder / "thumbnails.sqlite",
            limit=self._limits.kept_bytes,
            none_seconds=self._limits.none_seconds,
        )
        self._readings = asyncio.Semaphore(self._limits.readings)
        self._drawings = asyncio.Semaphore(self._limits.drawings)
        self._turns: dict[str, _Turn] = {}

    async def get(self, key: str, open: Callable[[], Awaitable[Content]]) -> Thumbnail | None:
        """The thumbnail of a file.

        Those who ask for one key at the same time wait for the first of them. When that one fails
        or gives up, the next one tries, with an ``open`` of its own.

        Args:
            key: What identifies the content, so never the same for two contents.
            open: Opens the whole file; called only when the thumbnail is not known. The body is
                closed in any case.

        Returns:
            ``None`` if there is none: the file is no image of a format that is decoded, is too
            large, or is damaged or incomplete.

        Raises:
            WaterButlerError: What ``open`` raised, or the body while it was read. Nothing is
                remembered then.
        """
        if not self._possible:
            return None
        key = f"{self._limits.side} {key}"
        known = await asyncio.to_thread(self._cache.get, key)
        if known is not None:
            return known.thumbnail
        async with self._alone(key):
            known = await asyncio.to_thread(self._cache.get, key)
            if known is not None:
                return known.thumbnail
            try:
                made = await self._make(open)
            except _NotNow as error:
                _log.warning("thumbnail not drawn", error=str(error))
                return None
            await asyncio.to_thread(self._cache.put, key, made)
            return made

    async def aclose(self) -> None:
        """Let go of what is kept, when nobody waits for a thumbnail any more."""
        await asyncio.to_thread(self._cache.close)

    @cached_property
    def _possible(self) -> bool:
        found = importlib.util.find_spec("PIL") is not None
        if not found:
            _log.info("there are no thumbnails: Pillow is not installed")
        return found

    @asynccontextmanager
    async def _alone(self, key: str) -> AsyncIterator[None]:
        turn = self._turns.setdefault(key, _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[key]

    async def _make(self, open: Callable[[], Awaitable[Content]]) -> Thumbnail | None:
        async with self._readings:
            content = await open()
            async with content.body as body:
                size = content.entry.size if body.size is None else body.size
                if size is not None and size > self._limits.source_bytes:
                    return None
                head = await _head(body)
                format = format_of(head)
                if format is None:
                    return None
                async with self._temporary() as image:
                    if not await self._spool(head, body, image):
                        return None
                    # A storage should not wait for its connection while others are drawn.
                    await body.aclose()
                    async with self._drawings, self._temporary() as drawn:
                        return await self._draw(format, image, drawn)

    async def _spool(self, head: bytes, body: ByteStream, image: BinaryIO) -> bool:
        """Bring a file to disk; ``False`` as soon as it is too large."""
        await _written(image.write, head)
        async for chunk in body:
            if body.sent > self._limits.source_bytes:
                return False
            await _written(image.write, chunk)
        await _written(image.seek, 0)  # which writes what is buffered
        return True

    async def _draw(self, format: str, image: BinaryIO, drawn: BinaryIO) -> Thumbnail | None:
        limits = self._limits
        numbers = (limits.side, limits.pixels, math.ceil(limits.seconds), limits.output_bytes)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", str(_PROGRAM), format, *map(str, numbers)),
                stdin=image,
                stdout=drawn,
                stderr=asyncio.subprocess.DEVNULL,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                start_new_session=True,
            )
        except OSError as error:
            raise _NotNow(f"no process can be started: {error.strerror}") from None
        code = await _end(process, limits.seconds)
        if code in _STOPPED:
            raise _NotNow("its program was stopped")
        if code != 0:
            if code != 1:
                _log.warning("thumbnail not drawn: its program broke off", code=code)
            return None
        await asyncio.to_thread(drawn.seek, 0)
        data = await asyncio.to_thread(drawn.read, limits.output_bytes)
        media_type = _MEDIA_TYPES.get(format_of(data[:HEAD]) or "")
        return None if media_type is None else Thumbnail(data, media_type)

    @asynccontextmanager
    async def _temporary(self) -> AsyncIterator[BinaryIO]:
        """A file that has no name and goes away, also if this process does."""
        try:
            file = await asyncio.to_thread(self._new_file)
        except OSError as error:
            raise _NotNow(f"no temporary file: {error.strerror}") from None
        try:
            yield file
        finally:
            # In a thread: a write that was cancelled may still be running and holds the file.
            closing = asyncio.ensure_future(asyncio.to_thread(file.close))
            cancelled = await outwait(closing)
            if cancelled is not None:
                raise cancelled

    def _new_file(self) -> BinaryIO:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=self._folder)


async def _head(body: ByteStream) -> bytes:
    head = b""
    async for chunk in body:
        head += chunk
        if len(head) >= HEAD:
            break
    return head


async def _written(work: Callable[[T], int], argument: T) -> None:
    try:
        await asyncio.to_thread(work, argument)
    except OSError as error:
        raise _NotNow(f"no room for a temporary file: {error.strerror}") from None


async def _end(process: asyncio.subprocess.Process, seconds: float) -> int | None:
    """Wait for the end of a program, and bring it about after so many seconds.

    Returns:
        What it ended with; ``None`` if it had to be killed.
    """
    try:
        async with asyncio.timeout(seconds):
            return await process.wait()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            cancelled = await outwait(asyncio.ensure_future(process.wait()))
            if cancelled is not None:
                raise cancelled
