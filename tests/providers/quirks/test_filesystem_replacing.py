"""Folders that take the place of others: races, systems that cannot, and what crashes leave."""

import errno
import os
from pathlib import Path as FsPath

import pytest

from waterbutler.core import ROOT, Conflict, Path, WriteMode
from waterbutler.core.errors import (
    Forbidden,
    NotAFolder,
    ProviderUnavailable,
    Unsupported,
    WaterButlerError,
)
from waterbutler.engine import transfer as engine
from waterbutler_filesystem import (
    FilesystemProvider,
    FilesystemSettings,
    renaming,
    replacing,
    transfer,
)
from waterbutler_filesystem.confined import FOLDER, Folder
from waterbutler_filesystem.journal import Exchange, Pending, sweep
from waterbutler_filesystem.threads import Stop

ONE, TWO = Path.parse("/one/"), Path.parse("/in/two/")
TREES = {"one/new": b"new", "one/deep/new": b"", "in/two/old": b"old", "in/two/deep/old": b"1"}
COPIED = {"in/two/new": b"new", "in/two/deep/new": b""}
BOTH = pytest.mark.parametrize("verb", ["copy", "move"])


def opened(folder: FsPath) -> FilesystemProvider:
    return FilesystemProvider("filesystem", FilesystemSettings(folder=str(folder)), "a folder")


@pytest.fixture
def provider(tmp_path):
    for name, data in TREES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return opened(tmp_path)


def files(folder):
    """All files, also hidden ones."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


async def take(provider, verb, at=ONE, to=TWO):
    call = provider.copy_from if verb == "copy" else provider.move_from
    return await call(provider, at, to, mode=WriteMode.REPLACE)


def done(verb):
    left = {name: data for name, data in TREES.items() if name.startswith("one/")}
    return COPIED | (left if verb == "copy" else {})


@BOTH
async def test_nothing_is_left(provider, tmp_path, verb):
    """Neither of the old folder nor of what was written down about it."""
    await take(provider, verb)
    assert files(tmp_path) == done(verb)
    assert list((tmp_path / ".waterbutler").iterdir()) == []


@BOTH
@pytest.mark.parametrize("error", [None, errno.EINVAL, errno.ENOSYS])
async def test_a_system_that_cannot(provider, tmp_path, monkeypatch, verb, error):
    """Changes nothing, and does not copy a tree in vain a second time."""

    def failing(*_args):
        return -1

    if error is None:
        monkeypatch.setattr(renaming, "_function", lambda _name: None)
    else:
        monkeypatch.setattr(renaming, "_function", lambda _name: failing)
        monkeypatch.setattr(renaming, "_last_error", lambda: OSError(error, "no"))
        monkeypatch.setattr(transfer, "sync_filesystem", lambda _folder: None)
    for _ in range(2):
        with pytest.raises(Unsupported):
            await take(provider, verb)
        monkeypatch.setattr(transfer, "copy_tree", None)
    assert files(tmp_path) == TREES


@BOTH
async def test_a_system_that_cannot_does_it_in_steps(provider, tmp_path, monkeypatch, verb):
    """The engine brings the new folder there all the same."""
    monkeypatch.setattr(renaming, "_function", lambda _name: None)
    call = engine.copy if verb == "copy" else engine.move
    await call(provider, ONE, provider, TWO, conflict=Conflict.REPLACE)
    assert files(tmp_path) == done(verb)


@BOTH
async def test_another_mount(provider, tmp_path, tmp_path_factory, verb):
    """The source may be in another folder of this machine."""
    folder = tmp_path_factory.mktemp("other")
    (folder / "one").mkdir()
    (folder / "one" / "new").write_bytes(b"new")
    other = opened(folder)
    call = provider.copy_from if verb == "copy" else provider.move_from
    await call(other, ONE, TWO, mode=WriteMode.REPLACE)
    assert files(tmp_path / "in") == {"two/new": b"new"}
    assert files(folder) == ({"one/new": b"new"} if verb == "copy" else {})


@BOTH
@pytest.mark.parametrize(("kind", "error"), [("link", Forbidden), ("file", NotAFolder)])
async def test_only_folders_give_way(provider, tmp_path, verb, kind, error):
    """A link is left alone, and so is what it points to."""
    there = tmp_path / "there"
    if kind == "link":
        there.symlink_to("in")
    else:
        there.write_bytes(b"stays")
    before = files(tmp_path)
    with pytest.raises(error):
        await take(provider, verb, to=Path.parse("/there/"))
    assert files(tmp_path) == before
    assert there.is_symlink() == (kind == "link")


async def test_a_name_that_becomes_a_files(provider, tmp_path, monkeypatch):
    """In the last moment: the file stays."""
    real, two = replacing.exchange, tmp_path / "in" / "two"

    def late(*args):
        if not (tmp_path / "away").exists():
            two.rename(tmp_path / "away")
            two.write_bytes(b"stays")
        return real(*args)

    monkeypatch.setattr(replacing, "exchange", late)
    with pytest.raises(WaterButlerError):
        await take(provider, "copy")
    assert two.read_bytes() == b"stays"
    assert files(tmp_path / "away") == {"old": b"old", "deep/old": b"1"}
    assert not list(tmp_path.rglob(".waterbutler-*"))


async def test_a_name_that_becomes_free(provider, tmp_path, monkeypatch):
    """In the last moment: the copy gets it."""
    real, two = replacing.exchange, tmp_path / "in" / "two"

    def late(*args):
        if two.exists():
            two.rename(tmp_path / "away")
        return real(*args)

    monkeypatch.setattr(replacing, "exchange", late)
    await take(provider, "copy")
    assert files(two) == {"new": b"new", "deep/new": b""}


async def test_others_come_in_between(provider, tmp_path, monkeypatch):
    """What others brought to the old place of what was moved is not removed for the old folder."""
    real = transfer.exchange

    def then(*args):
        assert real(*args)
        (tmp_path / "one").rename(tmp_path / "away")
        (tmp_path / "one").mkdir()
        (tmp_path / "one" / "foreign").write_bytes(b"stays")
        return True

    monkeypatch.setattr(transfer, "exchange", then)
    with pytest.raises(ProviderUnavailable):
        await take(provider, "move")
    assert files(tmp_path) == COPIED | {
        "one/foreign": b"stays",
        "away/old": b"old",
        "away/deep/old": b"1",
    }


@BOTH
async def test_the_old_folder_cannot_be_removed(provider, tmp_path, monkeypatch, verb):
    """That is said; it is not shown, and a later sweep tries again."""

    def protected(*_args):
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(replacing, "remove_folder", protected)
    with pytest.raises(Forbidden) as caught:
        await take(provider, verb)
    assert "was replaced" in caught.value.message
    names = [entry.name async for entry in provider.list(Path.parse("/in/"))]
    assert names == ["two"]
    assert len(list(tmp_path.rglob(".waterbutler-*"))) == 1
    assert await provider.sweep() == 1
    assert files(tmp_path) == done(verb)


# -- sweeping --------------------------------------------------------------------------------------


class Crashed:
    """A move of ``one`` over ``in/two`` whose process died."""

    def __init__(self, tmp_path):
        self.top = tmp_path
        one, two = (tmp_path / name for name in ("one", "in/two"))
        note = Exchange(b"one", two.stat(), [b"in", b"two"], one.stat())
        with self.open() as top:
            self._pending = Pending(top, [], note)

    def open(self):
        return Folder(os.open(self.top, FOLDER))

    def exchange(self):
        with self.open() as top, top.enter(b"in") as there:
            assert renaming.exchange(top, b"one", there, b"two")

    def set_aside(self):
        (self.top / "one").rename(self.top / os.fsdecode(self._pending.name))

    def sweep(self):
        self._pending.abandon()
        with self.open() as top:
            count = sweep(top, Stop())
        assert list((self.top / ".waterbutler").iterdir()) == []
        return count


@pytest.fixture
def crashed(provider, tmp_path):
    return Crashed(tmp_path)


def test_it_died_before(crashed, tmp_path):
    """Nothing is removed."""
    assert crashed.sweep() == 0
    assert files(tmp_path) == TREES


@pytest.mark.parametrize("aside", [True, False])
def test_it_died_after(crashed, tmp_path, aside):
    """The old folder goes, also if it still has the name of what was moved."""
    crashed.exchange()
    if aside:
        crashed.set_aside()
    assert crashed.sweep() == 1
    assert files(tmp_path) == COPIED


@pytest.mark.parametrize("change", ["added", "target moved", "target replaced", "moved", "a file"])
def test_others_went_on_with_it(crashed, tmp_path, change):
    """What is not as it was left is somebody's, and stays."""
    crashed.exchange()
    one, two = tmp_path / "one", tmp_path / "in" / "two"
    if change == "added":
        os.utime(one, (1, 1))
        (one / "added").write_bytes(b"stays")
    elif change.startswith("target"):
        two.rename(tmp_path / "away")
        if change == "target replaced":
            two.mkdir()
    else:
        one.rename(tmp_path / "away")
        if change == "a file":
            one.write_bytes(b"stays")
    before = files(tmp_path)
    del before[next(name for name in before if name.startswith(".waterbutler/"))]
    assert crashed.sweep() == 0
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "note",
    [
        b"\0one",
        b"\0one\0in/two\0x\0y\0z\0more",
        b"\0../one\0in/two\0%d\0%d\0%d",
        b"\0one\0in/../in/two\0%d\0%d\0%d",
        b"\0one\0/in/two\0%d\0%d\0%d",
        b"..\0one\0in/two\0%d\0%d\0%d",
        b"\0..\0in/two\0%d\0%d\0%d",
    ],
)
def test_a_note_that_makes_no_sense(crashed, tmp_path, note):
    """Leads nowhere."""
    crashed.exchange()
    if b"%d" in note:
        old, new = (tmp_path / "one").stat(), (tmp_path / "in" / "two").stat()
        note %= (old.st_ino, old.st_mtime_ns, new.st_ino)
    (written,) = (tmp_path / ".waterbutler").iterdir()
    written.write_bytes(note)
    before = files(tmp_path / "one") | files(tmp_path / "in")
    assert crashed.sweep() == 0
    assert files(tmp_path / "one") | files(tmp_path / "in") == before


async def test_the_first_look_after_a_crash(crashed, tmp_path):
    """Shows what would be there if the process had lived on."""
    crashed.exchange()
    crashed._pending.abandon()
    shown = [entry.name async for entry in opened(tmp_path).list(ROOT)]
    assert shown == ["in"]
