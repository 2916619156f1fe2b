"""A server that dies at any step of a change: old or new, whole, and nothing is left over."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator

import pytest

from tests.data.changes import CHANGES, Change, State, create, nothing, relative
from tests.data.forked import Forked
from tests.data.machine import content
from tests.data.size import LONG
from tests.data.stores import hidden_files, pending_blobs
from waterbutler.cli.main import main as command

NEVER = 1 << 60
STEPS_OF_A_LEASE = 5
"""What the first upload after a start takes before the others."""
TWO_HOURS = 7200.0
TELLING = {
    *("write", "copy_file_range", "link", "rename", "renameat2", "unlink", "rmdir"),
    *("sql COMMIT",),
}
"""If there is little time, the server dies before the last step of each of these kinds."""

MOUNTS = ("filesystem", "osfstorage")
SMALL = {
    "filesystem": (
        *("replace large", "move over", "copy folder", "delete folder"),
        *("move folder over", "copy folder over"),
    ),
    "osfstorage": ("create", "move over", "move folder over"),
}
"""What is tried if there is little time."""
ALL = [(mount, name) for mount in MOUNTS for name in (CHANGES if LONG else SMALL[mount])]
STEPS = {
    ("filesystem", "replace large"): {"open", "write", "fsync", "setxattr", "rename", "unlink"},
    ("filesystem", "move over"): {"rename"},
    ("filesystem", "copy folder"): {"mkdir", "open", "renameat2", "unlink"},
    ("filesystem", "delete folder"): {"unlink", "rmdir"},
    ("filesystem", "move folder over"): {"write", "renameat2", "rename", "unlink", "rmdir"},
    ("filesystem", "copy folder over"): {"mkdir", "open", "renameat2", "unlink", "rmdir"},
    ("osfstorage", "create"): {"open", "renameat2", "sql BEGIN", "sql INSERT", "sql COMMIT"},
    ("osfstorage", "move over"): {"sql UPDATE", "sql COMMIT"},
    ("osfstorage", "move folder over"): {"sql UPDATE", "sql COMMIT"},
}
"""Steps that changes take on Linux, if steps are noticed at all."""


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forked]:
    """One data folder for all tests of a worker: it gets older and older."""
    folder = tmp_path_factory.mktemp("crashes")
    with Forked(folder / "data", folder) as servers:
        servers.start()
        yield servers


@pytest.mark.parametrize(("mount", "name"), ALL)
def test_a_change_is_done_or_not_done(forked, mount, name):
    """What dies with the server leaves no temporary file behind, once it is there again."""
    change = CHANGES[name]
    steps, after = all_steps(forked, mount, name, change)
    if sys.platform == "linux":
        assert STEPS.get((mount, name), set()) <= set(steps)
    expected: dict[str, State] = {}
    for step in chosen(steps):
        top = f"/{name} {step}/"
        expected[top] = die_at(forked, mount, change, top, step, after)
    client = forked.client(mount)
    for top, state in expected.items():
        assert relative(client, top) == state, "what was there is not there any more"
    assert hidden_files(forked.data / "files") == []
    assert hidden_files(forked.data / "blobs") == []


def chosen(steps: list[str]) -> list[int]:
    """The steps, counted from 1, that are the last one."""
    if LONG:
        return list(range(1, len(steps) + 1))
    last = {name: number for number, name in enumerate(steps, 1) if name in TELLING}
    return sorted(last.values())


def all_steps(forked: Forked, mount: str, name: str, change: Change) -> tuple[list[str], State]:
    """The steps of a change that goes well, and what is there then."""
    client, top = forked.client(mount), f"/{name}/"
    request = change.prepared(client, top)
    with forked.dying_at(NEVER):
        reply = request()
    assert reply is not None
    assert reply[0] < 300, reply
    return forked.steps, relative(client, top)


def die_at(forked: Forked, mount: str, change: Change, top: str, step: int, after: State) -> State:
    """Let the server die in the middle of a change; gives what is there when it is up again."""
    client = forked.client(mount)
    request = change.prepared(client, top)
    before = relative(client, top)
    with forked.dying_at(step):
        reply = request()
    if reply is None:
        forked.wait()
        forked.start()
    now = relative(forked.client(mount), top)
    assert change.allows(before, after, now), f"before step {step} of {forked.steps}: {now.keys()}"
    return now


def test_what_an_upload_stored_for_nothing_is_removed_or_told(forked, capsys):
    """An object without its name goes by itself; one that no version names is listed."""
    steps, _ = all_steps(forked, "osfstorage", "blobs", new_blob(0))
    blobs = forked.data / "blobs"
    pending, idle = set(), set()
    last = len(steps) + STEPS_OF_A_LEASE
    for step in range(steps.index("link") + 1, last, 1 if LONG else 2):
        top, change = f"/blobs {step}/", new_blob(step)
        there = set(os.listdir(blobs))
        now = die_at(forked, "osfstorage", change, top, step, {"new": blob(step)})
        new = set(os.listdir(blobs)) - there
        pending |= set(pending_blobs(list(new)))
        if not now:
            idle |= new - pending
    assert pending
    assert idle
    assert idle <= idle_blobs(forked, capsys)
    for name in pending:
        age = (blobs / name).stat().st_mtime - TWO_HOURS
        os.utime(blobs / name, (age, age))
    forked.kill()
    forked.start()
    assert pending.isdisjoint(os.listdir(blobs))


def blob(number: int) -> bytes:
    return content(1000 + number, 500)


def new_blob(number: int) -> Change:
    """An upload of something that is not stored yet."""
    return Change(nothing, create("new", blob(number)))


def idle_blobs(forked: Forked, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """What the command says that nothing needs."""
    capsys.readouterr()
    assert command(["host", "blobs", "--data", str(forked.data)]) == 0
    return set(re.findall(r"[0-9a-f]{64}", capsys.readouterr().out))
