"""New folders, new names, new places, deletions."""

from __future__ import annotations

from waterbutler.core import Action, Conflict
from waterbutler.core.errors import Forbidden, InvalidRequest, NotFound
from waterbutler.server.gateway.documented import DocumentHandler
from waterbutler.server.gateway.documents import Document, wanted_name
from waterbutler.server.gateway.ids import Address
from waterbutler.server.gateway.session import inside
from waterbutler.server.gateway.vocabulary import Operation
from waterbutler.service import Room, always


class ChangeHandler(DocumentHandler):
    """What changes one file or folder without sending a file."""

    async def serve(self) -> None:
        """Do what is asked for."""
        if self.operation is Operation.DELETE:
            await self._delete()
            return
        document = self.document()
        if self.operation is Operation.MAKE_FOLDER:
            await self._make_folder(document)
        elif self.operation is Operation.RENAME:
            await self._rename(document)
        else:
            await self._move(document)

    async def _make_folder(self, document: Document) -> None:
        words = self.route.words
        name = wanted_name(document.required(words.name))
        document.moment(words.modified)
        async with self.visit(self.target, Action.CREATE_FOLDER) as room:
            await self.require(room, folder=True)
            entry = await self.context.butler.make_folder(room, name)
            self.note("create_folder", room, self.item(room, entry))
            self.write_json(self.shown(room, entry))

    async def _delete(self) -> None:
        await self._refuse_root("deleted")
        async with self.visit(self.target, Action.DELETE) as room:
            await self.context.butler.delete(room, always)
            self.note("delete", room, self.item(room))
            self.write_json({})

    async def _rename(self, document: Document) -> None:
        words, butler = self.route.words, self.context.butler
        name = wanted_name(document.required(words.new_name))
        old = document.text(words.old_name) if words.old_name else None
        await self._refuse_root("renamed")
        async with self.visit(self.target, Action.RENAME) as room:
            entry = await butler.describe(room)
            if old is not None and old != room.path.name:
                raise InvalidRequest("The old name is another one.")
            if name != room.path.name:
                source = self.item(room)
                entry = (await butler.rename(room, name, Conflict.WARN)).entry
                self.note("move", room, self.item(room, entry), source=source)
            self.write_json(self.shown(room, entry))

    async def _move(self, document: Document) -> None:
        words, butler = self.route.words, self.context.butler
        wanted = document.required(words.new_parent)
        old = document.text(words.old_parent) if words.old_parent else None
        await self._refuse_root("moved")
        async with self.visit(self.target, Action.MOVE_FROM) as source:
            entry = await butler.describe(source)
            here = self._parent(source)
            if old is not None and self._known(old) != here:
                raise InvalidRequest("The old parent is another one.")
            to = self.address(wanted)
            async with self.visit(to, Action.MOVE_TO) as folder:
                await self.require(folder, folder=True)
                if to != here:
                    item = self.item(source)
                    entry = (await butler.move(source, folder, None, Conflict.WARN)).entry
                    self.note("move", folder, self.item(folder, entry), source=item)
                self.write_json(self.shown(folder, entry))

    async def _refuse_root(self, done: str) -> None:
        """Keep everything from the roots of storages up."""
        if self.target.is_virtual:
            await inside(self.context, self.target, self.who)
        elif self.target.is_mount:
            async with self.visit(self.target, Action.METADATA):
                pass
        else:
            return
        raise Forbidden(f"A root cannot be {done}.")

    def _parent(self, room: Room) -> Address:
        """The folder that a room's thing is in."""
        place = room.place
        return Address(place.resource, place.mount, room.provider.wire_path(room.path.parent))

    def _known(self, id: str) -> Address | None:
        try:
            return self.address(id)
        except NotFound:
            return None
