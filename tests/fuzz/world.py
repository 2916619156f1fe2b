"""A server as it is installed, with a tree around its folder that nobody may touch.

It runs in a process of its own and is seen as the rest of the world sees it: by its answers, by the
files on the disk, and by the lines of its log.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from tests.fuzz.wire import Answer, Hang, Request, Wire
from tests.running import Running, start_server
from tests.servers.s3 import ACCESS_KEY, BUCKETS, SECRET_KEY, seaweedfs

TOKENS = {"alice": "alice-token-5d81c0", "bob": "bob-token-77e1f2"}
SECRETS = {
    "jwe_secret": "the jwe secret 8d2f",
    "jwe_salt": "the jwe salt 11ab",
    "jwt_secret": "the jwt secret 90cc",
    "hmac_secret": "the hmac secret 3e5a",
}
ALICE = [(b"Authorization", b"Bearer " + TOKENS["alice"].encode())]
BOB = [(b"Authorization", b"Bearer " + TOKENS["bob"].encode())]

CANARY = "canary-of-the-mine-4411"
"""Stands in the names and in the contents of all that lies outside of the mount."""
INJECTED = b"X-Injected"
"""A header that nobody sends on purpose."""
SCRIPT = b"<svg onload"
"""Stands in names, and in no page."""
CONTENT = b"0123456789" * 100

DOCUMENTED = {501, 502, 503}
"""Statuses of a storage that cannot, fails, or is away; everything else from 500 on is a bug."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ROOT = str(Path(__file__).parents[2])
_MACHINE = [b"Traceback (most", b'File "/', _ROOT.encode(), sys.prefix.encode(), CANARY.encode()]


class World:
    """The server, its mounts, and what lies around them.

    Attributes:
        mount: The folder of the mount ``filesystem``.
        mounts: The names of all mounts of the resource ``demo``.
    """

    def __init__(self, running: Running, around: Path, mounts: list[str]) -> None:
        self.running = running
        self.mounts = mounts
        self.port = int(running.url.rpartition(":")[2])
        self.mount = around / "outer" / "mount"
        self._around = around
        self._private = [*_MACHINE, str(around).encode(), str(running.data).encode()]
        self._untouched = self._snapshot()
        self._wire: Wire | None = None
        self._read = 0
        self.ids: dict[str, str] = {}
        self.sessions: dict[str, dict[str, str]] = {}
        self.session = requests.Session()

    # -- requests ------------------------------------------------------------------------------

    def connect(self) -> Wire:
        """A new connection."""
        return Wire(self.port)

    def ask(self, request: Request) -> Answer:
        """The answer to a request on the connection that all share until an answer ends it."""
        self._wire = self._wire or self.connect()
        try:
            answer = self._wire.ask(request)
        except Hang as error:
            self.hang_up()
            raise Hang(f"no answer to {request}") from error
        if answer is None or answer.closes:
            self.hang_up()
        assert answer is not None, f"the connection ends without a word: {request}"
        return answer

    def ask_for(self, target: str) -> Answer:
        """The answer to a GET, as alice."""
        return self.ask(Request("GET", target.encode(), list(ALICE)))

    def hang_up(self) -> None:
        """Use other connections from now on."""
        self.session.close()
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def alive(self) -> Answer:
        """The server answers what comes next, on the same connection if that is still there."""
        answer = self.ask(Request("GET", b"/status"))
        assert answer.status == 200, answer
        assert answer.json["status"] == "up"
        return answer

    def try_out(self, request: Request) -> Answer:
        """Send a request; nothing may go wrong with it, around it and after it."""
        answer = self.ask(request)
        self.check(answer, request.method, request.target)
        self.alive()
        self.check_around()
        return answer

    # -- what must be true -----------------------------------------------------------------------

    def check(self, answer: Answer, method: str = "GET", target: bytes = b"") -> None:
        """An answer fails only in the documented ways, and gives nothing away."""
        assert answer.status < 500 or answer.status in DOCUMENTED, answer
        assert answer.whole, answer
        assert _UUID.fullmatch(answer.one("X-Waterbutler-Request-Id")), answer.headers
        assert not answer.all(INJECTED.decode()), answer.headers
        shown = b"\n".join([*(name + value for name, value in answer.headers), answer.body])
        for private in self._private:
            assert private not in shown, f"{private!r} in {answer}"
        if answer.one("Content-Type").startswith("text/html"):
            assert SCRIPT not in answer.body.lower()
        if answer.status >= 400 and method != "HEAD":
            check_error(answer, target)

    def check_around(self) -> None:
        """Nothing outside of the mount was changed."""
        assert self._snapshot() == self._untouched

    def log(self) -> list[str]:
        """The lines that were logged since the last time, up to this moment."""
        marker = self.alive().one("X-Waterbutler-Request-Id")
        for _ in range(2000):
            lines = self.running.log[self._read :]
            found = [number for number, line in enumerate(lines) if marker in line]
            if found:
                self._read += found[0] + 1
                return lines[: found[0] + 1]
            time.sleep(0.005)
        raise Hang("The log does not tell of a request.")

    # -- what requests need to lead somewhere ----------------------------------------------------

    def fill(self, mount: str = "filesystem") -> None:
        """``file.txt`` and ``folder/inner.txt`` are in a mount, whatever happened before."""
        if mount == "filesystem":
            self._fill_folder()
            return
        for folder, name in (("", "file.txt"), ("", "folder/"), ("folder/", "inner.txt")):
            known = self.ids.get(f"{mount}/{folder}{name}")
            if known is None or self._meta(mount, known).status != 200:
                self._make(mount, self.ids.get(f"{mount}/{folder}", "/"), folder, name)

    def path(self, mount: str, name: str) -> str:
        """Where something that `fill` made is in its mount, as a URL has it."""
        return self.ids.get(f"{mount}/{name}", f"/{name}")

    def sign_in(self, endpoint: str) -> dict[str, str]:
        """A session of the gateway API for the mount ``filesystem``."""
        if endpoint not in self.sessions:
            where = {"resource": "demo", "provider": "filesystem"}
            body = json.dumps({"token": TOKENS["alice"], **where}).encode()
            answer = self.ask(Request("POST", f"/v2/{endpoint}".encode(), body=body))
            assert answer.status == 200, answer
            self.sessions[endpoint] = answer.json
        return self.sessions[endpoint]

    def _fill_folder(self) -> None:
        folder = self.mount / "folder"
        (self.mount / f"{SCRIPT.decode()}=x>").touch()
        for file in (self.mount / "file.txt", folder / "inner.txt"):
            with suppress(OSError):
                if file.read_bytes() == CONTENT:
                    continue
            if folder.is_file():
                folder.unlink()
            folder.mkdir(exist_ok=True)
            file.write_bytes(CONTENT)

    def _meta(self, mount: str, path: str) -> Answer:
        base = f"/v1/resources/demo/providers/{mount}{path}"
        query = "" if path.endswith("/") else "?meta="
        return self.ask(Request("GET", (base + query).encode(), ALICE))

    def _make(self, mount: str, at: str, folder: str, name: str) -> None:
        kind, body = ("folder", None) if name.endswith("/") else ("file", CONTENT)
        query = f"?kind={kind}&name={name.rstrip('/')}"
        target = f"/v1/resources/demo/providers/{mount}{at}{query}"
        answer = self.ask(Request("PUT", target.encode(), ALICE, body))
        assert answer.status in {201, 409}, answer
        self.ids[f"{mount}/{folder}{name}"] = answer.json["data"]["attributes"]["path"]

    def _snapshot(self) -> dict[str, object]:
        found: dict[str, object] = {}
        for folder, folders, files in os.walk(self._around):
            if Path(folder) == self.mount:
                folders.clear()
                continue
            for path in [Path(folder), *(Path(folder, name) for name in files)]:
                about = path.lstat()
                content = path.read_bytes() if path.is_file() else b""
                found[str(path)] = (about.st_mode, about.st_mtime_ns, content)
        return found


def check_error(answer: Answer, target: bytes = b"") -> None:
    """An error says in JSON, in the shape of its dialect, what is wrong; or in HTML to a person."""
    if answer.one("Content-Type").startswith("text/html"):
        assert not target.startswith((b"/v", b"/host", b"/gateway")), answer
        return
    document = answer.json
    assert document["code"] == answer.status, answer
    assert isinstance(document["message"], str)
    assert document["message"]
    if answer.all("X-Status"):
        assert set(document) == {"code", "message"}
        assert answer.one("X-Status") == str(answer.status)
        assert answer.one("X-Reason").isascii()
    elif target.startswith((b"/v2/", b"/gateway/")):
        assert answer.closes, "an error of the gateway API has headers of its own"
    elif "message_short" not in document:
        assert set(document) in ({"code", "message", "message_long"}, {"code", "message", "data"})


def check_log(lines: list[str]) -> None:
    """Each line is an event of its own, none is an error that nobody expects, none tells secrets.

    A line that was split by what somebody sent would be no JSON.
    """
    for line in lines:
        assert line.splitlines() == [line.removesuffix("\n")]
        event = json.loads(line)
        assert {"event", "level", "timestamp"} <= set(event), line
        assert event["level"] != "error", line
        for secret in (*TOKENS.values(), *SECRETS.values()):
            assert secret not in line


def signed(payload: object, *, end: float | None = None) -> dict[str, str]:
    """A message of another server to the host, written down anew."""
    document = payload
    if isinstance(payload, dict):
        document = {"time": time.time() + 100 if end is None else end, **payload}
    text = base64.b64encode(json.dumps(document, sort_keys=True).encode()).decode()
    secret = SECRETS["hmac_secret"].encode()
    return {"payload": text, "signature": hmac.new(secret, text.encode(), "sha256").hexdigest()}


def s3_mount(folder: Path) -> str:
    """The settings of a mount on SeaweedFS; nothing where that is not installed."""
    try:
        server = seaweedfs()
    except pytest.skip.Exception:
        return ""
    prefix = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return f"""
[resources.demo.providers.s3.settings]
bucket = "{BUCKETS[0]}"
prefix = "{prefix}"
endpoint_url = "{server.url}"
dialect = "{server.dialect}"
[resources.demo.providers.s3.credentials]
access_key = "{ACCESS_KEY}"
secret_key = "{SECRET_KEY}"
"""


def configured(folder: Path, s3: str = "") -> str:
    """The settings file."""
    secrets = "\n".join(f'{name} = "{value}"' for name, value in SECRETS.items())
    users = "\n".join(f'[users.{name}]\ntoken = "{token}"' for name, token in TOKENS.items())
    store = f'{{ provider = "filesystem", folder = "{folder}/blobs", create = true }}'
    return f"""
[server]
idle_seconds = 36000
{users}
[auth.osf]
{secrets}
[resources.demo]
access = {{ alice = "write", bob = "read" }}
[resources.demo.providers.filesystem]
settings = {{ folder = "{folder}/around/outer/mount", fsync = false }}
[resources.demo.providers.osfstorage]
settings = {{ storage = {store} }}
[limits.gateway]
enabled = false
[limits.sign_in]
enabled = false
{s3}
"""


def make_around(folder: Path) -> Path:
    """The tree with the mount in its middle, and links in the mount that lead out of it."""
    around = folder / "around"
    mount = around / "outer" / "mount"
    mount.mkdir(parents=True)
    for place in (around, around / "outer"):
        (place / f"{CANARY}.txt").write_text(CANARY)
        (place / "file.txt").write_text(CANARY)
        (place / "folder").mkdir()
        (place / "folder" / "inner.txt").write_text(CANARY)
    (mount / "link-out").symlink_to("..")
    (mount / "link-file").symlink_to(f"../{CANARY}.txt")
    (mount / "link-far").symlink_to(around)
    return around


@contextmanager
def start_world(folder: Path, **environment: str) -> Iterator[World]:
    """Start the server with everything around it."""
    around = make_around(folder)
    s3 = s3_mount(folder)
    config = folder / "config.toml"
    config.write_text(configured(folder, s3))
    with start_server(folder / "data", "--config", str(config), environment=environment) as running:
        mounts = ["filesystem", "osfstorage", *(["s3"] if s3 else [])]
        world = World(running, around, mounts)
        yield world
        world.hang_up()
