"""Large files, many small files and copies, to and from one real S3 server."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from benchmarks import peers
from benchmarks.load import Request, WrongAnswer, ask, download, upload
from benchmarks.measuring import Goal, Row, Seen, Side
from benchmarks.peers import MB, Peer
from benchmarks.sizes import KIB
from benchmarks.stage import BUCKET, TOKEN, Stage, empty, get, mount, put, renew
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY

SMALL = 4 * KIB
"""Bytes of a small file."""
DELAY = 0.02
"""Seconds between a request and its answer, as of a storage that is not in the next room."""
CONCURRENCY = 5
"""How many files of a folder are copied at once: as many as `server.transfer_concurrency` says."""


def downloads(stage: Stage, seen: Seen) -> None:
    """One object, through the server, through nginx, and by the usual client itself."""
    source, client, key = stage.large, stage.s3_client, "bench/large.bin"
    size = source.stat().st_size
    client.upload_file(str(source), BUCKET, key)
    presigned = Request(_signed(stage, "get_object", key))
    ours = get(stage.ours_with_s3, "s3", f"{key}?direct=")

    def boto3() -> float:
        with _stopwatch() as taken, Path("/dev/null").open("wb") as nowhere:
            client.download_fileobj(BUCKET, key, nowhere)
        return size / taken()

    def record(name: str, rate: float) -> None:
        seen.add(name, "MB/s", rate / MB)

    sides: list[Side] = [
        lambda: record("nginx proxy_pass", download(presigned, size)),
        lambda: record("ours", download(ours, size)),
        lambda: record("boto3", boto3()),
    ]
    seen.take_turns(stage.sizes.rounds, sides)
    client.delete_object(Bucket=BUCKET, Key=key)


def uploads(stage: Stage, seen: Seen) -> None:
    """The same the other way."""
    source, client = stage.large, stage.s3_client
    size = source.stat().st_size
    name = "uploaded.bin"
    presigned = Request(_signed(stage, "put_object", name), method="PUT", source=source)
    ours = put(stage.ours_with_s3, "s3", name, source)

    def boto3() -> float:
        with _stopwatch() as taken:
            client.upload_file(str(source), BUCKET, name)
        return size / taken()

    def side(label: str, send: Callable[[], float]) -> Side:
        def measured() -> None:
            renew(source)
            stage.settle()
            rate = send()
            stored = client.head_object(Bucket=BUCKET, Key=name)["ContentLength"]
            client.delete_object(Bucket=BUCKET, Key=name)
            if stored != size:
                raise WrongAnswer(f"{label}: {stored} of {size} bytes are stored")
            seen.add(label, "MB/s", rate / MB)

        return measured

    sides = [
        side("boto3", boto3),
        side("ours", lambda: upload(ours)),
        side("nginx proxy_pass, one request", lambda: upload(presigned)),
    ]
    seen.take_turns(stage.sizes.rounds, sides)


def archive(stage: Stage, seen: Seen) -> None:
    """An archive of objects far away, and the same objects one after the other."""
    count = min(stage.sizes.members, 200)
    client = stage.s3_client
    for number in range(count):
        client.put_object(
            Bucket=BUCKET, Key=f"bench/far/{number}.jpg", Body=secrets.token_bytes(SMALL)
        )
    with peers.delayed(stage.s3.url, DELAY) as far, stage.server(s3=far) as ours:

        def one_by_one() -> None:
            with _stopwatch() as taken, requests.Session() as session:
                session.headers["Authorization"] = f"Bearer {TOKEN}"
                for number in range(count):
                    url = f"{mount(ours, 's3')}/bench/far/{number}.jpg?direct="
                    if len(session.get(url, timeout=60).content) != SMALL:
                        raise WrongAnswer(f"{url} is not the object")
            seen.add("one after the other", "files/s", count / taken())

        def archived() -> None:
            reply = ask(get(ours, "s3", "bench/far/?zip="))
            if reply.size < count * SMALL:
                raise WrongAnswer(f"the archive has {reply.size} bytes")
            seen.add("archive", "files/s", count / reply.seconds)

        seen.take_turns(stage.sizes.rounds, [one_by_one, archived])
    remove(stage, "bench/far/")


def copies(stage: Stage, seen: Seen) -> None:
    """A folder of small files, from one storage to the other, beside rclone."""
    count = stage.sizes.copies
    folder = stage.members("copied", count, SMALL)
    store(stage, folder, "bench/copied/")
    with peers.rclone_control(_remote(stage.s3.url)) as rclone:

        def to_s3(name: str, request: Request, prefix: str) -> None:
            seconds = ask(request).seconds
            found = remove(stage, prefix)
            _record(seen, f"{name}, filesystem to s3", count, found, seconds)

        def to_files(name: str, request: Request, target: Path) -> None:
            seconds = ask(request).seconds
            found = sum(1 for _ in target.iterdir())
            empty(target)
            target.rmdir()
            _record(seen, f"{name}, s3 to filesystem", count, found, seconds)

        there, here = stage.files / "there", stage.files / "here"
        ours = stage.ours_with_s3
        up = copy_request(ours, "filesystem", "copied/", "s3", "ours")
        down = copy_request(ours, "s3", "bench/copied/", "filesystem", "here")
        rclone_up = _rclone_copy(rclone, str(folder), f"weed:{BUCKET}/theirs")
        rclone_down = _rclone_copy(rclone, f"weed:{BUCKET}/bench/copied", str(there))
        sides: list[Side] = [
            lambda: to_s3("rclone", rclone_up, "theirs/"),
            lambda: to_s3("ours", up, "ours/"),
            lambda: to_files("rclone", rclone_down, there),
            lambda: to_files("ours", down, here),
        ]
        seen.take_turns(stage.sizes.rounds, sides)
    remove(stage, "bench/copied/")


def copy_request(server: Peer, source: str, path: str, target: str, name: str) -> Request:
    """Copy something into the root of another mount, under another name."""
    order = {"action": "copy", "path": "/", "provider": target, "rename": name}
    body = json.dumps(order).encode()
    return Request(f"{mount(server, source)}/{path}", TOKEN, method="POST", body=body)


def _rclone_copy(rclone: Peer, source: str, target: str) -> Request:
    config = {"Transfers": CONCURRENCY, "Checkers": CONCURRENCY}
    order = {"srcFs": source, "dstFs": target, "_config": config}
    return Request(f"{rclone.url}/sync/copy", method="POST", body=json.dumps(order).encode())


def _remote(url: str) -> dict[str, str]:
    settings = {
        "TYPE": "s3",
        "PROVIDER": "SeaweedFS",
        "ENDPOINT": url,
        "ACCESS_KEY_ID": ACCESS_KEY,
        "SECRET_ACCESS_KEY": SECRET_KEY,
    }
    return {f"RCLONE_CONFIG_WEED_{name}": value for name, value in settings.items()}


def _record(seen: Seen, name: str, count: int, found: int, seconds: float) -> None:
    if found != count:
        raise WrongAnswer(f"{name}: {found} of {count} files were copied")
    seen.add(name, "files/s", count / seconds)


def store(stage: Stage, folder: Path, prefix: str) -> None:
    """Put the files of a folder under a prefix of the bucket."""
    client = stage.s3_client
    for file in folder.iterdir():
        client.put_object(Bucket=BUCKET, Key=f"{prefix}{file.name}", Body=file.read_bytes())


def remove(stage: Stage, prefix: str) -> int:
    """Delete everything under a prefix; how many files there were."""
    client = stage.s3_client
    count = 0
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    for page in pages:
        keys = [found["Key"] for found in page.get("Contents", ())]
        count += sum(1 for key in keys if not key.endswith("/"))
        if keys:
            names = [{"Key": key} for key in keys]
            client.delete_objects(Bucket=BUCKET, Delete={"Objects": names})
    return count


def _signed(stage: Stage, action: str, key: str) -> str:
    """A link to the S3 server that leads through nginx."""
    query = {"Bucket": BUCKET, "Key": key}
    link: str = stage.s3_client.generate_presigned_url(action, Params=query, ExpiresIn=86400)
    return link.replace(stage.s3.url, stage.nginx_before_s3.url)


@contextmanager
def _stopwatch() -> Iterator[Callable[[], float]]:
    """Gives the seconds from the beginning of the block to its end."""
    start = time.perf_counter()
    end = start
    try:
        yield lambda: end - start
    finally:
        end = time.perf_counter()


ROWS = (
    Row(
        "s3-download",
        "Download of 1 GiB from S3, `direct`",
        downloads,
        (Goal("ours", 0.8, of="nginx proxy_pass"),),
    ),
    Row(
        "s3-upload",
        "Upload of 1 GiB to S3",
        uploads,
        (Goal("ours", 1.0, of="boto3"),),
    ),
    Row(
        "copies",
        "Copies of 1000 small files between filesystem and S3",
        copies,
        (
            Goal("ours, filesystem to s3", 0.7, of="rclone, filesystem to s3"),
            Goal("ours, s3 to filesystem", 0.7, of="rclone, s3 to filesystem"),
        ),
    ),
    Row("s3-archive", "Archive of small objects 20 ms away", archive),
)
