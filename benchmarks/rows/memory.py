"""The most memory of one worker that serves many transfers at the same time."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from benchmarks.load import Request, WrongAnswer, exchange, wrk
from benchmarks.measuring import Goal, Row, Seen
from benchmarks.peers import Peer
from benchmarks.rows.folders import MEMBER
from benchmarks.rows.osfstorage import uploaded
from benchmarks.rows.s3 import SMALL, copy_request, remove
from benchmarks.sizes import KIB, MIB
from benchmarks.stage import BUCKET, TOKEN, Stage, empty, fill, get, mount, put, renew

Transfers = Callable[[Stage, Peer, int], None]
"""Does so many transfers at the same time."""
MOST = 120.0
ROUNDS = 3
SLOW_SIZE = 10 * MIB
FEW = 100
"""Files of each folder that is copied."""


def memory(stage: Stage, seen: Seen) -> None:
    """Each kind of transfer, many at a time."""
    source = fill(stage.folder / "parallel.bin", stage.sizes.parallel_size)
    (stage.files / source.name).hardlink_to(source)
    stage.s3_client.upload_file(str(source), BUCKET, f"bench/{source.name}")
    for _ in range(min(ROUNDS, stage.sizes.rounds)):
        for name, transfers in KINDS.items():
            renew(source)
            with stage.memory_server(s3="s3" in name) as server:
                transfers(stage, server, stage.sizes.parallel)
                seen.add(name, "MB", server.peak())
    for path in (source, stage.files / source.name):
        path.unlink()
    remove(stage, "bench/")


def _downloads(stage: Stage, server: Peer, count: int) -> None:
    _all(stage, [get(server, "filesystem", "parallel.bin")] * count)


def _uploads(stage: Stage, server: Peer, count: int) -> None:
    _put(stage, server, "filesystem", count)
    for file in stage.files.glob("sent-*"):
        file.unlink()


def _plain_uploads(stage: Stage, server: Peer, count: int) -> None:
    _put(stage, server, "plain", count)
    empty(stage.plain)


def _requests(stage: Stage, server: Peer, count: int) -> None:
    file = f"{mount(server, 'filesystem')}/{stage.ten.name}"
    for url in (file, f"{file}?meta="):
        wrk(url, TOKEN, stage.sizes.seconds, connections=count)


def _listings(stage: Stage, server: Peer, count: int) -> None:
    stage.entries("entries", stage.sizes.entries)
    exchange([get(server, "filesystem", "entries/")] * count)


def _archives(stage: Stage, server: Peer, count: int) -> None:
    stage.members("members", stage.sizes.members, MEMBER)
    exchange([get(server, "filesystem", "members/?zip=")] * count)


def _s3_downloads(stage: Stage, server: Peer, count: int) -> None:
    _all(stage, [get(server, "s3", "bench/parallel.bin?direct=")] * count)


def _s3_uploads(stage: Stage, server: Peer, count: int) -> None:
    _put(stage, server, "s3", count)
    remove(stage, "sent-")


def _osf_uploads(stage: Stage, server: Peer, count: int) -> None:
    _put(stage, server, "osfstorage", count)
    empty(stage.blobs)


def _osf_downloads(stage: Stage, server: Peer, count: int) -> None:
    _all(stage, [uploaded(server, stage.folder / "parallel.bin")] * count)
    empty(stage.blobs)


def _copies(stage: Stage, server: Peer, count: int) -> None:
    stage.members("few", min(FEW, stage.sizes.copies), SMALL)
    names = [f"copy-{number}" for number in range(count)]
    exchange([copy_request(server, "filesystem", "few/", "s3", name) for name in names])
    remove(stage, "copy-")


def _slow_readers(stage: Stage, server: Peer, _: int) -> None:
    """All downloads are begun before any of them is read to its end."""
    count = stage.sizes.slow_readers
    size = fill(stage.files / "slow.bin", min(SLOW_SIZE, stage.sizes.large)).stat().st_size
    request = get(server, "filesystem", "slow.bin")
    sockets = [_asked(request) for _ in range(count)]
    counts = [0] * count
    for _ in range(20):
        for number, connection in enumerate(sockets):
            counts[number] += len(connection.recv(16 * KIB))
        time.sleep(0.05 if stage.sizes.fresh else 0)
    for number, connection in enumerate(sockets):
        while block := connection.recv(MIB):
            counts[number] += len(block)
        connection.close()
    if min(counts) <= size:
        raise WrongAnswer(f"a slow reader got {min(counts)} bytes")


def _asked(request: Request) -> socket.socket:
    where = urlsplit(request.url)
    connection = socket.create_connection((where.hostname, where.port))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KIB)
    lines = f"GET {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n"
    connection.sendall(f"{lines}Authorization: Bearer {request.token}\r\n\r\n".encode())
    return connection


def _put(stage: Stage, server: Peer, name: str, count: int) -> None:
    source = stage.folder / "parallel.bin"
    exchange([put(server, name, f"sent-{number}", source) for number in range(count)])


def _all(stage: Stage, requests: list[Request]) -> None:
    for reply in exchange(requests):
        if reply.size != stage.sizes.parallel_size:
            raise WrongAnswer(f"{requests[0].url}: {reply.size} bytes came")


KINDS: dict[str, Transfers] = {
    "downloads": _downloads,
    "uploads, no digest": _plain_uploads,
    "uploads, md5 and sha256": _uploads,
    "small requests": _requests,
    "listings": _listings,
    "archives": _archives,
    "uploads to osfstorage": _osf_uploads,
    "downloads from osfstorage": _osf_downloads,
    "downloads from s3": _s3_downloads,
    "uploads to s3": _s3_uploads,
    "copies of folders to s3": _copies,
    "slow readers of 10 MiB (200 at a time)": _slow_readers,
}
ROWS = (
    Row(
        "memory",
        "Peak memory of one worker, 32 transfers at a time",
        memory,
        tuple(Goal(name, MOST, at_most=True, every=True) for name in KINDS),
    ),
)
