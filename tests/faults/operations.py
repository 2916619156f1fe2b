"""What is done to storages while something goes wrong, and what must be true whatever happened."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from tests.faults.world import PREFIX, SECRET_KEY, TOKEN, World
from tests.harness import Reply

Tree = dict[str, bytes]
"""Files, and folders with a slash at the end and nothing in them, by their paths."""

OUT_OF_ORDER = frozenset({429, 502, 503, 504})
"""The answers that say that the storage is to blame, and that nobody knows more."""

OLD = b"old content " * 1000
NEW = bytes(range(256)) * 900
LARGE = hashlib.sha256(b"large").digest() * ((5 << 20) // 32 + 4000)
"""More than a part of an upload in parts."""


@dataclass
class Room:
    """The folder of an operation in a storage.

    Attributes:
        there: The same in the other storage, for operations between two.
    """

    world: World
    mount: str
    path: str
    wire: dict[str, str] = field(default_factory=dict)
    there: Room | None = None

    @property
    def base(self) -> str:
        return f"{PREFIX}/{self.mount}"

    def at(self, name: str) -> str:
        """The URL of something in the folder; of the folder for an empty name."""
        return self.base + quote(self.wire[name])

    async def ask(self, method: str, target: str, body: bytes | None = None, **headers) -> Reply:
        return await self.world.request(method, target, headers, body)

    async def post(self, name: str, document: object) -> Reply:
        return await self.ask("POST", self.at(name), json.dumps(document).encode())

    async def fill(self, tree: Tree) -> None:
        """Make the folder with what is in it."""
        await self._make("folder", PREFIX + f"/{self.mount}/", self.path, "", None)
        for path, data in tree.items():
            folder, _, name = path.rstrip("/").rpartition("/")
            kind = "folder" if path.endswith("/") else "file"
            above = self.at(f"{folder}/" if folder else "")
            await self._make(kind, above, name, path, None if kind == "folder" else data)

    async def snapshot(self) -> Tree:
        """What is in the folder, as anybody sees it."""
        return await self._below(self.wire[""], "")

    async def _make(self, kind: str, above: str, name: str, path: str, data: bytes | None) -> None:
        target = f"{above}?kind={kind}&name={quote(name)}"
        reply = await self.ask("PUT", target, data or b"")
        assert reply.status == 201, reply.body
        self.wire[path] = reply.data["attributes"]["path"]

    async def _below(self, wire: str, where: str) -> Tree:
        reply = await self._see(wire)
        found: Tree = {}
        for item in reply.data:
            about = item["attributes"]
            path = where + about["name"]
            if about["kind"] == "folder":
                found[f"{path}/"] = b""
                found |= await self._below(about["path"], f"{path}/")
            else:
                found[path] = (await self._see(about["path"])).body
        return found

    async def _see(self, wire: str) -> Reply:
        """What is there; a machine that has much to do may be too slow for a short patience."""
        for _ in range(5):
            reply = await self.ask("GET", self.base + quote(wire))
            if reply.status not in OUT_OF_ORDER:
                break
        assert reply.status == 200, reply.body
        return reply


Run = Callable[[Room], Awaitable[Reply]]
Shows = Callable[[Room, Reply], None]


@dataclass(frozen=True)
class Operation:
    """Something that is done.

    Attributes:
        had: What is there before.
        then: What is there when it is done.
        run: Does it.
        shows: Checks what a success says.
        there: Whether the other storage is concerned: its names begin with ``>``.
    """

    name: str
    had: Tree
    then: Tree
    run: Run
    shows: Shows = lambda _room, _reply: None
    there: bool = False
    heavy: bool = False

    async def prepare(self, world: World, mount: str, other: str) -> Room:
        room = Room(world, mount, self.name)
        mine = {path: data for path, data in self.had.items() if path[0] != ">"}
        await room.fill(mine)
        if self.there:
            room.there = Room(world, other, f"{self.name} of {mount}")
            theirs = {path[1:]: data for path, data in self.had.items() if path[0] == ">"}
            await room.there.fill(theirs)
        return room

    async def look(self, room: Room) -> Tree:
        """What is there now, in both storages."""
        found = await room.snapshot()
        if room.there is not None:
            found |= {f">{path}": data for path, data in (await room.there.snapshot()).items()}
        return found


def judge(operation: Operation, room: Room, reply: Reply | None, after: Tree) -> bool:
    """The one property; says whether the operation succeeded.

    A success is a true one. What is no success says so, with a status that blames the storage and
    an error in JSON, or is seen to be cut. Whatever was answered, everything is as it was or as it
    should become, one by one, and no content is gone that should still be somewhere.
    """
    about = f"{operation.name} on {room.mount}: {reply and (reply.status, reply.body[:300])}"
    for path in operation.had.keys() | operation.then.keys() | after.keys():
        states = {operation.had.get(path), operation.then.get(path)}
        assert after.get(path) in states, f"{about}\n{path} is {str(after.get(path))[:80]}"
    kept = set(operation.had.values()) & set(operation.then.values())
    assert kept <= set(after.values()), f"{about}\nsomething is lost: {after.keys()}"
    if reply is None or not reply.whole:
        return False
    assert TOKEN.encode() not in reply.body
    assert SECRET_KEY.encode() not in reply.body
    assert b"Signature" not in reply.body
    if reply.status >= 300:
        assert reply.status in OUT_OF_ORDER, about
        assert operation.name == "head" or reply.message, about
        return False
    operation.shows(room, reply)
    assert after == operation.then, f"{about}\n{after.keys()}"
    return True


async def attempt(operation: Operation, room: Room) -> Reply | None:
    """The answer; ``None`` if the connection broke before it had begun."""
    try:
        return await operation.run(room)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


# -- the operations --------------------------------------------------------------------------------

TREE = {"sub/": b"", "sub/a": OLD, "sub/b": NEW, "other": b"other"}


def _equals(data: bytes) -> Shows:
    def shows(_room: Room, reply: Reply) -> None:
        assert reply.body == data

    return shows


def _stored(data: bytes) -> Shows:
    def shows(_room: Room, reply: Reply) -> None:
        assert reply.data["attributes"]["size"] == len(data)

    return shows


def _lists(_room: Room, reply: Reply) -> None:
    assert {item["attributes"]["name"] for item in reply.data} == {"sub", "other"}


def _packs(_room: Room, reply: Reply) -> None:
    with zipfile.ZipFile(io.BytesIO(reply.body)) as packed:
        found = {name: packed.read(name) for name in packed.namelist()}
    assert found == {path: data for path, data in TREE.items() if not path.endswith("/")}


def _reading(name: str, had: Tree, run: Run, shows: Shows) -> Operation:
    return Operation(name, had, had, run, shows)


def _legacy(room: Room, what: str, **query: str) -> str:
    return f"/{what}?" + urlencode({"nid": "guid0", "provider": room.mount, **query})


def _carry(room: Room, action: str) -> dict[str, str]:
    assert room.there is not None
    return {"action": action, "path": room.there.wire[""], "provider": room.there.mount}


def _move_within(room: Room) -> dict[str, str]:
    return {"action": "move", "path": room.wire["sub/"], "conflict": "replace"}


OPERATIONS = [
    _reading("describe", {"f": OLD}, lambda r: r.ask("GET", r.at("f") + "?meta="), _stored(OLD)),
    _reading("head", {"f": OLD}, lambda r: r.ask("HEAD", r.at("f")), lambda _r, _reply: None),
    _reading("list", TREE, lambda r: r.ask("GET", r.at("")), _lists),
    _reading("read", {"f": NEW}, lambda r: r.ask("GET", r.at("f")), _equals(NEW)),
    _reading(
        "read a part",
        {"f": NEW},
        lambda r: r.ask("GET", r.at("f"), Range="bytes=100000-200000"),
        _equals(NEW[100000:200001]),
    ),
    _reading("zip", TREE, lambda r: r.ask("GET", r.at("") + "?zip="), _packs),
    _reading(
        "versions",
        {"f": OLD},
        lambda r: r.ask("GET", r.at("f") + "?versions="),
        lambda _room, reply: list(reply.data),
    ),
    _reading(
        "read by version 0",
        {"f": NEW},
        lambda r: r.ask("GET", _legacy(r, "file", path=r.wire["f"])),
        _equals(NEW),
    ),
    Operation(
        "write",
        {"other": b"other"},
        {"other": b"other", "f": NEW},
        lambda r: r.ask("PUT", r.at("") + "?kind=file&name=f", NEW),
        _stored(NEW),
    ),
    Operation(
        "replace",
        {"f": OLD},
        {"f": NEW},
        lambda r: r.ask("PUT", r.at("f") + "?kind=file", NEW),
        _stored(NEW),
    ),
    Operation(
        "replace with much",
        {"f": OLD},
        {"f": LARGE},
        lambda r: r.ask("PUT", r.at("f") + "?kind=file", LARGE),
        _stored(LARGE),
        heavy=True,
    ),
    Operation(
        "write by version 0",
        {"f": OLD},
        {"f": NEW},
        lambda r: r.ask("PUT", _legacy(r, "file", path=r.wire[""] + "f"), NEW),
    ),
    Operation(
        "delete",
        TREE,
        {k: v for k, v in TREE.items() if k != "other"},
        lambda r: r.ask("DELETE", r.at("other")),
    ),
    Operation(
        "delete a folder", TREE, {"other": b"other"}, lambda r: r.ask("DELETE", r.at("sub/"))
    ),
    Operation(
        "make a folder",
        {},
        {"new/": b""},
        lambda r: r.ask("PUT", r.at("") + "?kind=folder&name=new", b""),
    ),
    Operation(
        "rename",
        {"f": OLD},
        {"g": OLD},
        lambda r: r.post("f", {"action": "rename", "rename": "g"}),
    ),
    Operation(
        "move over another",
        {"f": NEW, "sub/": b"", "sub/f": OLD},
        {"sub/": b"", "sub/f": NEW},
        lambda r: r.post("f", _move_within(r)),
    ),
    Operation(
        "copy",
        {"f": OLD, "sub/": b""},
        {"f": OLD, "sub/": b"", "sub/f": OLD},
        lambda r: r.post("f", {"action": "copy", "path": r.wire["sub/"]}),
    ),
    Operation(
        "move elsewhere",
        {"f": NEW},
        {">f": NEW},
        lambda r: r.post("f", _carry(r, "move")),
        there=True,
    ),
    Operation(
        "copy a folder elsewhere",
        TREE,
        {**TREE, ">sub/": b"", ">sub/a": OLD, ">sub/b": NEW},
        lambda r: r.post("sub/", _carry(r, "copy")),
        there=True,
    ),
]
