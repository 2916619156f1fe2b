"""Metadata, and what is in folders."""

from __future__ import annotations

from collections.abc import AsyncIterator

from waterbutler.core import JSON, Action, Entry, Path
from waterbutler.core.errors import InvalidRequest
from waterbutler.server import paging
from waterbutler.server.gateway import pages
from waterbutler.server.gateway.base import GatewayHandler
from waterbutler.server.gateway.ids import Address
from waterbutler.server.gateway.render import virtual
from waterbutler.server.gateway.session import inside
from waterbutler.server.gateway.vocabulary import Operation


class ReadHandler(GatewayHandler):
    """``…metadata`` and ``…metadata_children``."""

    async def serve(self) -> None:
        """Show one thing, or a page of what is in it."""
        if self.operation is Operation.DESCRIBE:
            await self._describe()
        elif self.target.is_virtual:
            await self._list_virtual()
        else:
            await self._list()

    async def _describe(self) -> None:
        if self.target.is_virtual:
            if self.target.resource:
                await inside(self.context, self.target, self.who)
            self.write_json(virtual(self.route.words, self.session.root, self.target))
            return
        async with self.visit(self.target, Action.METADATA) as room:
            entry = await self.context.butler.describe(room)
            self.write_json(self.shown(room, entry))

    async def _list(self) -> None:
        asked = self._asked()
        async with self.visit(self.target, Action.METADATA) as room:
            if not self.target.is_folder:
                await self.context.butler.describe(room)
                raise InvalidRequest("This is a file; only folders can be listed.")
            entries = await self._page(lambda: self.context.butler.list(room), asked)
            self._write_list([self.shown(room, entry) for entry in entries])

    async def _list_virtual(self) -> None:
        addresses = await inside(self.context, self.target, self.who)
        by_name = {address.name: address for address in addresses}

        async def entries() -> AsyncIterator[Entry]:
            for name in by_name:
                yield Entry(path=Path((name,)))

        found = await self._page(entries, self._asked())
        words, root = self.route.words, self.session.root
        self._write_list([virtual(words, root, by_name[entry.name]) for entry in found])

    def _asked(self) -> paging.Paging:
        token = self.query.get("page")
        return pages.parse(token, self._where)

    async def _page(self, source: paging.Source, asked: paging.Paging) -> list[Entry]:
        """The entries of the page; the header says how to get the next one."""
        entries = await paging.page(source, asked, paging.MAX_PAGE + 1)
        if len(entries) > paging.MAX_PAGE:
            entries = entries[: paging.MAX_PAGE]
            token = pages.token(entries[-1], self._where)
            self.set_header(self.route.words.page_header, token)
        return entries

    @property
    def _where(self) -> tuple[str, Address]:
        return self.session.account, self.target

    def _write_list(self, shown: list[dict[str, JSON]]) -> None:
        """Answer with a bare array, which Tornado does not write by itself."""
        self.write_json([*shown])
