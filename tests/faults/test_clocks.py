"""A clock that jumps: nothing is lost, nobody is let in who should not be, and work goes on."""

import hashlib
import http.client
import importlib.util
import json
import os
from pathlib import Path

import pytest

from tests.faults.client import Client
from tests.faults.conftest import LONG_FORM
from tests.running import start_server

HOUR, DAY = 3600, 86400
JUMPS = (DAY, -2 * HOUR, 400 * DAY, -DAY, 0) if LONG_FORM else (DAY, -DAY)
CONTENT = b"some content" * 20_000


class Clock:
    """What the server takes for the time: the real one, and some seconds."""

    def __init__(self, folder):
        self._file = folder / "clock"
        self.set(0)

    def set(self, seconds):
        temporary = self._file.with_suffix(".new")
        temporary.write_text(f"{seconds:+d}")
        temporary.rename(self._file)

    @property
    def environment(self):
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


def library() -> Path:
    """What programs ask for the time instead of the system."""
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        pytest.skip("libfaketime is not installed")
    program = Path(found.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    if not program.exists() or os.uname().sysname != "Linux":
        pytest.skip("libfaketime is not for this system")
    return program


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A server, and its clock."""
    folder = tmp_path_factory.mktemp("clocks")
    clock = Clock(folder)
    with start_server(folder / "data", environment=clock.environment) as server:
        yield Client(server), clock
        assert server.stop() == 0
        assert "Traceback" not in "".join(server.log)


@pytest.fixture
def clock(running):
    """The server's clock, which is right again afterwards."""
    yield running[1]
    running[1].set(0)


@pytest.fixture
def client(running):
    return running[0]


def works(client, name):
    """Everything that an upload, a download and a listing need does its work."""
    for mount in ("filesystem", "osfstorage"):
        made = client.put(mount, name, CONTENT)
        assert made.status == 201, made
        reply = client.ask("GET", client.at(mount, made.path))
        assert (reply.status, reply.body) == (200, CONTENT)
        about = client.ask("GET", client.at(mount, made.path) + "?meta=")
        digest = about.json["data"]["attributes"]["extra"]["hashes"].get("sha256")
        assert digest in {None, hashlib.sha256(CONTENT).hexdigest()}
        same = client.ask(
            "GET", client.at(mount, made.path), None, {"If-None-Match": reply.headers["ETag"]}
        )
        assert same.status == 304
        assert name in client.list(mount).names
        gone = client.ask("PUT", client.at(mount, made.path), b"other")
        assert gone.status == 200
        assert client.ask("GET", client.at(mount, made.path)).body == b"other"


def test_everything_goes_on(client, clock):
    """Whichever way the clock goes, and how far."""
    for number, jump in enumerate(JUMPS):
        clock.set(jump)
        works(client, f"file-{number}")


def test_an_upload_in_the_middle(client, clock):
    """A jump neither breaks it off nor lets anybody clean up after it."""
    for mount in ("filesystem", "osfstorage"):
        for jump in (2 * DAY, -2 * DAY):
            clock.set(0)
            connection = http.client.HTTPConnection(
                client.address.hostname, client.address.port, timeout=60
            )
            target = client.at(mount, f"/?kind=file&name=at{jump}")
            connection.putrequest("PUT", target)
            connection.putheader("Authorization", f"Bearer {client.server.token}")
            connection.putheader("Content-Length", str(2 * len(CONTENT)))
            connection.endheaders(CONTENT)
            clock.set(jump)
            assert client.put(mount, f"beside{jump}", b"beside").status == 201
            connection.send(CONTENT)
            reply = connection.getresponse()
            path = json.loads(reply.read())["data"]["attributes"]["path"]
            connection.close()
            assert reply.status == 201
            assert client.ask("GET", client.at(mount, path)).body == CONTENT * 2


def test_sessions(client, clock):
    """A session is over when its time is over, and one from the future is a session."""

    def asks(token):
        return client.ask("GET", "/v2/gateway_metadata/nothing", token=token).status

    def refresh(session):
        document = {"gateway.auth.refresh.token": session["gateway.auth.refresh.token"]}
        return client.ask("POST", "/v2/gateway_auth_access", json.dumps(document))

    session = client.sign_in().json
    token = session["gateway.auth.access.token"]
    assert asks(token) == 404
    clock.set(2 * HOUR)
    assert asks(token) == 401
    renewed = refresh(session)
    assert renewed.status == 200
    later = renewed.json["gateway.auth.access.token"]
    assert asks(later) == 404
    clock.set(-DAY)
    assert asks(later) == 404
    assert client.sign_in().status == 200
    clock.set(40 * DAY)
    assert asks(later) == 401
    assert refresh(renewed.json).status == 403
    assert client.sign_in().status == 200
