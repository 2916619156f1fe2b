"""The osfstorage provider keeps the contract, over the wire and with the embedded host."""

import secrets
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
from waterbutler.core import Path as Place
from waterbutler.core import Provider, WriteMode
from waterbutler.core.errors import Forbidden, NotFound
from waterbutler.host import reading
from waterbutler.host.database import Database
from waterbutler.host.tree import EmbeddedTrees
from waterbutler.http import HttpClient
from waterbutler.plugins import Registry
from waterbutler.testing.conformance import ProviderContract
from waterbutler.testing.conformance.base import tree
from waterbutler.testing.memory import MemoryProvider
from waterbutler_osfstorage import OsfStorageProvider


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with more than two pages need not be a large one."""
    monkeypatch.setattr(reading, "PAGE", 40)


class TestOverTheWire(ProviderContract):
    page_entries = 100
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

    @pytest.fixture
    def host(self, tmp_path: Path) -> Iterator[HostServer]:
        server = HostServer(f"sqlite:///{tmp_path}/host.db")
        server.trees.limits = lambda _resource: None
        with in_thread(server) as host:
            yield host

    @pytest.fixture
    def storages(self) -> Registry:
        return registry(memory=MemoryProvider())

    @pytest.fixture
    def provider(
        self, host: HostServer, http: HttpClient, storages: Registry
    ) -> OsfStorageProvider:
        return at_host(host.url, "guid0", http, {"provider": "memory"}, storages)

    @pytest.fixture
    def other(self, host: HostServer, http: HttpClient, storages: Registry) -> OsfStorageProvider:
        return at_host(host.url, "public", http, {"provider": "memory"}, storages)


class Embedded(ProviderContract):
    page_entries = 100
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
    def resources(self) -> tuple[str, str]:
        return "guid0", "guid1"

    @pytest.fixture
    def provider(
        self,
        trees: EmbeddedTrees,
        storage: dict[str, Any],
        storages: Registry,
        resources: tuple[str, str],
    ) -> Provider:
        return self.opened(trees, storage, storages, resources[0])

    @pytest.fixture
    def other(
        self,
        trees: EmbeddedTrees,
        storage: dict[str, Any],
        storages: Registry,
        resources: tuple[str, str],
    ) -> Provider:
        return self.opened(trees, storage, storages, resources[1])

    async def test_a_folder_gives_way_with_its_id(self, provider: Provider) -> None:
        """What is moved keeps its ids; those of the old folder lead nowhere."""
        await self.seed(provider, {"/one/new": b"new", "/two/old": b"old"})
        one, two = [(await provider.stat(Place.parse(name))).path for name in ("/one/", "/two/")]
        entry = await provider.move_from(provider, one, two, mode=WriteMode.REPLACE)
        assert entry.path.id == one.id
        assert await provider.locate(provider.wire_path(one)) == two
        with pytest.raises(NotFound):
            await provider.locate(provider.wire_path(two))

    @pytest.mark.parametrize("verb", ["copy_from", "move_from"])
    async def test_what_is_checked_out_does_not_give_way(
        self,
        provider: Provider,
        trees: EmbeddedTrees,
        resources: tuple[str, str],
        verb: str,
    ) -> None:
        """Nor does a folder around it."""
        await self.seed(provider, {"/one/new": b"new", "/two/old": b"old"})
        file = await provider.stat(Place.parse("/two/old"))
        await trees.tree(resources[0]).check_out(str(file.path.id), user="alice")
        before = await tree(provider)
        one, two = Place.parse("/one/"), Place.parse("/two/")
        with pytest.raises(Forbidden):
            await getattr(provider, verb)(provider, one, two, mode=WriteMode.REPLACE)
        assert await tree(provider) == before

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


@pytest.fixture(scope="module")
def shared_database() -> Iterator[str]:
    with postgres.database() as url:
        yield url


class TestEmbeddedInPostgres(Embedded):
    """All resources of the tests are in one database, as those of a host are."""

    @pytest.fixture
    def database(self, shared_database: str) -> str:
        return shared_database

    @pytest.fixture
    def resources(self) -> tuple[str, str]:
        return f"first{secrets.token_hex(6)}", f"second{secrets.token_hex(6)}"


class TestEmbeddedWithMemory(Embedded):
    @pytest.fixture
    def storages(self) -> Registry:
        return registry(memory=MemoryProvider())

    @pytest.fixture
    def storage(self) -> dict[str, Any]:
        return {"provider": "memory"}


class TestEmbeddedWithS3(Embedded):
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
