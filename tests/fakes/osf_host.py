"""An OSF-like host in memory that speaks the wire contract over real HTTP and records each call.

It holds no code of the server under test but the envelope and the signatures, whose vectors have
tests of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from tornado import httpserver, web
from tornado.netutil import bind_sockets

from waterbutler.auth.envelope import EnvelopeKeys, open_sealed, seal
from waterbutler.auth.signing import verify
from waterbutler.core.errors import WaterButlerError

KEYS = EnvelopeKeys.derive(jwe_secret="jwe secret", jwe_salt="jwe salt", jwt_secret="jwt secret")
HMAC_SECRET = "hmac secret"
USER = {"id": "usr01", "email": "usr01@osf.io", "name": "User One"}


@dataclass
class Call:
    """One request as it came; ``name`` is ``auth``, ``log`` or the number of the hook."""

    name: str
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    said: dict[str, Any]
    """The opened token, or the verified payload."""
    time: float = field(default_factory=time.time)


@dataclass
class Trouble:
    """What a call gets instead of an answer."""

    status: int = 500
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    seconds: float = 0
    after: bool = False
    """Do what was asked for, and only then fail."""


@dataclass
class FakeNode:
    name: str
    folder: bool
    resource: str
    parent: str | None
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    versions: list[dict[str, Any]] = field(default_factory=list)
    checkout: str | None = None
    trashed: bool = False


class Refused(Exception):
    def __init__(self, status: int, text: str = "no") -> None:
        super().__init__(text)
        self.status = status


class FakeHost:
    """The host; `start` it in the loop of the test.

    Attributes:
        storage: Settings of the blob store in the answers about ``osfstorage``.
        answer: Changes the answer to an auth call, or raises `Refused`; gets the token's data.
        over_quota: What the quota says; a list is used up one by one, ``None`` means 202.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.nodes: dict[str, FakeNode] = {}
        self.roots: dict[str, str] = {}
        self.storage: dict[str, Any] = {}
        self.storage_credentials: dict[str, Any] = {}
        self.answer: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]] = lambda _, it: it
        self.over_quota: list[bool | None] | bool | None = False
        self.troubles: dict[str, list[Trouble]] = {}
        self.seen: dict[tuple[str, str], bool] = {}

    async def start(self) -> FakeHost:
        (listening,) = bind_sockets(0, "127.0.0.1", family=socket.AF_INET)
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.server = httpserver.HTTPServer(web.Application([(r".*", _Handler, {"host": self})]))
        self.server.add_sockets([listening])
        return self

    async def stop(self) -> None:
        self.server.stop()
        await self.server.close_all_connections()

    # -- for tests -----------------------------------------------------------------------------

    @property
    def auth_url(self) -> str:
        return f"{self.url}/api/v1/files/auth/"

    def base(self, resource: str) -> str:
        return f"{self.url}/api/v1/{resource}/osfstorage/"

    @property
    def names(self) -> list[str]:
        """The names of the calls so far, in order, without callbacks."""
        return [call.name for call in self.calls if call.name != "log"]

    @property
    def logs(self) -> list[dict[str, Any]]:
        return [call.said for call in self.calls if call.name == "log"]

    def last(self, name: str) -> Call:
        return [call for call in self.calls if call.name == name][-1]

    def trouble(self, name: str, **kwargs: Any) -> None:
        """Let the next calls of this name go wrong."""
        self.troubles.setdefault(name, []).append(Trouble(**kwargs))

    def root(self, resource: str) -> FakeNode:
        if resource not in self.roots:
            node = self._add(FakeNode("", True, resource, None))
            self.roots[resource] = node.id
        return self.nodes[self.roots[resource]]

    def find(self, resource: str, path: str) -> FakeNode | None:
        """The live node at a materialized path."""
        node: FakeNode | None = self.root(resource)
        names = [name for name in path.split("/") if name]
        for depth, name in enumerate(names, 1):
            folder = depth < len(names) or path.endswith("/")
            node = node and self.child(node.id, name, folder)
        return node

    def child(self, parent: str, name: str, folder: bool) -> FakeNode | None:
        for node in self.children(parent):
            if node.name == name and node.folder == folder:
                return node
        return None

    def children(self, parent: str) -> list[FakeNode]:
        return [it for it in self.nodes.values() if it.parent == parent and not it.trashed]

    def make(self, resource: str, path: str, *versions: dict[str, Any]) -> FakeNode:
        """A file with versions, or a folder, with the folders above it."""
        parent = self.root(resource)
        names = [name for name in path.split("/") if name]
        for depth, name in enumerate(names, 1):
            folder = depth < len(names) or path.endswith("/")
            parent = self.child(parent.id, name, folder) or self._add(
                FakeNode(name, folder, resource, parent.id)
            )
        parent.versions.extend(versions)
        return parent

    # -- what calls do -------------------------------------------------------------------------

    def settings(self, resource: str) -> dict[str, Any]:
        return {
            "storage": self.storage,
            "nid": resource,
            "rootId": self.root(resource).id,
            "baseUrl": self.base(resource),
        }

    def authorize(self, data: dict[str, Any]) -> dict[str, Any]:
        nid = data["nid"]
        osfstorage = data["provider"] == "osfstorage"
        answer = {
            "auth": dict(USER),
            "settings": self.settings(nid) if osfstorage else {},
            "credentials": {"storage": self.storage_credentials} if osfstorage else {},
            "callback_url": f"{self.url}/api/v1/project/{nid}/waterbutler/logs/",
        }
        return self.answer(data, answer)

    def get(self, resource: str, id: str, *, folder: bool | None = None) -> FakeNode:
        node = self.root(resource) if id == "" else self.nodes.get(id)
        if node is None or node.trashed or node.resource != resource:
            raise Refused(404, "Resource not found")
        if folder is not None and node.folder is not folder:
            raise Refused(400, "incorrect type")
        return node

    def item(self, node: FakeNode) -> dict[str, Any]:
        if node.folder:
            return {
                "id": node.id,
                "path": f"/{node.id}/",
                "name": node.name,
                "kind": "folder",
            }
        newest = node.versions[-1] if node.versions else {}
        return {
            "id": node.id,
            "path": f"/{node.id}",
            "name": node.name,
            "kind": "file",
            "size": newest.get("size"),
            "contentType": newest.get("contentType"),
            "version": len(node.versions),
            "downloads": 0,
            "checkout": node.checkout,
            "md5": newest.get("md5"),
            "sha256": newest.get("sha256"),
            "created": node.versions[0]["date"] if node.versions else None,
            "modified": newest.get("date"),
        }

    def lineage(self, node: FakeNode) -> list[FakeNode]:
        line = [node]
        while line[-1].parent is not None:
            line.append(self.nodes[line[-1].parent])
        return line

    def full_path(self, node: FakeNode) -> str:
        names = [it.name for it in reversed(self.lineage(node))]
        return "/".join(names) + ("/" if node.folder else "")

    def below(self, node: FakeNode) -> Iterator[FakeNode]:
        yield node
        for child in self.children(node.id):
            yield from self.below(child)

    def record(self, resource: str, parent: FakeNode, said: dict[str, Any]) -> tuple[int, Any]:
        for key in ("metadata", "hashes", "settings", "worker", "name", "user"):
            if key not in said:
                raise Refused(400, f"{key} is missing")
        if "/" in said["name"]:
            raise Refused(400, "bad name")
        node = self.child(parent.id, said["name"], False)
        status = 200 if node else 201
        node = node or self._add(FakeNode(said["name"], False, resource, parent.id))
        if node.checkout not in (None, said["user"]):
            raise Refused(403, "This file is checked out by someone else.")
        metadata = said["metadata"]
        moment = time.gmtime()
        version = {
            "object": metadata["name"],
            "service": metadata["provider"],
            "settings": said["settings"],
            "size": metadata["size"],
            "contentType": metadata["contentType"],
            "date": time.strftime("%Y-%m-%dT%H:%M:%S", moment) + ".123456+00:00",
            "id": secrets.token_hex(12),
            **said["hashes"],
        }
        if not node.versions or node.versions[-1]["object"] != version["object"]:
            node.versions.append(version)
        data = {"status": "success", "archive": True, "data": self.item(node)}
        return status, {**data, "version": node.versions[-1]["id"]}

    def make_folder(self, resource: str, parent: FakeNode, said: dict[str, Any]) -> Any:
        if "/" in said["name"]:
            raise Refused(400, "bad name")
        if self.child(parent.id, said["name"], True):
            raise Refused(409, "The folder exists")
        node = self._add(FakeNode(said["name"], True, resource, parent.id))
        return {"status": "success", "archive": True, "data": self.item(node), "version": None}

    def transfer(self, resource: str, said: dict[str, Any], *, move: bool) -> FakeNode:
        node = self.get(resource, said["source"])
        to = said["destination"]
        target = self.get(to["node"], to["parent"], folder=True)
        taken = self.child(target.id, to["name"], node.folder)
        if taken is not None and taken is not node:
            raise Refused(409, "The name is taken")
        if move:
            if any(it.checkout for it in self.below(node)):
                raise Refused(405, "The file is checked out")
            node.name, node.parent = to["name"], target.id
            for it in self.below(node):
                it.resource = to["node"]
            return node
        return self._copy(node, to["name"], target.id, to["node"])

    def delete(self, node: FakeNode) -> None:
        if node.parent is None:
            raise Refused(400, "This is the root")
        if any(it.checkout for it in self.below(node)):
            raise Refused(403, "The file is checked out")
        for it in list(self.below(node)):
            it.trashed = True

    def _copy(self, node: FakeNode, name: str, parent: str, resource: str) -> FakeNode:
        children = self.children(node.id)
        copy = self._add(FakeNode(name, node.folder, resource, parent, versions=[*node.versions]))
        for child in children:
            self._copy(child, child.name, copy.id, resource)
        return copy

    def _add(self, node: FakeNode) -> FakeNode:
        self.nodes[node.id] = node
        return node


class _Handler(web.RequestHandler):
    SUPPORTED_METHODS = ("GET", "PUT", "POST", "DELETE")

    def initialize(self, host: FakeHost) -> None:
        self.host = host

    async def respond(self) -> None:
        parts = [part for part in self.request.path.split("/") if part]
        assert self.request.path.endswith("/"), self.request.path
        try:
            name, act = self._route(parts)
            self.host.calls.append(
                Call(
                    name,
                    self.request.method,
                    self.request.uri.partition("?")[0],
                    {
                        key: [value.decode() for value in values]
                        for key, values in self.request.query_arguments.items()
                        if key not in ("payload", "signature")
                    },
                    {key.lower(): value for key, value in self.request.headers.items()},
                    self.said,
                )
            )
            trouble = self._trouble(name)
            if trouble is not None:
                await asyncio.sleep(trouble.seconds)
                if trouble.after:
                    act()
                self.set_status(trouble.status)
                for key, value in trouble.headers.items():
                    self.set_header(key, value)
                self.write(trouble.body)
                return
            status, document = act()
        except Refused as refusal:
            status, document = refusal.status, _error(refusal.status, str(refusal))
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.write(json.dumps(document))

    get = put = post = delete = respond

    def _trouble(self, name: str) -> Trouble | None:
        waiting = self.host.troubles.get(name, [])
        if not waiting:
            return None
        waiting[0].times -= 1
        return waiting[0] if waiting[0].times else waiting.pop(0)

    def _route(self, parts: list[str]) -> tuple[str, Callable[[], tuple[int, Any]]]:
        if parts == ["api", "v1", "files", "auth"]:
            token = self.get_query_argument("payload")
            self.said = open_sealed(token, KEYS, now=time.time())
            return "auth", self._auth
        self.said = self._verified()
        if parts[:3] == ["api", "v1", "project"] and parts[4:] == ["waterbutler", "logs"]:
            return "log", lambda: (200, {"status": "success"})
        assert [*parts[:2], parts[3]] == ["api", "v1", "osfstorage"], parts
        return self._hook(parts[2], parts[4:])

    def _auth(self) -> tuple[int, Any]:
        answer = self.host.authorize(self.said["data"])
        return 200, {"payload": seal({"data": answer}, KEYS, now=time.time())}

    def _verified(self) -> dict[str, Any]:
        if self.request.method in ("GET", "DELETE"):
            message = {key: self.get_query_argument(key, None) for key in ("payload", "signature")}
        else:
            message = json.loads(self.request.body)
            assert self.request.headers["Content-Type"] == "application/json"
        try:
            return verify(message, HMAC_SECRET, now=time.time())
        except WaterButlerError as error:
            raise Refused(401, error.message) from None

    def _hook(  # noqa: C901 - one branch for each row of the contract's table
        self, resource: str, rest: list[str]
    ) -> tuple[str, Callable[[], tuple[int, Any]]]:
        host, said, method = self.host, self.said, self.request.method
        match method, rest:
            case "GET", ["quota_status"]:
                return "E11", self._quota
            case "POST", ["hooks", "move"]:
                return "E9", lambda: (200, host.item(host.transfer(resource, said, move=True)))
            case "POST", ["hooks", "copy"]:
                return "E10", lambda: (201, host.item(host.transfer(resource, said, move=False)))
            case "PUT", ["hooks", "metadata"]:
                return "E12", lambda: (200, {"status": "success"})
            case "GET", [] | [_]:
                return "E1", lambda: self._item(resource, rest[0] if rest else "")
            case "DELETE", [id]:
                return "E6", lambda: self._delete(resource, id)
            case "GET", [id, "lineage"]:
                return "E2", lambda: self._lineage(resource, id)
            case "GET", [id, "children"]:
                return "E3", lambda: self._children(resource, id)
            case "POST", [id, "children"]:
                return self._new(resource, id)
            case "GET", [id, "download"]:
                return "E7", lambda: self._download(resource, id)
            case "GET", [id, "revisions"]:
                return "E8", lambda: self._revisions(resource, id)
        raise AssertionError(f"no such call: {method} {rest}")

    def _quota(self) -> tuple[int, Any]:
        over = self.host.over_quota
        if isinstance(over, list):
            over = over.pop(0)
        return (202, {}) if over is None else (200, {"over_quota": over})

    def _item(self, resource: str, id: str) -> tuple[int, Any]:
        node = self.host.get(resource, id)
        return 200, {**self.host.item(node), "fullPath": self.host.full_path(node)}

    def _delete(self, resource: str, id: str) -> tuple[int, Any]:
        self.host.delete(self.host.get(resource, id))
        return 200, {"status": "success"}

    def _lineage(self, resource: str, id: str) -> tuple[int, Any]:
        line = self.host.lineage(self.host.get(resource, id))
        return 200, {"data": [self.host.item(node) for node in line]}

    def _children(self, resource: str, id: str) -> tuple[int, Any]:
        folder = self.host.get(resource, id, folder=True)
        user = self.get_query_argument("user_id")
        items = []
        for node in self.host.children(folder.id):
            item = self.host.item(node)
            if not node.folder:
                seen = self.host.seen.get((user, node.id))
                item["latestVersionSeen"] = None if seen is None else {"user": user, "seen": seen}
            items.append(item)
        return 200, items

    def _new(self, resource: str, id: str) -> tuple[str, Callable[[], tuple[int, Any]]]:
        def parent() -> FakeNode:
            return self.host.get(resource, id, folder=True)

        if self.said.get("kind") == "folder":
            return "E4", lambda: (201, self.host.make_folder(resource, parent(), self.said))
        return "E5", lambda: self.host.record(resource, parent(), self.said)

    def _download(self, resource: str, id: str) -> tuple[int, Any]:
        node = self.host.get(resource, id, folder=False)
        version = self.get_query_argument("version")
        if version and not version.isdigit():
            raise Refused(400, "not a number")
        number = int(version) if version else len(node.versions)
        if not 1 <= number <= len(node.versions):
            raise Refused(404, "no such version")
        found = node.versions[number - 1]
        region = {
            key: found["settings"][key]
            for key in ("folder", "bucket", "container")
            if key in found["settings"]
        }
        return 200, {"data": {"name": node.name, "path": found["object"]}, "settings": region}

    def _revisions(self, resource: str, id: str) -> tuple[int, Any]:
        node = self.host.get(resource, id, folder=False)
        hidden = self.get_query_argument("view_only") == "anonymous"
        revisions = [
            {
                "index": index,
                "date": version["date"],
                "downloads": 0,
                "md5": version["md5"],
                "sha256": version["sha256"],
                "user": None if hidden else {"name": USER["name"], "url": "/usr01/"},
            }
            for index, version in enumerate(node.versions, 1)
        ]
        return 200, {"revisions": revisions[::-1]}


def _error(status: int, text: str) -> dict[str, Any]:
    return {"message_short": text, "message_long": text, "code": status, "referrer": None}


@contextlib.contextmanager
def running_host() -> Iterator[FakeHost]:
    """A host in a thread and an event loop of its own, for tests that look what theirs runs."""
    with in_thread(FakeHost()) as host:
        yield host


class Server(Protocol):
    async def start(self) -> Any: ...
    async def stop(self) -> None: ...


S = TypeVar("S", bound=Server)


@contextlib.contextmanager
def in_thread(server: S) -> Iterator[S]:
    """Run a server in a thread and an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
