"""A real server to talk to, and the command line in this process."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from waterbutler.cli.main import main


@dataclass
class Running:
    """A server in a process of its own."""

    url: str
    token: str
    data: Path
    process: subprocess.Popen

    @property
    def files(self) -> Path:
        return self.data / "files"


def clean_environment() -> dict[str, str]:
    """The environment without what would change a command."""
    root = Path(__file__).parents[2]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WATERBUTLER")}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(root), str(root / "providers")])}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server on a free port; it stops in good order."""
    data = tmp_path_factory.mktemp("server") / "data"
    command = [sys.executable, "-m", "waterbutler", "serve", "--data", str(data), "--port", "0"]
    with (
        (data.parent / "log").open("w") as log,
        subprocess.Popen(
            command, env=clean_environment(), stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        address = process.stdout.readline().split()[-1]
        url, _, token = address.partition("/?token=")
        yield Running(url, token, data, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@dataclass
class Result:
    """What a command did."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs the command line in an empty folder, without an environment of its own."""
    for name in list(os.environ):
        if name.startswith("WATERBUTLER"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def call(*args: str) -> Result:
        status = main(list(args))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Result(status, out, err)

    return call


@pytest.fixture
def on_server(run, server, monkeypatch):
    """Runs a client command for the user ``admin`` of the server."""
    monkeypatch.setenv("WATERBUTLER_TOKEN", server.token)
    monkeypatch.setenv("WATERBUTLER_URL", server.url)
    return run


@pytest.fixture
def folder(server, tmp_path) -> Path:
    """A new folder of the server, as it is on the disk."""
    folder = server.files / tmp_path.name
    folder.mkdir()
    return folder


@pytest.fixture
def place(folder) -> str:
    """The address of `folder`."""
    return f"demo/filesystem/{folder.name}"
