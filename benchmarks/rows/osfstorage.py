"""osfstorage beside plain files, its tree in the same process or at another server."""

from __future__ import annotations

import io
import json
import secrets
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from benchmarks import peers
from benchmarks.load import Request, download, upload, wrk
from benchmarks.measuring import Goal, Row, Seen, Side
from benchmarks.peers import MB, Peer
from benchmarks.sizes import KIB
from benchmarks.stage import TOKEN, Stage, get, mount, put, renew, take

SECRETS = {
    f"WATERBUTLER_AUTH_OSF_{name}": secrets.token_urlsafe()
    for name in ("JWE_SECRET", "JWE_SALT", "JWT_SECRET", "HMAC_SECRET")
}
SMALL = bytes(10 * KIB)
UPLOADS = """
local random = io.open("/dev/urandom", "rb")
local mark = string.format("%02x%02x%02x%02x", random:read(4):byte(1, 4))
random:close()
local counter = 0
request = function()
  counter = counter + 1
  local name = mark .. "-" .. counter
  return wrk.format("PUT", "{path}?kind=file&name=" .. name, nil, name .. string.rep("x", 4096))
end
"""
"""A script of wrk that uploads files of 4 KiB, each with a name and a content of its own."""


def large(stage: Stage, seen: Seen) -> None:
    """One large file, up and down."""
    source, server = stage.large, stage.ours
    size = source.stat().st_size
    link = uploaded(server, source)
    here = get(server, "filesystem", source.name)

    def files_up() -> None:
        renew(source)
        stage.settle()
        rate = upload(put(server, "filesystem", "sent.bin", source))
        take(stage.files / "sent.bin", size)
        seen.add("upload, filesystem", "MB/s", rate / MB)

    def osf_up() -> None:
        renew(source)
        stage.settle()
        before = set(stage.blobs.iterdir())
        rate = upload(put(server, "osfstorage", secrets.token_hex(8), source))
        (blob,) = {file for file in stage.blobs.iterdir() if file.is_file()} - before
        take(blob, size)
        seen.add("upload, osfstorage", "MB/s", rate / MB)

    def down(name: str, request: Request) -> Side:
        return lambda: seen.add(f"download, {name}", "MB/s", download(request, size) / MB)

    sides = [files_up, osf_up, down("filesystem", here), down("osfstorage", link)]
    seen.take_turns(stage.sizes.rounds, sides)


def small(stage: Stage, seen: Seen) -> None:
    """Descriptions and small uploads."""
    with _two_servers(stage) as (first, second, token):
        places = {
            "filesystem": (first, "filesystem"),
            "osfstorage, tree in the process": (first, "osfstorage"),
            "osfstorage, tree over the wire": (second, "osfstorage"),
        }
        sides: list[Side] = []
        for name, (server, where) in places.items():
            link = _stored(server, where, token, io.BytesIO(SMALL), len(SMALL))

            def side(
                name: str = name, server: Peer = server, where: str = where, link: str = link
            ) -> None:
                meta = wrk(f"{link}?meta=", token, stage.sizes.seconds)
                seen.add(f"meta, {name}", "requests/s", meta.rate)
                script = stage.folder / "upload.lua"
                path = f"{mount(server, where).removeprefix(server.url)}/"
                script.write_text(UPLOADS.format(path=path))
                sent = wrk(server.url, token, stage.sizes.seconds, script=script)
                seen.add(f"uploads of 4 KiB, {name}", "requests/s", sent.rate)

            sides.append(side)
        seen.take_turns(stage.sizes.rounds, sides)


def uploaded(server: Peer, source: Path) -> Request:
    """Store a file in osfstorage; how to download it."""
    with source.open("rb") as body:
        link = _stored(server, "osfstorage", TOKEN, body, source.stat().st_size)
    return Request(link, TOKEN)


@contextmanager
def _two_servers(stage: Stage) -> Iterator[tuple[Peer, Peer, str]]:
    """A server that stands alone, another one that asks it, and the token of both."""
    with tempfile.TemporaryDirectory(dir=stage.folder) as name:
        folder = Path(name)
        nothing = folder / "second.toml"
        nothing.touch()
        quiet = {**SECRETS, "WATERBUTLER_LOGGING_LEVEL": "warning"}
        with peers.waterbutler("--data", str(folder / "first"), environment=quiet) as first:
            asking = {
                **quiet,
                "WATERBUTLER_AUTH_HANDLERS": "osf",
                "WATERBUTLER_AUTH_OSF_URL": f"{first.url}/host/api/v1/files/auth/",
            }
            options = ("--data", str(folder / "second"), "--config", str(nothing))
            with peers.waterbutler(*options, environment=asking) as second:
                yield first, second, (folder / "first" / "token").read_text().strip()


def _stored(server: Peer, where: str, token: str, body: IO[bytes], size: int) -> str:
    """Upload a file under a new name; its address."""
    url = f"{mount(server, where)}/?kind=file&name={secrets.token_hex(8)}"
    headers = {"Authorization": f"Bearer {token}", "Content-Length": str(size)}
    request = urllib.request.Request(url, body, headers, method="PUT")
    with urllib.request.urlopen(request) as answer:
        link: str = json.load(answer)["data"]["links"]["download"]
        return link


ROWS = (
    Row(
        "osfstorage",
        "osfstorage, upload and download of 1 GiB",
        large,
        (
            Goal("upload, osfstorage", 0.9, of="upload, filesystem"),
            Goal("download, osfstorage", 0.9, of="download, filesystem"),
        ),
    ),
    Row("osfstorage-small", "osfstorage, descriptions and small uploads", small),
)
