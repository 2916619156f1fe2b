"""The client."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from yarl import URL

from waterbutler.core import ByteStream
from waterbutler.core.closing import Closing
from waterbutler.core.errors import ConfigInvalid, ProviderFault
from waterbutler.http.reach import Reach
from waterbutler.http.reply import Reply

if TYPE_CHECKING:
    from waterbutler.http.session import Session

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEPT_ELSEWHERE = frozenset(
    {"accept", "if-modified-since", "if-none-match", "if-range", "range", "user-agent"}
)
"""Headers that may follow a redirect to another origin: none of them can be a secret."""

_NO_HEADERS: Mapping[str, str] = {}


class HttpClient(Closing):
    """Requests to other servers, over connections that are kept and shared.

    It keeps no cookies, reads no environment, asks for bytes as they are stored and hands them on
    as they come. It gets ready at the first request; whoever made it closes it.

    Args:
        connect_seconds: How long making a connection may take.
        idle_seconds: How long the other side may neither send nor take anything.
        connections_per_host: How many connections to one host there are at most. Who finds none
            waits for as long as making one and its silence may take together.
        reach: Which machines it speaks to; ``None`` for all.
    """

    def __init__(
        self,
        *,
        connect_seconds: float = 10,
        idle_seconds: float = 60,
        connections_per_host: int = 100,
        reach: Reach | None = None,
    ) -> None:
        self._connect_seconds = connect_seconds
        self._idle_seconds = idle_seconds
        self._connections_per_host = connections_per_host
        self._reach = reach
        self._session: Session | None = None
        self._closed = False

    async def start(self) -> None:
        """Get ready, in the running event loop; also again after `aclose`."""
        self._closed = False
        await self._ready()

    async def _ready(self) -> Session:
        return self._session or self._opened(await asyncio.to_thread(_imported))

    def _opened(self, kind: type[Session]) -> Session:
        if self._closed:
            raise RuntimeError("The client is closed.")
        if self._session is None:
            self._session = kind(
                connect_seconds=self._connect_seconds,
                idle_seconds=self._idle_seconds,
                connections_per_host=self._connections_per_host,
                reach=self._reach,
            )
        return self._session

    async def aclose(self) -> None:
        """Close all connections; the client is not used afterwards."""
        self._closed = True
        if self._session is not None:
            session, self._session = self._session, None
            await session.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: ByteStream | bytes | None = None,
        redirects: int = 0,
    ) -> Reply:
        """Send a request and wait for the head of its answer, whatever its status.

        A body of known size is sent with its ``Content-Length`` and only completed if it has
        exactly that many bytes; one of unknown size is sent in chunks. It is consumed and not
        closed. What the body itself raises comes through as it is.

        Args:
            method: The method.
            url: The address, percent-encoded; it is sent exactly so.
            headers: Further headers.
            body: What to send.
            redirects: How many redirects to follow; only for requests without a body. Another
                origin gets none of the headers that may hold secrets, and what was asked for by
                HTTPS is never fetched without it.

        Raises:
            ProviderUnavailable: There is no connection, or it broke.
            ProviderTimeout: The other side was silent for too long, or no connection became free.
            ProviderFault: The other side speaks no proper HTTP, redirects too often or to where
                nothing is encrypted, or is out of reach.
            ConfigInvalid: The address is none.
        """
        target, sent = _address(url), dict(headers)
        session = await self._ready()
        reply = await session.send(method, target, sent, body)
        while redirects and body is None and reply.status in _REDIRECTS:
            location = reply.headers.get("Location", "")
            await reply.aclose()
            if not location:
                raise ProviderFault(f"{reply.host} redirects to nowhere.")
            elsewhere = target.join(_address(location))
            _check_redirect(target, elsewhere, reply.host)
            if elsewhere.origin() != target.origin():
                sent = {name: sent[name] for name in sent if name.lower() in _KEPT_ELSEWHERE}
            target = elsewhere
            redirects -= 1
            reply = await session.send(method, target, sent, None)
            if not redirects and reply.status in _REDIRECTS:
                await reply.aclose()
                raise ProviderFault(f"{reply.host} redirects too often.")
        return reply


def _address(url: str) -> URL:
    """The address, as it is: a signed one must not be encoded anew."""
    if not url.isascii() or any(letter <= " " or letter == "\x7f" for letter in url):
        raise ConfigInvalid("An address is not percent-encoded.")
    try:
        address = URL(url, encoded=True)
        _ = address.explicit_port  # it is only read now, and may be none
    except ValueError:
        raise ConfigInvalid("An address is not one of HTTP.") from None
    return address


def _check_redirect(target: URL, elsewhere: URL, host: str) -> None:
    """Refuse to go where nobody speaks HTTP, or where nobody speaks it as safely as before."""
    if elsewhere.scheme not in {"http", "https"} or not elsewhere.host:
        raise ProviderFault(f"{host} redirects to nowhere.")
    if target.scheme == "https" and elsewhere.scheme != "https":
        raise ProviderFault(f"{host} redirects to where nothing is encrypted.")


def _imported() -> type[Session]:
    """What speaks HTTP; see there why it is not imported before."""
    from waterbutler.http.session import Session  # noqa: PLC0415

    return Session
