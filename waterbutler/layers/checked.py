"""Arguments, capabilities and sizes, checked once for every storage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
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
from waterbutler.core.errors import (
    BadPath,
    InvalidRequest,
    IsAFolder,
    LengthRequired,
    ProviderFault,
    SamePlace,
    TooLarge,
    Unsupported,
)
from waterbutler.layers.base import Layer


class _Limit:
    """A `Sink` that stops a body whose size was not known when it gets too large."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen = 0

    async def feed(self, chunk: bytes) -> None:
        """Count the next chunk."""
        self._seen += len(chunk)
        _refuse_more(self._limit, self._seen)


class Checked(Layer):
    """Innermost layer: no storage is asked for what it does not declare, and none may lie.

    A storage that cannot read parts of a file is read from the start and the part is cut out.
    """

    async def stat(self, path: Path, *, version: str | None = None) -> Entry:
        """See `Provider.stat`."""
        self._version(version)
        return await self.inner.stat(path, version=version)

    async def read(
        self, path: Path, *, range: ByteRange | None = None, version: str | None = None
    ) -> Content:
        """See `Provider.read`."""
        self._version(version)
        if path.is_folder:
            raise IsAFolder("A folder has no content of its own.", path=str(path))
        if range is not None and not self.capabilities.ranged_read:
            return await self._cut(path, range, version)
        content = await self.inner.read(path, range=range, version=version)
        if content.body.size is None:
            span = content.span
            content.body.size = content.entry.size if span is None else span.length
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
        self._need("write")
        if path.is_folder:
            raise BadPath("A folder cannot be written to as a file.", path=str(path))
        limit = self.capabilities.max_file_size
        if body.size is None and not self.capabilities.unknown_size:
            raise LengthRequired("This storage must know the size of a file beforehand.")
        if limit is not None:
            _refuse_more(limit, body.size or 0)
            body.tee(_Limit(limit))
        modified = self._kept(modified)
        entry = await self.inner.write(
            path, body, mode=mode, content_type=content_type, modified=modified
        )
        taken = body.sent if body.size is None else body.size
        if body.sent != taken or (entry.size is not None and entry.size != taken):
            raise ProviderFault(
                f"{self.info.label} claims to have stored a file without taking all of it."
            )
        return entry

    async def delete(self, path: Path) -> None:
        """See `Provider.delete`."""
        self._need("write")
        await self.inner.delete(path)

    async def make_folder(self, path: Path) -> Entry:
        """See `Provider.make_folder`."""
        self._need("make_folder")
        if not path.is_folder or path.is_root:
            raise BadPath("This is no place for a new folder.", path=str(path))
        return await self.inner.make_folder(path)

    async def copy_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.copy_from`."""
        self._need("copy_from")
        self._places(source, at, to, mode)
        return await self.inner.copy_from(source, at, to, mode=mode)

    async def move_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.move_from`."""
        self._need("move_from")
        if at.is_root:
            raise InvalidRequest("The root cannot be moved.")
        self._places(source, at, to, mode)
        return await self.inner.move_from(source, at, to, mode=mode)

    def versions(self, path: Path) -> AsyncIterator[Version]:
        """See `Provider.versions`."""
        self._need("versions")
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
        self._need("sign")
        self._version(version)
        return await self.inner.sign(path, version=version, filename=filename, expires=expires)

    async def begin_parts(self, path: Path, *, size: int, noted: Noted | None = None) -> str:
        """See `Provider.begin_parts`."""
        self._need("parts")
        if path.is_folder:
            raise BadPath("A folder cannot be written to as a file.", path=str(path))
        if self.capabilities.max_file_size is not None:
            _refuse_more(self.capabilities.max_file_size, size)
        told: list[str] = []

        async def note(name: str) -> None:
            told.append(name)
            if noted is not None:
                await noted(name)

        upload = await self.inner.begin_parts(path, size=size, noted=note)
        if told != [upload]:
            await self.inner.abort_parts(path, upload)
            raise ProviderFault(f"{self.info.label} has not said what it calls an upload.")
        return upload

    async def put_part(
        self, path: Path, upload: str, number: int, body: ByteStream, *, sha256: str
    ) -> SentPart:
        """See `Provider.put_part`."""
        self._need("parts")
        if body.size is None:
            raise LengthRequired("The size of a part must be known beforehand.")
        part = await self.inner.put_part(path, upload, number, body, sha256=sha256)
        if body.sent != body.size or part.size != body.size:
            raise ProviderFault(
                f"{self.info.label} claims to have stored a part without taking all of it."
            )
        return part

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
        self._need("parts")
        limits = self.capabilities.parts
        if limits is None or not limits.fit([part.size for part in parts]):
            raise InvalidRequest("This storage does not take a file in such parts.")
        modified = self._kept(modified)
        return await self.inner.finish_parts(path, upload, parts, mode=mode, modified=modified)

    async def abort_parts(self, path: Path, upload: str) -> None:
        """See `Provider.abort_parts`."""
        self._need("parts")
        await self.inner.abort_parts(path, upload)

    async def free_space(self) -> int | None:
        """See `Provider.free_space`."""
        self._need("free_space")
        return await self.inner.free_space()

    def _need(self, capability: str) -> None:
        if not getattr(self.capabilities, capability):
            raise Unsupported(f"{self.info.label} does not support {capability}.")

    def _version(self, version: str | None) -> None:
        if version is not None and not self.capabilities.versions:
            raise Unsupported(f"{self.info.label} keeps no versions.")

    def _kept(self, modified: datetime | None) -> datetime | None:
        return modified if self.capabilities.keeps_modified else None

    def _places(self, source: Provider, at: Path, to: Path, mode: WriteMode) -> None:
        if at.is_folder != to.is_folder or to.is_root:
            raise BadPath("A file becomes a file and a folder a folder.", path=str(to))
        if mode is WriteMode.REPLACE and to.is_folder and not self.capabilities.replaces_folders:
            raise Unsupported("A folder is not replaced in one step.")
        if source.info.root != self.info.root:
            return
        if at == to or at.contains(to):
            raise SamePlace("The destination is the source or inside it.", path=str(to))
        if mode is WriteMode.REPLACE and to.contains(at):
            raise SamePlace("What would be replaced holds the source.", path=str(to))

    async def _cut(self, path: Path, range: ByteRange, version: str | None) -> Content:
        content = await self.inner.read(path, version=version)
        total = content.body.size if content.body.size is not None else content.entry.size
        if total is None:
            return content
        try:
            span = range.resolve(total)
        except BaseException:
            await content.body.aclose()
            raise

        async def chunks() -> AsyncIterator[bytes]:
            position = 0
            async for chunk in content.body:
                start = max(span.start - position, 0)
                stop = min(span.stop - position, len(chunk))
                position += len(chunk)
                if start < stop:
                    yield chunk[start:stop]
                if position >= span.stop:
                    return

        body = ByteStream(chunks(), size=span.length, close=content.body.aclose)
        return Content(body, content.entry, span)


def _refuse_more(limit: int, size: int) -> None:
    if size > limit:
        raise TooLarge(f"This storage takes files of at most {limit} bytes.")
