"""The provider: a tree of names at a host, and the bytes in a blob store."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar, TypeVar

import msgspec

from waterbutler.core import (
    ByteRange,
    ByteStream,
    Capabilities,
    Content,
    Entry,
    Path,
    Provider,
    StorageInfo,
    Version,
    WriteMode,
)
from waterbutler.core.errors import (
    AlreadyExists,
    BadPath,
    ConfigInvalid,
    Corrupted,
    Forbidden,
    IsAFolder,
    NotFound,
    Unsupported,
)
from waterbutler.core.filetree import FileTree, Location, NodeVersion
from waterbutler.plugins import Context, Mount
from waterbutler_osfstorage.config import OsfStorageCredentials, OsfStorageSettings
from waterbutler_osfstorage.entries import entry_of, etag_of, listed, number_of, version_entry
from waterbutler_osfstorage.hooks import HookTree
from waterbutler_osfstorage.places import Places
from waterbutler_osfstorage.recent import PLACE_SECONDS, READ_SECONDS, Seen
from waterbutler_osfstorage.room import metered, require_room
from waterbutler_osfstorage.transfer import Store, transfer
from waterbutler_osfstorage.vault import Vault

T = TypeVar("T")

_REMEMBERED = 4096
"""Of folders with fewer things in them it is remembered which names a file and a folder share."""


class OsfStorageProvider(Provider):
    """The files of a resource of an OSF-like host.

    Names, folders, versions and check-outs are the host's; the bytes lie in a blob store that any
    other provider opens. URLs name files and folders by id. A file and a folder may have the same
    name.

    Args:
        tree: The host's tree.
        host: What the trees of all resources of this host have in common.
        vault: The blob store.
        user: The id of who acts.
        view_only: The key that the user reads with.
        root_id: The id of the tree's root, if that is known.
        embedded: Whether the tree is the embedded host's: it refuses a taken name, and lets a
            folder give way, in the same step.
    """

    per_user: ClassVar[bool] = True
    """The host wants to know who acts."""

    capabilities: ClassVar[Capabilities] = Capabilities(  # type: ignore[misc]
        write=True,
        make_folder=True,
        copy_from=True,
        move_from=True,
        versions=True,
        sign=True,
        free_space=True,
        exclusive_create=True,
        duplicate_names=True,
        atomic_copy=True,
        replaces_folders=True,
        hashes=frozenset({"md5", "sha256"}),
    )

    def __init__(
        self,
        tree: FileTree,
        host: str,
        vault: Vault,
        *,
        user: str | None = None,
        view_only: str | None = None,
        root_id: str = "",
        embedded: bool = True,
    ) -> None:
        self._tree = tree
        self._vault = vault
        self._user = user
        self._view_only = view_only
        self._places = Places(tree, root_id)
        self.store = Store(tree, host, vault, self._places, user, embedded)
        self.info = StorageInfo(
            "osfstorage", f"{host}{tree.resource}/osfstorage", f"osfstorage of {tree.resource}"
        )
        inner = vault.inner.capabilities
        self.capabilities = replace(  # type: ignore[misc]
            type(self).capabilities,
            write=inner.write and inner.move_from,
            sign=inner.sign,
            exclusive_create=embedded,
            replaces_folders=embedded,
            ranged_read=inner.ranged_read,
            unknown_size=inner.unknown_size,
            max_file_size=inner.max_file_size,
        )

    @classmethod
    def open(cls, mount: Mount, context: Context) -> OsfStorageProvider:
        """Open a resource's storage, at the host that the settings name or at the embedded one.

        Raises:
            ConfigInvalid: Neither is there, or the blob store cannot be opened.
        """
        settings = mount.config(OsfStorageSettings)
        credentials = mount.secrets(OsfStorageCredentials)
        resource = settings.nid or mount.resource
        vault = Vault(settings.storage, credentials.storage, mount.name, context)
        tree: FileTree
        if settings.base_url:
            tree = HookTree(
                context.http,
                settings.base_url,
                resource,
                context.hooks_secret,
                root_id=settings.root_id,
            )
            host, embedded = tree.host, False
        elif context.trees is not None:
            tree, host, embedded = context.trees.tree(resource), "osfstorage://", True
        else:
            raise ConfigInvalid("The settings of osfstorage name no host, and none is embedded.")
        return cls(
            tree,
            host,
            vault,
            user=mount.user.id,
            view_only=mount.view_only,
            root_id=settings.root_id,
            embedded=embedded,
        )

    # -- looking -------------------------------------------------------------------------------

    async def locate(self, wire: Path) -> Path:
        """See `Provider.locate`."""
        return await self._places.locate(wire)

    def wire_path(self, path: Path) -> Path:
        """See `Provider.wire_path`; a path whose id is not known stays as it is."""
        if path.id is None:
            return path
        return Path((path.id,), path.is_folder)

    async def stat(self, path: Path, *, version: str | None = None) -> Entry:
        """See `Provider.stat`."""
        if path.is_root:
            return Entry(path=path)
        seen = self._places.recent.take(path) or await self._places.look(path)
        number = None if version is None else number_of(version)
        if number is None or number == seen.node.version:
            return entry_of(seen.node, seen.path, self._user)
        return await self._old_version(seen, number)

    async def list(self, path: Path) -> AsyncIterator[Entry]:
        """See `Provider.list`."""
        folder, id = await self._places.folder(path)
        files: dict[str, Path] = {}
        folders: dict[str, Path] = {}
        async with aclosing(_generator(self._tree.children(id, user=self._user))) as nodes:
            async for node in nodes:
                try:
                    where = folder.child(node.name, folder=node.is_folder, id=node.id)
                except BadPath:
                    continue
                self._places.recent.saw(where, node)
                if len(files) + len(folders) < _REMEMBERED:
                    (folders if node.is_folder else files)[node.name] = where
                yield entry_of(node, where, self._user)
        if len(files) + len(folders) < _REMEMBERED:
            for name in folders.keys() - files.keys():
                self._places.recent.saw_alone(folders[name].as_file())

    async def read(
        self, path: Path, *, range: ByteRange | None = None, version: str | None = None
    ) -> Content:
        """See `Provider.read`."""
        if path.is_folder:
            raise NotFound("There is no such file.", path=str(path))
        seen = await self._places.find(path, READ_SECONDS if path.id else PLACE_SECONDS)
        self._places.recent.take(path)
        number = seen.node.version if version is None else number_of(version)
        location = await self._tree.locate(seen.node.id, version=number, user=self._user)
        content = await self._vault.read(location, range)
        entry = self._described(seen, number, location.version)
        stored = content.entry.size
        if None not in (entry.size, stored) and entry.size != stored:
            await content.body.aclose()
            raise Corrupted("The content of the file is not what the host says.", path=str(path))
        return Content(content.body, msgspec.structs.replace(entry, size=stored), content.span)

    async def versions(self, path: Path) -> AsyncIterator[Version]:
        """See `Provider.versions`; a key to read with may hide who made them."""
        if path.is_folder:
            raise NotFound("There is no such file.", path=str(path))
        seen = await self._places.find(path)
        revisions = self._tree.revisions(seen.node.id, view_only=self._view_only)
        async with aclosing(_generator(revisions)) as found:
            async for version in found:
                yield listed(version)

    async def sign(
        self,
        path: Path,
        *,
        version: str | None = None,
        filename: str | None = None,
        expires: timedelta = timedelta(minutes=5),
    ) -> str:
        """See `Provider.sign`."""
        location = await self._location(path, version)
        return await self._vault.sign(location, filename, expires)

    async def free_space(self) -> int | None:
        """See `Provider.free_space`; 0 if the host only says that there is no room."""
        quota = await self._tree.quota()
        return 0 if quota.over else quota.free

    async def check(self) -> None:
        """Prove that the host and the blob store can be reached."""
        await self._tree.item()
        await self._vault.inner.check()

    # -- changing ------------------------------------------------------------------------------

    async def write(
        self,
        path: Path,
        body: ByteStream,
        *,
        mode: WriteMode = WriteMode.REPLACE,
        content_type: str | None = None,
        modified: datetime | None = None,  # noqa: ARG002 - versions have their own
    ) -> Entry:
        """See `Provider.write`; a file that is there gets a new version.

        Raises:
            Forbidden: Somebody else has the file checked out.
        """
        if path.is_folder:
            raise IsAFolder("Only files are written.", path=str(path))
        parent, parent_id = await self._places.folder(path.parent)
        seen = self._places.recent.find(path)
        if mode is WriteMode.CREATE:
            seen = None
            await self._require_free(parent, parent_id, path)
        elif seen is not None and seen.node.checkout not in {None, self._user}:
            raise Forbidden("Somebody else has the file checked out.", path=str(path))
        room = await require_room(self._tree, body.size)
        async with self._tree.uploading():
            blob = await self._vault.store(metered(body, room), content_type)
            try:
                recorded = await self._tree.record(
                    parent_id,
                    path.name,
                    blob,
                    user=self._user,
                    file=seen.node.id if seen is not None else None,
                    exclusive=mode is WriteMode.CREATE,
                )
            finally:
                self._places.recent.forget(path)
        self._places.recent.confirm(parent)
        node = recorded.node
        return entry_of(node, parent.child(node.name, id=node.id), self._user)

    async def delete(self, path: Path) -> None:
        """See `Provider.delete`; the root is emptied one by one, up to the first that stays.

        Raises:
            Forbidden: Something is checked out.
        """
        if path.is_root:
            nodes = _generator(self._tree.children(user=self._user))
            ids = [node.id async for node in nodes]
        else:
            ids = [(await self._places.find(path)).node.id]
        try:
            for id in ids:
                await self._tree.delete(id, user=self._user)
        finally:
            self._places.recent.forget(path)

    async def make_folder(self, path: Path) -> Entry:
        """See `Provider.make_folder`."""
        if path.is_root:
            raise AlreadyExists("The root exists already.", path="/")
        parent, parent_id = await self._places.folder(path.parent)
        try:
            node = await self._tree.make_folder(parent_id, path.name, user=self._user)
        finally:
            self._places.recent.forget(path)
        self._places.recent.confirm(parent)
        where = parent.child(node.name, folder=True, id=node.id)
        self._places.recent.saw(where, node)
        return entry_of(node, where, self._user)

    async def copy_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.copy_from`: from any resource of the same host; with all versions."""
        return await transfer(_store(source), at, self.store, to, mode, move=False)

    async def move_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.move_from`: from any resource of the same host; ids and versions stay.

        Raises:
            CheckedOut: It, or something in it, is checked out.
        """
        return await transfer(_store(source), at, self.store, to, mode, move=True)

    async def sweep(self) -> int:
        """See `Provider.sweep`; objects of the blob store that no upload finished."""
        return await self._vault.sweep()

    async def aclose(self) -> None:
        """See `Provider.aclose`."""
        await self._vault.aclose()

    # -- helpers -------------------------------------------------------------------------------

    async def _require_free(self, parent: Path, parent_id: str, path: Path) -> None:
        if self._places.recent.take_nothing(path):
            return
        node = await self._places.child(parent, parent_id, path)
        if node is not None:
            where = parent.child(node.name, folder=node.is_folder, id=node.id)
            entry = entry_of(node, where, self._user)
            raise AlreadyExists("The name is taken.", entry=entry, path=str(path))

    async def _location(self, path: Path, version: str | None) -> Location:
        if path.is_folder:
            raise NotFound("There is no such file.", path=str(path))
        seen = await self._places.find(path)
        number = seen.node.version if version is None else number_of(version)
        return await self._tree.locate(seen.node.id, version=number, user=self._user)

    async def _old_version(self, seen: Seen, number: int) -> Entry:
        """Describe a version; its size is the blob's where the host does not say it."""
        revisions = _generator(self._tree.revisions(seen.node.id, view_only=self._view_only))
        async with aclosing(revisions) as found:
            async for version in found:
                if version.index != number:
                    continue
                entry = version_entry(seen.node, version, seen.path)
                if entry.size is not None:
                    return entry
                where = await self._tree.locate(seen.node.id, version=number, user=self._user)
                return msgspec.structs.replace(entry, size=(await self._vault.stat(where)).size)
        raise NotFound(f"There is no version {number}.", path=str(seen.path))

    def _described(self, seen: Seen, number: int, version: NodeVersion | None) -> Entry:
        """What is known of a version that is about to be read."""
        if number == seen.node.version:
            return entry_of(seen.node, seen.path, self._user)
        if version is not None:
            return version_entry(seen.node, version, seen.path)
        etag = etag_of(seen.node.id, number)
        return Entry(path=seen.path, etag=etag, version=str(number))


async def _generator(items: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """``items`` as something that can be closed."""
    async for item in items:
        yield item


def _store(source: Provider) -> Store:
    other = source.unwrapped
    if not isinstance(other, OsfStorageProvider):
        raise Unsupported("Only resources of the same host can be copied from.")
    return other.store
