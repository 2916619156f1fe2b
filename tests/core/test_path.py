"""Paths: what they refuse, and how they are taken apart and put together."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waterbutler.core import ROOT, Path, check_name
from waterbutler.core.errors import BadPath
from waterbutler.core.path import MAX_NAME_BYTES, split_extension

BAD_NAMES = [
    "",
    ".",
    "..",
    "a/b",
    "/",
    "a\0b",
    "\0",
    "n" * 256,
    "é" * 128,
    "\ud800",
    "a\udfffb",
    "\N{PARTY POPPER}" * 64,
]
GOOD_NAMES = [
    "a",
    "...",
    " ",
    ".a",
    "..a",
    "a\nb",
    "a\\b",
    "%2F",
    "n" * 255,
    "é" * 127,
    "\N{PARTY POPPER}" * 63,
    "\x7f",
]


def possible(name):
    try:
        check_name(name)
    except BadPath:
        return False
    return True


names = st.text(min_size=1, max_size=40).filter(possible)
paths = st.builds(
    lambda parts, folder: Path(tuple(parts), folder or not parts),
    st.lists(names, max_size=5),
    st.booleans(),
)
folders = paths.map(Path.as_folder)


class TestNames:
    @pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
    def test_bad_names_are_refused(self, name):
        """Each way to make a path checks its names."""
        with pytest.raises(BadPath):
            check_name(name)
        with pytest.raises(BadPath):
            Path((name,))
        with pytest.raises(BadPath):
            ROOT.child(name)
        with pytest.raises(BadPath):
            Path(("ok",), False).renamed(name)

    @pytest.mark.parametrize("name", GOOD_NAMES, ids=ascii)
    def test_all_other_names_are_kept(self, name):
        """Names are not changed, whatever they are made of."""
        assert check_name(name) == name
        assert ROOT.child(name).name == name

    @given(st.text(max_size=300))
    def test_a_name_is_kept_or_refused(self, name):
        """Nothing in between, and no other error."""
        try:
            assert check_name(name) is name
        except BadPath:
            return
        assert 0 < len(name.encode()) <= MAX_NAME_BYTES


class TestParse:
    @pytest.mark.parametrize(
        ("text", "parts", "folder"),
        [
            ("/", (), True),
            ("/a", ("a",), False),
            ("/a/", ("a",), True),
            ("/a/b.txt", ("a", "b.txt"), False),
            ("/a/b/", ("a", "b"), True),
            ("/ / ", (" ", " "), False),
            ("/.../..a", ("...", "..a"), False),
        ],
    )
    def test_good(self, text, parts, folder):
        """The trailing slash makes a folder."""
        path = Path.parse(text)
        assert (path.names, path.is_folder) == (parts, folder)
        assert str(path) == text

    @pytest.mark.parametrize(
        "text",
        ["", "a", "a/", "//", "//a", "/a//", "/a//b", "/.", "/../", "/a/../b", "/a\0", "./a"],
    )
    def test_bad(self, text):
        """Nothing is guessed or cleaned up."""
        with pytest.raises(BadPath):
            Path.parse(text)

    @given(paths)
    def test_texts_survive(self, path):
        """Parsing is the inverse of writing."""
        assert Path.parse(str(path)) == path

    @given(st.text(max_size=60))
    def test_any_text(self, text):
        """A text is a path that is written the same way, or it is refused."""
        try:
            path = Path.parse(text)
        except BadPath:
            return
        assert str(path) == text


class TestValue:
    def test_the_root(self):
        """The root is a folder without a name or a parent."""
        assert ROOT.is_root
        assert ROOT.is_folder
        assert (ROOT.name, ROOT.id, str(ROOT)) == ("", None, "/")
        with pytest.raises(BadPath):
            ROOT.parent  # noqa: B018
        with pytest.raises(BadPath):
            ROOT.renamed("a")
        assert list(ROOT.ancestors) == []

    def test_the_root_is_no_file(self):
        """There is no file without a name."""
        with pytest.raises(BadPath):
            Path((), False)
        with pytest.raises(BadPath):
            ROOT.as_file()

    def test_kinds_differ(self):
        """A file and a folder of one name are two paths."""
        assert Path.parse("/a") != Path.parse("/a/")
        assert Path.parse("/a").as_folder() == Path.parse("/a/")
        assert Path.parse("/a/").as_file() == Path.parse("/a")

    def test_ids_are_hints(self):
        """Ids are carried along and never part of equality."""
        one, two = ROOT.child("a", id="1"), ROOT.child("a", id="2")
        assert one == two
        assert hash(one) == hash(two)
        assert (one.id, two.id, ROOT.child("a").id) == ("1", "2", None)

    def test_ids_follow_the_names(self):
        """An id belongs to one name; parents keep theirs, and unknown ones are ``None``."""
        path = ROOT.child("a", folder=True, id="1").child("b", folder=True).child("c", id="3")
        assert path.ids == ("1", None, "3")
        assert (path.id, path.parent.id, path.parent.parent.id) == ("3", None, "1")
        assert path.renamed("d").id is None
        assert path.renamed("d").parent.parent.id == "1"
        late = ROOT.child("a", folder=True).child("b", id="2")
        assert late.ids == (None, "2")
        assert late.as_folder().id == "2"

    def test_there_are_not_more_ids_than_names(self):
        """An id without a name is a mistake."""
        with pytest.raises(BadPath):
            Path(("a",), True, ("1", "2"))
        assert Path(("a", "b"), True, ("1",)).id is None

    def test_paths_do_not_change(self):
        """A path is a value."""
        with pytest.raises(AttributeError):
            ROOT.names = ("a",)

    def test_nothing_is_inside_a_file(self):
        """Only folders have children."""
        with pytest.raises(BadPath):
            Path.parse("/a").child("b")

    def test_ancestors(self):
        """Nearest first, the root last."""
        texts = [str(path) for path in Path.parse("/a/b/c").ancestors]
        assert texts == ["/a/b/", "/a/", "/"]

    @given(folders, names, st.booleans())
    def test_parent_of_a_child(self, folder, name, kind):
        """`parent` undoes `child`."""
        child = folder.child(name, folder=kind)
        assert child.parent == folder
        assert (child.name, child.is_folder) == (name, kind)
        assert folder.contains(child)
        assert not child.contains(folder)
        assert ROOT in [*child.ancestors]


class TestContains:
    @pytest.mark.parametrize(
        ("folder", "other", "expected"),
        [
            ("/", "/a", True),
            ("/", "/", False),
            ("/a/", "/a/", False),
            ("/a/", "/a", False),
            ("/a/", "/a/b", True),
            ("/a/", "/a/b/c/", True),
            ("/a/", "/ab", False),
            ("/a/", "/ab/c", False),
            ("/a/", "/b/a/c", False),
            ("/a", "/a/b", False),
        ],
    )
    def test_table(self, folder, other, expected):
        """Whole names count, at any depth; files contain nothing."""
        assert Path.parse(folder).contains(Path.parse(other)) is expected


class TestRebased:
    @pytest.mark.parametrize(
        ("path", "old", "new", "expected"),
        [
            ("/a/b", "/a/", "/x/", "/x/b"),
            ("/a/b/", "/a/", "/x/", "/x/b/"),
            ("/a/", "/a/", "/x/", "/x/"),
            ("/a/b/c", "/a/", "/", "/b/c"),
            ("/b", "/", "/x/y/", "/x/y/b"),
            ("/a/b", "/a/", "/a/a/", "/a/a/b"),
        ],
    )
    def test_table(self, path, old, new, expected):
        """The part above changes, the part below stays, and so does the kind."""
        assert str(Path.parse(path).rebased(Path.parse(old), Path.parse(new))) == expected

    @pytest.mark.parametrize(("path", "old"), [("/b", "/a/"), ("/a", "/a/"), ("/ab/c", "/a/")])
    def test_strangers(self, path, old):
        """What is not inside cannot move along."""
        with pytest.raises(BadPath):
            Path.parse(path).rebased(Path.parse(old), ROOT)

    def test_ids_are_dropped(self):
        """The new place has other ids."""
        path = ROOT.child("a", folder=True, id="1").child("b", id="2")
        assert path.rebased(path.parent, ROOT).ids == ()

    @given(folders, folders, paths)
    def test_there_and_back(self, old, new, below):
        """Moving back gives the path again."""
        path = below.rebased(ROOT, old)
        assert path.rebased(old, new).rebased(new, old) == path


class TestCandidates:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("/a.txt", ["/a (1).txt", "/a (2).txt"]),
            ("/a", ["/a (1)", "/a (2)"]),
            ("/.a", ["/.a (1)", "/.a (2)"]),
            ("/x.tar.gz", ["/x.tar (1).gz", "/x.tar (2).gz"]),
            ("/a (1).txt", ["/a (1) (1).txt", "/a (1) (2).txt"]),
            ("/f/a.b/", ["/f/a.b (1)/", "/f/a.b (2)/"]),
            ("/..a", ["/. (1).a", "/. (2).a"]),
        ],
    )
    def test_table(self, text, expected):
        """The number stands before the extension; folders have none."""
        found = itertools.islice(Path.parse(text).candidates(), 2)
        assert [str(path) for path in found] == expected

    @given(paths.filter(lambda path: not path.is_root), st.text(max_size=300))
    def test_all_can_be_used(self, path, more):
        """Candidates are good names, in the same folder, of the same kind, and all different."""
        long = (path.name + more).replace("/", "_").replace("\0", "_")
        long = long.encode(errors="replace")[:MAX_NAME_BYTES].decode(errors="ignore")
        path = path.renamed(long if possible(long) else path.name)
        found = list(itertools.islice(path.candidates(), 12))
        assert len(set(found)) == 12
        for candidate in found:
            check_name(candidate.name)
            assert candidate != path
            assert (candidate.parent, candidate.is_folder) == (path.parent, path.is_folder)

    def test_long_names_are_cut_between_characters(self):
        """The stem gives way, the extension stays."""
        path = ROOT.child("é" * 125 + ".txt")
        candidate = next(path.candidates())
        assert candidate.name == "é" * 123 + " (1).txt"
        assert len(candidate.name.encode()) <= MAX_NAME_BYTES

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("a.b", ("a", ".b")),
            ("a", ("a", "")),
            (".b", (".b", "")),
            ("a.", ("a", ".")),
            ("archive.tar.gz", ("archive.tar", ".gz")),
            ("a." + "b" * 200, ("a." + "b" * 200, "")),
        ],
    )
    def test_extensions(self, name, expected):
        """What follows the last dot, if it is short and something stands before it."""
        assert split_extension(name) == expected
