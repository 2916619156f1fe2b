"""Messages are sent on their schedule, from disk, until they are heard."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest

from tests.fakes.osf_host import HMAC_SECRET, running_host
from tests.waiting import until
from waterbutler.callbacks import CallbackSink, Schedule, Spool, document_of
from waterbutler.core import ANONYMOUS, User
from waterbutler.core.errors import ProviderUnavailable
from waterbutler.events import Event, Item, Origin
from waterbutler.http import HttpClient

FILE = Item(resource="guid0", provider="s3", kind="file", name="a", path="/a", materialized="/a")
ORIGIN = Origin(method="PUT", url="http://wb/x")


@dataclass
class Clock:
    """Time that passes only while somebody sleeps."""

    now: float = 1000.0
    begun: float = 0.0
    naps: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        # Messages are verified against the real clock: only the offsets count.
        self.begun = self.begun or time.time()
        return self.begun + self.now - 1000.0

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        await asyncio.sleep(0.005)
        self.now += seconds


def happened(url, **changes) -> Event:
    return Event(
        action="create", user=User(id="u"), item=FILE, origin=ORIGIN, callback_url=url, **changes
    )


async def heard(host, count):
    """Wait until the host has heard so much."""
    for _ in range(1000):
        if len(host.logs) >= count:
            break
        await asyncio.sleep(0.01)
    assert len(host.logs) == count


@pytest.fixture
def host():
    with running_host() as host:
        yield host


@pytest.fixture
def url(host):
    return f"{host.url}/api/v1/project/guid0/waterbutler/logs/"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def http(io_loop):
    client = HttpClient()
    yield client
    io_loop.run_sync(client.aclose)


@pytest.fixture
def make_sink(io_loop, http, clock, tmp_path):
    sinks = []

    def make(**changes):
        schedule = Schedule(clock=clock, sleep=clock.sleep, **changes)
        sinks.append(CallbackSink(http, Spool(tmp_path / "spool.db"), HMAC_SECRET, schedule))
        return sinks[-1]

    yield make
    for sink in sinks:
        io_loop.run_sync(sink.aclose)


def waiting(tmp_path):
    spool = Spool(tmp_path / "spool.db")
    try:
        return spool.take(1000, now=1e12, until=0)
    finally:
        spool.close()


def offsets(clock, host):
    """When each message was signed, from the first one on."""
    times = [said["time"] for said in host.logs]
    return [round(time - times[0]) for time in times]


async def test_the_schedule_of_refusals(make_sink, host, url, clock, tmp_path):
    """Six tries, each signed anew; then it is given up."""
    host.trouble("log", status=400, times=100)
    sink = make_sink()
    sink.start()
    sink.emit(happened(url))
    await until(lambda: len(host.logs) == 6)
    await until(lambda: not waiting(tmp_path))
    assert offsets(clock, host) == [0, 0, 5, 15, 30, 50]


async def test_a_host_that_is_out_of_order(make_sink, host, url, clock):
    """It is waited for much longer, and hears everything in the end."""
    host.trouble("log", status=503, times=7)
    sink = make_sink()
    sink.start()
    sink.emit(happened(url))
    await until(lambda: len(host.logs) == 8)
    assert offsets(clock, host) == [0, 0, 5, 15, 30, 50, 110, 410]
    await asyncio.sleep(0.1)
    assert len(host.logs) == 8


async def test_a_host_that_is_not_there(make_sink, url, clock, tmp_path):
    """Nobody listens: the message stays on disk."""
    sink = make_sink()
    sink.start()
    sink.emit(happened("http://127.0.0.1:9/none"))
    await until(lambda: clock.now > 2000)
    (message,) = waiting(tmp_path)
    assert message.tries >= 6


async def test_nothing_is_sent_without_an_address(make_sink, host, tmp_path):
    """Hosts that do not want to know are not told."""
    sink = make_sink()
    sink.start()
    sink.emit(happened(None))
    sink.emit(happened(""))
    await asyncio.sleep(0.05)
    assert not host.calls
    assert not (tmp_path / "spool.db").exists()


async def test_what_was_emitted_at_the_end_is_on_disk(make_sink, url, tmp_path):
    """Closing waits for the disk and not for the host."""
    sink = make_sink()
    for _ in range(20):
        sink.emit(happened(url))
    await sink.aclose()
    assert len(waiting(tmp_path)) == 20


async def test_another_process_sends_what_is_left(make_sink, host, url, clock):
    """Each message once, whoever finds it."""
    first, *others = (make_sink() for _ in range(3))
    for _ in range(50):
        first.emit(happened(url))
    await first.aclose()
    for sink in others:
        sink.start()
    await until(lambda: len(host.logs) == 50)
    await asyncio.sleep(0.1)
    assert len(host.logs) == 50


async def test_a_message_that_was_taken_comes_back(host, url, clock, tmp_path):
    """Whoever took it died: after a while it is due again, and not before."""
    spool = Spool(tmp_path / "spool.db")
    assert spool.add(url, {"action": "create"}, due=10)
    assert spool.next_due() == 10
    assert spool.take(5, now=9, until=99) == []
    (taken,) = spool.take(5, now=10, until=70)
    assert (taken.url, taken.document, taken.tries) == (url, {"action": "create"}, 0)
    assert spool.take(5, now=69, until=99) == []
    assert [it.id for it in spool.take(5, now=70, until=130)] == [taken.id]
    spool.again(taken.id, due=200)
    (later,) = spool.take(5, now=200, until=300)
    assert later.tries == 1
    spool.done(taken.id)
    assert spool.next_due() is None
    spool.close()


def test_the_queue_is_bounded(tmp_path, url):
    """More than so many are not kept."""
    spool = Spool(tmp_path / "small.db", limit=2)
    assert [spool.add(url, {}, due=0) for _ in range(3)] == [True, True, False]
    spool.close()


async def test_a_disk_that_fails_does_no_harm(http, tmp_path, url, clock):
    """The loss is logged, and nothing else happens."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    sink = CallbackSink(
        http, Spool(blocked / "spool.db"), "s", Schedule(clock=clock, sleep=clock.sleep)
    )
    sink.start()
    sink.emit(happened(url))
    await asyncio.sleep(0.05)
    await sink.aclose()


async def test_a_disk_that_fails_for_a_while_loses_nothing(make_sink, host, url, tmp_path):
    """What happens meanwhile waits in memory."""
    (tmp_path / "spool.db").mkdir()
    sink = make_sink()
    sink.start()
    sink.emit(happened(url))
    await asyncio.sleep(0.05)
    (tmp_path / "spool.db").rmdir()
    await heard(host, 1)


async def test_what_was_heard_and_could_not_be_noted_is_sent_again(
    make_sink, host, url, tmp_path, monkeypatch
):
    """Once more is better than never: the sender goes on."""
    failures = ["disk"]
    done = Spool.done

    def fail_once(spool, id):
        if failures:
            raise ProviderUnavailable(failures.pop())
        done(spool, id)

    monkeypatch.setattr(Spool, "done", fail_once)
    sink = make_sink()
    sink.start()
    sink.emit(happened(url))
    await heard(host, 2)
    sink.emit(happened(url))
    await heard(host, 3)


def test_a_queue_that_cannot_be_used_says_so(tmp_path, url):
    """In our words; asking what is due makes no file."""
    spool = Spool(tmp_path / "folder" / "spool.db")
    assert spool.next_due() is None
    assert not (tmp_path / "folder").exists()
    (tmp_path / "folder").write_text("no folder")
    assert spool.next_due() is None
    with pytest.raises(ProviderUnavailable):
        spool.add(url, {}, due=0)
    (tmp_path / "folder").unlink()
    assert spool.add(url, {}, due=0)
    assert (tmp_path / "folder").stat().st_mode & 0o077 == 0
    spool.close()


def test_only_its_owner_may_read_the_queue(tmp_path, url):
    """Messages name people and files."""
    spool = Spool(tmp_path / "spool.db")
    spool.add(url, {}, due=0)
    spool.close()
    assert (tmp_path / "spool.db").stat().st_mode & 0o077 == 0


def test_anonymous(url):
    """Who is not signed in has no id, as hosts expect."""
    event = Event(
        action="create", user=ANONYMOUS, item=FILE, origin=ORIGIN, callback_url="http://h"
    )
    assert document_of(event)["auth"] == {"callback_url": "http://h"}


@pytest.mark.parametrize("belated", [True, False])
def test_a_belated_transfer(belated):
    """The host writes mail to who could not wait."""
    event = happened("http://h", belated=belated)
    assert document_of(event)["email"] is belated
