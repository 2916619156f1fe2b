"""A storage in memory: the reference implementation of the provider contract."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import ClassVar

from waterbutler.core import (
    ByteRange,
    ByteStream,
    Capabilities,
    Content,
    Entry,
    Hasher,
    Noted,
    PartLimits,
    Path,
    Provider,
    SentPart,
    Span,
    StorageInfo,
    Version,
    WriteMode,
)
from waterbutler.core.errors import (
    AlreadyExists,
    IsAFolder,
    NotAFolder,
    NotFound,
    SamePlace,
    Unsupported,
)
from waterbutler.plugins import Context, Mount

_numbers = itertools.count(1)
HASHES = ("md5", "sha256")


@dataclass(frozen=True, slots=True)
class _Blob:
    data: bytes
    number: int
    modified: datetime
    stored: datetime
    hashes: Mapping[str, str]
    content_type: str | None = None

    def entry(self, path: Path, created: datetime) -> Entry:
        return Entry(
            path=path,
            size=len(self.data),
            modified=self.modified,
            created=created,
            etag=f"v{self.number}",
            version=str(self.number),
            content_type=self.content_type,
            hashes=self.hashes,
        )


@dataclass(slots=True)
class _File:
    blobs: list[_Blob] = field(default_factory=list)

    def entry(self, path: Path, version: str | None = None) -> Entry:
        return self.blob(version).entry(path, self.blobs[0].stored)

    def blob(self, version: str | None = None) -> _Blob:
        if version is None:
            return self.blobs[-1]
        for blob in self.blobs:
            if str(blob.number) == version:
                return blob
        raise NotFound(f"There is no version {version!r}.")


@dataclass(slots=True)
class _Folder:
    modified: datetime
    children: dict[str, _File | _Folder] = field(default_factory=dict)

    def entry(self, path: Path) -> Entry:
        return Entry(path=path, modified=self.modified)


class MemoryProvider(Provider):
    """Files and folders in this process, with versions; gone when the process ends."""

    capabilities: ClassVar[Capabilities] = Capabilities(  # type: ignore[misc]
        write=True,
        make_folder=True,
        copy_from=True,
        move_from=True,
        versions=True,
        exclusive_create=True,
        keeps_modified=True,
        replaces_folders=True,
        parts=PartLimits(min_size=1, max_size=1 << 30, max_count=10_000),
        hashes=frozenset(HASHES),
    )

    def __init__(self, name: str = "memory") -> None:
        number = next(_numbers)
        self.info = StorageInfo(name, f"memory://{number}", f"memory {number}")
        self._root = _Folder(_now())
        self._uploads: dict[tuple[Path, str], dict[int, bytes]] = {}

    @classmethod
    def open(cls, mount: Mount, context: Context) -> MemoryProvider:
        """Open an empty storage."""
        return cls(mount.provider)

    async def stat(self, path: Path, *, version: str | None = None) -> Entry:
        """See `Provider.stat`."""
        node = self._find(path)
        if isinstance(node, _Folder):
            return node.entry(path)
        return node.entry(path, version)

    async def list(self, path: Path) -> AsyncIterator[Entry]:
        """See `Provider.list`."""
        folder = self._folder(path)
        for name, node in list(folder.children.items()):
            await asyncio.sleep(0)
            yield node.entry(path.child(name, folder=isinstance(node, _Folder)))

    async def read(
        self, path: Path, *, range: ByteRange | None = None, version: str | None = None
    ) -> Content:
        """See `Provider.read`."""
        node = self._file(path)
        blob = node.blob(version)
        span: Span | None = None
        data = blob.data
        if range is not None:
            span = range.resolve(len(data))
            data = data[span.start : span.stop]
        return Content(ByteStream.of(data), node.entry(path, version), span)

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
        self._place(path, mode)
        chunks: list[bytes] = []
        hasher = Hasher(HASHES)
        async for chunk in body:
            chunks.append(chunk)
            await hasher.feed(chunk)
        now = _now()
        hashes = await hasher.digests()
        data = b"".join(chunks)
        blob = _Blob(data, next(_numbers), modified or now, now, hashes, content_type)
        node = self._place(path, mode)
        if node is None:
            node = self._folder(path.parent).children[path.name] = _File()
        assert isinstance(node, _File)
        node.blobs.append(blob)
        return node.entry(path)

    async def delete(self, path: Path) -> None:
        """See `Provider.delete`."""
        self._find(path)
        if path.is_root:
            self._root.children.clear()
        else:
            del self._folder(path.parent).children[path.name]

    async def make_folder(self, path: Path) -> Entry:
        """See `Provider.make_folder`."""
        self._place(path, WriteMode.CREATE)
        folder = self._folder(path.parent).children[path.name] = _Folder(_now())
        return folder.entry(path)

    async def copy_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.copy_from`: any other storage in memory."""
        return await self._take(source, at, to, mode, keep=True)

    async def move_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.move_from`: any other storage in memory."""
        return await self._take(source, at, to, mode, keep=False)

    async def versions(self, path: Path) -> AsyncIterator[Version]:
        """See `Provider.versions`."""
        node = self._file(path)
        for blob in reversed(node.blobs):
            entry = blob.entry(path, blob.stored)
            yield Version(
                id=str(blob.number), modified=blob.modified, size=entry.size, hashes=entry.hashes
            )

    async def begin_parts(self, path: Path, *, size: int, noted: Noted | None = None) -> str:
        """See `Provider.begin_parts`."""
        self._place(path, WriteMode.REPLACE)
        upload = secrets.token_hex(8)
        self._uploads[path, upload] = {}
        try:
            if noted is not None:
                await noted(upload)
        except BaseException:
            del self._uploads[path, upload]
            raise
        return upload

    async def put_part(
        self, path: Path, upload: str, number: int, body: ByteStream, *, sha256: str
    ) -> SentPart:
        """See `Provider.put_part`."""
        self._sent(path, upload)
        data = b"".join([chunk async for chunk in body])
        self._sent(path, upload)[number] = data
        return SentPart(number, len(data), sha256)

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
        sent = self._sent(path, upload)
        data = b"".join(sent[part.number] for part in parts)
        del self._uploads[path, upload]
        try:
            return await self.write(path, ByteStream.of(data), mode=mode, modified=modified)
        except BaseException:
            self._uploads[path, upload] = sent
            raise

    async def abort_parts(self, path: Path, upload: str) -> None:
        """See `Provider.abort_parts`."""
        self._uploads.pop((path, upload), None)

    async def _take(
        self, source: Provider, at: Path, to: Path, mode: WriteMode, *, keep: bool
    ) -> Entry:
        other = source.unwrapped
        if not isinstance(other, MemoryProvider):
            raise Unsupported("Only storages in memory can be copied from.")
        if other is self and (at == to or at.contains(to)):
            raise SamePlace("The destination is the source or inside it.", path=str(to))
        if other is self and mode is WriteMode.REPLACE and to.contains(at):
            raise SamePlace("What would be replaced holds the source.", path=str(to))
        node = other._find(at)
        if at.is_root and not keep:
            raise Unsupported("A whole storage is not moved in one step.")
        taken = self._place(to, mode)
        if not keep:
            del other._folder(at.parent).children[at.name]
        if isinstance(taken, _File) and isinstance(node, _File):
            taken.blobs.append(replace(node.blobs[-1], number=next(_numbers)))
        else:
            self._folder(to.parent).children[to.name] = _copy(node) if keep else node
        return await self.stat(to)

    def _sent(self, path: Path, upload: str) -> dict[int, bytes]:
        if (path, upload) not in self._uploads:
            raise NotFound("There is no such unfinished file.", path=str(path))
        return self._uploads[path, upload]

    def _find(self, path: Path) -> _File | _Folder:
        node: _File | _Folder = self._root
        for name in path.names:
            if not isinstance(node, _Folder) or name not in node.children:
                raise NotFound("There is no such file or folder.", path=str(path))
            node = node.children[name]
        if path.is_folder and not isinstance(node, _Folder):
            raise NotAFolder("It is a file.", path=str(path))
        if not path.is_folder and isinstance(node, _Folder):
            raise IsAFolder("It is a folder.", path=str(path))
        return node

    def _file(self, path: Path) -> _File:
        node = self._find(path)
        if isinstance(node, _Folder):
            raise IsAFolder("It is a folder.", path=str(path))
        return node

    def _folder(self, path: Path) -> _Folder:
        node = self._find(path.as_folder())
        assert isinstance(node, _Folder)
        return node

    def _place(self, path: Path, mode: WriteMode) -> _File | _Folder | None:
        """What is replaced; raises if the place cannot be written to."""
        node: _File | _Folder | None = self._root
        if not path.is_root:
            try:
                node = self._folder(path.parent).children.get(path.name)
            except NotAFolder:
                raise NotFound("There is no such folder.", path=str(path.parent)) from None
        if node is None:
            return None
        kind = path.as_folder() if isinstance(node, _Folder) else path.as_file()
        if mode is WriteMode.CREATE:
            raise AlreadyExists("The name is taken.", entry=node.entry(kind), path=str(kind))
        if isinstance(node, _Folder) and (path.is_root or not path.is_folder):
            raise IsAFolder("A folder has that name.", path=str(path))
        if path.is_folder and isinstance(node, _File):
            raise NotAFolder("A file has that name.", path=str(path))
        return node


def _copy(node: _File | _Folder) -> _File | _Folder:
    if isinstance(node, _File):
        return _File([replace(node.blobs[-1], number=next(_numbers))])
    return _Folder(_now(), {name: _copy(child) for name, child in node.children.items()})


def _now() -> datetime:
    return datetime.now(UTC)
