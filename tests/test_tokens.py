"""Tokens stand for a secret until they end, for all processes alike; their file tells nothing."""

import asyncio
import sqlite3
import stat
import string
import subprocess
import sys

import pytest

from waterbutler.core.errors import ProviderUnavailable
from waterbutler.tokens import TokenStore

SECRET = b"the user's own token"
HOUR = 3600.0
DAY = 24 * HOUR


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data" / "tokens.db"


@pytest.fixture
def make_store(io_loop, file, clock):
    stores = []

    def make(**changes):
        options = {"access_seconds": HOUR, "refresh_seconds": 30 * DAY, "clock": clock} | changes
        stores.append(TokenStore(file, **options))
        return stores[-1]

    yield make
    for store in stores:
        io_loop.run_sync(store.aclose)


@pytest.fixture
def store(make_store):
    return make_store()


@pytest.fixture
def other(make_store):
    """What another worker has."""
    return make_store()


async def secret_of(store, access):
    session = await store.open(access)
    return session and session.secret


async def test_a_token_stands_for_the_secret(store, other):
    tokens = await store.issue(SECRET)
    assert await secret_of(store, tokens.access) == SECRET
    session = await other.open(tokens.access)
    assert session.secret == SECRET
    assert session.family == (await store.open(tokens.access)).family


async def test_tokens_are_long_random_and_fit_into_urls(store):
    made = [await store.issue(SECRET) for _ in range(20)]
    texts = [text for tokens in made for text in (tokens.access, tokens.refresh)]
    assert len(set(texts)) == 40
    for text in texts:
        assert len(text) >= 43
        assert set(text) <= set(string.ascii_letters + string.digits + "-_")


async def test_neither_tokens_nor_secrets_are_in_their_representations(store):
    tokens = await store.issue(SECRET)
    session = await store.open(tokens.access)
    shown = repr((tokens, session))
    assert not any(text in shown for text in (tokens.access, tokens.refresh, "own token"))


@pytest.mark.parametrize("text", ["", "x", "a" * 43, "ž" * 43, "\ud800", "a" * 10_000, "\0"])
async def test_what_was_never_issued_is_unknown(store, text):
    await store.issue(SECRET)
    assert await store.open(text) is None
    assert await store.refresh(text) is None
    assert await store.revoke(text) is False


async def test_each_token_has_one_use(store):
    tokens = await store.issue(SECRET)
    assert await store.open(tokens.refresh) is None
    assert await store.refresh(tokens.access) is None
    assert await secret_of(store, tokens.access) == SECRET


async def test_an_access_token_expires(store, clock):
    tokens = await store.issue(SECRET)
    clock.now += HOUR - 1
    assert await secret_of(store, tokens.access) == SECRET
    clock.now += 1
    assert await store.open(tokens.access) is None
    assert await store.refresh(tokens.refresh) is not None


async def test_a_refresh_token_expires_and_each_refresh_begins_anew(store, clock):
    first = await store.issue(SECRET)
    clock.now += 29 * DAY
    second, secret = await store.refresh(first.refresh)
    assert secret == SECRET
    clock.now += 29 * DAY
    assert await store.refresh(first.refresh) is None
    third, _ = await store.refresh(second.refresh)
    clock.now += 30 * DAY
    assert await store.refresh(third.refresh) is None


async def test_a_refresh_keeps_the_family_and_its_access_tokens(store):
    first = await store.issue(SECRET)
    second, _ = await store.refresh(first.refresh)
    old, new = await store.open(first.access), await store.open(second.access)
    assert old == new
    assert len({first.access, first.refresh, second.access, second.refresh}) == 4


@pytest.mark.parametrize("later", [0.0, 20 * DAY])
async def test_a_refresh_whose_answer_was_lost_can_be_repeated(store, clock, later):
    first = await store.issue(SECRET)
    await store.refresh(first.refresh)
    clock.now += later
    again, _ = await store.refresh(first.refresh)
    assert await secret_of(store, again.access) == SECRET
    assert await store.refresh(again.refresh) is not None


async def test_requests_under_way_may_refresh_beside_each_other(store, other, clock):
    first = await store.issue(SECRET)
    one, two = await asyncio.gather(store.refresh(first.refresh), other.refresh(first.refresh))
    assert await secret_of(store, one[0].access) == SECRET
    clock.now += 59
    late = await store.refresh(first.refresh)
    for tokens, _ in (one, two, late):
        assert await secret_of(other, tokens.access) == SECRET


@pytest.mark.parametrize("use", ["access", "refresh"])
async def test_a_replaced_refresh_token_ends_the_family_after_the_grace(store, other, clock, use):
    first = await store.issue(SECRET)
    second, _ = await store.refresh(first.refresh)
    if use == "access":
        assert await store.open(second.access)
    else:
        second, _ = await store.refresh(second.refresh)
    clock.now += 60
    assert await other.refresh(first.refresh) is None
    assert await store.open(second.access) is None
    assert await store.refresh(second.refresh) is None
    assert await store.open(first.access) is None


async def test_signing_out_ends_the_family_at_once_in_all_workers(store, other):
    first = await store.issue(SECRET)
    second, _ = await other.refresh(first.refresh)
    bystander = await store.issue(SECRET)
    assert await secret_of(other, second.access) == SECRET
    assert await store.revoke(first.access) is True
    for tokens in (first, second):
        assert await other.open(tokens.access) is None
        assert await other.refresh(tokens.refresh) is None
        assert await other.revoke(tokens.access) is False
    assert await secret_of(other, bystander.access) == SECRET


async def test_signing_out_works_with_every_token_of_the_family(store, clock):
    for kind in ("access", "refresh"):
        tokens = await store.issue(SECRET)
        clock.now += 2 * HOUR
        assert await store.revoke(getattr(tokens, kind)) is True
        assert await store.refresh(tokens.refresh) is None


async def test_tokens_survive_a_restart(make_store):
    before = make_store()
    tokens = await before.issue(SECRET)
    await before.aclose()
    assert await secret_of(make_store(), tokens.access) == SECRET


async def test_the_file_holds_neither_tokens_nor_secrets(store, file):
    tokens = await store.issue(SECRET, holder="somebody@example.org")
    tokens, _ = await store.refresh(tokens.refresh)
    await store.open(tokens.access)
    everything = b"".join(path.read_bytes() for path in file.parent.iterdir())
    for secret in (SECRET, tokens.access.encode(), tokens.refresh.encode(), b"somebody"):
        assert secret not in everything


async def test_a_seal_opens_for_its_own_token_only(store, file):
    """Who can write to the file cannot let one token open what another one stands for."""
    mine, theirs = await store.issue(b"mine"), await store.issue(b"theirs")
    with sqlite3.connect(file) as database:
        database.execute("UPDATE tokens SET wrapped = (SELECT wrapped FROM tokens LIMIT 1)")
    database.close()
    opened = [await secret_of(store, tokens.access) for tokens in (mine, theirs)]
    assert opened == [b"mine", None]
    assert await store.refresh(theirs.refresh) is None


async def test_only_the_owner_can_read_the_files(store, file):
    await store.issue(SECRET)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_what_has_ended_is_swept(store, file, clock):
    for _ in range(3):
        await store.issue(SECRET)
    clock.now += 30 * DAY
    await store.issue(SECRET)
    with sqlite3.connect(file) as database:
        counts = database.execute(
            "SELECT (SELECT count(*) FROM families), (SELECT count(*) FROM tokens)"
        ).fetchone()
    database.close()
    assert counts == (1, 2)


async def test_the_families_of_a_holder_are_bounded(make_store, clock):
    store = make_store(per_holder=2)
    bystander = await store.issue(SECRET, holder="b")
    made = []
    for _ in range(2):
        clock.now += 1
        made.append(await store.issue(SECRET, holder="a"))
    clock.now += 1
    kept, _ = await store.refresh(made[0].refresh)
    last = await store.issue(SECRET, holder="a")
    assert await store.open(made[1].access) is None
    for tokens in (bystander, kept, last):
        assert await secret_of(store, tokens.access) == SECRET


async def test_all_families_are_bounded(make_store, clock):
    store = make_store(families=2)
    made = []
    for holder in ("a", "", "b"):
        clock.now += 1
        made.append(await store.issue(SECRET, holder=holder))
    assert [await secret_of(store, tokens.access) for tokens in made] == [None, SECRET, SECRET]


async def test_the_tokens_of_a_family_are_bounded(store, file, monkeypatch):
    monkeypatch.setattr("waterbutler.tokens._KEPT", 6)
    tokens = await store.issue(SECRET)
    for _ in range(10):
        tokens, _ = await store.refresh(tokens.refresh)
    assert await secret_of(store, tokens.access) == SECRET
    with sqlite3.connect(file) as database:
        (count,) = database.execute("SELECT count(*) FROM tokens").fetchone()
    database.close()
    assert count == 6


async def test_workers_that_start_together_agree(make_store):
    stores = [make_store() for _ in range(6)]
    made = await asyncio.gather(*(store.issue(SECRET) for store in stores))
    for tokens in made:
        for store in stores:
            assert await secret_of(store, tokens.access) == SECRET


async def test_processes_that_start_together_agree(store, file):
    program = (
        "import asyncio, pathlib, sys; from waterbutler.tokens import TokenStore\n"
        "store = TokenStore(pathlib.Path(sys.argv[1]), access_seconds=60, refresh_seconds=60,"
        " clock=lambda: 1e6)\n"
        "print(asyncio.run(store.issue(b'of another process')).access)"
    )

    def run():
        command = [sys.executable, "-c", program, str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    made = await asyncio.gather(*(asyncio.to_thread(run) for _ in range(3)))
    for access in made:
        assert await secret_of(store, access) == b"of another process"


async def test_a_file_that_cannot_be_used_is_said(file, store):
    file.parent.mkdir()
    file.write_bytes(b"this is no database, and long enough to be seen as none " * 50)
    with pytest.raises(ProviderUnavailable) as raised:
        await store.issue(SECRET)
    assert str(file) not in raised.value.message
