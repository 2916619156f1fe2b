"""Several workers share the work, also that of clients who come all at once."""

import contextlib
import socket
from urllib.parse import urlsplit

import psutil

from tests.load.support import until, workers_of
from tests.running import start_server

CLIENTS = 60
REQUEST = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"


def connections_of(pid):
    found = psutil.Process(pid).net_connections("tcp")
    return sum(each.status == psutil.CONN_ESTABLISHED for each in found)


async def test_clients_that_come_at_once_are_shared(tmp_path):
    """Or those that stay would all be served by one, and the others had nothing to do."""
    with start_server(tmp_path / "data", "--workers", "2") as server:
        # One of them may be ready before the other.
        await until(lambda: are_shared(server), "a crowd that is shared")


def are_shared(server):
    with contextlib.ExitStack() as stack:
        url = urlsplit(server.url)
        clients = [stack.enter_context(socket.socket()) for _ in range(CLIENTS)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex((url.hostname, url.port))
        for client in clients:
            client.settimeout(10)
            client.sendall(REQUEST)
        for client in clients:
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")
        counts = [connections_of(pid) for pid in workers_of(server)]
    assert sum(counts) >= CLIENTS
    return min(counts) >= CLIENTS // 10
