"""What the themes of the suite share: fixtures, settings, and short ways to say things."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from tornado.ioloop import IOLoop

from waterbutler.core import (
    ROOT,
    ByteRange,
    ByteStream,
    Capabilities,
    Entry,
    Path,
    Provider,
    WriteMode,
)
from waterbutler.core.errors import (
    InvalidRequest,
    IsAFolder,
    NotAFolder,
    NotFound,
    WaterButlerError,
)
from waterbutler.core.waiting import stop
from waterbutler.testing.faults import SlowStream
from waterbutler.testing.plugin import gate

LIMIT = 1 << 28
"""No file of the suite is larger, in bytes."""
AT_ONCE = 16
"""How many calls the suite makes at a time when it prepares many files."""

FILE = Path.parse("/file.txt")
FOLDER = Path.parse("/folder/")
MISSING = Path.parse("/missing.txt")
MISSING_FOLDER = Path.parse("/missing/")


class ContractBase:
    """Fixtures to give and settings to override; see `ProviderContract`."""

    capabilities: ClassVar[Capabilities | None] = None
    """What the storage declares: then tests that do not concern it are not even collected."""
    page_entries: ClassVar[int] = 2500
    """More entries than two pages of the storage's listings hold."""
    large_size: ClassVar[int] = 1 << 20
    """More bytes than the storage takes in one part or keeps in one buffer."""
    unstorable: ClassVar[frozenset[str]] = frozenset()
    """Names that the storage must refuse; all others of the suite must work."""
    same_content_is_a_version: ClassVar[bool] = True
    """Whether writing what a file has already makes another version of it."""

    @pytest.fixture
    def provider(self) -> Provider:
        """A fresh, opened and empty storage. The suite closes it."""
        raise NotImplementedError("Give a `provider` fixture.")

    @pytest.fixture
    def other(self) -> Provider | None:
        """A second, empty storage of the same kind, if there can be one. The suite closes it."""
        return None

    async def seed(self, provider: Provider, content: Mapping[str, bytes | None]) -> None:
        """Fill the storage: paths with the content of files, ``None`` for folders.

        Folders above are made as needed. Override it for storages that are read-only.
        """
        if not provider.capabilities.write:
            pytest.skip("does not declare write and the test file does not override seed()")
        made: set[Path] = {ROOT}
        for text, data in content.items():
            path = Path.parse(text)
            await self._make_folders(provider, path, made)
            if data is not None:
                await put(provider, path, data)

    @pytest.fixture(autouse=True)
    def contract(
        self, io_loop: IOLoop, request: pytest.FixtureRequest, provider: Provider
    ) -> Iterator[None]:
        """Skip what does not concern this storage; close it, and look what it leaves running."""
        try:
            if self.capabilities is not None:
                assert provider.capabilities == self.capabilities, "The class declares otherwise."
            gate(request.node, provider.capabilities)
            yield
        finally:
            io_loop.run_sync(lambda: close(provider))

    @pytest.fixture
    def neighbour(self, io_loop: IOLoop, other: Provider | None) -> Iterator[Provider]:
        """The second storage, for tests that need one."""
        if other is None:
            pytest.skip("there is no second storage")
        try:
            yield other
        finally:
            io_loop.run_sync(lambda: close(other))

    async def _make_folders(self, provider: Provider, path: Path, made: set[Path]) -> None:
        can = provider.capabilities
        if path.is_folder and not path.is_root and not can.empty_folders:
            pytest.skip("does not keep empty folders")
        for folder in [*reversed(list(path.ancestors)), *([path] if path.is_folder else [])]:
            if folder in made or not can.empty_folders:
                continue
            if not can.make_folder:
                pytest.skip("does not declare make_folder and the test needs a folder")
            await provider.make_folder(folder)
            made.add(folder)


async def close(provider: Provider) -> None:
    """Close a storage; nothing of it goes on running."""
    await provider.aclose()
    for _ in range(3):
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    await stop(*left)
    assert not left, f"tasks still run after the provider was closed: {left}"


async def put(
    provider: Provider, path: Path, data: bytes, mode: WriteMode = WriteMode.REPLACE
) -> Entry:
    """Write a file from memory."""
    async with ByteStream.of(data) as body:
        return await provider.write(path, body, mode=mode)


async def get(
    provider: Provider,
    path: Path,
    *,
    range: ByteRange | None = None,
    version: str | None = None,
) -> bytes:
    """Read a file, or a part of it, into memory."""
    content = await provider.read(path, range=range, version=version)
    async with content.body as body:
        return await body.read(LIMIT)


async def entries(provider: Provider, path: Path = ROOT) -> list[Entry]:
    """A folder's entries, sorted by path."""
    found = [entry async for entry in provider.list(path)]
    return sorted(found, key=lambda entry: str(entry.path))


async def listing(provider: Provider, path: Path = ROOT) -> list[str]:
    """A folder's entries as texts, sorted; folders end with a slash."""
    return [str(entry.path) for entry in await entries(provider, path)]


async def tree(provider: Provider, path: Path = ROOT) -> dict[str, tuple[str | None, bytes] | None]:
    """Everything below a folder: etag and content of files, ``None`` for folders."""
    found: dict[str, tuple[str | None, bytes] | None] = {}
    for entry in await entries(provider, path):
        if entry.is_folder:
            found[str(entry.path)] = None
            found.update(await tree(provider, entry.path))
        else:
            found[str(entry.path)] = (entry.etag, await get(provider, entry.path))
    return found


async def contents(provider: Provider, path: Path = ROOT) -> dict[str, bytes | None]:
    """Everything below a folder, named from there: content of files, ``None`` for folders."""
    return {
        str(Path.parse(text).rebased(path, ROOT)): None if value is None else value[1]
        for text, value in (await tree(provider, path)).items()
    }


def wrong_kind(provider: Provider, error: type[WaterButlerError]) -> type[WaterButlerError]:
    """What is raised where something of the other kind has the name."""
    return NotFound if provider.capabilities.duplicate_names else error


REFUSED_KIND = (IsAFolder, NotAFolder, NotFound, InvalidRequest)
"""What may be raised when a call that is about files is given the path of a folder."""


def same_facts(one: Entry, two: Entry) -> None:
    """Two operations that show the same file say the same about it."""
    assert one.path == two.path
    assert one.size == two.size
    assert one.etag == two.etag
    for name in one.hashes.keys() & two.hashes.keys():
        assert one.hashes[name] == two.hashes[name], name
    if one.modified and two.modified:
        # Some storages tell whole seconds in one place and fractions in another.
        assert abs(one.modified - two.modified) < timedelta(seconds=1)
    if one.version and two.version:
        assert one.version == two.version


def plausible(moment: datetime | None) -> None:
    """A time is aware, in UTC, and of today; clocks of storages may be off by some hours."""
    if moment is not None:
        assert moment.tzinfo is not None
        assert moment.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - moment) < timedelta(days=1)


async def put_many(provider: Provider, paths: Iterable[Path], data: bytes = b"") -> None:
    """Write the same to many files, some at a time."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(path: Path) -> None:
        async with slots:
            await put(provider, path, data)

    async with asyncio.TaskGroup() as group:
        for path in paths:
            group.create_task(one(path))


async def until_paused(body: SlowStream, writing: asyncio.Task[Entry]) -> None:
    """Wait until the body pauses; a write that ends before shows its error."""
    pausing = asyncio.create_task(body.paused.wait())
    await asyncio.wait({pausing, writing}, return_when=asyncio.FIRST_COMPLETED)
    if not pausing.done():
        pausing.cancel()
        await writing
        pytest.fail("the write ended before its body did")
