"""Every storage to every storage, itself included: files and trees, copied and moved."""

import io
import itertools
import zipfile

import pytest

from tests.engine.support import TREE, below, exists, fill, path, snapshot
from tests.matrix.storages import SERVED, STORAGES
from waterbutler.core import Conflict
from waterbutler.core.errors import AlreadyExists
from waterbutler.engine.archive import zip_folder
from waterbutler.engine.transfer import copy, move
from waterbutler.engine.walk import walk

CONTENT = {**TREE, "/file.txt": b"new " * 50_000, "/nothing": b"", "/hollow/": None}
THERE = {
    "/in/": None,
    "/in/file.txt": b"old",
    "/in/nothing": b"old",
    "/in/t/": None,
    "/in/t/a.txt": b"old",
    "/in/t/gone/": None,
    "/in/t/gone/x": b"old",
    "/in/hollow/": None,
    "/in/hollow/x": b"old",
    "/in/other": b"other",
}
WHAT = {"file": "/file.txt", "tree": "/t/", "empty file": "/nothing", "empty folder": "/hollow/"}

ALL = STORAGES | SERVED
PAIRS = [
    *itertools.product(STORAGES, STORAGES),
    *itertools.product(SERVED, ["memory", "filesystem"]),
    *itertools.product(["memory", "filesystem"], SERVED),
    *((name, None) for name in ALL),
]
"""``None`` is the source itself."""


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{pair[0]}-to-{pair[1] or 'itself'}")
def pair(request, tmp_path, io_loop):
    names = request.param
    folders = [tmp_path / "source", tmp_path / "dest"]
    for folder in folders:
        folder.mkdir()
    source = ALL[names[0]](folders[0])
    dest = source if names[1] is None else ALL[names[1]](folders[1])
    yield source, dest
    for storage in {source, dest}:
        io_loop.run_sync(storage.aclose)


def keeps_folders(provider):
    """Whether folders stay that were made, with nothing in them."""
    return provider.capabilities.empty_folders or provider.capabilities.make_folder


def kept(tree, provider):
    """``tree`` as the storage can keep it: perhaps folders only with something in them."""
    if keeps_folders(provider):
        return tree
    names = [name for name in tree if tree[name] is not None]
    return {
        name: data
        for name, data in tree.items()
        if data is not None or any(other.startswith(name) for other in names)
    }


def at_place(here, tree, to):
    """The part of ``tree`` at ``here`` as it is at ``to``."""
    if not here.endswith("/"):
        return {to: tree[here]}
    return {to: None} | {to + name[1:]: data for name, data in below(tree, here).items()}


def without(tree, here):
    return {
        name: data
        for name, data in tree.items()
        if name != here and not (here.endswith("/") and name.startswith(here))
    }


@pytest.mark.parametrize("transfer", [copy, move])
@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("taken", [False, True], ids=["free", "taken"])
@pytest.mark.parametrize("conflict", list(Conflict))
async def test_a_pair(pair, transfer, what, taken, conflict):
    """The destination has the source's content, and the source what it should still have."""
    source, dest = pair
    here = WHAT[what]
    if what == "empty folder" and not keeps_folders(source):
        pytest.skip("the source cannot have an empty folder")
    to = f"/in{here}"
    there = THERE if taken else {"/in/": None, "/in/other": b"other"}
    await fill(dest, there)
    await fill(source, CONTENT)
    before = await snapshot(dest)

    if taken and conflict is Conflict.WARN:
        with pytest.raises(AlreadyExists) as caught:
            await transfer(source, path(here), dest, path(to), conflict=conflict)
        assert caught.value.entry == await dest.stat(path(to))
        assert await snapshot(dest) == before
        return

    outcome = await transfer(source, path(here), dest, path(to), conflict=conflict)

    if taken and conflict is Conflict.KEEP:
        to = str(path(to).candidate(1))
    assert outcome.created == (not taken or conflict is Conflict.KEEP)
    assert outcome.entry.path == path(to)
    if await exists(dest, path(to)):
        assert outcome.entry == await dest.stat(path(to))
    had = kept(CONTENT, source)
    after = {**without(before, to), **at_place(here, had, to)}
    left = had if transfer is copy else without(had, here)
    if source is dest:
        after = after if transfer is copy else without(after, here)
    else:
        assert await snapshot(source) == kept(left, source)
    assert await snapshot(dest) == kept(after, dest)


@pytest.mark.parametrize("name", ALL)
async def test_walking_and_packing(name, tmp_path):
    """Every storage can be walked and packed."""
    provider = await fill(ALL[name](tmp_path), CONTENT)
    had = kept(CONTENT, provider)
    assert {str(entry.path) async for entry in walk(provider, path("/"))} == set(had)
    async with zip_folder(provider, path("/")) as stream:
        data = b"".join([chunk async for chunk in stream])
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        files = {f"/{name}": packed.read(name) for name in packed.namelist()}
    empty = dict.fromkeys(("/t/hollow/", "/hollow/"), b"")
    expected = {name: data for name, data in had.items() if data is not None}
    assert files == expected | {name: data for name, data in empty.items() if name in had}
    await provider.aclose()
