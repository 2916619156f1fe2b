"""Old versions, links, free space: what only some storages have."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from waterbutler.core import ByteRange, Path, Provider, Version
from waterbutler.core.errors import IsAFolder, NotFound, Unsupported
from waterbutler.testing.conformance.base import (
    FILE,
    FOLDER,
    MISSING,
    REFUSED_KIND,
    ContractBase,
    get,
    plausible,
    put,
    wrong_kind,
)


async def history(provider: Provider, path: Path) -> list[Version]:
    """All versions of a file, newest first."""
    return [version async for version in provider.versions(path)]


class Versions(ContractBase):
    """What is promised about versions."""

    @pytest.mark.needs("versions", "write")
    async def test_a_new_file(self, provider: Provider) -> None:
        """A new file has one version, and it is the current one."""
        written = await put(provider, FILE, b"one")
        (version,) = await history(provider, FILE)
        assert version.id
        assert version.label
        assert version.size in {None, 3}
        plausible(version.modified)
        assert written.version in {None, version.id}
        assert await get(provider, FILE, version=version.id) == b"one"

    @pytest.mark.needs("versions", "write")
    async def test_all_versions(self, provider: Provider) -> None:
        """Each replacement makes a version; the newest comes first; each can be read."""
        texts = [b"one", b"", b"three", b"three"]
        for text in texts:
            await put(provider, FILE, text)
        if not self.same_content_is_a_version:
            texts.pop()
        versions = await history(provider, FILE)
        assert len({version.id for version in versions}) == len(texts)
        assert [await get(provider, FILE, version=version.id) for version in versions] == texts[
            ::-1
        ]
        times = [version.modified for version in versions if version.modified]
        assert times == sorted(times, reverse=True)

    @pytest.mark.needs("versions", "write")
    async def test_a_version_is_described(self, provider: Provider) -> None:
        """`stat` and `read` of an old version show that version and not the file of today."""
        await put(provider, FILE, b"first")
        await put(provider, FILE, b"second one")
        new, old = await history(provider, FILE)
        entry = await provider.stat(FILE, version=old.id)
        assert entry.path == FILE
        assert entry.size == 5
        content = await provider.read(FILE, version=old.id)
        await content.body.aclose()
        assert content.entry.size == 5
        assert content.entry.etag == entry.etag
        current = await provider.stat(FILE)
        assert current.size == 10
        assert current.etag is None or current.etag != entry.etag
        assert (await provider.stat(FILE, version=new.id)).etag == current.etag

    @pytest.mark.needs("versions", "write", "ranged_read")
    async def test_a_part_of_a_version(self, provider: Provider) -> None:
        """Ranges work on old versions too."""
        await put(provider, FILE, b"0123456789")
        await put(provider, FILE, b"new")
        _, old = await history(provider, FILE)
        assert await get(provider, FILE, range=ByteRange(4, 6), version=old.id) == b"456"

    @pytest.mark.needs("versions", "write")
    async def test_an_unknown_version(self, provider: Provider) -> None:
        """A version that never was is not found, and never silently the current one."""
        await put(provider, FILE, b"data")
        with pytest.raises(NotFound):
            await provider.stat(FILE, version="987654321")
        with pytest.raises(NotFound):
            await provider.read(FILE, version="987654321")

    @pytest.mark.needs("versions", "write")
    async def test_versions_of_another_file(self, provider: Provider) -> None:
        """Each file has its own history."""
        await put(provider, FILE, b"one")
        await put(provider, MISSING, b"other")
        assert len(await history(provider, FILE)) == 1

    @pytest.mark.needs("versions")
    async def test_versions_of_nothing(self, provider: Provider) -> None:
        """A missing file has no versions."""
        with pytest.raises(NotFound):
            await history(provider, MISSING)

    @pytest.mark.needs("versions")
    async def test_versions_of_a_folder(self, provider: Provider) -> None:
        """Only files have versions."""
        await self.seed(provider, {"/folder/a": b""})
        with pytest.raises(wrong_kind(provider, IsAFolder)):
            await history(provider, FOLDER.as_file())
        with pytest.raises(REFUSED_KIND):
            await history(provider, FOLDER)

    @pytest.mark.lacks("versions")
    async def test_undeclared_versions(self, provider: Provider) -> None:
        """A storage that does not declare `versions` refuses them and ignores none."""
        await self.seed(provider, {"/file.txt": b"data"})
        with pytest.raises(Unsupported):
            await history(provider, FILE)
        with pytest.raises((Unsupported, NotFound)):
            await provider.stat(FILE, version="1")
        with pytest.raises((Unsupported, NotFound)):
            await provider.read(FILE, version="1")


class Extras(ContractBase):
    """What is promised about links and free space."""

    @pytest.mark.needs("sign")
    async def test_a_link(self, provider: Provider) -> None:
        """A link is an absolute URL."""
        await self.seed(provider, {"/file.txt": b"data"})
        link = urlsplit(await provider.sign(FILE))
        assert link.scheme in {"http", "https"}
        assert link.netloc

    @pytest.mark.needs("sign")
    async def test_a_link_with_a_name(self, provider: Provider) -> None:
        """Any name to save under and any time fit into a link."""
        await self.seed(provider, {"/file.txt": b"data"})
        link = await provider.sign(
            FILE, filename='ü "quoted"; name.txt', expires=timedelta(seconds=90)
        )
        assert link.isascii()
        assert " " not in link
        assert urlsplit(link).netloc

    @pytest.mark.needs("sign", "versions", "write")
    async def test_a_link_to_a_version(self, provider: Provider) -> None:
        """Links to different versions differ."""
        await put(provider, FILE, b"one")
        await put(provider, FILE, b"two")
        links = {
            await provider.sign(FILE, version=version.id)
            for version in await history(provider, FILE)
        }
        assert len(links) == 2

    @pytest.mark.lacks("sign")
    async def test_undeclared_links(self, provider: Provider) -> None:
        """A storage that does not declare `sign` refuses it."""
        await self.seed(provider, {"/file.txt": b"data"})
        with pytest.raises(Unsupported):
            await provider.sign(FILE)

    @pytest.mark.needs("free_space")
    async def test_free_space(self, provider: Provider) -> None:
        """Free space is a number of bytes, or ``None`` for no limit."""
        space = await provider.free_space()
        assert space is None or space >= 0

    @pytest.mark.lacks("free_space")
    async def test_undeclared_free_space(self, provider: Provider) -> None:
        """A storage that does not declare `free_space` refuses it."""
        with pytest.raises(Unsupported):
            await provider.free_space()
