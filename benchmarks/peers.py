"""The servers that are measured, each in a process of its own, on loopback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BARE = """
import asyncio, sys, tornado.web
try:
    import uvloop
    factory = uvloop.new_event_loop
except ImportError:
    factory = None
body = open(sys.argv[1], "rb").read()

class Hello(tornado.web.RequestHandler):
    def get(self):
        self.write({"data": {"id": "x", "type": "files"}})

class File(tornado.web.RequestHandler):
    def get(self):
        self.write(body)

async def main():
    app = tornado.web.Application([("/meta", Hello), ("/file", File)], log_function=lambda h: None)
    server = app.listen(0, "127.0.0.1")
    port = next(iter(server._sockets.values())).getsockname()[1]
    print(f"http://127.0.0.1:{port}/", flush=True)
    await asyncio.Event().wait()

with asyncio.Runner(loop_factory=factory) as runner:
    runner.run(main())
"""
"""The least that a Tornado server does: handlers that answer from memory."""

READY = re.compile(r"(http://\S+?)/(?:\?token=(\S+))?$")


@dataclass(frozen=True)
class Peer:
    """A running server."""

    url: str
    token: str
    process: subprocess.Popen[str]

    @property
    def files(self) -> str:
        """The ``filesystem`` mount, without a slash at the end."""
        return f"{self.url}/v1/resources/demo/providers/filesystem"

    def peak_mib(self) -> float:
        """The most memory the process ever had, in MiB (``VmHWM``)."""
        return self._status("VmHWM")

    def now_mib(self) -> float:
        """The memory the process has, in MiB (``VmRSS``)."""
        return self._status("VmRSS")

    def _status(self, field: str) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(rf"{field}:\s+(\d+) kB", text)
        assert match is not None
        return int(match[1]) / 1024


@contextmanager
def waterbutler(
    data: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[Peer]:
    """The server of this project, stand-alone, with its requests not logged to a terminal."""
    command = [sys.executable, "-m", "waterbutler", "serve", "--port", "0", "--data", str(data)]
    with _started([*command, *options], environment) as peer:
        yield peer


@contextmanager
def bare_tornado(body: Path) -> Iterator[Peer]:
    """Tornado with nothing on it."""
    with _started([sys.executable, "-c", BARE, str(body)]) as peer:
        yield peer


@contextmanager
def _started(command: list[str], environment: Mapping[str, str] | None = None) -> Iterator[Peer]:
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    assert process.stdout is not None
    try:
        match = READY.search(process.stdout.readline().strip())
        assert match is not None, f"{command[0]} did not start"
        time.sleep(0.3)
        yield Peer(match[1], match[2] or "", process)
    finally:
        process.terminate()
        process.wait(15)
        process.stdout.close()
