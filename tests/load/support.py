"""What tests under load share: settings, clients that check every byte, figures of the system."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import re
import resource
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import requests

from tests.harness import Connection, Reply
from tests.long import TIMES
from tests.running import Running

KIB, MIB = 1 << 10, 1 << 20
LONG = TIMES
"""How many times the usual long form; 0 for the short one."""
PATIENCE = 30.0
"""How many seconds anything may take that is waited for."""


def write_settings(file: Path, *more: str, token: str = "hush", limits: str = "") -> Path:
    """A settings file with user ``admin`` and resource ``demo``, whose storage is a folder.

    Args:
        file: Where it is.
        more: Further tables.
        token: The user's token.
        limits: Lines for the table ``server``.
    """
    folder = file.with_name("files")
    folder.mkdir(exist_ok=True)
    tables = (
        f'[server]\ncors_origins = []\n{limits}\n[users.admin]\ntoken = "{token}"\n'
        '[resources.demo]\naccess = { admin = "write" }\n'
        "[resources.demo.providers.filesystem]\n"
        f'settings = {{ folder = "{folder}", fsync = false }}\n'
    )
    file.write_text(tables + "\n".join(more))
    return file


def pattern(seed: int | str, size: int) -> bytes:
    """Bytes that nobody can guess, and that are the same for the same seed."""
    return random.Random(seed).randbytes(size)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# -- processes -------------------------------------------------------------------------------------


def workers_of(server: Running) -> set[int]:
    """The processes that serve."""
    children = psutil.Process(server.process.pid).children()
    return {child.pid for child in children if "resource_tracker" not in child.name()}


def resident(pid: int) -> float:
    """The memory of a process in MB, of a thousand times a thousand bytes."""
    return _status(pid, "VmRSS")


def peak(pid: int) -> float:
    """The most memory that a process ever had, in MB."""
    return _status(pid, "VmHWM")


def _status(pid: int, field: str) -> float:
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def below(folder: Path) -> list[str]:
    """Every name below a folder, hidden ones too, without what the storage keeps for itself."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*"))
    return sorted(name for name in found if name != ".waterbutler")


def active(server: Running) -> int:
    """How many requests are being served, this question not counted."""
    text = requests.get(f"{server.url}/metrics", timeout=PATIENCE).text
    return int(number(text, "waterbutler_requests_active")) - 1


def number(metrics: str, name: str) -> float:
    """The sum of a metric over all its series."""
    lines = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", metrics, re.MULTILINE)
    assert lines, f"there is no {name}"
    return sum(map(float, lines))


async def until(true: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait until something is true; ``true`` may block for moments."""
    end = time.monotonic() + seconds
    while not await asyncio.to_thread(true):
        assert time.monotonic() < end, f"not within {seconds:g} seconds: {what}"
        await asyncio.sleep(0.05)


def logged(server: Running, event: str) -> int:
    """How often the log says this."""
    return sum(f'"event":"{event}"' in line for line in server.log)


@contextlib.contextmanager
def many_files(count: int) -> Iterator[None]:
    """This process may have so many descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# -- clients ---------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def connected(server: Running) -> AsyncIterator[Connection]:
    connection = await connect(server)
    try:
        yield connection
    finally:
        connection.reset()


async def connect(server: Running, *, buffer: int | None = None) -> Connection:
    """A connection; ``buffer`` is how many bytes may wait for the client in the system."""
    where = urlsplit(server.url)
    connection = socket.socket()
    connection.setblocking(False)
    if buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    await asyncio.get_running_loop().sock_connect(connection, (where.hostname, where.port))
    return Connection(*await asyncio.open_connection(sock=connection, limit=64 * KIB))


class Client:
    """Keeps its connection as long as the server does, as browsers and libraries do.

    A connection is used again only if the answer before did not say that it ends. A request that
    fails is a failure: nothing is sent twice.
    """

    def __init__(self, server: Running, token: str) -> None:
        self.server = server
        self._headers = {"Authorization": f"Bearer {token}"}
        self._connection: Connection | None = None
        self.connections = 0

    async def request(
        self,
        method: str,
        target: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """One request; targets are paths of the server."""
        if self._connection is None:
            self._connection = await connect(self.server)
            self.connections += 1
        given = {**self._headers, **(headers or {})}
        reply = await self._connection.request(method, target, given, body)
        if not reply.whole:
            raise ConnectionResetError(f"{method} {target}: cut")
        if reply.headers.get("Connection", "").lower() == "close":
            await self.close()
        return reply

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
