"""The S3 provider beside nginx, boto3 and one request after the other, on one real server."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests

from benchmarks.peers import Peer, waterbutler
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, S3Server, seaweedfs

MIB = 1 << 20
BUCKET = "first"
TOKEN = "benchmark-token-of-enough-length"
DELAY = 0.02
"""Seconds between a request and its answer, as to a storage that is not in the next room."""

CONFIG = """
[server]
port = 0
data = "{data}"
[users.bench]
token = "{token}"
[resources.demo]
access = {{ bench = "write" }}
[resources.demo.providers.filesystem]
provider = "s3"
settings = {{ bucket = "{bucket}", endpoint_url = "{url}", dialect = "seaweedfs" }}
credentials = {{ access_key = "{access}", secret_key = "{secret}" }}
"""
"""The mount has the name that `Peer.files` knows."""

NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass {url}; proxy_http_version 1.1; proxy_max_temp_file_size 0;
      proxy_set_header Host {host}; proxy_set_header Connection "";
    }}
  }}
}}
"""


def run(size_mib: int = 1024, rounds: int = 3, count: int = 1000) -> dict[str, float]:
    """Seconds of each side, the ratios of their speeds, and the most memory that was used."""
    if shutil.which("nginx") is None:
        raise SystemExit("nginx is missing; on Debian: apt-get install nginx-light")
    server = seaweedfs("4GiB")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large = folder / "large.bin"
        _fill(large, size_mib)
        seen = _large(server, folder, large, rounds)
        seen |= _small(server, folder, count)
        return seen


def _fill(path: Path, size_mib: int) -> None:
    block = os.urandom(MIB)
    with path.open("wb") as file:
        for _ in range(size_mib):
            file.write(block)


def _large(server: S3Server, folder: Path, large: Path, rounds: int) -> dict[str, float]:
    client = server.client()
    client.upload_file(str(large), BUCKET, "bench/large.bin")
    query = {"Bucket": BUCKET, "Key": "bench/large.bin"}
    signed = client.generate_presigned_url("get_object", Params=query)
    with _ours(server.url, folder / "one") as ours, _nginx(server.url, folder) as proxy:
        signed = signed.replace(server.url, proxy)
        url = f"{ours.files}/bench/large.bin?direct="
        sides = {
            "1 download, nginx": lambda: _get(signed),
            "1 download, ours": lambda: _get(url, TOKEN),
        }
        seen = _alternate(sides, rounds)
        seen["download: ours / nginx"] = seen["1 download, nginx"] / seen["1 download, ours"]
        seen["peak MiB after downloads"] = ours.peak_mib()
    with _ours(server.url, folder / "two") as ours:
        target = f"{ours.files}/bench/ours.bin?kind=file"
        client.put_object(Bucket=BUCKET, Key="bench/ours.bin", Body=b"")
        sides = {
            "1 upload, boto3": lambda: client.upload_file(str(large), BUCKET, "bench/theirs.bin"),
            "1 upload, ours": lambda: _put(target, large),
        }
        seen |= _alternate(sides, rounds)
        seen["upload: ours / boto3"] = seen["1 upload, boto3"] / seen["1 upload, ours"]
        seen["peak MiB after uploads"] = ours.peak_mib()
    return seen


def _small(server: S3Server, folder: Path, count: int) -> dict[str, float]:
    client = server.client()
    for number in range(count):
        client.put_object(Bucket=BUCKET, Key=f"bench/small/{number}", Body=os.urandom(4096))
    with _delayed(server.url) as url, _ours(url, folder / "three") as ours:

        def one_by_one() -> None:
            with requests.Session() as session:
                session.headers["Authorization"] = f"Bearer {TOKEN}"
                for number in range(count):
                    address = f"{ours.files}/bench/small/{number}?direct="
                    assert len(session.get(address, timeout=60).content) == 4096

        sides = {
            "small files, one by one": one_by_one,
            "small files, zip": lambda: _get(f"{ours.files}/bench/small/?zip=", TOKEN),
        }
        seen = _alternate(sides, 1)
        ratio = seen["small files, one by one"] / seen["small files, zip"]
        return seen | {"zip / one by one": ratio, "peak MiB after zip": ours.peak_mib()}


def _alternate(sides: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """The median seconds of each side; they take turns."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in taken.items()}


def _get(url: str, token: str = "") -> None:
    sign_in = ["-H", f"Authorization: Bearer {token}"] if token else []
    subprocess.run(["curl", "-sS", "-f", "-o", "/dev/null", *sign_in, url], check=True)


def _put(url: str, file: Path) -> None:
    sign_in = ["-H", f"Authorization: Bearer {TOKEN}", "-H", "Expect:"]
    command = ["curl", "-sS", "-f", "-o", "/dev/null", *sign_in, "-T", str(file), url]
    subprocess.run(command, check=True)


@contextmanager
def _ours(url: str, folder: Path) -> Iterator[Peer]:
    folder.mkdir()
    config = folder / "config.toml"
    data = folder / "data"
    data.mkdir()
    keys = {"access": ACCESS_KEY, "secret": SECRET_KEY, "token": TOKEN}
    config.write_text(CONFIG.format(data=data, bucket=BUCKET, url=url, **keys))
    with waterbutler(data, "--config", str(config)) as peer:
        yield peer


@contextmanager
def _nginx(url: str, folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "nginx.conf"
    host = urlsplit(url).netloc
    config.write_text(NGINX.format(folder=folder, port=port, url=url, host=host))
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(config)])
    try:
        time.sleep(1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _delayed(url: str) -> Iterator[str]:
    """The same server, farther away: what it says comes `DELAY` later."""
    loop = asyncio.new_event_loop()
    to = urlsplit(url)

    async def pump(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float
    ) -> None:
        while data := await reader.read(1 << 16):
            await asyncio.sleep(delay)
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(to.hostname, to.port)
        await asyncio.gather(
            pump(reader, forth, 0), pump(back, writer, DELAY), return_exceptions=True
        )

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
