"""What each storage is asked, how long it takes and how it ends."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from waterbutler.core import (
    ByteRange,
    ByteStream,
    Content,
    Entry,
    Noted,
    Path,
    Provider,
    SentPart,
    StorageInfo,
    Version,
    WriteMode,
)
from waterbutler.core.errors import WaterButlerError
from waterbutler.layers.base import Layer

T = TypeVar("T")


class Observer(Protocol):
    """Who is told; must be quick and must not raise."""

    def operation(self, storage: StorageInfo, operation: str, seconds: float, outcome: str) -> None:
        """An operation ended; ``outcome`` is ``ok`` or the name of the error's class."""

    def transferred(self, storage: StorageInfo, direction: str, count: int) -> None:
        """``count`` bytes were ``read`` from the storage or ``written`` to it."""


class Observed(Layer):
    """Tells an `Observer` about every call."""

    def __init__(self, inner: Provider, observer: Observer) -> None:
        super().__init__(inner)
        self._observer = observer

    async def stat(self, path: Path, *, version: str | None = None) -> Entry:
        """See `Provider.stat`."""
        return await self._timed("stat", self.inner.stat(path, version=version))

    def list(self, path: Path) -> AsyncIterator[Entry]:
        """See `Provider.list`."""
        return self._iterated("list", self.inner.list(path))

    async def read(
        self, path: Path, *, range: ByteRange | None = None, version: str | None = None
    ) -> Content:
        """See `Provider.read`."""
        call = self.inner.read(path, range=range, version=version)
        content = await self._timed("read", call)
        body = content.body
        body.closing(lambda: self._observer.transferred(self.info, "read", body.sent))
        return content

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
        before = body.sent
        try:
            call = self.inner.write(
                path, body, mode=mode, content_type=content_type, modified=modified
            )
            return await self._timed("write", call)
        finally:
            self._observer.transferred(self.info, "written", body.sent - before)

    async def delete(self, path: Path) -> None:
        """See `Provider.delete`."""
        await self._timed("delete", self.inner.delete(path))

    async def make_folder(self, path: Path) -> Entry:
        """See `Provider.make_folder`."""
        return await self._timed("make_folder", self.inner.make_folder(path))

    async def copy_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.copy_from`."""
        return await self._timed("copy_from", self.inner.copy_from(source, at, to, mode=mode))

    async def move_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.move_from`."""
        return await self._timed("move_from", self.inner.move_from(source, at, to, mode=mode))

    async def begin_parts(self, path: Path, *, size: int, noted: Noted | None = None) -> str:
        """See `Provider.begin_parts`."""
        return await self._timed(
            "begin_parts", self.inner.begin_parts(path, size=size, noted=noted)
        )

    async def put_part(
        self, path: Path, upload: str, number: int, body: ByteStream, *, sha256: str
    ) -> SentPart:
        """See `Provider.put_part`."""
        before = body.sent
        try:
            call = self.inner.put_part(path, upload, number, body, sha256=sha256)
            return await self._timed("put_part", call)
        finally:
            self._observer.transferred(self.info, "written", body.sent - before)

    async def finish_parts(
        self,
        path: Path,
        upload: str,
        parts: Sequence[SentPart],
        *,
        mode: WriteMode = WriteMode.REPLACE,
        modified: datetime | None = None,
    ) -> Entry:
        """See `Provider.finish_parts`."""
        call = self.inner.finish_parts(path, upload, parts, mode=mode, modified=modified)
        return await self._timed("finish_parts", call)

    async def abort_parts(self, path: Path, upload: str) -> None:
        """See `Provider.abort_parts`."""
        await self._timed("abort_parts", self.inner.abort_parts(path, upload))

    def versions(self, path: Path) -> AsyncIterator[Version]:
        """See `Provider.versions`."""
        return self._iterated("versions", self.inner.versions(path))

    async def sign(
        self,
        path: Path,
        *,
        version: str | None = None,
        filename: str | None = None,
        expires: timedelta = timedelta(minutes=5),
    ) -> str:
        """See `Provider.sign`."""
        call = self.inner.sign(path, version=version, filename=filename, expires=expires)
        return await self._timed("sign", call)

    async def _timed(self, operation: str, call: Awaitable[T]) -> T:
        start = time.perf_counter()
        outcome = "ok"
        try:
            return await call
        except BaseException as error:
            outcome = _outcome(error)
            raise
        finally:
            elapsed = time.perf_counter() - start
            self._observer.operation(self.info, operation, elapsed, outcome)

    async def _iterated(self, operation: str, items: AsyncIterator[T]) -> AsyncIterator[T]:
        start = time.perf_counter()
        outcome = "ok"
        try:
            async for item in items:
                yield item
        except GeneratorExit:
            raise
        except BaseException as error:
            outcome = _outcome(error)
            raise
        finally:
            elapsed = time.perf_counter() - start
            self._observer.operation(self.info, operation, elapsed, outcome)
            aclose = getattr(items, "aclose", None)
            if aclose is not None:
                await aclose()


def _outcome(error: BaseException) -> str:
    return type(error).__name__ if isinstance(error, WaterButlerError) else "error"
