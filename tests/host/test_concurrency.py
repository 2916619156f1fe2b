"""Many at once: tasks, threads with connections of their own, and processes."""

import asyncio
import multiprocessing
import threading

import pytest

from tests.host.conftest import blob, consistent, into, names
from waterbutler.core.errors import AlreadyExists, NotFound, SamePlace, WaterButlerError
from waterbutler.host import Database, EmbeddedTrees


async def test_parallel_uploads_of_a_name_make_one_file_with_all_versions(tree, root):
    calls = [tree.record(root.id, "f", blob(number), user=None) for number in range(12)]
    results = await asyncio.gather(*calls)
    assert len({result.node.id for result in results}) == 1
    assert sum(result.created for result in results) == 1
    (file,) = [node async for node in tree.children()]
    objects = {(await tree.locate(file.id, version=number)).object for number in range(1, 13)}
    assert objects == {blob(number).object for number in range(12)}


async def test_parallel_uploads_of_equal_content_make_one_version(tree, root):
    calls = [tree.record(root.id, "f", blob(), user=None) for _ in range(8)]
    results = await asyncio.gather(*calls)
    assert {result.node.version for result in results} == {1}
    assert len({result.version_id for result in results}) == 1


async def test_of_parallel_creators_one_wins(tree, root):
    folders = [tree.make_folder(root.id, "d", user=None) for _ in range(6)]
    files = [
        tree.record(root.id, "f", blob(number), user=None, exclusive=True) for number in range(6)
    ]
    results = await asyncio.gather(*folders, *files, return_exceptions=True)
    assert sum(isinstance(result, AlreadyExists) for result in results) == 10
    assert await names(tree) == ["d/", "f"]


async def test_an_upload_that_races_a_rename_loses_nothing(tree, root):
    file = (await tree.record(root.id, "f", blob("old"), user=None)).node
    upload = tree.record(root.id, "f", blob("new"), user=None, file=file.id)
    rename = tree.move(file.id, into(root, "g"), user=None)
    await asyncio.gather(upload, rename)
    (found,) = [node async for node in tree.children()]
    assert (found.id, found.name, found.version) == (file.id, "g", 2)


async def test_an_upload_that_races_a_delete_leaves_no_orphan(tree, root):
    folders = [await tree.make_folder(root.id, f"d{number}", user=None) for number in range(6)]
    calls = []
    for folder in folders:
        calls += [
            tree.record(folder.id, "f", blob(), user=None),
            tree.delete(folder.id, user=None),
        ]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(
        not isinstance(result, Exception) or isinstance(result, NotFound) for result in results
    )
    assert await names(tree) == []
    assert (await tree.quota()).used == 0


async def test_folders_that_move_into_each_other_make_no_circle(tree, root):
    for _ in range(4):
        first = await tree.make_folder(root.id, "a", user=None)
        second = await tree.make_folder(root.id, "b", user=None)
        results = await asyncio.gather(
            tree.move(first.id, into(second, "a"), user=None),
            tree.move(second.id, into(first, "b"), user=None),
            return_exceptions=True,
        )
        assert sum(isinstance(result, SamePlace) for result in results) == 1
        (kept,) = [node async for node in tree.children()]
        await tree.delete(kept.id, user=None)


async def test_moves_between_resources_in_both_directions_end(tree, other, root):
    theirs = await other.item()
    mine = [(await tree.record(root.id, f"m{n}", blob(n), user=None)).node for n in range(4)]
    yours = [(await other.record(theirs.id, f"y{n}", blob(n), user=None)).node for n in range(4)]
    await asyncio.gather(
        *(tree.move(node.id, into(theirs, node.name, "guid1"), user=None) for node in mine),
        *(other.move(node.id, into(root, node.name), user=None) for node in yours),
    )
    assert await names(tree) == [f"y{n}" for n in range(4)]
    assert await names(other) == [f"m{n}" for n in range(4)]


async def test_a_cancelled_change_has_ended_when_the_cancellation_goes_on(tree, root):
    task = asyncio.create_task(tree.record(root.id, "f", blob(), user=None))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    before = await names(tree)
    await asyncio.sleep(0.05)
    assert await names(tree) == before


def fill(url, who, errors):
    """What another thread or process does: all write the same names and some of their own."""

    async def work():
        trees = EmbeddedTrees(Database(url, patience=30))
        try:
            tree = trees.tree("guid0")
            root = await tree.item()
            for number in range(10):
                await tree.record(root.id, "shared", blob(f"{who}-{number}"), user=who)
                await tree.record(root.id, f"{who}-{number}", blob(number), user=who)
                try:
                    await tree.make_folder(root.id, f"d{number}", user=who)
                except AlreadyExists:
                    continue
        finally:
            await trees.aclose()

    try:
        asyncio.run(work())
    except WaterButlerError as error:
        errors.append(repr(error))


def check_filled(url, writers):
    async def look():
        trees = EmbeddedTrees(Database(url))
        try:
            tree = trees.tree("guid0")
            found = [node async for node in tree.children()]
            shared = next(node for node in found if node.name == "shared")
            assert shared.version == 10 * writers
            assert len(found) == 1 + 10 * writers + 10
            await consistent(trees)
        finally:
            await trees.aclose()

    asyncio.run(look())


def test_threads_with_databases_of_their_own_agree(url):
    """They also make the tables at the same time."""
    errors = []
    threads = [threading.Thread(target=fill, args=(url, f"t{n}", errors)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    check_filled(url, 4)


def _process(url, who):
    errors = []
    fill(url, who, errors)
    raise SystemExit(1 if errors else 0)


def test_processes_that_share_a_database_agree(url):
    """They also make the tables at the same time."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_process, args=(url, f"p{n}")) for n in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    check_filled(url, 2)
