"""Files that change while they are read, readers that go away, and what stays open."""

import asyncio
import gc
import os
import socket
import threading

import pytest

from waterbutler.core import ROOT, ByteRange, ByteStream, Path
from waterbutler.core.errors import Corrupted, WaterButlerError
from waterbutler_filesystem import FilesystemProvider, FilesystemSettings, reading, sending
from waterbutler_filesystem.reading import BATCH, BLOCK
from waterbutler_filesystem.threads import Handle

FILE = Path.parse("/file")
LARGE = 4 * BLOCK + 17

needs_proc = pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="there is no list of open files"
)


@pytest.fixture
def provider(tmp_path):
    return FilesystemProvider("filesystem", FilesystemSettings(folder=str(tmp_path)), "a folder")


def open_below(folder):
    """Open files and folders in ``folder``, the folder itself included."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            continue
        if target.startswith(str(folder)):
            found.append(target)
    return found


async def nothing_open(folder):
    """Whether nothing is open any more once threads had the time to let go."""
    for _ in range(1000):
        gc.collect()
        if not open_below(folder):
            return True
        await asyncio.sleep(0.01)
    return False


async def read(provider, path=FILE, **kwargs):
    content = await provider.read(path, **kwargs)
    async with content.body as body:
        return await body.read(1 << 26)


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, LARGE])
async def test_sizes_around_a_block(provider, tmp_path, size):
    """The content is the same, whole and in parts, however it falls into blocks."""
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    assert await read(provider) == data
    for start, stop in ((0, size), (size // 3, size), (1, size - 1), (size - 1, size)):
        if 0 <= start < stop:
            part = ByteRange(start, stop - 1)
            assert await read(provider, range=part) == data[start:stop]


@needs_proc
async def test_a_small_file_is_not_kept_open(provider, tmp_path):
    """Opening reads it, so nothing must be closed later."""
    (tmp_path / "file").write_bytes(b"data")
    content = await provider.read(FILE)
    assert open_below(tmp_path) == []
    assert await content.body.read(10) == b"data"


@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite"])
async def test_a_file_that_changes_is_not_mixed(provider, tmp_path, change):
    """Whoever reads gets an error before the last bytes, and never a mixture as a whole."""
    file = tmp_path / "file"
    file.write_bytes(bytes(LARGE))
    content = await provider.read(FILE)
    async with content.body as body:
        await anext(body)
        with file.open("r+b") as changing:
            if change == "grow":
                changing.seek(0, os.SEEK_END)
                changing.write(b"more")
            elif change == "shrink":
                changing.truncate(BLOCK)
            else:
                changing.write(b"x" * LARGE)
        with pytest.raises(Corrupted):
            await body.read(1 << 26)


@pytest.mark.parametrize("change", ["replace", "delete", "move", "mode"])
async def test_what_happens_to_the_name_does_not_matter(provider, tmp_path, change):
    """An open file is read to its end, whatever becomes of its name."""
    data = os.urandom(LARGE)
    (tmp_path / "file").write_bytes(data)
    content = await provider.read(FILE)
    async with content.body as body:
        if change == "replace":
            await provider.write(FILE, ByteStream.of(b"new"))
        elif change == "delete":
            await provider.delete(FILE)
        elif change == "move":
            await provider.move_from(provider, FILE, ROOT.child("moved"))
        else:
            (tmp_path / "file").chmod(0o600)
        assert await body.read(1 << 26) == data


@needs_proc
@pytest.mark.parametrize("blocks", [0, 1, 3])
@pytest.mark.parametrize("how", ["close", "drop"])
async def test_a_reader_that_goes_away_leaves_nothing_open(provider, tmp_path, blocks, how):
    """Whether it closes the body or forgets it, after any number of blocks."""
    (tmp_path / "file").write_bytes(bytes(LARGE))
    content = await provider.read(FILE)
    for _ in range(blocks):
        await anext(content.body)
    assert open_below(tmp_path)
    if how == "close":
        await content.body.aclose()
        await content.body.aclose()
    else:
        del content
    assert await nothing_open(tmp_path)


@needs_proc
async def test_cancelled_readers_leave_nothing_open(provider, tmp_path):
    """Whenever the cancelling comes; threads may end a little later."""
    (tmp_path / "file").write_bytes(bytes(LARGE))
    for number in range(60):
        (tmp_path / f"{number}").write_bytes(b"")

    async def work():
        [entry async for entry in provider.list(ROOT)]
        await read(provider)

    tasks = [asyncio.create_task(work()) for _ in range(40)]
    for task in tasks:
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.wait(tasks)
    assert await nothing_open(tmp_path)


@needs_proc
@pytest.mark.parametrize("how", ["close", "drop"])
async def test_an_abandoned_listing_leaves_nothing_open(provider, tmp_path, how):
    """A folder is not listed to its end if nobody wants that."""
    for number in range(2 * BATCH):
        (tmp_path / f"{number}").touch()
    entries = provider.list(ROOT)
    await anext(entries)
    assert open_below(tmp_path)
    if how == "close":
        await entries.aclose()
    else:
        del entries
    assert await nothing_open(tmp_path)


@pytest.mark.parametrize("count", [BATCH - 1, BATCH, BATCH + 1, 3 * BATCH])
async def test_listings_around_a_batch(provider, tmp_path, count):
    """All entries come, each once, however they fall into batches."""
    for number in range(count):
        (tmp_path / f"{number}").touch()
    found = [entry.name async for entry in provider.list(ROOT)]
    assert len(found) == count
    assert set(found) == {str(number) for number in range(count)}


@needs_proc
async def test_nothing_stays_open_after_operations_that_fail(provider, tmp_path):
    """Errors close what was opened on the way to them."""
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    (tmp_path / "folder" / "file").write_bytes(b"data")
    file, folder = Path.parse("/folder/file"), Path.parse("/folder/sub/")
    missing = Path.parse("/folder/missing")
    for call in (
        provider.stat(missing),
        provider.stat(folder.as_file()),
        provider.read(missing),
        provider.read(file, range=ByteRange(99)),
        anext(provider.list(file.as_folder())),
        anext(provider.list(missing.as_folder())),
        provider.write(folder.as_file(), ByteStream.of(b"")),
        provider.delete(missing),
        provider.make_folder(folder),
        provider.copy_from(provider, missing, file),
        provider.copy_from(provider, file, folder.as_file()),
        provider.move_from(provider, Path.parse("/folder/"), folder.child("in", folder=True)),
    ):
        with pytest.raises(WaterButlerError):
            await call
    assert await nothing_open(tmp_path)


@pytest.mark.parametrize("seconds", [-(1 << 34), 0, 1 << 33, 1 << 40])
async def test_times_that_are_no_dates(provider, tmp_path, seconds):
    """A file with a strange time can be described; where it is no date there is none."""
    (tmp_path / "file").write_bytes(b"data")
    try:
        os.utime(tmp_path / "file", (seconds, seconds))
    except OverflowError:
        pytest.skip("the system has no such time")
    stored = (tmp_path / "file").stat().st_mtime
    [listed] = [entry async for entry in provider.list(ROOT)]
    assert listed.modified == (await provider.stat(FILE)).modified
    if listed.modified is not None:
        assert listed.modified.timestamp() == stored


def test_a_handle_is_not_closed_under_a_thread():
    """Closing waits, without blocking, until the thread inside is done."""
    released = []

    class Probe(Handle):
        def _release(self):
            released.append(threading.current_thread().name)

    probe = Probe()
    entered, leave = threading.Event(), threading.Event()

    def inside():
        with probe:
            entered.set()
            leave.wait()

    thread = threading.Thread(target=inside, name="inside")
    thread.start()
    entered.wait()
    probe.close()
    assert released == []
    leave.set()
    thread.join()
    probe.close()
    assert released == ["inside"]


@pytest.mark.skipif(not sending.CAN_SEND, reason="files are read on this system")
@pytest.mark.parametrize("crowded", [False, True])
async def test_a_long_send_makes_room_for_others(provider, tmp_path, monkeypatch, crowded):
    """But goes on in its thread if nobody waits for one."""
    step = 1 << 12
    monkeypatch.setattr(reading, "FIRST_BLOCK", step)
    monkeypatch.setattr(sending, "STEP", step)
    monkeypatch.setattr(sending, "TURN", 4 * step)
    monkeypatch.setattr(sending, "others_wait", lambda: crowded)
    # The socket has room for all of it.
    data = os.urandom(sending.TAIL + 8 * step)
    (tmp_path / "file").write_bytes(data)
    content = await provider.read(FILE)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        async with content.body as body:
            sent = []
            while body.sendable:
                sent.append(await body.send_to(ours.fileno()))
        ours.shutdown(socket.SHUT_WR)
        with theirs.makefile("rb") as received:
            assert received.read() == data[: 8 * step]
    assert sent == ([4 * step, 4 * step] if crowded else [8 * step])
