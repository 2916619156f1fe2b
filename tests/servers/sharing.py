"""One server for all workers of a test run."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

GUARD = Path(__file__).with_name("guard.py")
PATIENCE = 90.0
"""How many seconds a server has to come up."""

_guards: list[subprocess.Popen[bytes]] = []
"""Kept, because they outlive what starts them."""

Started = dict[str, str | int]


def shared(name: str, start: Callable[[Path], Started]) -> Started:
    """What ``start`` returned, in this run or in another worker of it.

    Args:
        name: The server's name.
        start: Starts it, with its files in the folder it is given, and waits until it answers.
    """
    run = run_id()
    top = Path(tempfile.gettempdir()) / f"waterbutler-tests-{os.getuid()}-{run}"
    top.mkdir(mode=0o700, exist_ok=True)
    with (top / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = top / f"{name}.json"
        if not known.exists():
            folder = top / name
            folder.mkdir()
            known.write_text(json.dumps(start(folder)))
        found: Started = json.loads(known.read_text())
        return found


def run_id() -> int:
    """The process that lives as long as the run: pytest, or the one that has the workers."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


def guarded(command: Sequence[str], folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start a server that ends with the run; what it says is in ``log`` in its folder."""
    with (folder / "log").open("wb") as log:
        guard = subprocess.Popen(
            [sys.executable, str(GUARD), str(run_id()), str(folder), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    _guards.append(guard)
    return guard


def wait_until(ready: Callable[[], bool], guard: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait for a server to come up; shows what it said if it does not."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if guard.poll() is not None or time.monotonic() > deadline:
            guard.terminate()
            said = (folder / "log").read_text(errors="replace") if folder.exists() else ""
            raise RuntimeError(f"The server did not start.\n{said[-3000:]}")
        time.sleep(0.1)


def free_ports(count: int) -> int:
    """The first of ``count`` ports in a row that nobody uses, as are those 10,000 above.

    They lie below the range that outgoing connections are given.
    """
    for first in range(12_000 + (os.getpid() * 17) % 8000, 21_900, count):
        if all(_is_free(first + n) and _is_free(first + n + 10_000) for n in range(count)):
            return first
    raise RuntimeError("There are no free ports.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
