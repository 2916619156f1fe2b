"""Grants that were given a moment ago."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from waterbutler.core import AccessRequest, Action, Grant

_HARMLESS = frozenset({Action.METADATA, Action.REVISIONS})
"""What the host neither counts nor changes anything for."""


class RecentGrants:
    """Remembers for some seconds that exactly this was allowed to exactly this client.

    Only what nobody counts is remembered, and nothing that was asked with a password for one use.

    Args:
        seconds: For how long; 0 for never.
        clock: Seconds since the epoch.
        keep: How many grants at most.
    """

    def __init__(self, seconds: float, clock: Callable[[], float], *, keep: int = 1024) -> None:
        self._seconds = seconds
        self._clock = clock
        self._keep = keep
        self._grants: OrderedDict[bytes, tuple[float, Grant]] = OrderedDict()

    def find(self, request: AccessRequest) -> Grant | None:
        """The grant of the same request, if it is fresh."""
        if not self._may_keep(request):
            return None
        until, grant = self._grants.get(_key(request), (0.0, None))
        return grant if self._clock() < until <= self._clock() + self._seconds else None

    def keep(self, request: AccessRequest, grant: Grant) -> None:
        """Remember a grant."""
        if not self._may_keep(request):
            return
        key = _key(request)
        self._grants[key] = (self._clock() + self._seconds, grant)
        self._grants.move_to_end(key)
        while len(self._grants) > self._keep:
            self._grants.popitem(last=False)

    def _may_keep(self, request: AccessRequest) -> bool:
        once = "x-osf-otp" in request.identity.headers
        return self._seconds > 0 and request.action in _HARMLESS and not once


def _key(request: AccessRequest) -> bytes:
    """Everything that the host can decide by; where the client comes from is for its statistics.

    It is a digest, so that no credentials are kept.
    """
    who = request.identity
    question = (request.resource, request.provider, request.action, request.path, request.version)
    proof = (who.authorization, dict(who.cookies), who.cookie, who.view_only)
    text = msgspec.json.encode((question, proof), order="deterministic")
    return hashlib.sha256(text).digest()
