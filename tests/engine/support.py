"""Storages and questions that the tests of the engine share."""

import contextlib
from dataclasses import replace

from tests.testing.flat import FlatProvider
from waterbutler.core import ROOT, ByteStream, Path, WriteMode
from waterbutler.core.errors import AlreadyExists, IsAFolder, NotAFolder, NotFound
from waterbutler.testing.faults import FlakyProvider
from waterbutler.testing.memory import MemoryProvider

HIDDEN = ".waterbutler-"


class Masked(FlakyProvider):
    """A storage that can do less than the one inside it.

    What is not declared is not done either. Nobody sees the storage inside.
    """

    def __init__(self, inner, **changes):
        super().__init__(inner, opaque=True)
        self._declared = replace(inner.capabilities, **changes)

    @property
    def capabilities(self):
        return self._declared

    async def copy_from(self, source, at, to, *, mode=WriteMode.CREATE):
        if not self.capabilities.copy_from:
            raise self._unsupported("copy_from")
        return await super().copy_from(self._seen(source), at, to, mode=mode)

    async def move_from(self, source, at, to, *, mode=WriteMode.CREATE):
        if not self.capabilities.move_from:
            raise self._unsupported("move_from")
        return await super().move_from(self._seen(source), at, to, mode=mode)

    def _seen(self, source):
        return self.inner if source is self else source


def plain(**changes):
    """A storage in memory without anything that is done on the storage's side."""
    declared = {"copy_from": False, "move_from": False, "versions": False}
    declared |= {"replaces_folders": False, **changes}
    return Masked(MemoryProvider(), **declared)


class FoldingMemory(MemoryProvider):
    """A storage in memory that does not care about case."""

    capabilities = replace(MemoryProvider.capabilities, case_insensitive=True)

    def _real(self, path):
        node, names = self._root, []
        for name in path.names:
            children = getattr(node, "children", {})
            stored = {other.lower(): other for other in children}.get(name.lower(), name)
            names.append(stored)
            node = children.get(stored)
        return Path(tuple(names), path.is_folder)

    def _find(self, path):
        return super()._find(self._real(path))

    def _place(self, path, mode):
        return super()._place(self._real(path), mode)

    async def delete(self, path):
        await super().delete(self._real(path))

    async def move_from(self, source, at, to, *, mode=WriteMode.CREATE):
        if isinstance(source.unwrapped, FoldingMemory):
            at = source.unwrapped._real(at)
        if mode is WriteMode.REPLACE:
            to = self._real(to)
        return await super().move_from(source, at, to, mode=mode)


def folding_plain():
    """Case does not matter and nothing is done on the storage's side."""
    return Masked(FoldingMemory(), copy_from=False, move_from=False, versions=False)


def path(text):
    return Path.parse(text)


async def fill(provider, tree):
    """Make what ``tree`` says: ``/a/`` makes a folder, ``/a/b`` a file with the given bytes."""
    for text, data in tree.items():
        here = path(text)
        for folder in reversed(list(here.ancestors)):
            if not folder.is_root and provider.capabilities.make_folder:
                with contextlib.suppress(AlreadyExists):
                    await provider.make_folder(folder)
        if not here.is_folder:
            await provider.write(here, ByteStream.of(data))
        elif provider.capabilities.make_folder:
            with contextlib.suppress(AlreadyExists):
                await provider.make_folder(here)
    return provider


async def snapshot(provider, top=ROOT):
    """Everything below ``top``, as `fill` takes it; the names are relative to ``top``."""
    tree = {}
    async for entry in provider.list(top):
        name = str(entry.path)[len(str(top)) - 1 :]
        if entry.is_folder:
            tree[name] = None
            below = await snapshot(provider, entry.path)
            tree.update({name + inner[1:]: data for inner, data in below.items()})
        else:
            tree[name] = await content(provider, entry.path)
    return tree


async def content(provider, here):
    opened = await provider.read(here)
    async with opened.body:
        return await opened.body.read(1 << 24)


async def exists(provider, here):
    try:
        await provider.stat(here)
    except (NotFound, IsAFolder, NotAFolder):
        return False
    return True


TREE = {
    "/t/": None,
    "/t/a.txt": b"alpha",
    "/t/empty": b"",
    "/t/hollow/": None,
    "/t/sub/": None,
    "/t/sub/b.bin": bytes(range(256)) * 300,
    "/t/sub/deep/": None,
    "/t/sub/deep/c": b"c",
}
"""A tree with all that is special."""

OLD = {
    "/t/": None,
    "/t/a.txt": b"old alpha",
    "/t/gone": b"gone",
    "/t/gone-too/": None,
    "/t/gone-too/x": b"x",
    "/t/sub/": None,
    "/t/sub/b.bin": b"old b",
}
"""What stands where `TREE` should be."""

FLAT = FlatProvider


def below(tree, top="/t/"):
    """The part of ``tree`` below ``top``, as `snapshot` shows it."""
    inside = {name[len(top) - 1 :]: data for name, data in tree.items() if name.startswith(top)}
    return {name: data for name, data in inside.items() if name != "/"}
