"""The storages that the model is compared with, and what must not be left in each."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path as FsPath

from tests.data.model import Tree
from tests.providers.osfstorage_support import folder, registry
from tests.providers.osfstorage_support import opened as open_osfstorage
from tests.providers.s3_support import opened as open_bucket
from tests.servers.s3 import seaweedfs
from waterbutler.core import ROOT, Provider
from waterbutler.host.database import Database
from waterbutler.host.tree import EmbeddedTrees
from waterbutler.http import HttpClient
from waterbutler.plugins import Context, Mount, Registry
from waterbutler.testing.memory import MemoryProvider
from waterbutler_filesystem import FilesystemProvider
from waterbutler_osfstorage import OsfStorageProvider
from waterbutler_s3 import S3Provider

_TEMPORARY = re.compile(r"\.waterbutler(/.|-[0-9a-f]{32}\.part)")

_HOSTED = partial(Tree, shares_names=True, same_is_new=False, copies_versions=True)
"""The tree of an OSF-like host."""

Left = Callable[[], Awaitable[list[str]]]


@dataclass
class Store:
    """A storage under test.

    Attributes:
        provider: The storage.
        left: What is there that should not be when nothing runs: temporary files, unfinished
            uploads, blobs without a name.
        close: Lets go of what the test made.
        tree: Makes an empty model of it.
        tries_shared_names: Whether the test tries that. SeaweedFS has folders of its own, so that
            there a name has one kind, whatever the protocol says.
        keeps_versions: Whether old versions are compared.
        large: A size, in bytes, that is sent in parts.
    """

    provider: Provider
    left: Left
    close: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    tree: Callable[[], Tree] = Tree
    tries_shared_names: bool = True
    keeps_versions: bool = False
    large: int = 6 << 20


def memory(_: FsPath) -> Store:
    provider = MemoryProvider()

    async def left() -> list[str]:
        return [str(upload) for upload in provider._uploads]

    return Store(provider, left, keeps_versions=True)


def filesystem(path: FsPath) -> Store:
    settings = {"folder": str(path / "files"), "create": True, "fsync": False}
    context = Context(registry=Registry(), data=path)
    provider = FilesystemProvider.open(Mount(provider="filesystem", settings=settings), context)

    async def left() -> list[str]:
        return hidden_files(path / "files")

    return Store(provider, left)


def s3(_: FsPath) -> Store:
    http = HttpClient()
    provider = open_bucket(seaweedfs(), http)

    async def left() -> list[str]:
        return unfinished(provider)

    tree = partial(Tree, shares_names=True)
    return Store(provider, left, [http.aclose], tree, tries_shared_names=False)


def osfstorage(path: FsPath) -> Store:
    """Over a folder."""
    provider, close = _osfstorage(path, folder(path / "blobs"), registry())

    async def left() -> list[str]:
        return hidden_files(path / "blobs") + pending_blobs([e.name for e in await _all(provider)])

    return Store(provider, left, close, tree=_HOSTED, keeps_versions=True)


def osfstorage_s3(path: FsPath) -> Store:
    """Over a bucket."""
    http = HttpClient()
    bucket = open_bucket(seaweedfs(), http)
    provider, close = _osfstorage(path, {"provider": "s3"}, registry(s3=bucket))

    async def left() -> list[str]:
        return unfinished(bucket) + pending_blobs([e.name for e in await _all(provider)])

    close.append(http.aclose)
    return Store(provider, left, close, tree=_HOSTED, keeps_versions=True)


def _osfstorage(path: FsPath, storage: dict[str, object], storages: Registry):
    http = HttpClient()
    trees = EmbeddedTrees(Database(f"sqlite:///{path}/host.db"))
    provider = open_osfstorage(None, http, storage, trees=trees, storages=storages)
    return provider, [trees.aclose, http.aclose]


async def _all(provider: OsfStorageProvider):
    return [entry async for entry in provider._vault.inner.list(ROOT)]


def hidden_files(folder: FsPath) -> list[str]:
    """The temporary names of a folder, and the notes of them."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*"))
    return [name for name in found if _TEMPORARY.search(name)]


def pending_blobs(names: list[str]) -> list[str]:
    """The objects of a blob store that no upload has finished."""
    return [name for name in names if len(name) != 64]


@cache
def bucket_client():
    """Boto3, which takes long to be made."""
    return seaweedfs().client()


def unfinished(provider: S3Provider) -> list[str]:
    """The uploads in parts that are neither complete nor aborted."""
    answer = bucket_client().list_multipart_uploads(Bucket="first", Prefix=provider._prefix)
    return [upload["Key"] for upload in answer.get("Uploads", [])]


STORES: dict[str, Callable[[FsPath], Store]] = {
    "memory": memory,
    "filesystem": filesystem,
    "s3": s3,
    "osfstorage": osfstorage,
    "osfstorage_s3": osfstorage_s3,
}
