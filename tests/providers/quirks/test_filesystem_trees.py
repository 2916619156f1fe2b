"""Deep, wide and changing trees; copies and moves of whole folders."""

import asyncio
import contextlib
import errno
import os
import sys
import threading
from pathlib import Path as FsPath

import pytest

from waterbutler.core import ROOT, ByteStream, Path, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    BadPath,
    Corrupted,
    IsAFolder,
    NotAFolder,
    NotFound,
    ProviderFault,
    SamePlace,
    Unsupported,
    WaterButlerError,
)
from waterbutler.testing.memory import MemoryProvider
from waterbutler_filesystem import FilesystemProvider, FilesystemSettings, renaming, transfer
from waterbutler_filesystem.confined import Folder
from waterbutler_filesystem.removal import empty_folder, remove_folder
from waterbutler_filesystem.threads import Stop, Stopped

FILE = Path.parse("/file")
DEEP = 1100


def opened(folder, **settings):
    settings = FilesystemSettings(folder=str(folder), **settings)
    return FilesystemProvider("filesystem", settings, "a folder")


@pytest.fixture
def provider(tmp_path):
    return opened(tmp_path)


@pytest.fixture(params=["flag", "fallback"])
def exclusive(request, monkeypatch):
    """Whether the system can rename without replacing."""
    if request.param == "fallback":
        monkeypatch.setattr(renaming, "_function", lambda _name: None)


def make_deep(folder, levels=DEEP):
    """A tree whose paths are longer than the system takes at once."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("level", dir_fd=here)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        below = os.open("level", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def depth(folder, name):
    """How many levels there are."""
    here, levels = os.open(folder / name, os.O_RDONLY), 0
    while True:
        try:
            below = os.open("level", os.O_RDONLY, dir_fd=here)
        except FileNotFoundError:
            return levels
        finally:
            os.close(here)
        here, levels = below, levels + 1


def content(folder):
    """Everything below but the folder for state."""
    return {
        str(file.relative_to(folder)): file.read_bytes() if file.is_file() else None
        for file in folder.rglob("*")
        if file.name != ".waterbutler"
    }


async def test_a_deep_tree_is_removed(provider, tmp_path):
    """However deep, with few open folders and no recursion."""
    (tmp_path / "deep").mkdir()
    make_deep(tmp_path / "deep", sys.getrecursionlimit() + 100)
    await provider.delete(Path.parse("/deep/"))
    assert content(tmp_path) == {}


async def test_few_folders_are_open_at_a_time(provider, tmp_path, monkeypatch):
    """Their number does not grow with the depth."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("there is no list of open files")
    make_deep(tmp_path, 300)
    before = len(os.listdir("/proc/self/fd"))
    most = 0
    real = os.unlink

    def counting(*args, **kwargs):
        nonlocal most
        most = max(most, len(os.listdir("/proc/self/fd")))
        return real(*args, **kwargs)

    monkeypatch.setattr("waterbutler_filesystem.removal.os.unlink", counting)
    await provider.delete(ROOT)
    assert most < before + 30
    assert content(tmp_path) == {}


async def test_a_deep_tree_is_copied_and_moved(provider, tmp_path):
    """However deep."""
    (tmp_path / "deep").mkdir()
    make_deep(tmp_path / "deep")
    await provider.copy_from(provider, Path.parse("/deep/"), Path.parse("/copy/"))
    assert depth(tmp_path, "copy") == DEEP
    await provider.move_from(provider, Path.parse("/deep/"), Path.parse("/moved/"))
    assert depth(tmp_path, "moved") == DEEP
    await provider.delete(ROOT)
    assert content(tmp_path) == {}


async def test_a_wide_tree_is_removed(provider, tmp_path):
    """More folders with content than are looked at at a time."""
    for number in range(300):
        (tmp_path / "wide" / f"{number}").mkdir(parents=True)
        (tmp_path / "wide" / f"{number}" / "file").write_bytes(b"")
    await provider.delete(Path.parse("/wide/"))
    assert content(tmp_path) == {}


async def test_two_remove_the_same_tree(provider, tmp_path):
    """Both are content with the result, or one finds nothing."""
    for number in range(60):
        (tmp_path / "tree" / f"{number}" / "a" / "b").mkdir(parents=True)
        (tmp_path / "tree" / f"{number}" / "a" / "file").write_bytes(b"")
    results = await asyncio.gather(
        *(provider.delete(Path.parse("/tree/")) for _ in range(4)), return_exceptions=True
    )
    assert None in results
    assert all(result is None or isinstance(result, NotFound) for result in results)
    assert content(tmp_path) == {}


async def test_removing_what_others_fill(provider, tmp_path):
    """It ends, with or without success, and what is left is whole."""
    folder = tmp_path / "tree"
    folder.mkdir()
    over = threading.Event()

    def fill():
        number = 0
        while not over.wait(0.0005):
            number += 1
            try:
                os.makedirs(folder / f"{number % 50}" / "sub", exist_ok=True)
            except OSError:
                continue

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        with contextlib.suppress(WaterButlerError):
            await provider.delete(Path.parse("/tree/"))
    finally:
        over.set()
        thread.join()
    folder.mkdir(exist_ok=True)
    await provider.delete(Path.parse("/tree/"))
    assert content(tmp_path) == {}


def test_removing_stops_when_nobody_waits(tmp_path):
    """A long removal ends soon after it was cancelled."""
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "file").write_bytes(b"")
    stop = Stop()
    stop.set()
    with Folder(os.open(tmp_path, os.O_RDONLY)) as top:
        with pytest.raises(Stopped):
            remove_folder(top, b"tree", stop)
        with pytest.raises(Stopped):
            empty_folder(top, stop)
    assert (tmp_path / "tree" / "sub" / "file").exists()


async def test_copies_leave_out_what_is_no_file(provider, tmp_path):
    """Links are not followed and not copied; programs stay programs."""
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "program").write_bytes(b"#!")
    (folder / "sub" / "program").chmod(0o755)
    (folder / "link").symlink_to("sub")
    (folder / "out").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    await provider.copy_from(provider, Path.parse("/folder/"), Path.parse("/copy/"))
    assert content(tmp_path / "copy") == {"sub": None, "sub/program": b"#!"}
    assert os.access(tmp_path / "copy" / "sub" / "program", os.X_OK)
    assert (folder / "link").is_symlink()


@pytest.mark.parametrize("at", ["copy_file_range", "chmod", "mkdir", "rename"])
async def test_a_copy_that_fails_leaves_nothing(provider, tmp_path, monkeypatch, at):
    """Neither a part of the copy nor a temporary name; the source is as before."""
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    (tmp_path / "folder" / "sub" / "file").write_bytes(b"data")
    before = content(tmp_path)

    def failing(*_args, **_kwargs):
        raise OSError(errno.EIO, "no")

    if at == "rename":
        monkeypatch.setattr(transfer, "rename_exclusively", failing)
    elif at == "chmod":
        (tmp_path / "folder" / "sub" / "file").chmod(0o755)
        monkeypatch.setattr(transfer.os, "fchmod", failing)
    else:
        monkeypatch.setattr(transfer.os, at, failing)
    with pytest.raises(ProviderFault):
        await provider.copy_from(provider, Path.parse("/folder/"), Path.parse("/copy/"))
    monkeypatch.undo()
    assert content(tmp_path) == before
    assert list(tmp_path.glob(".waterbutler/*")) == []


async def test_a_cancelled_copy_leaves_nothing(provider, tmp_path):
    """When the cancelled call is over, so is the copying."""
    for number in range(300):
        (tmp_path / "folder" / f"{number}").mkdir(parents=True)
        (tmp_path / "folder" / f"{number}" / "file").write_bytes(b"data")
    before = content(tmp_path)
    copying = asyncio.create_task(
        provider.copy_from(provider, Path.parse("/folder/"), Path.parse("/copy/"))
    )
    while not any(tmp_path.glob(".waterbutler-*")):
        await asyncio.sleep(0)
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    assert content(tmp_path) == before
    assert list((tmp_path / ".waterbutler").iterdir()) == []


@pytest.mark.parametrize("error", [0, errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
async def test_copies_where_the_system_does_not_help(provider, tmp_path, monkeypatch, error):
    """Then the bytes are read and written."""
    data = os.urandom(3 << 20)
    (tmp_path / "file").write_bytes(data)

    def failing(*_args, **_kwargs):
        if error:
            raise OSError(error, "no")
        return 0

    monkeypatch.setattr(transfer.os, "copy_file_range", failing, raising=False)
    await provider.copy_from(provider, FILE, ROOT.child("copy"))
    assert (tmp_path / "copy").read_bytes() == data


async def test_a_file_that_changes_is_not_copied(provider, tmp_path, monkeypatch):
    """A mixture of two contents is no copy."""
    file = tmp_path / "file"
    file.write_bytes(b"0123456789")

    def changing(source, copy, size):
        with file.open("ab") as appending:
            appending.write(b"more")
        os.write(copy, os.pread(source, size, 0))
        return size

    monkeypatch.setattr(transfer.os, "copy_file_range", changing, raising=False)
    with pytest.raises(Corrupted):
        await provider.copy_from(provider, FILE, ROOT.child("copy"))
    assert set(content(tmp_path)) == {"file"}


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("taken", ["file", "folder", "empty folder", "link"])
@pytest.mark.parametrize("verb", ["copy", "move"])
async def test_nothing_is_moved_over_anything(
    provider, tmp_path, exclusive, monkeypatch, kind, taken, verb
):
    """Not even if the name is taken in the last moment."""
    path, target = Path.parse("/source"), Path.parse("/target")
    if kind == "folder":
        path, target = path.as_folder(), target.as_folder()
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "file").write_bytes(b"data")
    else:
        (tmp_path / "source").write_bytes(b"data")
    there = tmp_path / "target"
    if taken == "file":
        there.write_bytes(b"stays")
    elif taken == "link":
        there.symlink_to("nowhere")
    else:
        there.mkdir()
    if taken == "folder":
        (there / "file").write_bytes(b"stays")
    before = content(tmp_path)
    monkeypatch.setattr(transfer.Transfer, "_check_places", lambda _self: None)
    with pytest.raises(AlreadyExists) as raised:
        await (provider.copy_from if verb == "copy" else provider.move_from)(provider, path, target)
    assert content(tmp_path) == before
    assert (raised.value.entry is None) == (taken == "link")


@pytest.mark.parametrize("kind", ["file", "folder"])
async def test_of_many_moves_to_one_name_one_wins(provider, tmp_path, exclusive, kind):
    """The others keep their source."""
    paths = [ROOT.child(f"source {number}", folder=kind == "folder") for number in range(12)]
    for path in paths:
        if kind == "folder":
            (tmp_path / path.name).mkdir()
            (tmp_path / path.name / "file").write_bytes(path.name.encode())
        else:
            (tmp_path / path.name).write_bytes(path.name.encode())
    target = ROOT.child("target", folder=kind == "folder")
    results = await asyncio.gather(
        *(provider.move_from(provider, path, target) for path in paths), return_exceptions=True
    )
    won = [path.name for path, result in zip(paths, results, strict=True) if not _failed(result)]
    assert len(won) == 1
    assert all(isinstance(result, AlreadyExists) for result in results if _failed(result))
    file = tmp_path / "target" / "file" if kind == "folder" else tmp_path / "target"
    assert file.read_bytes() == won[0].encode()
    assert len(list(tmp_path.glob("source*"))) == 11


def _failed(result):
    return isinstance(result, BaseException)


async def test_moving_one_name_of_a_file_over_another(provider, tmp_path):
    """Two names of one file: afterwards there is one, as for any other two files."""
    (tmp_path / "file").write_bytes(b"data")
    os.link(tmp_path / "file", tmp_path / "name")
    await provider.move_from(provider, FILE, ROOT.child("name"), mode=WriteMode.REPLACE)
    assert content(tmp_path) == {"name": b"data"}


async def test_mounts_inside_of_each_other(tmp_path):
    """A folder is not put into itself through another mount either."""
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    (tmp_path / "folder" / "file").write_bytes(b"data")
    outer, inner = opened(tmp_path), opened(tmp_path / "folder" / "sub")
    for call in (inner.copy_from, inner.move_from):
        with pytest.raises(SamePlace):
            await call(outer, Path.parse("/folder/"), Path.parse("/copy/"))
        with pytest.raises(SamePlace):
            await call(outer, Path.parse("/folder/sub/"), Path.parse("/copy/"))
    with pytest.raises(SamePlace):
        await opened(tmp_path / "folder").copy_from(outer, Path.parse("/folder/file"), FILE)
    assert (tmp_path / "folder" / "file").read_bytes() == b"data"


async def test_across_filesystems(provider, tmp_path):
    """A copy is made by reading and writing; a move is left to the caller."""
    shared = FsPath("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second filesystem")
    folder = shared / f"waterbutler-{os.getpid()}-{tmp_path.name}"
    folder.mkdir()
    try:
        other = opened(folder)
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "file").write_bytes(b"data")
        await provider.write(FILE, ByteStream.of(b"data"))
        with pytest.raises(Unsupported):
            await other.move_from(provider, FILE, FILE)
        with pytest.raises(Unsupported):
            await other.move_from(provider, Path.parse("/folder/"), Path.parse("/folder/"))
        assert content(folder) == {}
        entry = await other.copy_from(provider, FILE, FILE)
        assert entry.hashes == (await provider.stat(FILE)).hashes
        await other.copy_from(provider, Path.parse("/folder/"), Path.parse("/folder/"))
        assert content(folder) == content(tmp_path)
    finally:
        await opened(folder).delete(ROOT)
        for rest in folder.glob(".waterbutler"):
            rest.rmdir()
        folder.rmdir()


async def test_what_cannot_be_copied_or_moved(provider, tmp_path):
    """Roots, strangers, other kinds: refused before anything changes."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"data")
    folder = Path.parse("/folder/")
    for take in (provider.copy_from, provider.move_from):
        for source, at, to, mode, error in (
            (provider, ROOT, folder.child("in", folder=True), WriteMode.CREATE, Unsupported),
            (provider, folder, ROOT, WriteMode.CREATE, AlreadyExists),
            (provider, folder, FILE.as_folder(), WriteMode.REPLACE, NotAFolder),
            (MemoryProvider(), FILE, FILE, WriteMode.CREATE, Unsupported),
            (provider, FILE, folder, WriteMode.CREATE, BadPath),
            (provider, FILE.as_folder(), Path.parse("/new/"), WriteMode.CREATE, NotAFolder),
            (provider, folder.as_file(), Path.parse("/new"), WriteMode.CREATE, IsAFolder),
            (provider, FILE, folder.as_file(), WriteMode.REPLACE, IsAFolder),
        ):
            with pytest.raises(error):
                await take(source, at, to, mode=mode)
    assert content(tmp_path) == {"folder": None, "file": b"data"}


async def test_permissions_of_a_moved_file_are_its_own(provider, tmp_path):
    """Moving changes the name only; what may not be read can be moved."""
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "file").chmod(0)
    await provider.move_from(provider, FILE, ROOT.child("new"))
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0
    assert (await provider.stat(ROOT.child("new"))).size == 4
