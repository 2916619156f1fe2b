"""The whole server with its storages behind wires, in the event loop of the test.

Resource ``guid0`` has the mounts ``files``, ``s3``, ``osf`` (its tree at a host, its blobs in the
bucket) and ``local`` (the same with its blobs in a folder); all are reached through `World.s3` and
`World.host`, which a test may let go wrong. ``remote`` is known to the host alone, which is asked
over the same wire who may do what with it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tornado.netutil import bind_sockets

from tests.fakes.osf_host import HMAC_SECRET, FakeHost
from tests.faults.wire import Wire
from tests.harness import Connection, Reply
from tests.servers.s3 import ACCESS_KEY, BUCKETS, SECRET_KEY, S3Server
from waterbutler.assembly import assemble
from waterbutler.auth.osf import OsfExchange
from waterbutler.http import HttpClient
from waterbutler.layers import RetryPolicy, stack
from waterbutler.settings import (
    AuthSettings,
    LimitsSettings,
    MountSettings,
    OsfSettings,
    ResourceSettings,
    ServerSettings,
    Settings,
    UserSettings,
)
from waterbutler_osfstorage.hooks import HookTree
from waterbutler_osfstorage.hooks import Patience as HostPatience
from waterbutler_s3 import bucket

TOKEN = "alice-token-71c2"
SHORT, LONG = 1.0, 15.0
"""Seconds after which a storage counts as silent: where it is, and where it only may be slow."""
DEADLINE = 50.0
"""Seconds in which every request must have come to an end, however much goes wrong."""
PREFIX = "/v1/resources/guid0/providers"
MOUNTS = ("files", "s3", "osf", "local")


def hurry(patch: pytest.MonkeyPatch, silence: float) -> None:
    """Let the server wait for everything as it always does, and never for long."""
    clients, trees = HttpClient.__init__.__kwdefaults__, HookTree.__init__.__kwdefaults__
    patch.setitem(clients, "idle_seconds", silence)
    patch.setitem(clients, "connect_seconds", silence)
    patch.setitem(trees, "patience", HostPatience(seconds=silence, pauses=(0.01, 0.02)))
    patch.setitem(OsfExchange.__init__.__kwdefaults__, "seconds", silence)
    patch.setitem(stack.__kwdefaults__, "retry", RetryPolicy(tries=3, pause=0.01))
    patient = bucket.Patience
    patch.setattr(bucket, "Patience", lambda: patient(tries=3, pause=0.01))


class World:
    """The server; see the module.

    Attributes:
        prefix: The folder of the bucket in which everything is.
    """

    def __init__(self, server: S3Server, folder: Path, limits: LimitsSettings | None = None):
        self.bucket = server
        self.folder = folder
        self.prefix = secrets.token_hex(6)
        self.limits = limits or LimitsSettings()

    async def __aenter__(self):
        self.fake = await FakeHost().start()
        self.s3 = await Wire(self.bucket.url).__aenter__()
        self.host = await Wire(self.fake.url).__aenter__()
        self.fake.url = self.host.url
        (listening,) = bind_sockets(0, "127.0.0.1", family=socket.AF_INET)
        self.port: int = listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.assembly = assemble(self.settings(), url=self.url)
        self.assembly.server.add_sockets([listening])
        return self

    async def __aexit__(self, *error):
        self.assembly.server.stop()
        await self.assembly.aclose()
        await self.host.away()
        await self.s3.away()
        await self.fake.stop()

    def settings(self) -> Settings:
        files = {"provider": "filesystem", "folder": str(self.folder / "blobs"), "create": True}
        bucket = {
            "bucket": BUCKETS[0],
            "prefix": self.prefix,
            "endpoint_url": self.s3.url,
            "dialect": self.bucket.dialect,
            "part_size": 5 << 20,
            "versions": False,
        }
        keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
        blobs = {"provider": "s3", **bucket, "prefix": f"{self.prefix}-blobs"}

        def tree(nid: str, storage: dict[str, Any], given: dict[str, str]) -> MountSettings:
            settings = {"storage": storage, "nid": nid, "baseUrl": self.fake.base(nid)}
            return MountSettings(
                provider="osfstorage", settings=settings, credentials={"storage": given}
            )

        self.fake.storage, self.fake.storage_credentials = files, {}
        own = MountSettings(
            provider="filesystem",
            settings={"folder": str(self.folder / "files"), "create": True, "fsync": False},
        )
        mounts = {
            "files": own,
            "s3": MountSettings(provider="s3", settings=bucket, credentials=keys),
            "osf": tree("guid0", blobs, keys),
            "local": tree("guid1", files, {}),
        }
        osf = OsfSettings(
            url=self.fake.auth_url,
            jwe_secret="jwe secret",
            jwe_salt="jwe salt",
            jwt_secret="jwt secret",
            hmac_secret=HMAC_SECRET,
        )
        return Settings(
            server=ServerSettings(data=str(self.folder / "data"), redirect_downloads=False),
            auth=AuthSettings(handlers=["static", "osf"], osf=osf),
            users={"alice": UserSettings(token=TOKEN)},
            resources={"guid0": ResourceSettings(access={"alice": "write"}, providers=mounts)},
            limits=self.limits,
        )

    async def request(
        self,
        method: str,
        target: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """One request on a connection of its own, which must come to an end."""
        given = {"Authorization": f"Bearer {TOKEN}", **(headers or {})}
        async with asyncio.timeout(DEADLINE):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
            connection = Connection(reader, writer)
            try:
                return await connection.request(method, target, given, body)
            finally:
                await connection.close()

    def all_is_well(self) -> None:
        """Nothing goes wrong any more."""
        self.s3.rule = self.host.rule = lambda _: None

    async def quiet(self) -> None:
        """Nothing is under way on any wire: no connection is held by anybody."""
        for _ in range(300):
            if not self.s3.busy and not self.host.busy:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"still busy: {self.s3.busy} to the bucket, {self.host.busy} to host")

    def orphans(self) -> list[str]:
        """What nobody can see through the server, and should not be there.

        A complete blob that no version points at is none: the host may still hear of it. Nor is an
        upload in parts that has none and whose beginning was never heard of.
        """
        client = self.bucket.client()
        found = []
        unheard = sum("uploads=" in request.target for request in self.s3.troubled)
        for prefix in (f"{self.prefix}/", f"{self.prefix}-blobs/"):
            pending = client.list_multipart_uploads(Bucket=BUCKETS[0], Prefix=prefix)
            for upload in pending.get("Uploads", []):
                about = {"Bucket": BUCKETS[0], "Key": upload["Key"]}
                parts = client.list_parts(**about, UploadId=upload["UploadId"]).get("Parts", [])
                unheard -= not parts
                if parts or unheard < 0:
                    found.append(f"pending {upload['Key']} with {len(parts)} parts")
        blobs = client.list_objects_v2(Bucket=BUCKETS[0], Prefix=f"{self.prefix}-blobs/")
        names = [item["Key"].rpartition("/")[2] for item in blobs.get("Contents", [])]
        for part in ("blobs", "files"):
            folder = self.folder / part
            inside = [it.relative_to(folder) for it in folder.rglob("*") if it.is_file()]
            found += [f"{part}: {it}" for it in inside if ".waterbutler" in str(it)]
            names += [it.name for it in inside] if part == "blobs" else []
        return found + [f"blob {name}" for name in names if len(name) != 64]


@contextmanager
def nothing_leaks() -> Iterator[None]:
    """All descriptors that are opened meanwhile are closed in the end."""
    before = descriptors()
    yield
    left = {fd: at for fd, at in descriptors().items() if fd not in before}
    assert not left, f"still open: {left}"


def descriptors(process: int | None = None) -> dict[str, str]:
    """What a process has open, this one if no other is named."""
    folder = Path(f"/proc/{process or 'self'}/fd")
    found: dict[str, str] = {}
    for fd in os.listdir(folder):
        try:
            found[fd] = os.readlink(folder / fd)
        except FileNotFoundError:
            continue
    return found
