"""PUT."""

from __future__ import annotations

import asyncio

from waterbutler.core import Entry
from waterbutler.core.actions import Action
from waterbutler.core.errors import TooLarge
from waterbutler.server import digests
from waterbutler.server.receive import BodyIntake, interrupted
from waterbutler.server.v1.commands import Put, parse_put
from waterbutler.server.v1.handlers import V1Handler
from waterbutler.service import Upload


class UploadHandler(V1Handler):
    """New files, new contents of files, new folders.

    The storage takes the body while it arrives. Everything that can refuse an upload is asked
    before the first byte is taken.
    """

    _put: Put
    _intake: BodyIntake | None = None
    _task: asyncio.Task[tuple[Entry, bool]] | None = None

    async def begin(self) -> None:
        """Decide whether the body is wanted, and start storing it."""
        await super().begin()
        chunked = "Transfer-Encoding" in self.request.headers
        self._put = parse_put(self.target, size=self.declared_size, chunked=chunked)
        self.action = self._put.action.value
        self._check_size(self.declared_size or 0)
        if self._put.action is Action.CREATE_FOLDER:
            return
        self._intake = BodyIntake(None if chunked else self._put.size)
        promised = digests.expected(self.request.headers)
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._upload(self._intake, promised, ready))
        self._task.add_done_callback(lambda _: _set(ready))
        await ready
        if self._task.done():
            await self._task

    async def receive(self, chunk: bytes) -> None:
        """Hand a chunk to the storage."""
        self._check_size(self.received)
        if self._intake is not None:
            if self._task is not None and self._task.done():
                await self._task
            await self._intake.feed(chunk)

    async def serve(self) -> None:
        """The body is complete: wait for the storage, and answer."""
        if self._task is None or self._intake is None:
            await self._make_folder()
            return
        self._intake.end()
        entry, created = await self._task
        assert self._renderer is not None
        self.write_json({"data": self._renderer.entry(entry)}, 201 if created else 200)

    def refused(self) -> None:
        """The storage does not wait for a body that will not come."""
        self._give_up()

    def on_connection_close(self) -> None:
        """The client went away: the storage is told, so that nothing of the body stays."""
        super().on_connection_close()
        self._give_up()

    def on_finish(self) -> None:
        """Nothing goes on after the answer."""
        super().on_finish()
        self._give_up()

    async def _make_folder(self) -> None:
        butler, action = self.context.butler, self._put.action
        async with butler.enter(self.target.place, action, self.who) as room:
            renderer = self.enter(room, action)
            entry = await butler.make_folder(room, self._put.name or "")
            self.note("create_folder", room, renderer.item(entry.path, entry))
            self.write_json({"data": renderer.entry(entry)}, 201)

    async def _upload(
        self, intake: BodyIntake, promised: dict[str, bytes], ready: asyncio.Future[None]
    ) -> tuple[Entry, bool]:
        butler, action = self.context.butler, self._put.action
        with self.context.state.working():
            try:
                async with butler.enter(self.target.place, action, self.who) as room:
                    renderer = self.enter(room, action)
                    condition = self.condition(renderer)
                    upload: Upload = await butler.begin_upload(room, self._put.name, condition)
                    _set(ready)
                    body = digests.verified(intake.stream, promised)
                    entry = await butler.finish_upload(upload, body, condition)
                    happened = "create" if upload.created else "update"
                    self.note(happened, room, renderer.item(entry.path, entry))
                    return entry, upload.created
            finally:
                intake.ignore()

    def _check_size(self, size: int) -> None:
        limit = self.context.options.max_upload_size
        if limit is not None and size > limit:
            raise TooLarge(f"This server takes files of at most {limit} bytes.")

    def _give_up(self) -> None:
        """Fail the body of an upload that still waits for it."""
        if self._task is None or self._task.done() or self._intake is None:
            return
        self._intake.fail(interrupted())
        self._task.cancel()
        self._task.add_done_callback(_retrieve)


def _retrieve(task: asyncio.Task[tuple[Entry, bool]]) -> None:
    """Take note of how an abandoned upload ended; nobody else will."""
    if not task.cancelled():
        task.exception()


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
