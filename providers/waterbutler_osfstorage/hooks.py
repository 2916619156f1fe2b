"""The file tree of another host, over its signed hooks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from waterbutler.core import JSON, check_name
from waterbutler.core.errors import (
    Corrupted,
    InvalidRequest,
    IsAFolder,
    NotAFolder,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    WaterButlerError,
)
from waterbutler.core.filetree import (
    Blob,
    Destination,
    Location,
    Node,
    NodeVersion,
    Quota,
    Recorded,
    check_id,
)
from waterbutler.core.signing import sign
from waterbutler.http import HttpClient
from waterbutler_osfstorage import wire
from waterbutler_osfstorage.answers import check_awake, read, refusal
from waterbutler_osfstorage.replacing import UNCLEAR, Exchange

T = TypeVar("T")

GOOD_FOR = 100
"""How many seconds a signed message is good."""
LONGEST_ANSWER = 1 << 28
"""The longest answer that is read, in bytes: a folder with a million files."""

_MOVE, _COPY = "hooks/move/", "hooks/copy/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long and how often the host is waited for; all times in seconds."""

    seconds: float = 60.0
    """For one answer."""
    pauses: tuple[float, ...] = (2.0, 4.0)
    """Before each repetition of a call that failed for a moment and may be repeated."""
    quota_pauses: tuple[float, ...] = (1.0, 2.0)
    """Before each repetition of the question for room, while the host computes the answer."""
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.time, repr=False)


class HookTree:
    """See `waterbutler.core.filetree.FileTree`.

    Calls that look are not repeated here: whoever looks repeats as a whole. Recording a blob is:
    the host knows when it was told of it before, and what was stored would otherwise be lost.

    Args:
        http: Speaks to the host.
        base_url: Where the resource's hooks are.
        resource: The id of the resource.
        secret: Signs what is asked.
        root_id: The id of the root folder, if the host said it.
        patience: How long and how often to wait.
    """

    def __init__(
        self,
        http: HttpClient,
        base_url: str,
        resource: str,
        secret: str,
        *,
        root_id: str = "",
        patience: Patience = Patience(),
    ) -> None:
        self._http = http
        self._base = base_url.rstrip("/") + "/"
        self._secret = secret
        self._root_id = root_id
        self._patience = patience
        self.resource = resource

    # -- looking -------------------------------------------------------------------------------

    async def item(self, id: str | None = None) -> Node:
        """See `FileTree.item`."""
        where = check_id(id) + "/" if id is not None else ""
        body = await self._get(where, {}, {"revision": ""})
        return read(body, wire.Item).node()

    async def lineage(self, id: str) -> tuple[Node, ...]:
        """See `FileTree.lineage`."""
        body = await self._get(f"{check_id(id)}/lineage/", {}, {})
        line = tuple(item.node() for item in read(body, wire.Lineage).data)
        if not line or line[0].id != id:
            raise ProviderFault("The host shows another file than the one that was asked for.")
        return line

    async def children(
        self, id: str | None = None, *, user: str | None = None
    ) -> AsyncIterator[Node]:
        """See `FileTree.children`; the host sends all of them at once."""
        for item in await self._children(id, {"user_id": user or ""}):
            yield item.node()

    async def child(self, parent: str, name: str, *, folder: bool) -> Node | None:
        """See `FileTree.child`; hosts that do not look for one name show the whole folder."""
        kind = "folder" if folder else "file"
        for item in await self._children(parent, {"user_id": "", "name": name}):
            if item.name == name and item.kind == kind:
                return item.node()
        return None

    async def locate(
        self, id: str, *, version: int | None = None, user: str | None = None
    ) -> Location:
        """See `FileTree.locate`."""
        query = {"version": "" if version is None else str(version), "mode": ""}
        payload: dict[str, JSON] = {"user": user} if user is not None else {}
        where = f"{check_id(id)}/download/"
        try:
            body = await self._get(where, payload, query)
        except InvalidRequest:
            raise IsAFolder("This is a folder.") from None
        return read(body, wire.Download).location()

    async def revisions(
        self, id: str, *, view_only: str | None = None
    ) -> AsyncIterator[NodeVersion]:
        """See `FileTree.revisions`."""
        where, query = f"{check_id(id)}/revisions/", {"view_only": view_only or ""}
        try:
            body = await self._get(where, {}, query)
        except InvalidRequest:
            raise IsAFolder("This is a folder.") from None
        for revision in read(body, wire.Revisions).revisions:
            yield revision.version()

    async def quota(self) -> Quota:
        """See `FileTree.quota`; a host that goes on computing counts as having room."""
        for pause in (0.0, *self._patience.quota_pauses):
            if pause:
                await self._patience.sleep(pause)
            status, body = await self._send("GET", "quota_status/", {}, {})
            if status == 200:
                return Quota(over=read(body, wire.QuotaStatus).over_quota)
            if status != 202:
                raise refusal(status, body)
        return Quota(over=False)

    # -- changing ------------------------------------------------------------------------------

    async def make_folder(self, parent: str, name: str, *, user: str | None) -> Node:
        """See `FileTree.make_folder`."""
        payload: dict[str, JSON] = {"kind": "folder", "name": check_name(name), "user": user}
        body = await self._post(f"{check_id(parent)}/children/", payload, {201})
        return read(body, wire.Changed).data.node()

    async def record(
        self,
        parent: str,
        name: str,
        blob: Blob,
        *,
        user: str | None,
        file: str | None = None,
        exclusive: bool = False,
    ) -> Recorded:
        """See `FileTree.record`; not all hosts know ``file`` and ``exclusive``."""
        payload = wire.recording(check_name(name), user, blob)
        if file is not None:
            payload["file"] = check_id(file)
        if exclusive:
            payload["exclusive"] = True
        where = f"{check_id(parent)}/children/"
        tries, (status, body) = await self._repeated(lambda: self._send("POST", where, payload, {}))
        if status == 409 and tries > 1:
            # Perhaps the first try had done it, and only its answer was lost.
            node = await self.child(parent, name, folder=False)
            if node is not None and node.hashes.get("sha256") == blob.hashes["sha256"]:
                return Recorded(node=node, created=True, version_id="")
        if status not in {200, 201}:
            raise refusal(status, body)
        changed = read(body, wire.Changed)
        return Recorded(
            node=changed.data.node(), created=status == 201, version_id=changed.version or ""
        )

    async def delete(self, id: str, *, user: str | None) -> None:
        """See `FileTree.delete`."""
        await self._expect("DELETE", f"{check_id(id)}/", {"user": user}, {200, 204})

    async def move(
        self, id: str, to: Destination, *, user: str | None, replace: bool = False
    ) -> Node:
        """See `FileTree.move`; what gives way is renamed before and deleted at the end."""
        return await self._transfer(_MOVE, id, to, user, replace=replace)

    async def copy(
        self, id: str, to: Destination, *, user: str | None, replace: bool = False
    ) -> Node:
        """See `FileTree.copy`; what gives way is renamed before and deleted at the end."""
        return await self._transfer(_COPY, id, to, user, replace=replace)

    async def set_metadata(self, version_id: str, metadata: Mapping[str, JSON]) -> None:
        """See `FileTree.set_metadata`."""
        payload: dict[str, JSON] = {"version": version_id, "metadata": dict(metadata)}
        await self._expect("PUT", "hooks/metadata/", payload, {200})

    def uploading(self) -> AbstractAsyncContextManager[None]:
        """See `FileTree.uploading`; another host removes no blob that it may still hear of."""
        return nullcontext()

    def of(self, resource: str) -> HookTree:
        """The tree of another resource of the same host."""
        if resource == self.resource:
            return self
        base = f"{self.host}{resource}/osfstorage/"
        return HookTree(self._http, base, resource, self._secret, patience=self._patience)

    @property
    def host(self) -> str:
        """What the hooks of all resources of this host start with."""
        return self._base.removesuffix(f"{self.resource}/osfstorage/")

    # -- over the wire -------------------------------------------------------------------------

    async def _transfer(
        self, hook: str, id: str, to: Destination, user: str | None, *, replace: bool
    ) -> Node:
        payload: dict[str, JSON] = {
            "user": user,
            "source": check_id(id),
            "destination": {
                "node": to.resource,
                "parent": check_id(to.parent),
                "name": check_name(to.name),
            },
        }

        async def carry() -> Node:
            body = await self._post(hook, payload, {200, 201})
            return read(body, wire.Item).node()

        if not replace:
            return await carry()
        there = self.of(to.resource)
        source = await self.item(id)
        taken = await there.child(to.parent, to.name, folder=source.is_folder)
        if taken is None or taken.id == id:
            return await carry()

        def is_new(node: Node) -> bool:
            # What is moved keeps its id. A copy is known by its content; folders have none.
            if hook == _MOVE:
                return node.id == id
            content = source.hashes.get("sha256")
            return content is not None and node.hashes.get("sha256") == content

        return await Exchange(there, taken, to, user, self._insisted).make(carry, is_new)

    async def _id(self, id: str | None) -> str:
        if id is not None:
            return check_id(id)
        if not self._root_id:
            self._root_id = (await self.item()).id
        return check_id(self._root_id)

    async def _get(self, where: str, payload: dict[str, JSON], query: dict[str, str]) -> bytes:
        return await self._expect("GET", where, payload, {200}, query)

    async def _post(self, where: str, payload: dict[str, JSON], good: set[int]) -> bytes:
        return await self._expect("POST", where, payload, good)

    async def _expect(
        self,
        method: str,
        where: str,
        payload: dict[str, JSON],
        good: set[int],
        query: Mapping[str, str] | None = None,
    ) -> bytes:
        status, body = await self._send(method, where, payload, query or {})
        if status not in good:
            raise refusal(status, body)
        return body

    async def _send(
        self, method: str, where: str, payload: dict[str, JSON], query: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Sign, send, and read the whole answer.

        Raises:
            ProviderUnavailable: The host says that trying again later makes sense, or is silent.
        """
        now = self._patience.clock()
        message = sign(payload, self._secret, expires=int(now + GOOD_FOR))
        url, headers, body = self._base + where, {}, None
        if method in {"GET", "DELETE"}:
            parameters = {**query, "payload": message["payload"], "signature": message["signature"]}
            url += "?" + urlencode(parameters)
        else:
            headers["Content-Type"] = "application/json"
            body = msgspec.json.encode(message)
        try:
            async with asyncio.timeout(self._patience.seconds):
                reply = await self._http.open(method, url, headers=headers, body=body)
                answer = await reply.read(LONGEST_ANSWER)
        except TimeoutError:
            raise ProviderTimeout("The host was silent for too long.") from None
        except ProviderTimeout:
            raise
        except ProviderUnavailable:
            raise ProviderUnavailable("The host cannot be reached.") from None
        except Corrupted:
            raise ProviderUnavailable("The answer of the host ended early.") from None
        check_awake(reply.status, reply.headers)
        return reply.status, answer

    async def _children(self, id: str | None, query: dict[str, str]) -> list[wire.Item]:
        where = f"{await self._id(id)}/children/"
        try:
            body = await self._get(where, {}, query)
        except InvalidRequest:
            raise NotAFolder("This is a file.") from None
        return read(body, list[wire.Item])

    async def _insisted(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of something that must not be given up half done."""
        return (await self._repeated(call, UNCLEAR))[1]

    async def _repeated(
        self,
        call: Callable[[], Awaitable[T]],
        again: tuple[type[WaterButlerError], ...] = (ProviderUnavailable,),
    ) -> tuple[int, T]:
        """Try until it works; gives how often it was tried, and the result."""
        for tries, pause in enumerate(self._patience.pauses, 1):
            try:
                return tries, await call()
            except again:
                await self._patience.sleep(pause)
        return len(self._patience.pauses) + 1, await call()
