"""What is tried again, how often, and what is not."""

import pytest

from waterbutler.core import ByteRange, ByteStream, Path, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    Corrupted,
    NotFound,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
)
from waterbutler.layers import Retrying, RetryPolicy
from waterbutler.testing.faults import FailingStream, FlakyProvider
from waterbutler.testing.memory import MemoryProvider

FILE = Path.parse("/a.txt")
ROOT = Path()


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that are made, which take no time here."""
    made = []

    async def sleep(seconds):
        if seconds:
            made.append(seconds)

    monkeypatch.setattr("waterbutler.layers.retrying.asyncio.sleep", sleep)
    return made


@pytest.fixture
def memory(io_loop):
    memory = MemoryProvider()
    io_loop.run_sync(lambda: memory.write(FILE, ByteStream.of(b"hello")))
    return memory


@pytest.fixture
def flaky(memory):
    return FlakyProvider(memory)


@pytest.fixture
def provider(flaky, pauses):
    return Retrying(flaky, RetryPolicy(tries=3))


async def stat(provider):
    return await provider.stat(FILE)


async def read(provider):
    return await (await provider.read(FILE, range=ByteRange(1, 2))).body.read(10)


async def listing(provider):
    return [entry async for entry in provider.list(ROOT)]


async def versions(provider):
    return [version async for version in provider.versions(FILE)]


async def locate(provider):
    return await provider.locate(FILE)


REPEATED = {"stat": stat, "read": read, "list": listing, "versions": versions, "locate": locate}
TEMPORARY = [ProviderUnavailable("Down."), ProviderTimeout("Slow."), RateLimited("Slowly.")]
FINAL = [NotFound("No."), Corrupted("Bad."), ProviderFault("Nonsense."), AlreadyExists("Taken.")]


@pytest.mark.parametrize("operation", REPEATED)
@pytest.mark.parametrize("error", TEMPORARY, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("failures", [1, 2])
async def test_what_passes_is_not_seen(provider, flaky, pauses, operation, error, failures):
    """The third try may work."""
    flaky.fail(operation, error, times=failures)
    assert await REPEATED[operation](provider)
    assert flaky.calls[operation] == failures + 1
    assert len(pauses) == failures


@pytest.mark.parametrize("operation", REPEATED)
async def test_what_does_not_pass_is_raised(provider, flaky, pauses, operation):
    """After as many tries as the policy says."""
    flaky.fail(operation, ProviderUnavailable("Down."), times=9)
    with pytest.raises(ProviderUnavailable):
        await REPEATED[operation](provider)
    assert flaky.calls[operation] == 3
    assert len(pauses) == 2


@pytest.mark.parametrize("operation", REPEATED)
@pytest.mark.parametrize("error", FINAL, ids=lambda error: type(error).__name__)
async def test_what_will_not_change_is_raised_at_once(provider, flaky, pauses, operation, error):
    """Trying again makes no sense."""
    flaky.fail(operation, error)
    with pytest.raises(type(error)):
        await REPEATED[operation](provider)
    assert flaky.calls[operation] == 1
    assert not pauses


async def test_a_body_that_breaks_is_not_read_again(provider, flaky):
    """Its bytes were handed out already."""
    flaky.fail("read", ProviderUnavailable("Down."), after=2)
    content = await provider.read(FILE)
    with pytest.raises(ProviderUnavailable):
        await content.body.read(10)
    assert flaky.calls["read"] == 1
    await content.body.aclose()


@pytest.mark.parametrize(("operation", "after"), [("list", 1), ("versions", 1)])
async def test_a_listing_that_breaks_is_not_begun_again(provider, flaky, memory, operation, after):
    """Its entries were handed out already."""
    await memory.write(FILE, ByteStream.of(b"again"))
    flaky.fail(operation, ProviderUnavailable("Down."), after=after)
    with pytest.raises(ProviderUnavailable):
        await REPEATED[operation](provider)
    assert flaky.calls[operation] == 1


async def test_a_listing_that_fails_before_its_first_entry_is_begun_again(provider, flaky):
    """Nobody has seen anything of it."""
    flaky.fail("list", ProviderUnavailable("Down."), after=0)
    assert len(await listing(provider)) == 1
    assert flaky.calls["list"] == 2


async def test_a_listing_that_is_left_is_closed(flaky, provider, memory):
    """At once, and not when somebody collects what is left."""
    closed = []

    async def items(path):
        try:
            yield 1
            yield 2
        finally:
            closed.append(path)

    flaky.list = items
    entries = provider.list(ROOT)
    await anext(entries)
    await entries.aclose()
    assert closed == [ROOT]


# -- writes ----------------------------------------------------------------------------------------


def unreplayable(data):
    body = ByteStream.of(data)
    body.replay = None
    return body


async def test_a_write_that_did_not_touch_its_body_is_repeated(provider, flaky, memory):
    """Nothing of it is lost."""
    flaky.fail("write", ProviderUnavailable("Down."), times=2)
    entry = await provider.write(FILE, unreplayable(b"new"))
    assert entry.size == 3
    assert flaky.calls["write"] == 3


async def test_a_write_that_touched_its_body_is_not_repeated(provider, flaky, memory):
    """The bytes are gone."""
    flaky.fail("write", ProviderUnavailable("Down."), after=1)
    with pytest.raises(ProviderUnavailable):
        await provider.write(FILE, unreplayable(b"new"))
    assert flaky.calls["write"] == 1
    assert (await memory.stat(FILE)).size == 5


async def test_a_write_whose_body_can_be_sent_again_is_repeated(provider, flaky, memory):
    """From its start."""
    flaky.fail("write", ProviderUnavailable("Down."), after=1, times=2)
    body = ByteStream.of(b"new content")
    entry = await provider.write(FILE, body)
    assert entry.size == 11
    assert await (await memory.read(FILE)).body.read(100) == b"new content"
    assert flaky.calls["write"] == 3


async def test_bodies_that_were_made_for_repeating_are_closed(provider, flaky):
    """The caller's own stays the caller's."""
    made = []

    def replay():
        closed = []

        async def close():
            closed.append(True)

        async def chunks():
            yield b"new"

        body = ByteStream(chunks(), size=3, close=close, replay=replay)
        made.append((body, closed))
        return body

    flaky.fail("write", ProviderUnavailable("Down."), after=1, times=9)
    first = replay()
    with pytest.raises(ProviderUnavailable):
        await provider.write(FILE, first)
    assert [bool(closed) for _, closed in made] == [False, True, True]
    await first.aclose()


async def test_a_body_that_fails_is_not_the_storage_that_fails(provider, flaky):
    """It is not sent again."""
    body = FailingStream(b"data", after=2, error=ProviderUnavailable("Another storage is down."))
    with pytest.raises(ProviderUnavailable):
        await provider.write(FILE, body)
    assert flaky.calls["write"] == 1


@pytest.mark.parametrize("operation", ["delete", "make_folder", "copy_from", "move_from"])
async def test_what_may_have_happened_is_not_repeated(provider, flaky, operation):
    """A lost answer does not say."""
    flaky.fail(operation, ProviderUnavailable("Down."), after=1)
    calls = {
        "delete": lambda: provider.delete(FILE),
        "make_folder": lambda: provider.make_folder(Path.parse("/f/")),
        "copy_from": lambda: provider.copy_from(provider, FILE, Path.parse("/b")),
        "move_from": lambda: provider.move_from(
            provider, FILE, Path.parse("/b"), mode=WriteMode.REPLACE
        ),
    }
    with pytest.raises(ProviderUnavailable):
        await calls[operation]()
    assert flaky.calls[operation] == 1


# -- how long --------------------------------------------------------------------------------------


async def test_a_storage_that_says_when_is_believed(provider, flaky, pauses):
    """It knows best."""
    flaky.fail("stat", RateLimited("Slowly.", retry_after=7), times=2)
    await stat(provider)
    assert pauses == [7, 7]


async def test_a_storage_that_asks_for_too_long_is_not_waited_for(provider, flaky, pauses):
    """The client is told when to come back."""
    flaky.fail("stat", RateLimited("Slowly.", retry_after=21))
    with pytest.raises(RateLimited) as raised:
        await stat(provider)
    assert raised.value.retry_after == 21
    assert not pauses
    assert flaky.calls["stat"] == 1


def test_pauses_grow_and_differ():
    """So that many clients do not come back at the same time."""
    policy = RetryPolicy(tries=10, pause=1, longest_pause=5)
    for tried, longest in ((1, 1), (2, 2), (3, 4), (4, 5), (9, 5)):
        delays = {policy.delay(tried, None) for _ in range(50)}
        assert len(delays) > 10
        assert all(longest / 2 <= delay <= longest for delay in delays)
    assert policy.delay(10, None) is None
    assert policy.delay(1, 0) == 0.0
