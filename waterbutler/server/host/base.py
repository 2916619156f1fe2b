"""What the host's handlers have in common: its errors, small bodies, signed messages."""

from __future__ import annotations

import re
from functools import cached_property
from http.client import responses
from typing import Any

import msgspec

from waterbutler.core import JSON
from waterbutler.core.errors import InvalidRequest, IsAFolder, NotAFolder, NotFound
from waterbutler.core.signing import verify
from waterbutler.host import Host
from waterbutler.server.context import ServerContext
from waterbutler.server.http1 import Connection, Request
from waterbutler.server.query import Query, decode
from waterbutler.server.receive import SmallBody
from waterbutler.server.respond import StreamHandler

PREFIX = "/host/"
MAX_MESSAGE = 1 << 20
"""The largest message, in bytes."""

_WORD = re.compile(r"\w+")


class HostHandler(StreamHandler):
    """Base of the host's handlers; a subclass implements `answer`."""

    dialect = "host"

    def __init__(
        self,
        request: Request,
        connection: Connection,
        context: ServerContext,
        host: Host,
    ) -> None:
        super().__init__(request, connection, context)
        self.host = host
        self._body = SmallBody(MAX_MESSAGE)

    async def receive(self, chunk: bytes) -> None:
        """Collect the message."""
        self._body.add(chunk)

    async def serve(self) -> None:
        """Answer; a node of the wrong kind is a bad request here."""
        try:
            await self.answer()
        except (IsAFolder, NotAFolder) as error:
            raise InvalidRequest(f"Incorrect type: {error.message}") from error

    async def answer(self) -> None:
        """Do what is asked."""
        raise NotImplementedError

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The decoded names of the path below ``/host/api/v1/``."""
        path = (self.request.uri or "").partition("?")[0]
        names = path.removeprefix(PREFIX + "api/v1/").removesuffix("/").split("/")
        return tuple(decode(name) for name in names)

    @cached_property
    def query(self) -> Query:
        """The parameters of the URL."""
        return Query(self.request.query)

    def resource(self, name: str) -> str:
        """A part of the path that names a resource; raises `NotFound`."""
        if not _WORD.fullmatch(name):
            raise NotFound("There is no such resource.")
        return self.host.accounts.resource(name).id

    def signed(self) -> dict[str, JSON]:
        """The verified payload of the request.

        Raises:
            InvalidRequest: It is missing, unreadable or too old.
            Unauthenticated: It is signed with another secret.
        """
        message: Any
        if self.request.method in {"GET", "DELETE"}:
            message = {name: self.query.get(name) for name in ("payload", "signature")}
        else:
            try:
                message = msgspec.json.decode(self._body.data())
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                raise InvalidRequest("Invalid payload: the body is not JSON.") from None
            if not isinstance(message, dict):
                raise InvalidRequest("Invalid payload: the body is no JSON object.")
        exchange = self.host.exchange
        return verify(message, self.host.options.hmac_secret, now=exchange.clock())

    def write_failure(self, status: int, message: str, error: BaseException) -> None:  # noqa: ARG002
        """Errors have the body of OSF-like hosts, and ours."""
        self.write_json(
            {
                "message_short": responses.get(status, "Error"),
                "message_long": message,
                "message": message,
                "code": status,
                "referrer": self.request.headers.get("Referer"),
            },
            status,
        )


class AuthEndpoint(HostHandler):
    """Who may do what."""

    async def answer(self) -> None:
        """Open the question, and seal the answer."""
        self.action = "authorize"
        token = self.query.first("payload")
        if not token:
            raise InvalidRequest("The payload is missing.")
        identity = self.identity(view_only=self.query.first("view_only") or None)
        self.write_json({"payload": await self.host.exchange.answer(token, identity)})


class LogEndpoint(HostHandler):
    """What happened, said by a server."""

    methods = ("PUT",)

    async def answer(self) -> None:
        """Keep it."""
        self.action = "log"
        payload = self.signed()
        await self.host.keep_log(self.resource(self.parts[1]), payload)
        self.write_json({"status": "success"})
