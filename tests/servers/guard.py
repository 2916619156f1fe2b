"""Runs a server as long as the process lives that it serves: ``guard.py PID FOLDER [COMMAND…]``.

The tests of one run share a server, whichever worker started it. Who ends it cannot be one of the
workers, and must work when a run is killed; so it is this process, which looks whether the run is
still there. Afterwards the folder is removed. Without a command it only removes the folder.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 30.0
"""How many seconds others may take to leave the folder."""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def remove(folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.1)


def main() -> None:
    pid, folder, *command = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    process = subprocess.Popen(command, start_new_session=True) if command else None
    try:
        while alive(int(pid)) and (process is None or process.poll() is None):
            time.sleep(0.3)
    finally:
        if process is not None:
            stop(process)
        remove(Path(folder))


if __name__ == "__main__":
    main()
