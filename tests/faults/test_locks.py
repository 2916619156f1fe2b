"""Databases that another process has locked."""

import asyncio
import json
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.faults.world import PREFIX, TOKEN
from tests.host.conftest import blob
from waterbutler import sqlitefile
from waterbutler.core.errors import ProviderUnavailable
from waterbutler.host import Database, EmbeddedTrees
from waterbutler.settings import LimitsSettings
from waterbutler.settings.limits import SignInLimitSettings

HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""
MANY = 40
PATIENCE = 2.0
"""Seconds that one waits for a lock here. If all waited in line, it would be more than a minute."""
SOON = 25.0


@contextmanager
def locked(file):
    """Another process has a database to itself."""
    command = [sys.executable, "-I", "-S", "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            assert holder.stdin is not None
            holder.stdin.close()


async def test_the_sessions_of_the_gateway(world, monkeypatch):
    """All who sign in are told so, together; who does not need it notices nothing."""
    monkeypatch.setattr(sqlitefile, "_BUSY_SECONDS", PATIENCE)
    limits = LimitsSettings(sign_in=SignInLimitSettings(enabled=False))
    document = {"token": TOKEN, "resource": "guid0", "provider": "files"}

    async with world(limits=limits) as w:

        async def sign_in():
            body = json.dumps(document).encode()
            return await w.request("POST", "/v2/gateway_auth", {"Authorization": None}, body)

        assert (await sign_in()).status == 200
        with locked(tmp_file(w)):
            async with asyncio.timeout(SOON):
                replies = await asyncio.gather(
                    *(sign_in() for _ in range(MANY)), w.request("GET", f"{PREFIX}/files/")
                )
            assert replies.pop().status == 200
            assert {reply.status for reply in replies} == {503}
            assert all(int(reply.headers["Retry-After"]) for reply in replies)
        assert (await sign_in()).status == 200


def tmp_file(world):
    return world.folder / "data" / "tokens.db"


async def test_the_tree_of_the_embedded_host(tmp_path):
    """The same for uploads into osfstorage; looking goes on."""
    trees = EmbeddedTrees(Database(f"sqlite:///{tmp_path}/host.db", patience=PATIENCE))
    tree = trees.tree("guid0")
    root = await tree.item()
    with locked(tmp_path / "host.db"):
        async with asyncio.timeout(SOON):
            results = await asyncio.gather(
                *(tree.record(root.id, f"{n}", blob(), user=None) for n in range(MANY)),
                return_exceptions=True,
            )
        assert {type(result) for result in results} == {ProviderUnavailable}
        assert [node async for node in tree.children()] == []
    assert (await tree.record(root.id, "f", blob(), user=None)).created
    await trees.aclose()


async def test_a_lock_that_is_given_back_in_time(tmp_path):
    """Who waits for a moment gets what they want: after a failure the patience is as before."""
    file = sqlitefile.SqliteFile(tmp_path / "a.db", "CREATE TABLE IF NOT EXISTS t (n)")

    def insert():
        with file.writing() as database:
            database.execute("INSERT INTO t VALUES (1)")

    insert()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file, "_patience", 0.01)
        with locked(tmp_path / "a.db"), pytest.raises(ProviderUnavailable):
            insert()
    insert()
    with locked(tmp_path / "a.db"):
        waiting = asyncio.create_task(asyncio.to_thread(insert))
        await asyncio.sleep(0.5)
        assert not waiting.done()
    await waiting
    file.close()
