"""A storage and a model of it, side by side, driven by random requests."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.data.client import Files, document
from tests.data.model import ROOT, Refused, name_of, parent_of
from tests.data.stores import Store
from tests.gateway.client import SECOND, VOCABULARIES, Gateway, Segments
from tests.harness import ALICE, TOKENS, LiveServer, Reply

T = TypeVar("T")

FILES = ("a.txt", "b.txt", "ü %2F?#.bin", ".hidden")
FOLDERS = ("x", "y z", "ß")
SHARED = "both"
"""A name that files and folders are given."""
CONFLICTS = st.sampled_from(["warn", "replace", "keep"])
MEDIUM = 300_000
SEGMENT = 1 << 18
_numbers = itertools.count(1)


def content(seed: int, size: int) -> bytes:
    """Bytes that tell where they are and whose they are, so that no mixture goes unnoticed."""
    line = b"".join(b"%d:%07d\n" % (seed, number) for number in range(64))
    return (line * (size // len(line) + 1))[:size]


CONTENTS = st.builds(content, st.integers(0, 4), st.sampled_from([0, 1, 1000, 70_000]))


class Machine(RuleBasedStateMachine):
    """Every rule sends requests and says what they must come to; every step compares all.

    Args:
        server: The server.
        mount: The name of the mount.
        store: What is mounted.
        run: Runs a coroutine to its end.
    """

    def __init__(
        self,
        server: LiveServer,
        mount: str,
        store: Store,
        run: Callable[[Coroutine[Any, Any, T]], T],
    ) -> None:
        super().__init__()
        self.run = run
        self.server = server
        self.store = store
        self.tree = store.tree()
        self.files = run(self._own_folder(Files(server, mount)))
        self.checked: dict[str, tuple[str, bytes]] = {}
        tries_shared = store.tries_shared_names
        self.file_names = st.sampled_from([*FILES, *([SHARED] if tries_shared else [])])
        self.folder_names = st.sampled_from([*FOLDERS, *([SHARED] if tries_shared else [])])

    async def _own_folder(self, top: Files) -> Files:
        name = f"/run{next(_numbers)}/"
        reply = await top.create(name)
        assert reply.status == 201, reply.body
        wire = reply.data["attributes"]["path"]
        return Files(self.server, top.mount, wire)

    # -- choosing --------------------------------------------------------------------------

    def some(self, data: st.DataObject, among: Any, label: str) -> str:
        return data.draw(st.sampled_from(sorted(among)), label=label)

    def some_folder(self, data: st.DataObject) -> str:
        return self.some(data, self.tree.folders, "folder")

    def new_name(self, data: st.DataObject, like: str) -> str:
        names = self.folder_names if like.endswith("/") else self.file_names
        return data.draw(names, label="name")

    def free_file(self, data: st.DataObject) -> str | None:
        """A path that a new file can have."""
        path = self.some_folder(data) + self.new_name(data, "file")
        return None if self.tree.taken(path) else path

    def expect(self, reply: Reply, change: Callable[[], object], *fine: int) -> None:
        """Do the same to the model; both must agree whether it can be done."""
        try:
            change()
        except Refused as refused:
            fine = refused.statuses
        assert reply.status in fine, (reply.status, reply.body)
        assert reply.status < 400 or document(reply)["code"] == reply.status

    # -- one request at a time -------------------------------------------------------------

    @rule(data=st.data(), body=CONTENTS, unless=st.booleans())
    def upload_new(self, data: st.DataObject, body: bytes, unless: bool) -> None:
        path = self.some_folder(data) + self.new_name(data, "file")
        headers = {"If-None-Match": "*"} if unless else {}
        reply = self.run(self.files.create(path, body, headers))
        self.expect(reply, lambda: self.tree.create(path, body), 201)

    @precondition(lambda self: self.tree.files)
    @rule(data=st.data(), body=CONTENTS, condition=st.sampled_from(["", "same", "other", "none"]))
    def upload_again(self, data: st.DataObject, body: bytes, condition: str) -> None:
        path = self.some(data, self.tree.files, "file")
        etag = self.files.seen[path].etag
        headers = {
            "": {},
            "same": {"If-Match": f'"{etag}"'},
            "other": {"If-Match": '"something else"'},
            "none": {"If-None-Match": "*"},
        }[condition]
        reply = self.run(self.files.replace(path, body, headers))
        if condition in {"other", "none"}:
            assert reply.status == 412, reply.body
        else:
            assert reply.status == 200, reply.body
            self.tree.replace(path, body)

    @rule(data=st.data(), body=CONTENTS, how=st.sampled_from(["cut", "digest", "chunked"]))
    def upload_broken(self, data: st.DataObject, body: bytes, how: str) -> None:
        """A new file or a new content whose body is cut or damaged: nothing changes."""
        if self.tree.files and data.draw(st.booleans(), label="again"):
            target = self.files.url(self.some(data, self.tree.files, "file"))
        else:
            path = self.free_file(data)
            if path is None:
                return
            target = self.files.new(path)
        self.run(self._broken(target, body, how))

    async def _broken(self, target: str, body: bytes, how: str) -> None:
        if how == "digest":
            wrong = base64.b64encode(hashlib.md5(body + b"!").digest()).decode()
            reply = await self.server.put(target, body, {"Content-MD5": wrong})
            assert reply.status == 400, reply.body
            return
        connection = await self.server.connect()
        if how == "cut":
            await connection.start("PUT", target, {**ALICE, "Content-Length": str(len(body) + 1)})
            await connection.send(body)
        else:
            await connection.start("PUT", target, {**ALICE, "Transfer-Encoding": "chunked"})
            await connection.send(b"%x\r\n%b" % (len(body) + 1, body))
        connection.writer.write_eof()
        reply = await connection.reader.read()
        assert not reply.startswith(b"HTTP/1.1 2"), reply
        await connection.close()

    @rule(data=st.data())
    def make_folder(self, data: st.DataObject) -> None:
        path = f"{self.some_folder(data)}{self.new_name(data, 'folder/')}/"
        reply = self.run(self.files.create(path))
        self.expect(reply, lambda: self.tree.make_folder(path), 201)

    @precondition(lambda self: self.tree.paths)
    @rule(data=st.data(), conflict=CONFLICTS, action=st.sampled_from(["move", "copy", "rename"]))
    def transfer(self, data: st.DataObject, conflict: str, action: str) -> None:
        at = self.some(data, self.tree.paths, "from")
        folder = parent_of(at) if action == "rename" else self.some_folder(data)
        name = self.new_name(data, at)
        self.carry(action, at, folder, name, conflict)

    def carry(self, action: str, at: str, folder: str, name: str, conflict: str) -> None:
        """Move, copy or rename."""
        reply = self.run(self.files.transfer(action, at, folder, name, conflict))
        moving = action != "copy"
        self.expect(
            reply,
            lambda: self.tree.transfer(at, folder, name, conflict, moving=moving),
            *(200, 201),
        )

    @precondition(lambda self: self.tree.paths)
    @rule(data=st.data(), condition=st.sampled_from(["", "same", "other"]))
    def delete(self, data: st.DataObject, condition: str) -> None:
        path = self.some(data, self.tree.paths, "path")
        headers = {}
        if not path.endswith("/") and condition:
            etag = self.files.seen[path].etag if condition == "same" else "something else"
            headers = {"If-Match": f'"{etag}"'}
        reply = self.run(self.server.delete(self.files.url(path), headers))
        if headers and condition == "other":
            assert reply.status == 412, reply.body
        else:
            assert reply.status == 204, reply.body
            self.tree.delete(path)

    # -- by the gateway --------------------------------------------------------------------

    @rule(data=st.data(), body=CONTENTS, words=st.sampled_from(["first", "second"]))
    def upload_by_gateway(self, data: st.DataObject, body: bytes, words: str) -> None:
        path = self.free_file(data)
        if path is not None:
            self.run(self._by_gateway(path, body, VOCABULARIES[words]))
            self.tree.create(path, body)

    async def _by_gateway(self, path: str, body: bytes, words: dict[str, Any]) -> None:
        client = await self._sign_in(words)
        parent = await self._gateway_id(client, parent_of(path))
        made = await client.upload(parent, name_of(path), body)
        assert made.size == len(body)
        assert name_of(path) in {entry.name for entry in (await client.page(parent))[0]}
        assert await client.download(made.id) == body

    @rule(data=st.data(), seed=st.integers(0, 4), order=st.permutations(range(1, 3)))
    def upload_in_segments(self, data: st.DataObject, seed: int, order: list[int]) -> None:
        path = self.free_file(data)
        if path is None:
            return
        body = content(seed, MEDIUM)
        finished = data.draw(st.booleans(), label="finished")
        self.run(self._in_segments(path, body, order, finished=finished))
        if finished:
            self.tree.create(path, body)

    async def _in_segments(
        self, path: str, body: bytes, order: list[int], *, finished: bool
    ) -> None:
        client = await self._sign_in(SECOND)
        parent = await self._gateway_id(client, parent_of(path))
        upload = Segments(client, body, SEGMENT, parent=parent, name=name_of(path))
        assert (await upload.begin()).status == 200
        for number in order:
            assert (await upload.send(number)).status == 200
            assert path not in await self.files.look()
        reply = await (upload.finish() if finished else upload.cancel())
        assert reply.status == 200, reply.body

    async def _sign_in(self, words: dict[str, Any]) -> Gateway:
        where = {"resource": "guid0", "provider": self.files.mount}
        return await Gateway(self.server, words).sign_in(TOKENS["alice"], **where)

    async def _gateway_id(self, client: Gateway, folder: str) -> str:
        """The gateway's id of a folder, found by going down from the root."""
        top = name_of(await self._top_path())
        id = client.root
        for name in [top, *folder.strip("/").split("/")]:
            if name:
                entries, _ = await client.page(id)
                kind = "folder"
                id = next(e.id for e in entries if e.name == name and kind in e.type.lower())
        return id

    async def _top_path(self) -> str:
        reply = await self.server.head(self.files.url(ROOT))
        return document_of_head(reply)["materialized"]

    # -- always ----------------------------------------------------------------------------

    @invariant()
    def agrees(self) -> None:
        """The storage holds what the model holds, name by name and byte by byte."""
        self.run(self._agrees())

    async def _agrees(self) -> None:
        seen = await self.files.look()
        assert sorted(seen) == self.tree.paths
        for path in self.tree.files:
            body = self.tree.content(path)
            shown = seen[path]
            assert shown.size == len(body), path
            for name, digest in shown.hashes.items():
                assert digest == hashlib.new(name, body).hexdigest(), (path, name)
            if self.checked.get(path) != (shown.etag, body):
                assert await self.files.read(path) == body, path
                if self.store.keeps_versions:
                    assert await self.files.versions(path) == self.tree.files[path], path
                self.checked[path] = (shown.etag, body)

    def teardown(self) -> None:
        """Nothing is left over, and everything can be deleted."""
        self.run(self._end())

    async def _end(self) -> None:
        deadline = asyncio.get_running_loop().time() + 10
        while left := await self.store.left():
            assert asyncio.get_running_loop().time() < deadline, f"left over: {left}"
            await asyncio.sleep(0.02)
        reply = await self.server.delete(self.files.url(ROOT))
        assert reply.status == 204


def document_of_head(reply: Reply) -> Any:
    """The attributes that a HEAD tells."""
    return json.loads(reply.headers["X-Waterbutler-Metadata"])["attributes"]
