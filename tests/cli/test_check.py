"""``check``: what it proves, and what it leaves behind."""

from pathlib import Path

import pytest


@pytest.fixture
def configured(run):
    """Runs ``check`` with two storages in a configuration file."""
    for name in ("good", "closed"):
        Path(name).mkdir()
    Path("w.toml").write_text(
        f"""
        [resources.r.providers.filesystem]
        settings = {{ folder = "{Path("good").absolute()}" }}
        [resources.r.providers.shut]
        provider = "filesystem"
        read_only = true
        settings = {{ folder = "{Path("closed").absolute()}" }}
        """
    )
    return lambda *args: run("check", "--config", "w.toml", *args)


def test_each_storage_is_a_line(configured):
    result = configured()
    assert result.status == 0
    first, second = result.out.splitlines()
    assert first.startswith("r/filesystem: reachable, writable; capabilities: write, ")
    assert second.startswith("r/shut: reachable, read-only by configuration; ")


def test_nothing_is_left_behind(configured):
    configured()
    assert [*Path("good").iterdir(), *Path("closed").iterdir()] == []


def test_one_storage_can_be_chosen(configured):
    result = configured("r/shut")
    assert [line.split(":")[0] for line in result.out.splitlines()] == ["r/shut"]


def test_a_storage_that_does_not_exist_is_bad_usage(configured):
    result = configured("r/filesystm")
    assert result.status == 2
    assert "did you mean r/filesystem?" in result.err


def test_a_storage_that_fails_is_status_one_and_the_others_are_reported(configured):
    Path("good").rmdir()
    result = configured()
    assert result.status == 1
    first, second = result.out.splitlines()
    assert first.startswith("r/filesystem: not reachable: ")
    assert second.startswith("r/shut: reachable")


def test_an_unknown_provider_fails(run):
    Path("w.toml").write_text('resources.r.providers.p.provider = "filesystm"')
    result = run("check", "--config", "w.toml")
    assert result.status == 1
    assert "filesystem" in result.out


def test_no_storage_at_all_is_fine(run):
    Path("w.toml").write_text("")
    assert run("check", "--config", "w.toml").status == 0


def test_without_a_file_the_set_up_of_a_fresh_start_is_checked(run):
    result = run("check")
    assert result.status == 0
    assert "demo/filesystem: reachable, writable" in result.out
