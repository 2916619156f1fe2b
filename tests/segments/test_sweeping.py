"""What expired, and what a process left that was killed, goes away; what lives stays."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from tests.segments.conftest import OWNER, content, plan_of, put, put_all
from waterbutler.core import ByteStream
from waterbutler.core.errors import NotFound, QuotaExceeded

ONE, TWO = b"one" * 1000, b"two" * 2000

KILLED = """
import asyncio, pathlib, sys
from waterbutler.core import ByteStream
from waterbutler.segments import SegmentUploads

async def endless():
    yield b"x" * (1 << 20)
    print("writing", flush=True)
    await asyncio.Event().wait()

async def main(file, spool, id):
    uploads = SegmentUploads(pathlib.Path(file), pathlib.Path(spool), quota=1 << 30,
                             clock=lambda: 1e6)
    await uploads.put("user/mount", id, 2, ByteStream(endless()))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_what_expired_goes(uploads, stored, spool, clock):
    session = await uploads.begin(OWNER, plan_of(ONE, TWO))
    await put(uploads, session, 1, ONE)
    clock.now += 43200
    young = await uploads.begin(OWNER, plan_of(TWO))
    await put(uploads, young, 1, TWO)
    assert await uploads.sweep() == 0
    clock.now += 43200
    assert await uploads.sweep() == 1
    assert stored() == [len(TWO)]
    assert [folder.name for folder in spool.iterdir()] == [young.id]
    assert await uploads.sweep() == 0
    assert await content(await uploads.open(OWNER, young.id)) == TWO


async def test_sweeping_frees_the_room(make_uploads, clock):
    uploads = make_uploads(quota=len(ONE))
    session = await uploads.begin(OWNER, plan_of(ONE))
    await put(uploads, session, 1, ONE)
    with pytest.raises(QuotaExceeded):
        await uploads.begin(OWNER, plan_of(ONE))
    clock.now += 86400
    await uploads.sweep()
    await uploads.begin(OWNER, plan_of(ONE))


async def test_what_is_being_stored_stays(uploads, other, clock, stored):
    session = await uploads.begin(OWNER, plan_of(ONE, TWO))
    await put_all(uploads, session, ONE, TWO)
    clock.now += 86399
    body = await uploads.open(OWNER, session.id)
    first = await anext(body)
    clock.now += 3600
    assert await other.sweep() == 0
    assert first + await content(body) == ONE + TWO
    await uploads.done(OWNER, session.id)
    assert stored() == []


async def test_what_is_being_written_stays(uploads, other, clock, stored):
    session = await uploads.begin(OWNER, plan_of(ONE))
    waits, goes_on = asyncio.Event(), asyncio.Event()

    async def slow():
        yield ONE[:10]
        waits.set()
        await goes_on.wait()
        yield ONE[10:]

    task = asyncio.create_task(uploads.put(OWNER, session.id, 1, ByteStream(slow())))
    await waits.wait()
    clock.now += 3600
    assert await other.sweep() == 0
    goes_on.set()
    await task
    assert await content(await other.open(OWNER, session.id)) == ONE
    assert await other.sweep() == 0


async def test_a_killed_process_leaves_what_the_sweep_removes(
    make_uploads, tmp_path, spool, clock, stored
):
    room = len(ONE) + 2 * (1 << 20)
    uploads = make_uploads(quota=room)
    large = bytes(1 << 21)[: room - len(ONE)]
    session = await uploads.begin(OWNER, plan_of(ONE, large))
    await put(uploads, session, 1, ONE)
    arguments = [str(tmp_path / "data" / "segments.db"), str(spool), session.id]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *arguments], stdout=subprocess.PIPE)
    try:
        assert await asyncio.to_thread(process.stdout.readline) == b"writing\n"
        clock.now += 3600
        assert await uploads.sweep() == 0
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert stored() == sorted([len(ONE), 1 << 20])
    with pytest.raises(QuotaExceeded):
        await put(uploads, session, 2, large)
    assert await uploads.sweep() == 1
    assert stored() == [len(ONE)]
    await put(uploads, session, 2, large)
    assert await content(await uploads.open(OWNER, session.id)) == ONE + large


async def test_files_that_nothing_refers_to_go(uploads, spool, stored):
    session = await uploads.begin(OWNER, plan_of(ONE))
    await put(uploads, session, 1, ONE)
    (spool / session.id / "1-old").write_bytes(b"replaced")
    (spool / "ended").mkdir()
    (spool / "ended" / "1-old").write_bytes(b"cancelled")
    (spool / "stray").write_bytes(b"not ours")
    assert await uploads.sweep() == 2
    assert stored() == sorted([len(ONE), len(b"not ours")])
    assert await content(await uploads.open(OWNER, session.id)) == ONE


async def test_sweeping_before_anything_was_uploaded(uploads):
    assert await uploads.sweep() == 0


async def test_it_is_swept_at_the_start_and_again(make_uploads, clock, spool):
    uploads = make_uploads(look=0.01)
    for _ in range(2):
        session = await uploads.begin(OWNER, plan_of(ONE))
        await put(uploads, session, 1, ONE)
        clock.now += 86400
        assert list(spool.iterdir())
        uploads.start()
        while list(spool.iterdir()):
            await asyncio.sleep(0.01)
        with pytest.raises(NotFound):
            await uploads.get(OWNER, session.id)


async def test_sweeping_goes_on_after_a_failure(make_uploads, clock, spool, monkeypatch):
    uploads = make_uploads(look=0.01)
    session = await uploads.begin(OWNER, plan_of(ONE))
    await put(uploads, session, 1, ONE)
    clock.now += 86400
    tried = asyncio.Event()
    sweep = uploads.sweep

    async def fail():
        if not tried.is_set():
            tried.set()
            raise OSError("no")
        return await sweep()

    monkeypatch.setattr(uploads, "sweep", fail)
    uploads.start()
    await tried.wait()
    while list(spool.iterdir()):
        await asyncio.sleep(0.01)
