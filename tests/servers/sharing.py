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
PATIENCE = 120.0
"""How many seconds a server has to come up."""
ATTEMPTS = 2
"""How often a server is started anew that did not come up: another program may have its port."""

_guards: list[subprocess.Popen[bytes]] = []
"""Kept, because they outlive what starts them."""

Started = dict[str, str | int]


def shared(name: str, start: Callable[[Path], Started]) -> Started:
    """What ``start`` returned, in this run or in another worker of it.

    Args:
        name: The server's name.
        start: Starts it, with its files in the folder it is given, and waits until it answers.

    Raises:
        RuntimeError: It does not come up; every test is told so, and only the first one waited.
    """
    top = _run_folder()
    with (top / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known, failed = top / f"{name}.json", top / f"{name}.failed"
        if failed.exists():
            raise RuntimeError(failed.read_text())
        if not known.exists():
            try:
                known.write_text(json.dumps(_start(top / name, start)))
            except Exception as problem:
                failed.write_text(str(problem))
                raise
        found: Started = json.loads(known.read_text())
        return found


def _run_folder() -> Path:
    """The folder of this run; what it left is gone when the run is."""
    run = run_id()
    top = Path(tempfile.gettempdir()) / f"waterbutler-tests-{os.getuid()}-{run}"
    try:
        top.mkdir(mode=0o700)
    except FileExistsError:
        return top
    _guards.append(
        subprocess.Popen(
            [sys.executable, str(GUARD), str(run), str(top)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    )
    return top


def _start(folder: Path, start: Callable[[Path], Started]) -> Started:
    problems: list[str] = []
    for attempt in range(ATTEMPTS):
        mine = folder / str(attempt)
        mine.mkdir(parents=True)
        before = len(_guards)
        try:
            return start(mine)
        except Exception as problem:
            log = mine / "log"
            said = log.read_text(errors="replace")[-3000:] if log.exists() else ""
            problems.append(f"{problem!r}\n{said}")
            for guard in _guards[before:]:
                guard.terminate()
                guard.wait()
    raise RuntimeError(f"The server {folder.name} did not start.\n" + "\n".join(problems))


def run_id() -> int:
    """The process that lives as long as the run: pytest, or the one that has the workers."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


def guarded(
    command: Sequence[str], folder: Path, *, data: Path | None = None, **environment: str
) -> subprocess.Popen[bytes]:
    """Start a server that ends with the run.

    Args:
        command: The program and its arguments.
        folder: What the server says is written to the file ``log`` in it.
        data: The folder that goes with the server, where it is another one.
        environment: Further variables of the environment.
    """
    with (folder / "log").open("wb") as log:
        guard = subprocess.Popen(
            [sys.executable, str(GUARD), str(run_id()), str(data or folder / "data"), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    _guards.append(guard)
    return guard


def wait_until(ready: Callable[[], bool], guard: subprocess.Popen[bytes]) -> None:
    """Wait for a server to come up."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if guard.poll() is not None:
            raise RuntimeError("The server ended.")
        if time.monotonic() > deadline:
            raise RuntimeError(f"The server did not answer within {PATIENCE:g} seconds.")
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
