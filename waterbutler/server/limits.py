"""Rate limits as HTTP shows them: who a request is from, and which headers answers carry.

An answer that was counted carries ``RateLimit-Limit``, ``RateLimit-Remaining`` and
``RateLimit-Reset`` (seconds until everything may be used again). These three are what the drafts of
the IETF's "RateLimit header fields for HTTP" had up to the seventh, and what clients and proxies in
the field read. Later drafts put the same into ``RateLimit`` and ``RateLimit-Policy``, and changed
how these are written from one draft to the next: they are not sent until there is an RFC.

A refusal carries besides ``Retry-After``, in whole seconds (RFC 9110, section 10.2.3), and the
headers that clients of WaterButler know: ``X-Waterbutler-RateLimiting-Window`` (seconds),
``-Limit``, ``-Remaining`` and ``-Reset``, the time at which everything may be used again, in UTC.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from tornado.netutil import is_valid_ip

from waterbutler.limits import Limiter, LimitsUnavailable, Shown, Ticket, Verdict
from waterbutler.server.errors import TooManyRequests
from waterbutler.server.http1 import Request
from waterbutler.server.metrics import Metrics

HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
OLD_HEADERS = tuple(
    f"X-Waterbutler-RateLimiting-{name}" for name in ("Window", "Limit", "Remaining", "Reset")
)


class Counted:
    """A request that was let in.

    Attributes:
        headers: What its answer carries; none where it could not be counted.
    """

    __slots__ = ("headers", "ticket")

    def __init__(self, ticket: Ticket, headers: Mapping[str, str]) -> None:
        self.ticket = ticket
        self.headers = headers


class Limited(Protocol):
    """A handler, as far as limits see it."""

    request: Request
    counted: Counted | None

    @property
    def caller(self) -> str | None:
        """Whose request it turned out to be."""

    def set_header(self, name: str, value: str) -> None:
        """Set a header of the answer."""


class Limits:
    """Counts requests for the limiter; without one, nothing is limited.

    Args:
        limiter: The policy for all dialects.
        metrics: Counts what was refused.
        cookies: The names of the cookies that may sign somebody in.
        behind_proxy: A proxy that is trusted says where requests come from.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        limiter: Limiter | None = None,
        metrics: Metrics | None = None,
        *,
        cookies: Sequence[str] = (),
        behind_proxy: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._limiter = limiter
        self._metrics = metrics
        self._cookies = tuple(cookies)
        self._behind_proxy = behind_proxy
        self._clock = clock

    async def admit(self, limit: str, handler: Limited) -> None:
        """Count a request if it is limited, and set the headers of its answer.

        Raises:
            TooManyRequests: It is one too many.
            LimitsUnavailable: It cannot be counted, and the settings say that it is refused then.
        """
        limiter = self._limiter
        if limiter is None or not limiter.covers(limit):
            return
        request = handler.request
        address = address_of(request, behind_proxy=self._behind_proxy)
        try:
            ticket, verdict = await limiter.count(limit, address, shown_by(request, self._cookies))
        except LimitsUnavailable:
            self._note(limit, "unavailable")
            raise
        if verdict is None:
            self._note(limit, "uncounted")
        elif not verdict.allowed:
            self._note(limit, "refused")
            raise self._refusal(verdict)
        handler.counted = Counted(ticket, _headers(verdict) if verdict else {})
        for name, value in handler.counted.headers.items():
            handler.set_header(name, value)

    def settle(self, handler: Limited, status: int) -> None:
        """A request was answered; see `Limiter.learn`."""
        if handler.counted is not None and self._limiter is not None:
            refused = status == 401
            self._limiter.learn(handler.counted.ticket, handler.caller, refused=refused)

    async def aclose(self) -> None:
        """Let go of the store."""
        if self._limiter is not None:
            await self._limiter.aclose()

    def _note(self, limit: str, outcome: str) -> None:
        if self._metrics is not None:
            self._metrics.limited.labels(limit, outcome).inc()

    def _refusal(self, verdict: Verdict) -> TooManyRequests:
        rate, wait = verdict.rate, verdict.retry_after
        full = datetime.fromtimestamp(int(self._clock()) + verdict.reset, UTC)
        values = (rate.window, rate.requests, verdict.remaining, f"{full:%Y-%m-%dT%H:%M:%SZ}")
        old = dict(zip(OLD_HEADERS, map(str, values), strict=True))
        return TooManyRequests(
            f"Too many requests: {rate.requests} in {rate.window} seconds are allowed."
            f" Try again in {wait} seconds.",
            retry_after=wait,
            headers={**_headers(verdict), **old},
        )


def _headers(verdict: Verdict) -> dict[str, str]:
    values = (verdict.rate.requests, verdict.remaining, verdict.reset)
    return dict(zip(HEADERS, map(str, values), strict=True))


def address_of(request: Request, *, behind_proxy: bool) -> str:
    """Where a request comes from.

    Behind a proxy that is the last address of ``X-Forwarded-For``, the one that the proxy itself
    added. What stands before it came from the client, and so may an ``X-Real-Ip``, which is heeded
    only where the other header is missing.
    """
    if behind_proxy:
        last = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        if is_valid_ip(last):
            return last
    return request.remote_ip or ""


def shown_by(request: Request, cookies: Sequence[str]) -> Shown | None:
    """What a request shows to say who it is from, as far as limits go.

    The ``Authorization`` header; or else the ``cookie`` parameter; or else the first of ``cookies``
    that it has.
    """
    authorization = request.headers.get("Authorization")
    if authorization:
        return Shown(authorization, _secret(authorization))
    for value in request.query_arguments.get("cookie", ()):
        if value:
            return Shown("cookie=" + value.decode("latin-1"))
    if "Cookie" in request.headers:
        for name in cookies:
            morsel = request.cookies.get(name)
            if morsel is not None and morsel.value:
                return Shown(f"{name}={morsel.value}")
    return None


def _secret(authorization: str) -> str:
    """The token or the password in a header; a token may stand alone."""
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:
            return value
    return value or scheme
