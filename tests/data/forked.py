"""A server that is killed and started again, quickly and often, and a plain client of it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

from tests.running import READY

PROGRAM = Path(__file__).with_name("crashing.py")
PATIENCE = 30.0
Reply = tuple[int, bytes]
Request = Callable[[], Reply | None]
"""A request that is ready to be sent; gives the answer, or ``None`` if the server went away."""


class Client:
    """Requests to one mount, each on a connection of its own; paths are names.

    Args:
        url: The server.
        token: Signs in.
        mount: The mount of the resource ``demo``.
    """

    def __init__(self, url: str, token: str, mount: str) -> None:
        self._netloc = urlsplit(url).netloc
        self._headers = {"Authorization": f"Bearer {token}"}
        self.mount = mount
        self._base = f"/v1/resources/demo/providers/{mount}"
        self._wires = {"/": "/"}

    def request(self, method: str, target: str, body: bytes | None = None) -> Reply | None:
        """The answer; ``None`` if the server went away."""
        if method != "GET":
            # What has a name may be another thing now.
            self._wires = {"/": "/"}
        connection = http.client.HTTPConnection(self._netloc, timeout=PATIENCE)
        try:
            connection.request(method, target, body, self._headers)
            reply = connection.getresponse()
            return reply.status, reply.read()
        except (ConnectionError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def do(self, method: str, target: str, body: bytes | None = None) -> bytes:
        """The body of an answer that must be a success."""
        reply = self.request(method, target, body)
        assert reply is not None
        assert reply[0] < 300, reply
        return reply[1]

    def wire(self, path: str) -> str:
        """What URLs call a path; asked for in its folder, where it is not known."""
        if path not in self._wires:
            folder = path.rstrip("/").rpartition("/")[0] + "/"
            self.children(folder)
        return self._wires[path]

    def url(self, path: str) -> str:
        return self._base + quote(self.wire(path))

    def new(self, path: str) -> str:
        folder, _, name = path.rstrip("/").rpartition("/")
        kind = "folder" if path.endswith("/") else "file"
        return f"{self.url(f'{folder}/')}?kind={kind}&name={quote(name, safe='')}"

    def children(self, folder: str) -> list[str]:
        found = []
        for entry in json.loads(self.do("GET", self.url(folder)))["data"]:
            attributes = entry["attributes"]
            end = "/" if attributes["kind"] == "folder" else ""
            path = f"{folder}{attributes['name']}{end}"
            assert path not in found
            self._wires[path] = attributes["path"]
            found.append(path)
        return found

    def make(self, path: str, body: bytes | None = None) -> None:
        self.do("PUT", self.new(path), body)

    def read(self, path: str) -> bytes:
        url = self.url(path)
        return self.do("GET", f"{url}?direct=")

    def state(self, folder: str) -> dict[str, bytes | None]:
        """Everything below a folder: the content of each file, and ``None`` for folders."""
        found: dict[str, bytes | None] = {}
        for path in self.children(folder):
            if path.endswith("/"):
                found[path] = None
                found |= self.state(path)
            else:
                found[path] = self.read(path)
        return found

    def transfer(
        self, action: str, at: str, to: str, conflict: str = "warn", client: Client | None = None
    ) -> Request:
        """What moves or copies to another path, of another client's mount if one is given."""
        folder, _, name = to.rstrip("/").rpartition("/")
        other = client or self
        document = {
            "action": action,
            "path": other.wire(f"{folder}/"),
            "rename": name,
            "conflict": conflict,
            "provider": other.mount,
        }
        return partial(self.request, "POST", self.url(at), json.dumps(document).encode())


class Forked:
    """Starts servers on one data folder, one after the other.

    Args:
        data: The data folder.
        folder: Where the files are that steer the server.
        config: A configuration in place of the standalone set-up.
    """

    def __init__(self, data: Path, folder: Path, config: Path | None = None) -> None:
        self.data = data
        self._control = folder / "control"
        self._steps = folder / "steps"
        self._log = folder / "log"
        self._control.write_bytes(struct.pack("q", 0))
        self._steps.touch()
        self._arguments = [str(PROGRAM), str(data), str(self._control), str(self._steps)]
        self._arguments += [str(config)] if config else []
        self._running = 0
        self.url = self.token = ""

    def __enter__(self) -> Forked:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("WATERBUTLER_")}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=clean,
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._running:
            self.kill()
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()

    @property
    def log(self) -> str:
        """What the servers said."""
        return self._log.read_text(errors="replace")

    def start(self) -> None:
        self._process.stdin.write("start\n")
        self._process.stdin.flush()
        self.url = ""
        self._running = 0
        while not self.url or not self._running:
            line = self._process.stdout.readline()
            assert line, self.log
            assert not line.startswith("ended"), self.log
            if line.startswith("process "):
                self._running = int(line.split()[1])
            elif match := READY.search(line.strip()):
                self.url, self.token = match[1], match[2] or self.token

    def client(self, mount: str) -> Client:
        return Client(self.url, self.token, mount)

    def kill(self) -> None:
        """Kill the server, and wait until it is gone."""
        self.strike()
        self.wait()

    def strike(self) -> None:
        """Kill the server."""
        # The number 0 would mean this process and all of its relatives.
        assert self._running
        os.kill(self._running, signal.SIGKILL)

    def wait(self) -> None:
        """Wait for the server to end, which it does by itself."""
        line = self._process.stdout.readline()
        assert line == "ended\n", line
        self._running = 0

    @contextmanager
    def dying_at(self, step: int) -> Iterator[None]:
        """The step after so many others is the last one, and is not done."""
        self._steps.write_text("")
        self._set(step)
        try:
            yield
        finally:
            self._set(0)

    def _set(self, left: int) -> None:
        # The server has the file in its memory: it must never be shorter.
        with self._control.open("r+b") as file:
            file.write(struct.pack("q", left))

    @property
    def steps(self) -> list[str]:
        """The steps that were counted last; the last one was not done, if the server died."""
        return self._steps.read_text().split("\n")[:-1]
