"""New settings, new processes and lost processes, while requests are being served."""

import asyncio
import contextlib
import os
import signal
import socket
from urllib.parse import urlsplit

import psutil
import pytest

from tests.load.support import (
    KIB,
    LONG,
    MIB,
    Client,
    active,
    connect,
    logged,
    number,
    pattern,
    until,
    workers_of,
    write_settings,
)
from tests.running import start_server
from waterbutler_filesystem.names import temporary

BASE = "/v1/resources/demo/providers/filesystem"
TOKEN = "hush"
AUTH = {"Authorization": f"Bearer {TOKEN}"}


pytestmark = pytest.mark.usefixtures("hangup_heeded")


@pytest.fixture
def serve(tmp_path):
    """Starts a server with settings in a file; several workers if more than one is asked for."""
    with contextlib.ExitStack() as stack:

        def go(workers, *more, limits="idle_seconds = 2\nshutdown_seconds = 1"):
            file = write_settings(tmp_path / "settings.toml", *more, limits=limits)
            options = ("--config", str(file), "--workers", str(workers))
            server = start_server(tmp_path / "data", *options)
            return stack.enter_context(server)

        yield go


def hang_up(server):
    """Ask for the settings to be read again."""
    server.process.send_signal(signal.SIGHUP)


async def reloaded(server, workers, times=1):
    """Wait until all that serves has the new settings."""
    event = "settings reloaded" if workers == 1 else "workers replaced"
    await until(lambda: logged(server, event) >= times, event)


class Visitors:
    """Clients that never stop, some on one connection as long as it lasts, some on many."""

    def __init__(self, server, count):
        self._stop = asyncio.Event()
        self.done = 0
        self.count = count
        self._tasks = [
            asyncio.create_task(self._visit(Client(server, TOKEN), each, keep=each % 2 == 0))
            for each in range(count)
        ]

    async def _visit(self, client, each, *, keep):
        target = f"{BASE}/?kind=file&name={each}.bin"
        data = pattern(each, 20 * KIB)
        reply = await client.request("PUT", target, body=data)
        assert reply.status == 201
        turn = 0
        while not self._stop.is_set():
            turn += 1
            if turn % 3 == 0:
                data = pattern((each, turn).__repr__(), 20 * KIB)
                reply = await client.request("PUT", f"{BASE}/{each}.bin", body=data)
                assert reply.status == 200
            else:
                reply = await client.request("GET", f"{BASE}/{each}.bin")
                assert (reply.status, reply.body) == (200, data)
            if not keep:
                await client.close()
            self.done += 1
            await asyncio.sleep(0.02)
        await client.close()

    async def more(self, count=50):
        """Wait until they have done more, all together; raises if one failed."""
        end = self.done + count
        while self.done < end:
            for task in self._tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.01)

    async def leave(self):
        self._stop.set()
        await asyncio.gather(*self._tasks)


class LongTransfers:
    """A download and an upload that were begun and stand still."""

    async def begin(self, server, files):
        self._data = pattern("long", 12 * MIB)
        self._files = files
        (files / "long.bin").write_bytes(self._data)
        self._download, self._upload = await connect(server), await connect(server)
        size = {"Content-Length": str(len(self._data))}
        await self._upload.start("PUT", f"{BASE}/?kind=file&name=new.bin", {**AUTH, **size})
        await self._upload.send(self._data[: 5 * MIB])
        await self._download.start("GET", f"{BASE}/long.bin", AUTH)
        start = await self._download.reader.readuntil(b"\r\n\r\n")
        assert start.startswith(b"HTTP/1.1 200")
        await until(lambda: active(server) == 2, "both run")

    async def end_whole(self):
        assert await self._download.reader.readexactly(len(self._data)) == self._data
        await self._upload.send(self._data[5 * MIB :])
        assert (await self._upload.receive("PUT")).status == 201
        assert (self._files / "new.bin").read_bytes() == self._data
        self._download.reset()
        self._upload.reset()


@pytest.mark.parametrize("workers", [1, 2])
async def test_no_request_fails_while_all_that_serves_is_replaced(serve, tmp_path, workers):
    """Connections that were kept end after an answer, and never before one.

    Long transfers go on, however short the time is that a stop would give them.
    """
    server = serve(workers, limits="idle_seconds = 1.5\nshutdown_seconds = 0.1")
    before = workers_of(server)
    transfers = LongTransfers()
    await transfers.begin(server, tmp_path / "files")
    visitors = Visitors(server, 6)
    for time in range(1, 4):
        await visitors.more()
        hang_up(server)
        await reloaded(server, workers, time)
    await visitors.more()
    await visitors.leave()
    idle = await connect(server)
    assert await idle.ended(), "it was closed after as long as connections may be idle"
    # A worker that did not wait for transfers would end within this time.
    await asyncio.sleep(0.3)
    await transfers.end_whole()
    idle.reset()
    if workers > 1:
        await until(lambda: len(workers_of(server)) == workers, "the old workers have ended")
        assert not before & workers_of(server)
        await assert_counted(server, visitors)
    assert logged(server, "answer cut") == 0
    assert server.stop() == 0


async def assert_counted(server, visitors):
    """What replaced workers counted stays in the sum, and what they had at the moment does not."""
    client = Client(server, TOKEN)
    text = (await client.request("GET", "/metrics")).body.decode()
    await client.close()
    listed = "\n".join(line for line in text.splitlines() if 'dialect="v1"' in line)
    assert number(listed, "waterbutler_requests_total") == visitors.done + visitors.count + 2
    assert number(text, "waterbutler_requests_active") == 1


async def test_more_and_fewer_workers(serve, tmp_path):
    """As many as the settings say now; what needs a restart is said, and stays as it was."""
    file = tmp_path / "settings.toml"
    limits = "workers = {}\nidle_seconds = 0.1"
    write_settings(file, limits=limits.format(2))
    with start_server(tmp_path / "data", "--config", str(file)) as server:
        for time, count in enumerate((3, 1), 1):
            write_settings(file, limits=f'{limits.format(count)}\nhost = "127.0.0.2"')
            hang_up(server)
            await reloaded(server, 2, time)
            await until(lambda count=count: len(workers_of(server)) == count, f"{count} workers")
        lines = [line for line in server.log if "need a restart" in line]
        assert len(lines) == 2
        assert all('"server.host"' in line and "workers" not in line for line in lines)
        client = Client(server, TOKEN)
        assert (await client.request("GET", f"{BASE}/")).status == 200
        await client.close()


BAD = {
    "no TOML": lambda file: file.write_text("[server\n"),
    "no text": lambda file: file.write_bytes(b"\xff\xfe\x00"),
    "unknown setting": lambda file: write_settings(file, limits="wrokers = 2"),
    "no file": lambda file: file.unlink(),
    "a folder": lambda file: (file.unlink(missing_ok=True), file.mkdir()),
    "no such handler": lambda file: write_settings(file, '[auth]\nhandlers = ["nobody"]'),
    "exposed": lambda file: write_settings(
        file, limits='host = "0.0.0.0"\nsession_secret = "changeme"'
    ),
}


@pytest.mark.parametrize("workers", [1, 2])
async def test_bad_settings_change_nothing(serve, tmp_path, workers):
    """What serves goes on as before, a worker that dies is replaced, and good ones count again."""
    server = serve(workers)
    before = workers_of(server)
    file = tmp_path / "settings.toml"
    client = Client(server, TOKEN)
    for name, spoil in BAD.items():
        spoil(file)
        seen = refusals(server)
        hang_up(server)
        await until(lambda seen=seen: refusals(server) > seen, f"refused: {name}")
        assert (await client.request("GET", f"{BASE}/")).status == 200
        if file.is_dir():
            file.rmdir()
    assert workers_of(server) == before
    if workers > 1:
        await lose_all(server)
        await client.close()
        client = Client(server, TOKEN)
        assert (await client.request("GET", f"{BASE}/")).status == 200
    write_settings(file, token="another")
    hang_up(server)
    await reloaded(server, workers)
    # A load balancer that kept its connection must not take the service out.
    reply = await client.request("GET", "/ready")
    assert (reply.status, reply.headers["Connection"], client.connections) == (200, "close", 1)
    for _ in range(10):
        new, old = Client(server, "another"), Client(server, TOKEN)
        assert (await new.request("GET", f"{BASE}/")).status == 200
        assert (await old.request("GET", f"{BASE}/")).status == 401
        await new.close()
        await old.close()
    assert "changeme" not in "".join(server.log)
    assert "Traceback" not in "".join(server.log)


async def lose_all(server):
    """Kill all workers that there are, one after the other."""
    for each in workers_of(server):
        before = workers_of(server)
        os.kill(each, signal.SIGKILL)
        await until(lambda before=before: workers_of(server) - before, "another worker")


def refusals(server):
    return logged(server, "settings refused") + logged(server, "workers not replaced")


async def test_a_lost_worker_takes_only_its_own_transfers_with_it(serve, tmp_path):
    """Those of the others are whole, and nobody is refused meanwhile."""
    server = serve(2)
    data = pattern("lost", 12 * MIB)
    (tmp_path / "files" / "data.bin").write_bytes(data)
    alive, dead = sorted(workers_of(server))
    owners = {}
    # The server is ready when its first worker is: that one may get all who come at once.
    while len(owners) < 16 or len(set(owners.values())) < 2:
        assert len(owners) < 200, "both had something to do"
        each = await connect(server)
        await each.start("GET", f"{BASE}/data.bin", AUTH)
        await until(lambda: active(server) == len(owners) + 1, "it is being sent")
        owners[each] = owner(each, {dead, alive})
    downloads = list(owners)
    visitors = asyncio.gather(*(visit_apart(server, each) for each in range(40)))
    os.kill(dead, signal.SIGKILL)
    for each in downloads:
        reply = await each.receive()
        assert reply.whole == (owners[each] == alive)
        assert not reply.whole or reply.body == data
        each.reset()
    failed = [each for each in await visitors if each is not None]
    # Whoever had just been accepted by the dead one has lost its connection.
    assert len(failed) <= 2, failed
    await until(lambda: len(workers_of(server)) == 2, "another worker")
    assert alive in workers_of(server)
    assert active(server) == 0, "what the dead one was doing counts no more"


async def visit_apart(server, each):
    """One request on a connection of its own; what was wrong with it."""
    await asyncio.sleep(each / 100)
    client = Client(server, TOKEN)
    try:
        reply = await client.request("GET", f"{BASE}/")
        await client.close()
    except (OSError, EOFError) as error:
        return repr(error)
    return None if reply.status == 200 else reply.status


def owner(connection, pids):
    """The process that has the other end of a connection."""
    port = connection.socket.getsockname()[1]
    (found,) = (
        pid
        for pid in pids
        for each in psutil.Process(pid).net_connections("tcp")
        if each.raddr and each.raddr.port == port and each.status == psutil.CONN_ESTABLISHED
    )
    return found


def leave_half_a_file(folder):
    """What a process leaves that dies in the middle of a write; see the filesystem provider."""
    token = "ab" * 16
    (folder / ".waterbutler").mkdir(exist_ok=True)
    (folder / ".waterbutler" / token).write_bytes(b"")
    left = folder / os.fsdecode(temporary(token))
    left.write_bytes(b"half")
    return left


async def test_what_a_lost_worker_left_is_removed_at_once(serve, tmp_path):
    """By the one that takes its place, whichever it is, and before anybody asks it for anything."""
    server = serve(2)
    left = leave_half_a_file(tmp_path / "files")
    os.kill(max(workers_of(server)), signal.SIGKILL)
    await until(lambda: not left.exists(), "the new worker has cleaned up")


async def test_workers_end_with_their_supervisor(serve):
    """They do not keep the port, and what they are doing is finished."""
    server = serve(2, limits="shutdown_seconds = 20")
    upload = await connect(server)
    size = {"Content-Length": "10"}
    await upload.start("PUT", f"{BASE}/?kind=file&name=a.txt", {**AUTH, **size})
    await upload.send(b"01234")
    await until(lambda: active(server) == 1, "the upload runs")
    pids = workers_of(server)
    server.process.kill()
    server.process.wait()
    where = urlsplit(server.url)
    await until(lambda: refused(where), "nobody listens")
    await upload.send(b"56789")
    assert (await upload.receive("PUT")).status == 201
    await until(lambda: not any(map(psutil.pid_exists, pids)), "the workers have ended")
    upload.reset()


def refused(where):
    try:
        socket.create_connection((where.hostname, where.port), 1).close()
    except OSError:
        return True
    return False


async def test_a_signal_to_all_processes_at_once_is_a_graceful_stop(serve):
    """As of Ctrl-C at a terminal, or of a service manager."""
    server = serve(2, limits="shutdown_seconds = 20")
    upload = await connect(server)
    size = {"Content-Length": "10"}
    await upload.start("PUT", f"{BASE}/?kind=file&name=a.txt", {**AUTH, **size})
    await upload.send(b"01234")
    await until(lambda: active(server) == 1, "the upload runs")
    os.killpg(server.process.pid, signal.SIGINT)
    for each in workers_of(server):
        os.kill(each, signal.SIGTERM)
    where = urlsplit(server.url)
    await until(lambda: refused(where), "nobody listens")
    await upload.send(b"56789")
    assert (await upload.receive("PUT")).status == 201
    upload.reset()
    assert await asyncio.to_thread(server.process.wait, 20) == 0


@pytest.mark.parametrize("workers", [1, 2] if LONG else [2])
async def test_a_second_signal_does_not_wait(serve, workers):
    """Status 1, and the transfer is seen to be broken."""
    server = serve(workers, limits="shutdown_seconds = 60")
    upload = await connect(server)
    size = {"Content-Length": "10"}
    await upload.start("PUT", f"{BASE}/?kind=file&name=a.txt", {**AUTH, **size})
    await until(lambda: active(server) == 1, "the upload runs")
    server.process.send_signal(signal.SIGTERM)
    where = urlsplit(server.url)
    await until(lambda: refused(where), "nobody listens")
    server.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(server.process.wait, 20) == 1
    assert await upload.ended()
    upload.reset()
