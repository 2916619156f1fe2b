"""A provider that reads a ZIP archive as if it were a storage."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path as FsPath
from typing import IO, TypeAlias
from zipfile import BadZipFile, ZipFile

import msgspec

from waterbutler.core import (
    ROOT,
    ByteRange,
    ByteStream,
    Capabilities,
    Content,
    Entry,
    Path,
    Provider,
    StorageInfo,
)
from waterbutler.core.errors import (
    BadPath,
    Corrupted,
    IsAFolder,
    NotFound,
    ProviderUnavailable,
    Unsupported,
)
from waterbutler.plugins import Context, Mount

CHUNK_SIZE = 1 << 18

Folders: TypeAlias = dict[Path, dict[Path, Entry]]
"""What is directly in each folder."""


class ZipSettings(msgspec.Struct, frozen=True):
    """The settings of a mount."""

    archive: str


class ZipProvider(Provider):
    """The files in a ZIP archive, read-only; an archive that changes needs a new start."""

    capabilities = Capabilities(ranged_read=False, duplicate_names=True)

    def __init__(self, name: str, archive: FsPath) -> None:
        self.info = StorageInfo(name, f"zip://{archive.absolute()}", archive.name)
        self._archive = archive
        self._indexing = asyncio.Lock()
        self._index: Folders = {}

    @classmethod
    def open(cls, mount: Mount, context: Context) -> ZipProvider:
        """Open the archive that the settings name; it is not touched before the first request."""
        return cls(mount.provider, FsPath(mount.config(ZipSettings).archive))

    async def stat(self, path: Path, *, version: str | None = None) -> Entry:
        """See `Provider.stat`."""
        if version is not None:
            raise self._unsupported("versions")
        folders = await self._folders()
        if path.is_root:
            return Entry(path=path)
        try:
            return folders[path.parent][path]
        except KeyError:
            raise NotFound("There is no such file or folder.", path=str(path)) from None

    async def list(self, path: Path) -> AsyncIterator[Entry]:
        """See `Provider.list`."""
        folders = await self._folders()
        if path not in folders:
            raise NotFound("There is no such folder.", path=str(path))
        for entry in folders[path].values():
            yield entry

    async def read(
        self, path: Path, *, range: ByteRange | None = None, version: str | None = None
    ) -> Content:
        """See `Provider.read`."""
        if range is not None:
            raise self._unsupported("ranges")
        if path.is_folder:
            raise IsAFolder("A folder has no content of its own.", path=str(path))
        entry = await self.stat(path, version=version)
        with translated():
            member = await asyncio.to_thread(self._open_member, path)

        async def chunks() -> AsyncIterator[bytes]:
            with translated():
                while chunk := await asyncio.to_thread(member.read, CHUNK_SIZE):
                    yield chunk

        async def close() -> None:
            await asyncio.to_thread(member.close)

        return Content(ByteStream(chunks(), size=entry.size, close=close), entry)

    def _open_member(self, path: Path) -> IO[bytes]:
        with ZipFile(self._archive) as archive:
            return archive.open(str(path)[1:])

    async def _folders(self) -> Folders:
        async with self._indexing:
            if not self._index:
                with translated():
                    self._index = await asyncio.to_thread(index, self._archive)
        return self._index


def index(archive: FsPath) -> Folders:
    """The folders of an archive, also those that it has no entry of their own for."""
    folders: Folders = {ROOT: {}}
    with ZipFile(archive) as opened:
        members = opened.infolist()
    for info in members:
        try:
            path = Path.parse("/" + info.filename)
        except BadPath:
            continue  # what no path can name is left out of listings
        for folder in path.ancestors:
            if not folder.is_root:
                folders.setdefault(folder.parent, {}).setdefault(folder, Entry(path=folder))
        if path.is_folder:
            folders.setdefault(path, {})
            entry = Entry(path=path)
        else:
            # Times in an archive have no zone, so none is claimed.
            entry = Entry(path=path, size=info.file_size, etag=f"{info.CRC:08x}-{info.file_size}")
        folders.setdefault(path.parent, {})[path] = entry
    return folders


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the libraries raise into errors of the contract."""
    try:
        yield
    except OSError as error:
        raise ProviderUnavailable("The archive cannot be read.") from error
    except (BadZipFile, zlib.error, EOFError) as error:
        raise Corrupted("The archive is damaged.") from error
    except (RuntimeError, NotImplementedError) as error:
        raise Unsupported("The file is encrypted or compressed in an unknown way.") from error
