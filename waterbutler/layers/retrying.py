"""Trying again what may work the second time, and only where that cannot do harm."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from waterbutler.core import (
    ByteRange,
    ByteStream,
    Content,
    Entry,
    Path,
    Provider,
    Version,
    WriteMode,
)
from waterbutler.core.errors import WaterButlerError
from waterbutler.layers.base import Layer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently; all times in seconds."""

    tries: int = 3
    pause: float = 0.5
    longest_pause: float = 20.0

    def delay(self, tried: int, asked: float | None) -> float | None:
        """How long to wait after try number ``tried``, or ``None`` to give up.

        A storage that asks for more time than the longest pause is not waited for: its answer goes
        to the client, who can wait without holding a connection.
        """
        if tried >= self.tries or (asked or 0) > self.longest_pause:
            return None
        if asked is not None:
            return asked
        longest = min(self.pause * 2.0 ** (tried - 1), self.longest_pause)
        return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing


class Retrying(Layer):
    """Outermost layer: repeats calls that failed with a temporary error.

    Opening a file is repeated, reading its bytes is not. Listings are repeated until their first
    entry was handed out. A write is repeated only if its body was not touched or can be replayed.
    Deleting, moving, copying and making folders are not repeated: a lost answer does not say
    whether it happened.
    """

    def __init__(self, inner: Provider, policy: RetryPolicy) -> None:
        super().__init__(inner)
        self._policy = policy

    async def stat(self, path: Path, *, version: str | None = None) -> Entry:
        """See `Provider.stat`."""
        return await self._repeat(lambda: self.inner.stat(path, version=version))

    def list(self, path: Path) -> AsyncIterator[Entry]:
        """See `Provider.list`."""
        return self._repeat_until_first(lambda: self.inner.list(path))

    async def read(
        self, path: Path, *, range: ByteRange | None = None, version: str | None = None
    ) -> Content:
        """See `Provider.read`."""
        return await self._repeat(lambda: self.inner.read(path, range=range, version=version))

    async def write(
        self,
        path: Path,
        body: ByteStream,
        *,
        mode: WriteMode = WriteMode.REPLACE,
        content_type: str | None = None,
        modified: datetime | None = None,
    ) -> Entry:
        """See `Provider.write`."""
        tried = 0
        current = body
        try:
            while True:
                tried += 1
                try:
                    return await self.inner.write(
                        path, current, mode=mode, content_type=content_type, modified=modified
                    )
                except WaterButlerError as error:
                    if current.started and current.replay is None:
                        raise
                    delay = self._delay(error, tried)
                    if delay is None:
                        raise
                await asyncio.sleep(delay)
                if current.started and current.replay is not None:
                    used, current = current, current.replay()
                    if used is not body:
                        await used.aclose()
        finally:
            if current is not body:
                await current.aclose()

    def versions(self, path: Path) -> AsyncIterator[Version]:
        """See `Provider.versions`."""
        return self._repeat_until_first(lambda: self.inner.versions(path))

    async def sign(
        self,
        path: Path,
        *,
        version: str | None = None,
        filename: str | None = None,
        expires: timedelta = timedelta(minutes=5),
    ) -> str:
        """See `Provider.sign`."""
        return await self._repeat(
            lambda: self.inner.sign(path, version=version, filename=filename, expires=expires)
        )

    async def free_space(self) -> int | None:
        """See `Provider.free_space`."""
        return await self._repeat(self.inner.free_space)

    async def locate(self, wire: Path) -> Path:
        """See `Provider.locate`."""
        return await self._repeat(lambda: self.inner.locate(wire))

    async def _repeat_until_first(self, call: Callable[[], AsyncIterator[T]]) -> AsyncIterator[T]:
        tried = 0
        started = False
        while True:
            tried += 1
            items = call()
            try:
                async for item in items:
                    started = True
                    yield item
                return
            except WaterButlerError as error:
                delay = None if started else self._delay(error, tried)
                if delay is None:
                    raise
            finally:
                aclose = getattr(items, "aclose", None)
                if aclose is not None:
                    await aclose()
            await asyncio.sleep(delay)

    async def _repeat(self, call: Callable[[], Awaitable[T]]) -> T:
        tried = 0
        while True:
            tried += 1
            try:
                return await call()
            except WaterButlerError as error:
                delay = self._delay(error, tried)
                if delay is None:
                    raise
            await asyncio.sleep(delay)

    def _delay(self, error: WaterButlerError, tried: int) -> float | None:
        """How long to wait; ``None`` if trying again makes no sense."""
        return self._policy.delay(tried, error.retry_after) if error.temporary else None
