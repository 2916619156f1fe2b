"""Which pages of other origins may use this server, and with what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from waterbutler.server import limits

ALLOW_METHODS = "GET, HEAD, PUT, POST, DELETE"
ALLOW_HEADERS = ", ".join(
    (
        "Range",
        "Content-Type",
        "Authorization",
        "Cache-Control",
        "X-Requested-With",
        "X-CSRFToken",
        "If-Match",
        "If-None-Match",
        "If-Modified-Since",
        "If-Unmodified-Since",
        "If-Range",
        "Content-MD5",
        "Content-Digest",
        "Repr-Digest",
        "Want-Repr-Digest",
        "X-Cos-Mfr-Render-Request",
        "X-Cos-Mfr-Request-Action",
    )
)
EXPOSE_HEADERS = ", ".join(
    (
        "Range",
        "Accept-Ranges",
        "Content-Range",
        "Content-Length",
        "Content-Encoding",
        "Content-Disposition",
        "Deprecation",
        "ETag",
        "Last-Modified",
        "Link",
        "Location",
        "Repr-Digest",
        "Retry-After",
        "WWW-Authenticate",
        "X-Waterbutler-Metadata",
        "X-Waterbutler-Request-Id",
        *limits.HEADERS,
        *limits.OLD_HEADERS,
    )
)
MAX_AGE = "600"
"""Seconds that a browser may remember the answer to a preflight."""


@dataclass(frozen=True, slots=True)
class Cors:
    """The policy, for all dialects.

    With ``*`` any origin may use the server, also with credentials that its script sends itself
    (``Authorization``). Cookies are another thing: the browser adds them to any page's requests, so
    they count only from this server's own origin and from origins that are listed by name.
    """

    origins: frozenset[str]

    @classmethod
    def of(cls, origins: Iterable[str]) -> Cors:
        """The policy for a list of origins, ``https://example.org``, or ``*``."""
        return cls(frozenset(origin.rstrip("/").lower() for origin in origins))

    def allows(self, origin: str) -> bool:
        """Whether pages of ``origin`` may read the answers."""
        return "*" in self.origins or self.trusts(origin)

    def trusts(self, origin: str) -> bool:
        """Whether cookies count on requests from pages of ``origin``."""
        return origin != "*" and origin.lower() in self.origins

    def headers(self, origin: str | None) -> dict[str, str]:
        """What every answer carries."""
        headers = {"Vary": "Origin"}
        if origin is not None and self.allows(origin):
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Allow-Credentials"] = "true"
            headers["Access-Control-Allow-Headers"] = ALLOW_HEADERS
            headers["Access-Control-Expose-Headers"] = EXPOSE_HEADERS
        return headers

    def preflight(self, origin: str | None) -> dict[str, str]:
        """What the answer to a preflight carries besides."""
        if origin is None or not self.allows(origin):
            return {}
        return {
            "Access-Control-Allow-Methods": ALLOW_METHODS,
            "Access-Control-Max-Age": MAX_AGE,
        }
