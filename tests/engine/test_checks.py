"""What is refused, and what is found out afterwards."""

import pytest
from msgspec.structs import replace

from tests.engine.support import FoldingMemory, Masked, path
from waterbutler.core import ROOT, Entry, StorageInfo
from waterbutler.core.errors import BadPath, Corrupted, InvalidRequest, SamePlace, Unsupported
from waterbutler.engine import checks
from waterbutler.testing.memory import MemoryProvider


def rooted(root, kind=MemoryProvider):
    provider = kind()
    provider.info = StorageInfo("memory", root, "memory")
    return provider


SAME = ("file:///srv", "file:///srv")


def refuse(roots, at, to, *, kind=MemoryProvider, moving=False, beside=False):
    source, dest = (rooted(root, kind) for root in roots)
    checks.refuse_nonsense(source, path(at), dest, path(to), moving=moving, beside=beside)


@pytest.mark.parametrize("moving", [True, False])
@pytest.mark.parametrize(
    ("roots", "at", "to"),
    [
        (SAME, "/a", "/a"),
        (SAME, "/a/", "/a/"),
        (SAME, "/a/", "/a/b/"),
        (SAME, "/a/", "/a/b/c/"),
        (("file:///srv/", "file:///srv"), "/a", "/a"),
        (("file:///srv", "file:///srv/a"), "/a/", "/b/"),
        (("file:///srv", "file:///srv/a"), "/a/b", "/b"),
        (("file:///srv/a", "file:///srv"), "/b", "/a/b"),
    ],
)
def test_overlaps_are_refused(roots, at, to, moving):
    """The same place and what is inside it, also when one storage is inside the other."""
    with pytest.raises(SamePlace):
        refuse(roots, at, to, moving=moving)


@pytest.mark.parametrize("moving", [True, False])
@pytest.mark.parametrize(
    ("roots", "at", "to"),
    [
        (SAME, "/a", "/b"),
        (SAME, "/a/", "/ab/"),
        (SAME, "/a/b/", "/a/"),
        (SAME, "/a/", "/A/"),
        (SAME, "/a/", "/A/b/"),
        (("file:///srv", "file:///srv2"), "/a", "/a"),
        (("file:///srv", "file:///srv/a"), "/b/", "/b/"),
    ],
)
def test_neighbours_are_not(roots, at, to, moving):
    """Names that merely look alike are different places."""
    refuse(roots, at, to, moving=moving)


def test_the_root_is_copied_but_not_moved():
    """And not into the storage itself."""
    other = ("file:///srv", "file:///other")
    refuse(other, "/", "/x/")
    refuse(other, "/", "/")
    with pytest.raises(InvalidRequest):
        refuse(other, "/", "/x/", moving=True)
    with pytest.raises(SamePlace):
        refuse(SAME, "/", "/x/")


def test_a_copy_beside_itself():
    """A copy may be kept beside its source; nothing else may."""
    refuse(SAME, "/a", "/a", beside=True)
    with pytest.raises(SamePlace):
        refuse(SAME, "/a", "/a", beside=True, moving=True)
    with pytest.raises(SamePlace):
        refuse(SAME, "/a/", "/a/b/", beside=True)


@pytest.mark.parametrize(("at", "to"), [("/a", "/A"), ("/é/", "/É/"), ("/A/b", "/a/b")])
def test_where_case_does_not_matter(at, to):
    """Another spelling is the same place, and a name may be moved to it."""
    with pytest.raises(SamePlace):
        refuse(SAME, at, to, kind=FoldingMemory)
    refuse(SAME, at, to, kind=FoldingMemory, moving=True)
    with pytest.raises(SamePlace):
        refuse(SAME, "/a/", "/A/b/", kind=FoldingMemory, moving=True)
    with pytest.raises(SamePlace):
        refuse(SAME, at, at, kind=FoldingMemory, moving=True)


@pytest.mark.parametrize(("at", "to"), [("/a", "/b/"), ("/a/", "/b")])
def test_kinds_stay(at, to):
    """A file cannot become a folder."""
    with pytest.raises(BadPath):
        refuse(("a", "b"), at, to)


def test_storages_that_cannot_be_written_to():
    """A move needs both, a copy the destination."""
    free, fixed = MemoryProvider(), Masked(MemoryProvider(), write=False)
    here = path("/a")
    checks.refuse_nonsense(fixed, here, free, here, moving=False, beside=False)
    with pytest.raises(Unsupported):
        checks.refuse_nonsense(fixed, here, free, here, moving=True, beside=False)
    with pytest.raises(Unsupported):
        checks.refuse_nonsense(free, here, fixed, here, moving=False, beside=False)


FILE = Entry(path=path("/a"), size=3, hashes={"md5": "aa", "sha1": "bb"}, etag="1")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"size": 4}, "size"),
        ({"hashes": {"md5": "ab"}}, "md5"),
        ({"hashes": {"md5": "aa", "sha1": "xx"}}, "sha1"),
        ({}, None),
        ({"size": None, "hashes": {}}, None),
        ({"hashes": {"sha256": "xx"}}, None),
        ({"hashes": {"md5": "AA"}}, None),
        ({"etag": "2"}, None),
    ],
)
def test_what_differs(changes, what):
    """Only what both know is compared."""
    other = replace(FILE, **changes)
    assert checks.difference(FILE, other) == what
    if what is None:
        checks.verify(FILE, other)
    else:
        with pytest.raises(Corrupted):
            checks.verify(FILE, other)


def test_a_source_that_changed():
    """Its etag tells, too."""
    checks.refuse_changed(FILE, FILE)
    checks.refuse_changed(FILE, replace(FILE, etag=None))
    for changes in ({"etag": "2"}, {"size": 4}, {"hashes": {"md5": "x"}}):
        with pytest.raises(Corrupted):
            checks.refuse_changed(FILE, replace(FILE, **changes))


@pytest.mark.parametrize(
    ("read", "written", "computed"),
    [
        ({"md5", "sha256"}, {"md5", "sha256"}, {"sha256"}),
        ({"md5", "sha1"}, {"md5"}, {"md5"}),
        ({"md5"}, {"sha256"}, {"md5", "sha256"}),
        ({"md5"}, set(), {"md5"}),
        (set(), {"sha1"}, {"sha1"}),
        (set(), set(), set()),
        ({"quickxor", "shake_128"}, {"quickxor"}, set()),
    ],
)
def test_the_fewest_hashes_are_computed(read, written, computed):
    """One if it serves both ends, and only what can be computed."""
    assert checks.hashes_to_compute(read, written) == computed


def tree_sum(*entries, **options):
    total = checks.TreeSum(path("/t/"), **options)
    for entry in entries:
        total.add(entry)
    return total


A = Entry(path=path("/t/a"), size=1, etag="1", hashes={"md5": "aa"})
B = Entry(path=path("/t/f/b"), size=2, etag="2", hashes={"md5": "bb"})
F = Entry(path=path("/t/f/"))


class TestTreeSum:
    """Whole trees are compared without keeping them."""

    def test_the_order_does_not_matter(self):
        """Nor do etags of other storages."""
        other = tree_sum(replace(B, etag="x"), F, A)
        assert tree_sum(A, F, B).difference(other) is None
        assert tree_sum(A, F, B).difference(other, etags=True) == "etag"

    @pytest.mark.parametrize(
        ("others", "what"),
        [
            ((A, F), "files"),
            ((A, B), "folders"),
            ((A, F, B, B), "files"),
            ((A, F, replace(B, path=path("/t/b"))), "files"),
            ((A, F, replace(B, size=3)), "size"),
            ((A, F, replace(B, hashes={"md5": "x"})), "hash md5"),
            ((A, replace(F, path=path("/t/g/")), B), "folders"),
            ((replace(A, size=2), F, replace(B, size=1)), "size"),
        ],
    )
    def test_differences(self, others, what):
        """What is missing, too much or different is named."""
        assert tree_sum(A, F, B).difference(tree_sum(*others)) == what
        assert tree_sum(*others).difference(tree_sum(A, F, B)) == what

    @pytest.mark.parametrize("changes", [{"hashes": {}}, {"size": None}])
    def test_only_what_both_know_of_every_file(self, changes):
        """A fact that one side lacks says nothing."""
        assert tree_sum(A, F, B).difference(tree_sum(A, F, replace(B, **changes))) is None

    def test_nothing_is_equal_to_nothing(self):
        """Empty trees have no files to compare."""
        assert tree_sum().difference(tree_sum()) is None
        assert tree_sum(F).difference(tree_sum(F)) is None
        assert tree_sum(F).difference(tree_sum()) == "folders"

    def test_folders_and_case_can_be_left_out(self):
        """For storages that do not keep them."""
        loud = replace(A, path=path("/t/A"))
        assert tree_sum(A).difference(tree_sum(loud)) == "files"
        assert tree_sum(A, fold=True).difference(tree_sum(loud, fold=True)) is None
        assert tree_sum(A, F, folders=False).difference(tree_sum(A, folders=False)) is None

    def test_unicode_is_compared_normalised(self):
        """Storages compose names in their own way."""
        folder = ROOT.child("t", folder=True)
        one = replace(A, path=folder.child("\u00e9"))
        other = replace(A, path=folder.child("e\u0301"))
        assert one.path != other.path
        assert tree_sum(one).difference(tree_sum(other)) is None
