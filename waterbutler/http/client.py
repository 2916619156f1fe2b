"""The client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType

import aiohttp
from yarl import URL

from waterbutler.core import ByteStream
from waterbutler.core.errors import ConfigInvalid, ProviderFault, ProviderUnavailable
from waterbutler.core.parsing import parse_number
from waterbutler.http.errors import translated
from waterbutler.http.reach import Reach, ReachingResolver
from waterbutler.version import __version__

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BODILESS = frozenset({204, 205, 304})
_KEPT_ELSEWHERE = frozenset(
    {"accept", "if-modified-since", "if-none-match", "if-range", "range", "user-agent"}
)
"""Headers that may follow a redirect to another origin: none of them can be a secret."""

_SAFE = frozenset({"GET", "HEAD"})

_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer whose head has come; whoever gets it closes it.

    Attributes:
        status: The status code.
        headers: The headers; names in any case.
        body: The bytes as they are on the wire, never decompressed. Closing it lets go of the
            connection. Iterating raises `Corrupted`, `Interrupted` or `ProviderTimeout`.
        host: Who answered.
    """

    status: int
    headers: Mapping[str, str]
    body: ByteStream
    host: str

    async def read(self, limit: int = 1 << 20) -> bytes:
        """The whole body, for small answers; the reply is closed afterwards.

        Raises:
            Corrupted: It has more than ``limit`` bytes, or not as many as promised.
        """
        async with self.body:
            return await self.body.read(limit)

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self.body.aclose()

    async def __aenter__(self) -> Reply:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class HttpClient:
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
        self._reach = reach
        self._timeout = aiohttp.ClientTimeout(
            total=None,
            # Where all connections are taken, their users must get on or give up: so does this.
            connect=connect_seconds + idle_seconds,
            sock_connect=connect_seconds,
            sock_read=idle_seconds,
        )
        self._idle_seconds = idle_seconds
        self._connections_per_host = connections_per_host
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def start(self) -> None:
        """Get ready, in the running event loop; also again after `aclose`."""
        self._closed = False
        self._ready()

    def _ready(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("The client is closed.")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,
                    limit_per_host=self._connections_per_host,
                    resolver=ReachingResolver(self._reach) if self._reach is not None else None,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={
                    "Accept-Encoding": "identity",
                    "User-Agent": f"waterbutler/{__version__}",
                },
                skip_auto_headers=["Content-Type"],
                timeout=self._timeout,
                read_bufsize=1 << 18,
                trust_env=False,
            )
        return self._session

    async def aclose(self) -> None:
        """Close all connections; the client is not used afterwards."""
        self._closed = True
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def __aenter__(self) -> HttpClient:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

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
        reply = await self._send(method, target, sent, body)
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
            reply = await self._send(method, target, sent, None)
            if not redirects and reply.status in _REDIRECTS:
                await reply.aclose()
                raise ProviderFault(f"{reply.host} redirects too often.")
        return reply

    async def _send(
        self, method: str, url: URL, headers: dict[str, str], body: ByteStream | bytes | None
    ) -> Reply:
        session = self._ready()
        host = url.host or ""
        if self._reach is not None:
            self._reach.check(url)
        upload = _Upload(body, self._idle_seconds) if isinstance(body, ByteStream) else None
        if upload is not None and upload.size is not None:
            headers = {**headers, "Content-Length": str(upload.size)}
        try:
            with translated(host):
                async with asyncio.timeout(None) as stall:
                    if upload is not None:
                        upload.stall = stall
                    try:
                        response = await session.request(
                            method,
                            url,
                            headers=headers,
                            data=upload or body,
                            allow_redirects=False,
                            middlewares=() if method in _SAFE else (_once,),
                        )
                    finally:
                        if upload is not None:
                            upload.stall = None
        except Exception:
            if upload is not None and upload.error is not None:
                raise upload.error from None
            raise
        return Reply(response.status, response.headers, _body(response, method, host), host)


async def _once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send a request that changes something once, and not again behind the caller's back.

    The library repeats it where a kept connection breaks, although the other side may have done
    it: then the second answer, that there is nothing to delete or that a name is taken, is wrong.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise aiohttp.ClientConnectionError from None


class _Upload:
    """A body on its way out.

    The last chunk is held back until the source has ended: a body that goes on behind its size
    is cut off before the other side could take it for complete.
    """

    def __init__(self, body: ByteStream, idle_seconds: float) -> None:
        self._body = body
        self._idle_seconds = idle_seconds
        self._started = False
        self.size = body.size
        self.error: Exception | None = None
        """What the source raised."""
        self.stall: asyncio.Timeout | None = None
        """Runs out when the other side does not take what it is sent."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        if self._started:  # the library tries again when a kept connection turns out to be dead
            self.error = ProviderUnavailable("A kept connection broke.")
            raise self.error
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        self._started = True
        held = await self._next()
        while held is not None:
            following = await self._next()
            self._watch(asyncio.get_running_loop().time() + self._idle_seconds)
            yield held
            self._watch(None)
            held = following

    async def _next(self) -> bytes | None:
        try:
            return await anext(self._body, None)
        except Exception as error:
            self.error = error
            raise

    def _watch(self, deadline: float | None) -> None:
        if self.stall is not None:
            self.stall.reschedule(deadline)


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


def _body(response: aiohttp.ClientResponse, method: str, host: str) -> ByteStream:
    async def close() -> None:
        if response.content.at_eof():
            response.release()
        else:
            response.close()

    async def chunks() -> AsyncIterator[bytes]:
        with translated(host, in_body=True):
            while chunk := await response.content.readany():
                yield chunk

    if method == "HEAD" or response.status in _BODILESS:
        response.release()
        return ByteStream.of(b"")
    size = parse_number(response.headers.get("Content-Length"))
    return ByteStream(chunks(), size=size, close=close)
