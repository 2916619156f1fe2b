"""Names that are not text, names that look like it, and names that are not for clients."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waterbutler.core import ROOT, ByteStream, Path, WriteMode, check_name
from waterbutler.core.errors import BadPath, NotFound
from waterbutler_filesystem import FilesystemProvider, FilesystemSettings
from waterbutler_filesystem.names import MARK, is_reserved, shown, stored, temporary

PIECES = [b"a", b"FF", b"7F", b"\xff", b"\xc3", b"\xc3\xa9", b"\x80", MARK.encode(), b"\xe2\x80"]
TEXTS = ["a", "FF", "7F", "C3", "A9", "ff", "\u00e9", MARK, MARK + "FF", MARK + "C3"]
TEMPORARY = temporary("0123456789abcdef" * 2).decode()


@pytest.fixture
def provider(tmp_path):
    return FilesystemProvider("filesystem", FilesystemSettings(folder=str(tmp_path)), "a folder")


async def listed(provider, path=ROOT):
    return sorted([entry.path async for entry in provider.list(path)], key=str)


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map(b"".join))
def test_every_name_on_disk_has_a_shown_name_that_leads_back(raw):
    """The shown name is valid in a path, and is that of no other name on disk."""
    name = shown(os.fsdecode(raw))
    assert check_name(name) == name
    assert stored(name) == raw


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=8).map("".join))
def test_every_name_that_is_taken_is_shown_as_it_was_given(name):
    """A name in a path is shown again as it is, or it is refused."""
    try:
        raw = stored(name)
    except BadPath:
        assert MARK in name
    else:
        assert shown(os.fsdecode(raw)) == name


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"plain", "plain"),
        ("h\u00e9llo".encode(), "h\u00e9llo"),
        (b"a\xffb", f"a{MARK}FFb"),
        (b"\xc3\x28", f"{MARK}C3("),
        (f"{MARK}".encode(), MARK),
        (f"{MARK}FF".encode(), f"{MARK}{MARK}FF"),
        (f"{MARK}7F".encode(), f"{MARK}7F"),
        (f"{MARK}".encode() + b"\xff", f"{MARK}{MARK}{MARK}FF"),
    ],
)
def test_how_names_are_shown(raw, name):
    """Only what is needed is escaped."""
    assert shown(os.fsdecode(raw)) == name
    assert stored(name) == raw


@pytest.mark.parametrize("name", [f"{MARK}C3{MARK}A9", f"{MARK}E2{MARK}80{MARK}9B"])
def test_needless_escapes_are_refused(name):
    """Two names for one thing would break more than they help."""
    with pytest.raises(BadPath):
        stored(name)


async def test_names_that_are_no_text_work_everywhere(provider, tmp_path):
    """A file and a folder with such names can be listed, read, moved, copied and removed."""
    root = os.fsencode(tmp_path)
    os.mkdir(root + b"/dir\xfe")
    with open(root + b"/dir\xfe/f\xff", "wb") as file:
        file.write(b"data")
    folder = Path.parse(f"/dir{MARK}FE/")
    path = folder.child(f"f{MARK}FF")
    assert await listed(provider) == [folder]
    assert await listed(provider, folder) == [path]
    assert (await provider.stat(path)).size == 4
    content = await provider.read(path)
    async with content.body as body:
        assert await body.read(10) == b"data"
    await provider.copy_from(provider, path, ROOT.child("copy"))
    await provider.move_from(provider, path, folder.child(f"{MARK}80"))
    assert os.listdir(root + b"/dir\xfe") == [b"\x80"]
    await provider.write(path, ByteStream.of(b"new"), mode=WriteMode.CREATE)
    assert sorted(os.listdir(root + b"/dir\xfe")) == [b"f\xff", b"\x80"]
    await provider.delete(path)
    await provider.delete(folder)
    assert os.listdir(root) == [b"copy"]


async def test_names_that_are_too_long_when_shown_are_left_out(provider, tmp_path):
    """They exist, but no path can name them; their folder can still be removed."""
    folder = os.fsencode(tmp_path) + b"/folder"
    os.mkdir(folder)
    for raw in (b"\xff" * 200, b"\xff" * 51, b"\xff" * 50):
        open(folder + b"/" + raw, "wb").close()
    path = Path.parse("/folder/")
    assert await listed(provider, path) == [
        path.child(f"{MARK}FF" * 50),
        path.child(f"{MARK}FF" * 51),
    ]
    await provider.delete(path)
    assert await listed(provider) == []


@pytest.mark.parametrize(
    ("name", "reserved"),
    [
        (".waterbutler", True),
        (".WaterButler", True),
        (TEMPORARY, True),
        (TEMPORARY.upper(), True),
        (".waterbutler-0123.part", False),
        (".waterbutler2", False),
        ("waterbutler", False),
        (TEMPORARY[1:], False),
        (TEMPORARY + "x", False),
    ],
)
def test_which_names_are_reserved(name, reserved):
    """Few, and exactly those that this provider makes."""
    assert is_reserved(name) is reserved


@pytest.mark.parametrize("name", [".waterbutler", TEMPORARY])
async def test_reserved_names_do_not_exist(provider, tmp_path, name):
    """They are not listed, not found, not written, not removed with the rest of the root."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for place in (tmp_path, folder):
        (place / name).mkdir()
        (place / name / "file").write_bytes(b"")
    assert await listed(provider) == [Path.parse("/folder/")]
    assert await listed(provider, Path.parse("/folder/")) == []
    source = ROOT.child("source")
    await provider.write(source, ByteStream.of(b"data"))
    for above in (ROOT, Path.parse("/folder/")):
        path = above.child(name, folder=True)
        file = path.child("file")
        for call in (provider.stat(path), provider.stat(path.as_file()), provider.stat(file)):
            with pytest.raises(NotFound):
                await call
        for call in (provider.read(file), provider.delete(path), provider.delete(file)):
            with pytest.raises(NotFound):
                await call
        with pytest.raises(NotFound):
            await listed(provider, path)
        for call in (
            provider.write(path.as_file(), ByteStream.of(b"")),
            provider.write(file, ByteStream.of(b"")),
            provider.make_folder(path),
            provider.copy_from(provider, source, path.as_file()),
            provider.move_from(provider, source, path.as_file()),
        ):
            with pytest.raises(BadPath):
                await call
    await provider.copy_from(provider, Path.parse("/folder/"), Path.parse("/copy/"))
    assert list((tmp_path / "copy").iterdir()) == []
    await provider.delete(Path.parse("/folder/"))
    await provider.delete(ROOT)
    assert {file.name for file in tmp_path.iterdir()} == {name, ".waterbutler"}
