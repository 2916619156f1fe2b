"""The provider: each operation is one call in a thread, as far as that can be."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from typing import ClassVar, TypeVar

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
    WriteMode,
)
from waterbutler.core.errors import AlreadyExists, BadPath, ConfigInvalid, IsAFolder, Unsupported
from waterbutler.plugins import Context, Mount
from waterbutler_filesystem.config import FilesystemSettings
from waterbutler_filesystem.digests import HASHES
from waterbutler_filesystem.entries import folder_entry, occupant, require
from waterbutler_filesystem.failures import translated
from waterbutler_filesystem.glance import Glance
from waterbutler_filesystem.journal import sweep
from waterbutler_filesystem.names import known_path, stored_path
from waterbutler_filesystem.reading import Blocks, Listing, OpenFile, look
from waterbutler_filesystem.removal import empty_folder, remove_folder
from waterbutler_filesystem.root import Root
from waterbutler_filesystem.sending import CAN_SEND, FileToSend
from waterbutler_filesystem.temporary import Temporary
from waterbutler_filesystem.threads import Stop, finish, run
from waterbutler_filesystem.transfer import Place, Transfer
from waterbutler_filesystem.writing import Upload, store

T = TypeVar("T")

_CASE_SENSITIVE = 11
"""``_PC_CASE_SENSITIVE`` of macOS."""


class FilesystemProvider(Provider):
    """A folder of this machine.

    Nothing outside of the folder is ever reached, whatever links and races there are inside it.
    Symbolic links, devices, pipes and sockets do not exist for clients; removing a folder removes
    them with it. Files are written in one step and, with ``fsync``, safe from a power failure when
    the call returns. Names that are not valid UTF-8 are shown with escapes; see `names`.

    Args:
        name: The name that the provider is registered under.
        settings: Which folder, and how to write in it.
        label: The mount in words.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(  # type: ignore[misc]
        write=True,
        make_folder=True,
        copy_from=True,
        move_from=True,
        free_space=True,
        exclusive_create=True,
        keeps_modified=True,
        atomic_copy=True,
        replaces_folders=True,
        hashes=frozenset(HASHES),
    )

    def __init__(self, name: str, settings: FilesystemSettings, label: str) -> None:
        if not settings.folder or "\0" in settings.folder:
            raise ConfigInvalid("The folder of the storage is not named.")
        folder = os.path.abspath(settings.folder)  # noqa: PTH100 - pathlib keeps `..` in it
        self.info = StorageInfo(name, f"file://{folder}", label)
        self._settings = settings
        self._root = Root(folder, create=settings.create)
        self._glance = Glance(self._root)
        self.capabilities = replace(  # type: ignore[misc]
            type(self).capabilities,
            hashes=frozenset(HASHES if settings.hashes else ()),
            case_insensitive=_ignores_case(folder),
        )

    @classmethod
    def open(cls, mount: Mount, context: Context) -> FilesystemProvider:  # noqa: ARG003 - fixed
        """Open a folder without looking whether it is there.

        Raises:
            ConfigInvalid: The settings make no sense.
        """
        label = f"{mount.provider} {mount.name}".strip()
        return cls(mount.provider, mount.config(FilesystemSettings), label)

    # -- looking -------------------------------------------------------------------------------

    async def stat(self, path: Path, *, version: str | None = None) -> Entry:
        """See `Provider.stat`."""
        self._refuse_version(version)
        entry = self._glance.entry(path)
        if entry is not None:
            return entry
        return await self._look(path, lambda: look(self._root, path))

    async def list(self, path: Path) -> AsyncIterator[Entry]:
        """See `Provider.list`; 512 entries at a time are in memory."""
        listing = await self._look(path, lambda: Listing(self._root, path))
        try:
            entries = listing.first
            while True:
                for entry in entries:
                    yield entry
                if listing.ended:
                    return
                entries = await self._look(path, listing.next)
        finally:
            listing.close()

    async def read(
        self, path: Path, *, range: ByteRange | None = None, version: str | None = None
    ) -> Content:
        """See `Provider.read`; a file that changes while it is read ends with `Corrupted`."""
        self._refuse_version(version)
        file = self._glance.open(path, range)
        if file is None:
            file = await self._look(path, lambda: OpenFile.at(self._root, path, range))
        blocks = Blocks(file, lambda call: self._look(path, call))
        body = ByteStream(blocks, size=file.size, file=FileToSend(file) if CAN_SEND else None)
        return Content(body, file.entry, file.span)

    async def free_space(self) -> int | None:
        """See `Provider.free_space`; what the system lets this process use."""
        return await self._look(ROOT, self._free_space)

    async def check(self) -> None:
        """Prove that the folder is there and can be written to; nothing is left in it.

        Raises:
            ConfigInvalid: It is no folder that may be opened.
            Forbidden: It cannot be written to.
        """
        await self._change(ROOT, self._check)

    # -- changing ------------------------------------------------------------------------------

    async def write(
        self,
        path: Path,
        body: ByteStream,
        *,
        mode: WriteMode = WriteMode.REPLACE,
        content_type: str | None = None,  # noqa: ARG002 - there is no place for it
        modified: datetime | None = None,
    ) -> Entry:
        """See `Provider.write`; a replaced file hands its permissions on.

        Raises:
            Forbidden: Also if the name belongs to a link or a device: those are left alone.
        """
        if path.is_folder:
            raise IsAFolder("Only files are written.", path=str(path))
        upload = Upload(self._root, path, mode, self._settings, modified)
        try:
            return await store(upload, body)
        except OSError as error:
            raise translated(error, str(path)) from error

    async def delete(self, path: Path) -> None:
        """See `Provider.delete`."""
        stop = Stop()
        await self._change(path, lambda: self._delete(path, stop), stop)

    async def make_folder(self, path: Path) -> Entry:
        """See `Provider.make_folder`."""
        return await self._change(path, lambda: self._make_folder(path))

    async def copy_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.copy_from`: from any folder of this machine."""
        here, there = self._places(source, at, to)
        stop = Stop()

        def copy() -> Entry:
            with Transfer(here, there, mode, sync=self._settings.fsync) as transfer:
                return transfer.copy_folder(stop) if to.is_folder else transfer.copy_file(stop)

        return await self._change(to, copy, stop)

    async def move_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.move_from`: from any folder on the same filesystem."""
        here, there = self._places(source, at, to)

        def move() -> Entry:
            with Transfer(here, there, mode, sync=self._settings.fsync) as transfer:
                return transfer.move()

        return await self._change(to, move)

    async def sweep(self) -> int:
        """Remove what processes that died have left under temporary names.

        This happens by itself when the storage is used for the first time. What living processes
        are busy with is left alone, also those on other machines where the filesystem has locks.

        Returns:
            How many things were removed.
        """
        stop = Stop()

        def remove() -> int:
            with self._root.open() as top:
                return sweep(top, stop)

        return await self._change(ROOT, remove, stop)

    # -- in threads ----------------------------------------------------------------------------

    def _free_space(self) -> int:
        with self._root.open() as top:
            info = os.fstatvfs(top.fd)
            return info.f_bavail * info.f_frsize

    def _check(self) -> None:
        with self._root.open() as top:
            Temporary(self._root, [], top).discard()

    def _delete(self, path: Path, stop: Stop) -> None:
        if path.is_root:
            with self._root.open() as top:
                empty_folder(top, stop)
                if self._settings.fsync:
                    top.sync()
            return
        *folders, name = known_path(path)
        with self._root.folder(folders, path) as folder:
            require(folder.find(name), path)
            if path.is_folder:
                remove_folder(folder, name, stop)
            else:
                os.unlink(name, dir_fd=folder.fd)
            if self._settings.fsync:
                folder.sync()

    def _make_folder(self, path: Path) -> Entry:
        if path.is_root:
            raise AlreadyExists("The root exists already.", path="/")
        *folders, name = stored_path(path)
        with self._root.folder(folders, path.parent) as folder:
            try:
                os.mkdir(name, dir_fd=folder.fd)
            except FileExistsError:
                entry = occupant(folder, name, path)
                raise AlreadyExists("The name is taken.", entry=entry, path=str(path)) from None
            if self._settings.fsync:
                folder.sync()
            return folder_entry(path, require(folder.find(name), path))

    # -- helpers -------------------------------------------------------------------------------

    async def _look(self, path: Path, call: Callable[[], T]) -> T:
        try:
            return await run(call)
        except OSError as error:
            raise translated(error, str(path)) from error

    async def _change(self, path: Path, call: Callable[[], T], stop: Stop | None = None) -> T:
        try:
            return await finish(stop or Stop(), call)
        except OSError as error:
            raise translated(error, str(path)) from error

    def _places(self, source: Provider, at: Path, to: Path) -> tuple[Place, Place]:
        other = source.unwrapped
        if not isinstance(other, FilesystemProvider):
            raise Unsupported("Only folders of this machine can be copied from.")
        if at.is_folder != to.is_folder:
            raise BadPath("A file does not become a folder, nor a folder a file.", path=str(to))
        return Place(other._root, at), Place(self._root, to)  # noqa: SLF001 - the same class

    def _refuse_version(self, version: str | None) -> None:
        if version is not None:
            raise self._unsupported("versions")


def _ignores_case(folder: str) -> bool:
    """Whether ``A`` and ``a`` are one name; asked only on macOS, where that is usual."""
    if sys.platform == "darwin":
        with contextlib.suppress(OSError):
            return os.pathconf(folder, _CASE_SENSITIVE) == 0
    return False
