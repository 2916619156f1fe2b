"""What all handlers of the gateway API share."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property

from waterbutler.core import JSON, Action, Entry, Identity
from waterbutler.core.errors import (
    Archived,
    CheckedOut,
    Forbidden,
    InvalidRequest,
    LengthRequired,
    NotFound,
    ProviderUnavailable,
    RateLimited,
    SamePlace,
    Unauthenticated,
    Unsupported,
    WaterButlerError,
)
from waterbutler.events import Item
from waterbutler.server import cors
from waterbutler.server.base import Handler
from waterbutler.server.context import GatewayServices
from waterbutler.server.errors import MethodNotAllowed, status_of
from waterbutler.server.gateway.ids import TOP, Address, decode
from waterbutler.server.gateway.render import Renderer
from waterbutler.server.gateway.route import Route, parse_query, parse_route
from waterbutler.server.gateway.session import GatewaySession, identity_of, inside
from waterbutler.server.gateway.vocabulary import SEGMENT_HEADER, VOCABULARIES, Operation
from waterbutler.server.rooms import RoomHandler
from waterbutler.service import Room

ALLOW_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
ALLOW_HEADERS = ", ".join(
    (
        cors.ALLOW_HEADERS,
        "X-Upload-Json",
        "HTTP_X_UPLOAD_JSON",
        "X-Gateway-Upload",
        SEGMENT_HEADER,
        "Gateway-Agent",
    )
)
EXPOSE_HEADERS = ", ".join(
    (cors.EXPOSE_HEADERS, *(words.page_header for words in VOCABULARIES), "X-Status", "X-Reason")
)
RETRY_SECONDS = 10
"""How long clients are asked to wait where nobody knows better."""

_AUTHORIZATION = re.compile(r"(?:bearer +)?([A-Za-z0-9._~-]+)", re.IGNORECASE)
_SECRET_URLS = frozenset({Operation.SIGN_OUT})
_LONGEST_REASON = 200

_MEANINGS: dict[type[BaseException], type[WaterButlerError]] = {
    RateLimited: ProviderUnavailable,
    SamePlace: Forbidden,
    CheckedOut: Forbidden,
    Archived: Forbidden,
    Unsupported: Forbidden,
    LengthRequired: InvalidRequest,
}
"""What errors of storages are in this dialect, where they are something else than elsewhere.

429 is kept for this server's own limits, whose error has a class of its own. What a storage cannot
do at all is "not allowed".
"""


class GatewayHandler(RoomHandler):
    """A handler of ``/v2/…`` and ``/gateway/<resource>/<provider>/v2/…``."""

    dialect = "gateway"
    methods = Handler.SUPPORTED_METHODS

    route: Route
    operation: Operation
    session: GatewaySession

    async def begin(self) -> None:
        """Read the URL, and find out who asks."""
        route = parse_route(self.request.uri or "", self.services.prefix)
        if route is None:
            raise NotFound("There is nothing at this URL.")
        self.route = route
        method = self.request.method or ""
        if method not in route.operations:
            raise MethodNotAllowed(method, self.possible())
        self.operation = route.operations[method]
        self.action = self.operation.value
        self.query = parse_query(self.request.uri or "")
        await self.authenticate()

    async def serve(self) -> None:
        """Reached only where `begin` refuses nothing, and then by subclasses only."""
        raise NotFound("There is nothing at this URL.")

    @property
    def services(self) -> GatewayServices:
        """What only this API needs."""
        services = self.context.gateway
        assert services is not None
        return services

    # -- who asks ------------------------------------------------------------------------------

    async def authenticate(self) -> None:
        """Find the session of the request.

        Raises:
            Unauthenticated: It has none, or one that ended or is not for this URL.
        """
        match = _AUTHORIZATION.fullmatch(self.request.headers.get("Authorization", "").strip())
        found = await self.services.tokens.open(match[1]) if match else None
        if found is None:
            raise Unauthenticated("Sign in, or refresh the access token.")
        self.session = GatewaySession.open(found.secret)
        if self.route.root not in {TOP, self.session.root}:
            raise Unauthenticated("The access token is not for this URL.")

    @property
    def caller(self) -> str | None:
        """See `Handler.caller`: the account of the session, where there is one."""
        return self.session.account if hasattr(self, "session") else None

    @property
    def who(self) -> Identity:
        """See `RoomHandler.who`: the user that the session is of."""
        return identity_of(self.session.token, self.identity())

    # -- what is asked for ---------------------------------------------------------------------

    def address(self, id: str) -> Address:
        """What an id stands for; nothing and the root's own id stand for the root.

        Raises:
            NotFound: There is no such id, or it lies outside of what the session sees.
        """
        if not id:
            return self.session.root
        address = decode(id)
        if not self.session.root.contains(address):
            raise NotFound("There is no such file or folder.")
        return address

    @cached_property
    def target(self) -> Address:
        """What the id of the URL stands for."""
        return self.address(self.route.id)

    @asynccontextmanager
    async def visit(self, address: Address, action: Action) -> AsyncIterator[Room]:
        """Enter a storage to do something.

        What does not exist is told to everybody who may look: only then it counts that something
        must not be changed.

        Raises:
            Forbidden: Also for changes above the storages.
            NotFound: There is nothing at a place that must not be changed.
        """
        if address.is_virtual:
            await inside(self.context, address, self.who)
            raise Forbidden("Nothing can be changed here, above the storages.")
        entering = self.context.butler.enter(address.place, action, self.who)
        try:
            async with entering as room:
                self.enter(room, action)
                if action.writes and not room.provider.capabilities.write:
                    await self.context.butler.describe(room)
                    raise Forbidden("This storage is read-only.")
                yield room
        except WaterButlerError as error:
            if action.writes and status_of(error) == 403:
                await self._miss(address)
            raise

    async def require(self, room: Room, *, folder: bool) -> None:
        """Refuse a room that is of the other kind, or a folder that is not there.

        Raises:
            NotFound: There is nothing.
            InvalidRequest: It is of the other kind.
        """
        path = room.path
        known = path.is_root or path.id is not None
        if path.is_folder != folder or (folder and not known):
            await self.context.butler.describe(room)
        if path.is_folder != folder:
            what = "a file; only folders hold" if folder else "a folder; only files have"
            raise InvalidRequest(f"This is {what} something.")

    def shown(self, room: Room, entry: Entry) -> dict[str, JSON]:
        """The metadata of something in a room."""
        return Renderer(self.route.words, self.session.root, room).entry(entry)

    def item(self, room: Room, entry: Entry | None = None) -> Item:
        """A room's thing, or something else in it, as events name it."""
        path = room.path if entry is None else entry.path
        return RoomHandler.renderer(room, self.context.options.domain).item(path, entry)

    async def _miss(self, address: Address) -> None:
        """Raise `NotFound` if who may look sees that nothing is there."""
        entering = self.context.butler.enter(address.place, Action.METADATA, self.who)
        try:
            async with entering as room:
                await self.context.butler.describe(room)
        except NotFound:
            raise
        except WaterButlerError:
            return

    # -- answers -------------------------------------------------------------------------------

    @property
    def logged_path(self) -> str:
        """See `Handler.logged_path`; tokens are not logged."""
        path = self.request.path
        route = parse_route(self.request.uri or "", self.services.prefix)
        if route is not None and not _SECRET_URLS.isdisjoint(route.operations.values()):
            return path.rpartition("/")[0] + "/…" if route.id else path
        return path

    def set_default_headers(self) -> None:
        """See `Handler.set_default_headers`."""
        super().set_default_headers()
        if "Access-Control-Allow-Origin" in self._headers:
            self.set_header("Access-Control-Allow-Headers", ALLOW_HEADERS)
            self.set_header("Access-Control-Expose-Headers", EXPOSE_HEADERS)

    def possible(self) -> tuple[str, ...]:
        """See `Handler.possible`: the methods of the endpoint."""
        route = parse_route(self.request.uri or "", self.services.prefix)
        return tuple(route.operations) if route is not None else ("GET", "HEAD")

    def preflight(self) -> dict[str, str]:
        """See `Handler.preflight`; this API has more verbs."""
        found = super().preflight()
        if "Access-Control-Allow-Methods" in found:
            found["Access-Control-Allow-Methods"] = ALLOW_METHODS
        return found

    def _write_failure(self, error: BaseException) -> None:
        super()._write_failure(of_storage(error))

    def write_failure(self, status: int, message: str, error: BaseException) -> None:  # noqa: ARG002
        """Errors have a small body, and headers that old clients read."""
        self.set_header("X-Status", str(status))
        self.set_header("X-Reason", _in_header(message))
        if status in {429, 503} and "Retry-After" not in self._headers:
            self.set_header("Retry-After", str(RETRY_SECONDS))
        self.write_json({"code": status, "message": message}, status)


def of_storage(error: BaseException) -> BaseException:
    """An error of a storage as this dialect means it; all others as they are."""
    kind = _MEANINGS.get(type(error))
    if kind is None or not isinstance(error, WaterButlerError):
        return error
    # With a 403 it would mean that this upload or download is refused for so long.
    wait = error.retry_after if kind is ProviderUnavailable else None
    return kind(error.message, path=error.path, retry_after=wait)


def _in_header(message: str) -> str:
    """A message as a header can hold it: ASCII, on one line."""
    line = re.sub(r"[^ -~]", "?", message)
    return line[:_LONGEST_REASON]
