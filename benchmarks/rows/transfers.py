"""Large files on a filesystem, up and down, and what the load generator itself costs."""

from __future__ import annotations

import hashlib
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from benchmarks.load import Request, WrongAnswer, ask, curl, download, upload
from benchmarks.measuring import Goal, Row, Seen, Side
from benchmarks.peers import MB
from benchmarks.sizes import GIB
from benchmarks.stage import Stage, get, put, renew, take

Client = Callable[[Request], float]
"""Makes a request and returns the processor time that it took itself."""


def downloads(stage: Stage, seen: Seen) -> None:
    """One file with one connection and with many."""
    size = stage.large.stat().st_size
    many = 16
    sides: list[Side] = []
    for connections in (1, many):
        for name, request in _large_files(stage).items():
            _check(request, stage.large)

            def side(name: str = name, request: Request = request, n: int = connections) -> None:
                label = f"{name}, {n} connection{'s' if n > 1 else ''}"
                seen.add(label, "MB/s", download(request, size, n) / MB)

            sides.append(side)
    seen.take_turns(stage.sizes.rounds, sides)


def uploads(stage: Stage, seen: Seen) -> None:
    """One file with one connection, to mounts that compute digests and to one that does not."""
    source = stage.large
    size = source.stat().st_size
    sides: list[Side] = []
    for name, (request, stored) in upload_targets(stage, source).items():

        def side(name: str = name, request: Request = request, stored: Path = stored) -> None:
            renew(source)
            stage.settle()
            rate = upload(request)
            take(stored, size)
            seen.add(name, "MB/s", rate / MB)

        sides.append(side)
    seen.take_turns(stage.sizes.rounds, sides)


def upload_targets(stage: Stage, source: Path) -> dict[str, tuple[Request, Path]]:
    """Where to put a file, and where it lies then."""
    name = "uploaded.bin"
    nginx = Request(f"{stage.nginx.url}/{name}", method="PUT", source=source)
    rclone = Request(f"{stage.rclone.url}/{name}", method="PUT", source=source)
    return {
        "nginx dav": (nginx, stage.files / name),
        "ours, no digest": (put(stage.ours, "plain", name, source), stage.plain / name),
        "ours, md5 and sha256": (put(stage.ours, "filesystem", name, source), stage.files / name),
        "rclone webdav": (rclone, stage.served / name),
        "ours, md5, sha256 and fsync": (
            put(stage.ours, "durable", name, source),
            stage.durable / name,
        ),
    }


def clients(stage: Stage, seen: Seen) -> None:
    """The processor time of each client for the same transfers with nginx."""
    size = stage.large.stat().st_size
    read = Request(f"{stage.nginx.url}/{stage.large.name}")
    write = Request(f"{stage.nginx.url}/sent.bin", method="PUT", source=stage.large)

    def ours(request: Request) -> float:
        start = time.process_time()
        ask(request)
        return time.process_time() - start

    sides: list[Side] = []
    for name, client in (("this load generator", ours), ("curl", curl)):
        for what, request in (("download", read), ("upload", write)):

            def side(
                label: str = f"{name}, {what}", c: Client = client, request: Request = request
            ) -> None:
                taken = c(request)
                if request is write:
                    take(stage.files / "sent.bin", size)
                seen.add(label, "s/GiB", taken * GIB / size)

            sides.append(side)
    seen.take_turns(stage.sizes.rounds, sides)


def _large_files(stage: Stage) -> dict[str, Request]:
    name = stage.large.name
    return {
        "nginx": Request(f"{stage.nginx.url}/{name}"),
        "ours": get(stage.ours, "filesystem", name),
    }


def _check(request: Request, file: Path) -> None:
    """Raises `WrongAnswer` if something else comes; timed downloads only count bytes."""
    headers = {"Authorization": f"Bearer {request.token}"} if request.token else {}
    digest = hashlib.sha256()
    with urllib.request.urlopen(urllib.request.Request(request.url, headers=headers)) as answer:
        while block := answer.read(1 << 20):
            digest.update(block)
    with file.open("rb") as content:
        expected = hashlib.file_digest(content, "sha256")
    if digest.digest() != expected.digest():
        raise WrongAnswer(f"{request.url} is not the file")


ROWS = (
    Row(
        "download",
        "Download of 1 GiB",
        downloads,
        (
            Goal("ours, 1 connection", 1.0, of="nginx, 1 connection"),
            Goal("ours, 16 connections", 0.9, of="nginx, 16 connections"),
        ),
    ),
    Row(
        "upload",
        "Upload of 1 GiB",
        uploads,
        (
            Goal("ours, no digest", 0.8, of="nginx dav"),
            Goal("ours, md5 and sha256", 0.6, of="nginx dav"),
            Goal("ours, md5 and sha256", 1.5, of="rclone webdav"),
        ),
    ),
    Row("clients", "Processor time of the load generator, and of curl", clients),
)
