"""The storages that are tried with each other; a new provider gets a line in `STORAGES`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path as FsPath

from tests.providers.s3_support import opened
from tests.servers.s3 import seaweedfs
from tests.testing.flat import FlatProvider
from waterbutler.core import Provider
from waterbutler.http import HttpClient
from waterbutler.plugins import Context, Mount, Registry
from waterbutler.testing.faults import FlakyProvider
from waterbutler.testing.memory import MemoryProvider
from waterbutler_filesystem import FilesystemProvider


class Modest(FlakyProvider):
    """A storage that can only be read from and written to, and has folders."""

    def __init__(self):
        super().__init__(MemoryProvider(), opaque=True)

    @property
    def capabilities(self):
        return replace(
            self.inner.capabilities,
            copy_from=False,
            move_from=False,
            versions=False,
            exclusive_create=False,
            hashes=frozenset(),
        )

    async def copy_from(self, source, at, to, **options):
        raise self._unsupported("copy_from")

    async def move_from(self, source, at, to, **options):
        raise self._unsupported("move_from")


def filesystem(folder: FsPath) -> Provider:
    settings = {"folder": str(folder / "files"), "create": True, "fsync": False}
    context = Context(registry=Registry(), data=folder)
    return FilesystemProvider.open(Mount(provider="filesystem", settings=settings), context)


def s3(_: FsPath) -> Provider:
    http = HttpClient()
    storage = opened(seaweedfs(), http)
    storage.aclose = http.aclose
    return storage


STORAGES: dict[str, Callable[[FsPath], Provider]] = {
    "memory": lambda _: MemoryProvider(),
    "filesystem": filesystem,
    "modest": lambda _: Modest(),
    "flat": lambda _: FlatProvider(),
}
"""Each makes an empty storage of its own; it may use the folder that it is given."""
SERVED: dict[str, Callable[[FsPath], Provider]] = {"s3": s3}
"""The same for storages on servers, which take longer: not all pairs are tried with them."""
