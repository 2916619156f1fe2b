"""Things that go wrong on purpose: bodies that lie or fail, and a provider that is flaky.

::

    await provider.write(path, ShortStream(b"half"))             # Corrupted
    await provider.write(path, FailingStream(data, after=100))   # Interrupted

    flaky = FlakyProvider(provider)
    flaky.fail("stat", ProviderUnavailable("down"), at=2)        # the second call fails
    flaky.fail("read", ProviderTimeout("slow"), after=1000)      # the body breaks after 1,000 bytes
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from waterbutler.core import (
    ByteRange,
    ByteStream,
    Capabilities,
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
from waterbutler.testing.bodies import FailingStream, LongStream, ShortStream, SlowStream

__all__ = ["FailingStream", "FlakyProvider", "LongStream", "ShortStream", "SlowStream"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BaseException
    at: int
    times: int
    after: int | None

    def hits(self, call: int) -> bool:
        return self.at <= call < self.at + self.times


class FlakyProvider(Provider):
    """A provider around another one, some of whose calls fail.

    Args:
        inner: Does the work.
        opaque: Whether it hides the inner provider from `unwrapped`, as a strange storage would;
            then nobody can copy or move from it on the storage's side.

    Attributes:
        calls: How often each operation was called, failed calls included.
    """

    def __init__(self, inner: Provider, *, opaque: bool = False) -> None:
        self.inner = inner
        self.calls: Counter[str] = Counter()
        self._opaque = opaque
        self._failures: dict[str, list[_Failure]] = {}

    def fail(
        self,
        operation: str,
        error: WaterButlerError,
        *,
        at: int = 1,
        times: int = 1,
        after: int | None = None,
    ) -> FlakyProvider:
        """Make calls of an operation fail; returns this provider.

        Args:
            operation: The method's name, ``read``.
            error: What is raised.
            at: The first call that fails, counted from 1 and from the start.
            times: How many calls in a row fail.
            after: ``None`` fails before the inner provider is asked. A number fails in the middle:
                after so many bytes of a ``read`` or of the body of a ``write``, after so many
                entries of a ``list`` or ``versions``. For all others, any number fails after the
                inner provider has done it, as if the answer got lost.
        """
        self._failures.setdefault(operation, []).append(_Failure(error, at, times, after))
        return self

    @property
    def info(self) -> StorageInfo:  # type: ignore[override]
        """The inner provider's."""
        return self.inner.info

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        """The inner provider's."""
        return self.inner.capabilities

    @property
    def unwrapped(self) -> Provider:
        """The provider itself, or this one if it is opaque."""
        return self if self._opaque else self.inner.unwrapped

    async def stat(self, path: Path, *, version: str | None = None) -> Entry:
        """See `Provider.stat`."""
        failure = self._begin("stat")
        return _lost(failure, await self.inner.stat(path, version=version))

    async def list(self, path: Path) -> AsyncIterator[Entry]:
        """See `Provider.list`."""
        failure = self._begin("list")
        async with aclosing(_limited(self.inner.list(path), failure)) as entries:
            async for entry in entries:
                yield entry

    async def read(
        self, path: Path, *, range: ByteRange | None = None, version: str | None = None
    ) -> Content:
        """See `Provider.read`."""
        failure = self._begin("read")
        content = await self.inner.read(path, range=range, version=version)
        if failure is None:
            return content
        body = _cut(content.body, failure, close=True)
        return Content(body, content.entry, content.span)

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
        failure = self._begin("write")
        if failure is not None:
            body = _cut(body, failure, close=False)
        return await self.inner.write(
            path, body, mode=mode, content_type=content_type, modified=modified
        )

    async def described(self, written: Entry) -> Entry:
        """See `Provider.described`; does not fail."""
        return await self.inner.described(written)

    async def delete(self, path: Path) -> None:
        """See `Provider.delete`."""
        failure = self._begin("delete")
        await self.inner.delete(path)
        _lost(failure, None)

    async def make_folder(self, path: Path) -> Entry:
        """See `Provider.make_folder`."""
        failure = self._begin("make_folder")
        return _lost(failure, await self.inner.make_folder(path))

    async def copy_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.copy_from`."""
        failure = self._begin("copy_from")
        return _lost(failure, await self.inner.copy_from(source, at, to, mode=mode))

    async def move_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.move_from`."""
        failure = self._begin("move_from")
        return _lost(failure, await self.inner.move_from(source, at, to, mode=mode))

    async def versions(self, path: Path) -> AsyncIterator[Version]:
        """See `Provider.versions`."""
        failure = self._begin("versions")
        async with aclosing(_limited(self.inner.versions(path), failure)) as versions:
            async for version in versions:
                yield version

    async def sign(
        self,
        path: Path,
        *,
        version: str | None = None,
        filename: str | None = None,
        expires: timedelta = timedelta(minutes=5),
    ) -> str:
        """See `Provider.sign`."""
        failure = self._begin("sign")
        link = await self.inner.sign(path, version=version, filename=filename, expires=expires)
        return _lost(failure, link)

    async def begin_parts(self, path: Path, *, size: int, noted: Noted | None = None) -> str:
        """See `Provider.begin_parts`."""
        failure = self._begin("begin_parts")
        return _lost(failure, await self.inner.begin_parts(path, size=size, noted=noted))

    async def put_part(
        self, path: Path, upload: str, number: int, body: ByteStream, *, sha256: str
    ) -> SentPart:
        """See `Provider.put_part`."""
        failure = self._begin("put_part")
        part = await self.inner.put_part(path, upload, number, body, sha256=sha256)
        return _lost(failure, part)

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
        failure = self._begin("finish_parts")
        call = self.inner.finish_parts(path, upload, parts, mode=mode, modified=modified)
        return _lost(failure, await call)

    async def abort_parts(self, path: Path, upload: str) -> None:
        """See `Provider.abort_parts`."""
        failure = self._begin("abort_parts")
        await self.inner.abort_parts(path, upload)
        _lost(failure, None)

    async def free_space(self) -> int | None:
        """See `Provider.free_space`."""
        failure = self._begin("free_space")
        return _lost(failure, await self.inner.free_space())

    async def locate(self, wire: Path) -> Path:
        """See `Provider.locate`."""
        failure = self._begin("locate")
        return _lost(failure, await self.inner.locate(wire))

    def wire_path(self, path: Path) -> Path:
        """See `Provider.wire_path`."""
        return self.inner.wire_path(path)

    async def check(self) -> None:
        """See `Provider.check`."""
        failure = self._begin("check")
        await self.inner.check()
        _lost(failure, None)

    async def aclose(self) -> None:
        """Close the inner provider."""
        await self.inner.aclose()

    def _begin(self, operation: str) -> _Failure | None:
        """Count the call; raise the failure that comes first, give one that comes later."""
        self.calls[operation] += 1
        for failure in self._failures.get(operation, ()):
            if failure.hits(self.calls[operation]):
                if failure.after is None:
                    raise failure.error
                return failure
        return None


def _lost(failure: _Failure | None, answer: T) -> T:
    if failure is not None:
        raise failure.error
    return answer


async def _limited(items: AsyncIterator[T], failure: _Failure | None) -> AsyncGenerator[T, None]:
    given = 0
    try:
        async for item in items:
            if failure is not None and given >= (failure.after or 0):
                raise failure.error
            yield item
            given += 1
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()
    if failure is not None:
        raise failure.error


def _cut(body: ByteStream, failure: _Failure, *, close: bool) -> ByteStream:
    """``body`` up to the failure; closing it closes ``body`` only where the duty passes on."""
    limit = failure.after or 0

    async def chunks() -> AsyncIterator[bytes]:
        given = 0
        async for chunk in body:
            rest = chunk[: limit - given]
            if rest:
                yield rest
            given += len(rest)
            if given >= limit:
                break
        raise failure.error

    return ByteStream(chunks(), size=body.size, close=body.aclose if close else None)
