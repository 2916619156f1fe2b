"""What is in memory already is answered without a thread, and never otherwise than by one."""

import os
import time
from datetime import UTC, datetime

import pytest

from waterbutler.core import ROOT, ByteRange, ByteStream, Path
from waterbutler.core.errors import IsAFolder, NotFound, ProviderUnavailable, RangeNotSatisfiable
from waterbutler_filesystem import (
    FilesystemProvider,
    FilesystemSettings,
    attributes,
    digests,
    glance,
    kinds,
)
from waterbutler_filesystem.glance import CAN_GLANCE

pytestmark = pytest.mark.skipif(not CAN_GLANCE, reason="the system cannot be asked in this way")

FILE = Path.parse("/folder/a.txt")
DATA = bytes(range(256)) * 40


class Threads(Exception):
    """A thread would have been asked."""


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """Files are old enough at once."""
    monkeypatch.setattr(digests, "SETTLED", 0)


@pytest.fixture
def provider(tmp_path):
    return FilesystemProvider("filesystem", FilesystemSettings(folder=str(tmp_path)), "a folder")


@pytest.fixture
def alone(monkeypatch):
    """Makes a provider do without threads."""

    def forbid(provider):
        async def refuse(*_args):
            raise Threads

        monkeypatch.setattr(provider, "_look", refuse)
        return provider

    return forbid


async def prepared(provider):
    await provider.make_folder(FILE.parent)
    await provider.write(FILE, ByteStream.of(DATA))
    return await provider.stat(FILE)


async def content(provider, path=FILE, **options):
    async with (await provider.read(path, **options)).body as body:
        return await body.read(1 << 20)


async def test_what_is_known_is_said_without_a_thread(provider, alone):
    told = await prepared(provider)
    folder = await provider.stat(FILE.parent)
    alone(provider)
    assert await provider.stat(FILE) == told
    assert told.hashes
    assert await provider.stat(FILE.parent) == folder
    assert await provider.stat(ROOT)
    assert await content(provider) == DATA
    read = await provider.read(FILE, range=ByteRange(10, 19))
    async with read.body as body:
        assert (await body.read(100), read.entry, read.span.start) == (DATA[10:20], told, 10)
    with pytest.raises(RangeNotSatisfiable):
        await provider.read(FILE, range=ByteRange(1 << 20, None))


async def test_nothing_is_left_open(provider, alone):
    await prepared(provider)
    alone(provider)
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        await provider.stat(FILE)
        await content(provider)
        with pytest.raises(RangeNotSatisfiable):
            await provider.read(FILE, range=ByteRange(1 << 20, None))
        with pytest.raises(Threads):
            await provider.stat(FILE.as_folder())
    assert os.listdir("/proc/self/fd") == before


async def test_a_new_mount_is_looked_at_in_a_thread(tmp_path, alone):
    """It may have to be made, or swept."""
    provider = FilesystemProvider("filesystem", FilesystemSettings(folder=str(tmp_path)), "f")
    with pytest.raises(Threads):
        await alone(provider).stat(ROOT)


@pytest.mark.parametrize("path", ["/nothing", "/folder/nothing", "/nothing/a.txt", "/folder"])
async def test_what_is_not_there_as_it_was_asked_for(provider, path):
    """A thread says what is wrong."""
    await prepared(provider)
    for _ in range(2):
        with pytest.raises((NotFound, IsAFolder)):
            await provider.stat(Path.parse(path))
        with pytest.raises((NotFound, IsAFolder)):
            await provider.read(Path.parse(path))


async def test_links_do_not_exist(provider, tmp_path):
    """Neither in the place of the file nor above it, inside or outside of the folder."""
    await prepared(provider)
    (tmp_path / "link").symlink_to("folder/a.txt")
    (tmp_path / "way").symlink_to("folder")
    (tmp_path / "out").symlink_to("/etc/passwd")
    for path in ("/link", "/way/a.txt", "/out"):
        for _ in range(2):
            with pytest.raises(NotFound):
                await provider.stat(Path.parse(path))
            with pytest.raises(NotFound):
                await provider.read(Path.parse(path))


async def test_what_is_no_file_is_not_opened(provider, tmp_path):
    """To open a pipe would wait for who writes to it."""
    await prepared(provider)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotFound):
        await provider.read(Path.parse("/pipe"))


@pytest.mark.parametrize("change", ["touch", "rewrite", "replace", "remove", "chmod", "attribute"])
async def test_a_change_is_seen_at_once(provider, tmp_path, change):
    """By whomever, and also if size and time stay the same."""
    told = await prepared(provider)
    file = tmp_path / "folder/a.txt"
    info = file.stat()
    time.sleep(digests.WINDOW * 2 / 1e9)
    if change == "touch":
        os.utime(file, ns=(0, 0))
    elif change == "rewrite":
        file.write_bytes(DATA[::-1])
        os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns))
    elif change == "replace":
        (tmp_path / "other").write_bytes(DATA[::-1])
        os.utime(tmp_path / "other", ns=(info.st_atime_ns, info.st_mtime_ns))
        os.replace(tmp_path / "other", file)
    elif change == "remove":
        file.unlink()
        with pytest.raises(NotFound):
            await provider.stat(FILE)
        return
    elif change == "chmod":
        file.chmod(0o600)
    else:
        os.removexattr(file, attributes.ATTRIBUTE)
    now = await provider.stat(FILE)
    assert now.hashes == {}
    assert now.etag != told.etag
    assert await content(provider) == file.read_bytes()


async def test_what_changed_just_now_is_not_kept(provider, alone, monkeypatch):
    """A second change could have the same time."""
    monkeypatch.setattr(digests, "SETTLED", 60_000_000_000)
    await prepared(provider)
    with pytest.raises(Threads):
        await alone(provider).stat(FILE)


async def test_no_more_is_kept_than_there_is_room_for(provider, alone, monkeypatch):
    monkeypatch.setattr(digests, "RECENT", len(digests._recent._found) + 3)
    paths = [Path.parse(f"/{number}") for number in range(5)]
    for path in paths:
        await provider.write(path, ByteStream.of(b"x"))
        await provider.stat(path)
    assert len(digests._recent._found) == digests.RECENT
    alone(provider)
    await provider.stat(paths[-1])


async def test_no_more_is_kept_of_files_without_hashes(provider, alone, tmp_path, monkeypatch):
    """What was looked at last is known for sure."""
    await prepared(provider)
    recent = digests._Recent()
    monkeypatch.setattr(digests, "_recent", recent)
    monkeypatch.setattr(digests, "BARE", 4)
    for number in range(19):
        (tmp_path / f"{number}").write_bytes(b"x")
        assert len([entry async for entry in provider.list(ROOT)]) == number + 2
        assert len(recent._bare) + len(recent._bare_before) < 2 * digests.BARE
    last = Path.parse("/18")
    told = await provider.stat(last)
    assert await alone(provider).stat(last) == told


@pytest.mark.parametrize("year", [1901, 1969, 2100, 2400])
async def test_times_far_away(provider, tmp_path, year):
    """They are listed, and known afterwards, as any other."""
    (tmp_path / "old").write_bytes(b"x")
    os.utime(tmp_path / "old", (datetime(year, 5, 1, tzinfo=UTC).timestamp(),) * 2)
    # Not every file system gets that far.
    told = (tmp_path / "old").stat().st_mtime
    for _ in range(2):
        [entry] = [entry async for entry in provider.list(ROOT)]
        assert entry == await provider.stat(entry.path)
        assert entry.modified.timestamp() == told


async def test_what_is_not_in_memory_is_read_in_a_thread(provider, tmp_path, monkeypatch):
    """All of it, or what is missing."""
    await prepared(provider)
    real = os.preadv
    for there in (0, 100):

        def some(fd, buffers, offset, flags, there=there):
            if not there:
                raise BlockingIOError
            return real(fd, [memoryview(buffers[0])[:there]], offset, flags)

        monkeypatch.setattr(os, "preadv", some)
        assert await content(provider) == DATA


async def test_a_large_file_is_opened_and_not_read(provider, monkeypatch):
    path = Path.parse("/large")
    data = os.urandom(3 << 20)
    await provider.write(path, ByteStream.of(data))
    await provider.stat(path)
    monkeypatch.delattr(os, "preadv")
    async with (await provider.read(path)).body as body:
        assert await body.read(4 << 20) == data


async def test_an_empty_file(provider, alone):
    path = Path.parse("/empty")
    await provider.write(path, ByteStream.of(b""))
    await provider.stat(path)
    assert await content(alone(provider), path) == b""


async def test_another_file_system_is_asked_in_threads(provider, alone, monkeypatch):
    """Its own, or one that is mounted in the folder."""
    await prepared(provider)
    provider._root.device += 1
    for path in (FILE, FILE.parent, ROOT):
        with pytest.raises(Threads):
            await alone(provider).stat(path)
    with pytest.raises(Threads):
        await provider.read(FILE)


async def test_an_unknown_file_system_is_asked_in_threads(tmp_path, alone, monkeypatch):
    monkeypatch.setattr(kinds, "_LOCAL", {})
    provider = FilesystemProvider("filesystem", FilesystemSettings(folder=str(tmp_path)), "f")
    await prepared(provider)
    with pytest.raises(Threads):
        await alone(provider).stat(FILE)


@pytest.mark.parametrize("path", ["/proc", "/sys"])
def test_which_file_systems_are_known(tmp_path, path):
    for folder, local in ((tmp_path, True), (path, False)):
        fd = os.open(folder, os.O_RDONLY)
        try:
            assert kinds.is_local(fd) is local
        finally:
            os.close(fd)


async def test_a_system_without_the_call(provider, monkeypatch):
    """Old ones, and containers that forbid it."""
    told = await prepared(provider)
    monkeypatch.setattr(glance, "_OPENAT2", 9999)
    assert await provider.stat(FILE) == told
    assert await content(provider) == DATA


async def test_a_folder_that_is_gone_is_not_shown(provider, tmp_path):
    """A descriptor that was kept would go on showing it."""
    await prepared(provider)
    os.rename(tmp_path / "folder", tmp_path / "elsewhere")
    with pytest.raises(NotFound):
        await provider.stat(FILE)
    os.rename(tmp_path, tmp_path.with_name("moved"))
    try:
        with pytest.raises(ProviderUnavailable):
            await provider.stat(ROOT)
    finally:
        os.rename(tmp_path.with_name("moved"), tmp_path)
