"""The real program, once for all clients; each test has a folder of its own in it."""

import re

import pytest
import requests

from tests.running import start_server


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """``waterbutler serve`` on a folder of this machine."""
    with start_server(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


@pytest.fixture
def folder(running, request):
    """The URL of a new, empty folder, without a slash at the end."""
    name = re.sub(r"\W+", "-", request.node.name)[:100]
    url = f"{running.files}/?kind=folder&name={name}"
    assert requests.put(url, headers=running.headers, timeout=30).status_code == 201
    return f"{running.files}/{name}"


@pytest.fixture
def stored(running, folder):
    """Where the files of the folder really are."""
    return running.data / "files" / folder.rpartition("/")[2]
