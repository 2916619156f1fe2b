"""Runs a server as long as the process lives that it serves: ``guard.py PID FOLDER COMMAND…``.

The tests of one run share a server, whichever worker started it. Who ends it cannot be one of the
workers, and must work when a run is killed; so it is this process, which looks whether the run is
still there. Afterwards the server's folder is removed, and what says that there is a server.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    pid, folder, *command = sys.argv[1:]
    process = subprocess.Popen(command, start_new_session=True)
    while alive(int(pid)) and process.poll() is None:
        time.sleep(0.3)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
    for note in (f"{folder}.json", f"{folder}.lock"):
        Path(note).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        Path(folder).parent.rmdir()  # unless another server of the run is still there


if __name__ == "__main__":
    main()
