"""Requests of the v1 API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, urlencode

import msgspec

from waterbutler.client.address import Address
from waterbutler.client.entries import RemoteEntry, checked, entries_of, entry_of
from waterbutler.core import ROOT, ByteStream, Conflict, Path
from waterbutler.core.closing import Closing
from waterbutler.core.errors import NotFound
from waterbutler.http import HttpClient, Reply

_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Found:
    """Something that an address leads to.

    Attributes:
        address: Its names; the kind is the right one.
        wire: The path that its URL has: names, or ids where the storage goes by ids.
        entry: What the server says about it, where it was asked.
    """

    address: Address
    wire: Path
    entry: RemoteEntry | None = None

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder."""
        return self.wire.is_folder


class Client(Closing):
    """A client of one server; errors of the server are raised as `waterbutler.core.errors`.

    Args:
        url: Where the server is, ``http://127.0.0.1:7777``.
        token: Whom to act for; without it anonymous.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = HttpClient(idle_seconds=300)
        self._by_ids: dict[Address, bool] = {}

    async def __aenter__(self) -> Self:
        await self._http.start()
        return self

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    # -- finding -------------------------------------------------------------------------------

    async def find(self, address: Address) -> Found:
        """What an address leads to; without a trailing slash a file wins over a folder.

        Raises:
            NotFound: There is nothing.
        """
        found = None if address.path.is_folder else await self.find_file(address)
        return found or await self._open_folder(address.as_folder())

    async def find_file(self, address: Address) -> Found | None:
        """The file at an address, if there is one."""
        if await self._goes_by_ids(address):
            return await self._walk(address)
        try:
            entry = await entry_of(await self._get(address, address.path, {"meta": ""}))
        except NotFound:
            return None
        return Found(address, Path.parse(entry.path), entry)

    async def folder(self, address: Address) -> Found:
        """The folder at an address; where storages go by names the server is not asked.

        Raises:
            NotFound: The storage goes by ids and there is no such folder.
        """
        address = address.as_folder()
        if not await self._goes_by_ids(address):
            return Found(address, address.path)
        found = await self._walk(address)
        if found is None:
            raise NotFound(f"{address}: there is no such folder.")
        return found

    async def find_folder(self, address: Address) -> Found | None:
        """The folder at an address, if there is one."""
        try:
            return await self._open_folder(address)
        except NotFound:
            return None

    async def _open_folder(self, address: Address) -> Found:
        """The folder at an address, after the server has said that it is there."""
        if await self._goes_by_ids(address):
            return await self.folder(address)
        await (await self._get(address, address.path, {"page[size]": "1"})).aclose()
        return Found(address, address.path)

    async def _goes_by_ids(self, address: Address) -> bool:
        """Whether URLs of a storage have ids in them, by what one of its entries looks like."""
        root = address.root
        if address.path.is_root:
            return False
        if root not in self._by_ids:
            some = await entries_of(await self._get(root, ROOT, {"page[size]": "1"}))
            self._by_ids[root] = any(entry.path != entry.materialized for entry in some)
        return self._by_ids[root]

    async def _walk(self, address: Address) -> Found | None:
        """Go down from the root by names, and see what ids they have."""
        here = Found(address.root, ROOT)
        last = len(address.path.names) - 1
        for depth, name in enumerate(address.path.names):
            folder = depth < last or address.path.is_folder
            entries = await self.list(here)
            match = [entry for entry in entries if (entry.name, entry.is_folder) == (name, folder)]
            if not match:
                return None
            here = child(here, match[0])
        return here

    # -- reading -------------------------------------------------------------------------------

    async def list(self, folder: Found) -> list[RemoteEntry]:
        """What is directly in a folder, in no promised order."""
        return await entries_of(await self._get(folder.address, folder.wire))

    async def read(self, file: Found, headers: Mapping[str, str] = _NOTHING) -> Reply:
        """Open a file; ``headers`` may ask for a range."""
        return await self._get(file.address, file.wire, headers=headers)

    async def zip(self, folder: Found) -> Reply:
        """Open the archive of a folder."""
        return await self._get(folder.address, folder.wire, {"zip": ""})

    # -- writing -------------------------------------------------------------------------------

    async def create(
        self, folder: Found, name: str, body: ByteStream, headers: Mapping[str, str] = _NOTHING
    ) -> RemoteEntry:
        """Upload a new file into a folder.

        Raises:
            AlreadyExists: The name is taken.
        """
        query = {"kind": "file", "name": name}
        about = folder.address.child(name)
        return await entry_of(await self._send("PUT", about, folder, query, body, headers))

    async def update(
        self, file: Found, body: ByteStream, headers: Mapping[str, str] = _NOTHING
    ) -> RemoteEntry:
        """Upload the new content of a file."""
        query = {"kind": "file"}
        return await entry_of(await self._send("PUT", file.address, file, query, body, headers))

    async def make_folder(self, address: Address) -> RemoteEntry:
        """Make a folder.

        Raises:
            AlreadyExists: The name is taken.
        """
        parent = await self.folder(address.parent)
        query = {"kind": "folder", "name": address.name}
        return await entry_of(await self._send("PUT", address, parent, query))

    async def delete(self, found: Found, *, all_contents: bool = False) -> None:
        """Delete a file or folder; a root is emptied, and only with ``all_contents``."""
        query = {"confirm_delete": "1"} if all_contents and found.wire.is_root else {}
        await (await self._send("DELETE", found.address, found, query)).aclose()

    async def transfer(
        self,
        action: str,
        source: Found,
        folder: Found,
        *,
        name: str | None = None,
        conflict: Conflict = Conflict.WARN,
    ) -> RemoteEntry | str:
        """Copy or move into a folder, perhaps of another storage or resource.

        Args:
            action: ``copy`` or ``move``.
            source: What.
            folder: Where to.
            name: The new name; without it the old one.
            conflict: What to do when the name is taken.

        Returns:
            The thing in its new place, or the URL of the job that goes on with it.
        """
        order = {
            "action": action,
            "resource": folder.address.resource,
            "provider": folder.address.provider,
            "path": str(folder.wire),
            "conflict": conflict.value,
            **({"rename": name} if name is not None else {}),
        }
        body = ByteStream.of(msgspec.json.encode(order))
        headers = {"Content-Type": "application/json"}
        reply = await self._send("POST", source.address, source, _NOTHING, body, headers)
        if reply.status == 202:
            await reply.aclose()
            return reply.headers.get("Location", "")
        return await entry_of(reply)

    # -- requests ------------------------------------------------------------------------------

    async def _get(
        self,
        address: Address,
        wire: Path,
        query: Mapping[str, str] = _NOTHING,
        headers: Mapping[str, str] = _NOTHING,
    ) -> Reply:
        reply = await self._http.open(
            "GET",
            self._target(address, wire, query),
            headers={**self._headers, **headers},
            redirects=5,
        )
        return await checked(reply, address)

    async def _send(
        self,
        method: str,
        about: Address,
        target: Found,
        query: Mapping[str, str],
        body: ByteStream | None = None,
        headers: Mapping[str, str] = _NOTHING,
    ) -> Reply:
        reply = await self._http.open(
            method,
            self._target(target.address, target.wire, query),
            headers={**self._headers, **headers},
            body=body,
        )
        return await checked(reply, about)

    def _target(self, address: Address, wire: Path, query: Mapping[str, str]) -> str:
        names = "".join("/" + quote(name, safe="") for name in wire.names)
        slash = "/" if wire.is_folder else ""
        place = f"/v1/resources/{quote(address.resource)}/providers/{quote(address.provider)}"
        asked = f"?{urlencode(query)}" if query else ""
        return f"{self._url}{place}{names}{slash}{asked}"


def child(folder: Found, entry: RemoteEntry) -> Found:
    """An entry of a folder's listing, as something that was found."""
    address = folder.address.child(entry.name, folder=entry.is_folder)
    return Found(address, Path.parse(entry.path), entry)
