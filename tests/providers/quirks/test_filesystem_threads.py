"""Threads that blocking calls run in."""

import asyncio
import threading
import time

import pytest

from tests.waiting import until
from waterbutler_filesystem import threads
from waterbutler_filesystem.threads import begin, others_wait

MOST = 6
"""Threads that never end are few."""


@pytest.fixture
def pool(monkeypatch):
    """Threads that nobody had before."""
    pool = threads._Pool()
    monkeypatch.setattr(threads, "_pool", pool)
    monkeypatch.setattr(threads, "COUNT", MOST)
    return pool


@pytest.fixture
def gate():
    """Holds calls until it is opened."""
    gate = threading.Event()
    yield gate
    gate.set()


async def test_all_are_called_with_as_many_threads_as_there_may_be(pool, gate):
    """Who finds none waits."""
    inside = []

    def call(number):
        inside.append(threading.current_thread())
        assert gate.wait(20)
        return number

    calls = [begin(lambda number=number: call(number)) for number in range(3 * MOST)]
    await until(lambda: len(inside) == MOST)
    assert others_wait()
    gate.set()
    assert await asyncio.gather(*calls) == list(range(3 * MOST))
    assert len(set(inside)) == MOST
    assert not others_wait()


async def test_who_was_busy_last_is_next(pool, gate):
    """The others sleep."""
    crowd = [begin(lambda: gate.wait(20)) for _ in range(MOST)]
    gate.set()
    await asyncio.gather(*crowd)
    await until(lambda: len(pool._idle) == MOST)
    names = set()
    for _ in range(100):
        names.add(await begin(lambda: threading.current_thread().name))
        await until(lambda: len(pool._idle) == MOST)
    assert len(names) == 1


@pytest.mark.parametrize("had", [0, 1])
async def test_no_thread_can_be_started(pool, gate, monkeypatch, had):
    """Then those that there are do the work; without any, the caller is told."""
    busy = [begin(lambda: gate.wait(20)) for _ in range(had)]

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    if not had:
        with pytest.raises(RuntimeError):
            begin(lambda: 1)
        return
    call = begin(lambda: 1)
    assert others_wait()
    gate.set()
    assert await call == 1
    await asyncio.gather(*busy)


async def test_many_at_random(pool):
    """Nothing is lost between a thread that goes to sleep and a call that comes."""
    done = 0

    async def client(number):
        nonlocal done
        for turn in range(200):
            pause = 0.0005 if (number + turn) % 7 == 0 else 0
            await begin(lambda pause=pause: time.sleep(pause))
            done += 1

    async with asyncio.timeout(60):
        await asyncio.gather(*map(client, range(2 * MOST)))
    assert done == 400 * MOST
