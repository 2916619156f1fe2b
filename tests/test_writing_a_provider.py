"""The example of docs/writing-a-provider.md keeps the contract."""

import tomllib
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from zipfile import ZipFile

import pytest
from waterbutler_zip import ZipProvider

from waterbutler.core import ByteRange, Provider
from waterbutler.core import Path as WirePath
from waterbutler.core.errors import ConfigInvalid, Corrupted, ProviderUnavailable, Unsupported
from waterbutler.plugins import PROVIDERS, Context, Mount, Registry
from waterbutler.testing.conformance import ProviderContract

PROJECT = Path(__file__).parent.parent / "docs" / "examples" / "waterbutler-zip"


# [contract]
class TestZipProvider(ProviderContract):
    """An archive keeps the contract; it is filled before it is read."""

    capabilities = ZipProvider.capabilities

    @pytest.fixture
    def provider(self, tmp_path: Path) -> Provider:
        archive = tmp_path / "archive.zip"
        ZipFile(archive, "w").close()
        return ZipProvider("zip", archive)

    async def seed(self, provider: Provider, content: Mapping[str, bytes | None]) -> None:
        with ZipFile(provider._archive, "w") as archive:
            for path, data in content.items():
                archive.writestr(path[1:], data or b"")


# [end]
def context(tmp_path: Path) -> Context:
    return Context(registry=Registry({}), data=tmp_path)


def test_the_entry_point_names_the_provider():
    """The example's project registers the class under ``zip``."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    points = project["entry-points"][PROVIDERS]
    assert EntryPoint("zip", points["zip"], PROVIDERS).load() is ZipProvider


def test_a_mount_without_an_archive_is_refused(tmp_path):
    """A missing setting is the administrator's to mend, and said so."""
    with pytest.raises(ConfigInvalid, match="archive"):
        ZipProvider.open(Mount(provider="zip"), context(tmp_path))


async def test_an_archive_may_come_later(tmp_path):
    """Opening asks for nothing; the first request says what is wrong, the next one looks again."""
    mount = Mount(provider="zip", settings={"archive": str(tmp_path / "late.zip")})
    provider = ZipProvider.open(mount, context(tmp_path))
    with pytest.raises(ProviderUnavailable):
        await provider.check()
    with ZipFile(tmp_path / "late.zip", "w") as archive:
        archive.writestr("folder/file.txt", b"now")
    assert (await provider.stat(WirePath.parse("/folder/file.txt"))).size == 3


async def test_a_damaged_file_ends_with_an_error(tmp_path):
    """A reader of damaged content never sees a clean end."""
    path = tmp_path / "damaged.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("file.txt", b"some content that is stored as it is")
    path.write_bytes(path.read_bytes().replace(b"stored", b"spoilt"))
    content = await ZipProvider("zip", path).read(WirePath.parse("/file.txt"))
    async with content.body as body:
        with pytest.raises(Corrupted):
            await body.read(1000)


async def test_what_is_no_archive_is_reported(tmp_path):
    """A file of another kind is damage, not an empty storage."""
    path = tmp_path / "text.zip"
    path.write_text("no archive")
    with pytest.raises(Corrupted):
        await ZipProvider("zip", path).check()


async def test_names_that_no_path_can_have_are_left_out(tmp_path):
    """An archive cannot reach out of its own folder."""
    path = tmp_path / "evil.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("../outside.txt", b"")
        archive.writestr("good.txt", b"")
    provider = ZipProvider("zip", path)
    names = [entry.name async for entry in provider.list(WirePath())]
    assert names == ["good.txt"]


async def test_ranges_are_left_to_the_layer(tmp_path):
    """What is not declared is refused, so the layer around it cuts the part out."""
    path = tmp_path / "archive.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("file.txt", b"0123456789")
    with pytest.raises(Unsupported):
        await ZipProvider("zip", path).read(WirePath.parse("/file.txt"), range=ByteRange(1, 2))
