"""The hooks of ``osfstorage``: what another server asks of the file tree."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cached_property
from typing import TypeAlias

import msgspec

from waterbutler.core import JSON
from waterbutler.core.errors import InvalidRequest, NotFound, WaterButlerError
from waterbutler.core.filetree import check_id
from waterbutler.host import EmbeddedTree, wire
from waterbutler.server.base import JSON_TYPE
from waterbutler.server.errors import MethodNotAllowed
from waterbutler.server.host.base import HostHandler

Hook: TypeAlias = Callable[[dict[str, JSON]], Awaitable[None]]


class HookHandler(HostHandler):
    """``/host/api/v1/<resource>/osfstorage/…``; the payload of every request is signed."""

    methods = ("GET", "PUT", "POST", "DELETE")

    async def answer(self) -> None:
        """Find the hook, verify the payload, run it."""
        hooks = self._hooks()
        hook = hooks.get(self.request.method or "")
        if hook is None:
            raise MethodNotAllowed(self.request.method or "", tuple(hooks))
        payload = self.signed()
        self.storage = f"{self.tree.resource}/osfstorage"
        self.action = hook.__name__.lstrip("_")
        await hook(payload)

    @cached_property
    def tree(self) -> EmbeddedTree:
        """The tree of the resource in the URL."""
        return self.host.tree(self.resource(self.parts[0]))

    @property
    def id(self) -> str:
        """The id of the node in the URL."""
        return check_id(self.parts[2])

    def possible(self) -> tuple[str, ...]:
        """The methods of this URL; all that there are where there is nothing."""
        try:
            return tuple(self._hooks())
        except WaterButlerError:
            return self.methods

    def _hooks(self) -> dict[str, Hook]:
        """The hooks of this URL by method."""
        rest = self.parts[2:]
        hooks: dict[tuple[str, ...], dict[str, Hook]] = {
            (): {"GET": self._root},
            ("quota_status",): {"GET": self._quota},
            ("hooks", "move"): {"POST": self._move},
            ("hooks", "copy"): {"POST": self._copy},
            ("hooks", "metadata"): {"PUT": self._metadata},
        }
        of_node: dict[tuple[str, ...], dict[str, Hook]] = {
            (): {"GET": self._item, "DELETE": self._delete},
            ("lineage",): {"GET": self._lineage},
            ("children",): {"GET": self._children, "POST": self._add},
            ("download",): {"GET": self._download},
            ("revisions",): {"GET": self._revisions},
        }
        found = hooks.get(rest) or (of_node.get(rest[1:]) if rest else None)
        if found is None:
            raise NotFound("There is nothing at this URL.")
        return found

    async def _root(self, _payload: dict[str, JSON]) -> None:
        await self._show(None)

    async def _item(self, _payload: dict[str, JSON]) -> None:
        await self._show(self.id)

    async def _show(self, id: str | None) -> None:
        node = await self.tree.item(id)
        self.write_json({**wire.item(node), "fullPath": node.full_path})

    async def _lineage(self, _payload: dict[str, JSON]) -> None:
        nodes = await self.tree.lineage(self.id)
        self.write_json({"data": [wire.item(node) for node in nodes]})

    async def _list(self, rows: AsyncIterator[dict[str, JSON]], head: bytes, tail: bytes) -> None:
        """Send a listing in pieces."""
        self.set_header("Content-Type", JSON_TYPE)
        await self.send_array(rows, msgspec.json.encode, head=head, tail=tail)

    async def _children(self, _payload: dict[str, JSON]) -> None:
        if self.query.get("minimal") == "true":
            await self._brief_children()
            return
        user = self.query.get("user_id") or None
        name = self.query.get("name")
        if name:
            await self._named_children(name)
            return
        nodes = self.tree.children(self.id, user=user)
        shown = (wire.child(node, user) async for node in nodes)
        await self._list(shown, b"[", b"]")

    async def _named_children(self, name: str) -> None:
        """Only what has a name: at most a file and a folder."""
        found = [await self.tree.child(self.id, name, folder=folder) for folder in (False, True)]
        self.write_json([wire.child(node, None) for node in found if node is not None])

    async def _brief_children(self) -> None:
        after, limit = self._count("after", 0), self._count("limit", 0)
        rows = self._all_brief_children(after) if not limit else self._brief_page(after, limit)
        await self._list(rows, b"[", b"]")

    async def _brief_page(self, after: int, limit: int) -> AsyncIterator[dict[str, JSON]]:
        for row in await self.tree.brief_children(self.id, after=after, limit=limit):
            yield wire.brief_child(row.node, row.key, row.location)

    async def _all_brief_children(self, after: int) -> AsyncIterator[dict[str, JSON]]:
        while page := await self.tree.brief_children(self.id, after=after):
            for row in page:
                yield wire.brief_child(row.node, row.key, row.location)
            after = page[-1].key

    async def _add(self, payload: dict[str, JSON]) -> None:
        new = wire.read(payload, wire.NewChild)
        if new.kind == "folder":
            node = await self.tree.make_folder(self.id, new.name, user=new.user)
            answer = {"status": "success", "archive": True, "data": wire.item(node)}
            self.write_json({**answer, "version": None}, 201)
            return
        try:
            result = await self.tree.record(
                self.id,
                new.name,
                new.blob(),
                user=new.user,
                file=new.file,
                exclusive=new.exclusive,
            )
        finally:
            await self.host.trees.leases.retract(self.tree.resource)
        self.write_json(wire.recorded(result), 201 if result.created else 200)

    async def _delete(self, payload: dict[str, JSON]) -> None:
        user = wire.read(payload, wire.Acting).user
        await self.tree.delete(self.id, user=user)
        self.write_json({"status": "success"})

    async def _download(self, payload: dict[str, JSON]) -> None:
        user = wire.read(payload, wire.Acting).user
        version = self._count("version", 0)
        if version == 0 and self.query.get("version"):
            raise NotFound("The file has no such version.")
        location = await self.tree.locate(self.id, version=version or None, user=user)
        self.write_json(wire.download(location))

    async def _revisions(self, _payload: dict[str, JSON]) -> None:
        key = self.query.get("view_only") or None
        rows = self.tree.revisions(self.id, view_only=key)
        shown = (wire.revision(version) async for version in rows)
        await self._list(shown, b'{"revisions":[', b"]}")

    async def _move(self, payload: dict[str, JSON]) -> None:
        asked = wire.read(payload, wire.Transfer)
        to, replace = asked.to, asked.destination.replace
        self.host.accounts.resource(to.resource)
        node = await self.tree.move(asked.source, to, user=asked.user, replace=replace)
        self.write_json(wire.item(node))

    async def _copy(self, payload: dict[str, JSON]) -> None:
        asked = wire.read(payload, wire.Transfer)
        to, replace = asked.to, asked.destination.replace
        self.host.accounts.resource(to.resource)
        node = await self.tree.copy(asked.source, to, user=asked.user, replace=replace)
        self.write_json(wire.item(node), 201)

    async def _quota(self, _payload: dict[str, JSON]) -> None:
        quota = await self.tree.quota()
        if not quota.over:
            # A server asks this before it uploads.
            await self.host.trees.leases.announce(self.tree.resource)
        self.write_json({"over_quota": quota.over})

    async def _metadata(self, payload: dict[str, JSON]) -> None:
        asked = wire.read(payload, wire.Metadata)
        await self.tree.set_metadata(asked.version, asked.metadata)
        self.write_json({"status": "success"})

    def _count(self, name: str, default: int) -> int:
        """A parameter that is a number; ``default`` if it is absent or empty."""
        text = self.query.get(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise InvalidRequest(f"{name} is not a number.")
        return int(text)
