"""The client commands against a real server."""

import json
import os
import sys
import zipfile
from pathlib import Path

import pytest

from waterbutler.cli.main import main
from waterbutler.client import RemoteEntry
from waterbutler.client.files import _part

ODD = "ü #1?%2F&+ a.txt"
"""A name that must be encoded everywhere."""


def tree(root: Path) -> dict[str, bytes | None]:
    """Everything below a folder: contents of files, ``None`` for folders."""
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_bytes()
        for path in sorted(root.rglob("*"))
    }


def make_tree(root: Path) -> None:
    (root / "sub" / "empty").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"a")
    (root / "sub" / ODD).write_bytes(b"odd" * 1000)
    for number in range(10):
        (root / "sub" / f"{number}.bin").write_bytes(os.urandom(1000))


# -- ls ----------------------------------------------------------------------------------------


def test_ls_shows_what_is_in_a_folder_sorted(on_server, folder, place):
    (folder / "b").mkdir()
    (folder / "a.txt").write_text("hello")
    (folder / ODD).touch()
    result = on_server("ls", place)
    assert (result.status, result.out) == (0, f"a.txt\nb/\n{ODD}\n")
    assert on_server("ls", place + "/").out == result.out


def test_ls_long_shows_sizes_and_times(on_server, folder, place):
    (folder / "a.txt").write_text("hello")
    os.utime(folder / "a.txt", (0, 0))
    assert on_server("ls", "-l", place).out == "5  1970-01-01 00:00:00  a.txt\n"


def test_ls_shows_one_file(on_server, folder, place):
    (folder / ODD).write_text("hello")
    (entry,) = json.loads(on_server("ls", "--json", f"{place}/{ODD}").out)
    assert (entry["name"], entry["kind"], entry["size"]) == (ODD, "file", 5)


def test_ls_of_an_empty_folder_shows_nothing(on_server, place):
    result = on_server("ls", place)
    assert (result.status, result.out) == (0, "")
    assert json.loads(on_server("ls", "--json", place).out) == []


@pytest.mark.parametrize("missing", ["nothing", "nothing/", "nothing/below"])
def test_what_is_missing_is_status_one(on_server, place, missing):
    result = on_server("ls", f"{place}/{missing}")
    assert result.status == 1
    assert missing.split("/")[0] in result.err


def test_a_storage_that_is_missing_is_status_one(on_server):
    assert on_server("ls", "demo/nothing").status == 1
    assert on_server("ls", "nothing/filesystem").status == 1


# -- get ---------------------------------------------------------------------------------------


def test_get_downloads_a_file(on_server, folder, place):
    content = os.urandom(3_000_000)
    (folder / ODD).write_bytes(content)
    assert on_server("get", f"{place}/{ODD}").status == 0
    assert tree(Path()) == {ODD: content}


def test_get_downloads_an_empty_file(on_server, folder, place):
    (folder / "e").touch()
    assert on_server("get", f"{place}/e").status == 0
    assert tree(Path()) == {"e": b""}


def test_get_goes_into_a_folder_or_under_a_new_name(on_server, folder, place):
    (folder / "a").write_text("x")
    Path("in").mkdir()
    assert on_server("get", f"{place}/a", "in").status == 0
    assert on_server("get", f"{place}/a", "new").status == 0
    assert tree(Path()) == {"in": None, "in/a": b"x", "new": b"x"}
    assert on_server("get", f"{place}/a", "missing/").status == 2
    assert on_server("get", f"{place}/a", "missing/x").status == 1


def test_get_replaces_unless_told_not_to(on_server, folder, place):
    (folder / "a").write_text("new")
    Path("a").write_text("old")
    assert on_server("get", "-n", f"{place}/a").status == 0
    assert Path("a").read_text() == "old"
    assert on_server("get", f"{place}/a").status == 0
    assert Path("a").read_text() == "new"


def part_of(on_server, place):
    """The name that the part of a download has."""
    (entry,) = json.loads(on_server("ls", "--json", f"{place}/big").out)
    fields = {name: entry[name] for name in ("name", "kind", "path", "materialized", "etag")}
    return _part(Path("big"), RemoteEntry(**fields))


@pytest.mark.parametrize("have", [1, 500_000, 1_000_000])
def test_get_goes_on_where_it_stopped(on_server, server, folder, place, have):
    content = os.urandom(1_000_000)
    (folder / "big").write_bytes(content)
    part_of(on_server, place).write_bytes(content[:have])
    log = server.data.parent / "log"
    before = log.stat().st_size
    assert on_server("get", f"{place}/big").status == 0
    assert tree(Path()) == {"big": content}
    lines = [json.loads(line) for line in log.read_bytes()[before:].splitlines()]
    sent = [line["sent"] for line in lines if line.get("action") == "download"]
    assert sum(sent) == len(content) - have


def test_a_part_of_other_content_is_not_used(on_server, folder, place):
    (folder / "big").write_bytes(b"x" * 1000)
    part_of(on_server, place).write_bytes(b"x" * 500)
    (folder / "big").write_bytes(b"y" * 1000)
    assert on_server("get", f"{place}/big").status == 0
    assert Path("big").read_bytes() == b"y" * 1000


def test_a_part_that_is_damaged_is_found_out_and_removed(on_server, place):
    Path("big").write_bytes(b"x" * 1000)
    assert on_server("put", "big", place + "/").status == 0
    Path("big").unlink()
    part_of(on_server, place).write_bytes(b"?" * 500)
    result = on_server("get", f"{place}/big")
    assert result.status == 1
    assert "hash" in result.err
    assert tree(Path()) == {}


def test_get_writes_to_standard_output(server, folder, place, monkeypatch, capfdbinary):
    monkeypatch.setenv("WATERBUTLER_TOKEN", server.token)
    (folder / "a").write_bytes(b"\x00\xff")
    assert main(["get", "--url", server.url, f"{place}/a", "-"]) == 0
    assert capfdbinary.readouterr().out == b"\x00\xff"


def test_get_of_a_folder_says_what_to_do(on_server, place):
    result = on_server("get", place)
    assert result.status == 2
    assert "-r" in result.err
    assert "zip" in result.err


def test_get_r_downloads_a_tree(on_server, folder, place):
    make_tree(folder)
    assert on_server("get", "-r", place, "copy").status == 0
    assert tree(Path("copy")) == tree(folder)
    assert on_server("get", "-r", place + "/").status == 0
    assert tree(Path(folder.name)) == tree(folder)


def test_get_r_stops_at_the_first_failure(on_server, folder, place):
    make_tree(folder)
    Path("copy").touch()
    result = on_server("get", "-r", place, "copy")
    assert result.status == 1
    assert result.err.count("\n") == 1


# -- put ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--digest",)])
def test_put_uploads_into_a_folder(on_server, folder, place, options):
    content = os.urandom(3_000_000)
    Path(ODD).write_bytes(content)
    assert on_server("put", ODD, place + "/", *options).status == 0
    assert tree(folder) == {ODD: content}


def test_put_uploads_under_a_new_name(on_server, folder, place):
    Path("a").touch()
    assert on_server("put", "a", f"{place}/b").status == 0
    assert tree(folder) == {"b": b""}


def test_put_replaces_unless_told_not_to(on_server, folder, place):
    Path("a").write_text("new")
    (folder / "a").write_text("old")
    result = on_server("put", "-n", "a", place + "/")
    assert result.status == 0
    assert "left as it is" in result.err
    assert (folder / "a").read_text() == "old"
    assert on_server("put", "a", place + "/").status == 0
    assert (folder / "a").read_text() == "new"


def test_put_names_what_is_missing(on_server, place):
    result = on_server("put", "nothing", place + "/")
    assert (result.status, result.err) == (1, "waterbutler: nothing: No such file or directory\n")
    Path("a").touch()
    assert on_server("put", "a", f"{place}/no/such/folder/").status == 1


def test_put_of_a_folder_says_what_to_do(on_server, place):
    Path("d").mkdir()
    result = on_server("put", "d", place + "/")
    assert result.status == 2
    assert "-r" in result.err


def test_put_r_uploads_a_tree_also_twice(on_server, folder, place):
    make_tree(Path("d"))
    for _ in range(2):
        assert on_server("put", "-r", "d", place + "/").status == 0
        assert tree(folder / "d") == tree(Path("d"))
    assert on_server("put", "-r", "d", f"{place}/e").status == 0
    assert tree(folder / "e") == tree(Path("d"))


def test_put_r_leaves_links_to_folders_out(on_server, folder, place):
    make_tree(Path("d"))
    Path("d/loop").symlink_to(".")
    assert on_server("put", "-r", "d", place + "/").status == 0
    assert "loop" not in tree(folder / "d")


def test_put_r_onto_a_file_fails(on_server, folder, place):
    make_tree(Path("d"))
    (folder / "d").touch()
    assert on_server("put", "-r", "d", place + "/").status == 1
    assert (folder / "d").read_bytes() == b""


# -- cp, mv ------------------------------------------------------------------------------------


def test_cp_and_mv_go_into_a_folder_or_under_a_new_name(on_server, folder, place):
    make_tree(folder / "d")
    (folder / ODD).write_text("x")
    expected = tree(folder / "d")
    assert on_server("cp", f"{place}/{ODD}", f"{place}/d/").status == 0
    assert (folder / "d" / ODD).read_text() == "x"
    (folder / "d" / ODD).unlink()
    assert on_server("cp", f"{place}/d", f"{place}/e").status == 0
    assert tree(folder / "e") == tree(folder / "d") == expected
    assert on_server("mv", f"{place}/e/", f"{place}/d/").status == 0
    assert tree(folder / "d" / "e") == expected
    assert not (folder / "e").exists()
    assert on_server("mv", f"{place}/{ODD}", f"{place}/plain").status == 0
    assert (folder / "plain").read_text() == "x"


@pytest.mark.parametrize(
    ("conflict", "status", "expected"),
    [
        ((), 1, {"a": b"a", "b": b"b"}),
        (("--conflict", "warn"), 1, {"a": b"a", "b": b"b"}),
        (("--conflict", "replace"), 0, {"a": b"a", "b": b"a"}),
        (("--conflict", "keep"), 0, {"a": b"a", "b": b"b", "b (1)": b"a"}),
    ],
)
def test_a_taken_name_is_handled_as_asked(on_server, folder, place, conflict, status, expected):
    (folder / "a").write_bytes(b"a")
    (folder / "b").write_bytes(b"b")
    result = on_server("cp", f"{place}/a", f"{place}/b", *conflict)
    assert result.status == status
    assert tree(folder) == expected


def test_cp_of_what_is_missing_fails(on_server, place):
    assert on_server("cp", f"{place}/a", f"{place}/b").status == 1


# -- rm, mkdir, zip ----------------------------------------------------------------------------


def test_rm_deletes_files_and_with_r_folders(on_server, folder, place):
    make_tree(folder / "d")
    (folder / "a").touch()
    assert on_server("rm", f"{place}/a").status == 0
    assert not (folder / "a").exists()
    for address in (f"{place}/d", f"{place}/d/"):
        result = on_server("rm", address)
        assert result.status == 2
        assert "-r" in result.err
    assert (folder / "d").exists()
    assert on_server("rm", "-r", f"{place}/d").status == 0
    assert tree(folder) == {}
    assert on_server("rm", f"{place}/a").status == 1


def test_a_whole_storage_is_emptied_only_when_that_is_said(on_server, folder, place):
    assert on_server("rm", "-r", "demo/filesystem").status == 2
    assert on_server("rm", "--all-contents", place).status == 2
    assert folder.exists()
    assert on_server("rm", "--all-contents", "demo/filesystem").status == 0
    assert on_server("ls", "demo/filesystem").out == ""


def test_mkdir_makes_a_folder(on_server, folder, place):
    assert on_server("mkdir", f"{place}/a").status == 0
    assert on_server("mkdir", f"{place}/a").status == 1
    assert on_server("mkdir", f"{place}/b/c").status == 1
    assert tree(folder) == {"a": None}


def test_mkdir_p_makes_all_that_is_missing(on_server, folder, place):
    for _ in range(2):
        assert on_server("mkdir", "-p", f"{place}/a/b/c").status == 0
    assert tree(folder) == {"a": None, "a/b": None, "a/b/c": None}
    (folder / "f").touch()
    assert on_server("mkdir", "-p", f"{place}/f/x").status == 1


def test_zip_downloads_a_folder_as_an_archive(on_server, folder, place):
    make_tree(folder)
    assert on_server("zip", place).status == 0
    assert on_server("zip", place + "/", "other.zip").status == 0
    with zipfile.ZipFile(f"{folder.name}.zip") as archive:
        assert archive.testzip() is None
        assert archive.read(f"sub/{ODD}") == b"odd" * 1000
    assert set(tree(Path())) == {f"{folder.name}.zip", "other.zip"}


def test_a_failed_archive_leaves_nothing(on_server, place):
    assert on_server("zip", f"{place}/nothing/").status == 1
    assert tree(Path()) == {}


# -- progress ----------------------------------------------------------------------------------


def test_progress_is_shown_on_a_terminal_only_and_can_be_silenced(
    on_server, folder, place, monkeypatch
):
    (folder / "a").write_bytes(bytes(100_000))
    assert on_server("get", f"{place}/a").err == ""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "\x1b" in on_server("get", f"{place}/a").err
    assert on_server("get", "-q", f"{place}/a").err == ""


# -- who and where -----------------------------------------------------------------------------


def test_a_wrong_token_is_status_one_with_a_hint(on_server, monkeypatch, place):
    monkeypatch.setenv("WATERBUTLER_TOKEN", "wrong-hunter2")
    result = on_server("ls", place)
    assert result.status == 1
    assert "WATERBUTLER_TOKEN" in result.err
    assert "hunter2" not in result.err


def test_the_token_of_a_server_that_was_started_here_is_used(run, server, monkeypatch, tmp_path):
    assert run("ls", "demo/filesystem", "--url", server.url).status == 1
    monkeypatch.chdir(tmp_path)
    Path("waterbutler-data").mkdir()
    Path("waterbutler-data/token").write_text(server.token + "\n")
    assert run("ls", "demo/filesystem", "--url", server.url).status == 0


def test_a_server_that_is_not_there_is_status_one(on_server, monkeypatch):
    monkeypatch.delenv("WATERBUTLER_URL")
    result = on_server("ls", "demo/filesystem", "--url", "http://127.0.0.1:1")
    assert result.status == 1
    assert result.err == "waterbutler: 127.0.0.1 cannot be reached: Connection refused.\n"
