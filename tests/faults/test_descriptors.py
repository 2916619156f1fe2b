"""A server that has too few file descriptors."""

import http.client
import resource
import socket

import pytest

from tests.faults.client import Client
from tests.faults.world import descriptors
from tests.running import start_server

CROWD = 80


@pytest.fixture
def client(tmp_path):
    with start_server(tmp_path / "data") as server:
        yield Client(server)
        assert server.stop() == 0


def leave(client, count):
    """Let the server open so many descriptors more, and none beyond."""
    process = client.server.process.pid
    most = max(map(int, descriptors(process))) + 1 + count
    resource.prlimit(process, resource.RLIMIT_NOFILE, (most, most))


def crowd(client, count):
    """Connections of clients that say nothing."""
    found = []
    for _ in range(count):
        connection = socket.create_connection((client.address.hostname, client.address.port))
        found.append(connection)
    return found


def ask(connection, client, target):
    connection.request("GET", target, headers={"Authorization": f"Bearer {client.server.token}"})
    reply = connection.getresponse()
    return reply.status, reply.read()


def test_a_crowd(client):
    """Who is connected is answered, and is told if that is impossible; later all are served."""
    assert client.put("filesystem", "a", b"content").status == 201
    assert client.put("osfstorage", "a", b"content").status == 201
    kept = http.client.HTTPConnection(client.address.hostname, client.address.port, timeout=60)
    assert ask(kept, client, "/status")[0] == 200
    leave(client, 20)
    waiting = crowd(client, CROWD)
    try:
        for _ in range(5):
            assert ask(kept, client, "/status")[0] == 200
            status, body = ask(kept, client, client.at("filesystem", "/a"))
            assert (status, body) == (200, b"content") or status == 503
            status, _ = ask(kept, client, client.at("osfstorage", "/"))
            assert status in {200, 503}
        assert client.server.process.poll() is None
    finally:
        for connection in waiting:
            connection.close()
        kept.close()
    assert client.ask("GET", client.at("filesystem", "/a")).body == b"content"
    assert client.put("filesystem", "b", b"content").status == 201
    assert client.list("osfstorage").names == {"a"}
    assert len(client.server.log) < 2000
    assert "Traceback" not in "".join(client.server.log)
