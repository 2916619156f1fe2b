"""Who is counted as whom."""

import pytest

from tests.limits.support import DOWN, Clock, Recorder
from waterbutler.limits import (
    Limiter,
    LimitsUnavailable,
    MemoryStore,
    Policy,
    Rate,
    Shown,
    WhenDown,
)

SECRET = b"only for tests"
RATE = Rate(2, 10)
POLICIES = {"v1": Policy(RATE), "sign_in": Policy(RATE, address_only=True)}
TOKEN = Shown("Bearer token-of-alice", "token-of-alice")
COOKIE = Shown("session=cookie-of-alice")


@pytest.fixture
def store():
    return Recorder()


@pytest.fixture
def limiter(store):
    return Limiter(POLICIES, store, secret=SECRET)


async def ask(
    limiter, shown=None, *, address="192.0.2.1", policy="v1", account=None, refused=False
):
    """One request and its answer; gives the key that it counted for."""
    ticket, _ = await limiter.count(policy, address, shown)
    limiter.learn(ticket, account, refused=refused)
    return limiter._store.keys[-1]


async def test_only_what_is_named_is_limited(limiter):
    assert limiter.covers("v1")
    assert not limiter.covers("gateway")


async def test_who_shows_nothing_counts_by_address(limiter):
    one = await ask(limiter)
    assert await ask(limiter) == one
    assert await ask(limiter, address="192.0.2.2") != one
    assert await ask(limiter, address="192.0.2.2") != await ask(limiter, address="2001:db8::1")
    assert await ask(limiter, address="2001:db8::1") == await ask(limiter, address="2001:db8::2")


@pytest.mark.parametrize("shown", [TOKEN, COOKIE], ids=["token", "cookie"])
async def test_who_was_let_in_counts_as_such_from_then_on(limiter, shown):
    """Wherever the next request comes from."""
    nobody = await ask(limiter)
    assert await ask(limiter, shown, account="alice") == nobody
    known = await ask(limiter, shown, account="alice")
    assert known != nobody
    assert await ask(limiter, shown, address="192.0.2.9", account="alice") == known
    assert await ask(limiter) == nobody


async def test_what_is_made_up_changes_nothing(limiter):
    """However many tokens and cookies somebody tries, they count for the address."""
    nobody = await ask(limiter)
    for number in range(20):
        token = Shown(f"Bearer {number}", str(number))
        assert await ask(limiter, token, refused=True) == nobody
        assert await ask(limiter, Shown(f"session={number}")) == nobody
    assert await ask(limiter, token) == nobody


async def test_each_token_counts_for_itself(limiter):
    """Also two of one user; but one token counts once, however it is shown."""
    one, other = Shown("Bearer one", "one"), Shown("Bearer other", "other")
    dressed = Shown("Basic bm9ib2R5Om9uZQ==", "one")
    for shown in (one, other, dressed):
        await ask(limiter, shown, account="alice")
    assert await ask(limiter, one, account="alice") != await ask(limiter, other, account="alice")
    assert await ask(limiter, one, account="alice") == await ask(limiter, dressed, account="alice")


async def test_the_same_password_of_two_users_counts_twice(limiter):
    alice, bob = Shown("Basic alice", "secret"), Shown("Basic bob", "secret")
    await ask(limiter, alice, account="alice")
    await ask(limiter, bob, account="bob")
    assert await ask(limiter, alice) != await ask(limiter, bob)


async def test_all_sessions_of_a_user_count_as_one(limiter):
    """Signing in again gives nothing anew."""
    one, other = Shown("session=one"), Shown("session=other")
    await ask(limiter, one, account="alice")
    await ask(limiter, other, account="alice")
    assert await ask(limiter, one) == await ask(limiter, other)


async def test_a_token_that_is_refused_is_forgotten(limiter):
    nobody = await ask(limiter)
    await ask(limiter, TOKEN, account="alice")
    assert await ask(limiter, TOKEN, refused=True) != nobody
    assert await ask(limiter, TOKEN) == nobody


async def test_signing_in_counts_by_address_whatever_is_shown(limiter):
    await ask(limiter, TOKEN, account="alice")
    known = await ask(limiter, TOKEN, policy="sign_in", account="alice")
    assert known == await ask(limiter, policy="sign_in")
    assert known != await ask(limiter)


async def test_only_so_many_are_known(store):
    """Who was not seen for the longest time counts by address once more."""
    limiter = Limiter(POLICIES, store, secret=SECRET, most_known=3)
    nobody = await ask(limiter)
    shown = [Shown(f"Bearer {number}", str(number)) for number in range(4)]
    for one in shown[:3]:
        await ask(limiter, one, account="alice")
    await ask(limiter, shown[0], account="alice")
    await ask(limiter, shown[3], account="alice")
    assert await ask(limiter, shown[1]) == nobody
    assert await ask(limiter, shown[0]) != nobody


async def test_no_key_shows_what_it_was_made_of(limiter, store):
    """And without the secret nobody can make it from a guess."""
    await ask(limiter, TOKEN, account="alice")
    await ask(limiter, TOKEN, account="alice")
    await ask(limiter)
    for key in store.keys:
        assert "alice" not in key
        assert "192.0.2" not in key
    other = Limiter(POLICIES, Recorder(), secret=b"another one")
    assert await ask(other) not in store.keys
    same = Limiter(POLICIES, Recorder(), secret=SECRET)
    assert await ask(same) in store.keys


def test_what_is_shown_is_not_in_a_repr():
    assert "alice" not in repr(TOKEN) + repr(COOKIE)


async def test_a_store_that_is_down_lets_in_or_refuses(store):
    """As the setting says; with a time to come back at, and no word of the store's."""
    store.error = DOWN
    ticket, verdict = await Limiter(POLICIES, store, secret=SECRET).count("v1", "::1", None)
    assert verdict is None
    assert ticket.known_as == ""
    strict = Limiter(POLICIES, store, secret=SECRET, when_down=WhenDown.REFUSE)
    with pytest.raises(LimitsUnavailable) as raised:
        await strict.count("v1", "::1", None)
    assert raised.value.retry_after > 0
    assert "ConnectionError" not in raised.value.message
    assert raised.value.__suppress_context__


async def test_limits_of_two_dialects_are_apart():
    policies = {"v1": Policy(Rate(1, 10)), "v0": Policy(Rate(2, 10))}
    limiter = Limiter(policies, MemoryStore(clock=Clock()), secret=SECRET)

    async def allowed(policy):
        return (await limiter.count(policy, "::1", None))[1].allowed

    assert [await allowed(name) for name in ("v1", "v1", "v0", "v0", "v0")] == [
        *(True, False),
        *(True, True, False),
    ]
    await limiter.aclose()
