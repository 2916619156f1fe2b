"""Nothing outside of the folder is reached, and nothing but files and folders is touched."""

import contextlib
import os
import socket
import threading
from pathlib import Path as FsPath

import pytest

from waterbutler.core import ROOT, ByteStream, Path, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    ConfigInvalid,
    Forbidden,
    NotFound,
    ProviderUnavailable,
    WaterButlerError,
)
from waterbutler.plugins import Context, Mount, Registry
from waterbutler_filesystem import FilesystemProvider

SECRET = b"outside"


def opened(folder, **settings) -> FilesystemProvider:
    mount = Mount(
        provider="filesystem", name="photos", settings={"folder": str(folder), **settings}
    )
    return FilesystemProvider.open(mount, Context(Registry(), FsPath("unused")))


@pytest.fixture
def outside(tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_bytes(SECRET)
    (folder / "deep").mkdir()
    (folder / "deep" / "secret").write_bytes(SECRET)
    return folder


@pytest.fixture
def inside(tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    return folder


@pytest.fixture
def provider(inside):
    return opened(inside)


async def put(provider, text, data=b"data", mode=WriteMode.REPLACE):
    return await provider.write(Path.parse(text), ByteStream.of(data), mode=mode)


async def get(provider, text):
    content = await provider.read(Path.parse(text))
    async with content.body as body:
        return await body.read(1 << 24)


async def names(provider, text="/"):
    return sorted([str(entry.path) async for entry in provider.list(Path.parse(text))])


def unchanged(outside):
    found = {
        str(file.relative_to(outside)): file.read_bytes()
        for file in outside.rglob("*")
        if file.is_file()
    }
    return found == {"secret": SECRET, "deep/secret": SECRET}


async def test_links_do_not_exist(provider, inside, outside):
    """Links to files and folders, in and out of the folder, are neither listed nor found."""
    (inside / "real").write_bytes(b"data")
    (inside / "folder").mkdir()
    for name, target in {
        "out": outside / "secret",
        "out folder": outside,
        "in": "real",
        "in folder": "folder",
        "above": "..",
        "nowhere": "missing",
        "loop": "loop",
    }.items():
        (inside / name).symlink_to(target)
        for path in (ROOT.child(name), ROOT.child(name, folder=True)):
            with pytest.raises(NotFound):
                await provider.stat(path)
            with pytest.raises(NotFound):
                await provider.delete(path)
        with pytest.raises(NotFound):
            await provider.read(ROOT.child(name))
        with pytest.raises(NotFound):
            await names(provider, f"/{name}/")
    assert await names(provider) == ["/folder/", "/real"]


@pytest.mark.parametrize("path", ["/link/secret", "/link/deep/secret", "/link/new"])
async def test_nothing_is_reached_through_a_link(provider, inside, outside, path):
    """A link in the middle of a path leads nowhere, for every operation."""
    (inside / "link").symlink_to(outside)
    await put(provider, "/source")
    file, folder = Path.parse(path), Path.parse(path + "/")
    calls = [
        provider.stat(file),
        provider.stat(folder),
        provider.read(file),
        provider.delete(file),
        provider.delete(folder),
        provider.make_folder(folder),
        put(provider, path),
        put(provider, path, mode=WriteMode.CREATE),
        put(provider, path, bytes(3 << 20)),
        provider.copy_from(provider, Path.parse("/source"), file),
        provider.move_from(provider, Path.parse("/source"), file),
        provider.copy_from(provider, file, Path.parse("/copy")),
        provider.move_from(provider, file, Path.parse("/copy")),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            await call
    with pytest.raises(NotFound):
        await names(provider, str(folder))
    assert unchanged(outside)
    assert await names(provider) == ["/source"]


@pytest.mark.parametrize("target", ["secret", "missing"])
async def test_a_link_is_not_written_over(provider, inside, outside, target):
    """The name of a link is taken, and neither the link nor what it points to is replaced."""
    (inside / "link").symlink_to(outside / target)
    await put(provider, "/source", b"new")
    source, link = Path.parse("/source"), Path.parse("/link")
    with pytest.raises(AlreadyExists) as taken:
        await put(provider, "/link", mode=WriteMode.CREATE)
    assert taken.value.entry is None
    for call in (
        put(provider, "/link"),
        put(provider, "/link", bytes(3 << 20)),
        provider.copy_from(provider, source, link, mode=WriteMode.REPLACE),
        provider.move_from(provider, source, link, mode=WriteMode.REPLACE),
    ):
        with pytest.raises(Forbidden):
            await call
    for call in (
        provider.copy_from(provider, source, link),
        provider.move_from(provider, source, link),
        provider.make_folder(link.as_folder()),
    ):
        with pytest.raises(AlreadyExists):
            await call
    assert os.readlink(inside / "link") == str(outside / target)
    assert unchanged(outside)
    assert await get(provider, "/source") == b"new"


async def test_deleting_a_folder_removes_links_and_not_their_targets(provider, inside, outside):
    """So it is for a folder, and for everything at once."""
    for folder in (inside / "folder", inside):
        folder.mkdir(exist_ok=True)
        (folder / "file link").symlink_to(outside / "secret")
        (folder / "folder link").symlink_to(outside)
        os.mkfifo(folder / "pipe")
    await provider.delete(Path.parse("/folder/"))
    assert not (inside / "folder").exists()
    await provider.delete(ROOT)
    assert list(inside.iterdir()) == []
    assert unchanged(outside)


async def test_special_files_do_not_exist(provider, inside, tmp_path, monkeypatch):
    """Pipes and sockets are not listed, not opened, and nothing waits for them."""
    os.mkfifo(inside / "pipe")
    monkeypatch.chdir(inside)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert await names(provider) == []
        for name in ("pipe", "socket"):
            path = ROOT.child(name)
            for call in (
                provider.stat(path),
                provider.read(path),
                provider.delete(path),
                provider.copy_from(provider, path, ROOT.child("copy")),
                provider.move_from(provider, path, ROOT.child("copy")),
            ):
                with pytest.raises(NotFound):
                    await call
            with pytest.raises(AlreadyExists):
                await put(provider, f"/{name}", mode=WriteMode.CREATE)
            with pytest.raises(Forbidden):
                await put(provider, f"/{name}")


async def test_a_pipe_that_takes_the_place_of_a_file_blocks_nobody(provider, inside, monkeypatch):
    """Even if the file becomes a pipe between looking and opening."""
    file = inside / "file"
    file.write_bytes(b"data")
    real = os.open

    def swapping(path, *args, **kwargs):
        if path == b"file":
            file.unlink()
            os.mkfifo(file)
        return real(path, *args, **kwargs)

    monkeypatch.setattr("waterbutler_filesystem.confined.os.open", swapping)
    with pytest.raises(NotFound):
        await provider.read(Path.parse("/file"))


@pytest.fixture
def swapping(inside, outside):
    """A folder that is a link to the outside about half of the time."""
    real, spare = inside / "swap", inside / "spare"
    real.mkdir()
    (real / "secret").write_bytes(b"mine")
    over = threading.Event()

    def swap():
        steps = (
            lambda: real.rename(spare),
            lambda: real.symlink_to(outside),
            lambda: os.unlink(real),
            lambda: spare.rename(real),
        )
        while not over.is_set():
            for step in steps:
                with contextlib.suppress(OSError):
                    step()

    thread = threading.Thread(target=swap)
    thread.start()
    yield real
    over.set()
    thread.join()


async def test_a_folder_that_becomes_a_link_leads_nowhere(provider, swapping, outside):
    """Whenever the folder is swapped, an operation works inside of it or fails."""
    done = 0
    for number in range(400):
        with contextlib.suppress(WaterButlerError):
            assert await get(provider, "/swap/secret") == b"mine"
            done += 1
        with contextlib.suppress(WaterButlerError):
            assert "/swap/deep/" not in await names(provider, "/swap/")
        with contextlib.suppress(WaterButlerError):
            await put(provider, f"/swap/new {number % 3}")
        with contextlib.suppress(WaterButlerError):
            await provider.make_folder(Path.parse("/swap/made/"))
        with contextlib.suppress(WaterButlerError):
            await provider.delete(Path.parse("/swap/made/"))
    assert done
    assert unchanged(outside)
    assert sorted(file.name for file in outside.iterdir()) == ["deep", "secret"]


async def test_removing_a_tree_that_is_swapped_stays_inside(provider, inside, outside, swapping):
    """A folder that becomes a link while its tree is removed does not lead out."""
    for number in range(100):
        with contextlib.suppress(OSError):
            os.makedirs(swapping / f"sub {number}" / "sub")
        with contextlib.suppress(WaterButlerError):
            await provider.delete(Path.parse("/swap/"))
        with contextlib.suppress(OSError):
            swapping.mkdir()
        assert unchanged(outside)


async def test_a_folder_that_was_moved_away_is_not_climbed_out_of(
    provider, inside, outside, monkeypatch
):
    """On the way up, the folder above must be the one that the removal came from."""
    (inside / "top" / "middle" / "low").mkdir(parents=True)
    (inside / "top" / "middle" / "low" / "file").write_bytes(b"")
    real = os.unlink

    def moving(name, **kwargs):
        if name == b"file":
            (inside / "top" / "middle").rename(outside / "deep" / "middle")
        return real(name, **kwargs)

    monkeypatch.setattr("waterbutler_filesystem.removal.os.unlink", moving)
    with pytest.raises(ProviderUnavailable):
        await provider.delete(Path.parse("/top/"))
    assert unchanged(outside)


async def test_a_missing_folder(tmp_path):
    """Without a folder nothing works, and the message tells no local name."""
    provider = opened(tmp_path / "missing")
    for call in (provider.check(), provider.stat(ROOT), names(provider), put(provider, "/file")):
        with pytest.raises(ConfigInvalid) as invalid:
            await call
        assert str(tmp_path) not in str(invalid.value)
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("folder", ["", "a\0b"])
def test_a_folder_that_cannot_be(folder):
    """Some names are refused at once."""
    with pytest.raises(ConfigInvalid):
        opened(folder)


async def test_a_file_is_no_folder(tmp_path):
    """The mount's folder must be a folder."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigInvalid):
        await opened(tmp_path / "file").check()


async def test_the_folder_is_made_when_asked(tmp_path):
    """With ``create`` the folder is made at first use, and never again."""
    provider = opened(tmp_path / "a" / "b", create=True)
    assert not (tmp_path / "a").exists()
    await put(provider, "/file")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"data"
    (tmp_path / "a" / "b" / "file").unlink()
    (tmp_path / "a" / "b").rmdir()
    with pytest.raises(ProviderUnavailable):
        await put(provider, "/file")


async def test_a_folder_that_is_gone_is_not_an_empty_one(provider, inside):
    """A removed folder is an error, not a folder without files; it may come back."""
    await put(provider, "/file")
    moved = inside.with_name("moved")
    inside.rename(moved)
    for call in (names(provider), provider.stat(ROOT), provider.check(), put(provider, "/file")):
        with pytest.raises(ProviderUnavailable):
            await call
    moved.rename(inside)
    assert await names(provider) == ["/file"]


async def test_a_relative_folder(tmp_path, monkeypatch):
    """It is taken from where the server was when it opened the storage."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    provider = opened("data/../data")
    monkeypatch.chdir("/")
    await put(provider, "/file")
    assert provider.info.root == f"file://{tmp_path}/data"
    assert (tmp_path / "data" / "file").exists()


async def test_the_folder_itself_may_be_a_link(tmp_path, inside):
    """Who sets the mount up may use links; who uses it may not."""
    (tmp_path / "link").symlink_to(inside)
    await put(opened(tmp_path / "link"), "/file")
    assert (inside / "file").exists()


def test_no_local_name_is_shown(provider, tmp_path):
    """The label is for clients."""
    assert provider.info.label == "filesystem photos"


async def test_checking_leaves_nothing(provider, inside):
    """The proof that the folder can be written to is not seen."""
    await provider.check()
    assert list(inside.iterdir()) == []


async def test_a_read_only_folder_fails_the_check(provider, monkeypatch):
    """The check is about writing too."""

    def refusing(*_args, **_kwargs):
        raise PermissionError(13, "no")

    await provider.stat(ROOT)
    monkeypatch.setattr("waterbutler_filesystem.temporary.os.open", refusing)
    with pytest.raises(WaterButlerError):
        await provider.check()
