"""What every request has in common: an id, its errors, its body, its log line."""

from __future__ import annotations

import os
import time
import uuid
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec
import structlog

from waterbutler.core import ANONYMOUS, JSON, Identity, User
from waterbutler.core.errors import WaterButlerError
from waterbutler.server.context import ServerContext
from waterbutler.server.errors import MethodNotAllowed, body_of, headers_of, message_of, status_of
from waterbutler.server.http1 import Connection, ConnectionLost, Malformed, Request
from waterbutler.server.limits import Counted
from waterbutler.server.patience import Patience
from waterbutler.server.reply import Reply

SERVER = "WaterButler"
JSON_TYPE = "application/json; charset=UTF-8"
CSRF_HEADER = "X-CSRFToken"

_SMALL_BODY = 1 << 18
"""A refused body up to this size is read first and answered then, and the connection stays."""
CLIENT_GONE = 499
"""The status of a request that nobody was left to answer, in logs and metrics only."""

_RELAYED = ("X-Cos-Mfr-Render-Request", "X-OSF-OTP")
"""Headers that an auth handler may relay to its host."""


_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler.request")


class _Ids:
    """Random UUIDs (version 4), made many at a time."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Forget what is there: two processes must not go on with the same ones."""
        self._made: list[str] = []

    def next(self) -> str:
        if not self._made:
            drawn = os.urandom(16 * 64)
            self._made = [_uuid(drawn[start : start + 16]) for start in range(0, len(drawn), 16)]
        return self._made.pop()


def _uuid(drawn: bytes) -> str:
    return str(uuid.UUID(bytes=drawn, version=4))


_ids = _Ids()
os.register_at_fork(after_in_child=_ids.renew)


class Handler(Reply):
    """Base of all handlers.

    A subclass implements `begin`, which runs when the headers are there, `receive` for chunks of
    the body, and `serve`, which runs when the body is complete. Any of them may raise.

    An error in `begin` is answered so that the client can read it. A client that waits for
    ``100 Continue`` gets it at once. Any other client is still sending, and closing the connection
    on it would make it lose the answer: so the answer is sent, what still comes is thrown away up
    to a limit, and only then the connection is closed.
    """

    SUPPORTED_METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH")
    dialect: ClassVar[str] = "server"
    methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD")
    limit: ClassVar[str] = ""
    """The limit that requests count for, where it is not the dialect's own."""

    def __init__(self, request: Request, connection: Connection, context: ServerContext) -> None:
        self.context = context
        self.counted: Counted | None = None
        self.action = "none"
        self.user: User = ANONYMOUS
        self.storage = ""
        self.told: dict[str, str] = {}
        self.sent = 0
        self.received = 0
        self.request_id = _ids.next()
        """The id of this request, in its answer and in the log."""
        self._start = time.perf_counter()
        self._refusal: BaseException | None = None
        self._answered = False
        self._failure = ""
        self._left = False
        self.patience = Patience(self._give_up_on_client, context.options.stall_seconds)
        super().__init__(request, connection)
        context.state.enter()
        context.metrics.active.inc()

    # -- life of a request ---------------------------------------------------------------------

    async def begin(self) -> None:
        """The headers are there; decide whether the body is wanted."""

    async def receive(self, chunk: bytes) -> None:
        """Take a chunk of the body; the default drops it."""

    async def serve(self) -> None:
        """The body is complete; answer."""
        raise NotImplementedError

    def refused(self) -> None:
        """The rest of the body will be thrown away; let go of what waits for it."""

    async def run(self) -> None:
        """See `waterbutler.server.http1.connection.Exchange.run`."""
        try:
            await self._prepare()
            if not self.connection.has_read_all:
                await self._take_body()
            if not self._finished:
                await self._respond()
        except ConnectionLost:
            # What `begin` made after the client had left was not told yet.
            self.on_connection_close()
        except Malformed:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is told
            self._fail(error)
        finally:
            # Its frames hold this handler.
            self._refusal = None

    async def _prepare(self) -> None:
        """Run `begin`, and remember a refusal where the client is still sending."""
        if self.request.method == "OPTIONS":
            return
        try:
            await self.context.limits.admit(self.limit or self.dialect, self)
            if self.request.method not in self.methods:
                raise MethodNotAllowed(self.request.method or "", self.methods)
            await self.begin()
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is told
            await self._refuse(error)

    async def _take_body(self) -> None:
        """Hand each chunk to `receive`, or throw it away after a refusal."""
        self.patience.start()
        while chunk := await self.connection.next_body():
            self.received += len(chunk)
            if self._refusal is None:
                self.patience.ours()
                try:
                    await self.receive(chunk)
                except Exception as error:  # noqa: BLE001 - whatever it is, the client is told
                    await self._refuse(error)
            elif self._answered and self.received > self.context.options.drain_limit:
                self.finish()
                self.connection.abort()
                return
            self.patience.theirs(len(chunk))
        self.patience.ours()

    async def _respond(self) -> None:
        if self._answered:
            self.finish()
        elif self._refusal is not None:
            raise self._refusal
        elif self.request.method == "OPTIONS":
            self._answer_options()
        else:
            with self.context.state.working():
                await self.serve()
            if not self._finished:
                self.finish()

    def _answer_options(self) -> None:
        """Answer a preflight; needs no rights."""
        self.set_status(204)
        for name, value in self.preflight().items():
            self.set_header(name, value)
        self.finish()

    def preflight(self) -> dict[str, str]:
        """What answers OPTIONS: the methods, and what pages of other origins may do."""
        allow = ", ".join((*self.possible(), "OPTIONS"))
        return {"Allow": allow, **self.context.options.cors.preflight(self.origin)}

    async def _refuse(self, error: Exception) -> None:
        """Answer now, or after the body, whichever the client can read."""
        if self.connection.has_read_all and not self.received:
            raise error
        if self.request.expects_continue and not self.received:
            raise error
        self._refusal = error
        self.refused()
        size = self.declared_size
        if self.connection.has_read_all or (size is not None and size <= _SMALL_BODY):
            return
        self._answered = True
        self._write_failure(error)
        self.set_header("Content-Length", sum(map(len, self._buffer)))
        await self.flush()

    # -- about the request ---------------------------------------------------------------------

    @property
    def logged_path(self) -> str:
        """The path of the URL for the log; a dialect that has secrets in it leaves them out."""
        return self.request.path

    @property
    def caller(self) -> str | None:
        """Whose request it turned out to be; a dialect that knows more than a user says it here."""
        return self.user.id

    @property
    def origin(self) -> str | None:
        """The origin of the page that sent this request, if a page did."""
        return self.request.headers.get("Origin")

    @property
    def declared_size(self) -> int | None:
        """The promised size of the body."""
        text = self.request.headers.get("Content-Length")
        return None if text is None else int(text)

    @property
    def declared_body(self) -> bool:
        """Whether the request has a body that is not empty, as far as its headers say."""
        headers = self.request.headers
        return "Transfer-Encoding" in headers or headers.get("Content-Length", "0") != "0"

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies of the request."""
        if "Cookie" not in self.request.headers:
            return {}
        return {name: morsel.value for name, morsel in self.request.cookies.items()}

    @property
    def own_origin(self) -> bool:
        """Whether a page of this server sent the request."""
        if self.origin is None:
            return False
        try:
            asked = urlsplit(self.origin)
        except ValueError:
            return False
        own = urlsplit(self.context.options.domain)
        here = (self.request.protocol, self.request.host.lower())
        return (asked.scheme, asked.netloc.lower()) in {(own.scheme, own.netloc.lower()), here}

    def identity(self, *, cookie: str | None = None, view_only: str | None = None) -> Identity:
        """Who the client says it is.

        Cookies count only where no other origin's page can have made the browser send them.
        """
        headers = self.request.headers
        ours = self.origin is None or self.own_origin
        trusted = ours or self.context.options.cors.trusts(self.origin or "")
        site = headers.get("Sec-Fetch-Site")
        return Identity(
            authorization=headers.get("Authorization"),
            cookies=self.cookies if trusted else {},
            cookie=cookie,
            view_only=view_only,
            same_origin=self.own_origin and site in {None, "same-origin"},
            csrf_token=headers.get(CSRF_HEADER),
            referrer=headers.get("Referer"),
            user_agent=headers.get("User-Agent"),
            origin=self.origin,
            uri=self.request.uri or "",
            headers={name.lower(): headers[name] for name in _RELAYED if name in headers},
        )

    # -- answers -------------------------------------------------------------------------------

    def set_default_headers(self) -> None:
        """What every answer carries, errors too."""
        self.set_header("Server", SERVER)
        self.set_header("X-Waterbutler-Request-Id", self.request_id)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
        limits = self.counted.headers if self.counted else {}
        for name, value in {**self.context.options.cors.headers(self.origin), **limits}.items():
            self.set_header(name, value)

    def write_json(self, document: JSON | dict[str, Any], status: int = 200) -> None:
        """Answer with a JSON document."""
        self.set_status(status)
        self.set_header("Content-Type", JSON_TYPE)
        body = msgspec.json.encode(document)
        self.sent += len(body)
        self.write(body)

    def possible(self) -> tuple[str, ...]:
        """The methods that make sense here, for answers that refuse another one."""
        return self.methods

    def write_failure(self, status: int, message: str, error: BaseException) -> None:
        """Write the body of an error; dialects with another shape override this."""
        self.write_json(body_of(error, status, message), status)

    def abort(self) -> None:
        """Break the connection, so that nobody takes a cut answer for a whole one."""
        self.connection.abort()
        self._leave()

    def _is_last(self) -> bool:
        return super()._is_last() or self.context.state.stopping

    def _give_up_on_client(self) -> None:
        self._failure = "ClientIdle"
        self.abort()

    def _write_failure(self, error: BaseException) -> None:
        self.clear()
        status = status_of(error)
        self._failure = type(error).__name__
        if status >= 500 and not isinstance(error, WaterButlerError):
            _log.error("unexpected error", request_id=self.request_id, exc_info=error)
        for name, value in headers_of(error).items():
            self.set_header(name, value)
        if status == 405:
            self.set_header("Allow", ", ".join((*self.possible(), "OPTIONS")))
        self.write_failure(status, message_of(error, status), error)

    def _fail(self, error: BaseException) -> None:
        """Answer with an error, or break the connection if the answer has begun."""
        if not (self._head_sent or self._finished or self._left):
            self._write_failure(error)
            self.finish()
            return
        self._failure = self._failure or type(error).__name__
        if not self._left:
            _log.warning("answer cut", request_id=self.request_id, reason=self._failure)
        self.abort()

    def on_connection_close(self) -> None:
        """The client went away before the answer was complete."""
        self._failure = self._failure or "ClientGone"
        self.received += self.connection.unread
        self._leave()

    def on_finish(self) -> None:
        """The answer is complete."""
        self._leave()

    def _leave(self) -> None:
        """Count and log the request, once."""
        if self._left:
            return
        self._left = True
        self.patience.stop()
        status = self.get_status() if self._head_sent else CLIENT_GONE
        seconds = time.perf_counter() - self._start
        self.context.state.leave()
        self.context.limits.settle(self, status)
        metrics = self.context.metrics
        metrics.active.dec()
        method = self.request.method if self.request.method in self.SUPPORTED_METHODS else "other"
        metrics.request(self.dialect, method, self.action, status, seconds)
        metrics.received.inc(self.received)
        metrics.sent.inc(self.sent)
        _log.info(
            "request",
            request_id=self.request_id,
            method=self.request.method,
            path=self.logged_path,
            status=status,
            action=self.action,
            user=self.user.id,
            storage=self.storage,
            received=self.received,
            sent=self.sent,
            seconds=round(seconds, 6),
            outcome=self._failure or "ok",
            **self.told,
        )
