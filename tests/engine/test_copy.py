"""Copies of files and trees, within a storage and between storages."""

import asyncio

import msgspec
import pytest

from tests.engine.support import (
    FLAT,
    HIDDEN,
    OLD,
    TREE,
    FoldingMemory,
    Masked,
    below,
    content,
    exists,
    fill,
    folding_plain,
    path,
    plain,
    snapshot,
)
from waterbutler.core import ROOT, ByteStream, Conflict, Content, Entry, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    BadPath,
    Corrupted,
    InvalidRequest,
    IsAFolder,
    NotAFolder,
    NotFound,
    ProviderUnavailable,
    SamePlace,
    Unsupported,
)
from waterbutler.engine.archive import zip_folder
from waterbutler.engine.transfer import copy, move
from waterbutler.layers.limited import Limited
from waterbutler.testing.faults import FlakyProvider
from waterbutler.testing.memory import MemoryProvider

DESTS = pytest.mark.parametrize(
    "make",
    [
        MemoryProvider,
        plain,
        lambda: plain(versions=True),
        lambda: plain(move_from=True),
        lambda: plain(copy_from=True),
        FLAT,
    ],
    ids=["memory", "plain", "versions", "moving", "copying", "flat"],
)
BOTH = pytest.mark.parametrize("transfer", [copy, move])
EVERY = pytest.mark.parametrize("conflict", list(Conflict))


def kept(tree, provider):
    """``tree`` as the storage can keep it."""
    if provider.capabilities.empty_folders:
        return tree
    above = {name[: i + 1] for name in tree for i, c in enumerate(name[:-1]) if c == "/"}
    return {name: data for name, data in tree.items() if data is not None or name in above}


@DESTS
@BOTH
@EVERY
@pytest.mark.parametrize("name", ["/t/a.txt", "/t/empty", "/t/sub/b.bin"])
async def test_a_file_to_a_free_place(make, transfer, conflict, name):
    """It is there, whole; a move takes it away from where it was."""
    source, dest = await fill(MemoryProvider(), TREE), await fill(make(), {"/x/y": b""})
    outcome = await transfer(source, path(name), dest, path("/x/new"), conflict=conflict)
    assert outcome.created
    assert outcome.entry == await dest.stat(path("/x/new"))
    assert await snapshot(dest) == {"/x/": None, "/x/y": b"", "/x/new": TREE[name]}
    assert await exists(source, path(name)) == (transfer is copy)


@DESTS
@BOTH
@EVERY
async def test_a_tree_to_a_free_place(make, transfer, conflict):
    """Empty files and, where they can be kept, empty folders are there too."""
    source, dest = await fill(MemoryProvider(), TREE), make()
    outcome = await transfer(source, path("/t/"), dest, path("/n/"), conflict=conflict)
    assert outcome.created
    assert outcome.entry.path == path("/n/")
    assert await snapshot(dest, path("/n/")) == kept(below(TREE), dest)
    assert await snapshot(source) == (TREE if transfer is copy else {})


@DESTS
@BOTH
async def test_a_file_replaces_a_file(make, transfer):
    """And nothing else changes."""
    source, dest = await fill(MemoryProvider(), {"/a": b"new"}), await fill(make(), {"/b": b"old"})
    outcome = await transfer(source, path("/a"), dest, path("/b"), conflict=Conflict.REPLACE)
    assert not outcome.created
    assert outcome.entry == await dest.stat(path("/b"))
    assert await snapshot(dest) == {"/b": b"new"}
    assert await snapshot(source) == ({"/a": b"new"} if transfer is copy else {})


@DESTS
@BOTH
async def test_a_tree_replaces_a_tree(make, transfer):
    """Afterwards it is exactly the source; nothing is merged."""
    source, dest = await fill(MemoryProvider(), TREE), await fill(make(), {**OLD, "/other": b"o"})
    outcome = await transfer(source, path("/t/"), dest, path("/t/"), conflict=Conflict.REPLACE)
    assert not outcome.created
    assert await snapshot(dest, path("/t/")) == kept(below(TREE), dest)
    assert await snapshot(dest) == kept(TREE, dest) | {"/other": b"o"}
    assert await snapshot(source) == (TREE if transfer is copy else {})


@DESTS
@BOTH
@pytest.mark.parametrize("name", ["/a.txt", "/t/"])
async def test_both_are_kept(make, transfer, name):
    """The new one gets a number."""
    there = {"/a.txt": b"old", **OLD}
    source = await fill(MemoryProvider(), {"/a.txt": b"new", **TREE})
    dest = await fill(make(), there)
    outcome = await transfer(source, path(name), dest, path(name), conflict=Conflict.KEEP)
    assert outcome.created
    assert outcome.entry.path == path(name).candidate(1)
    found = await snapshot(dest)
    assert {key: data for key, data in found.items() if "(1)" not in key} == kept(there, dest)
    assert len(found) > len(kept(there, dest))


@DESTS
@BOTH
@pytest.mark.parametrize("name", ["/a.txt", "/t/"])
async def test_a_taken_name_is_refused(make, transfer, name):
    """Nothing changes, and the error carries what has the name."""
    there = {"/a.txt": b"old", **OLD}
    source = await fill(MemoryProvider(), {"/a.txt": b"new", **TREE})
    dest = await fill(make(), there)
    with pytest.raises(AlreadyExists) as caught:
        await transfer(source, path(name), dest, path(name))
    assert caught.value.entry == await dest.stat(path(name))
    assert await snapshot(dest) == kept(there, dest)
    assert await snapshot(source) == {"/a.txt": b"new", **TREE}


@DESTS
@BOTH
async def test_an_empty_tree_replaces_a_full_one(make, transfer):
    """Everything is gone, as it is in the source."""
    source, dest = await fill(MemoryProvider(), {"/e/": None}), await fill(make(), OLD)
    await transfer(source, path("/e/"), dest, path("/t/"), conflict=Conflict.REPLACE)
    assert await snapshot(dest) == kept({"/t/": None}, dest)


@DESTS
@BOTH
@EVERY
@pytest.mark.parametrize(("name", "error"), [("/no", NotFound), ("/no/", NotFound)])
async def test_a_missing_source(make, transfer, conflict, name, error):
    """Nothing is made, and nothing replaced."""
    dest = await fill(make(), OLD)
    for to in ("/new", "/t/a.txt") if name == "/no" else ("/new/", "/t/"):
        wanted = path(to)
        with pytest.raises((error, AlreadyExists)):
            await transfer(MemoryProvider(), path(name), dest, wanted, conflict=conflict)
    assert await snapshot(dest) == OLD


@BOTH
@pytest.mark.parametrize(("name", "error"), [("/t/a.txt/", NotAFolder), ("/t", IsAFolder)])
async def test_a_source_of_the_other_kind(transfer, name, error):
    """The kind of a path is a statement."""
    dest = plain()
    with pytest.raises(error):
        await transfer(
            await fill(plain(), TREE), path(name), dest, path("/x/" if name[-1] == "/" else "/x")
        )
    assert await snapshot(dest) == {}


@DESTS
@EVERY
async def test_the_root_is_copied(make, conflict):
    """Into a folder of another storage."""
    source, dest = await fill(MemoryProvider(), TREE), make()
    await copy(source, ROOT, dest, path("/all/"), conflict=conflict)
    assert await snapshot(dest, path("/all/")) == kept(TREE, dest)


@DESTS
async def test_the_root_is_replaced(make):
    """It stays, its content is exchanged."""
    source, dest = await fill(MemoryProvider(), TREE), await fill(make(), {**OLD, "/x": b""})
    outcome = await copy(source, ROOT, dest, ROOT, conflict=Conflict.REPLACE)
    assert not outcome.created
    assert await snapshot(dest) == kept(TREE, dest)
    assert await snapshot(source) == TREE


async def test_the_root_is_not_moved():
    """Nor is anything kept beside it."""
    source, dest = await fill(MemoryProvider(), TREE), MemoryProvider()
    with pytest.raises(InvalidRequest):
        await move(source, ROOT, dest, path("/x/"))
    with pytest.raises(InvalidRequest):
        await copy(source, ROOT, dest, ROOT, conflict=Conflict.KEEP)
    assert await snapshot(source) == TREE


@BOTH
@pytest.mark.parametrize("make", [MemoryProvider, plain])
class TestWithinAStorage:
    """Where source and destination are one."""

    @pytest.mark.parametrize(
        ("name", "to"), [("/t/a.txt", "/b.txt"), ("/t/sub/", "/t/new/"), ("/t/sub/deep/", "/d/")]
    )
    async def test_to_another_place(self, make, transfer, name, to):
        """The rest stays as it is."""
        provider = await fill(make(), TREE)
        await transfer(provider, path(name), provider, path(to))
        assert await exists(provider, path(to))
        assert await exists(provider, path(name)) == (transfer is copy)

    @EVERY
    @pytest.mark.parametrize(("name", "to"), [("/t/", "/t/x/"), ("/t/", "/t/sub/deep/x/")])
    async def test_into_itself(self, make, transfer, conflict, name, to):
        """It is refused before anything is asked."""
        provider = FlakyProvider(await fill(make(), TREE))
        with pytest.raises(SamePlace):
            await transfer(provider, path(name), provider, path(to), conflict=conflict)
        assert not provider.calls

    @pytest.mark.parametrize("conflict", [Conflict.WARN, Conflict.REPLACE])
    @pytest.mark.parametrize("name", ["/t/a.txt", "/t/"])
    async def test_onto_itself(self, make, transfer, conflict, name):
        """It is refused before anything is asked."""
        provider = FlakyProvider(await fill(make(), TREE))
        with pytest.raises(SamePlace):
            await transfer(provider, path(name), provider, path(name), conflict=conflict)
        assert not provider.calls

    async def test_over_a_folder_that_holds_it(self, make, transfer):
        """What would be replaced holds the source: nothing happens."""
        provider = await fill(make(), {"/a/a/x": b"inner", "/a/y": b"outer"})
        before = await snapshot(provider)
        with pytest.raises(SamePlace):
            await transfer(
                provider, path("/a/a/"), provider, path("/a/"), conflict=Conflict.REPLACE
            )
        assert await snapshot(provider) == before


@pytest.mark.parametrize("make", [MemoryProvider, plain])
@pytest.mark.parametrize("name", ["/t/a.txt", "/t/"])
class TestBesideItself:
    """A copy with its own name, keeping both."""

    async def test_a_copy(self, make, name):
        """It is a duplicate beside the source."""
        provider = await fill(make(), TREE)
        outcome = await copy(provider, path(name), provider, path(name), conflict=Conflict.KEEP)
        assert outcome.entry.path == path(name).candidate(1)

    async def test_a_move(self, make, name):
        """It makes no sense."""
        provider = await fill(make(), TREE)
        with pytest.raises(SamePlace):
            await move(provider, path(name), provider, path(name), conflict=Conflict.KEEP)

    async def test_a_copy_of_nothing(self, make, name):
        """It does not make what it does not find."""
        provider = make()
        await fill(provider, {"/t/": None} if name == "/t/a.txt" else {})
        before = await snapshot(provider)
        with pytest.raises(NotFound):
            await copy(provider, path(name), provider, path(name), conflict=Conflict.KEEP)
        assert await snapshot(provider) == before


class TestWhereCaseDoesNotMatter:
    """``a`` and ``A`` are one place."""

    @EVERY
    @pytest.mark.parametrize(("name", "to"), [("/t/a.txt", "/t/A.TXT"), ("/t/", "/T/")])
    async def test_a_name_gets_another_spelling(self, conflict, name, to):
        """A move to it is a rename."""
        provider = await fill(FoldingMemory(), TREE)
        outcome = await move(provider, path(name), provider, path(to), conflict=conflict)
        assert outcome.created
        assert outcome.entry.path == path(to)
        assert set(await snapshot(provider)) == {key.replace(name, to, 1) for key in TREE}

    async def test_where_nothing_can_be_renamed(self):
        """It is refused, and nothing changes."""
        provider = await fill(folding_plain(), TREE)
        with pytest.raises(Unsupported):
            await move(provider, path("/t/"), provider, path("/T/"))
        assert await snapshot(provider) == TREE

    @pytest.mark.parametrize("make", [FoldingMemory, folding_plain])
    async def test_a_tree_replaces_one_in_another_spelling(self, make):
        """What is there under another spelling is not taken for something else."""
        source = await fill(MemoryProvider(), TREE)
        dest = await fill(make(), {"/T/": None, "/T/A.TXT": b"", "/T/SUB/": None, "/T/SUB/x": b""})
        await copy(source, path("/t/"), dest, path("/t/"), conflict=Conflict.REPLACE)
        found = await snapshot(dest, path("/t/"))
        expected = {key.lower(): data for key, data in below(TREE).items()}
        assert {key.lower(): data for key, data in found.items()} == expected

    @pytest.mark.parametrize("there", [{}, {"/n/": None, "/n/old": b"o"}])
    @pytest.mark.parametrize("make", [FoldingMemory, folding_plain])
    @BOTH
    async def test_names_that_fall_together(self, make, there, transfer):
        """Two files that would become one are not lost."""
        source = await fill(plain(), {"/t/x": b"1", "/t/X": b"2", "/t/y": b"3"})
        dest = await fill(make(), there)
        with pytest.raises((AlreadyExists, Corrupted)):
            await transfer(source, path("/t/"), dest, path("/n/"), conflict=Conflict.REPLACE)
        assert await snapshot(source, path("/t/")) == {"/x": b"1", "/X": b"2", "/y": b"3"}
        if not there:
            assert await snapshot(dest) == {}


async def test_names_are_composed_otherwise():
    """A storage that normalises names keeps what it was given under its own spelling."""

    class Composing(MemoryProvider):
        def _find(self, here):
            return super()._find(self._real(here))

        def _place(self, here, mode):
            return super()._place(self._real(here), mode)

        def _real(self, here):
            names = tuple(name.replace("e\u0301", "\u00e9") for name in here.names)
            return type(here)(names, here.is_folder)

        async def write(self, here, body, **options):
            return await super().write(self._real(here), body, **options)

        async def make_folder(self, here):
            return await super().make_folder(self._real(here))

    decomposed = "/t/e\u0301/e\u0301"
    source = await fill(plain(), {decomposed: b"1"})
    dest = await fill(
        Masked(Composing(), copy_from=False, move_from=False, versions=False), {"/t/old": b""}
    )
    await copy(source, path("/t/"), dest, path("/t/"), conflict=Conflict.REPLACE)
    assert await snapshot(dest) == {"/t/": None, "/t/\u00e9/": None, "/t/\u00e9/\u00e9": b"1"}


@pytest.mark.parametrize(
    ("source", "there"), [({"/t/x/y": b""}, {"/t/x": b"old"}), ({"/t/x": b""}, {"/t/x/y": b"old"})]
)
async def test_kinds_that_collide_inside_a_tree(source, there):
    """Where folders cannot be exchanged, what stands in the way is not removed."""
    dest = await fill(plain(), there)
    with pytest.raises((AlreadyExists, IsAFolder)):
        await copy(
            await fill(plain(), source), path("/t/"), dest, path("/t/"), conflict=Conflict.REPLACE
        )
    assert there.items() <= (await snapshot(dest)).items()
    swapping = await fill(plain(move_from=True), there)
    await copy(
        await fill(plain(), source), path("/t/"), swapping, path("/t/"), conflict=Conflict.REPLACE
    )
    assert source.items() <= (await snapshot(swapping)).items()


async def test_kinds_must_agree():
    """A file does not become a folder."""
    with pytest.raises(BadPath):
        await copy(MemoryProvider(), path("/a"), MemoryProvider(), path("/a/"))


@BOTH
async def test_storages_that_cannot_be_written_to(transfer):
    """Nothing is begun."""
    source, dest = await fill(MemoryProvider(), TREE), Masked(MemoryProvider(), write=False)
    with pytest.raises(Unsupported):
        await transfer(source, path("/t/"), dest, path("/t/"))
    fixed = Masked(source, write=False)
    if transfer is move:
        with pytest.raises(Unsupported):
            await move(fixed, path("/t/"), MemoryProvider(), path("/t/"))
    assert await snapshot(source) == TREE


async def test_the_content_type_goes_along():
    """The destination is told what the source knows."""
    source, dest = MemoryProvider(), plain()
    await source.write(path("/a"), ByteStream.of(b"x"), content_type="text/x-a")
    assert (await copy(source, path("/a"), dest, path("/a"))).entry.content_type == "text/x-a"


async def test_old_versions_are_kept():
    """Where there are versions, a replaced file is one of them."""
    dest = await fill(plain(versions=True, move_from=True), {"/a": b"old"})
    source = await fill(plain(), {"/a": b"new"})
    await copy(source, path("/a"), dest, path("/a"), conflict=Conflict.REPLACE)
    assert len([version async for version in dest.versions(path("/a"))]) == 2


class TestOnTheStoragesSide:
    """What the storages can do themselves."""

    @pytest.mark.parametrize("name", ["/t/a.txt", "/t/"])
    async def test_nothing_is_streamed(self, name):
        """No byte passes through here."""
        source, dest = FlakyProvider(await fill(MemoryProvider(), TREE)), MemoryProvider()
        to = path("/n/" if name[-1] == "/" else "/n")
        await copy(source, path(name), dest, to)
        await copy(source, path(name), dest, to, conflict=Conflict.REPLACE)
        await move(source, path(name), dest, to, conflict=Conflict.REPLACE)
        assert source.calls["read"] == 0
        assert not [key for key in await snapshot(dest) if HIDDEN in key]

    @BOTH
    @EVERY
    @pytest.mark.parametrize("name", ["/t/a.txt", "/t/"])
    async def test_what_they_cannot_do_is_streamed(self, transfer, conflict, name):
        """`Unsupported` is not the end."""
        source, dest = await fill(plain(), TREE), MemoryProvider()
        to = path("/n/" if name[-1] == "/" else "/n")
        await transfer(source, path(name), dest, to, conflict=conflict)
        await fill(source, TREE)
        if conflict is not Conflict.WARN:
            await transfer(source, path(name), dest, to, conflict=conflict)
        assert await exists(dest, to)

    async def test_a_move_by_copy(self):
        """Where only copies are possible, the source is deleted afterwards."""
        source = await fill(MemoryProvider(), TREE)
        dest = Masked(MemoryProvider(), move_from=False)
        await move(source, path("/t/"), dest, path("/t/"))
        assert (dest.calls["copy_from"], dest.calls["write"]) == (1, 0)
        assert await snapshot(source) == {}
        assert await snapshot(dest) == TREE

    @pytest.mark.parametrize("name", ["/t/a.txt", "/t/"])
    async def test_a_copy_that_is_incomplete(self, name):
        """It is found out and removed."""

        class Forgetful(MemoryProvider):
            async def copy_from(self, source, at, to, *, mode=WriteMode.CREATE):
                await super().copy_from(source, at, to, mode=mode)
                victim = to if not to.is_folder else to.child("a.txt")
                return await self.write(victim, ByteStream.of(b"less")) or await self.stat(to)

        source, dest = await fill(MemoryProvider(), TREE), Forgetful()
        to = path("/n/" if name[-1] == "/" else "/n")
        with pytest.raises(Corrupted):
            await copy(source, path(name), dest, to)
        assert await snapshot(dest) == {}


class Lying(MemoryProvider):
    """Says that it has stored something else."""

    async def write(self, here, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None):
        entry = await super().write(here, body, mode=mode, content_type=content_type)
        if here.name != "b.bin":
            return entry
        return msgspec.structs.replace(entry, hashes={"md5": "0" * 32})


class TestVerification:
    """A copy that is not the source is no copy."""

    @BOTH
    @pytest.mark.parametrize("name", ["/t/sub/b.bin", "/t/"])
    async def test_a_new_copy_is_removed(self, transfer, name):
        """The source stays."""
        source = await fill(plain(), TREE)
        dest = Masked(Lying(), move_from=False, copy_from=False)
        to = path("/n/" if name[-1] == "/" else "/b.bin")
        with pytest.raises(Corrupted):
            await transfer(source, path(name), dest, to)
        assert await snapshot(source) == TREE
        assert await snapshot(dest) == {}

    @pytest.mark.parametrize("lacking", ["versions", "move_from"])
    async def test_a_replaced_file_is_not_lost(self, lacking):
        """It was kept beside, or it is brought back as the version before."""
        source, inner = await fill(plain(), {"/a": b"new"}), LyingOfAll()
        dest = Masked(await fill(inner, {"/a": b"old"}), copy_from=False, **{lacking: False})
        with pytest.raises(Corrupted):
            await copy(source, path("/a"), dest, path("/a"), conflict=Conflict.REPLACE)
        assert await snapshot(dest) == {"/a": b"old"}

    async def test_a_file_that_was_never_there_before(self):
        """There is no version to bring back: what was written is removed."""
        dest = Masked(LyingOfAll(), copy_from=False, move_from=False)
        dest.fail("stat", NotFound("It comes and goes."), at=3)
        source = await fill(plain(), {"/t/a": b"new"})
        await fill(dest.inner, {"/t/": None})
        with pytest.raises(Corrupted):
            await copy(source, path("/t/"), dest, path("/t/"), conflict=Conflict.REPLACE)
        assert await snapshot(dest.inner) == {"/t/": None}

    async def test_a_version_that_cannot_be_brought_back(self):
        """It is still there as a version, and a note tells."""
        dest = Masked(await fill(LyingOfAll(), {"/a": b"old"}), copy_from=False)
        dest.fail("read", ProviderUnavailable("down"))
        with pytest.raises(Corrupted) as caught:
            await copy(
                await fill(plain(), {"/a": b"new"}),
                path("/a"),
                dest,
                path("/a"),
                conflict=Conflict.REPLACE,
            )
        assert "/a" in " ".join(caught.value.__notes__)
        assert len([version async for version in dest.versions(path("/a"))]) == 2

    async def test_an_outdated_listing_is_no_corruption(self):
        """A file that changed before it was copied on the storage's side is copied as it is."""

        class Outdated(MemoryProvider):
            async def list(self, here):
                async for entry in super().list(here):
                    yield (
                        msgspec.structs.replace(entry, size=1, hashes={})
                        if entry.name == "a.txt"
                        else entry
                    )

        class FilesOnly(MemoryProvider):
            async def copy_from(self, source, at, to, *, mode=WriteMode.CREATE):
                if at.is_folder:
                    raise self._unsupported("copy_from of folders")
                return await super().copy_from(source, at, to, mode=mode)

        source, dest = await fill(Outdated(), TREE), FlakyProvider(FilesOnly())
        await copy(source, path("/t/"), dest, path("/t/"))
        assert await snapshot(dest) == TREE
        assert dest.calls["write"] == 0

    @BOTH
    async def test_a_source_that_is_not_what_it_says(self, transfer):
        """It is found out before anything is replaced."""
        source = Masked(await fill(Rotten(), {"/a": b"good"}))
        for make in (plain, lambda: plain(versions=True), lambda: plain(move_from=True)):
            dest = await fill(make(), {"/a": b"old"})
            with pytest.raises(Corrupted):
                await transfer(source, path("/a"), dest, path("/a"), conflict=Conflict.REPLACE)
            with pytest.raises(Corrupted):
                await transfer(source, path("/a"), dest, path("/b"))
            assert await snapshot(dest) == {"/a": b"old"}
            assert await exists(source, path("/a"))


class LyingOfAll(Lying):
    """Says so of every file."""

    async def write(self, here, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None):
        entry = await MemoryProvider.write(self, here, body, mode=mode, content_type=content_type)
        return msgspec.structs.replace(entry, hashes={"md5": "0" * 32})


class Rotten(MemoryProvider):
    """A bit has flipped since the hash was made."""

    async def read(self, here, *, range=None, version=None):
        opened = await super().read(here, range=range, version=version)
        await opened.body.aclose()
        return Content(ByteStream.of(b"g00d"), opened.entry)


class Growing(MemoryProvider):
    """Somebody writes to it while it is read."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    async def read(self, here, *, range=None, version=None):
        opened = await super().read(here, range=range, version=version)
        change, self.change = self.change, {}
        await fill(self, change)
        return opened


@pytest.mark.parametrize("make", [plain, lambda: plain(move_from=True), MemoryProvider])
@pytest.mark.parametrize("there", [{}, {"/n/": None, "/n/old": b"old"}])
@pytest.mark.parametrize("change", [{"/t/late": b"l"}, {"/t/a.txt": b"ALPHA"}, {"/t/late/": None}])
async def test_a_tree_that_changes_while_it_is_moved(make, there, change):
    """What was not copied is not deleted."""
    inner = await fill(Growing(change), TREE)
    source, dest = Masked(inner), await fill(make(), there)
    with pytest.raises(Corrupted):
        await move(source, path("/t/"), dest, path("/n/"), conflict=Conflict.REPLACE)
    assert (await snapshot(source)).items() >= change.items()
    assert len(await snapshot(source)) >= len(TREE)
    if dest.capabilities.move_from:
        assert await snapshot(dest) == there


@pytest.mark.parametrize("make", [plain, lambda: plain(move_from=True)])
async def test_a_file_that_changes_while_it_is_moved(make):
    """What was not copied is not deleted, and what was copied is removed."""
    source, dest = Masked(await fill(Growing({"/a": b"2"}), {"/a": b"1"})), make()
    with pytest.raises(Corrupted):
        await move(source, path("/a"), dest, path("/a"))
    assert await snapshot(source) == {"/a": b"2"}
    assert await snapshot(dest) == {}


class TestRaces:
    """Others are at work in the same folder."""

    @pytest.mark.parametrize("make", [MemoryProvider, plain])
    @pytest.mark.parametrize("name", ["/t/a.txt", "/t/"])
    async def test_copies_at_once_get_names_of_their_own(self, make, name):
        """None is lost."""
        source, dest = await fill(plain(), TREE), make()
        to = path("/n/" if name[-1] == "/" else "/n.x")
        outcomes = await asyncio.gather(
            *(copy(source, path(name), dest, to, conflict=Conflict.KEEP) for _ in range(5))
        )
        expected = {to, *(to.candidate(number) for number in range(1, 5))}
        assert {outcome.entry.path for outcome in outcomes} == expected
        for taken in expected:
            whole = await snapshot(dest, taken) if taken.is_folder else await content(dest, taken)
            assert whole == (below(TREE) if taken.is_folder else TREE[name])

    @pytest.mark.parametrize("make", [MemoryProvider, plain])
    @pytest.mark.parametrize("name", ["/t/a.txt", "/t/"])
    async def test_one_wins_and_the_others_are_told(self, make, name):
        """Each of them learns what has the name."""
        source, dest = await fill(plain(), TREE), make()
        to = path("/n/" if name[-1] == "/" else "/n.x")
        outcomes = await asyncio.gather(
            *(copy(source, path(name), dest, to) for _ in range(4)), return_exceptions=True
        )
        losers = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert len(losers) == 3
        for error in losers:
            assert isinstance(error, AlreadyExists)
            assert error.entry.path == to
        assert await exists(dest, to)

    @BOTH
    @EVERY
    @pytest.mark.parametrize("name", ["/f", "/t/"])
    @pytest.mark.parametrize("make", [MemoryProvider, plain, lambda: plain(move_from=True)])
    async def test_a_name_that_is_taken_meanwhile(self, transfer, conflict, name, make):
        """It is chosen again, or what has it by now is told."""
        source = await fill(MemoryProvider() if make is MemoryProvider else plain(), TREE)
        await fill(source, {"/f": b"new"})
        before = {**OLD, "/f": b"old"}
        dest = FlakyProvider(await fill(make(), before))
        dest.fail("stat", NotFound("not yet"), at=1)
        if conflict is Conflict.WARN:
            with pytest.raises(AlreadyExists) as caught:
                await transfer(source, path(name), dest, path(name), conflict=conflict)
            assert caught.value.entry == await dest.stat(path(name))
            assert await snapshot(dest) == before
            return
        outcome = await transfer(source, path(name), dest, path(name), conflict=conflict)
        assert outcome.created == (conflict is Conflict.KEEP)
        assert (outcome.entry.path == path(name)) == (conflict is Conflict.REPLACE)
        assert await exists(source, path(name)) == (transfer is copy)

    async def test_what_has_the_name_is_found_out(self):
        """Also when the storage does not say it."""

        class Terse(MemoryProvider):
            async def write(self, here, body, **options):
                raise AlreadyExists("Taken.")

        dest = FlakyProvider(Masked(Terse(), copy_from=False))
        await dest.inner.inner.make_folder(path("/f/"))
        dest.fail("stat", NotFound("not yet"), at=1)
        with pytest.raises(AlreadyExists) as caught:
            await copy(await fill(plain(), {"/f": b"new"}), path("/f"), dest, path("/f"))
        assert caught.value.entry.path == path("/f/")

    @pytest.mark.parametrize("name", ["/t/a.txt", "/t/"])
    async def test_a_source_that_somebody_else_deletes(self, name):
        """A move has then done what it should."""
        source, dest = await fill(plain(), TREE), plain()
        source.fail("delete", NotFound("gone"))
        outcome = await move(source, path(name), dest, path("/n/" if name[-1] == "/" else "/n"))
        assert outcome.created

    @pytest.mark.parametrize("name", ["/t/a.txt", "/t/"])
    async def test_a_name_that_is_always_taken(self, name):
        """At some point it is given up."""

        class Crowded(Masked):
            async def write(
                self, here, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None
            ):
                raise AlreadyExists("Somebody was faster.")

            async def make_folder(self, here):
                raise AlreadyExists("Somebody was faster.")

        dest = Crowded(MemoryProvider(), copy_from=False, move_from=False)
        source, to = await fill(plain(), TREE), path("/n/" if name[-1] == "/" else "/n")
        with pytest.raises(AlreadyExists):
            await copy(source, path(name), dest, to, conflict=Conflict.KEEP)
        assert dest.calls["stat"] == 11
        with pytest.raises(AlreadyExists):
            await copy(source, path(name), dest, to)
        assert dest.calls["stat"] == 13
        dest.fail("stat", ProviderUnavailable("down"), at=15)
        with pytest.raises(AlreadyExists):
            await copy(source, path(name), dest, to)


@pytest.mark.parametrize("concurrency", [1, 3, 8])
async def test_files_at_once_are_bounded(concurrency):
    """As many as asked for, and no more; nor are there more tasks."""

    class Watched(MemoryProvider):
        now = most = tasks = 0

        async def write(
            self, here, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None
        ):
            self.now += 1
            self.most = max(self.most, self.now)
            self.tasks = max(self.tasks, len(asyncio.all_tasks()))
            for _ in range(20):
                await asyncio.sleep(0)
            self.now -= 1
            return await super().write(here, body, mode=mode, content_type=content_type)

    dest = Watched()
    source = await fill(plain(), {f"/t/{number % 7}/{number}": b"x" for number in range(200)})
    before = len(asyncio.all_tasks())
    await copy(source, path("/t/"), dest, path("/t/"), concurrency=concurrency)
    assert dest.most == concurrency
    assert dest.tasks <= before + concurrency + 8
    assert len(asyncio.all_tasks()) == before


async def test_bodies_are_closed():
    """Also when writing fails."""
    closed = []

    class Watching(MemoryProvider):
        async def read(self, here, *, range=None, version=None):
            opened = await super().read(here)

            async def close():
                closed.append(1)

            return Content(
                ByteStream(opened.body, size=opened.body.size, close=close), opened.entry
            )

    source = await fill(Watching(), {"/a": b"1"})
    await copy(source, path("/a"), plain(), path("/a"))
    with pytest.raises(NotFound):
        await copy(
            source, path("/a"), FlakyProvider(plain()).fail("write", NotFound("x")), path("/a")
        )
    assert len(closed) == 2


@pytest.mark.parametrize("there", [{}, OLD])
@BOTH
async def test_one_call_at_a_time_is_enough(transfer, there):
    """No call waits inside another one, also when both ends share a storage's only turn."""
    provider = Limited(plain(), 1)
    await fill(provider, {"/from/x": b"", **there})
    await fill(provider, {f"/from{name}": data for name, data in TREE.items()})
    await transfer(provider, path("/from/t/"), provider, path("/t/"), conflict=Conflict.REPLACE)
    assert await snapshot(provider, path("/t/")) == below(TREE)
    async with zip_folder(provider, ROOT) as stream:
        assert len([chunk async for chunk in stream]) > 0


async def test_unknown_sizes_and_hashes():
    """A source that knows nothing about its files is copied all the same."""

    class Vague(MemoryProvider):
        async def read(self, here, *, range=None, version=None):
            opened = await super().read(here)
            opened.body.size = None
            return Content(opened.body, Entry(path=here))

        async def list(self, here):
            async for entry in super().list(here):
                yield Entry(path=entry.path)

    source, dest = Masked(await fill(Vague(), TREE)), plain()
    await copy(source, path("/t/"), dest, path("/t/"))
    assert await snapshot(dest) == TREE
