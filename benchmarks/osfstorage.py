"""osfstorage beside plain files: with its tree in the same process, and with another one's.

All blobs are files on the same disk. Interleaved, medians of several rounds.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from benchmarks.peers import Peer, waterbutler
from benchmarks.small import wrk

SECRETS = {
    f"WATERBUTLER_AUTH_OSF_{name}": secrets.token_urlsafe()
    for name in ("JWE_SECRET", "JWE_SALT", "JWT_SECRET", "HMAC_SECRET")
}
UPLOADS = """
local counter = 0
request = function()
  counter = counter + 1
  local name = "{mark}-" .. counter
  return wrk.format("PUT", "{path}?kind=file&name=" .. name, nil, name .. string.rep("x", 4096))
end
"""
"""A script of wrk that uploads files of 4 KiB, each with a name and a content of its own."""


def run(rounds: int = 5, seconds: int = 3) -> dict[str, float]:
    """Requests per second of each storage, and their ratios to plain files."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        first = stack.enter_context(waterbutler(folder / "first", environment=SECRETS))
        asking = {
            **SECRETS,
            "WATERBUTLER_AUTH_HANDLERS": "osf",
            "WATERBUTLER_AUTH_OSF_URL": f"{first.url}/host/api/v1/files/auth/",
        }
        nothing = folder / "second.toml"
        nothing.touch()
        second = stack.enter_context(
            waterbutler(folder / "second", "--config", str(nothing), environment=asking)
        )
        base = "/v1/resources/demo/providers"
        places = {
            "files": (first, f"{base}/filesystem/"),
            "osfstorage, tree in the process": (first, f"{base}/osfstorage/"),
            "osfstorage, tree over the wire": (second, f"{base}/osfstorage/"),
        }
        return _compare(places, first.token, folder, rounds, seconds)


def _compare(
    places: dict[str, tuple[Peer, str]], token: str, folder: Path, rounds: int, seconds: int
) -> dict[str, float]:
    seen: dict[str, list[float]] = {}
    described = {name: _upload(peer.url + path, token) for name, (peer, path) in places.items()}
    for _ in range(rounds):
        for name, (peer, path) in places.items():
            meta = wrk(f"{described[name]}?meta=", token, seconds)
            seen.setdefault(f"meta, {name}", []).append(meta)
            script = folder / "upload.lua"
            script.write_text(UPLOADS.format(mark=os.urandom(4).hex(), path=path))
            uploads = wrk(peer.url, token, seconds, script=script)
            seen.setdefault(f"uploads, {name}", []).append(uploads)
    rates = {name: statistics.median(values) for name, values in sorted(seen.items())}
    ratios = {
        f"ratio {name}": rate / rates[f"{name.partition(',')[0]}, files"]
        for name, rate in rates.items()
        if "osfstorage" in name
    }
    return {**rates, **ratios}


def _upload(folder: str, token: str) -> str:
    """Upload a file; its address."""
    request = urllib.request.Request(
        f"{folder}?kind=file&name={secrets.token_hex(4)}",
        b"x" * 10240,
        {"Authorization": f"Bearer {token}"},
        method="PUT",
    )
    with urllib.request.urlopen(request) as answer:
        link: str = json.load(answer)["data"]["links"]["download"]
        return link
