"""POST and DELETE."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from waterbutler.core import Action, Entry
from waterbutler.core.errors import InvalidRequest
from waterbutler.events import Item
from waterbutler.server.base import JSON_TYPE
from waterbutler.server.errors import message_of, status_of
from waterbutler.server.receive import SmallBody
from waterbutler.server.v1.commands import (
    MAX_DOCUMENT,
    Transfer,
    check_document_size,
    confirms,
    parse_post,
)
from waterbutler.server.v1.handlers import V1Handler
from waterbutler.server.v1.render import Renderer
from waterbutler.service import Outcome, Room

_TOLD_CHILDREN = 10_000
"""How many of the things in a moved folder an event names."""


class TransferHandler(V1Handler):
    """Copies, moves and renames."""

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
        transfer = parse_post(self.target, self._body.data())
        action = transfer.source_action
        self.action = transfer.action
        butler = self.context.butler
        async with butler.enter(self.target.place, action, self.who) as source:
            renderer = self.enter(source, action)
            item = renderer.item(source.path)
            if transfer.folder is None or transfer.target_action is None:
                outcome = await self._run(transfer, source, source, item)
                await self._answer(source, renderer, outcome.entry, 200)
                return
            if not source.path.ids:
                # Where paths have ids, the storage was asked for them and has found it.
                await butler.describe(source)
            enter = butler.enter(transfer.folder, transfer.target_action, self.who)
            async with enter as folder:
                renderer = self.enter(folder, transfer.target_action)
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
            moved = replace(moved, attributes={**moved.attributes, "children": self._children})
        self.note(action, folder, moved, source=item)
        return outcome

    async def _answer(self, room: Room, renderer: Renderer, entry: Entry, status: int) -> None:
        """Show the thing in its new place; a folder with what is directly in it."""
        document = renderer.entry(entry)
        if not entry.is_folder:
            self.write_json({"data": document}, status)
            return
        self.set_status(status)
        self.set_header("Content-Type", JSON_TYPE)
        attributes = document.pop("attributes")
        head = msgspec.json.encode({"data": {**document, "attributes": attributes}})

        def encode(child: Entry) -> bytes:
            shown = renderer.attributes(child)
            if len(self._children) < _TOLD_CHILDREN:
                self._children.append(shown)
            return msgspec.json.encode(shown)

        await self.send_array(
            self.context.butler.list(room, entry.path),
            encode,
            head=head[: -len(b"}}}")] + b',"children":[',
            tail=b"]}}}",
        )


class DeleteHandler(V1Handler):
    """Deletes."""

    async def serve(self) -> None:
        """Delete a file or folder, or empty a root if that was confirmed."""
        path, query = self.target.place.path, self.target.query
        self.action = Action.DELETE.value
        if path.is_root and not confirms(query):
            raise InvalidRequest(
                "This deletes everything in the storage: confirm it with confirm_delete=1."
            )
        butler = self.context.butler
        async with butler.enter(self.target.place, Action.DELETE, self.who) as room:
            renderer = self.enter(room, Action.DELETE)
            await butler.delete(room, self.condition(renderer))
            self.note("delete", room, renderer.item(room.path))
        self.set_status(204)
        await self.finish()
