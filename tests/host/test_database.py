"""What happens when the database cannot do what it should."""

import asyncio
import sqlite3

import pytest
from sqlalchemy import text

from tests.host.conftest import blob, names, new_database
from waterbutler.core.errors import (
    ConfigInvalid,
    InvalidRequest,
    ProviderUnavailable,
    QuotaExceeded,
)
from waterbutler.host import Database, EmbeddedTrees


@pytest.fixture
def file(tmp_path):
    """The file of a SQLite database."""
    return tmp_path / "host.db"


@pytest.fixture
def opened(file, io_loop):
    """Trees that wait for others only for a moment."""
    trees = EmbeddedTrees(Database(f"sqlite:///{file}", patience=0.2))
    yield trees
    io_loop.run_sync(trees.aclose)


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "mysql://host/db", "sqlite://", "sqlite:///:memory:", "oracle+x://y"],
)
def test_other_databases_are_refused(url):
    with pytest.raises(ConfigInvalid):
        Database(url)


async def test_a_locked_database_is_busy_and_nothing_changes(opened, file):
    tree = opened.tree("guid0")
    root = await tree.item()
    blocker = sqlite3.connect(file, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(ProviderUnavailable) as failure:
            await tree.record(root.id, "f", blob(), user=None)
        assert failure.value.temporary
        assert failure.value.retry_after
        assert await names(tree) == []
    finally:
        blocker.close()
    assert (await tree.record(root.id, "f", blob(), user=None)).created


async def test_a_full_disk_is_no_room_and_nothing_changes(opened):
    tree = opened.tree("guid0")
    root = await tree.item()

    def fill(connection):
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    # Calls that follow each other share one connection, and the limit is the connection's.
    await opened.database.write(fill)
    made = 0

    async def fill_up():
        nonlocal made
        while True:
            await tree.record(root.id, f"f{made}", blob(made), user=None)
            made += 1

    with pytest.raises(QuotaExceeded):
        await fill_up()
    assert len(await names(tree)) == made


async def test_something_else_in_the_file_is_reported(file, opened):
    file.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(ProviderUnavailable):
        await opened.tree("guid0").item()


async def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").touch()
    trees = EmbeddedTrees(Database(f"sqlite:///{tmp_path}/file/inner/host.db"))
    with pytest.raises(ConfigInvalid):
        await trees.tree("guid0").item()
    await trees.aclose()


async def test_tables_of_another_version_are_left_alone(trees, url):
    await trees.tree("guid0").item()
    await trees.database.write(
        lambda connection: connection.execute(text("UPDATE schema_version SET version = 99"))
    )
    later = EmbeddedTrees(Database(url))
    with pytest.raises(ConfigInvalid, match="99"):
        await later.tree("guid0").item()
    await later.aclose()


async def test_what_cannot_be_stored_is_a_bad_request(tree, root):
    for user in ("half \udc80", "nul \0" if tree._database.dialect == "postgresql" else "\udc80"):
        with pytest.raises(InvalidRequest):
            await tree.record(root.id, "f", blob(), user=user)
    assert await names(tree) == []


async def test_a_database_that_is_away_is_reported():
    database = Database("postgresql://nobody@127.0.0.1:1/nothing", patience=0.5)
    with pytest.raises(ProviderUnavailable):
        await EmbeddedTrees(database).tree("guid0").item()
    await database.aclose()


async def test_lost_connections_are_made_anew(tmp_path):
    with new_database("postgresql", tmp_path) as url:
        trees = EmbeddedTrees(Database(url))
        tree = trees.tree("guid0")
        root = await tree.item()
        name = url.rpartition("/")[2]
        killer = Database(url.replace(name, "postgres"))
        kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :name"
        with killer._engine.connect() as connection:
            assert connection.execute(text(kill), {"name": name}).scalar()
        assert (await tree.record(root.id, "f", blob(), user=None)).created
        assert await names(tree) == ["f"]
        await killer.aclose()
        await trees.aclose()


async def test_reads_do_not_wait_for_a_writer(opened, file):
    tree = opened.tree("guid0")
    await tree.item()
    blocker = sqlite3.connect(file, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        found = await asyncio.gather(*(tree.item() for _ in range(20)))
        assert len(found) == 20
    finally:
        blocker.close()
