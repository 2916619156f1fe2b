"""How much memory the server takes at most, under loads that would show if it kept bytes."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.peers import Peer, waterbutler

MIB = 1 << 20


def run(size_mib: int = 3072, readers: int = 200, reader_mib: int = 10) -> dict[str, float]:
    """Peak memory of the server in MiB after each load, each in a fresh server."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        seen: dict[str, float] = {}
        with waterbutler(data) as server:
            seen["idle"] = server.peak_mib()
            _upload(server, size_mib)
            seen[f"after an upload of {size_mib} MiB"] = server.peak_mib()
            _download(server, size_mib)
            seen[f"after a download of {size_mib} MiB"] = server.peak_mib()
        for file in (data / "files").iterdir():
            file.unlink()
        (data / "files" / "ten.bin").write_bytes(bytes(reader_mib * MIB))
        with waterbutler(data) as server:
            _slow_readers(server, readers, reader_mib)
            seen[f"after {readers} slow readers of {reader_mib} MiB at once"] = server.peak_mib()
        return seen


def _upload(server: Peer, size_mib: int) -> None:
    source = subprocess.Popen(
        ["head", "-c", str(size_mib * MIB), "/dev/zero"], stdout=subprocess.PIPE
    )
    url = f"{server.files}/?kind=file&name=large.bin"
    _curl(server, "-X", "PUT", "-T", "-", "-H", "Expect:", url, source=source)


def _download(server: Peer, size_mib: int) -> None:
    out = _curl(server, "-o", "/dev/null", "-w", "%{size_download}", f"{server.files}/large.bin")
    assert int(out) == size_mib * MIB, out


def _curl(server: Peer, *options: str, source: subprocess.Popen[bytes] | None = None) -> str:
    sign_in = ("-H", f"Authorization: Bearer {server.token}")
    run = subprocess.run(
        ["curl", "-sS", "--fail-with-body", "-m", "600", *sign_in, *options],
        stdin=source.stdout if source else None,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


def _slow_readers(server: Peer, readers: int, reader_mib: int) -> None:
    """All downloads are begun before any of them is read to its end."""
    where = urlsplit(server.files)
    request = (
        f"GET {where.path}/ten.bin HTTP/1.1\r\nHost: {where.netloc}\r\n"
        f"Authorization: Bearer {server.token}\r\nConnection: close\r\n\r\n"
    ).encode()
    sockets = []
    for _ in range(readers):
        connection = socket.create_connection((where.hostname, where.port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.sendall(request)
        sockets.append(connection)
    counts = [0] * readers
    for _ in range(20):
        for number, connection in enumerate(sockets):
            counts[number] += len(connection.recv(1 << 14))
        time.sleep(0.05)
    for number, connection in enumerate(sockets):
        while chunk := connection.recv(1 << 20):
            counts[number] += len(chunk)
        connection.close()
    assert min(counts) > reader_mib * MIB, min(counts)
