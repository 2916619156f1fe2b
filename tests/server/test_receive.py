"""Bodies: clients that are refused, that leave, that are slow; storages that are."""

import asyncio
import contextlib
import http.client
import io
import json
import socket
import struct
import tracemalloc

import aiohttp
import msgspec
import pytest
import requests

from tests.harness import ALICE, BASE, BOB, LARGE, NOBODY, named
from waterbutler.core import ByteStream, Content
from waterbutler.core.errors import Interrupted, ProviderFault, QuotaExceeded, TooLarge
from waterbutler.server.patience import Patience
from waterbutler.server.receive import LEAST, ROOM, BodyIntake, SmallBody, interrupted

PIECE = b"x" * (1 << 20)

REFUSALS = {
    "a name that is taken": (named("a.txt"), ALICE, 409),
    "nobody": (named("b.txt"), NOBODY, 401),
    "no right": (named("b.txt"), BOB, 403),
    "no such file": (f"{BASE}/nothing", ALICE, 404),
    "no such folder": (f"{BASE}/nothing/?name=b", ALICE, 404),
    "no such provider": ("/v1/resources/guid0/providers/nothing/?name=b", ALICE, 404),
    "no such URL": ("/nowhere", ALICE, 404),
    "a bad name": (named(".."), ALICE, 400),
    "too large": (named("b.txt"), ALICE, 413),
    "a folder with a body": (named("b", "folder"), ALICE, 413),
    "full": (named("full.txt"), ALICE, 507),
    "a condition": (f"{BASE}/a.txt", {**ALICE, "If-None-Match": "*"}, 412),
    "a bad digest": (named("b.txt"), {**ALICE, "Content-MD5": "x"}, 400),
}


@pytest.fixture
def refusing(make_server, io_loop, request):
    """A server for each reason to refuse."""
    name = request.node.callspec.params["reason"]
    limit = 1000 if name == "too large" else None

    async def make():
        server = await make_server(options={"max_upload_size": limit})
        await server.have("/a.txt", b"old")
        if name == "full":
            server.storage.fail("write", QuotaExceeded("Full."), after=3_000_000, times=99)
        return server

    return io_loop.run_sync(make)


def assert_refused(status, body, wanted):
    """The client read the answer, and it is the JSON that says why."""
    assert status == wanted
    document = json.loads(body)
    assert document["code"] == wanted
    assert document["message"]


every_reason = pytest.mark.parametrize("reason", REFUSALS)


@every_reason
async def test_a_client_that_reads_only_after_it_has_sent_all(refusing, reason):
    """64 MB are sent, then the answer is there."""
    target, headers, status = REFUSALS[reason]
    async with refusing.connection() as connection:
        await connection.start("PUT", target, {**headers, "Content-Length": str(LARGE)})
        for _ in range(LARGE // len(PIECE)):
            await connection.send(PIECE)
        reply = await connection.receive()
        assert_refused(reply.status, reply.body, status)
        assert reply.headers["Connection"] == "close"
        assert await connection.ended()
    assert await refusing.names() == ["/a.txt"]
    assert await refusing.content("/a.txt") == b"old"


@every_reason
async def test_a_client_that_reads_while_it_sends(refusing, reason):
    """It is told early, and need not send it all."""
    target, headers, status = REFUSALS[reason]
    async with refusing.connection() as connection:
        await connection.start("PUT", target, {**headers, "Content-Length": str(LARGE)})
        for _ in range(4):
            await connection.send(PIECE)
        reply = await connection.receive()
        assert_refused(reply.status, reply.body, status)
    assert await refusing.names() == ["/a.txt"]


@every_reason
async def test_a_client_that_asks_before_it_sends(refusing, reason):
    """With ``Expect: 100-continue`` nothing is sent in vain; a full storage says so later."""
    target, headers, status = REFUSALS[reason]
    async with refusing.connection() as connection:
        head = {**headers, "Content-Length": str(LARGE), "Expect": "100-continue"}
        await connection.start("PUT", target, head)
        reply = await connection.receive(interim=True)
        if reason == "full":
            assert reply.status == 100
            for _ in range(LARGE // len(PIECE)):
                await connection.send(PIECE)
            reply = await connection.receive()
        assert_refused(reply.status, reply.body, status)
        assert await connection.ended()


@every_reason
async def test_a_client_that_asks_and_does_not_wait(refusing, reason):
    """It is still sending when it is refused, and reads the answer all the same."""
    target, headers, status = REFUSALS[reason]
    async with refusing.connection() as connection:
        head = {**headers, "Content-Length": str(8 << 20), "Expect": "100-continue"}
        await connection.start("PUT", target, head)
        for _ in range(8):
            await connection.send(PIECE)
        reply = await connection.receive()
        assert_refused(reply.status, reply.body, status)


@every_reason
async def test_small_bodies_keep_the_connection(refusing, reason):
    """The next request on it is answered."""
    target, headers, status = REFUSALS[reason]
    if reason == "full":
        refusing.storage._failures.clear()
        refusing.storage.fail("write", QuotaExceeded("Full."), after=1000, times=99)
    async with refusing.connection() as connection:
        for size in (2000, 100_000, 2000):
            reply = await connection.request("PUT", target, headers, b"x" * size)
            assert_refused(reply.status, reply.body, status)
            assert reply.headers.get("Connection") != "close"
        reply = await connection.request("GET", f"{BASE}/a.txt", ALICE)
        assert (reply.status, reply.body) == (200, b"old")


@every_reason
async def test_chunks_are_refused_like_everything(refusing, reason):
    """A body whose size nobody knows."""
    target, headers, status = REFUSALS[reason]
    async with refusing.connection() as connection:
        await connection.start("PUT", target, {**headers, "Transfer-Encoding": "chunked"})
        for _ in range(8):
            await connection.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
        await connection.send(b"0\r\n\r\n")
        reply = await connection.receive()
        assert_refused(reply.status, reply.body, status)
        assert await connection.ended()
    assert await refusing.names() == ["/a.txt"]


# -- clients in the field --------------------------------------------------------------------------


class Body(io.RawIOBase):
    """64 MB that take no memory."""

    def __init__(self, size=LARGE):
        self.left = size

    def __len__(self):
        return self.left

    def readable(self):
        return True

    def read(self, size=-1):
        count = min(self.left, len(PIECE) if size < 0 else size)
        self.left -= count
        return PIECE[:count]


def by_requests(server, target, headers):
    reply = requests.put(server.url + target, data=Body(), headers=headers, timeout=50)
    return reply.status_code, reply.content


def by_http_client(server, target, headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=50)
    try:
        connection.request("PUT", target, Body(), {**headers, "Content-Length": str(LARGE)})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


async def by_curl(server, target, headers, *options):
    process = await asyncio.create_subprocess_exec(
        *("curl", "-sS", "-T", "-", "-w", "\n%{http_code}", *options),
        *(part for name, value in headers.items() for part in ("-H", f"{name}: {value}")),
        *("-H", f"Content-Length: {LARGE}", "-H", "Transfer-Encoding:", server.url + target),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )

    async def feed():
        try:
            for _ in range(LARGE // len(PIECE)):
                process.stdin.write(PIECE)
                await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass
        process.stdin.close()

    feeding = asyncio.create_task(feed())
    out, err = await asyncio.gather(process.stdout.read(), process.stderr.read())
    await process.wait()
    feeding.cancel()
    await asyncio.gather(feeding, return_exceptions=True)
    assert not err, err
    body, _, status = out.rpartition(b"\n")
    return int(status), body


async def by_aiohttp(server, target, headers, **options):
    async def chunks():
        for _ in range(LARGE // len(PIECE)):
            yield PIECE

    head = {**headers, "Content-Length": str(LARGE)}
    async with (
        aiohttp.ClientSession() as session,
        session.put(server.url + target, data=chunks(), headers=head, **options) as reply,
    ):
        return reply.status, await reply.read()


SOME = ("a name that is taken", "nobody", "no such file", "too large", "full")


@pytest.mark.parametrize("reason", SOME)
@pytest.mark.parametrize("client", ["requests", "http.client", "curl", "curl-expect", "aiohttp"])
async def test_real_clients_read_the_refusal(refusing, reason, client):
    """With 64 MB under way."""
    target, headers, status = REFUSALS[reason]
    if client == "requests":
        answer = await asyncio.to_thread(by_requests, refusing, target, headers)
    elif client == "http.client":
        answer = await asyncio.to_thread(by_http_client, refusing, target, headers)
    elif client == "curl":
        answer = await by_curl(refusing, target, headers, "-H", "Expect:")
    elif client == "curl-expect":
        answer = await by_curl(refusing, target, headers, "-H", "Expect: 100-continue")
    else:
        answer = await by_aiohttp(refusing, target, headers)
    assert_refused(*answer, status)
    assert await refusing.names() == ["/a.txt"]


async def test_more_than_the_limit_is_not_drained(make_server):
    """The answer was sent long ago; then the connection ends."""
    server = await make_server(options={"drain_limit": 4 << 20})
    async with server.connection() as connection:
        head = {**ALICE, "Content-Length": str(LARGE)}
        await connection.start("PUT", f"{BASE}/nothing", head)
        reply = await connection.receive()
        assert_refused(reply.status, reply.body, 404)
        with pytest.raises(ConnectionError):
            await send_until_it_breaks(connection)


async def send_until_it_breaks(connection, piece=PIECE):
    for _ in range(1000):
        await connection.send(piece)
        await asyncio.sleep(0.002)
        if connection.writer.transport.is_closing():
            raise ConnectionError


# -- clients that leave ----------------------------------------------------------------------------


def leave_politely(connection):
    connection.writer.close()


def leave_with_a_reset(connection):
    linger = struct.pack("ii", 1, 0)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.reset()


def stop_sending(connection):
    connection.writer.write_eof()


@pytest.mark.parametrize("leave", [leave_politely, leave_with_a_reset, stop_sending])
@pytest.mark.parametrize("sent", [0, 1000, 3_000_000])
@pytest.mark.parametrize("update", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_client_that_leaves(server, leave, sent, update, chunked):
    """Nothing of the body stays, and what was there is there."""
    if update:
        await server.have("/a.txt", b"old")
    target = f"{BASE}/a.txt" if update else named("a.txt")
    connection = await server.connect()
    framing = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(LARGE)}
    await connection.start("PUT", target, {**ALICE, **framing})
    if sent:
        data = b"x" * sent
        await connection.send(b"%x\r\n%b\r\n" % (sent, data) if chunked else data)
    while not server.storage.calls["write"]:
        await asyncio.sleep(0.002)
    leave(connection)
    await server.context.state.idle()
    assert await server.content("/a.txt") == (b"old" if update else None)
    connection.reset()


async def test_a_client_that_leaves_while_the_storage_stores(server, log):
    """Everything was sent, nobody waits: the file is there or not, and no error is logged."""
    reached, go = asyncio.Event(), asyncio.Event()
    write = server.storage.inner.write

    async def slowly(path, body, *, mode, content_type=None, modified=None):
        async def chunks():
            async for chunk in body:
                yield chunk
            reached.set()
            await go.wait()

        return await write(path, ByteStream(chunks()), mode=mode)

    server.storage.inner.write = slowly
    connection = await server.connect()
    await connection.start("PUT", named("a.txt"), {**ALICE, "Content-Length": "4"})
    await connection.send(b"data")
    await reached.wait()
    leave_with_a_reset(connection)
    await asyncio.sleep(0.02)
    go.set()
    await server.context.state.idle()
    assert await server.content("/a.txt") in {None, b"data"}
    assert [event["event"] for event in log if event["level"] != "info"] == []


async def test_a_client_that_leaves_while_it_is_refused(server, log):
    """Nobody reads the answer."""
    for _ in range(10):
        connection = await server.connect()
        await connection.start("PUT", f"{BASE}/nothing", {**ALICE, "Content-Length": str(LARGE)})
        await connection.send(PIECE)
        leave_with_a_reset(connection)
    await server.context.state.idle()
    assert [event["event"] for event in log if event["level"] != "info"] == []


async def test_a_client_that_leaves_is_logged_as_that(server, log):
    """With a status that no answer has."""
    connection = await server.connect()
    await connection.start("PUT", named("a.txt"), {**ALICE, "Content-Length": "10"})
    await connection.send(b"x")
    leave_politely(connection)
    await server.context.state.idle()
    await asyncio.sleep(0.01)
    (event,) = [event for event in log if event["event"] == "request"]
    assert (event["status"], event["outcome"], event["received"]) == (499, "ClientGone", 1)


async def test_a_body_that_ends_early(server):
    """Shorter than it said: nothing is stored."""
    async with server.connection() as connection:
        await connection.start("PUT", named("a.txt"), {**ALICE, "Content-Length": "10"})
        await connection.send(b"half")
        connection.writer.write_eof()
        assert await connection.ended()
    await server.context.state.idle()
    assert await server.names() == []


async def test_a_document_that_ends_early(server):
    """Nothing is done."""
    await server.have("/a.txt")
    async with server.connection() as connection:
        await connection.start("POST", f"{BASE}/a.txt", {**ALICE, "Content-Length": "100"})
        await connection.send(b'{"action": "rename", "rename": "b"}')
        connection.writer.write_eof()
        assert await connection.ended()
    assert await server.names() == ["/a.txt"]


async def test_a_client_that_leaves_during_a_download(server, log):
    """The file is closed."""
    await server.have("/big.bin", b"x" * 30_000_000)
    for leave in (leave_politely, leave_with_a_reset):
        connection = await server.connect()
        await connection.start("GET", f"{BASE}/big.bin", ALICE)
        await connection.reader.read(10_000)
        leave(connection)
        await server.context.state.idle()
    assert [event["event"] for event in log if event["level"] != "info"] == []


@pytest.mark.parametrize("target", ["/", "/?zip", "/?sort=name"])
async def test_a_client_that_leaves_during_a_listing(server, log, target):
    """The listing is closed."""
    for number in range(300):
        await server.have(f"/{number}.bin", b"x" * 50_000)
    connection = await server.connect()
    await connection.start("GET", BASE + target, ALICE)
    await connection.reader.read(100)
    leave_with_a_reset(connection)
    await server.context.state.idle()
    assert [event["event"] for event in log if event["level"] != "info"] == []


async def test_a_client_that_leaves_during_a_copy(server, log):
    """The copy goes on to its end, and a server that stops waits for it."""
    reached, go = asyncio.Event(), asyncio.Event()
    copy_from = server.storage.inner.copy_from

    async def slowly(source, at, to, *, mode):
        reached.set()
        await go.wait()
        return await copy_from(source, at, to, mode=mode)

    server.storage.inner.copy_from = slowly
    await server.have("/a.txt")
    body = b'{"action": "copy", "path": "/", "rename": "b.txt"}'
    connection = await server.connect()
    headers = {**ALICE, "Content-Length": str(len(body))}
    await connection.start("POST", f"{BASE}/a.txt", headers)
    await connection.send(body)
    await reached.wait()
    leave_with_a_reset(connection)
    await asyncio.sleep(0.02)
    idle = asyncio.create_task(server.context.state.idle())
    await asyncio.sleep(0.02)
    assert not idle.done()
    go.set()
    await idle
    assert await server.names() == ["/a.txt", "/b.txt"]
    assert [event["event"] for event in log if event["level"] != "info"] == []


@pytest.mark.parametrize("target", ["/a.txt", "/a.txt?meta", "/", "/?zip"])
async def test_a_client_that_leaves_before_the_storage_answers(server, log, target):
    """Nobody is left to answer, and that is no error."""
    reached, go = asyncio.Event(), asyncio.Event()
    inner = server.storage.inner
    stat, read, listing = inner.stat, inner.read, inner.list

    async def wait():
        reached.set()
        await go.wait()

    async def slow_stat(path, *, version=None):
        await wait()
        return await stat(path, version=version)

    async def slow_read(path, *, range=None, version=None):
        await wait()
        return await read(path, range=range, version=version)

    async def slow_list(path):
        await wait()
        async for entry in listing(path):
            yield entry

    await server.have("/a.txt")
    inner.stat, inner.read, inner.list = slow_stat, slow_read, slow_list
    connection = await server.connect()
    await connection.start("GET", BASE + target, ALICE)
    await reached.wait()
    leave_with_a_reset(connection)
    await asyncio.sleep(0.02)
    go.set()
    await server.context.state.idle()
    assert [event["event"] for event in log if event["level"] != "info"] == []


# -- clients that stand still ----------------------------------------------------------------------


@pytest.fixture
def impatient(make_server, io_loop):
    """A server on which nobody may stand still for longer than a moment."""
    return io_loop.run_sync(lambda: make_server(options={"stall_seconds": 0.4}))


async def test_an_upload_that_stands_still(impatient, log):
    """Is broken off, and nothing of it stays."""
    server = impatient
    connection = await server.connect()
    await connection.start("PUT", named("a.txt"), {**ALICE, "Content-Length": "10"})
    await connection.send(b"half")
    assert await connection.ended()
    await server.context.state.idle()
    assert await server.names() == []
    assert [event["outcome"] for event in log if event["event"] == "request"] == ["ClientIdle"]
    connection.reset()


async def test_an_upload_that_trickles(impatient, log):
    """A byte now and then is no step: it ends like one that stands still."""
    server = impatient
    connection = await server.connect()
    await connection.start("PUT", named("a.txt"), {**ALICE, "Content-Length": "100000"})
    ended = asyncio.ensure_future(connection.ended())
    for _ in range(250):
        with contextlib.suppress(ConnectionError):
            await connection.send(b"x")
        await asyncio.wait([ended], timeout=0.02)
        if ended.done():
            break
    connection.reset()
    assert await ended
    await server.context.state.idle()
    assert await server.names() == []
    assert [event["outcome"] for event in log if event["event"] == "request"] == ["ClientIdle"]


async def test_a_refused_body_that_stands_still(impatient):
    """Is not waited for either; the answer was there before."""
    server = impatient
    connection = await server.connect()
    await connection.start("PUT", f"{BASE}/nothing", {**ALICE, "Content-Length": str(LARGE)})
    await connection.send(b"half")
    assert (await connection.receive()).status == 404
    assert await connection.ended()
    connection.reset()


async def test_a_refused_body_that_keeps_coming(server, monkeypatch):
    """Does not stand still: each piece of it counts."""
    steps = 0

    def theirs(self, count=0):
        nonlocal steps
        steps += 1

    monkeypatch.setattr(Patience, "theirs", theirs)
    async with server.connection() as connection:
        await connection.start("PUT", f"{BASE}/nothing", {**ALICE, "Content-Length": "1000000"})
        assert (await connection.receive()).status == 404
        for number in range(20):
            await connection.send(b"x" * 50_000)
            while steps < number:
                await asyncio.sleep(0.001)
        assert await connection.ended()


class Clock:
    """A loop and a clock that only move when they are told to."""

    def __init__(self):
        self.now = 1000.0
        self.timers = []

    def monotonic(self):
        return self.now

    def get_running_loop(self):
        return self

    def call_later(self, delay, call):
        self.timers.append((self.now + delay, call))
        return self

    def cancel(self):
        self.timers.clear()

    def move(self, seconds):
        end = self.now + seconds
        while self.timers and self.timers[0][0] <= end:
            self.now, call = self.timers.pop(0)
            call()
        self.now = end


def test_patience(monkeypatch):
    """Ends when the client does nothing for too long, and not while it waits for us."""
    clock, ended = Clock(), []
    monkeypatch.setattr("waterbutler.server.patience.time", clock)
    monkeypatch.setattr("waterbutler.server.patience.asyncio", clock)
    patience = Patience(lambda: ended.append(clock.now), 120)
    patience.start()
    patience.start()
    assert len(clock.timers) == 1
    for _ in range(10):
        clock.move(100)
        patience.theirs()
    patience.ours()
    clock.move(10_000)
    assert not ended
    patience.theirs()
    start = clock.now
    clock.move(10_000)
    assert len(ended) == 1
    assert 120 < ended[0] - start <= 151
    patience = Patience(lambda: ended.append(clock.now), 120)
    patience.start()
    start = clock.now
    for _ in range(3):
        clock.move(20)
        patience.ours()
        clock.move(1000)
        patience.theirs(1000)
    clock.move(10_000)
    assert len(ended) == 2
    assert 3120 < ended[1] - start <= 3151, "neither small steps nor our time count"
    patience.start()
    patience.stop()
    patience.stop()
    clock.move(10_000)
    assert len(ended) == 2


async def test_a_download_that_nobody_takes(impatient, log):
    """Is broken off."""
    server = impatient
    await server.have("/big.bin", b"x" * 30_000_000)
    connection = await server.connect()
    connection.writer.transport.pause_reading()
    await connection.start("GET", f"{BASE}/big.bin", ALICE)
    await asyncio.sleep(0.02)
    await server.context.state.idle()
    assert [event["outcome"] for event in log if event["event"] == "request"] == ["ClientIdle"]
    connection.reset()


async def test_a_storage_that_thinks_is_not_a_client_that_stands_still(server, impatient):
    """The client waits for us, as long as it takes."""
    write = server.storage.inner.write

    async def slowly(path, body, *, mode, content_type=None, modified=None):
        await asyncio.sleep(1)
        return await write(path, body, mode=mode)

    server.storage.inner.write = slowly
    assert (await server.put(named("a.bin"), b"x" * 10)).status == 201


async def test_a_client_that_goes_on_sending_for_ever(server, monkeypatch):
    """After its last answer it is listened to for a while only."""
    monkeypatch.setattr("waterbutler.server.http1.connection.LINGER_SECONDS", 0.1)
    connection = await server.connect()
    await connection.start("PUT", "/", {"Content-Length": "1, 2"})
    assert (await connection.receive()).status == 400
    with pytest.raises(ConnectionError):
        await send_until_it_breaks(connection, b"x")
    connection.reset()


async def test_a_client_that_does_not_hang_up(server, monkeypatch):
    """After its last answer its silence is not waited out."""
    monkeypatch.setattr("waterbutler.server.http1.connection.SILENCE_SECONDS", 0.05)
    connection = await server.connect()
    await connection.send(b"nonsense\r\n\r\n")
    assert (await connection.receive()).status == 400
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0.01)
    connection.reset()


# -- storages that fail during a download ----------------------------------------------------------


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("known", [True, False])
async def test_a_download_that_breaks(server, log, version, known):
    """The client sees that it is not complete, with or without a length, also an old one."""
    await server.have("/big.bin", b"x" * 3_000_000)
    server.storage.fail("read", ProviderFault("Broken."), after=1_000_000)
    if not known:
        read = server.storage.inner.read

        async def vague(path, *, range=None, version=None):
            content = await read(path, range=range, version=version)
            content.body.size = None
            return msgspec.structs.replace(
                content, entry=msgspec.structs.replace(content.entry, size=None)
            )

        server.storage.inner.read = vague
    async with server.connection() as connection:
        await connection.start("GET", f"{BASE}/big.bin", ALICE, version=version)
        reply = await connection.receive()
    assert reply.status == 200
    assert not reply.whole
    assert len(reply.body) < 3_000_000
    assert "answer cut" in {event["event"] for event in log}


async def test_a_listing_that_breaks(server):
    """No half list is taken for a whole one."""
    for number in range(1000):
        await server.have(f"/{number:04}", b"")
    server.storage.fail("list", ProviderFault("Broken."), after=900)
    reply = await server.get(f"{BASE}/")
    assert reply.status == 200
    assert not reply.whole


async def test_real_clients_see_a_download_that_breaks(server):
    """By their own words."""
    await server.have("/big.bin", b"x" * 3_000_000)
    server.storage.fail("read", ProviderFault("Broken."), after=1_000_000, times=99)
    url = f"{server.url}{BASE}/big.bin"

    def old():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=50)
        connection.request("GET", f"{BASE}/big.bin", headers=ALICE)
        try:
            connection.getresponse().read()
        finally:
            connection.close()

    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        await asyncio.to_thread(old)
    with pytest.raises(requests.RequestException):
        await asyncio.to_thread(lambda: requests.get(url, headers=ALICE, timeout=50))
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            async with session.get(url, headers=ALICE) as reply:
                await reply.read()
    for option in ("--http1.1", "--http1.0"):
        process = await asyncio.create_subprocess_exec(
            *("curl", "-s", option, "-o", "/dev/null", url),
            *("-H", f"Authorization: {ALICE['Authorization']}"),
        )
        assert await process.wait() in {18, 56}


# -- slow clients, slow storages -------------------------------------------------------------------


async def test_a_slow_client_holds_the_storage_back(server):
    """What it does not take is not read: memory stays flat."""
    given = 0
    read = server.storage.inner.read

    async def vague(path, *, range=None, version=None):
        content = await read(path, range=range, version=version)

        async def chunks():
            nonlocal given
            while given < LARGE:
                given += 1 << 16
                yield PIECE[: 1 << 16]

        return Content(ByteStream(chunks()), msgspec.structs.replace(content.entry, size=LARGE))

    await server.have("/big.bin", b"x")
    server.storage.inner.read = vague
    connection = await server.connect()
    connection.writer.transport.pause_reading()
    await connection.start("GET", f"{BASE}/big.bin", ALICE)
    before = -1
    while given != before:
        before = given
        await asyncio.sleep(0.1)
    assert 0 < given < LARGE // 2
    connection.writer.transport.resume_reading()
    reply = await connection.receive()
    assert (reply.whole, len(reply.body)) == (True, LARGE)
    await connection.close()


async def test_a_slow_storage_holds_the_client_back(server):
    """What it does not take is not received: memory stays flat."""
    go = asyncio.Event()
    write = server.storage.inner.write

    async def slowly(path, body, *, mode, content_type=None, modified=None):
        await go.wait()
        return await write(path, body, mode=mode)

    server.storage.inner.write = slowly
    sent = 0
    connection = await server.connect()

    async def upload():
        nonlocal sent
        await connection.start("PUT", named("a.bin"), {**ALICE, "Content-Length": str(LARGE)})
        for _ in range(LARGE // len(PIECE)):
            await connection.send(PIECE)
            sent += len(PIECE)
        return await connection.receive()

    task = asyncio.create_task(upload())
    before = -1
    while sent != before:
        before = sent
        await asyncio.sleep(0.1)
    assert sent < LARGE // 2
    go.set()
    reply = await task
    assert reply.status == 201
    assert reply.data["attributes"]["size"] == LARGE
    await connection.close()


async def test_slow_uploads_do_not_keep_others_from_the_storage(server):
    """They wait for their clients; reading and listing goes on."""
    await server.have("/a.txt", b"hello")
    connections = [await server.connect() for _ in range(70)]
    for number, connection in enumerate(connections):
        await connection.start("PUT", named(f"{number}"), {**ALICE, "Content-Length": "10"})
        await connection.send(b"x")
    while server.storage.calls["write"] < 64:
        await asyncio.sleep(0.002)
    assert (await server.get(f"{BASE}/a.txt")).body == b"hello"
    assert len((await server.get(f"{BASE}/")).data) == 1
    for connection in connections:
        connection.reset()
    await server.context.state.idle()
    assert await server.names() == ["/a.txt"]


# -- the server stops ------------------------------------------------------------------------------


async def test_an_upload_is_finished_before_the_server_ends(server):
    """`idle` waits for it."""
    connection = await server.connect()
    await connection.start("PUT", named("a.txt"), {**ALICE, "Content-Length": "8"})
    await connection.send(b"half")
    await asyncio.sleep(0.01)
    server.context.state.stopping = True
    idle = asyncio.create_task(server.context.state.idle())
    await asyncio.sleep(0.01)
    assert not idle.done()
    await connection.send(b"half")
    assert (await connection.receive()).status == 201
    await idle
    await connection.close()


async def test_what_is_not_finished_is_broken(server):
    """An upload leaves nothing, and a download is seen to be cut, also by an old client."""
    await server.have("/big.bin", b"x" * 30_000_000)
    await server.have("/f/big.bin", b"x" * 30_000_000)
    upload = await server.connect()
    await upload.start("PUT", named("a.txt"), {**ALICE, "Content-Length": "8"})
    await upload.send(b"half")
    downloads = []
    for target in ("/big.bin", "/f/?zip"):
        for version in ("HTTP/1.1", "HTTP/1.0"):
            connection = await server.connect()
            await connection.start("GET", BASE + target, ALICE, version=version)
            await connection.reader.readexactly(100)
            downloads.append((connection, version))
    await asyncio.sleep(0.05)
    server.context.state.stopping = True
    await server.server.close_all_connections()
    for connection, version in downloads:
        broken = ConnectionError
        if version == "HTTP/1.1":
            broken = (ConnectionError, asyncio.IncompleteReadError)
        with pytest.raises(broken):
            await connection.reader.readexactly(31_000_000)
        connection.reset()
    upload.reset()
    await server.context.state.idle()
    assert await server.content("/a.txt") is None


# -- the channel itself ----------------------------------------------------------------------------


async def test_the_channel_hands_out_what_came():
    """In order, small pieces that waited together as one."""
    intake = BodyIntake(LEAST + 6)
    await intake.feed(b"ab")
    await intake.feed(b"c" * LEAST)
    assert await anext(intake.stream) == b"ab"
    assert await anext(intake.stream) == b"c" * LEAST
    await intake.feed(b"de")
    await intake.feed(b"fg")
    intake.end()
    assert await anext(intake.stream) == b"defg"
    assert await anext(intake.stream, None) is None


async def test_the_channel_hands_out_nothing_by_the_byte():
    """However small the pieces are that come."""
    intake = BodyIntake(None)
    taking = asyncio.create_task(anext(intake.stream))
    for _ in range(LEAST - 1):
        await intake.feed(b"x")
    await asyncio.sleep(0.001)
    assert not taking.done()
    await intake.feed(b"x")
    assert await taking == b"x" * LEAST


async def test_the_channel_is_bounded():
    """Who feeds it waits for who takes from it."""
    intake = BodyIntake(None)
    feeding = asyncio.create_task(intake.feed(b"x" * ROOM))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not feeding.done()
    await anext(intake.stream)
    await feeding


async def test_a_channel_that_nobody_reads_takes_everything():
    """So that the connection is not kept waiting."""
    intake = BodyIntake(None)
    feeding = asyncio.create_task(intake.feed(b"x" * ROOM))
    await asyncio.sleep(0)
    await intake.stream.aclose()
    await feeding
    await intake.feed(b"x" * ROOM)


async def test_a_channel_whose_client_is_gone():
    """The reader is told, after what had come."""
    intake = BodyIntake(10)
    await intake.feed(b"half")
    intake.fail(interrupted())
    assert await anext(intake.stream) == b"half"
    with pytest.raises(Interrupted):
        await anext(intake.stream)


def test_a_document_that_comes_in_crumbs():
    """It takes no more memory than one that comes at once."""
    size = 100_000
    tracemalloc.start()
    try:
        body = SmallBody(size)
        for start in range(0, size, 2):
            body.add(b"%02d" % (start % 100))
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < 2 * size
    assert body.data() == b"".join(b"%02d" % (start % 100) for start in range(0, size, 2))


def test_a_document_that_is_too_large_stays_so():
    """Whatever comes after the piece that was too much."""
    body = SmallBody(3)
    body.add(b"123")
    for _ in range(2):
        with pytest.raises(TooLarge):
            body.add(b"4")
