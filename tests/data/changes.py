"""Changes that a server may die in, and what may be there then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.data.forked import Client, Request
from tests.data.machine import content

State = dict[str, bytes | None]
LARGE = content(1, (2 << 20) + 17)
"""Written to a disk in several batches."""
OLD, NEW, THIRD = content(2, 5000), content(3, 7000), content(4, 100)


@dataclass(frozen=True)
class Change:
    """A change, and what may be there if the server dies meanwhile.

    Attributes:
        prepare: Makes what is changed, in a folder.
        request: What changes it.
        partly: Whether a state between before and after is allowed, besides these two.
    """

    prepare: Callable[[Client, str], object]
    request: Callable[[Client, str], Request]
    partly: Callable[[State, State, State], bool] = lambda _before, _after, _now: False

    def prepared(self, client: Client, top: str) -> Request:
        """Make all that is needed in a new folder; gives the request."""
        client.make(top)
        self.prepare(client, top)
        return self.request(client, top)

    def allows(self, before: State, after: State, now: State) -> bool:
        """Whether a state is allowed if the server died meanwhile."""
        return now in (before, after) or self.partly(before, after, now)


def nothing(_client: Client, _top: str) -> None:
    pass


def two_files(client: Client, top: str) -> None:
    client.make(f"{top}a", OLD)
    client.make(f"{top}b", THIRD)


def two_folders(client: Client, top: str) -> None:
    for folder in ("one", "two"):
        client.make(f"{top}{folder}/")
        client.make(f"{top}{folder}/deep/")
        client.make(f"{top}{folder}/deep/{folder}", OLD)
        client.make(f"{top}{folder}/file", THIRD)


def create(name: str, body: bytes | None = None) -> Callable[[Client, str], Request]:
    return lambda client, top: partial(client.request, "PUT", client.new(top + name), body)


def replace(name: str, body: bytes) -> Callable[[Client, str], Request]:
    return lambda client, top: partial(client.request, "PUT", client.url(top + name), body)


def carry(
    action: str, at: str, to: str, conflict: str = "warn"
) -> Callable[[Client, str], Request]:
    return lambda client, top: client.transfer(action, top + at, top + to, conflict)


def remove(name: str) -> Callable[[Client, str], Request]:
    return lambda client, top: partial(client.request, "DELETE", client.url(top + name))


def some_is_gone(before: State, after: State, now: State) -> bool:
    """Of a folder that is deleted a part may be left, as it was."""
    return after.items() <= now.items() <= before.items()


def some_is_there(before: State, after: State, now: State) -> bool:
    """Of a folder that is copied a part may be there, and each file of it is whole."""
    return before.items() <= now.items() <= after.items()


def nothing_is_lost(before: State, after: State, now: State) -> bool:
    """What is moved is where it was, where it goes, or in both places, and always whole."""
    wanted, there = ({data for data in state.values() if data} for state in (after, now))
    return now.items() <= before.items() | after.items() and wanted <= there


def relative(client: Client, top: str) -> State:
    """What is in a folder now."""
    return {path.removeprefix(top): data for path, data in client.state(top).items()}


CHANGES: dict[str, Change] = {
    "create": Change(nothing, create("new", NEW)),
    "create large": Change(nothing, create("new", LARGE)),
    "replace": Change(two_files, replace("a", NEW)),
    "replace large": Change(two_files, replace("a", LARGE)),
    "make folder": Change(nothing, create("folder/")),
    "move": Change(two_files, carry("move", "a", "c")),
    "move over": Change(two_files, carry("move", "a", "b", "replace")),
    "copy": Change(two_files, carry("copy", "a", "c")),
    "copy over": Change(two_files, carry("copy", "a", "b", "replace")),
    "delete": Change(two_files, remove("a")),
    "move folder": Change(two_folders, carry("move", "one/", "two/one/")),
    "move folder over": Change(two_folders, carry("move", "one/", "two/", "replace")),
    "copy folder": Change(two_folders, carry("copy", "one/", "three/")),
    "copy folder over": Change(two_folders, carry("copy", "one/", "two/", "replace")),
    "delete folder": Change(two_folders, remove("one/"), some_is_gone),
}
