"""The servers that are measured, each in a process of its own on loopback, with its log off.

Each is set up as somebody who runs it would: nginx sends files by ``sendfile`` and has one worker.
"""

from __future__ import annotations

import asyncio
import functools
import os
import queue
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.programs import program

MB = 1_000_000
PATIENCE = 60.0
"""How many seconds a server has to come up or to stop."""
SETTLING = 0.3
"""Seconds after which what belongs to a start is over."""
READY = re.compile(r"(http://\S+?)/(?:\?token=\S+)?$")

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
    server = app.listen(0, "127.0.0.1", backlog=1024)
    port = next(iter(server._sockets.values())).getsockname()[1]
    print(f"http://127.0.0.1:{port}/", flush=True)
    await asyncio.Event().wait()

with asyncio.Runner(loop_factory=factory) as runner:
    runner.run(main())
"""
"""The least that a Tornado server does: handlers that answer from memory."""

NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on;
  client_max_body_size 0; client_body_buffer_size 1m; client_body_temp_path {temporary};
  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  default_type application/octet-stream;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    {locations}
  }}
}}
"""
FILES = """
    location / {{
      root {root}; dav_methods PUT DELETE MKCOL; autoindex on; autoindex_format json;
    }}
"""
PROXY = """
    location / {{
      proxy_pass {url}; proxy_http_version 1.1; proxy_max_temp_file_size 0;
      proxy_request_buffering off; proxy_buffers 16 64k; proxy_buffer_size 64k;
      proxy_busy_buffers_size 512k;
      proxy_set_header Host {host}; proxy_set_header Connection "";
    }}
"""


@dataclass(frozen=True)
class Peer:
    """A running server.

    Attributes:
        url: What its addresses start with, without a slash at the end.
        process: The process that serves.
    """

    url: str
    process: subprocess.Popen[str]

    def peak(self) -> float:
        """The most memory the process ever had, in MB (``VmHWM``; 1 MB is 1,000,000 bytes)."""
        return self._status("VmHWM")

    def memory(self) -> float:
        """The memory the process has now, in MB (``VmRSS``)."""
        return self._status("VmRSS")

    def _status(self, name: str) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(rf"{name}:\s+(\d+) kB", text)
        assert match is not None
        return int(match[1]) * 1024 / MB


@contextmanager
def waterbutler(
    *options: str, environment: Mapping[str, str] | None = None, wait: bool = True
) -> Iterator[Peer]:
    """The server of this project, ready to answer.

    Args:
        options: Given to ``waterbutler serve``.
        environment: Further variables of the environment.
        wait: Let what belongs to the start be over before anything is measured.
    """
    command = [sys.executable, "-m", "waterbutler", "serve", "--port", "0", *options]
    with _announced(command, environment, wait=wait) as peer:
        yield peer


@contextmanager
def bare_tornado(body: Path) -> Iterator[Peer]:
    """Tornado with nothing on it: ``/meta`` answers a small document, ``/file`` the body."""
    with _announced([sys.executable, "-c", BARE, str(body)], None) as peer:
        yield peer


@contextmanager
def nginx(folder: Path, root: Path) -> Iterator[Peer]:
    """It serves ``root``, and takes uploads there; its own files are in ``folder``."""
    # A file that was received gets its name by a rename, so it must be on the same disk.
    with _nginx(folder, FILES.format(root=root), folder / "received") as peer:
        yield peer


@contextmanager
def nginx_before(folder: Path, url: str) -> Iterator[Peer]:
    """It passes everything on to the server at ``url``."""
    locations = PROXY.format(url=url, host=urlsplit(url).netloc)
    with _nginx(folder, locations, folder / "received") as peer:
        yield peer


@contextmanager
def rclone_webdav(root: Path) -> Iterator[Peer]:
    """``rclone serve webdav``."""
    port = _free_port()
    options = ["--addr", f"127.0.0.1:{port}", "--config", ""]
    with _listening([program("rclone"), "serve", "webdav", str(root), *options], port) as peer:
        yield peer


@contextmanager
def rclone_control(remotes: Mapping[str, str]) -> Iterator[Peer]:
    """An rclone that copies when it is told so by ``POST /sync/copy``.

    Args:
        remotes: The settings of its remotes, as variables of the environment.
    """
    port = _free_port()
    options = ["--rc-addr", f"127.0.0.1:{port}", "--rc-no-auth", "--config", ""]
    with _listening([program("rclone"), "rcd", *options], port, remotes) as peer:
        yield peer


@contextmanager
def delayed(url: str, seconds: float) -> Iterator[str]:
    """The same server farther away: what it says comes later by so many seconds.

    Returns:
        Its address there.
    """
    started: queue.Queue[tuple[str, Callable[[], object]]] = queue.Queue()

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        way = _Way(url, seconds)
        server = await asyncio.start_server(way.connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        ending = functools.partial(loop.call_soon_threadsafe, stop.set)
        started.put((f"http://127.0.0.1:{port}", ending))
        await stop.wait()
        server.close()
        await way.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    address, end = started.get(timeout=PATIENCE)
    try:
        yield address
    finally:
        end()
        thread.join()


class _Way:
    """The long way to a server, and its answers' even longer way back."""

    def __init__(self, url: str, seconds: float) -> None:
        self._to = urlsplit(url)
        self._seconds = seconds
        self._tasks: set[asyncio.Task[None]] = set()

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection."""
        task = asyncio.get_running_loop().create_task(self._pass_on(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cut the connections that there are."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(self._to.hostname, self._to.port)
        try:
            await asyncio.gather(_pump(reader, forth, 0), _pump(back, writer, self._seconds))
        except OSError:
            writer.transport.abort()
        finally:
            forth.close()
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    while data := await reader.read(1 << 16):
        await asyncio.sleep(seconds)
        writer.write(data)
        await writer.drain()
    writer.close()


@contextmanager
def _nginx(folder: Path, locations: str, temporary: Path) -> Iterator[Peer]:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    port = _free_port()
    config = folder / "nginx.conf"
    config.write_text(
        NGINX.format(folder=folder, temporary=temporary, port=port, locations=locations)
    )
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    command = [
        program("nginx"),
        "-p",
        str(folder),
        "-e",
        str(folder / "error.log"),
        "-c",
        str(config),
    ]
    with _listening([*command, *user], port) as peer:
        yield peer


@contextmanager
def _announced(
    command: Sequence[str], environment: Mapping[str, str] | None, *, wait: bool = True
) -> Iterator[Peer]:
    """A server that prints its address when it can be asked."""
    with _running(command, environment) as process:
        assert process.stdout is not None
        match = READY.search(process.stdout.readline().strip())
        if match is None:
            raise RuntimeError(f"{' '.join(command[:4])} did not start")
        if wait:
            time.sleep(SETTLING)
        yield Peer(match[1], process)


@contextmanager
def _listening(
    command: Sequence[str], port: int, environment: Mapping[str, str] | None = None
) -> Iterator[Peer]:
    """A server that was told where to listen."""
    url = f"http://127.0.0.1:{port}"
    with _running(command, environment) as process:
        deadline = time.monotonic() + PATIENCE
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command[:3])} did not start")
            time.sleep(0.02)
        yield Peer(url, process)


@contextmanager
def _running(
    command: Sequence[str], environment: Mapping[str, str] | None
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
