"""A thousand clients that do everything as slowly as they can, at once, and one worker."""

import asyncio
import contextlib
import resource

import pytest

from tests.load.support import (
    KIB,
    MIB,
    Client,
    active,
    below,
    connect,
    descriptors,
    many_files,
    pattern,
    peak,
    until,
    write_settings,
)
from tests.running import start_server

BASE = "/v1/resources/demo/providers/filesystem"
AUTH = {"Authorization": "Bearer hush"}
MOST_MB = 120
COUNT = 1000
SECONDS = 4
"""How long the server puts up with a client here."""


@pytest.fixture
def server(tmp_path):
    limits = f"idle_seconds = {SECONDS}\nstall_seconds = {SECONDS}"
    file = write_settings(tmp_path / "settings.toml", limits=limits)
    with (
        many_files(4096),
        few_files_at_first(),
        start_server(tmp_path / "data", "--config", str(file)) as server,
    ):
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard_limit()))
        yield server


def hard_limit():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@contextlib.contextmanager
def few_files_at_first():
    """The server is started with as few descriptors as systems usually give."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Slow:
    """A client that goes on for ever, a byte at a time, until its connection ends."""

    def __init__(self, connection, start, *, reads):
        self.connection = connection
        self._start = start
        self._reads = reads

    async def run(self):
        """Begin; returns when the server has had enough."""
        with contextlib.suppress(ConnectionError):
            await self.connection.send(self._start)
            if self._reads:
                # What has arrived lies in the buffers of the system, and stays there.
                self.connection.writer.transport.pause_reading()
            await self._trickle()

    async def _trickle(self):
        while not self.connection.reader.at_eof():
            await asyncio.sleep(0.9)
            if self._reads:
                if not await self._is_open():
                    return
            else:
                await self.connection.send(b"x")

    async def _is_open(self):
        """Whether the other end is there; what has arrived is looked at and not taken."""
        return b"01" in tcp_state(self.connection.socket)

    def leave(self):
        self.connection.reset()


def tcp_state(socket):
    """The state of a connection; 01 is open."""
    import socket as sockets  # noqa: PLC0415

    info = socket.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_INFO, 1)
    return b"%02d" % info[0]


def head(method, target, **headers):
    given = {"Host": "x", **AUTH, **{k.replace("_", "-"): v for k, v in headers.items()}}
    lines = [f"{method} {BASE}/{target} HTTP/1.1", *(f"{k}: {v}" for k, v in given.items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def test_a_thousand_slow_clients(server, tmp_path):
    """Others are served meanwhile; memory is bounded; then the slow ones are gone without trace."""
    files = tmp_path / "files"
    (files / "large.bin").write_bytes(pattern("slow", 16 * MIB))
    small = pattern("quick", 10 * KIB)
    (files / "small.bin").write_bytes(small)
    quick = Client(server, "hush")
    assert (await quick.request("GET", f"{BASE}/small.bin")).body == small
    pid = server.process.pid
    before, names = descriptors(pid), below(files)
    slow = []
    for number in range(COUNT):
        connection = await connect(server, buffer=4 * KIB)
        if number % 3 == 0:
            start, reads = head("GET", "small.bin")[:-2] + b"X-Slow: ", False
        elif number % 3 == 1:
            length = {"Content_Length": str(MIB)}
            start, reads = head("PUT", f"?kind=file&name=slow{number}.bin", **length), False
        else:
            start, reads = head("GET", "large.bin"), True
        slow.append(Slow(connection, start, reads=reads))
    running = asyncio.gather(*(each.run() for each in slow))
    served = 0
    while not running.done():
        reply = await quick.request("GET", f"{BASE}/small.bin")
        assert (reply.status, reply.body) == (200, small)
        served += 1
        await asyncio.sleep(0.05)
    await running
    assert served > 10
    for each in slow:
        each.leave()
    await quick.close()
    await until(lambda: active(server) == 0, "no request is left")
    await until(lambda: descriptors(pid) <= before, "no descriptor is left")
    assert below(files) == names
    assert peak(pid) < MOST_MB
    log = "".join(server.log)
    assert log.count('"outcome":"ClientIdle"') >= COUNT // 2
    assert "Traceback" not in log
    assert server.stop() == 0
