"""Rules in which one request is on its way while others change what it is about."""

from __future__ import annotations

import asyncio

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.data.machine import MEDIUM, Machine, content
from tests.data.model import ROOT, inside, parent_of
from tests.harness import ALICE, Reply


class InterleavedMachine(Machine):
    """All rules, those of `Machine` too."""

    @rule(data=st.data(), sizes=st.tuples(*[st.sampled_from([0, 1000, MEDIUM])] * 2))
    def two_new(self, data: st.DataObject, sizes: tuple[int, int]) -> None:
        """Of two writers of a new name exactly one wins, and the other one is told."""
        path = self.free_file(data)
        if path is None:
            return
        self.make_two(path, sizes, halves=data.draw(st.booleans(), label="halves"))

    def make_two(self, path: str, sizes: tuple[int, int], *, halves: bool) -> None:
        bodies = [content(number, size) for number, size in enumerate(sizes, 5)]
        replies = self.run(self._two(self.files.new(path), bodies, {}, halves=halves))
        assert sorted(reply.status for reply in replies) == [201, 409]
        winner = next(i for i, reply in enumerate(replies) if reply.status == 201)
        self.tree.create(path, bodies[winner])

    @precondition(lambda self: self.tree.files)
    @rule(data=st.data(), sizes=st.tuples(*[st.sampled_from([0, 1000, MEDIUM])] * 2))
    def two_again(self, data: st.DataObject, sizes: tuple[int, int]) -> None:
        """Of two writers of a file the last one wins, with all of its bytes."""
        path = self.some(data, self.tree.files, "file")
        conditional = data.draw(st.booleans(), label="conditional")
        halves = data.draw(st.booleans(), label="halves")
        self.replace_two(path, sizes, conditional=conditional, halves=halves)

    def replace_two(
        self, path: str, sizes: tuple[int, int], *, conditional: bool, halves: bool
    ) -> None:
        bodies = [content(number, size) for number, size in enumerate(sizes, 5)]
        headers = {"If-Match": f'"{self.files.seen[path].etag}"'} if conditional else {}
        replies = self.run(self._two(self.files.url(path), bodies, headers, halves=halves))
        statuses = [reply.status for reply in replies]
        assert set(statuses) <= ({200, 412} if conditional else {200}), statuses
        assert 200 in statuses
        done = [bodies[i] for i, status in enumerate(statuses) if status == 200]
        self.run(self._adopt_content(path, done))

    async def _two(
        self, target: str, bodies: list[bytes], headers: dict[str, str], *, halves: bool
    ) -> list[Reply]:
        if not halves:
            return await asyncio.gather(*(self.server.put(target, b, headers) for b in bodies))
        connections = []
        for body in bodies:
            connection = await self.server.connect()
            length = {"Content-Length": str(len(body))}
            await connection.start("PUT", target, {**ALICE, **headers, **length})
            await connection.send(body[: len(body) // 2])
            connections.append(connection)
        ends = zip(connections, bodies, strict=True)
        return await asyncio.gather(
            *(self.files.end_upload(one, body, len(body) // 2) for one, body in ends)
        )

    async def _adopt_content(self, path: str, bodies: list[bytes]) -> None:
        """Take over which writer was the last; each wrote a version."""
        await self.files.look()
        now = await self.files.read(path)
        assert now in bodies, f"{len(now)} bytes are of no writer"
        for body in sorted(bodies, key=lambda body: body == now):
            self.tree.replace(path, body)

    @rule(data=st.data(), how=st.sampled_from(["delete", "replace", "move"]))
    def change_during_download(self, data: st.DataObject, how: str) -> None:
        """A download ends with all bytes of what it began with, or visibly broken."""
        path = self.free_file(data)
        if path is not None:
            self.run(self.read_while_it_changes(path, content(8, self.store.large), how))

    async def read_while_it_changes(self, path: str, body: bytes, how: str) -> None:
        assert (await self.files.create(path, body)).status == 201
        await self.files.look()
        download = await self.files.begin_download(f"{self.files.url(path)}?direct=")
        if how == "delete":
            assert (await self.files.delete(path)).status == 204
        elif how == "replace":
            assert (await self.files.replace(path, b"other")).status == 200
        else:
            name = "moved while it is read"
            reply = await self.files.transfer("rename", path, ROOT, name, "warn")
            assert reply.status == 200, reply.body
        reply = await download.receive()
        await download.close()
        assert reply.status == 200
        assert body.startswith(reply.body)
        assert len(reply.body) == len(body) or not reply.whole
        await self.files.look()
        for each in [path, inside(parent_of(path), "moved while it is read", path)]:
            if each in self.files.seen:
                assert (await self.files.delete(each)).status == 204

    @rule(data=st.data(), how=st.sampled_from(["rename", "delete"]))
    def change_folder_during_upload(self, data: st.DataObject, how: str) -> None:
        """A file that was on its way is whole in one place, or the client hears that it is not."""
        top = f"{self.some_folder(data)}during/"
        body = content(9, MEDIUM)
        self.run(self.upload_while_its_folder_changes(top, body, how))

    async def upload_while_its_folder_changes(self, top: str, body: bytes, how: str) -> None:
        after = inside(parent_of(top), "after", top)
        assert (await self.files.create(top)).status == 201
        await self.files.look()
        target = self.files.new(f"{top}new")
        upload = await self.files.begin_upload(target, body, MEDIUM // 2)
        await self._wait_for("write")
        if how == "rename":
            reply = await self.files.transfer("rename", top, parent_of(top), "after", "warn")
            assert reply.status == 200, reply.body
        else:
            assert (await self.files.delete(top)).status == 204
        reply = await self.files.end_upload(upload, body, MEDIUM // 2)
        found = [p for p in await self.files.look() if p.endswith("/new")]
        if reply.status == 201:
            assert len(found) == 1, found
            assert found[0] in {f"{top}new", f"{after}new"}
            assert await self.files.read(found[0]) == body
        else:
            assert reply.status in {404, 409, 412}, reply.body
            assert found == []
        for folder in (top, after):
            if folder in self.files.seen:
                assert (await self.files.delete(folder)).status == 204

    @rule(data=st.data(), how=st.sampled_from(["rename", "delete"]))
    def change_file_during_replacement(self, data: st.DataObject, how: str) -> None:
        """The old content is where it went, and the new one at its name or at the file's."""
        folder = self.some_folder(data)
        self.run(self.replace_while_it_changes(f"{folder}during", how))

    async def replace_while_it_changes(self, path: str, how: str) -> None:
        old, new = content(1, 1000), content(9, MEDIUM)
        after = f"{parent_of(path)}after"
        assert (await self.files.create(path, old)).status == 201
        await self.files.look()
        writes = self._writes()
        upload = await self.files.begin_upload(self.files.url(path), new, MEDIUM // 2)
        await self._wait_for("write", writes)
        if how == "rename":
            reply = await self.files.transfer("rename", path, parent_of(path), "after", "warn")
            assert reply.status == 200, reply.body
        else:
            assert (await self.files.delete(path)).status == 204
        reply = await self.files.end_upload(upload, new, MEDIUM // 2)
        seen = await self.files.look()
        found = {each: await self.files.read(each) for each in (path, after) if each in seen}
        kept = {after: old} if how == "rename" else {}
        if reply.status in {200, 201}:
            assert found in ({**kept, path: new}, {after: new} if kept else {path: new})
        else:
            assert reply.status in {404, 409, 412}, reply.body
            assert found == kept
        for each in found:
            assert (await self.files.delete(each)).status == 204

    def _writes(self) -> int:
        return self.server.flaky[self.files.mount].calls["write"]

    async def _wait_for(self, operation: str, before: int | None = None) -> None:
        """Wait until the storage is asked to do something."""
        calls = self.server.flaky[self.files.mount].calls
        before = 0 if before is None else before
        while calls[operation] <= before:
            await asyncio.sleep(0.001)

    @rule(data=st.data(), size=st.sampled_from([1, 2, 3]))
    def change_during_listing(self, data: st.DataObject, size: int) -> None:
        """Each name comes at most once, and those that nobody touches always come."""
        names = [f"{number}.txt" for number in range(6)]
        changes = [
            (data.draw(st.sampled_from(["replace", "delete", "add"])), data.draw(st.integers(0, 5)))
            for _ in range(3)
        ]
        self.run(self.list_while_it_changes(names, changes, size))

    async def list_while_it_changes(
        self, names: list[str], changes: list[tuple[str, int]], size: int
    ) -> None:
        folder = "/listed while it changes/"
        assert (await self.files.create(folder)).status == 201
        await self.files.look()
        for name in names:
            assert (await self.files.create(folder + name, b"old")).status == 201
        await self.files.look()
        touched: set[str] = set()
        shown: list[str] = []
        left = list(changes)
        async for page in self.files.pages(folder, size):
            shown += page
            if left:
                touched.add(await self._change_one(folder, names, touched, *left.pop()))
        await self._check_listed(shown, names, touched)
        streamed, *_ = await asyncio.gather(
            self.files.list(folder),
            *(self._replace_seen(folder + name) for name in set(names) - touched),
        )
        shown = [entry["attributes"]["name"] for entry in streamed]
        await self._check_listed(shown, names, touched)
        assert (await self.files.delete(folder)).status == 204

    async def _check_listed(self, shown: list[str], names: list[str], touched: set[str]) -> None:
        assert len(shown) == len(set(shown)), shown
        assert set(names) - touched <= set(shown), (shown, touched)

    async def _change_one(
        self, folder: str, names: list[str], touched: set[str], how: str, index: int
    ) -> str:
        name = names[index]
        if how == "add" or name in touched:
            name = f"{len(touched)} added"
            assert (await self.files.create(folder + name, b"new")).status == 201
        elif how == "delete":
            assert (await self.files.delete(folder + name)).status == 204
        else:
            assert (await self.files.replace(folder + name, b"new")).status == 200
        return name

    async def _replace_seen(self, path: str) -> None:
        assert (await self.files.replace(path, b"newer")).status == 200
