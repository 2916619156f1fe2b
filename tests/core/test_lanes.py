"""Work on passing bytes, side by side."""

import asyncio
import random
import threading

import pytest

from tests.waiting import until
from waterbutler.core.lanes import MOST, Lanes


class Worker:
    """Keeps what it gets; holds still while ``gate`` is closed."""

    def __init__(self):
        self.pieces = []
        self.calls = 0
        self.together = 0
        self.inside = 0
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, pieces):
        self.inside += 1
        self.together = max(self.together, self.inside)
        self.gate.wait(20)
        self.pieces += pieces
        self.calls += 1
        self.inside -= 1


class Broken(Exception):
    """What a worker raises."""


async def test_everybody_gets_everything_in_order():
    """And one call at a time."""
    workers = [Worker() for _ in range(3)]
    lanes = Lanes(*workers)
    pieces = [b"%d" % number for number in range(2000)]
    for piece in pieces:
        await lanes.put([piece], random.choice([0, 100, 10_000]))
        if random.random() < 0.05:
            await asyncio.sleep(0)
    await lanes.join()
    assert lanes.behind == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert all(worker.pieces == pieces and worker.together == 1 for worker in workers)


async def test_the_slow_one_does_not_hold_up_the_fast_one():
    """As long as there is room."""
    slow, fast = Worker(), Worker()
    slow.gate.clear()
    lanes = Lanes(slow, fast)
    for piece in (b"a", b"b", b"c"):
        await lanes.put([piece], 3)
    await until(lambda: fast.pieces == [b"a", b"b", b"c"])
    assert (slow.pieces, lanes.behind) == ([], 3)
    slow.gate.set()
    await lanes.join()
    assert slow.pieces == fast.pieces


async def test_it_waits_where_there_is_no_room():
    """Until the slowest has made some."""
    slow = Worker()
    slow.gate.clear()
    lanes = Lanes(slow, Worker())
    await lanes.put([b"1234"], 4)
    waiting = asyncio.create_task(lanes.put([b"5678"], 4))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    slow.gate.set()
    async with asyncio.timeout(20):
        await waiting
    await lanes.join()


async def test_what_has_piled_up_is_handed_over_together():
    """Up to a limit."""
    worker = Worker()
    worker.gate.clear()
    lanes = Lanes(worker)
    piece = bytes(MOST // 4)
    for _ in range(9):
        await lanes.put([piece], 9 * MOST)
    await until(lambda: worker.inside)
    worker.gate.set()
    await lanes.join()
    assert len(worker.pieces) == 9
    assert worker.calls in {3, 4}


async def test_what_a_worker_raises():
    """Whoever puts or waits next gets it; the worker gets nothing more."""
    seen = []

    def breaks(pieces):
        seen.append(pieces)
        raise Broken

    other = Worker()
    lanes = Lanes(breaks, other)
    with pytest.raises(Broken):
        await lanes.put([b"a"], 0)
    with pytest.raises(Broken):
        await lanes.put([b"b"], 10)
    with pytest.raises(Broken):
        await lanes.join()
    await lanes.stop()
    assert seen == [[b"a"]]


async def test_stopping():
    """What runs ends; what waits is not begun with."""
    worker = Worker()
    worker.gate.clear()
    lanes = Lanes(worker)
    for piece in (b"a", b"b"):
        await lanes.put([piece], 2)
        await until(lambda: worker.inside)
    stopping = asyncio.create_task(lanes.stop())
    await asyncio.sleep(0.05)
    assert not stopping.done()
    worker.gate.set()
    async with asyncio.timeout(20):
        await stopping
    assert (worker.pieces, worker.inside) == ([b"a"], 0)


async def test_whoever_stops_waiting_leaves_no_task():
    """A stream that is broken off knows nothing of its hashes."""
    worker = Worker()
    worker.gate.clear()
    lanes = Lanes(worker)
    waiting = asyncio.create_task(lanes.put([b"a"], 0))
    await until(lambda: worker.inside)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    worker.gate.set()
    await until(lambda: not lanes.behind)


async def test_nobody():
    """Without workers nothing is ever left to do."""
    lanes = Lanes()
    await lanes.put([b"a"], 0)
    await lanes.join()
    assert lanes.behind == 0


async def test_new_work_after_all_was_done():
    """A lane that had ended begins again, also at the very moment when it ends."""
    worker = Worker()
    lanes = Lanes(worker)
    async with asyncio.timeout(60):
        for number in range(3000):
            await lanes.put([b"x"], 0 if number % 3 else 1)
        await lanes.join()
    assert len(worker.pieces) == 3000
