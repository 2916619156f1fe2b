"""Folders as tables, files as downloads, and the questions before a change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from waterbutler.core import Action, Entry
from waterbutler.core.errors import Forbidden, InvalidRequest, IsAFolder
from waterbutler.server import paging
from waterbutler.server.v1.commands import Target, version_of
from waterbutler.server.web.links import parse_target
from waterbutler.server.web.notices import notice
from waterbutler.server.web.pages import PageHandler
from waterbutler.service import Room

PAGE = 200
"""How many entries a page of a folder shows."""

_FOLDERS_FIRST = paging.Paging(PAGE, None, "kind", descending=False, sorted=True)
_COLUMNS = (("kind", "Name"), ("-size", "Size"), ("-modified", "Modified (UTC)"))
"""The columns, each with the order that its head leads to first."""


@dataclass(frozen=True, slots=True)
class Crumb:
    """A folder on the way to what is shown."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column, with the link that sorts by it."""

    title: str
    url: str
    order: str
    """``ascending``, ``descending`` or empty, as ``aria-sort`` has it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A file or folder with what can be done with it."""

    entry: Entry
    url: str
    rename_url: str
    delete_url: str


class BrowseHandler(PageHandler):
    """GET and HEAD of ``/files/…``."""

    target: Target

    async def begin(self) -> None:
        """Read the target."""
        await super().begin()
        self.onward = self.request.path
        self.target = parse_target(self.request.uri or "")

    async def serve(self) -> None:
        """Find out what is wanted, and answer it."""
        place, query = self.target.place, self.target.query
        form = query.get("form")
        action = Action.METADATA
        if form is None and not place.path.is_folder:
            action = Action.DOWNLOAD
        elif form is None and "zip" in query:
            action = Action.ZIP
        version = version_of(query)
        enter = self.context.butler.enter(place, action, self.who, version=version)
        async with enter as room:
            self.enter(room, action)
            if form is not None:
                await self._ask(room, form)
            elif action is Action.METADATA:
                await self._show(room)
            elif self.request.method == "HEAD":
                await self._head(room, version)
            elif action is Action.ZIP:
                await self.send_archive(room)
            else:
                await self._download(room, version)

    async def _download(self, room: Room, version: str | None) -> None:
        try:
            await self.send_download(room, room.path.name, version=version)
        except IsAFolder:
            # The slash at the end is easily forgotten when a URL is written by hand.
            self.set_status(302)
            self.set_header(
                "Location", self.links.at(self.target.place, self.target.place.path.as_folder())
            )

    async def _head(self, room: Room, version: str | None) -> None:
        entry = await self.context.butler.describe(room, version=version)
        if entry.is_folder:
            self.set_header("Content-Type", "application/zip")
        elif self.answered_by_condition(entry):
            return
        else:
            self.file_headers(entry.name, entry)
            if entry.size is not None:
                self.set_header("Content-Length", str(entry.size))
        await self.flush()
        self.finish()

    # -- forms ---------------------------------------------------------------------------------

    async def _ask(self, room: Room, form: str) -> None:
        """Show the form that renames or deletes what the URL points to."""
        if form not in {"rename", "delete"}:
            raise InvalidRequest("There is no such form.")
        if room.path.is_root:
            raise InvalidRequest(f"The root of a storage cannot be {form}d.")
        if not self._may_write(room):
            raise Forbidden("You do not have the right to do this.")
        entry = await self.context.butler.describe(room)
        values = {
            "action": self.links.at(self.target.place),
            "back": self.back,
            "entry": entry,
            "tag": self.etag_of(entry),
        }
        self.write_page(f"{form}.html", values)

    # -- listings ------------------------------------------------------------------------------

    async def _show(self, room: Room) -> None:
        asked = paging.parse_paging(self.target.query)
        asked = replace(asked, size=PAGE) if asked and asked.sorted else _FOLDERS_FIRST
        entries = await paging.page(lambda: self.context.butler.list(room), asked, PAGE + 1)
        following = ""
        if len(entries) > PAGE:
            entries = entries[:PAGE]
            following = self._listing(asked.order, asked.cursor(entries[-1]))
        can, place = room.provider.capabilities, self.target.place
        writable = self._may_write(room)
        values = {
            "action": self.links.at(place),
            "columns": [self._column(order, title, asked) for order, title in _COLUMNS],
            "crumbs": list(self._crumbs(room)),
            "first": self._listing(asked.order) if asked.after is not None else "",
            "following": following,
            "makes_folders": writable and can.make_folder,
            "many_at_once": can.unknown_size,
            "notice": notice(self.target.query),
            "place": place,
            "rows": [self._row(room, entry, writable=writable) for entry in entries],
            "title": room.path.name or place.mount,
            "writable": writable,
            "zip_url": self.links.at(place, parameters={"zip": "1"}),
        }
        self.write_page("folder.html", values)

    def _row(self, room: Room, entry: Entry, *, writable: bool) -> Row:
        path = room.provider.wire_path(entry.path)
        urls = [
            self.links.at(self.target.place, path, {"form": form}) if writable else ""
            for form in ("rename", "delete")
        ]
        return Row(entry, self.links.at(self.target.place, path), *urls)

    def _crumbs(self, room: Room) -> Iterator[Crumb]:
        """The way from the root to the folder that is shown."""
        for path in reversed([room.path, *room.path.ancestors]):
            name = path.name or f"{room.place.resource} / {room.place.mount}"
            yield Crumb(name, self.links.at(room.place, room.provider.wire_path(path)))

    def _column(self, order: str, title: str, asked: paging.Paging) -> Column:
        current = asked.order
        if current.removeprefix("-") != order.removeprefix("-"):
            return Column(title, self._listing(order), "")
        turned = current.removeprefix("-") if asked.descending else f"-{current}"
        direction = "descending" if asked.descending else "ascending"
        return Column(title, self._listing(turned), direction)

    def _listing(self, order: str, after: str = "") -> str:
        parameters = {"sort": order, "page[after]": after} if after else {"sort": order}
        return self.links.at(self.target.place, parameters=parameters)

    @staticmethod
    def _may_write(room: Room) -> bool:
        return room.grant.writable and room.provider.capabilities.write
