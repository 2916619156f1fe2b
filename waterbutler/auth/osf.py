"""Access as an OSF-like host says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgspec

from waterbutler.auth.envelope import BadEnvelope, EnvelopeKeys, open_sealed, seal
from waterbutler.auth.grants import RecentGrants
from waterbutler.auth.handler import ResourceSummary
from waterbutler.core import JSON, AccessRequest, Action, Grant, Identity, User
from waterbutler.core.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    Relayed,
    Unauthenticated,
    WaterButlerError,
)
from waterbutler.http import HttpClient, Reply, retry_after

MFR_RENDER = "x-cos-mfr-render-request"
ONE_TIME_PASSWORD = "x-osf-otp"  # noqa: S105 - the name of a header

_RELAYED = {MFR_RENDER: "X-Cos-Mfr-Render-Request", ONE_TIME_PASSWORD: "X-OSF-OTP"}
_LONGEST_ANSWER = 1 << 20

WORDS: Mapping[Action, tuple[str, str]] = {
    Action.METADATA: ("metadata", "metadata"),
    Action.DOWNLOAD: ("download", "download"),
    Action.ZIP: ("download", "daz"),
    Action.REVISIONS: ("revisions", "revisions"),
    Action.RENDER: ("render", "render"),
    Action.EXPORT: ("export", "export"),
    Action.COPY_FROM: ("download", "copyfrom"),
    Action.CREATE_FILE: ("upload", "create_file"),
    Action.UPDATE_FILE: ("upload", "update_file"),
    Action.CREATE_FOLDER: ("upload", "create_dir"),
    Action.DELETE: ("delete", "delete"),
    Action.RENAME: ("upload", "rename"),
    Action.COPY_TO: ("upload", "copyto"),
    Action.MOVE_FROM: ("delete", "movefrom"),
    Action.MOVE_TO: ("upload", "moveto"),
}
"""For each action the host's two words: which right is needed, and what is really meant."""

LEGACY_WORDS: Mapping[Action, str] = {
    Action.CREATE_FOLDER: "create_folder",
    Action.COPY_FROM: "copyfrom",
    Action.COPY_TO: "copyto",
    Action.MOVE_FROM: "movefrom",
    Action.MOVE_TO: "moveto",
}
"""The first of the two words where version 0 of the API has another one."""

_REFUSALS: Mapping[int, tuple[type[WaterButlerError], str]] = {
    400: (InvalidRequest, "The host does not understand the request."),
    401: (Unauthenticated, "Sign in to do this."),
    403: (Forbidden, "You do not have the right to do this."),
    404: (NotFound, "There is no such resource or storage."),
    410: (NotFound, "The resource is gone."),
}


class _Auth(msgspec.Struct, frozen=True):
    id: str | None = None
    email: str | None = None
    name: str | None = None


class _Answer(msgspec.Struct, frozen=True):
    """What the host grants."""

    auth: _Auth
    credentials: dict[str, Any]
    settings: dict[str, Any]
    callback_url: str | None = None


class _Sealed(msgspec.Struct, frozen=True):
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OsfExchange:
    """How the host is asked.

    Attributes:
        url: Where it answers.
        keys: What both sides know.
        session_cookie: The name of the one cookie of clients that the host gets.
        seconds: How long it may take.
        keep_seconds: How long the right to look at something is believed without asking again.
    """

    url: str
    keys: EnvelopeKeys = field(repr=False)
    session_cookie: str = "osf"
    seconds: float = 20.0
    keep_seconds: float = 2.0


class OsfHandler:
    """Asks an OSF-like host for each request who may do what, and which storage it is about.

    The host decides about everything, so this handler never passes a request on. It counts
    downloads and views when it is asked: only the right to see metadata and lists of versions is
    remembered, for some seconds and for exactly the same question.

    Args:
        http: Speaks to the host.
        exchange: How.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, http: HttpClient, exchange: OsfExchange, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._http = http
        self._exchange = exchange
        self._clock = clock
        self._recent = RecentGrants(exchange.keep_seconds, clock)

    async def authorize(self, request: AccessRequest) -> Grant:
        """See `AuthHandler.authorize`.

        Raises:
            Relayed: The host refused, with a JSON object.
            ProviderFault: Its answer makes no sense.
            ProviderUnavailable: It cannot be reached, or is out of order.
            ProviderTimeout: It is silent.
        """
        known = self._recent.find(request)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(self._exchange.seconds):
                answer = await self._ask(request)
        except TimeoutError:
            raise ProviderTimeout("The host was silent for too long.") from None
        grant = _grant(request, answer)
        self._recent.keep(request, grant)
        return grant

    async def identify(self, identity: Identity) -> User | None:  # noqa: ARG002 - the contract's
        """Nobody: the host only answers about resources."""
        return None

    async def resources(self, identity: Identity) -> tuple[ResourceSummary, ...]:  # noqa: ARG002
        """None: the host does not list them."""
        return ()

    async def _ask(self, request: AccessRequest) -> _Answer:
        cookie = self._cookie(request.identity)
        reply = await self._send(request, cookie)
        if 300 <= reply.status < 400 and cookie is not None:
            # The host takes back a session that is over and sends the client here again, which
            # would go on for ever: without the cookie it says what anybody may do.
            await reply.aclose()
            reply = await self._send(request, None)
        body = await self._read(reply)
        if 300 <= reply.status < 400:
            raise Unauthenticated("The session is over; sign in again.")
        if reply.status != 200:
            raise _refusal(reply, body)
        return self._opened(body)

    async def _send(self, request: AccessRequest, cookie: str | None) -> Reply:
        identity = request.identity
        token = seal({"data": _question(request)}, self._exchange.keys, now=self._clock())
        url = self._exchange.url + ("&" if "?" in self._exchange.url else "?") + "payload=" + token
        if identity.view_only:
            url += "&view_only=" + quote(identity.view_only, safe="", errors="replace")
        headers = {"Content-Type": "application/json"}
        if identity.authorization is not None:
            headers["Authorization"] = identity.authorization
        for name, shown in _RELAYED.items():
            if name in identity.headers:
                headers[shown] = identity.headers[name]
        if cookie is not None:
            headers["Cookie"] = f"{self._exchange.session_cookie}={cookie}"
        try:
            return await self._http.open("GET", url, headers=headers)
        except ProviderTimeout:
            raise ProviderTimeout("The host was silent for too long.") from None
        except ProviderUnavailable:
            raise ProviderUnavailable("The host cannot be reached.") from None

    async def _read(self, reply: Reply) -> bytes:
        try:
            return await reply.read(_LONGEST_ANSWER)
        except ProviderTimeout:
            raise ProviderTimeout("The host was silent for too long.") from None
        except WaterButlerError:
            raise ProviderFault("The answer of the host is not complete.") from None

    def _opened(self, body: bytes) -> _Answer:
        try:
            sealed = msgspec.json.decode(body, type=_Sealed)
            claims = open_sealed(sealed.payload, self._exchange.keys, now=self._clock())
            return msgspec.convert(claims["data"], _Answer)
        except (BadEnvelope, msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
            raise ProviderFault("The answer of the host makes no sense.") from None

    def _cookie(self, identity: Identity) -> str | None:
        """The session cookie, if it can stand in a header."""
        value = identity.cookies.get(self._exchange.session_cookie, "")
        fits = value.isascii() and value.isprintable() and not set(value) & set(' ",;\\')
        return value if value and fits else None


def _question(request: AccessRequest) -> dict[str, JSON]:
    action, intent = WORDS[request.action]
    if request.legacy:
        action = LEGACY_WORDS.get(request.action, action)
    identity = request.identity
    question: dict[str, JSON] = {
        "nid": request.resource,
        "provider": request.provider,
        "action": action,
        "intent": intent,
        "path": request.path,
        "version": request.version or None,
        "metrics": {
            "referrer": identity.referrer,
            "user_agent": identity.user_agent,
            "origin": identity.origin,
            "uri": identity.uri,
        },
    }
    if identity.cookie:
        question["cookie"] = identity.cookie
    return question


def _grant(request: AccessRequest, answer: _Answer) -> Grant:
    service = answer.settings.get("service")
    settings = {key: value for key, value in answer.settings.items() if key != "service"}
    user = User(id=answer.auth.id, name=answer.auth.name, email=answer.auth.email)
    return Grant(
        user=user,
        provider=service if isinstance(service, str) and service else request.provider,
        settings=settings,
        credentials=answer.credentials,
        callback_url=answer.callback_url,
        writable=request.action.writes or user.id is not None,
        view_only=request.identity.view_only,
        foreign=True,
    )


def _refusal(reply: Reply, body: bytes) -> WaterButlerError:
    """What a status that is no success means; a JSON object of the host is kept."""
    status = reply.status
    if status in {502, 503}:
        return ProviderUnavailable(
            "The host is out of order.", retry_after=retry_after(reply.headers)
        )
    if status == 504:
        return ProviderTimeout("The host was silent for too long.")
    if not 400 <= status < 500:
        return ProviderFault("The host failed.")
    kind, message = _REFUSALS.get(status, (ProviderFault, "The host refuses the request."))
    said = _object(body)
    if said is None:
        return kind(message)
    for key in ("message", "message_long", "message_short"):
        text = said.get(key)
        if isinstance(text, str) and text:
            return Relayed(text, status=status, body=said)
    return Relayed(message, status=status, body=said)


def _object(body: bytes) -> dict[str, JSON] | None:
    try:
        said: JSON = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
