"""The real server in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

READY = re.compile(r"(http://\S+?)/(?:\?token=(\S+))?$")


@dataclass
class Running:
    """A server that runs."""

    process: subprocess.Popen[str]
    url: str
    token: str
    data: Path
    log: list[str] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        """What signs a request in."""
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def files(self) -> str:
        """The URL of the ``filesystem`` mount of the standalone set-up, without a slash."""
        return f"{self.url}/v1/resources/demo/providers/filesystem"

    def stop(self, number: int = signal.SIGTERM, timeout: float = 30) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout)


@contextmanager
def start_server(
    data: Path,
    *options: str,
    command: str = "serve",
    environment: dict[str, str] | None = None,
) -> Iterator[Running]:
    """Start ``waterbutler serve``, or another one, on a free port and stop it at the end."""
    program: Sequence[str] = (
        *(sys.executable, "-m", "waterbutler", command),
        *("--data", str(data), "--port", "0", *options),
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("WATERBUTLER_")}
    process = subprocess.Popen(
        program,
        # Without a terminal, and in a group of its own, as a service.
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**clean, **(environment or {})},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    log: list[str] = []
    reader = threading.Thread(target=lambda: log.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        line = process.stdout.readline().strip()
        match = READY.search(line)
        assert match is not None, f"{line}\n{''.join(log)}"
        yield Running(process, match[1], match[2] or "", data, log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join(5)
        process.stdout.close()
        process.stderr.close()
