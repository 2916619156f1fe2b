"""Listings and archives."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.load import Reply, Request, WrongAnswer, ask
from benchmarks.measuring import Goal, Row, Seen
from benchmarks.peers import MB, Peer
from benchmarks.sizes import KIB
from benchmarks.stage import Stage, get

MEMBER = 100 * KIB
"""Bytes of each file in an archive."""
LEAST = 100
"""Bytes that the description of an entry takes at least."""


def listing(stage: Stage, seen: Seen) -> None:
    """One folder, whole, beside nginx, which tells names, sizes and times only."""
    count = stage.sizes.entries
    stage.entries("entries", count)

    def ours() -> None:
        reply = whole_listing(stage.ours, "entries", count)
        seen.add("ours", "entries/s", count / reply.seconds)
        seen.add("first byte, ours", "ms", reply.first * 1000)

    def nginx() -> None:
        reply = ask(Request(f"{stage.nginx.url}/entries/"))
        seen.add("nginx autoindex", "entries/s", count / reply.seconds)

    seen.take_turns(stage.sizes.rounds, [nginx, ours])


def huge_listing(stage: Stage, seen: Seen) -> None:
    """A folder that no memory should hold, and what more it takes than a usual one."""
    sizes = stage.sizes
    stage.entries("entries", sizes.entries)
    stage.entries("huge", sizes.huge)
    for _ in range(sizes.rounds):
        with stage.memory_server() as server:
            whole_listing(server, "entries", sizes.entries)
            before = server.peak()
            reply = whole_listing(server, "huge", sizes.huge)
            seen.add("peak memory, usual folder", "MB", before)
            seen.add("peak memory, huge folder", "MB", server.peak())
            seen.add("huge folder", "entries/s", sizes.huge / reply.seconds)
            seen.add("first byte, huge folder", "ms", reply.first * 1000)


def archive(stage: Stage, seen: Seen) -> None:
    """Files that are compressed already, in one archive, beside reading them one by one."""
    count = stage.sizes.members
    folder = stage.members("members", count, MEMBER)
    total = count * MEMBER

    def plain() -> None:
        start = time.perf_counter()
        _read_all(folder, total)
        seen.add("plain reading", "MB/s", total / (time.perf_counter() - start) / MB)

    def ours() -> None:
        reply = ask(get(stage.ours, "filesystem", "members/?zip="))
        if not total < reply.size < total + count * KIB + KIB:
            raise WrongAnswer(f"the archive has {reply.size} bytes")
        seen.add("archive", "MB/s", total / reply.seconds / MB)
        seen.add("first byte, archive", "ms", reply.first * 1000)

    seen.take_turns(stage.sizes.rounds, [plain, ours])


def whole_listing(server: Peer, folder: str, count: int) -> Reply:
    """List a folder; raises `WrongAnswer` if not all of it can have come."""
    reply = ask(get(server, "filesystem", f"{folder}/"))
    if reply.size < count * LEAST:
        raise WrongAnswer(f"{reply.size} bytes describe {count} entries")
    return reply


def _read_all(folder: Path, total: int) -> None:
    read = 0
    buffer = bytearray(MEMBER)
    with os.scandir(folder) as entries:
        for entry in entries:
            file = os.open(entry.path, os.O_RDONLY)
            while count := os.readv(file, [buffer]):
                read += count
            os.close(file)
    if read != total:
        raise WrongAnswer(f"{read} of {total} bytes were read")


ROWS = (
    Row(
        "listing",
        "Listing of 10,000 entries, the whole answer",
        listing,
        (
            Goal("ours", 100_000),
            Goal("first byte, ours", 50, at_most=True),
        ),
    ),
    Row(
        "listing-huge",
        "Listing of 1,000,000 entries",
        huge_listing,
        (Goal("peak memory, huge folder", 1.1, of="peak memory, usual folder", at_most=True),),
    ),
    Row(
        "archive",
        "Archive of 1000 files of 100 KiB, stored",
        archive,
        (
            Goal("archive", 0.6, of="plain reading"),
            Goal("first byte, archive", 50, at_most=True),
        ),
    ),
)
