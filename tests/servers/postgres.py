"""PostgreSQL: a cluster of the run's own, and a database for each test."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.sharing import Started, free_ports, guarded, shared, wait_until

USER = "test"
MISSING = "PostgreSQL is not installed; to get it: apt-get install postgresql"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
}


@contextmanager
def database() -> Iterator[str]:
    """The URL of an empty database that is dropped afterwards; skips where there is no server."""
    psycopg = pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    programs = _programs()
    if programs is None:
        pytest.skip(MISSING)
    server = shared("postgres", lambda folder: _start(programs, folder))
    address = f"postgresql://{USER}@127.0.0.1:{server['port']}"
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield f"{address}/{name}"
    finally:
        with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _programs() -> Path | None:
    """Where the server's programs are: Debian keeps them out of the way."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = sorted(versions, key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    program = shutil.which("initdb")
    return Path(program).parent if program else None


def _start(programs: Path, folder: Path) -> Started:
    # The server refuses to run as root, and the folders of a run are for its own user only.
    home = Path(tempfile.mkdtemp(prefix="waterbutler-postgres-"))
    become = _become(home)
    data, port = home / "data", free_ports(1)
    make = [str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", USER, "-E", "UTF8"]
    subprocess.run(
        [*become, *make, "--locale=C", "--no-sync"], check=True, capture_output=True, cwd="/"
    )
    options = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
    command = [str(programs / "postgres"), "-D", str(data), "-p", str(port), "-k", str(home)]
    guard = guarded([*become, *command, *options], folder, data=home)
    wait_until(lambda: _answers(port), guard)
    return {"port": port}


def _become(folder: Path) -> list[str]:
    """What makes a command run as somebody who is not root, where this is root."""
    if os.geteuid() != 0:
        return []
    user = next(name for name in ("postgres", "nobody") if _exists(name))
    entry = pwd.getpwnam(user)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _answers(port: int) -> bool:
    import psycopg  # noqa: PLC0415 - whoever has no driver has been skipped

    try:
        psycopg.connect(f"postgresql://{USER}@127.0.0.1:{port}/postgres").close()
    except psycopg.OperationalError:
        return False
    return True
