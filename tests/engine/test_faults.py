"""Whatever fails, and whenever: nothing is lost, and nothing is left that nobody knows of."""

import asyncio
import itertools
from dataclasses import replace

import pytest

from tests.engine.support import (
    FLAT,
    HIDDEN,
    OLD,
    TREE,
    FoldingMemory,
    Masked,
    exists,
    fill,
    path,
    plain,
    snapshot,
)
from waterbutler.core import Conflict, WriteMode
from waterbutler.core.errors import Forbidden, ProviderUnavailable
from waterbutler.engine import cleanup
from waterbutler.engine.transfer import copy, move
from waterbutler.testing.faults import FlakyProvider
from waterbutler.testing.memory import MemoryProvider

FILE = {"/f": b"new " * 9000}
OLD_FILE = {"/f": b"old"}


def memory():
    return FlakyProvider(MemoryProvider())


def copying():
    return Masked(MemoryProvider(), move_from=False, versions=False)


def swapping():
    return plain(move_from=True)


def stepping():
    return Masked(MemoryProvider(), replaces_folders=False)


def exchanging():
    return plain(move_from=True, replaces_folders=True)


def at_once():
    return Masked(MemoryProvider(), atomic_copy=True)


def flat():
    return Masked(FLAT())


SIDE_BY_SIDE = (memory, copying, at_once)
"""Those that copy from the source without streaming."""


class Case:
    """What is brought where, and what may be found there afterwards."""

    def __init__(self, transfer, make, at, there):
        self.transfer, self.make, self.there = transfer, make, there
        self.at = path(at)
        self.tree = TREE if self.at.is_folder else FILE

    async def storages(self):
        source = await fill(memory() if self.make in SIDE_BY_SIDE else plain(), self.tree)
        dest = await fill(self.make(), self.there)
        for storage in (source, dest):
            storage.calls.clear()
        return source, dest

    async def run(self, source, dest):
        return await self.transfer(source, self.at, dest, self.at, conflict=Conflict.REPLACE)

    async def done(self):
        """What both storages hold when nothing fails."""
        source, dest = await self.storages()
        await self.run(source, dest)
        calls = {"source": dict(source.calls), "dest": dict(dest.calls)}
        return calls, await snapshot(source.inner), await snapshot(dest.inner)

    def is_file_by_file(self, dest):
        """Whether what is replaced is replaced bit by bit."""
        return self.at.is_folder and self.there and not dest.capabilities.move_from


CASES = [
    Case(*case)
    for case in itertools.product(
        (copy, move),
        (memory, copying, swapping, exchanging, at_once, plain, flat),
        ("/t/", "/f"),
        ({}, None),
    )
]
for case in CASES:
    if case.there is None:
        case.there = OLD if case.at.is_folder else OLD_FILE


def name_of(case):
    what = "tree" if case.at.is_folder else "file"
    over = "over" if case.there else "new"
    return f"{case.transfer.__name__}-{case.make.__name__}-{what}-{over}"


ALL = pytest.mark.parametrize("case", CASES, ids=name_of)


def told(error):
    return " ".join([str(error), getattr(error, "message", ""), *getattr(error, "__notes__", ())])


async def judge(case, source, dest, end, error, *, clean):
    """The source or the copy is whole, and so is the old or the new thing."""
    _, source_after, dest_after = end
    kept, found = await snapshot(source.inner), await snapshot(dest.inner)
    visible = {name: data for name, data in found.items() if HIDDEN not in name}
    hidden = {name.split("/")[1] for name in found if HIDDEN in name}
    assert kept in (case.tree, source_after), "the source is cut"
    assert kept == case.tree or visible == dest_after, "the source is gone before the copy is there"
    if case.is_file_by_file(dest):
        for name, data in case.there.items():
            assert visible.get(name, data) in (data, dest_after.get(name, data))
            assert name in visible or dest_after.items() <= visible.items()
    else:
        before = await snapshot((await fill(case.make(), case.there)).inner)
        allowed = [before, dest_after]
        if not clean and any(name in told(error) for name in hidden):
            allowed.append({name: d for name, d in before.items() if name.split("/")[1] != "t"})
        assert visible in allowed
    if clean:
        assert all(name in told(error) for name in hidden), "something is left in silence"


def steps(calls):
    for storage, operations in calls.items():
        for operation, count in operations.items():
            for call in range(1, count + 1):
                yield storage, operation, call


@ALL
async def test_a_call_fails(case):
    """Each call of each operation, before the storage has done anything."""
    end = await case.done()
    for storage, operation, call in steps(end[0]):
        source, dest = await case.storages()
        flaky = source if storage == "source" else dest
        flaky.fail(operation, ProviderUnavailable("down"), at=call)
        try:
            await case.run(source, dest)
        except ProviderUnavailable as error:
            await judge(case, source, dest, end, error, clean=True)
        else:
            assert await snapshot(dest.inner) == end[2]


@ALL
async def test_an_answer_is_lost(case):
    """The storage has done what it was asked for, and nobody hears of it."""
    end = await case.done()
    for storage, operation, call in steps(end[0]):
        if operation in ("read", "write", "list"):
            continue
        source, dest = await case.storages()
        flaky = source if storage == "source" else dest
        flaky.fail(operation, ProviderUnavailable("lost"), at=call, after=0)
        try:
            await case.run(source, dest)
        except ProviderUnavailable as error:
            if operation == "make_folder" and case.at.is_folder and not case.there:
                # Whose folder it is cannot be known, so it stays; it is empty.
                assert (await snapshot(dest.inner)).items() <= {("/t/", None)}
                continue
            if operation == "move_from" and not case.is_file_by_file(dest):
                continue  # test_a_lost_exchange
            await judge(case, source, dest, end, error, clean=False)


@ALL
@pytest.mark.parametrize("after", [0, 1, 30_000])
async def test_a_body_breaks(case, after):
    """While reading, while writing, at the start and in the middle."""
    end = await case.done()
    for storage, operation, call in steps(end[0]):
        if (storage, operation) not in [("source", "read"), ("dest", "write")]:
            continue
        source, dest = await case.storages()
        flaky = source if storage == "source" else dest
        flaky.fail(operation, ProviderUnavailable("broken"), at=call, after=after)
        with pytest.raises(ProviderUnavailable) as caught:
            await case.run(source, dest)
        await judge(case, source, dest, end, caught.value, clean=True)


@ALL
async def test_it_is_cancelled(case):
    """At whatever moment: it is as if nothing had been asked for, or it is done."""
    end = await case.done()
    before = asyncio.all_tasks()
    for turns in itertools.count(1):
        source, dest = await case.storages()
        task = asyncio.create_task(case.run(source, dest))
        for _ in range(turns):
            await asyncio.sleep(0)
        if not task.cancel():
            break
        await asyncio.wait([task])
        assert asyncio.all_tasks() == before
        if task.cancelled():
            await judge(case, source, dest, end, asyncio.CancelledError(), clean=True)
    await task
    # One file may be copied before anybody else gets a turn.
    assert turns > 1 or case.make in SIDE_BY_SIDE or not case.at.is_folder


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("make", [stepping, swapping])
@pytest.mark.parametrize("transfer", [copy, move])
async def test_a_lost_exchange(transfer, make, lost):
    """Both trees are there, whole, and the error says where if not in their places."""
    case = Case(transfer, make, "/t/", OLD)
    source, dest = await case.storages()
    exchange = 2 if transfer is move else 1  # a move is first asked of the storages
    dest.fail("move_from", ProviderUnavailable("lost"), at=exchange + lost - 1, after=0)
    with pytest.raises(ProviderUnavailable) as caught:
        await case.run(source, dest)
    tops = [entry.path async for entry in dest.inner.list(path("/"))]
    trees = [{"/t/": None} | prefixed(await snapshot(dest.inner, top)) for top in tops]
    assert OLD in trees
    assert TREE in [*trees, await snapshot(source.inner)]
    for top in tops:
        assert top == path("/t/") or top.name in told(caught.value)


def prefixed(tree):
    return {f"/t{name}": data for name, data in tree.items()}


@pytest.mark.parametrize("make", [memory, exchanging, at_once])
@pytest.mark.parametrize("transfer", [copy, move])
async def test_a_lost_step(transfer, make):
    """Where there is one step for it, the new folder is there and nothing is left of the old."""
    case = Case(transfer, make, "/t/", OLD)
    calls, _, after = await case.done()
    operation = "copy_from" if transfer is copy and make is at_once else "move_from"
    source, dest = await case.storages()
    last = calls["dest"][operation]
    dest.fail(operation, ProviderUnavailable("lost"), at=last, after=0)
    with pytest.raises(ProviderUnavailable):
        await case.run(source, dest)
    assert await snapshot(dest.inner) == after == TREE


@pytest.mark.parametrize("make", [memory, exchanging, at_once])
@pytest.mark.parametrize("transfer", [copy, move])
async def test_a_folder_that_is_replaced_is_moved_nowhere(transfer, make):
    """Where there is one step for it, so its name always leads to something."""
    case = Case(transfer, make, "/t/", OLD)
    source, dest = await case.storages()
    moved = []

    class Noting(type(dest)):
        async def move_from(self, source, at, to, **options):
            moved.append((source, at))
            return await super().move_from(source, at, to, **options)

    dest.__class__ = Noting
    await case.run(source, dest)
    assert (dest, path("/t/")) not in moved
    assert await snapshot(dest.inner) == TREE


@pytest.mark.parametrize("make", [stepping, swapping])
async def test_an_exchange_that_cannot_be_undone(make):
    """Where the old folder is now is said."""
    case = Case(copy, make, "/t/", OLD)
    source, dest = await case.storages()
    dest.fail("move_from", ProviderUnavailable("down"), at=2, times=9)
    with pytest.raises(ProviderUnavailable) as caught:
        await case.run(source, dest)
    (left,) = [entry.path async for entry in dest.inner.list(path("/"))]
    assert prefixed(await snapshot(dest.inner, left)) | {"/t/": None} == OLD
    assert left.name in caught.value.message


@pytest.mark.parametrize("name", ["/t/", "/f"])
@pytest.mark.parametrize("make", [memory, copying, swapping, plain])
@pytest.mark.parametrize("there", [True, False])
async def test_the_source_cannot_be_deleted(make, name, there):
    """Both are there, and the error says so."""
    case = Case(move, make, name, (OLD if name == "/t/" else OLD_FILE) if there else {})
    source, dest = await case.storages()
    if make is memory:
        source = await fill(plain(), case.tree)
    source.fail("delete", Forbidden("It is protected."), times=9)
    with pytest.raises(Forbidden) as caught:
        await case.run(source, dest)
    assert "copied" in caught.value.message
    assert "It is protected." in caught.value.message
    assert await snapshot(source.inner) == case.tree == await snapshot(dest.inner)


@pytest.mark.parametrize("name", ["/t/", "/f"])
async def test_what_cannot_be_removed_is_told(name):
    """A note names what is left."""
    case = Case(move, plain, name, {})
    source, dest = await case.storages()
    source.fail("stat", ProviderUnavailable("down"), times=9)
    source.fail("list", ProviderUnavailable("down"), at=5, times=9)
    dest.fail("delete", Forbidden("No."), times=9)
    with pytest.raises(ProviderUnavailable) as caught:
        await case.run(source, dest)
    assert await exists(dest.inner, path(name))
    assert name in told(caught.value)


async def test_removing_is_given_up(monkeypatch):
    """A storage that does not answer does not keep the error for ever."""

    class Stuck(Masked):
        async def delete(self, here):
            await asyncio.Event().wait()

    monkeypatch.setattr(cleanup, "TIME_LIMIT", 0.01)
    source = (await fill(plain(), TREE)).fail("read", ProviderUnavailable("down"), at=3)
    dest = Stuck(MemoryProvider(), copy_from=False, move_from=False)
    with pytest.raises(ProviderUnavailable) as caught:
        await copy(source, path("/t/"), dest, path("/t/"))
    assert "/t/" in told(caught.value)


@pytest.mark.parametrize("after", [None, 0])
@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize(("name", "to"), [("/t/", "/T/"), ("/t/a.txt", "/t/A.txt")])
async def test_a_respelling_fails(name, to, call, after):
    """The thing has its old name, its new one, or the error says where it is."""
    provider = FlakyProvider(await fill(FoldingMemory(), TREE))
    provider.fail("move_from", ProviderUnavailable("down"), at=call, after=after)
    with pytest.raises(ProviderUnavailable) as caught:
        await move(provider, path(name), provider, path(to))
    found = await snapshot(provider.inner)
    if after is None:
        assert found == TREE
    else:
        assert len(found) == len(TREE)
        assert not [key for key in found if HIDDEN in key and key.split("/")[1] not in told(caught)]


@pytest.mark.parametrize("make", [swapping, memory])
async def test_a_storage_that_moves_files_only(make):
    """Folders are then replaced file by file, and nothing hidden stays."""

    class FilesOnly(MemoryProvider):
        async def move_from(self, source, at, to, **options):
            if at.is_folder:
                raise self._unsupported("move_from of folders")
            return await super().move_from(source, at, to, **options)

    inner = await fill(FilesOnly(), OLD)
    dest = Masked(inner, copy_from=False) if make is swapping else FlakyProvider(inner)
    for transfer in (copy, move):
        source = await fill(plain() if make is swapping else MemoryProvider(), TREE)
        await transfer(source, path("/t/"), dest, path("/t/"), conflict=Conflict.REPLACE)
        assert await snapshot(inner) == TREE


@pytest.mark.parametrize("name", ["/t/", "/f"])
@pytest.mark.parametrize("transfer", [copy, move])
async def test_a_storage_that_cannot_do_it_at_once_here(transfer, name):
    """What is declared may be refused for some folders; then it is done in steps."""

    class Refusing(MemoryProvider):
        capabilities = replace(MemoryProvider.capabilities, atomic_copy=True)

        async def move_from(self, source, at, to, *, mode=WriteMode.CREATE):
            if mode is WriteMode.REPLACE:
                raise self._unsupported("this move")
            return await super().move_from(source, at, to)

        async def copy_from(self, source, at, to, *, mode=WriteMode.CREATE):
            if mode is WriteMode.REPLACE:
                raise self._unsupported("this copy")
            return await super().copy_from(source, at, to)

    tree, old = (TREE, OLD) if name == "/t/" else (FILE, OLD_FILE)
    provider = await fill(Refusing(), {f"/from{key}": data for key, data in tree.items()})
    await fill(provider, old)
    await transfer(provider, path(f"/from{name}"), provider, path(name), conflict=Conflict.REPLACE)
    found = await snapshot(provider)
    assert {key: data for key, data in found.items() if not key.startswith("/from/")} == tree
    assert (f"/from{name}" in found) == (transfer is copy)


async def test_a_storage_that_moves_no_file_over_another():
    """It is then written over."""

    class NeverOver(MemoryProvider):
        async def move_from(self, source, at, to, **options):
            raise self._unsupported("this move")

    dest = Masked(await fill(NeverOver(), OLD_FILE), copy_from=False, versions=False)
    await copy(await fill(plain(), FILE), path("/f"), dest, path("/f"), conflict=Conflict.REPLACE)
    assert await snapshot(dest) == FILE
