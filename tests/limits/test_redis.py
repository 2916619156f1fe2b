"""Counting in a real Redis."""

import asyncio
import secrets
import signal

import pytest

from tests.harness import captured_log
from tests.limits.support import Clock
from tests.servers.redis import own_redis, redis
from waterbutler.core.errors import ConfigInvalid
from waterbutler.limits import Breaker, Rate, RedisStore, StoreDown
from waterbutler.limits.redis import PREFIX

LONG = Rate(20, 3600)
"""So slow that nothing comes back while a test runs."""
PATIENT = 60.0
"""Longer than a Redis takes on any machine, so that only its failures fail."""


@pytest.fixture
def url():
    return redis()


@pytest.fixture
def store(url, io_loop):
    store = RedisStore(url)
    yield store
    io_loop.run_sync(store.aclose)


@pytest.fixture
def key():
    return secrets.token_hex(8)


@pytest.fixture
def client(store):
    """To look into Redis with."""
    return store._client


@pytest.fixture
def own(tmp_path):
    with own_redis(tmp_path) as server:
        yield server


@pytest.fixture
def own_store(own, io_loop):
    store = RedisStore(own.url)
    yield store
    io_loop.run_sync(store.aclose)


async def test_it_counts_as_the_arithmetic_says(store, key):
    seen = [await store.count(key, LONG) for _ in range(22)]
    assert [verdict.allowed for verdict in seen] == [True] * 20 + [False] * 2
    assert [verdict.remaining for verdict in seen[:3]] == [19, 18, 17]
    assert seen[-1].remaining == 0
    assert 175 <= seen[-1].retry_after <= 180
    assert 3595 <= seen[-1].reset <= 3600


async def test_time_gives_it_back(store, key):
    """By the clock of Redis: a refused caller gets in again, and then is refused again."""
    rate = Rate(20, 1)

    async def until(allowed):
        for _ in range(1000):
            if (await store.count(key, rate)).allowed is allowed:
                return True
            await asyncio.sleep(0 if not allowed else 0.01)
        return False

    assert await until(allowed=False)
    assert await until(allowed=True)
    assert await until(allowed=False)


async def test_every_key_ends_by_itself(store, client, key):
    """After an allowed request and after a refused one, and no later than it must."""
    for _ in range(22):
        await store.count(key, LONG)
        assert 0 < await client.pttl(PREFIX + key) <= 3_600_000
    await store.count(key + "b", Rate(100, 1))
    assert 0 < await client.pttl(PREFIX + key + "b") <= 11


@pytest.mark.parametrize("foreign", ["nonsense", "9" * 30, "-5", "", "nan", "inf"])
async def test_a_key_without_an_end_gets_one(store, client, key, foreign):
    """Whatever is found there, nobody is kept out for longer than the window."""
    await client.set(PREFIX + key, foreign)
    verdict = await store.count(key, LONG)
    assert verdict.reset <= 3600
    assert 0 < await client.pttl(PREFIX + key) <= 3_600_000


async def test_a_limit_that_was_made_shorter_counts_at_once(store, client, key):
    """What was owed under the old one is brought down to the new window."""
    for _ in range(20):
        await store.count(key, LONG)
    verdict = await store.count(key, Rate(5, 10))
    assert not verdict.allowed
    assert verdict.retry_after <= 2
    assert await client.pttl(PREFIX + key) <= 10_000


async def test_servers_that_share_it_let_no_more_through(url, key):
    """Two of them, each with many requests at once."""
    stores = [RedisStore(url), RedisStore(url)]
    try:
        verdicts = await asyncio.gather(
            *(stores[number % 2].count(key, LONG) for number in range(300))
        )
    finally:
        for store in stores:
            await store.aclose()
    assert sum(verdict.allowed for verdict in verdicts) == 20


async def test_a_key_of_another_kind_is_a_failure(store, client, key):
    """It is said by name only."""
    await client.rpush(PREFIX + key, "x")
    with pytest.raises(StoreDown, match=r"^\w+$"):
        await store.count(key, LONG)
    await client.delete(PREFIX + key)


async def test_a_redis_that_is_gone_and_comes_back(own, own_store, key):
    """Requests fail without its text or its password; afterwards they are counted again."""
    clock = Clock()
    breaker = Breaker(own_store, patience=PATIENT, failures=2, pause=5, clock=clock)
    assert (await breaker.count(key, LONG)).allowed
    own.stop()
    with captured_log() as log:
        for _ in range(4):
            with pytest.raises(StoreDown) as raised:
                await breaker.count(key, LONG)
            assert "hidden-password" not in str(raised.value)
            assert str(own.port) not in str(raised.value)
    assert len(log) == 1
    assert "hidden-password" not in repr(log)
    assert str(own.port) not in repr(log)
    own.start()
    with pytest.raises(StoreDown):
        await breaker.count(key, LONG)
    clock.now += 6
    verdict = await breaker.count(key, LONG)
    assert (verdict.allowed, verdict.remaining) == (True, 19)


async def test_a_restart_between_two_requests_goes_unnoticed(own, own_store, key):
    """The connection is made anew, and the script is loaded again."""
    await own_store.count(key, LONG)
    own.stop()
    own.start()
    assert (await own_store.count(key, LONG)).remaining == 19


async def test_a_redis_that_hangs(own, own_store, key):
    """Nobody waits for it; what it says too late is not taken for another answer."""
    for _ in range(5):
        await own_store.count(key, LONG)
    own.process.send_signal(signal.SIGSTOP)
    hasty = Breaker(own_store, patience=0.05, failures=1000)
    hung = await asyncio.gather(
        *(hasty.count(f"{key}-{number}", Rate(7, 3600)) for number in range(100)),
        return_exceptions=True,
    )
    assert {repr(result) for result in hung} == {"StoreDown('TimeoutError')"}
    own.process.send_signal(signal.SIGCONT)
    patient = Breaker(own_store, patience=PATIENT)
    verdicts = await asyncio.gather(*(patient.count(key, LONG) for _ in range(40)))
    assert sorted(verdict.remaining for verdict in verdicts if verdict.allowed) == list(range(15))


async def test_a_wrong_password_is_a_failure(own, key):
    store = RedisStore(own.url.replace("hidden-password", "wrong-password"))
    try:
        with pytest.raises(StoreDown) as raised:
            await store.count(key, LONG)
    finally:
        await store.aclose()
    assert "password" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://:hunter2@h", "redis://:hunter2@h:port/0", "hunter2"])
def test_an_address_that_makes_no_sense(url):
    """It is refused at the start and not repeated."""
    with pytest.raises(ConfigInvalid) as raised:
        RedisStore(url)
    assert "limits.redis" in raised.value.message
    assert "hunter2" not in raised.value.message


def test_without_the_package(monkeypatch):
    """The error says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "redis", None)
    with pytest.raises(ConfigInvalid, match="extra"):
        RedisStore("redis://127.0.0.1/0")
