"""Remembered hashes are right or absent, and etags follow the content."""

import ctypes
import errno
import hashlib
import os
import shutil
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from waterbutler.core import ROOT, ByteStream, Path, WriteMode
from waterbutler_filesystem import (
    FilesystemProvider,
    FilesystemSettings,
    attributes,
    digests,
    temporary,
    transfer,
)

FILE = Path.parse("/file")
DATA = b"some content"
HASHES = {"md5": hashlib.md5(DATA).hexdigest(), "sha256": hashlib.sha256(DATA).hexdigest()}
LATER = digests.WINDOW * 3 / 1e9
"""Seconds after which a change from outside is told apart from those of the provider."""


def opened(folder, **settings):
    settings = FilesystemSettings(folder=str(folder), **settings)
    return FilesystemProvider("filesystem", settings, "a folder")


@pytest.fixture
def provider(tmp_path):
    return opened(tmp_path)


@pytest.fixture(params=["attributes", "attributes of older systems", "memory"])
def store(request, monkeypatch, tmp_path):
    """Where hashes are kept."""
    monkeypatch.setattr(digests, "_memory", digests._Memory())
    if request.param == "memory":
        monkeypatch.setattr(attributes, "HAS_ATTRIBUTES", False)
    else:
        if request.param != "attributes":
            monkeypatch.setattr(attributes, "_call", None)
        has_attributes(tmp_path)
    return request.param


def has_attributes(folder):
    try:
        os.setxattr(folder, "user.test", b"")
    except (OSError, AttributeError):
        pytest.skip("the filesystem has no extended attributes")


async def write(provider, data=DATA, path=FILE, mode=WriteMode.REPLACE):
    return await provider.write(path, ByteStream.of(data), mode=mode)


async def facts(provider, path=FILE):
    """Etag and hashes, which all operations agree about."""
    entry = await provider.stat(path)
    content = await provider.read(path)
    await content.body.aclose()
    [listed] = [found async for found in provider.list(path.parent) if found.path == path]
    for other in (content.entry, listed):
        assert (other.etag, other.hashes) == (entry.etag, entry.hashes)
    return entry.etag, dict(entry.hashes)


def alter(file, data=b"SOME CONTENT"):
    """Change from outside, with the same size and the same modification time."""
    before = file.stat()
    time.sleep(LATER)
    with file.open("r+b") as changing:
        changing.write(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (
        before.st_size,
        before.st_mtime_ns,
        before.st_ino,
    )


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (3 << 20) + 5])
async def test_hashes_are_those_of_the_content(provider, store, size):
    """From writing on, for every operation that shows the file."""
    data = os.urandom(size)
    entry = await write(provider, data)
    assert entry.hashes == {
        "md5": hashlib.md5(data).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    assert await facts(provider) == (entry.etag, entry.hashes)


async def test_a_second_provider_knows_them(provider, store, tmp_path):
    """A server that was restarted knows the hashes from the attributes; the etag is the same."""
    entry = await write(provider)
    if store == "memory":
        digests._memory._records.clear()
    etag, hashes = await facts(opened(tmp_path))
    assert etag == entry.etag
    assert hashes == ({} if store == "memory" else HASHES)


MOMENTS = [
    datetime(2001, 9, 9, 1, 46, 40, 123_457, UTC),
    datetime(1969, 12, 31, 23, 59, 58, 999_999, UTC),
    datetime(2033, 5, 18, 3, 33, 20, 1, UTC),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
@pytest.mark.parametrize("name", [temporary.NAMELESS, None], ids=["nameless", "named"])
async def test_given_times_are_exact_and_harm_no_hash(
    provider, store, tmp_path, monkeypatch, moment, name
):
    """Of new files and of replaced ones."""
    monkeypatch.setattr(temporary, "NAMELESS", name)
    for _ in range(2):
        entry = await provider.write(FILE, ByteStream.of(DATA), modified=moment)
        assert entry.modified == moment
        assert entry.hashes == HASHES
        assert await facts(provider) == (entry.etag, HASHES)
        assert (await provider.stat(FILE)).modified == moment
    assert (tmp_path / "file").stat().st_mtime_ns % 1_000 == 0


async def test_a_file_of_a_given_time_that_changes_is_noticed(provider, store, tmp_path):
    entry = await provider.write(FILE, ByteStream.of(DATA), modified=MOMENTS[0])
    alter(tmp_path / "file")
    etag, hashes = await facts(provider)
    assert hashes == {}
    assert etag != entry.etag


async def test_a_time_that_the_system_refuses_is_forgotten(provider, store, monkeypatch):
    """The file is stored all the same."""

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EPERM, "refused")

    monkeypatch.setattr(temporary.os, "utime", refuse)
    entry = await provider.write(FILE, ByteStream.of(DATA), modified=MOMENTS[0])
    assert abs(entry.modified - datetime.now(UTC)) < timedelta(minutes=10)
    assert await facts(provider) == (entry.etag, HASHES)


@pytest.mark.parametrize("change", ["alter", "append", "replace", "copy", "touch"])
async def test_changes_from_outside_are_noticed(provider, store, tmp_path, change):
    """No hash is shown that may be wrong, and a changed content has a new etag."""
    file = tmp_path / "file"
    entry = await write(provider)
    await write(provider, b"other content", ROOT.child("other"))
    if change == "alter":
        alter(file)
    elif change == "append":
        with file.open("ab") as appending:
            appending.write(b"more")
    elif change == "replace":
        time.sleep(LATER)
        (tmp_path / "other").rename(file)
    elif change == "copy":
        time.sleep(LATER)
        shutil.copy2(tmp_path / "other", file)
    else:
        time.sleep(LATER)
        os.utime(file)
    etag, hashes = await facts(provider)
    assert hashes == {}
    assert etag != entry.etag


@pytest.mark.parametrize("verb", ["write", "copy", "move"])
async def test_a_change_in_the_last_moment_is_noticed(provider, store, tmp_path, monkeypatch, verb):
    """Who writes to a file as soon as it has its name does not get the old hashes."""
    target = ROOT.child("target")
    await write(provider)

    def and_then_change(real):
        def naming(*args, **kwargs):
            result = real(*args, **kwargs)
            with (tmp_path / "target").open("ab") as file:
                file.write(b"more")
            return result

        return naming

    publish = temporary.Temporary.publish
    monkeypatch.setattr(temporary.Temporary, "publish", and_then_change(publish))
    monkeypatch.setattr(transfer.Transfer, "_rename", and_then_change(transfer.Transfer._rename))
    if verb == "write":
        entry = await write(provider, path=target)
    elif verb == "copy":
        entry = await provider.copy_from(provider, FILE, target)
    else:
        entry = await provider.move_from(provider, FILE, target)
    assert entry.hashes == {}
    assert (await facts(provider, target))[1] == {}


async def test_a_copy_from_outside_is_another_file(provider, store, tmp_path):
    """Attributes, times and size that were copied along say nothing about the copy."""
    await write(provider)
    time.sleep(LATER)
    shutil.copy2(tmp_path / "file", tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_mtime_ns == (tmp_path / "file").stat().st_mtime_ns
    _, hashes = await facts(provider, ROOT.child("copy"))
    assert hashes == {}


async def test_etags_of_unknown_files_follow_the_content(provider, store, tmp_path):
    """Also where size and modification time are the same; reading changes nothing."""
    file = tmp_path / "file"
    file.write_bytes(DATA)
    etag, hashes = await facts(provider)
    assert hashes == {}
    assert await facts(provider) == (etag, {})
    alter(file)
    assert (await facts(provider))[0] != etag


@pytest.mark.parametrize("verb", ["copy", "move"])
@pytest.mark.parametrize("mode", list(WriteMode))
async def test_own_copies_and_moves_keep_them(provider, store, verb, mode):
    """The hashes go with the content."""
    await write(provider)
    time.sleep(LATER)
    target = ROOT.child("target")
    if mode is WriteMode.REPLACE:
        await write(provider, b"old", target)
    take = provider.copy_from if verb == "copy" else provider.move_from
    entry = await take(provider, FILE, target, mode=mode)
    assert entry.hashes == HASHES
    assert await facts(provider, target) == (entry.etag, HASHES)


@pytest.mark.parametrize("verb", ["copy", "move"])
async def test_folders_take_them_along(provider, store, verb):
    """A folder that is copied or moved keeps what is known of the files in it."""
    await provider.make_folder(Path.parse("/folder/"))
    await provider.make_folder(Path.parse("/folder/sub/"))
    await write(provider, path=Path.parse("/folder/sub/file"))
    time.sleep(LATER)
    take = provider.copy_from if verb == "copy" else provider.move_from
    await take(provider, Path.parse("/folder/"), Path.parse("/new/"))
    _, hashes = await facts(provider, Path.parse("/new/sub/file"))
    assert hashes == HASHES


async def test_replacing_changes_the_etag(provider, store):
    """Also by a content of the same size."""
    first = await write(provider)
    second = await write(provider, DATA.upper())
    assert first.etag != second.etag
    assert (await facts(provider))[0] == second.etag


async def test_without_hashes(tmp_path, store):
    """Then none are computed, none are declared, and old ones are not taken for new."""
    await write(opened(tmp_path))
    provider = opened(tmp_path, hashes=False)
    assert provider.capabilities.hashes == frozenset()
    entry = await write(provider, DATA.upper())
    assert entry.hashes == {}
    assert await facts(provider) == (entry.etag, {})


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"no record",
        bytes(attributes.LONGEST + 1),
        b"{}",
        msgspec.msgpack.encode([]),
        msgspec.msgpack.encode(["x", 1, 2, 3]),
        msgspec.msgpack.encode([0, 12, 0, 0, "<script>", ""]),
    ],
)
async def test_broken_attributes_are_no_hashes(provider, tmp_path, value):
    """Anybody who may write the file may write the attribute too."""
    has_attributes(tmp_path)
    await write(provider)
    digests._memory._records.clear()
    os.setxattr(tmp_path / "file", attributes.ATTRIBUTE, value)
    assert (await facts(provider))[1] == {}


async def test_made_up_digests_are_no_hashes(provider, tmp_path):
    """Digests that are none are not shown, even if everything else fits."""
    has_attributes(tmp_path)
    await write(provider)
    file = tmp_path / "file"
    raw = os.getxattr(file, attributes.ATTRIBUTE)
    assert len(raw) <= 128
    for md5 in ("<script>", b"short", b"x" * 17):
        record = msgspec.msgpack.decode(raw)
        record[4] = md5
        os.setxattr(file, attributes.ATTRIBUTE, msgspec.msgpack.encode(record))
        assert (await facts(provider))[1] == {}


async def test_a_filesystem_that_is_full_for_attributes(provider, tmp_path, monkeypatch):
    """Then this process remembers the hashes, and the etag does not depend on it."""

    def full(*_args, **_kwargs):
        raise OSError(28, "no")

    monkeypatch.setattr(digests, "_memory", digests._Memory())
    monkeypatch.setattr(attributes.os, "setxattr", full, raising=False)
    entry = await write(provider)
    assert entry.hashes == HASHES
    assert await facts(provider) == (entry.etag, HASHES)
    digests._memory._records.clear()
    assert await facts(provider) == (entry.etag, {})


def test_memory_is_bounded(tmp_path, monkeypatch):
    """The files that were written last are remembered."""
    monkeypatch.setattr(digests, "MEMORY", 3)
    monkeypatch.setattr(attributes, "HAS_ATTRIBUTES", False)
    memory = digests._Memory()
    monkeypatch.setattr(digests, "_memory", memory)
    for number in range(5):
        with (tmp_path / f"{number}").open("wb") as file:
            digests.remember(file.fileno(), HASHES, os.fstat(file.fileno()))
    assert len(memory._records) == 3
    known = [digests._memory.get((tmp_path / f"{number}").stat()) for number in range(5)]
    assert [record is not None for record in known] == [False, False, True, True, True]


@pytest.mark.parametrize("older", [False, True])
async def test_what_cannot_be_read_now_is_read_later(provider, tmp_path, monkeypatch, older):
    """A disk that fails once has not said that a file has no hashes."""
    has_attributes(tmp_path)
    monkeypatch.setattr(digests, "_recent", digests._Recent())
    monkeypatch.setattr(digests, "SETTLED", 0)
    await write(provider)

    def fail(*_args):
        ctypes.set_errno(errno.EIO)
        return -1

    def refuse(*_args, **_kwargs):
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as broken:
        broken.setattr(attributes, "_call", None if older else fail)
        broken.setattr(attributes.os, "getxattr", refuse, raising=False)
        assert (await facts(provider))[1] == {}
    assert (await facts(provider))[1] == HASHES
