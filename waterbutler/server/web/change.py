"""New folders, new names, deletions."""

from __future__ import annotations

from waterbutler.core import Action, Conflict
from waterbutler.core.errors import InvalidRequest
from waterbutler.server.v1.commands import Target
from waterbutler.server.web.forms import FormHandler
from waterbutler.server.web.links import parse_target
from waterbutler.server.web.pages import Retry
from waterbutler.service import always


class ChangeHandler(FormHandler):
    """POST of a form without files to ``/files/…``."""

    target: Target

    async def begin(self) -> None:
        """Read the target."""
        await super().begin()
        self.target = parse_target(self.request.uri or "")

    async def serve(self) -> None:
        """Do what the form asks for, and show the folder that it was done in."""
        self.read_form()
        wanted = self.fields.get("do")
        if wanted == "new-folder":
            await self._make_folder()
        elif wanted == "rename":
            await self._rename()
        elif wanted == "delete":
            await self._delete()
        else:
            raise InvalidRequest("The form asks for nothing that is known here.")

    async def _make_folder(self) -> None:
        action, name = Action.CREATE_FOLDER, self.fields.get("name", "")
        self.retry = Retry("new-folder", self.links.at(self.target.place), name)
        async with self.context.butler.enter(self.target.place, action, self.who) as room:
            self.enter(room, action)
            await self.context.butler.make_folder(room, name)
            self.show_done("created")

    async def _rename(self) -> None:
        action, name = Action.RENAME, self.fields.get("name", "")
        self.retry = Retry("rename", self.links.at(self.target.place), name)
        async with self.context.butler.enter(self.target.place, action, self.who) as room:
            self.enter(room, action)
            await self.context.butler.rename(room, name, Conflict.WARN)
            self.show_done("renamed")

    async def _delete(self) -> None:
        if self.target.place.path.is_root:
            raise InvalidRequest("The root of a storage cannot be deleted.")
        action, tag = Action.DELETE, self.fields.get("tag")
        async with self.context.butler.enter(self.target.place, action, self.who) as room:
            self.enter(room, action)
            await self.context.butler.delete(room, self.unchanged(tag) if tag else always)
            self.show_done("deleted")
