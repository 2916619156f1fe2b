"""Small requests beside a bare Tornado handler, interleaved, medians of several rounds."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

from benchmarks.peers import Peer, bare_tornado, waterbutler

SIZE = 10 * 1024
CONNECTIONS = 16


def run(rounds: int = 5, seconds: int = 3) -> dict[str, float]:
    """Requests per second of each side, and their ratios."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing; on Debian: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "ten.bin"
        body.write_bytes(os.urandom(SIZE))
        files = Path(folder) / "data" / "files"
        files.mkdir(parents=True)
        shutil.copy(body, files / "ten.bin")
        with waterbutler(Path(folder) / "data") as ours, bare_tornado(body) as bare:
            return _compare(ours, bare, rounds, seconds)


def _compare(ours: Peer, bare: Peer, rounds: int, seconds: int) -> dict[str, float]:
    targets = {
        "meta, bare Tornado": (f"{bare.url}/meta", ""),
        "meta, ours": (f"{ours.files}/ten.bin?meta=", ours.token),
        "10 KiB, bare Tornado": (f"{bare.url}/file", ""),
        "10 KiB, ours": (f"{ours.files}/ten.bin", ours.token),
    }
    seen: dict[str, list[float]] = {name: [] for name in targets}
    for _ in range(rounds):
        for name, (url, token) in targets.items():
            seen[name].append(wrk(url, token, seconds))
    rates = {name: statistics.median(values) for name, values in seen.items()}
    rates["ratio meta"] = rates["meta, ours"] / rates["meta, bare Tornado"]
    rates["ratio 10 KiB"] = rates["10 KiB, ours"] / rates["10 KiB, bare Tornado"]
    return rates


def wrk(url: str, token: str, seconds: int, *, script: Path | None = None) -> float:
    """Requests per second that a server answers; all of them must succeed."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", url]
    if script:
        command += ["-s", str(script)]
    if token:
        command += ["-H", f"Authorization: Bearer {token}"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output:
        raise SystemExit(f"{url} does not answer as it should:\n{output}")
    match = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert match is not None
    return float(match[1])
