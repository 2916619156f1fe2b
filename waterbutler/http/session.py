"""The HTTP library: everything that is said to it, and all that it answers.

Only `HttpClient` imports this module, and not before it is used: importing the library takes long,
and many servers never ask another one.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from waterbutler.core import ByteStream
from waterbutler.core.errors import ProviderUnavailable
from waterbutler.core.parsing import parse_number
from waterbutler.http.errors import translated
from waterbutler.http.reach import NotPublic, Reach, is_public
from waterbutler.http.reply import Reply
from waterbutler.version import __version__

_BODILESS = frozenset({204, 205, 304})
_SAFE = frozenset({"GET", "HEAD"})


class Session:
    """The connections of a client; it follows no redirects.

    Args:
        connect_seconds: See `HttpClient`, as all of these.
        idle_seconds: How long the other side may neither send nor take anything.
        connections_per_host: How many connections to one host there are at most.
        reach: Which machines it speaks to; ``None`` for all.
    """

    def __init__(
        self,
        *,
        connect_seconds: float,
        idle_seconds: float,
        connections_per_host: int,
        reach: Reach | None,
    ) -> None:
        self._idle_seconds = idle_seconds
        self._reach = reach
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                limit_per_host=connections_per_host,
                resolver=ReachingResolver(reach) if reach is not None else None,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={
                "Accept-Encoding": "identity",
                "User-Agent": f"waterbutler/{__version__}",
            },
            skip_auto_headers=["Content-Type"],
            timeout=aiohttp.ClientTimeout(
                total=None,
                # Where all connections are taken, their users must get on or give up.
                connect=connect_seconds + idle_seconds,
                sock_connect=connect_seconds,
                sock_read=idle_seconds,
            ),
            read_bufsize=1 << 16,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def send(
        self, method: str, url: URL, headers: dict[str, str], body: ByteStream | bytes | None
    ) -> Reply:
        """Send a request; see `HttpClient.open`."""
        host = url.host or ""
        if self._reach is not None:
            self._reach.check(url)
        upload = _Upload(body, self._idle_seconds) if isinstance(body, ByteStream) else None
        if upload is not None and upload.size is not None:
            headers = {**headers, "Content-Length": str(upload.size)}
        try:
            with translated(host):
                async with nullcontext() if upload is None else upload.watched():
                    response = await self._session.request(
                        method,
                        url,
                        headers=headers,
                        data=upload or body,
                        allow_redirects=False,
                        middlewares=() if method in _SAFE else (_once,),
                    )
        except Exception:
            if upload is not None and upload.error is not None:
                raise upload.error from None
            raise
        return Reply(response.status, response.headers, _body(response, method, host), host)


class ReachingResolver(AbstractResolver):
    """Looks names up, and leaves out what is not within reach.

    Args:
        reach: What is.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See `aiohttp.abc.AbstractResolver.resolve`; raises `NotPublic` if nothing is left."""
        found = await self._inner.resolve(host, port, family)
        if self._reach.names(host, port):
            return found
        public = [each for each in found if is_public(each["host"])]
        if found and not public:
            raise NotPublic
        return public

    async def close(self) -> None:
        """See `aiohttp.abc.AbstractResolver.close`."""
        await self._inner.close()


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
        self._stall: asyncio.Timeout | None = None

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Raise `TimeoutError` where the other side does not take what it is sent."""
        try:
            async with asyncio.timeout(None) as self._stall:
                yield
        finally:
            self._stall = None

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
        if self._stall is not None:
            self._stall.reschedule(deadline)


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
