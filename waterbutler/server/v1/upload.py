"""PUT."""

from __future__ import annotations

from waterbutler.core import Action
from waterbutler.server.uploads import BodyHandler
from waterbutler.server.v1.commands import Put, parse_put
from waterbutler.server.v1.handlers import V1Handler
from waterbutler.service import Condition, Room, Upload


class UploadHandler(BodyHandler, V1Handler):
    """New files, new contents of files, new folders."""

    _put: Put

    async def begin(self) -> None:
        """Decide whether the body is wanted, and start storing it."""
        await super().begin()
        self._put = parse_put(self.target, body=self.chunked or bool(self.declared_size))
        self.action = self._put.action.value
        if self._put.action is not Action.CREATE_FOLDER:
            await self.take(self.target.place, self._put.action, self._begin_upload)

    async def serve(self) -> None:
        """The body is complete: answer with what is there now."""
        if self._put.action is not Action.CREATE_FOLDER:
            await self.answer_stored()
            return
        enter = self.context.butler.enter(self.target.place, self._put.action, self.who)
        async with enter as room:
            await self.make_folder(room, self._put.name or "")

    async def _begin_upload(self, room: Room, condition: Condition) -> Upload:
        return await self.context.butler.begin_upload(room, self._put.name, condition)
