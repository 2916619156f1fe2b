"""How the cost grows with entries, sizes and clients."""

from __future__ import annotations

from pathlib import Path

from benchmarks.load import Request, download, upload, wrk
from benchmarks.measuring import Row, Seen, Side
from benchmarks.rows.folders import whole_listing
from benchmarks.sizes import GIB
from benchmarks.stage import TOKEN, Stage, get, mount, put, take

LARGEST_ROUNDS = 1
"""How often the last points of the curves are measured, which take as long as all others."""
MANY = 100_000
"""Entries of a folder beyond which it is one of them; files are beyond 1 GiB."""


def entries(stage: Stage, seen: Seen) -> None:
    """Listings of longer and longer folders."""
    with stage.memory_server() as server:
        for count in stage.sizes.growth_entries:
            folder = f"entries-{count}"
            stage.entries(folder, count)

            def side(count: int = count, folder: str = folder) -> None:
                reply = whole_listing(server, folder, count)
                seen.add("whole answer", "s", reply.seconds, at=count)
                seen.add("first byte", "ms", reply.first * 1000, at=count)
                seen.add("peak memory of the server", "MB", server.peak(), at=count)

            rounds = stage.sizes.rounds if count <= MANY else LARGEST_ROUNDS
            seen.take_turns(rounds, [side])


def sizes(stage: Stage, seen: Seen) -> None:
    """Transfers of larger and larger files, which take no room on the disk before they are sent."""
    for size in stage.sizes.growth_sizes:
        source = stage.files / "growing.bin"
        source.unlink(missing_ok=True)
        with source.open("wb") as file:
            file.truncate(size)
        rounds = stage.sizes.rounds if size <= GIB else LARGEST_ROUNDS
        seen.take_turns(rounds, _transfers(stage, seen, size))
    (stage.files / "growing.bin").unlink(missing_ok=True)


def clients(stage: Stage, seen: Seen) -> None:
    """More and more clients that ask for small files."""
    addresses = {
        "bare Tornado": (f"{stage.bare.url}/file", ""),
        "ours": (f"{mount(stage.ours, 'filesystem')}/{stage.ten.name}", TOKEN),
    }
    for count in stage.sizes.growth_clients:
        sides: list[Side] = []
        for name, (url, token) in addresses.items():

            def side(
                name: str = name, url: str = url, token: str = token, count: int = count
            ) -> None:
                found = wrk(url, token, stage.sizes.seconds, connections=count)
                seen.add(name, "requests/s", found.rate, at=count)

            sides.append(side)
        seen.take_turns(stage.sizes.rounds, sides)
        seen.add("peak memory of the server", "MB", stage.ours.peak(), at=count)


def _transfers(stage: Stage, seen: Seen, size: int) -> list[Side]:
    name = "growing.bin"
    source = stage.files / name
    reading = {
        "download, nginx": Request(f"{stage.nginx.url}/{name}"),
        "download, ours": get(stage.ours, "filesystem", name),
    }
    dav = Request(f"{stage.nginx.url}/grown.bin", method="PUT", source=source)
    writing = {
        "upload, nginx dav": (dav, stage.files / "grown.bin"),
        "upload, ours, no digest": (
            put(stage.ours, "plain", "grown.bin", source),
            stage.plain / "grown.bin",
        ),
        "upload, ours, md5 and sha256": (
            put(stage.ours, "filesystem", "grown.bin", source),
            stage.files / "grown.bin",
        ),
    }

    def read(name: str, request: Request) -> Side:
        return lambda: seen.add(name, "s", size / download(request, size), at=size)

    def write(name: str, request: Request, stored: Path) -> Side:
        def side() -> None:
            if size >= GIB:
                stage.settle()
            taken = size / upload(request)
            take(stored, size)
            seen.add(name, "s", taken, at=size)

        return side

    return [
        *(read(name, request) for name, request in reading.items()),
        *(write(name, *target) for name, target in writing.items()),
    ]


ROWS = (
    Row("growth-entries", "Listings of folders of any length", entries, axis="entries"),
    Row("growth-sizes", "Transfers of files of any size", sizes, axis="bytes"),
    Row("growth-clients", "Downloads of 10 KiB by any number of clients", clients, axis="clients"),
)
