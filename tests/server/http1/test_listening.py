"""Listening sockets take one client at a time, so that others get theirs."""

import socket

import pytest

from waterbutler.server.http1.listening import Listening


@pytest.fixture
def plain():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


async def test_one_connection_in_each_turn(plain):
    listening = Listening(plain)
    clients = [socket.create_connection(plain.getsockname()) for _ in range(3)]
    taken = []
    for _ in clients:
        taken.append(listening.accept()[0])
        with pytest.raises(BlockingIOError):
            listening.accept()
    with pytest.raises(BlockingIOError):
        listening.accept()
    peers = {each.getpeername() for each in taken}
    assert peers == {client.getsockname() for client in clients}
    for each in (*clients, *taken):
        each.close()


async def test_nobody_there_is_no_turn(plain):
    listening = Listening(plain)
    with pytest.raises(BlockingIOError):
        listening.accept()
    with socket.create_connection(plain.getsockname()):
        listening.accept()[0].close()
