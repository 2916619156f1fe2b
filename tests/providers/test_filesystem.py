"""The filesystem provider keeps the contract."""

from pathlib import Path

import pytest

from waterbutler.testing.conformance import ProviderContract
from waterbutler_filesystem import FilesystemProvider, FilesystemSettings, digests


def opened(folder: Path) -> FilesystemProvider:
    folder.mkdir()
    return FilesystemProvider("filesystem", FilesystemSettings(folder=str(folder)), "a folder")


class TestFilesystem(ProviderContract):
    capabilities = FilesystemProvider.capabilities
    large_size = 3 << 20

    @pytest.fixture
    def provider(self, tmp_path: Path) -> FilesystemProvider:
        return opened(tmp_path / "one")

    @pytest.fixture
    def other(self, tmp_path: Path) -> FilesystemProvider:
        return opened(tmp_path / "two")


class TestAtAGlance(TestFilesystem):
    """Also what was changed just now is looked for in memory, and found there the second time."""

    @pytest.fixture(autouse=True)
    def settled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(digests, "SETTLED", 0)
