"""A store that is out of order costs nobody more than a moment."""

import asyncio

import pytest

from tests.harness import captured_log
from tests.limits.support import DOWN, Clock, Recorder
from waterbutler.limits import Breaker, Rate, StoreDown

RATE = Rate(5, 10)


class Stuck(Recorder):
    """A store that never answers while it is stuck."""

    def __init__(self):
        super().__init__()
        self.stuck = True

    async def count(self, key, rate):
        verdict = await super().count(key, rate)
        if self.stuck:
            await asyncio.Event().wait()
        return verdict


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log():
    with captured_log() as events:
        yield events


async def fails(breaker):
    with pytest.raises(StoreDown):
        await breaker.count("a", RATE)


async def test_what_works_is_passed_on(clock):
    store = Recorder()
    breaker = Breaker(store, clock=clock)
    assert (await breaker.count("a", RATE)).remaining == 4
    await breaker.aclose()
    assert store.keys == ["a"]
    assert store.closed


async def test_after_some_failures_the_store_is_left_alone(clock, log):
    """And the log says so once, without a word of the store's own."""
    store = Recorder()
    store.error = DOWN
    breaker = Breaker(store, failures=3, pause=5, clock=clock)
    for _ in range(10):
        await fails(breaker)
    assert len(store.keys) == 3
    assert [event["event"] for event in log] == ["requests cannot be counted"]
    assert log[0]["reason"] == "ConnectionError"


async def test_one_failure_is_forgiven(clock):
    """Failures count only in a row."""
    store = Recorder()
    breaker = Breaker(store, failures=2, clock=clock)
    for _ in range(5):
        store.error = DOWN
        await fails(breaker)
        store.error = None
        await breaker.count("a", RATE)
    assert len(store.keys) == 10


async def test_one_request_tries_it_again(clock, log):
    """The others stay away until that worked."""
    store = Stuck()
    breaker = Breaker(store, failures=1, pause=5, patience=0.01, clock=clock)
    await fails(breaker)
    clock.now += 5.1
    store.keys.clear()
    results = await asyncio.gather(
        *(breaker.count(str(number), RATE) for number in range(5)), return_exceptions=True
    )
    assert all(isinstance(result, StoreDown) for result in results)
    assert store.keys == ["0"]
    store.stuck = False
    await fails(breaker)
    clock.now += 5.1
    for _ in range(3):
        await breaker.count("back", RATE)
    assert store.keys == ["0", "back", "back", "back"]
    assert [event["event"] for event in log] == [
        "requests cannot be counted",
        "requests are counted again",
    ]


async def test_a_silent_store_is_not_waited_for(clock):
    """It ends by itself, although the store never answers."""
    breaker = Breaker(Stuck(), patience=0.01, clock=clock)
    with pytest.raises(StoreDown, match="TimeoutError"):
        await breaker.count("a", RATE)


async def test_a_request_that_was_given_up_stays_given_up(clock):
    """A cancellation from outside is no failure of the store."""
    breaker = Breaker(Stuck(), patience=60, failures=1, clock=clock)
    task = asyncio.ensure_future(breaker.count("a", RATE))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
