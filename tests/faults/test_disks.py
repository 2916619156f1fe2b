"""Disks that are full or cannot be written to: the storage's, and the server's own."""

import json
import subprocess
import sys

import pytest

from tests.faults.client import Client
from tests.faults.disks import disk, full, read_only
from tests.running import start_server

MIB = 1 << 20
OLD, NEW = b"old" * 10_000, bytes(range(256)) * 8192


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A server whose data folder, and the folder of its files in it, are small disks."""
    data = tmp_path_factory.mktemp("disks") / "data"
    with disk(data, 16 * MIB), disk(data / "files", 4 * MIB), start_server(data) as server:
        yield Client(server)
        assert server.stop() == 0
        assert "Traceback" not in "".join(server.log)


@pytest.fixture
def client(running):
    """The same, empty again afterwards."""
    yield running
    for mount in ("filesystem", "osfstorage"):
        everything = running.at(mount, "/?confirm_delete=1")
        assert running.ask("DELETE", everything).status == 204


def chunks(data):
    for start in range(0, len(data), 1 << 16):
        yield data[start : start + (1 << 16)]


def left_over(client):
    """Files that no client can see."""
    found = client.server.data.rglob("*")
    return [it.name for it in found if ".waterbutler-" in it.name or len(it.name) == 36]


def holds(client, mount, files):
    """Whether a storage has exactly these files, as its clients see it."""
    found = {}
    for item in client.list(mount).json["data"]:
        path = item["attributes"]["path"]
        found[item["attributes"]["name"]] = client.ask("GET", client.at(mount, path)).body
    return found == files


def test_a_full_storage(client):
    """It is said that there is no room, what was there stays, and everything else works."""
    first = client.put("filesystem", "a", OLD).path
    assert client.put("filesystem", "b", OLD).status == 201
    with full(client.server.data / "files"):
        for attempt in (
            client.put("filesystem", "new", NEW),
            client.put("filesystem", "new", chunks(NEW)),
            client.put("filesystem", "new", b"small"),
            client.ask("PUT", client.at("filesystem", first), NEW),
            client.ask("PUT", client.at("filesystem", first), chunks(NEW)),
            client.ask(
                "POST",
                client.at("filesystem", first),
                json.dumps({"action": "copy", "path": "/", "rename": "copy"}),
            ),
        ):
            assert attempt.status == 507, attempt
            assert attempt.json["code"] == 507
        assert (client.server.data / "files" / "a").read_bytes() == OLD
        assert client.list("filesystem").names >= {"a", "b"}
        assert not client.list("filesystem").names & {"new", "copy"}
        assert client.ask("DELETE", client.at("filesystem", "/b")).status == 204
    assert client.ask("PUT", client.at("filesystem", first), NEW).status == 200
    assert holds(client, "filesystem", {"a": NEW})
    assert left_over(client) == []


def test_a_storage_that_cannot_be_written_to(client):
    """It is said that it does not allow it; reading goes on."""
    assert client.put("filesystem", "a", OLD).status == 201
    with read_only(client.server.data / "files"):
        rename = json.dumps({"action": "rename", "rename": "b"})
        for attempt in (
            client.put("filesystem", "new", b"small"),
            client.put("filesystem", "new", NEW),
            client.ask("PUT", client.at("filesystem", "/a"), NEW),
            client.ask("DELETE", client.at("filesystem", "/a")),
            client.ask("POST", client.at("filesystem", "/a"), rename),
            client.ask("PUT", client.at("filesystem", "/?kind=folder&name=new")),
        ):
            assert attempt.status == 403, attempt
        assert holds(client, "filesystem", {"a": OLD})
        assert client.ask("GET", client.at("filesystem", "/?zip=")).status == 200
    assert client.ask("DELETE", client.at("filesystem", "/a")).status == 204
    assert holds(client, "filesystem", {})


def test_a_server_whose_own_disk_is_full(client):
    """Everything of the server's own is refused in words, and what is elsewhere works."""
    file = client.put("osfstorage", "a", OLD).path
    token = client.sign_in().json["gateway.auth.access.token"]
    assert client.put("filesystem", "a", OLD).status == 201
    with full(client.server.data):
        for attempt in (
            client.put("osfstorage", "new", NEW),
            client.put("osfstorage", "new", chunks(NEW)),
            client.ask("PUT", client.at("osfstorage", file), NEW),
        ):
            assert attempt.status == 507, attempt
        for attempt in (
            *(client.sign_in() for _ in range(40)),
            *(client.put("osfstorage", f"f{n}", b"tiny", folder="/") for n in range(10)),
            client.ask("PUT", client.at("osfstorage", "/?kind=folder&name=new")),
            client.ask("DELETE", client.at("osfstorage", file)),
        ):
            assert attempt.status in {200, 201, 204, 503, 507}, attempt
        assert client.put("filesystem", "b", OLD).status == 201
        assert client.ask("GET", client.at("filesystem", "/a")).body == OLD
        assert client.ask("GET", "/v2/gateway_metadata/x", token=token).status == 404
        assert client.list("osfstorage").status == 200
        assert client.ask("GET", "/status").status == 200
    again = client.put("osfstorage", "after", NEW)
    assert again.status == 201
    assert client.ask("GET", client.at("osfstorage", again.path)).body == NEW
    assert client.sign_in().status == 200
    assert left_over(client) == []


@pytest.mark.parametrize("trouble", [full, read_only])
def test_a_server_that_cannot_begin(tmp_path, trouble):
    """It says why in a sentence, or begins all the same and says later what it cannot do."""
    with disk(tmp_path / "data", MIB) as data, trouble(data):
        command = [sys.executable, "-m", "waterbutler", "serve", "--data", str(data), "--port", "0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert str(data) in done.stderr
    assert "Traceback" not in done.stderr
