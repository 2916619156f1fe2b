"""Counting in memory."""

import pytest

from tests.limits.support import Clock
from waterbutler.limits import MemoryStore, Rate

RATE = Rate(2, 10)


@pytest.fixture
def clock():
    return Clock()


async def test_each_caller_has_a_limit_of_its_own(clock):
    store = MemoryStore(clock=clock)
    first = [(await store.count("a", RATE)).allowed for _ in range(3)]
    assert first == [True, True, False]
    assert (await store.count("b", RATE)).allowed


async def test_time_gives_it_back(clock):
    store = MemoryStore(clock=clock)
    for _ in range(3):
        await store.count("a", RATE)
    clock.now += 5
    assert [(await store.count("a", RATE)).allowed for _ in range(2)] == [True, False]
    clock.now += 100
    verdict = await store.count("a", RATE)
    assert (verdict.allowed, verdict.remaining, verdict.reset) == (True, 1, 5)


async def test_the_table_does_not_grow_without_end(clock):
    """Somebody with ever new addresses fills it, and then pushes out whoever was silent longest."""
    store = MemoryStore(most=100, clock=clock)
    for number in range(1000):
        await store.count(f"address {number}", RATE)
        assert len(store) <= 100
    assert not [(await store.count("address 999", RATE)).allowed for _ in range(2)][1]


async def test_who_keeps_asking_is_not_pushed_out(clock):
    """A refused caller stays refused while others come and go."""
    store = MemoryStore(most=10, clock=clock)
    await store.count("busy", RATE)
    await store.count("busy", RATE)
    for number in range(100):
        await store.count(f"address {number}", RATE)
        assert not (await store.count("busy", RATE)).allowed


async def test_who_owes_nothing_is_forgotten(clock):
    """New callers make the table smaller again after many have left."""
    store = MemoryStore(clock=clock)
    for number in range(50):
        await store.count(f"old {number}", RATE)
    clock.now += 60
    for number in range(40):
        await store.count(f"new {number}", RATE)
    assert len(store) == 40


async def test_closing_forgets_everything(clock):
    store = MemoryStore(clock=clock)
    await store.count("a", RATE)
    await store.aclose()
    assert len(store) == 0
