"""What is kept is what was sent: names come back as they were, and ranges are what they say."""

import io
import json
import re
import zipfile
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.fuzz import strategies as some
from tests.fuzz.sizes import examples
from tests.fuzz.wire import Request
from tests.fuzz.world import ALICE, CONTENT
from waterbutler.core import check_name
from waterbutler.core.errors import BadPath

BASE = "/v1/resources/demo/providers/"


def possible(name):
    """Whether a path may hold the name."""
    try:
        check_name(name)
    except BadPath:
        return False
    return True


@pytest.mark.parametrize("mount", ["filesystem", "osfstorage"])
def test_a_name_comes_back(world, mount):
    """A name is refused, or is the same in every answer, in the listing and in the archive."""

    @examples(12)
    @given(name=some.texts, body=st.binary(max_size=50))
    @example(name="a\r\nX-Injected: yes", body=b"")
    @example(name="C:..\\..\\x", body=b"1")
    def tried(name, body):
        assume(not name.startswith(("link-", "file.txt", "folder")))
        into = folder(world, mount)
        target = f"{BASE}{mount}{into}?kind=file&name={quote(name, safe='')}".encode()
        made = world.try_out(Request("PUT", target, list(ALICE), body))
        assert made.status == (201 if possible(name) else 400), made
        if made.status != 201:
            return
        shown = made.json["data"]["attributes"]
        assert shown["name"] == name
        where = (BASE + mount + quote(shown["path"])).encode()
        got = world.try_out(Request("GET", where, list(ALICE)))
        assert (got.status, got.body) == (200, body)
        saved = re.search(r"filename\*=UTF-8''(\S+)$", got.one("Content-Disposition"))
        assert saved[1].isascii()
        inside = (BASE + mount + quote(into)).encode()
        listed = world.try_out(Request("GET", inside, list(ALICE))).json["data"]
        assert [each["attributes"]["name"] for each in listed] == [name]
        check_archive(world.try_out(Request("GET", inside + b"?zip=", list(ALICE))).body, body)
        gone = world.try_out(Request("DELETE", where, list(ALICE)))
        assert gone.status == 204

    tried()


def folder(world, mount):
    """The path of an empty folder."""
    key = f"{mount}/names"
    if key not in world.ids:
        target = f"{BASE}{mount}/?kind=folder&name=names".encode()
        made = world.ask(Request("PUT", target, list(ALICE)))
        assert made.status in {201, 409}
        world.ids[key] = made.json["data"]["attributes"]["path"]
    return world.ids[key]


def check_archive(data, body):
    """There is one member, and it stays where it is unpacked."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    (member,) = archive.infolist()
    assert archive.read(member) == body
    for kind in (PurePosixPath, PureWindowsPath):
        path = kind(member.orig_filename)
        assert not path.is_absolute()
        assert not path.drive
        assert ".." not in path.parts
        assert len(path.parts) == 1


@examples(30)
@given(
    some.mostly(
        st.from_regex(r"bytes ?= ?\d{0,4} ?- ?\d{0,4}", fullmatch=True).map(str.encode),
        st.one_of(
            st.sampled_from(some.HEADERS[b"Range"]),
            st.from_regex(r"bytes=[0-9,\- ]{0,9}", fullmatch=True).map(str.encode),
        ),
        2,
    )
)
@example(range=b"bytes=1000-")
@example(range=b"bytes=-0")
def test_a_range_is_what_it_says(world, range):
    """The whole file, the part that ``Content-Range`` names, or the news that there is none."""
    world.fill()
    target = f"{BASE}filesystem/file.txt".encode()
    answer = world.try_out(Request("GET", target, [*ALICE, (b"Range", range)]))
    total = len(CONTENT)
    if answer.status == 206:
        said = re.fullmatch(rf"bytes (\d+)-(\d+)/{total}", answer.one("Content-Range"))
        first, last = map(int, said.groups())
        assert first <= last < total
        assert answer.body == CONTENT[first : last + 1]
    elif answer.status == 416:
        assert answer.one("Content-Range") == f"bytes */{total}"
    else:
        assert (answer.status, answer.body) == (200, CONTENT)


@examples(30)
@given(some.documents(action=st.just("rename"), rename=some.texts))
def test_a_file_is_there_after_a_rename_that_failed(world, document):
    """A refusal changes nothing: the file has its old name, or, after a success, only the new."""
    world.fill()
    target = f"{BASE}filesystem/file.txt".encode()
    (world.mount / "only").mkdir(exist_ok=True)
    for file in (world.mount / "only").iterdir():
        file.unlink()
    (world.mount / "only" / "file.txt").write_bytes(CONTENT)
    target = f"{BASE}filesystem/only/file.txt".encode()
    answer = world.try_out(Request("POST", target, list(ALICE), document))
    (left,) = (world.mount / "only").iterdir()
    assert left.read_bytes() == CONTENT
    if answer.status != 200:
        assert left.name == "file.txt"
    else:
        assert left.name == json.loads(document)["rename"]
