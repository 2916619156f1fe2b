"""What was deleted long ago is forgotten where the settings say so, and nothing else is."""

import asyncio

import pytest
from sqlalchemy import func, select

from tests.host.conftest import blob, into, names
from waterbutler.auth import Sessions, StaticHandler
from waterbutler.host import purging
from waterbutler.host.purging import Purging
from waterbutler.host.schema import nodes, now, seen, versions
from waterbutler.hosting import make_host
from waterbutler.settings import load

DAY = 86_400
MICROS = 1_000_000


class Clock:
    def __init__(self):
        self.days = 0.0

    def __call__(self):
        return now() + round(self.days * DAY * MICROS)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def purger(trees, clock, monkeypatch):
    monkeypatch.setattr(purging, "BATCH", 3)
    return Purging(trees.database, keep=10 * DAY, clock=clock)


async def rows(trees):
    """How many rows there are of nodes, versions, and what was seen."""

    def count(connection):
        return tuple(
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (nodes, versions, seen)
        )

    return await trees.database.read(count)


async def full_folder(tree, root, name="folder"):
    """A folder with files, folders and versions; seen by somebody."""
    folder = await tree.make_folder(root.id, name, user="alice")
    below = await tree.make_folder(folder.id, "below", user="alice")
    for number in range(4):
        recorded = await tree.record(below.id, f"{number}", blob(number), user="alice")
        await tree.record(below.id, f"{number}", blob(f"{number} again"), user="alice")
        await tree.mark_seen(recorded.node.id, user="bob")
    return folder


async def test_what_was_deleted_is_forgotten_in_time(trees, tree, root, purger, clock):
    """Not before, and with all that was in it."""
    before = await rows(trees)
    folder = await full_folder(tree, root)
    await tree.delete(folder.id, user="alice")
    there = await rows(trees)
    assert there == (before[0] + 6, 8, 4)
    clock.days = 9.9
    assert await purger.purge() == 0
    assert await rows(trees) == there
    clock.days = 10.1
    assert await purger.purge() == 6
    assert await rows(trees) == before
    assert await purger.purge() == 0


async def test_what_lives_stays(trees, tree, other, root, purger, clock):
    """Also what has the name of something deleted, its content, or was taken out of it."""
    folder = await full_folder(tree, root)
    (below,) = [node async for node in tree.children(folder.id)]
    saved = await tree.child(below.id, "3", folder=False)
    await tree.move(saved.id, into(root, "saved"), user="alice")
    await tree.copy(folder.id, into(await other.item(), "copy", "guid1"), user="alice")
    await tree.delete(folder.id, user="alice")
    again = await full_folder(tree, root)
    clock.days = 20
    assert await purger.purge() == 5
    assert await names(tree) == ["folder/", "saved"]
    (kept,) = [node async for node in tree.children(again.id)]
    assert await names(tree, kept) == ["0", "1", "2", "3"]
    assert await names(other) == ["copy/"]
    needed = [blob(number).object for number in range(4)]
    assert await trees.referenced(needed) == set(needed)


async def test_what_was_replaced_is_forgotten_too(trees, tree, root, purger, clock):
    one = await tree.record(root.id, "one", blob(1), user="alice")
    await tree.record(root.id, "two", blob(2), user="alice")
    await tree.move(one.node.id, into(root, "two"), user="alice", replace=True)
    clock.days = 20
    assert await purger.purge() == 1
    assert await names(tree) == ["two"]
    assert await trees.referenced([blob(1).object, blob(2).object]) == {blob(1).object}


async def test_a_part_of_a_folder_that_was_deleted_before_it(tree, root, purger, clock):
    """Each goes when its own time has come."""
    folder = await full_folder(tree, root)
    (below,) = [node async for node in tree.children(folder.id)]
    await tree.delete(below.id, user="alice")
    clock.days = 20
    assert await purger.purge() == 5
    await tree.delete(folder.id, user="alice")
    assert await purger.purge() == 1
    assert await names(tree) == []


async def test_several_processes_forget_at_once(trees, tree, root, clock, monkeypatch):
    monkeypatch.setattr(purging, "BATCH", 2)
    for name in ("a", "b", "c"):
        await tree.delete((await full_folder(tree, root, name)).id, user="alice")
    clock.days = 20
    purgers = [Purging(trees.database, keep=DAY, clock=clock) for _ in range(3)]
    await asyncio.gather(*(purger.purge() for purger in purgers))
    assert await rows(trees) == (1, 0, 0)


async def test_it_goes_on_by_itself(trees, tree, root, purger, clock):
    folder = await full_folder(tree, root)
    await tree.delete(folder.id, user="alice")
    clock.days = 20
    purger.start()
    for _ in range(1000):
        left = await rows(trees)
        if left == (1, 0, 0):
            break
        await asyncio.sleep(0.01)
    await purger.aclose()
    assert left == (1, 0, 0)


@pytest.mark.parametrize(("days", "left"), [("0", (2, 1, 0)), ("1e-9", (1, 0, 0))])
async def test_the_settings_say_how_long(tmp_path, days, left):
    """Without a word all is kept."""
    environ = {
        "WATERBUTLER_HOST_KEEP_DELETED_DAYS": days,
        "WATERBUTLER_SERVER_DATA": str(tmp_path),
    }
    rights = StaticHandler([], [], Sessions(bytes(32), lifetime=60))
    host = make_host(load(environ).settings, [], [], rights, url="http://wb")
    tree = host.trees.tree("guid0")
    recorded = await tree.record((await tree.item()).id, "a", blob(), user="alice")
    await tree.delete(recorded.node.id, user="alice")
    host.start()
    for _ in range(1000):
        found = await rows(host.trees)
        if found == left:
            break
        await asyncio.sleep(0.01)
    await host.aclose()
    assert found == left
    assert (host._purging is None) is (days == "0")
