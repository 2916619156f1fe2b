"""Writes that fail, crash or meet each other, with and without files that have no name."""

import asyncio
import errno
import os
import shutil
import stat
import subprocess
import sys
import time

import pytest

from waterbutler.core import ROOT, ByteStream, Path, WriteMode, locks
from waterbutler.core.errors import (
    AlreadyExists,
    BadPath,
    Forbidden,
    NotFound,
    ProviderFault,
    ProviderUnavailable,
    QuotaExceeded,
)
from waterbutler_filesystem import (
    FilesystemProvider,
    FilesystemSettings,
    journal,
    renaming,
    temporary,
    transfer,
    writing,
)
from waterbutler_filesystem.confined import Folder
from waterbutler_filesystem.failures import translated
from waterbutler_filesystem.threads import Stop

FILE = Path.parse("/file")
LARGE = 3 << 20

WRITER = """
import asyncio, os, signal, sys
from waterbutler.core import ByteStream, Path
from waterbutler_filesystem import FilesystemProvider, FilesystemSettings, temporary

if sys.argv[2] == "named":
    temporary.NAMELESS = None
if sys.argv[3] == "renaming":
    def die(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGKILL)
    temporary.os.rename = die

async def chunks():
    for number in range(8):
        yield bytes(1 << 20)
    if sys.argv[3] == "writing":
        print("half", flush=True)
        await asyncio.sleep(600)

async def main():
    settings = FilesystemSettings(folder=sys.argv[1])
    provider = FilesystemProvider("filesystem", settings, "a folder")
    await provider.write(Path.parse("/folder/file"), ByteStream(chunks()))

asyncio.run(main())
"""


def opened(folder, **settings):
    settings = FilesystemSettings(folder=str(folder), **settings)
    return FilesystemProvider("filesystem", settings, "a folder")


@pytest.fixture
def provider(tmp_path):
    return opened(tmp_path)


@pytest.fixture(params=["nameless", "named"])
def names(request, monkeypatch):
    """Whether the system has files without a name."""
    if request.param == "named":
        monkeypatch.setattr(temporary, "NAMELESS", None)
    elif temporary.NAMELESS is None:
        pytest.skip("the system has no files without a name")
    return request.param


@pytest.fixture(params=["flag", "fallback"])
def exclusive(request, monkeypatch):
    """Whether the system can rename without replacing."""
    if request.param == "fallback":
        monkeypatch.setattr(renaming, "_function", lambda _name: None)


async def write(provider, data=b"data", path=FILE, mode=WriteMode.REPLACE):
    return await provider.write(path, ByteStream.of(data), mode=mode)


def visible(folder):
    """Everything below but the folder for state; also what clients do not see."""
    found = {str(file.relative_to(folder)) for file in folder.rglob("*")}
    return sorted(found - {".waterbutler"})


@pytest.mark.parametrize("size", [0, 10, LARGE])
@pytest.mark.parametrize("mode", list(WriteMode))
async def test_every_way_to_write(provider, tmp_path, names, exclusive, mode, size):
    """New and replaced files have the content, and no other name is left."""
    data = os.urandom(size)
    await write(provider, data, mode=mode)
    assert (tmp_path / "file").read_bytes() == data
    if mode is WriteMode.REPLACE:
        await write(provider, data[::-1])
        assert (tmp_path / "file").read_bytes() == data[::-1]
    else:
        with pytest.raises(AlreadyExists) as taken:
            await write(provider, b"other", mode=mode)
        assert taken.value.entry.size == size
        assert (tmp_path / "file").read_bytes() == data
    assert visible(tmp_path) == ["file"]


@pytest.mark.parametrize("size", [100, LARGE])
async def test_of_many_creators_one_wins(provider, tmp_path, names, exclusive, size):
    """The others are told, and the file is the winner's, whole."""
    bodies = [bytes([number]) * size for number in range(12)]
    results = await asyncio.gather(
        *(write(provider, body, mode=WriteMode.CREATE) for body in bodies),
        return_exceptions=True,
    )
    winners = [number for number, result in enumerate(results) if not isinstance(result, Exception)]
    assert len(winners) == 1
    losers = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(result, AlreadyExists) for result in losers)
    assert (tmp_path / "file").read_bytes() == bodies[winners[0]]
    assert visible(tmp_path) == ["file"]


async def test_many_replacers_and_a_remover(provider, tmp_path, names):
    """Each write succeeds whatever the others do, and every content that is seen is whole."""
    bodies = [bytes([number]) * LARGE for number in range(8)]

    async def remove():
        for _ in range(20):
            try:
                await provider.delete(FILE)
            except NotFound:
                await asyncio.sleep(0)

    await asyncio.gather(remove(), *(write(provider, body) for body in bodies))
    await write(provider, bodies[0])
    assert (tmp_path / "file").read_bytes() == bodies[0]
    assert visible(tmp_path) == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o444])
async def test_permissions_of_a_replaced_file_are_kept(provider, tmp_path, names, mode):
    """Who could read the old file can read the new one; special bits are dropped."""
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(mode | stat.S_ISUID)
    await write(provider)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


async def test_permissions_of_new_files_follow_the_umask(provider, tmp_path, names):
    """As for every program."""
    before = os.umask(0o027)
    try:
        await write(provider)
        await provider.make_folder(Path.parse("/folder/"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o750


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
async def test_the_owner_of_a_replaced_file_is_kept(provider, tmp_path, names):
    """A server that may do so does not take files from their owners."""
    (tmp_path / "file").write_bytes(b"old")
    os.chown(tmp_path / "file", 1234, 2345)
    await write(provider)
    info = (tmp_path / "file").stat()
    assert (info.st_uid, info.st_gid) == (1234, 2345)


async def test_the_group_of_the_folder_is_inherited(provider, tmp_path, names):
    """A folder that hands its group on does so for uploads as well."""
    if os.geteuid() != 0:
        pytest.skip("only root may choose a group freely")
    folder = tmp_path / "shared"
    folder.mkdir()
    os.chown(folder, -1, 2345)
    folder.chmod(0o2775)
    await write(provider, path=Path.parse("/shared/file"))
    assert (folder / "file").stat().st_gid == 2345


@pytest.fixture
def small_disk(tmp_path):
    """A filesystem of one mebibyte."""
    if os.geteuid() != 0 or not shutil.which("mount") or not sys.platform.startswith("linux"):
        pytest.skip("only root on Linux may mount")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("size", [(1 << 20) - 100, 8 << 20])
@pytest.mark.parametrize("replacing", [False, True])
async def test_a_full_disk(small_disk, names, size, replacing):
    """No room is an error of its own; nothing is left, and the room is free again."""
    provider = opened(small_disk)
    await write(provider, bytes(8192), ROOT.child("other"))
    if replacing:
        await write(provider, b"old")
    free = await provider.free_space()
    with pytest.raises(QuotaExceeded):
        await write(provider, bytes(size))
    assert visible(small_disk) == (["file", "other"] if replacing else ["other"])
    assert not replacing or (small_disk / "file").read_bytes() == b"old"
    assert await provider.free_space() >= free - 8192
    await write(provider, bytes(100_000))


@pytest.mark.parametrize("call", ["writev", "fsync", "link", "open"])
@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, QuotaExceeded),
        (errno.EDQUOT, QuotaExceeded),
        (errno.EIO, ProviderFault),
        (errno.EROFS, Forbidden),
        (errno.EMFILE, ProviderUnavailable),
    ],
)
@pytest.mark.parametrize("size", [10, LARGE])
async def test_whatever_call_fails_nothing_is_left(
    provider, tmp_path, names, monkeypatch, call, number, error, size
):
    """The error says what happened, the old file stays, and no temporary name does."""
    await write(provider, b"old")

    def failing(*_args, **_kwargs):
        raise OSError(number, "no", str(tmp_path))

    if call == "link":
        monkeypatch.setattr(temporary.os, "rename", failing)
    elif call == "open":
        monkeypatch.setattr(temporary.Temporary, "_open_nameless", failing)
    else:
        monkeypatch.setattr(writing.os, call, failing)
    with pytest.raises(error) as raised:
        await write(provider, bytes(size))
    monkeypatch.undo()
    assert str(tmp_path) not in str(raised.value)
    assert visible(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


async def test_a_folder_that_cannot_be_made_safe(provider, tmp_path, names, monkeypatch):
    """A new file whose name may be lost is taken back."""

    def failing(_folder):
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(Folder, "sync", failing)
    with pytest.raises(ProviderFault):
        await write(provider)
    assert visible(tmp_path) == []


async def test_a_folder_that_goes_away_meanwhile(provider, tmp_path, names):
    """The file belongs where the path leads when it is complete: nowhere."""
    (tmp_path / "folder").mkdir()
    body = ByteStream(_removing(tmp_path), size=LARGE)
    with pytest.raises(NotFound):
        await provider.write(Path.parse("/folder/file"), body)
    assert not [name for name in visible(tmp_path) if name.endswith("file")]


async def _removing(folder):
    yield bytes(LARGE - 1)
    (folder / "folder").rename(folder / "moved")
    yield b"x"


async def test_names_that_the_system_does_not_take(provider):
    """255 bytes are what paths allow; a system may allow less or other things."""
    assert isinstance(translated(OSError(errno.ENAMETOOLONG, "no")), BadPath)
    assert isinstance(translated(OSError(errno.EILSEQ, "no")), BadPath)


def test_unknown_errors_are_the_storage_s_fault():
    """Whatever else the system says, and without a number too."""
    assert isinstance(translated(OSError(errno.ENOTTY, "no")), ProviderFault)
    assert isinstance(translated(OSError("no")), ProviderFault)


# -- crashes ---------------------------------------------------------------------------------------


def crash(folder, names, when):
    """Kill a process without warning in the middle of a write."""
    (folder / "folder").mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), names, when],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    if when == "writing":
        assert process.stdout.readline() == b"half\n"
        process.kill()
    process.communicate()
    assert process.returncode == -9


async def test_a_killed_process_leaves_nothing(tmp_path):
    """Where files need no name, not even for a moment."""
    if temporary.NAMELESS is None:
        pytest.skip("the system has no files without a name")
    crash(tmp_path, "nameless", "writing")
    assert visible(tmp_path) == ["folder"]
    assert not (tmp_path / ".waterbutler").exists()


@pytest.mark.parametrize(
    ("names", "when"), [("named", "writing"), ("named", "renaming"), ("nameless", "renaming")]
)
@pytest.mark.parametrize("how", ["by itself", "when asked"])
async def test_what_a_killed_process_left_is_removed(tmp_path, names, when, how):
    """It is never shown, the old file is whole, and the next start removes it."""
    if names == "nameless" and temporary.NAMELESS is None:
        pytest.skip("the system has no files without a name")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"old")
    if how == "when asked":
        provider = opened(tmp_path)
        await provider.stat(ROOT)
    crash(tmp_path, names, when)
    left = [file for file in (tmp_path / "folder").iterdir() if file.name != "file"]
    assert len(left) == 1
    if how == "when asked":
        assert await provider.sweep() == 1
        assert await provider.sweep() == 0
    else:
        provider = opened(tmp_path)
        folder = Path.parse("/folder/")
        assert [entry.name async for entry in provider.list(folder)] == ["file"]
    assert visible(tmp_path) == ["folder", "folder/file"]
    assert (tmp_path / "folder" / "file").read_bytes() == b"old"
    assert list((tmp_path / ".waterbutler").iterdir()) == []


async def test_what_is_alive_is_not_swept(tmp_path, monkeypatch):
    """Several servers may share a folder; each leaves the others' work alone."""
    monkeypatch.setattr(temporary, "NAMELESS", None)
    provider = opened(tmp_path)
    paused, resume = asyncio.Event(), asyncio.Event()

    async def chunks():
        yield bytes(LARGE)
        paused.set()
        await resume.wait()
        yield b"end"

    writing_it = asyncio.create_task(provider.write(FILE, ByteStream(chunks())))
    await paused.wait()
    assert await opened(tmp_path).sweep() == 0
    resume.set()
    assert (await writing_it).size == LARGE + 3
    assert visible(tmp_path) == ["file"]


async def test_a_folder_that_was_being_copied_is_swept(tmp_path):
    """An unfinished copy of a folder goes as a whole, wherever it is."""
    (tmp_path / "folder").mkdir()
    top = Folder(os.open(tmp_path, os.O_RDONLY))
    pending = journal.Pending(top, [b"folder"])
    copy = tmp_path / "folder" / os.fsdecode(pending.name)
    (copy / "sub").mkdir(parents=True)
    (copy / "sub" / "file").write_bytes(b"data")
    assert journal.sweep(top, Stop()) == 0
    pending.abandon()
    assert journal.sweep(top, Stop()) == 1
    assert visible(tmp_path) == ["folder"]
    top.close()


async def test_a_sweep_that_is_faster_than_the_lock(tmp_path, monkeypatch):
    """A note that was swept before it was locked is made again."""
    top = Folder(os.open(tmp_path, os.O_RDONLY))
    real, calls = journal.try_lock, []

    def slow(fd):
        calls.append(fd)
        if len(calls) == 1:
            [note] = (tmp_path / ".waterbutler").iterdir()
            note.unlink()
        return real(fd)

    monkeypatch.setattr(journal, "try_lock", slow)
    pending = journal.Pending(top, [])
    assert len(calls) == 2
    assert len(list((tmp_path / ".waterbutler").iterdir())) == 1
    pending.end()
    assert list((tmp_path / ".waterbutler").iterdir()) == []
    top.close()


async def test_without_waiting_for_the_disk(tmp_path, monkeypatch):
    """With ``fsync`` off nothing waits for it, and all works the same."""

    def waiting(*_args):
        raise AssertionError

    monkeypatch.setattr(os, "fsync", waiting)
    monkeypatch.setattr(transfer, "sync_filesystem", waiting)
    provider = opened(tmp_path, fsync=False)
    folder = Path.parse("/folder/")
    await provider.make_folder(folder)
    await write(provider, path=folder.child("file"))
    await write(provider, b"new", path=folder.child("file"))
    await provider.copy_from(provider, folder, Path.parse("/copy/"))
    await provider.move_from(provider, folder.child("file"), FILE)
    await provider.copy_from(provider, FILE, ROOT.child("file copy"))
    await provider.delete(FILE)
    assert visible(tmp_path) == ["copy", "copy/file", "file copy", "folder"]
    await provider.delete(ROOT)
    assert visible(tmp_path) == []


async def test_old_names_are_swept_where_there_are_no_locks(tmp_path, monkeypatch):
    """There, age decides."""

    def no_locks(*_args):
        raise OSError(errno.ENOLCK, "no")

    monkeypatch.setattr(locks.fcntl, "flock", no_locks)
    provider = opened(tmp_path)
    pending = journal.Pending(Folder(os.open(tmp_path, os.O_RDONLY)), [])
    (tmp_path / os.fsdecode(pending.name)).write_bytes(b"")
    pending.abandon()
    assert await provider.sweep() == 0
    [note] = (tmp_path / ".waterbutler").iterdir()
    old = time.time() - journal.UNLOCKED_AGE - 60
    os.utime(note, (old, old))
    assert await provider.sweep() == 1
    assert visible(tmp_path) == []


@pytest.mark.parametrize("content", [b"..", b"../outside", b"/etc", b"link", b"\0", b"a" * 300])
async def test_a_forged_journal_leads_nowhere(tmp_path, content):
    """Only a temporary name with the same token, inside of the folder, is ever removed."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    (inside / ".waterbutler").mkdir(parents=True)
    outside.mkdir()
    token = "0123456789abcdef" * 2
    victim = outside / os.fsdecode(temporary_name(token))
    victim.write_bytes(b"")
    (tmp_path / victim.name).write_bytes(b"")
    (inside / "link").symlink_to(outside)
    (inside / ".waterbutler" / token).write_bytes(content)
    assert await opened(inside).sweep() == 0
    assert victim.exists()
    assert (tmp_path / victim.name).exists()


def temporary_name(token):
    return f".waterbutler-{token}.part".encode()


async def test_without_a_journal_everything_works(tmp_path, names):
    """The top may be closed to this process while folders in it are open."""
    (tmp_path / ".waterbutler").write_bytes(b"in the way")
    provider = opened(tmp_path)
    await write(provider)
    await write(provider, b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert await provider.sweep() == 0
    assert visible(tmp_path) == ["file"]


async def test_a_hidden_write_is_not_counted_as_content(tmp_path, monkeypatch):
    """A folder with nothing but somebody's unfinished upload looks empty."""
    monkeypatch.setattr(temporary, "NAMELESS", None)
    provider = opened(tmp_path)

    async def chunks():
        yield bytes(LARGE)
        assert [entry async for entry in provider.list(ROOT)] == []
        assert len(visible(tmp_path)) > 0

    await provider.write(FILE, ByteStream(chunks()))
    assert [entry.name async for entry in provider.list(ROOT)] == ["file"]
