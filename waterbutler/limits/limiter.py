"""Who is counted as whom, and what is allowed: one object for all dialects.

A request counts for the token that it shows, or for the address that it comes from. What a client
shows is believed only after a request with it was answered as somebody's: until then it counts for
the address, as if it had shown nothing. So a token or a cookie that was made up changes nothing,
and who tries many of them is counted like somebody who shows none.

Nothing that a client shows leaves this module readable: keys are hashes, made with a secret of the
server, so that nobody who reads the store can try out what they are made of.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from waterbutler.core.errors import ProviderUnavailable
from waterbutler.limits.addresses import network_of
from waterbutler.limits.rate import Rate, Verdict
from waterbutler.limits.store import PAUSE, Store, StoreDown

MOST_KNOWN = 50_000
"""How many tokens and sessions are known to be somebody's; who was not seen longest is forgotten,
and counts for the address once more."""
_DIGEST = 16
"""Bytes of a hash."""


class WhenDown(Enum):
    """What happens to requests while the store is out of order."""

    ALLOW = "allow"
    """They are let through, uncounted."""
    REFUSE = "refuse"
    """They are refused: 503."""


class LimitsUnavailable(ProviderUnavailable):
    """Requests cannot be counted now, and are refused until they can."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One limit.

    Attributes:
        rate: How many requests a caller may make.
        address_only: Nothing that a client shows matters, as where it signs in.
    """

    rate: Rate
    address_only: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client shows to say who it is.

    Attributes:
        text: All of it, as it came.
        secret: The part that only its owner knows; ``None`` for a session, which is one of many
            that a user may have: all of them count as one.
    """

    text: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request that is being counted; given back to `Limiter.learn` when it is answered."""

    shown: Shown | None
    known_as: str
    """The hash of what was shown, under which it is known; empty where it does not matter."""


class Limiter:
    """The policy object.

    Args:
        policies: The limits by name: a dialect's, or another one that a handler asks for. What is
            not named is not limited.
        store: Where requests are counted.
        secret: Makes the hashes; servers that count together have the same one.
        when_down: What happens while the store is out of order.
    """

    def __init__(
        self,
        policies: Mapping[str, Policy],
        store: Store,
        *,
        secret: bytes,
        when_down: WhenDown = WhenDown.ALLOW,
        most_known: int = MOST_KNOWN,
    ) -> None:
        self._policies = dict(policies)
        self._store = store
        self._key = hashlib.sha256(b"waterbutler limits\0" + secret).digest()
        self._when_down = when_down
        self._most_known = most_known
        self._known: OrderedDict[str, str] = OrderedDict()
        """From the hash of what was shown to whom it counts for."""

    def covers(self, policy: str) -> bool:
        """Whether requests for this policy are counted at all."""
        return policy in self._policies

    async def count(
        self, policy: str, address: str, shown: Shown | None
    ) -> tuple[Ticket, Verdict | None]:
        """Count a request; without a verdict it could not be counted. `covers` must hold.

        Args:
            policy: Which limit.
            address: Where the request comes from.
            shown: What it shows.

        Raises:
            LimitsUnavailable: It cannot be counted, and such requests are refused.
        """
        found = self._policies[policy]
        known_as, caller = "", None
        if shown is not None and not found.address_only:
            known_as = self._hash("shown", shown.text)
            caller = self._known.get(known_as)
        if caller is None:
            caller = self._hash("address", network_of(address))
        else:
            self._known.move_to_end(known_as)
        verdict: Verdict | None = None
        try:
            verdict = await self._store.count(f"{policy}:{caller}", found.rate)
        except StoreDown:
            if self._when_down is WhenDown.REFUSE:
                raise LimitsUnavailable(
                    "The server cannot count requests now. Try again later.",
                    retry_after=PAUSE,
                ) from None
        return Ticket(shown, known_as), verdict

    def learn(self, ticket: Ticket, account: str | None, *, refused: bool) -> None:
        """A request was answered: the next one counts for who this one turned out to be from.

        Args:
            ticket: The request.
            account: Whose it was; ``None`` if nobody's.
            refused: The answer was that what was shown signs nobody in.
        """
        if not ticket.known_as or ticket.shown is None:
            return
        if refused:
            self._known.pop(ticket.known_as, None)
        elif account is not None:
            secret = ticket.shown.secret
            whose = ("session", account) if secret is None else ("token", account, secret)
            self._known[ticket.known_as] = self._hash(*whose)
            self._known.move_to_end(ticket.known_as)
            if len(self._known) > self._most_known:
                self._known.popitem(last=False)

    async def aclose(self) -> None:
        """Let go of the store."""
        await self._store.aclose()

    def _hash(self, *parts: str) -> str:
        text = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._key, digest_size=_DIGEST).hexdigest()
