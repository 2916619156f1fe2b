"""How many calls one storage gets at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from waterbutler.core import (
    ByteRange,
    ByteStream,
    Content,
    Entry,
    Noted,
    Path,
    Provider,
    SentPart,
    WriteMode,
)
from waterbutler.layers.base import Layer


class Limited(Layer):
    """Lets at most ``calls`` operations run at once; the others wait their turn.

    An open read does not count once it is open: a slow client must not keep others from the
    storage. Writes, which wait for their clients until they are complete, have as many turns of
    their own: slow uploads keep others only from uploading, and what a body asks of the storage
    before it ends never waits for the write that waits for the body.
    """

    def __init__(self, inner: Provider, calls: int) -> None:
        super().__init__(inner)
        self._turns = asyncio.Semaphore(calls)
        self._writes = asyncio.Semaphore(calls)

    async def stat(self, path: Path, *, version: str | None = None) -> Entry:
        """See `Provider.stat`."""
        async with self._turns:
            return await self.inner.stat(path, version=version)

    async def read(
        self, path: Path, *, range: ByteRange | None = None, version: str | None = None
    ) -> Content:
        """See `Provider.read`."""
        async with self._turns:
            return await self.inner.read(path, range=range, version=version)

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
        async with self._writes:
            return await self.inner.write(
                path, body, mode=mode, content_type=content_type, modified=modified
            )

    async def begin_parts(self, path: Path, *, size: int, noted: Noted | None = None) -> str:
        """See `Provider.begin_parts`."""
        async with self._turns:
            return await self.inner.begin_parts(path, size=size, noted=noted)

    async def put_part(
        self, path: Path, upload: str, number: int, body: ByteStream, *, sha256: str
    ) -> SentPart:
        """See `Provider.put_part`."""
        async with self._writes:
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
        async with self._turns:
            return await self.inner.finish_parts(path, upload, parts, mode=mode, modified=modified)

    async def abort_parts(self, path: Path, upload: str) -> None:
        """See `Provider.abort_parts`."""
        async with self._turns:
            await self.inner.abort_parts(path, upload)

    async def described(self, written: Entry) -> Entry:
        """See `Provider.described`."""
        async with self._turns:
            return await self.inner.described(written)

    async def delete(self, path: Path) -> None:
        """See `Provider.delete`."""
        async with self._turns:
            await self.inner.delete(path)

    async def make_folder(self, path: Path) -> Entry:
        """See `Provider.make_folder`."""
        async with self._turns:
            return await self.inner.make_folder(path)

    async def copy_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.copy_from`."""
        async with self._turns:
            return await self.inner.copy_from(source, at, to, mode=mode)

    async def move_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.move_from`."""
        async with self._turns:
            return await self.inner.move_from(source, at, to, mode=mode)
