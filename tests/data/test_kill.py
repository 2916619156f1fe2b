"""A server that is killed at any moment has kept all that it has acknowledged."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from tests.data.forked import Client, Forked
from tests.data.load import User
from tests.data.size import LONG, rounds
from tests.data.stores import hidden_files
from tests.running import Running, start_server

ROUNDS = rounds(3, 200)
LONGEST = 1.0 if LONG else 0.3
"""Seconds that a server lives at most."""
SEED = int(os.environ.get("LONG_TESTS_SEED") or (time.time_ns() if LONG else 1))
"""Of what is done and when the server is killed; printed, so that it can be done again."""
MOUNTS = {"filesystem": False, "osfstorage": True}
"""Whether a file and a folder may have the same name there."""


class Servers:
    """Starts servers on a folder: of the program itself in the long form, of its copies else."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self._forked = None if LONG else Forked(self.data, folder)
        self._running = ExitStack()
        self._server: Running | None = None

    def __enter__(self) -> Servers:
        if self._forked is not None:
            self._running.enter_context(self._forked)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def start(self) -> Callable[[str], Client]:
        """A new server; gives what makes clients of a mount."""
        if self._forked is not None:
            self._forked.start()
            return self._forked.client
        self._server = self._running.enter_context(start_server(self.data))
        return partial(Client, self._server.url, self._server.token)

    def kill(self) -> None:
        """Kill the server, and wait until it is gone."""
        if self._forked is not None:
            self._forked.kill()
        elif self._server is not None:
            assert self._server.stop(signal.SIGKILL) == -signal.SIGKILL
            self._running.pop_all().close()


def test_what_was_acknowledged_survives(tmp_path):
    """And is whole; what was asked last is done or not done; nothing is left over."""
    sys.stdout.write(f"LONG_TESTS_SEED={SEED}\n")
    chance = random.Random(SEED)
    users = {
        mount: [
            User(f"/user {number}/", chance.randrange(1 << 30), shares_names=shares)
            for number in range(2)
        ]
        for mount, shares in MOUNTS.items()
    }
    with Servers(tmp_path) as servers:
        for number in range(ROUNDS):
            client_of = servers.start()
            if number == 0:
                make_folders(client_of, users)
            check(client_of, users)
            for mount, working in users.items():
                for user in working:
                    user.start(client_of(mount))
            time.sleep(chance.uniform(0.05, LONGEST))
            servers.kill()
            for user in everybody(users):
                user.join()
            assert sum(user.acknowledged for user in everybody(users)) or number < 2
        client_of = servers.start()
        check(client_of, users)
        check_versions(client_of("osfstorage"), users["osfstorage"])
        servers.kill()
        assert hidden_files(servers.data / "files") == []
        with closing(sqlite3.connect(servers.data / "host.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    changes = sum(user.acknowledged for user in everybody(users))
    sys.stdout.write(f"{ROUNDS} rounds, {changes} changes\n")


def everybody(users: dict[str, list[User]]) -> list[User]:
    return [user for working in users.values() for user in working]


def make_folders(client_of: Callable[[str], Client], users: dict[str, list[User]]) -> None:
    for mount, working in users.items():
        for user in working:
            client_of(mount).make(user.top)


def check(client_of: Callable[[str], Client], users: dict[str, list[User]]) -> None:
    for mount, working in users.items():
        for user in working:
            user.check(client_of(mount))


def check_versions(client: Client, users: list[User]) -> None:
    """Every version of every file is there, and is what its hash says."""
    for user in users:
        for path in client.state(user.top):
            if path.endswith("/"):
                continue
            url = client.url(path)
            for version in json.loads(client.do("GET", f"{url}?versions="))["data"]:
                body = client.do("GET", f"{url}?direct=&version={version['id']}")
                hashes = version["attributes"]["extra"]["hashes"]
                assert hashlib.sha256(body).hexdigest() == hashes["sha256"]
