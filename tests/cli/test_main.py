"""The command line itself: help, exit statuses, what is said on errors."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from waterbutler.cli import serving
from waterbutler.cli.arguments import COMMANDS
from waterbutler.core.errors import NotFound
from waterbutler.version import __version__

HEAVY = ("aiohttp", "tornado", "rich", "msgspec", "asyncio", "waterbutler.core")


def test_the_version(run):
    result = run("--version")
    assert (result.status, result.out.strip()) == (0, f"waterbutler {__version__}")


def test_help_names_every_command(run):
    result = run("--help")
    assert result.status == 0
    for command in COMMANDS:
        assert f"    {command}" in result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(run, command):
    result = run(command, "--help")
    assert result.status == 0
    assert f"  waterbutler {command}" in result.out.partition("examples:")[2]


def test_help_waits_for_nothing_heavy():
    code = (
        "import sys; from waterbutler.cli.main import main; main(['--help']);"
        f"sys.exit(any(name in sys.modules for name in {HEAVY!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("ls",),
        ("ls", "demo"),
        ("ls", "demo/filesystem/../x"),
        ("ls", "de-mo/filesystem"),
        ("serve", "--port", "many"),
        ("serve", "--port", "70000"),
        ("serve", "--workers", "0"),
        ("cp", "a/b/c", "a/b/d", "--conflict", "fight"),
        ("ls", "a/b", "--url", "ftp://x"),
        ("ls", "a/b", "--url", "nonsense"),
        ("ls", "a/b", "--url", "http://h:port"),
    ],
)
def test_bad_usage_is_status_two(run, arguments):
    result = run(*arguments)
    assert result.status == 2
    assert result.err


@pytest.mark.parametrize("command", ["serve", "check", "settings"])
@pytest.mark.parametrize("text", ["server.prot = 1", "server.port = ", None])
def test_bad_configuration_is_status_two_and_one_line(run, command, text):
    if text is not None:
        Path("w.toml").write_text(text)
    result = run(command, "--config", "w.toml")
    assert result.status == 2
    assert result.err.startswith("waterbutler: ")
    assert result.err.count("\n") == 1


def test_the_configuration_can_be_named_in_the_environment(run, monkeypatch):
    Path("w.toml").write_text("server.port = 4321")
    monkeypatch.setenv("WATERBUTLER_CONFIG", "w.toml")
    assert "4321" in run("settings").out


def test_an_option_wins_over_the_environment(run, monkeypatch):
    monkeypatch.setenv("WATERBUTLER_CONFIG", "nowhere.toml")
    Path("w.toml").write_text("server.port = 4321")
    assert run("settings", "--config", "w.toml").status == 0


def failing(error):
    def command(args):
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (NotFound("nothing\nthere"), 1, "waterbutler: nothing?there\n"),
        (FileNotFoundError(2, "No such file", "x.txt"), 1, "waterbutler: x.txt: No such file\n"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 1, ""),
        (RuntimeError("odd"), 1, "waterbutler: unexpected RuntimeError: odd\n"),
    ],
)
def test_every_failure_is_at_most_one_line(run, monkeypatch, error, status, line):
    monkeypatch.setattr(serving, "providers", failing(error))
    result = run("providers")
    assert (result.status, result.err) == (status, line)


def test_a_reader_that_leaves_is_not_complained_about():
    command = f"{sys.executable} -m waterbutler settings | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_providers_are_listed(run):
    result = run("providers")
    assert result.status == 0
    assert any(line.startswith("filesystem ") for line in result.out.splitlines())


def test_providers_are_listed_as_json(run):
    documents = json.loads(run("providers", "--json").out)
    found = {document["name"]: document["capabilities"] for document in documents}
    assert found["filesystem"]["write"] is True
    assert isinstance(found["filesystem"]["hashes"], list)


def test_settings_are_shown_without_secrets_and_without_making_anything(run, monkeypatch):
    monkeypatch.setenv("WATERBUTLER_USERS_BOB_TOKEN", "hunter2")
    result = run("settings")
    assert result.status == 0
    assert "hunter2" not in result.out
    assert "WATERBUTLER_USERS_BOB_TOKEN" in result.out
    assert list(Path().iterdir()) == []


def test_settings_are_shown_as_json(run):
    rows = json.loads(run("settings", "--json").out)
    assert {"name": "server.port", "value": "7777", "origin": "default"} in rows


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_generated_token_is_not_shown_to_a_network(run, host):
    result = run("serve", "--host", host, "--port", "0")
    assert result.status == 2
    assert "generated" in result.err


def test_published_secrets_are_not_shown_to_a_network(run):
    Path("w.toml").write_text('server.host = "0.0.0.0"\nusers.a.token = "changeme"')
    result = run("serve", "--config", "w.toml")
    assert result.status == 2
    assert "users.a.token" in result.err
    assert "changeme" not in result.err
