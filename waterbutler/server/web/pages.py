"""What all pages share: how they are written, how errors look, and which forms are believed."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FsPath
from types import MappingProxyType

import msgspec
from tornado.template import Loader

from waterbutler.auth import COOKIE
from waterbutler.core import ANONYMOUS, ROOT, Action, Entry, Identity, Path
from waterbutler.core.errors import AlreadyExists, BadPath, Forbidden, PreconditionFailed
from waterbutler.server.query import Query
from waterbutler.server.respond import FileHandler
from waterbutler.server.v1.render import Renderer
from waterbutler.server.web import wording
from waterbutler.server.web.links import HOME, Links
from waterbutler.server.web.static import static_url
from waterbutler.service import Condition, Room

HTML_TYPE = "text/html; charset=UTF-8"
VISITOR = "waterbutler_visitor"
"""The name of the cookie that the forms of who is not signed in are bound to."""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    # Not no-referrer: with it browsers hide the origin of our own forms from us.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_CORS = (
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Credentials",
    "Access-Control-Allow-Headers",
    "Access-Control-Expose-Headers",
)
_TITLES = {
    400: "That did not work",
    401: "Please sign in",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible here",
    409: "The name is taken",
    412: "It has changed",
    413: "Too large",
    429: "Too many requests",
    507: "No room left",
}
_INSIDE = frozenset({Action.CREATE_FILE, Action.CREATE_FOLDER})
"""Actions in the folder of the URL; others are about what is in the folder above."""
_NOTHING: Mapping[str, object] = MappingProxyType({})
_WEIGHT = re.compile(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", re.IGNORECASE)

_templates = Loader(str(FsPath(__file__).parent / "templates"), autoescape="xhtml_escape")


@dataclass(frozen=True, slots=True)
class Retry:
    """The form that an error page shows again.

    Attributes:
        form: ``upload``, ``new-folder`` or ``rename``.
        action: The URL that the form is sent to.
        name: The name that was tried.
    """

    form: str
    action: str
    name: str

    @property
    def another(self) -> str:
        """A name to offer instead, where there can be one."""
        try:
            return Path((self.name,), is_folder=False).candidate(1).name
        except BadPath:
            return self.name


class PageHandler(FileHandler):
    """A handler whose answers are for people.

    Pages are never shown to other origins' scripts, so what they hold (tokens of forms) is safe
    from them. A form counts if it comes from this origin, as far as the browser says, and carries
    the token that belongs to the session, or to the visitor where nobody is signed in.
    """

    dialect = "page"
    methods = ("GET", "HEAD", "POST")

    query = Query("")
    links = Links(None)
    """Makes links that keep the key of a view-only link."""
    back = HOME
    """Where a person goes from an error."""
    onward = HOME
    """Where a person goes after signing in."""
    room: Room | None = None
    retry: Retry | None = None
    _new_visitor = ""
    _believed = ""
    _above = ROOT

    async def begin(self) -> None:
        """Read the query, refuse forms of other sites, and see who is there."""
        self.query = Query((self.request.uri or "").partition("?")[2])
        self.links = Links(self.query.first("view_only"))
        self.back = self.links.home()
        if self.request.method == "POST":
            self._check_site()
        self.user = await self.context.auth.identify(self.who) or ANONYMOUS

    @property
    def who(self) -> Identity:
        """The identity of the request, with the token of a form that is believed."""
        identity = self.identity(view_only=self.links.view_only)
        return (
            msgspec.structs.replace(identity, csrf_token=self._believed)
            if self._believed
            else identity
        )

    def enter(self, room: Room, action: Action) -> None:
        """Note who is where, for the page, for the log and for errors."""
        self.action = action.value
        self.user = room.grant.user
        self.storage = f"{room.place.resource}/{room.place.mount}"
        self.room = room
        above = room.path if room.path.is_root or action in _INSIDE else room.path.parent
        self._above = room.provider.wire_path(above)
        self.back = self.links.at(room.place, self._above)

    def etag_of(self, entry: Entry) -> str:
        """See `FileHandler.etag_of`."""
        assert self.room is not None
        return Renderer(self.room, self.context.options.domain).etag(entry)

    def unchanged(self, etag: str) -> Condition:
        """The condition that something still is as a form showed it."""

        def check(entry: Entry | None) -> None:
            if entry is None or self.etag_of(entry) != etag:
                raise PreconditionFailed(
                    "It was changed after the page was shown. Look at it again, then decide."
                )

        return check

    # -- forms ---------------------------------------------------------------------------------

    def csrf_token(self) -> str:
        """What the forms of this page carry; gives a visitor a cookie to bind it to."""
        if self.origin is not None and not self.own_origin:
            return ""
        basis = self._csrf_basis() or self._new_visitor
        if not basis:
            basis = self._new_visitor = secrets.token_urlsafe(16)
            self.keep_cookie(VISITOR, basis)
        return self.context.sessions.csrf_token(basis)

    def believe(self, token: str | None) -> None:
        """Believe a form if it is one that this browser was given.

        Args:
            token: The token that came with the form.

        Raises:
            Forbidden: It is not.
        """
        basis = self._csrf_basis()
        if not basis or not token or not self.context.sessions.csrf_matches(basis, token):
            raise Forbidden("The form is out of date. Go back, reload the page, and try again.")
        self._believed = token

    def keep_cookie(self, name: str, value: str, max_age: int | None = None) -> None:
        """Set a cookie that scripts cannot read and other sites' forms do not send.

        Args:
            name: Its name.
            value: Its value.
            max_age: Seconds until it ends; ``None``: with the browser.
        """
        self.set_cookie(name, value, max_age=max_age, secure=self._is_secure)

    def drop_cookie(self, name: str) -> None:
        """Make the browser forget a cookie."""
        self.set_cookie(name, "", max_age=0, secure=self._is_secure)

    @property
    def _is_secure(self) -> bool:
        """Whether browsers reach this server by HTTPS."""
        domain = self.context.options.domain
        return self.request.protocol == "https" or domain.startswith("https:")

    def go(self, url: str) -> None:
        """Send the browser on, with a GET."""
        self.set_status(303)
        self.set_header("Location", url)

    def show_done(self, code: str) -> None:
        """After a change: show the folder that it was made in, with a sentence about it."""
        assert self.room is not None
        self.go(self.links.at(self.room.place, self._above, {"done": code}))

    def _csrf_basis(self) -> str:
        cookies = self.identity().cookies
        return cookies.get(COOKIE) or cookies.get(VISITOR, "")

    def _check_site(self) -> None:
        site = self.request.headers.get("Sec-Fetch-Site", "none")
        foreign = self.origin is not None and not self.own_origin
        if foreign or site not in {"same-origin", "none"}:
            raise Forbidden("This form was sent from another site.")

    # -- answers -------------------------------------------------------------------------------

    def set_default_headers(self) -> None:
        """See `Handler.set_default_headers`; pages are for no other origin."""
        super().set_default_headers()
        for name in _CORS:
            self.clear_header(name)
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    def write_page(
        self, template: str, values: Mapping[str, object] = _NOTHING, status: int = 200
    ) -> None:
        """Answer with a page.

        Args:
            template: The template's file.
            values: What it shows besides what all pages show.
            status: The status.
        """
        self.set_status(status)
        self.set_header("Content-Type", HTML_TYPE)
        common: dict[str, object] = {
            "csrf_token": self.csrf_token,
            "exact_size": wording.exact_size,
            "links": self.links,
            "machine_time": wording.machine_time,
            "onward": self.onward,
            "shown_clock": wording.shown_clock,
            "shown_date": wording.shown_date,
            "shown_name": wording.shown_name,
            "shown_size": wording.shown_size,
            "signs_in": self.context.accounts is not None,
            "static_url": static_url,
            "user": self.user,
        }
        body = _templates.load(template).generate(**{**common, **values})
        self.sent += len(body)
        self.write(body)

    def write_failure(self, status: int, message: str, error: BaseException) -> None:
        """Say it in words to who wants words; everybody else gets JSON."""
        if not prefers_html(self.request.headers.get("Accept", "")):
            super().write_failure(status, message, error)
            return
        taken = error.entry if isinstance(error, AlreadyExists) else None
        self.write_page(
            "error.html",
            {
                "back": self.back,
                "message": message,
                "other_name": self.retry.another if self.retry else "",
                "request_id": self.request_id if status >= 500 else "",
                "retry": self.retry if status in {400, 409} else None,
                "status": status,
                "taken": taken,
                "taken_tag": self.etag_of(taken) if taken and self.room else "",
                "taken_url": self._url_of(taken) if taken else "",
                "title": _TITLES.get(status, "Something went wrong"),
            },
            status,
        )

    def _url_of(self, entry: Entry) -> str:
        if self.room is None:
            return ""
        return self.links.at(self.room.place, self.room.provider.wire_path(entry.path))


def prefers_html(accept: str) -> bool:
    """Whether an ``Accept`` header names HTML, and JSON not or with less weight."""
    weights: dict[str, float] = {}
    for member in accept.split(","):
        kind, *parameters = member.split(";")
        found = [match for match in map(_WEIGHT.fullmatch, parameters) if match]
        weights[kind.strip().lower()] = float(found[0][1]) if found else 1.0
    return weights.get("text/html", 0.0) > weights.get("application/json", 0.0)
