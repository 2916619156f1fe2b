"""Users of all dialects on all storages at once, for a while; nothing grows and nothing is left."""

import asyncio
import json
import os
import re
import secrets
import sys
import time
from pathlib import Path
from subprocess import run

import pytest

from tests.load.support import (
    LONG,
    Client,
    active,
    below,
    descriptors,
    many_files,
    number,
    resident,
    until,
    write_settings,
)
from tests.load.users import KINDS
from tests.running import start_server
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, seaweedfs

STEPS = 24
"""How many things each user does in the short form."""
MINUTES = 20
"""How long the long form takes, where nothing else is asked for."""
MOST_MB = 140
"""What the process may have at all, with every storage and every dialect in use."""
SLACK_MB = 12
"""What it may differ by from one moment to another."""
SLACK_FILES = 24
MOST_THREADS = 80
MOST_STATE, STATE_OF_A_REQUEST = 16 << 20, 200
"""Bytes of the server's own databases: logs that are written anew, and what the embedded host
remembers of files that were deleted."""
WARM = 20
"""After how many rounds nothing is done for the first time any more."""

TABLES = """
[gateway]
segment_size = "1MiB"
[limits.gateway]
enabled = false
[limits.sign_in]
enabled = false
[resources.demo.providers.osfstorage]
settings = {{ storage = {{ provider = "filesystem", folder = "{blobs}", create = true }} }}
[resources.demo.providers.s3]
settings = {{ bucket = "first", prefix = "{prefix}", endpoint_url = "{url}", \
dialect = "seaweedfs", part_size = 5242880 }}
credentials = {{ access_key = "{key}", secret_key = "{secret}" }}
"""


class Watch:
    """What the server takes of the machine, from time to time."""

    def __init__(self, server):
        self._server = server
        self._start = time.monotonic()
        self.seen = []

    async def look(self):
        """Wait until no request is being served, and write down what is taken then."""
        server, pid = self._server, self._server.process.pid
        await until(lambda: active(server) == 0, "no request is left")
        client = Client(server, "hush")
        metrics = (await client.request("GET", "/metrics")).body.decode()
        await client.close()
        status = Path(f"/proc/{pid}/status").read_text()
        self.seen.append(
            {
                "minute": round((time.monotonic() - self._start) / 60, 1),
                "requests": int(number(metrics, "waterbutler_requests_total")),
                "megabytes": round(resident(pid), 1),
                "descriptors": descriptors(pid),
                "threads": int(re.search(r"Threads:\s+(\d+)", status)[1]),
                "state": sum(f.stat().st_size for f in server.data.glob("*.db*")),
            }
        )

    @property
    def last(self):
        return self.seen[-1]


@pytest.fixture
def storage():
    return seaweedfs()


@pytest.fixture
def prefix():
    return f"soak-{secrets.token_hex(6)}"


@pytest.fixture
def server(tmp_path, storage, prefix):
    tables = TABLES.format(
        blobs=tmp_path / "blobs",
        prefix=prefix,
        url=storage.url,
        key=ACCESS_KEY,
        secret=SECRET_KEY,
    )
    file = write_settings(tmp_path / "settings.toml", tables)
    with many_files(4096), start_server(tmp_path / "data", "--config", str(file)) as server:
        yield server


@pytest.mark.gen_test(timeout=300 + 2 * LONG * MINUTES * 60)
async def test_a_soak(server, tmp_path, storage, prefix):
    """Every byte is right; memory, descriptors, threads, files and objects are as at the start."""
    users = [
        kind(server, mount, f"{kind.__name__}-{mount}", "hush")
        for mount in ("filesystem", "osfstorage", "s3")
        for kind in KINDS
    ]
    await asyncio.gather(*(each.begin() for each in users))
    watch = Watch(server)
    # What is made once, such as threads and connections, is there after the first part.
    await asyncio.gather(*(work(each, steps=STEPS // 2) for each in users))
    await watch.look()
    end = time.monotonic() + LONG * MINUTES * 60
    while True:
        await asyncio.gather(*(work(each, steps=STEPS // 2) for each in users))
        await watch.look()
        report(watch.last)
        if time.monotonic() >= end:
            break
    await asyncio.gather(*(each.check_all() for each in users))
    await asyncio.gather(*(each.end() for each in users))
    for each in users:
        await each.client.close()
    await watch.look()
    assert_flat(watch.seen)
    assert_nothing_left(server, tmp_path, storage, prefix)


async def work(user, steps):
    for _ in range(steps):
        await user.step()


def report(figures):
    """The long form shows how it goes."""
    if LONG:
        sys.__stderr__.write(f"{json.dumps(figures)}\n")
        sys.__stderr__.flush()


def assert_flat(seen):
    last = seen[-1]
    assert last["megabytes"] < MOST_MB, seen
    if len(seen) > 2 * WARM:
        assert last["megabytes"] < seen[WARM]["megabytes"] + SLACK_MB, seen
    # Connections to the storage are kept and dropped as it comes.
    usual = max(each["descriptors"] for each in seen[:WARM])
    assert last["descriptors"] < usual + SLACK_FILES, seen
    assert last["threads"] < MOST_THREADS, seen
    assert last["state"] < MOST_STATE + last["requests"] * STATE_OF_A_REQUEST, seen


def assert_nothing_left(server, tmp_path, storage, prefix):
    assert below(tmp_path / "files") == []
    data = tmp_path / "data"
    kept = [path.name for path in data.rglob("*") if path.is_file() and ".db" not in path.name]
    assert kept == ["session.key"]
    client = storage.client()
    assert "Contents" not in client.list_objects_v2(Bucket="first", Prefix=f"{prefix}/")
    pending = client.list_multipart_uploads(Bucket="first").get("Uploads", [])
    assert [each for each in pending if each["Key"].startswith(prefix)] == []
    log = "".join(server.log)
    assert "Traceback" not in log
    assert '"level":"error"' not in log
    assert not re.search(r'"status":5\d\d', log)
    assert server.stop() == 0
    assert below(tmp_path / "blobs") != []
    command = [sys.executable, "-m", "waterbutler", "host", "blobs", "--remove"]
    config = str(tmp_path / "settings.toml")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("WATERBUTLER_")}
    arguments = [*command, "--config", config, "--data", str(server.data)]
    run(arguments, check=True, timeout=120, env=clean)
    assert below(tmp_path / "blobs") == []
