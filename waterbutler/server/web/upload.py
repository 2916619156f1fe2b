"""Files that are sent with a form."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from waterbutler.core import Action, ByteStream, check_name
from waterbutler.core.errors import InvalidRequest, TooLarge
from waterbutler.server.incoming import Incoming
from waterbutler.server.receive import interrupted
from waterbutler.server.v1.commands import Target
from waterbutler.server.web.links import parse_target
from waterbutler.server.web.multipart import Event, Field, FileData, FileEnd, FileStart, FormReader
from waterbutler.server.web.pages import PageHandler, Retry
from waterbutler.service import always

_FIELDS = frozenset({"csrf", "name", "tag"})


class UploadHandler(PageHandler):
    """POST of a form with files to ``/files/…``.

    To a folder: each file is new in it. To a file: its new content.

    The storage takes each file while it arrives; the fields that decide about it come first. What
    was stored stays when a later file of the same form is refused, and the answer says so.
    """

    target: Target
    _file: Incoming[None] | None = None
    _file_size = 0
    _stored: tuple[str, ...] = ()

    async def begin(self) -> None:
        """Read the target."""
        await super().begin()
        self.target = parse_target(self.request.uri or "")
        self._form = FormReader(self.request.headers.get("Content-Type", ""))
        self._fields: dict[str, str] = {}

    async def receive(self, chunk: bytes) -> None:
        """Hand the files in a chunk to the storage."""
        for event in self._form.feed(chunk):
            await self._take(event)

    async def serve(self) -> None:
        """The form is complete: show the folder."""
        if not self._form.complete:
            raise InvalidRequest("The form ends in the middle.")
        if not self._stored:
            raise InvalidRequest("No file was chosen. Go back, and choose one.")
        self.show_done("uploaded" if self.target.place.path.is_folder else "replaced")

    def write_failure(self, status: int, message: str, error: BaseException) -> None:
        """See `PageHandler.write_failure`; says what was stored before."""
        if self._stored:
            message += f" Uploaded before that: {', '.join(self._stored)}."
        super().write_failure(status, message, error)

    def on_connection_close(self) -> None:
        """The browser went away: the storage is told, so that nothing of the file stays."""
        super().on_connection_close()
        self.refused()

    def on_finish(self) -> None:
        """Nothing goes on after the answer."""
        super().on_finish()
        self.refused()

    def refused(self) -> None:
        """The rest of the form will not be read: nothing of the file stays."""
        if self._file is not None:
            self._file.give_up(interrupted())

    async def _take(self, event: Event) -> None:
        if isinstance(event, Field):
            if event.name in _FIELDS:
                self._fields[event.name] = event.value
        elif isinstance(event, FileStart):
            await self._open(event)
        elif self._file is None:
            return
        elif isinstance(event, FileData):
            self._file_size += len(event.chunk)
            self._check_size()
            await self._file.feed(event.chunk)
        elif isinstance(event, FileEnd):
            await self._file.finish()
            self._file = None

    async def _open(self, start: FileStart) -> None:
        if not start.name:
            return
        self.believe(self._fields.get("csrf"))
        name: str | None = None
        if self.target.place.path.is_folder:
            name = self._fields.get("name") or start.name
            self.retry = Retry("upload", self.links.at(self.target.place), name)
            check_name(name)
        elif self._stored:
            raise InvalidRequest("A file is replaced by one file.")
        self._file_size = 0
        self._file = Incoming(partial(self._store, name, self._promised_size(start)))
        await self._file.start()

    async def _store(
        self, name: str | None, size: int | None, body: ByteStream, ready: Callable[[], None]
    ) -> None:
        action = Action.UPDATE_FILE if name is None else Action.CREATE_FILE
        butler, tag = self.context.butler, self._fields.get("tag")
        with self.context.state.working():
            async with butler.enter(self.target.place, action, self.who) as room:
                self.enter(room, action)
                if not room.provider.capabilities.unknown_size:
                    body.size = size
                condition = self.unchanged(tag) if tag and name is None else always
                upload = await butler.begin_upload(room, name, condition)
                ready()
                entry = await butler.finish_upload(upload, body, condition)
        self._stored += (entry.name,)

    def _promised_size(self, start: FileStart) -> int | None:
        """How large a file is if it is the last thing in the form."""
        if start.position is None:
            return 0
        if self.declared_size is None:
            return None
        return max(self.declared_size - start.position - self._form.closing_size, 0)

    def _check_size(self) -> None:
        limit = self.context.options.max_upload_size
        if limit is not None and self._file_size > limit:
            raise TooLarge(f"This server takes files of at most {limit} bytes.")
