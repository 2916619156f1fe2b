"""The osfstorage provider keeps the contract, over the wire and with the embedded host."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.ioloop import IOLoop

from tests.fakes.osf_host import FakeHost, running_host
from tests.providers.osfstorage_support import folder, opened
from waterbutler.core import Provider
from waterbutler.host.database import Database
from waterbutler.host.tree import EmbeddedTrees
from waterbutler.http import HttpClient
from waterbutler.testing.conformance import ProviderContract
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


class TestEmbedded(ProviderContract):
    same_content_is_a_version = False

    @pytest.fixture
    def trees(self, io_loop: IOLoop, tmp_path: Path) -> Iterator[EmbeddedTrees]:
        trees = EmbeddedTrees(Database(f"sqlite:///{tmp_path}/host.db"))
        yield trees
        io_loop.run_sync(trees.aclose)

    @pytest.fixture
    def provider(self, trees: EmbeddedTrees, tmp_path: Path) -> Provider:
        return self.opened(trees, folder(tmp_path / "blobs"), "guid0")

    @pytest.fixture
    def other(self, trees: EmbeddedTrees, tmp_path: Path) -> Provider:
        return self.opened(trees, folder(tmp_path / "blobs"), "guid1")

    def opened(self, trees: EmbeddedTrees, storage: dict[str, Any], resource: str) -> Provider:
        """A storage that, when it is closed, ends what its host does in the background too."""
        provider = opened(None, HttpClient(), storage, resource=resource, trees=trees)
        close = provider.aclose

        async def aclose() -> None:
            await close()
            await trees.leases.aclose()

        provider.aclose = aclose  # type: ignore[method-assign]
        return provider
