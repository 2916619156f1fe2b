"""What handlers share that are about a place in a storage, whatever their dialect."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlsplit

from waterbutler.core import Action, Entry, Identity
from waterbutler.core.errors import AlreadyExists
from waterbutler.events import DOWNLOADS, Event, Item, Origin
from waterbutler.server import conditions
from waterbutler.server.query import Query
from waterbutler.server.respond import StreamHandler
from waterbutler.server.v1.render import Renderer
from waterbutler.service import Condition, Room, always

_READS = frozenset({"GET", "HEAD"})
_RENDERS = "X-Cos-Mfr-Render-Request"


class RoomHandler(StreamHandler):
    """A handler that enters places of storages, and tells what happened there.

    A dialect's base class sets `query` in `begin`, before anything is entered.
    """

    renderer: ClassVar[type[Renderer]] = Renderer
    """How the dialect shows files and folders."""

    query: Query
    _renderer: Renderer | None = None
    _happened: Event | None = None

    @property
    def who(self) -> Identity:
        """The identity of the request, with what it says in its query."""
        query = self.query
        return self.identity(
            cookie=query.get("cookie") or None, view_only=query.first("view_only") or None
        )

    def enter(self, room: Room, action: Action) -> Renderer:
        """Note who is where, for the log and for errors; gives what renders the entries."""
        self.action = action.value
        self.user = room.grant.user
        self.storage = f"{room.place.resource}/{room.place.mount}"
        self._renderer = self.renderer(room, self.context.options.domain)
        return self._renderer

    async def make_folder(self, room: Room, name: str) -> None:
        """Answer with the new folder in a room that was entered."""
        renderer = self.enter(room, Action.CREATE_FOLDER)
        entry = await self.context.butler.make_folder(room, name)
        self.note("create_folder", room, renderer.item(entry.path, entry))
        self.write_json(renderer.document(entry), 201)

    def note(
        self,
        action: str,
        room: Room,
        item: Item,
        *,
        source: Item | None = None,
        version: str | None = None,
        errors: tuple[str, ...] = (),
    ) -> None:
        """Tell, after the answer, what happened in a room.

        Of downloads it is told only if all of the file, or a link to it, was sent. Of changes it
        is told also if the client did not wait for the answer.
        """
        headers = self.request.headers
        origin = Origin(
            method=self.request.method or "",
            url=self.request.full_url(),
            referrer=headers.get("Referer"),
            user_agent=headers.get("User-Agent"),
            renders=_RENDERS in headers
            or _is_page_of(headers.get("Referer", ""), self.context.options.mfr_url),
            id=self.request_id,
        )
        self._happened = Event(
            action=action,
            user=room.grant.user,
            item=item,
            source=source,
            version=version or None,
            origin=origin,
            callback_url=room.grant.callback_url,
            errors=errors,
        )
        if source is not None:
            self.told = {"to": f"{item.resource}/{item.provider}{item.materialized}"}
        if self._left:
            self._tell()

    def on_finish(self) -> None:
        """See `Handler.on_finish`; a download is complete."""
        complete = self.get_status() in {200, 302}
        if self._happened is not None and self._happened.action in DOWNLOADS and not complete:
            self._happened = None
        self._tell()
        super().on_finish()

    def _leave(self) -> None:
        super()._leave()
        if self._happened is not None and self._happened.action not in DOWNLOADS:
            self._tell()

    def _tell(self) -> None:
        event, self._happened = self._happened, None
        if event is not None:
            self.context.events.emit(event)

    def condition(self, renderer: Renderer) -> Condition:
        """The condition that the headers of a write make."""
        headers = self.request.headers
        if not conditions.is_conditional_write(headers):
            return always

        def check(entry: Entry | None) -> None:
            etag = renderer.etag(entry) if entry is not None else None
            conditions.check_write(headers, entry, etag)

        return check

    def possible(self) -> tuple[str, ...]:
        """See `Handler.possible`: where nothing can be written, only reading makes sense."""
        reads = tuple(method for method in self.methods if method in _READS)
        if reads and self._renderer is not None and not self._renderer.writable:
            return reads
        return self.methods

    def write_failure(self, status: int, message: str, error: BaseException) -> None:
        """Conflicts show what has the name, as the dialect shows everything."""
        if not isinstance(error, AlreadyExists):
            super().write_failure(status, message, error)
            return
        entry: Entry | None = error.entry
        data: Any = None
        if entry is not None and self._renderer is not None:
            data = self._renderer.entry(entry)
        self.write_json({"code": status, "message": message, "data": data}, status)


def _is_page_of(page: str, site: str) -> bool:
    """Whether an address is one of a site."""
    if not page or not site:
        return False
    try:
        one, other = urlsplit(page), urlsplit(site)
    except ValueError:
        return False
    return (one.scheme, one.netloc) == (other.scheme, other.netloc)
