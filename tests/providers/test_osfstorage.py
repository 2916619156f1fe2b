"""The osfstorage provider keeps the contract, over the wire and with the embedded host."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.ioloop import IOLoop

from tests.fakes.osf_host import FakeHost, in_thread, running_host
from tests.host.serving import HostServer
from tests.providers.osfstorage_support import at_host, folder, opened, registry
from tests.providers.s3_support import opened as open_bucket
from tests.servers import postgres
from tests.servers.s3 import seaweedfs
from waterbutler.core import Provider
from waterbutler.host.database import Database
from waterbutler.host.tree import EmbeddedTrees
from waterbutler.http import HttpClient
from waterbutler.plugins import Registry
from waterbutler.testing.conformance import ProviderContract
from waterbutler.testing.memory import MemoryProvider
from waterbutler_osfstorage import OsfStorageProvider


class TestOverTheWire(ProviderContract):
    page_entries = 300
    same_content_is_a_version = False

    @pytest.fixture
    def http(self, io_loop: IOLoop) -> Iterator[HttpClient]:
        client = HttpClient()
        yield client
        io_loop.run_sync(client.aclose)

    @pytest.fixture
    def host(self) -> Iterator[FakeHost]:
        with running_host() as host:
            yield host

    @pytest.fixture
    def provider(self, host: FakeHost, http: HttpClient, tmp_path: Path) -> OsfStorageProvider:
        return opened(host, http, folder(tmp_path / "blobs"))

    @pytest.fixture
    def other(self, host: FakeHost, http: HttpClient, tmp_path: Path) -> OsfStorageProvider:
        return opened(host, http, folder(tmp_path / "blobs"), resource="guid1")


class TestEmbeddedOverTheWire(TestOverTheWire):
    """The tree of another server of ours."""

    page_entries = 1200

    @pytest.fixture
    def host(self, tmp_path: Path) -> Iterator[HostServer]:
        server = HostServer(f"sqlite:///{tmp_path}/host.db")
        server.trees.limits = lambda _resource: None
        with in_thread(server) as host:
            yield host

    @pytest.fixture
    def provider(self, host: HostServer, http: HttpClient, tmp_path: Path) -> OsfStorageProvider:
        return at_host(host.url, "guid0", http, folder(tmp_path / "blobs"))

    @pytest.fixture
    def other(self, host: HostServer, http: HttpClient, tmp_path: Path) -> OsfStorageProvider:
        return at_host(host.url, "public", http, folder(tmp_path / "blobs"))


class Embedded(ProviderContract):
    same_content_is_a_version = False

    @pytest.fixture
    def database(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/host.db"

    @pytest.fixture
    def trees(self, io_loop: IOLoop, database: str) -> Iterator[EmbeddedTrees]:
        trees = EmbeddedTrees(Database(database))
        yield trees
        io_loop.run_sync(trees.aclose)

    @pytest.fixture
    def storages(self, tmp_path: Path) -> Registry:
        return registry()

    @pytest.fixture
    def storage(self, tmp_path: Path) -> dict[str, Any]:
        return folder(tmp_path / "blobs")

    @pytest.fixture
    def provider(
        self, trees: EmbeddedTrees, storage: dict[str, Any], storages: Registry
    ) -> Provider:
        return self.opened(trees, storage, storages, "guid0")

    @pytest.fixture
    def other(self, trees: EmbeddedTrees, storage: dict[str, Any], storages: Registry) -> Provider:
        return self.opened(trees, storage, storages, "guid1")

    def opened(
        self, trees: EmbeddedTrees, storage: dict[str, Any], storages: Registry, resource: str
    ) -> Provider:
        """A storage that, when it is closed, ends what its host does in the background too."""
        provider = opened(
            None, HttpClient(), storage, resource=resource, trees=trees, storages=storages
        )
        close = provider.aclose

        async def aclose() -> None:
            await close()
            await trees.leases.aclose()

        provider.aclose = aclose  # type: ignore[method-assign]
        return provider


class TestEmbeddedWithFolder(Embedded):
    pass


class TestEmbeddedInPostgres(Embedded):
    @pytest.fixture
    def database(self) -> Iterator[str]:
        with postgres.database() as url:
            yield url


class TestEmbeddedWithMemory(Embedded):
    @pytest.fixture
    def storages(self) -> Registry:
        return registry(memory=MemoryProvider())

    @pytest.fixture
    def storage(self) -> dict[str, Any]:
        return {"provider": "memory"}


class TestEmbeddedWithS3(Embedded):
    page_entries = 250  # the pages are the tree's, and those are turned in the other classes

    @pytest.fixture
    def http(self, io_loop: IOLoop) -> Iterator[HttpClient]:
        client = HttpClient()
        yield client
        io_loop.run_sync(client.aclose)

    @pytest.fixture
    def storages(self, http: HttpClient) -> Registry:
        return registry(s3=open_bucket(seaweedfs(), http))

    @pytest.fixture
    def storage(self) -> dict[str, Any]:
        return {"provider": "s3", "bucket": "first"}
