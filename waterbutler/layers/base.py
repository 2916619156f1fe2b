"""A provider around a provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta

from waterbutler.core import (
    ByteRange,
    ByteStream,
    Content,
    Entry,
    Noted,
    Path,
    Provider,
    SentPart,
    Version,
    WriteMode,
)


class Layer(Provider):
    """Forwards everything, so that a layer only writes down what it changes.

    Args:
        inner: The provider or layer inside.
    """

    def __init__(self, inner: Provider) -> None:
        self.inner = inner
        self.info = inner.info
        self.capabilities = inner.capabilities

    @property
    def unwrapped(self) -> Provider:
        """The provider inside all layers."""
        return self.inner.unwrapped

    async def stat(self, path: Path, *, version: str | None = None) -> Entry:
        """See `Provider.stat`."""
        return await self.inner.stat(path, version=version)

    def list(self, path: Path) -> AsyncIterator[Entry]:
        """See `Provider.list`."""
        return self.inner.list(path)

    async def read(
        self, path: Path, *, range: ByteRange | None = None, version: str | None = None
    ) -> Content:
        """See `Provider.read`."""
        return await self.inner.read(path, range=range, version=version)

    async def locate(self, wire: Path) -> Path:
        """See `Provider.locate`."""
        return await self.inner.locate(wire)

    @property
    def wire_path(self) -> Callable[[Path], Path]:
        """See `Provider.wire_path`; listings ask the storage itself, for each entry."""
        return self.inner.wire_path

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
        return await self.inner.write(
            path, body, mode=mode, content_type=content_type, modified=modified
        )

    async def described(self, written: Entry) -> Entry:
        """See `Provider.described`."""
        return await self.inner.described(written)

    async def delete(self, path: Path) -> None:
        """See `Provider.delete`."""
        await self.inner.delete(path)

    async def make_folder(self, path: Path) -> Entry:
        """See `Provider.make_folder`."""
        return await self.inner.make_folder(path)

    async def copy_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.copy_from`."""
        return await self.inner.copy_from(source, at, to, mode=mode)

    async def move_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.move_from`."""
        return await self.inner.move_from(source, at, to, mode=mode)

    def versions(self, path: Path) -> AsyncIterator[Version]:
        """See `Provider.versions`."""
        return self.inner.versions(path)

    async def sign(
        self,
        path: Path,
        *,
        version: str | None = None,
        filename: str | None = None,
        expires: timedelta = timedelta(minutes=5),
    ) -> str:
        """See `Provider.sign`."""
        return await self.inner.sign(path, version=version, filename=filename, expires=expires)

    async def begin_parts(self, path: Path, *, size: int, noted: Noted | None = None) -> str:
        """See `Provider.begin_parts`."""
        return await self.inner.begin_parts(path, size=size, noted=noted)

    async def put_part(
        self, path: Path, upload: str, number: int, body: ByteStream, *, sha256: str
    ) -> SentPart:
        """See `Provider.put_part`."""
        return await self.inner.put_part(path, upload, number, body, sha256=sha256)

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
        return await self.inner.finish_parts(path, upload, parts, mode=mode, modified=modified)

    async def abort_parts(self, path: Path, upload: str) -> None:
        """See `Provider.abort_parts`."""
        await self.inner.abort_parts(path, upload)

    async def free_space(self) -> int | None:
        """See `Provider.free_space`."""
        return await self.inner.free_space()

    async def check(self) -> None:
        """See `Provider.check`."""
        await self.inner.check()

    async def sweep(self) -> int:
        """See `Provider.sweep`."""
        return await self.inner.sweep()

    async def aclose(self) -> None:
        """See `Provider.aclose`."""
        await self.inner.aclose()
