"""Redis: one server for the run; each test has names of its own. And one that a test may end."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.sharing import Started, free_ports, guarded, shared, wait_until

MISSING = "Redis is not installed; to get it: apt-get install redis-server"

_SETTINGS = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--maxmemory", "64mb")


def redis() -> str:
    """The URL of a Redis; skips where there is none. It is shared, so nobody may empty it."""
    program = _program()
    server = shared("redis", lambda folder: _start(program, folder))
    return f"redis://127.0.0.1:{server['port']}/0"


class OwnRedis:
    """A Redis of a test's own, that stops and starts, always on the same port."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self.port = free_ports(1)
        self.url = f"redis://:hidden-password@127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, empty, and wait until it answers."""
        command = [self._program, "--port", str(self.port), *_SETTINGS]
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--requirepass", "hidden-password"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        wait_until(lambda: _answers(self.port), self.process)

    def stop(self) -> None:
        """Break all connections, and listen no more."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def own_redis(folder: Path) -> Iterator[OwnRedis]:
    """A Redis with a password that is running; skips where there is none."""
    server = OwnRedis(_program(), folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _program() -> str:
    pytest.importorskip("redis", reason="the extra 'redis' is not installed")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip(MISSING)
    return program


def _start(program: str, folder: Path) -> Started:
    port = free_ports(1)
    data = folder / "data"
    data.mkdir()
    command = [program, "--port", str(port), "--dir", str(data), *_SETTINGS]
    wait_until(lambda: _answers(port), guarded(command, folder))
    return {"port": port}


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False
