"""Copies, moves, renames and deletions, whatever the dialect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from waterbutler.core import Action, Entry, Identity
from waterbutler.core.errors import InvalidRequest
from waterbutler.events import Item
from waterbutler.server.base import JSON_TYPE
from waterbutler.server.documents import MAX_DOCUMENT, TRANSFERS, Transfer, check_document_size
from waterbutler.server.errors import message_of, status_of
from waterbutler.server.receive import SmallBody
from waterbutler.server.rooms import RoomHandler
from waterbutler.server.v1.render import Renderer
from waterbutler.service import Outcome, Place, Room

_TOLD_CHILDREN = 10_000
"""How many of the things in a moved folder an event names."""


class TransferHandler(RoomHandler):
    """Copies, moves and renames; a dialect says how its documents are read."""

    def parse(self, body: bytes) -> Transfer:
        """What the document wants; asks nothing of any storage.

        Raises:
            InvalidRequest: It is not the document that is expected.
        """
        raise NotImplementedError

    def identities(self) -> tuple[Identity, Identity]:
        """Who asks for the source, and who for the destination; known after `parse`."""
        return self.who, self.who

    async def begin(self) -> None:
        """Refuse what is too large to be a document."""
        await super().begin()
        chunked = "Transfer-Encoding" in self.request.headers
        check_document_size(None if chunked else self.declared_size)
        self._body = SmallBody(MAX_DOCUMENT)
        self._children: list[dict[str, Any]] = []

    async def receive(self, chunk: bytes) -> None:
        """Collect the document."""
        self._body.add(chunk)

    async def serve(self) -> None:
        """Do it, and answer with what is there now."""
        transfer = self.parse(self._body.data())
        source_action, target_action = TRANSFERS[transfer.action]
        self.action = transfer.action
        here, there = self.identities()
        butler = self.context.butler
        async with butler.enter(transfer.source, source_action, here) as source:
            renderer = self.enter(source, source_action)
            item = renderer.item(source.path)
            if transfer.folder is None or target_action is None:
                outcome = await self._run(transfer, source, source, item)
                await self._answer(source, renderer, outcome.entry, 200)
                return
            if not source.path.ids:
                # Where paths have ids, the storage was asked for them and has found it.
                await butler.describe(source)
            async with butler.enter(transfer.folder, target_action, there) as target:
                renderer = self.enter(target, target_action)
                folder = target
                if transfer.exact:
                    transfer, folder = replace(transfer, name=target.path.name), target.above
                outcome = await self._run(transfer, source, folder, item)
                status = 201 if outcome.created else 200
                await self._answer(folder, renderer, outcome.entry, status)

    async def _run(self, transfer: Transfer, source: Room, folder: Room, item: Item) -> Outcome:
        """Copy, move or rename, and note what is where now, or what failed."""
        butler, renderer = self.context.butler, Renderer(folder, self.context.options.domain)
        action = "copy" if transfer.action == "copy" else "move"
        name = transfer.name or source.path.name
        try:
            if transfer.folder is None:
                outcome = await butler.rename(source, name, transfer.conflict)
            else:
                operation = butler.copy if action == "copy" else butler.move
                outcome = await operation(source, folder, transfer.name, transfer.conflict)
        except Exception as error:
            status = status_of(error)
            if status >= 500:
                # Nobody can wait for what the host hears: the client may be gone by now.
                parent = source.path.parent if transfer.folder is None else folder.path
                wanted = parent.child(name, folder=source.path.is_folder)
                errors = (message_of(error, status),)
                self.note(action, folder, renderer.item(wanted), source=item, errors=errors)
            raise
        moved = renderer.item(outcome.entry.path, outcome.entry)
        if outcome.entry.is_folder:
            attributes = {**moved.attributes, "children": self._children}
            moved = msgspec.structs.replace(moved, attributes=attributes)
        self.note(action, folder, moved, source=item)
        return outcome

    async def _answer(self, room: Room, renderer: Renderer, entry: Entry, status: int) -> None:
        """Show the thing in its new place; a folder with what is directly in it."""
        if not entry.is_folder:
            self.write_json(renderer.document(entry), status)
            return
        self.set_status(status)
        self.set_header("Content-Type", JSON_TYPE)

        def encode(child: Entry) -> bytes:
            if len(self._children) < _TOLD_CHILDREN:
                self._children.append(renderer.attributes(child))
            return msgspec.json.encode(renderer.child(child))

        head, tail = renderer.around_children(entry)
        children = self.context.butler.list(room, entry.path)
        await self.send_array(children, encode, head=head, tail=tail)


class RemovingHandler(RoomHandler):
    """Deletes."""

    async def remove(self, place: Place, *, confirmed: bool) -> None:
        """Delete a file or folder, or empty a root if that was confirmed; answer with 204.

        Raises:
            InvalidRequest: It is a root, and nobody confirmed it.
        """
        self.action = Action.DELETE.value
        if place.path.is_root and not confirmed:
            raise InvalidRequest(
                "This deletes everything in the storage: confirm it with confirm_delete=1."
            )
        butler = self.context.butler
        async with butler.enter(place, Action.DELETE, self.who) as room:
            renderer = self.enter(room, Action.DELETE)
            await butler.delete(room, self.condition(renderer))
            self.note("delete", room, renderer.item(room.path))
        self.set_status(204)
        self.finish()
