"""Who gets which name."""

import itertools

import pytest

from tests.engine.support import FLAT, FoldingMemory, Masked, fill, path
from waterbutler.core import ROOT, ByteStream, Conflict, WriteMode
from waterbutler.core.errors import AlreadyExists, InvalidRequest, NotFound
from waterbutler.engine.naming import choose_target, hidden_sibling
from waterbutler.testing.faults import FlakyProvider
from waterbutler.testing.memory import MemoryProvider

EVERY = pytest.mark.parametrize("conflict", list(Conflict))


@EVERY
@pytest.mark.parametrize("wanted", ["/f/new.txt", "/f/new/", "/new.txt"])
async def test_a_free_name_is_taken_as_it_is(conflict, wanted):
    """Nothing is listed and nothing replaced."""
    provider = FlakyProvider(await fill(MemoryProvider(), {"/f/": None}))
    target = await choose_target(provider, path(wanted), conflict)
    assert (target.path, target.replaces, target.mode) == (path(wanted), None, WriteMode.CREATE)
    assert provider.calls["list"] == 0


@EVERY
@pytest.mark.parametrize("wanted", ["/missing/x", "/missing/x/", "/file/x", "/file/x/"])
async def test_the_folder_must_exist(conflict, wanted):
    """A missing folder, or a file in its place, is `NotFound`."""
    provider = await fill(MemoryProvider(), {"/file": b""})
    with pytest.raises(NotFound):
        await choose_target(provider, path(wanted), conflict)


@EVERY
async def test_folders_that_are_only_prefixes_need_not_exist(conflict):
    """There, every folder is there as soon as something is in it."""
    target = await choose_target(FLAT(), path("/missing/x"), conflict)
    assert target.replaces is None


@pytest.mark.parametrize("name", ["/a", "/f/"])
async def test_warn_tells_what_has_the_name(name):
    """The error carries the whole entry."""
    provider = await fill(MemoryProvider(), {"/a": b"12", "/f/": None})
    with pytest.raises(AlreadyExists) as caught:
        await choose_target(provider, path(name), Conflict.WARN)
    assert caught.value.entry == await provider.stat(path(name))
    assert caught.value.path == name


@pytest.mark.parametrize("conflict", [Conflict.WARN, Conflict.REPLACE])
@pytest.mark.parametrize(("wanted", "taken"), [("/a/", "/a"), ("/f", "/f/")])
async def test_the_other_kind_is_not_replaced(conflict, wanted, taken):
    """A file is not replaced by a folder, nor the other way round."""
    provider = await fill(MemoryProvider(), {"/a": b"12", "/f/": None})
    with pytest.raises(AlreadyExists) as caught:
        await choose_target(provider, path(wanted), conflict)
    assert caught.value.entry == await provider.stat(path(taken))


@EVERY
async def test_what_has_the_name_goes_away(conflict):
    """A name that is free again is taken."""
    provider = FlakyProvider(await fill(MemoryProvider(), {"/f/": None}))
    provider.fail("stat", NotFound("gone"), at=2)
    assert (await choose_target(provider, path("/f"), conflict)).replaces is None


@EVERY
@pytest.mark.parametrize(("wanted", "there"), [("/a", {"/a/b": b""}), ("/a/", {"/a": b""})])
async def test_kinds_that_share_names_do_not_collide(conflict, wanted, there):
    """Where a file and a folder may share a name, only the same kind takes it."""
    target = await choose_target(await fill(FLAT(), there), path(wanted), conflict)
    assert (target.path, target.replaces) == (path(wanted), None)


@pytest.mark.parametrize(("name", "mode"), [("/a", WriteMode.REPLACE), ("/f/", WriteMode.CREATE)])
async def test_replace_tells_what_is_replaced(name, mode):
    """Files are written over; a folder is never made where one is."""
    provider = await fill(MemoryProvider(), {"/a": b"12", "/f/": None})
    target = await choose_target(provider, path(name), Conflict.REPLACE)
    assert target.replaces == await provider.stat(path(name))
    assert (target.path, target.mode) == (path(name), mode)


@pytest.mark.parametrize(
    ("wanted", "there", "chosen"),
    [
        ("/a.txt", ["/a.txt"], "/a (1).txt"),
        ("/a.txt", ["/a.txt", "/a (1).txt", "/a (2).txt"], "/a (3).txt"),
        ("/a.txt", ["/a.txt", "/a (2).txt"], "/a (1).txt"),
        ("/a.txt", ["/a.txt", "/a (1)", "/b (1).txt", "/a (01).txt"], "/a (1).txt"),
        ("/a.txt", ["/a.txt", "/a (1).txt/"], "/a (2).txt"),
        ("/a.txt", ["/a.txt/"], "/a (1).txt"),
        ("/a.b/", ["/a.b/"], "/a.b (1)/"),
        ("/a/", ["/a/", "/a (1)"], "/a (2)/"),
        ("/a (1)", ["/a (1)"], "/a (1) (1)"),
        ("/.hidden", ["/.hidden"], "/.hidden (1)"),
        ("/f/a", ["/f/a", "/a (1)"], "/f/a (1)"),
    ],
)
async def test_keep_takes_the_first_free_number(wanted, there, chosen):
    """Gaps are used; both kinds count."""
    provider = FlakyProvider(await fill(MemoryProvider(), dict.fromkeys(there, b"")))
    target = await choose_target(provider, path(wanted), Conflict.KEEP)
    assert (target.path, target.replaces) == (path(chosen), None)
    assert provider.calls["list"] == 1


async def test_keep_in_a_storage_with_shared_names():
    """Only the same kind counts."""
    provider = await fill(FLAT(), {"/a": b"", "/a (1)/x": b"", "/b/x": b"", "/b (1)": b""})
    assert (await choose_target(provider, path("/a"), Conflict.KEEP)).path == path("/a (1)")
    assert (await choose_target(provider, path("/b/"), Conflict.KEEP)).path == path("/b (1)/")


async def test_keep_where_case_does_not_matter():
    """Another spelling of a candidate takes it too."""
    provider = await fill(FoldingMemory(), {"/A.txt": b"", "/a (1).TXT": b""})
    assert (await choose_target(provider, path("/a.txt"), Conflict.KEEP)).path == path("/a (2).txt")
    exact = await fill(MemoryProvider(), {"/a.txt": b"", "/a (1).TXT": b""})
    assert (await choose_target(exact, path("/a.txt"), Conflict.KEEP)).path == path("/a (1).txt")


async def test_keep_with_the_longest_name():
    """Numbers find room in a name that is as long as can be."""
    long = path("/" + "é" * 125 + "x.txt")
    assert len(long.name.encode()) == 255
    provider = MemoryProvider()
    for expected in itertools.islice(long.candidates(), 12):
        target = await choose_target(await fill(provider, {str(long): b""}), long, Conflict.KEEP)
        assert target.path == expected
        await provider.write(target.path, ByteStream.of(b""))


async def test_keep_remembers_only_what_looks_like_a_candidate():
    """A folder full of other names does not matter."""
    provider = await fill(MemoryProvider(), {f"/{number}": b"" for number in range(500)})
    await fill(provider, {"/7 (1)": b"", "/77 (1)": b""})
    assert (await choose_target(provider, path("/7"), Conflict.KEEP)).path == path("/7 (2)")


async def test_the_root():
    """It can be replaced, but nothing can be beside it."""
    provider = MemoryProvider()
    with pytest.raises(AlreadyExists):
        await choose_target(provider, ROOT, Conflict.WARN)
    assert (await choose_target(provider, ROOT, Conflict.REPLACE)).replaces.path == ROOT
    with pytest.raises(InvalidRequest):
        await choose_target(provider, ROOT, Conflict.KEEP)


async def test_the_spelling_that_was_asked_for_is_kept():
    """Replacing ``A`` by ``a`` where both are one."""
    provider = Masked(await fill(FoldingMemory(), {"/A": b""}))
    assert (await choose_target(provider, path("/a"), Conflict.REPLACE)).path.name == "a"


@pytest.mark.parametrize("name", ["/a/b.txt", "/a/", "/" + "é" * 127, "/" + "x" * 255 + "/"])
def test_hidden_siblings(name):
    """They are beside, of the same kind, start with a dot, and differ each time."""
    one, other = hidden_sibling(path(name)), hidden_sibling(path(name))
    assert one != other
    assert (one.parent, one.is_folder) == (path(name).parent, path(name).is_folder)
    assert one.name.startswith("." + path(name).name[:20])
