"""A server that dies before or after any request to its bucket."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

from tests.data.changes import (
    NEW,
    Change,
    carry,
    create,
    nothing,
    nothing_is_lost,
    relative,
    remove,
    replace,
    some_is_gone,
    some_is_there,
    two_files,
    two_folders,
)
from tests.data.forked import Forked
from tests.data.machine import content
from tests.data.size import LONG
from tests.servers.between import Alter, Between, Cut, Effect, Request
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, seaweedfs

PART = 5 << 20
LARGE = content(5, PART + 17)
"""Sent in two parts."""
STRIDE = 1 if LONG else 4
S3_CHANGES: dict[str, Change] = {
    "create": Change(nothing, create("new", NEW)),
    "create large": Change(nothing, create("new", LARGE)),
    "replace": Change(two_files, replace("a", NEW)),
    "replace large": Change(two_files, replace("a", LARGE)),
    "move": Change(two_files, carry("move", "a", "c"), nothing_is_lost),
    "move over": Change(two_files, carry("move", "a", "b", "replace"), nothing_is_lost),
    "copy": Change(two_files, carry("copy", "a", "c")),
    "copy over": Change(two_files, carry("copy", "a", "b", "replace")),
    "delete": Change(two_files, remove("a")),
    "move folder": Change(two_folders, carry("move", "one/", "two/one/"), nothing_is_lost),
    "copy folder": Change(two_folders, carry("copy", "one/", "three/"), some_is_there),
    "delete folder": Change(two_folders, remove("one/"), some_is_gone),
}
BLOB_CHANGES = {
    "create large": Change(nothing, create("new", LARGE)),
    "replace": Change(two_files, replace("a", NEW)),
}
"""Of osfstorage only contents are in the bucket."""
SMALL = {"s3": ("create large", "move"), "osfstorage": ("create large",)}
"""What is tried if there is little time."""
MOUNTS = {"s3": S3_CHANGES, "osfstorage": BLOB_CHANGES}


class Deadly(Between):
    """Kills a server at a chosen moment: before a request goes on, or before its answer does."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.rule = self._look
        self._left = 0
        self._kill: Any = None
        self.moments = 0

    def arm(self, kill: Any, moment: int) -> None:
        self._kill, self._left, self.moments = kill, moment, 0

    def _look(self, _: Request) -> Effect | None:
        if not self._left:
            return None
        before, after = self.moments + 1, self.moments + 2
        self.moments = after
        if before == self._left:
            self._die()
            return Cut()
        if after == self._left:
            return Alter(self._die_with)
        return None

    def _die_with(self, answer: bytes) -> bytes:
        self._die()
        return answer

    def _die(self) -> None:
        self._left = 0
        self._kill()


def configuration(folder: Path, url: str) -> Path:
    file = folder / "config.toml"
    prefix = f"crashes-{secrets.token_hex(6)}"
    bucket = (
        f'bucket = "first", endpoint_url = "{url}", dialect = "seaweedfs", part_size = {PART}, '
    )
    keys = f'access_key = "{ACCESS_KEY}", secret_key = "{SECRET_KEY}"'
    file.write_text(
        f"""
[users.admin]
token = "token-of-the-test"
[resources.demo]
access = {{ admin = "write" }}
[resources.demo.providers.s3]
settings = {{ {bucket} prefix = "{prefix}/files" }}
credentials = {{ {keys} }}
[resources.demo.providers.osfstorage]
settings = {{ storage = {{ provider = "s3", {bucket} prefix = "{prefix}/blobs" }} }}
credentials = {{ storage = {{ {keys} }} }}
"""
    )
    return file


def pending(prefix: str) -> list[str]:
    client = seaweedfs().client()
    answer = client.list_multipart_uploads(Bucket="first", Prefix=prefix)
    return [upload["Key"] for upload in answer.get("Uploads", [])]


def test_a_change_is_done_or_not_done(run, tmp_path):
    """And no upload in parts stays whose name was known."""
    run(try_all(tmp_path))
    notes = [note.read_bytes() for note in (tmp_path / "data" / "s3-uploads").iterdir()]
    assert all(b'"id":""' in note for note in notes)
    text = (tmp_path / "config.toml").read_text()
    left = pending(text.partition('prefix = "')[2].partition("/")[0])
    assert len(left) <= len(notes), left


async def try_all(folder: Path) -> None:
    """Let servers die, and start one more in the end."""
    async with Deadly(seaweedfs().url) as between:
        config = configuration(folder, between.url)
        with Forked(folder / "data", folder, config) as forked:
            await asyncio.to_thread(forked.start)
            chosen = MOUNTS if LONG else SMALL
            names = [(mount, name) for mount in MOUNTS for name in chosen[mount]]
            for index, (mount, name) in enumerate(names):
                first = 1 + index % STRIDE
                await die_everywhere(between, forked, mount, name, MOUNTS[mount][name], first)
            await asyncio.to_thread(forked.kill)
            await asyncio.to_thread(forked.start)


async def die_everywhere(
    between: Deadly, forked: Forked, mount: str, name: str, change: Change, first: int
) -> None:
    def attempt(top: str, moment: int) -> tuple[Any, Any]:
        client = forked.client(mount)
        request = change.prepared(client, top)
        before = relative(client, top)
        between.arm(forked.strike, moment)
        reply = request()
        return before, reply

    before, reply = await asyncio.to_thread(attempt, f"/{name}/", 1 << 60)
    count = between.moments
    between.arm(None, 0)
    assert count > 1
    assert reply is not None
    assert reply[0] < 300, reply
    after = await asyncio.to_thread(lambda: relative(forked.client(mount), f"/{name}/"))
    for moment in range(first, count + 1, STRIDE):
        top = f"/{name} {moment}/"
        before, reply = await asyncio.to_thread(attempt, top, moment)
        between.arm(None, 0)
        if reply is None:
            await asyncio.to_thread(forked.wait)
            await asyncio.to_thread(forked.start)
        now = await asyncio.to_thread(lambda top=top: relative(forked.client(mount), top))
        seen = [f"{r.method} {r.target}" for r in between.requests[-8:]]
        assert change.allows(before, after, now), f"{name} {moment}: {sorted(now)} {seen}"
