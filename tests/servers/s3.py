"""S3 servers: SeaweedFS and Ceph's gateway."""

from __future__ import annotations

import shutil
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config

from tests.servers.sharing import PATIENCE, Started, free_ports, guarded, shared, wait_until

ACCESS_KEY = "testaccess1"
SECRET_KEY = "testsecret1234567890"
BUCKETS = ("first", "second", "versioned")
"""Buckets that each server has; the last one keeps versions."""


@dataclass(frozen=True)
class S3Server:
    """A running server."""

    dialect: str
    url: str

    def client(self, *, secret_key: str = SECRET_KEY) -> BaseClient:
        """Boto3 as somebody else would use it."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=secret_key,
            config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
        )


def seaweedfs(memory: str = "300MiB") -> S3Server:
    """SeaweedFS in one process; skips where it is not installed.

    Args:
        memory: How much it tries to get by with. It is slow with little: what is timed needs more.
    """
    beside = Path(sys.executable).with_name("weed")
    program = str(beside) if beside.exists() else shutil.which("weed")
    if program is None:
        pytest.skip("SeaweedFS is not installed")
    return S3Server(
        "seaweedfs", str(shared("seaweedfs", lambda f: _seaweedfs(program, f, memory))["url"])
    )


def ceph() -> S3Server:
    """One node of Ceph with its S3 gateway; skips where it is not installed."""
    if not all(shutil.which(tool) for tool in ("ceph-mon", "ceph-osd", "radosgw", "ceph")):
        pytest.skip("Ceph is not installed")
    return S3Server("ceph", str(shared("ceph", _ceph)["url"]))


def _seaweedfs(program: str, folder: Path, memory: str) -> Started:
    port = free_ports(6)
    data = folder / "data"
    data.mkdir()
    local = "127.0.0.1"
    guard = guarded(
        [
            *(program, "mini", f"-dir={data}", f"-ip={local}", f"-ip.bind={local}"),
            *("-master.telemetry=false", "-admin.ui=false", f"-admin.port={port + 4}"),
            *("-webdav=false", f"-s3.port={port}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
            *("-s3.allowDeleteBucketNotEmpty=false", "-s3.autoCreateBucket=false"),
            *(f"-filer.port={port + 1}", f"-master.port={port + 2}", f"-volume.port={port + 3}"),
        ],
        folder,
        AWS_ACCESS_KEY_ID=ACCESS_KEY,
        AWS_SECRET_ACCESS_KEY=SECRET_KEY,
        WEED_S3_SSE_KEK="ab" * 32,
        GOMEMLIMIT=memory,
    )
    url = f"http://{local}:{port}"
    wait_until(lambda: _answers(url), guard)
    _make_buckets(S3Server("seaweedfs", url))
    return {"url": url}


def _ceph(folder: Path) -> Started:
    port = free_ports(3)
    script = Path(__file__).with_name("ceph.sh")
    guard = guarded(["bash", str(script), str(folder), str(port), ACCESS_KEY, SECRET_KEY], folder)
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: (folder / "READY").exists() and _answers(url), guard)
    _make_buckets(S3Server("ceph", url))
    return {"url": url}


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _make_buckets(server: S3Server) -> None:
    client = server.client()
    deadline = time.monotonic() + PATIENCE
    for bucket in BUCKETS:
        while True:
            try:
                client.create_bucket(Bucket=bucket)
                break
            except Exception:
                # A server may listen before it can store.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
    client.put_bucket_versioning(Bucket=BUCKETS[-1], VersioningConfiguration={"Status": "Enabled"})
