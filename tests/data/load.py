"""Somebody who changes files at random and remembers what the server has acknowledged."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from copy import deepcopy
from typing import TypeVar

from tests.data.forked import Client, Request
from tests.data.machine import content
from tests.data.model import Refused, Tree

T = TypeVar("T")

NAMES = ("a", "b.txt", "ü", "d e")
SIZES = (0, 1, 4000, 70_000, 2_000_000)


class User:
    """Works in a folder of its own until the server goes away.

    Args:
        top: The folder.
        seed: Of what it does.
        shares_names: Whether a file and a folder may have the same name.
    """

    def __init__(self, top: str, seed: int, *, shares_names: bool) -> None:
        self.top = top
        self.tree = Tree(shares_names)
        self.acknowledged = 0
        self._asked: Callable[[Tree], object] | None = None
        self._random = random.Random(seed)
        self._thread: threading.Thread | None = None
        self._problem: BaseException | None = None

    def start(self, client: Client) -> None:
        """Begin to work."""
        self._thread = threading.Thread(target=self._work, args=(client,))
        self._thread.start()

    def join(self) -> None:
        """Wait until it has noticed that the server is gone."""
        assert self._thread is not None
        self._thread.join()
        if self._problem is not None:
            raise self._problem

    def check(self, client: Client) -> None:
        """All that was acknowledged is there and whole; what was asked last is done or not."""
        now = {
            path.removeprefix(self.top.rstrip("/")): data
            for path, data in client.state(self.top).items()
        }
        before = deepcopy(self.tree)
        after = deepcopy(self.tree)
        if self._asked is not None:
            self._asked(after)
        states = [state_of(before), state_of(after)]
        # Of a folder that is deleted a part may be left.
        partly = states[1].items() <= now.items() <= states[0].items()
        assert now in states or partly, (sorted(now), sorted(states[0]), sorted(states[1]))
        self.tree = after if now == states[1] else before
        for path in set(states[0]) - set(now) if partly else ():
            self.tree.files.pop(path, None)
            self.tree.folders.discard(path)
        self._asked = None

    def _work(self, client: Client) -> None:
        try:
            while self._step(client):
                pass
        except BaseException as problem:
            self._problem = problem

    def _step(self, client: Client) -> bool:
        """Ask for one thing; false if the server went away."""
        try:
            change, request = self._choose(client)
        except Gone:
            return False
        try:
            change(deepcopy(self.tree))
        except Refused:
            return True
        self._asked = change
        reply = request()
        if reply is None:
            return False
        assert reply[0] < 300, reply
        change(self.tree)
        self._asked = None
        self.acknowledged += 1
        return True

    def _choose(self, client: Client) -> tuple[Callable[[Tree], object], Request]:
        pick = self._random.choice
        files = sorted(self.tree.files)
        folder = pick(sorted(self.tree.folders))
        body = content(self._random.randrange(1000), pick(SIZES))
        kinds = ["create", "create", "folder"]
        kinds += ["replace", "copy", "move", "delete"] if files else []
        kinds += ["clear"] if len(self.tree.folders) > 3 else []
        kind = pick(kinds)
        if kind in {"create", "folder"}:
            end = "/" if kind == "folder" else ""
            path = folder + pick(NAMES) + (" folder/" if end else "")
            target = self._ask(lambda: client.new(self._real(path)))
            if end:
                return lambda tree: tree.make_folder(path), lambda: client.request("PUT", target)
            return lambda tree: tree.create(path, body), lambda: client.request("PUT", target, body)
        if kind == "replace":
            path = pick(files)
            target = self._ask(lambda: client.url(self._real(path)))
            return lambda tree: tree.replace(path, body), lambda: client.request(
                "PUT", target, body
            )
        if kind in {"copy", "move"}:
            at, name = pick(files), pick(NAMES)
            conflict = "replace" if kind == "move" else "warn"
            real = self._real(folder) + name
            request = self._ask(lambda: client.transfer(kind, self._real(at), real, conflict))
            return (
                lambda tree: tree.transfer(at, folder, name, conflict, moving=kind == "move"),
                request,
            )
        path = pick(files) if kind == "delete" else pick(sorted(self.tree.folders - {"/"}))
        target = self._ask(lambda: client.url(self._real(path)))
        return lambda tree: tree.delete(path), lambda: client.request("DELETE", target)

    def _real(self, path: str) -> str:
        return self.top.rstrip("/") + path

    def _ask(self, question: Callable[[], T]) -> T:
        """An answer that is needed to ask for something else."""
        try:
            return question()
        except AssertionError:
            raise Gone from None


class Gone(Exception):
    """The server went away while nothing was changed."""


def state_of(tree: Tree) -> dict[str, bytes | None]:
    """What a client should see."""
    folders = dict.fromkeys(tree.folders - {"/"})
    return {**folders, **{path: tree.content(path) for path in tree.files}}
