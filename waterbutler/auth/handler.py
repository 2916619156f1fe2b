"""Who may do what: the contract of auth handlers and the chain that asks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from waterbutler.core import JSON, AccessRequest, Grant, Identity, User
from waterbutler.core.errors import Unauthenticated


@dataclass(frozen=True, slots=True, kw_only=True)
class MountSummary:
    """A storage of a resource, as a user sees it."""

    name: str
    provider: str
    writable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSummary:
    """A resource that a user may see."""

    id: str
    title: str
    mounts: tuple[MountSummary, ...]


class AuthHandler(Protocol):
    """Decides about access requests."""

    async def authorize(self, request: AccessRequest) -> Grant | None:
        """Allow, refuse or pass on.

        Returns:
            The grant, or ``None`` if this handler knows nothing of the request: then the next
            handler is asked.

        Raises:
            Unauthenticated: Who asks must sign in first.
            Forbidden: Who asks lacks the right.
            NotFound: There is no such resource or mount.
        """

    async def identify(self, identity: Identity) -> User | None:
        """Who shows this identity; ``None`` for nobody that this handler knows."""

    async def resources(self, identity: Identity) -> Sequence[ResourceSummary]:
        """The resources that may be seen, in the order to show them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user of this server's own configuration; ``token_sha256`` is lower-case hexadecimal."""

    id: str
    token_sha256: str = field(repr=False)
    name: str | None = None
    email: str | None = None

    @property
    def user(self) -> User:
        """The account as who acts."""
        return User(id=self.id, name=self.name or self.id, email=self.email)


@dataclass(frozen=True, slots=True, kw_only=True)
class MountConfig:
    """One storage of a resource in this server's own configuration."""

    provider: str
    settings: Mapping[str, JSON] = field(default_factory=dict)
    credentials: Mapping[str, JSON] = field(default_factory=dict, repr=False)
    redirect: bool | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource of this server's own configuration.

    ``access`` maps user ids, or ``anonymous``, to whether they may write; who is absent gets
    nothing. ``view_only_sha256`` holds the hashes of keys that give the right to read.
    """

    id: str
    title: str = ""
    access: Mapping[str, bool] = field(default_factory=dict)
    view_only_sha256: frozenset[str] = field(default=frozenset(), repr=False)
    mounts: Mapping[str, MountConfig] = field(default_factory=dict)


class AuthChain:
    """Asks handlers in order; the first that answers decides, and a refusal is final."""

    def __init__(self, handlers: Sequence[AuthHandler]) -> None:
        self._handlers = tuple(handlers)

    async def authorize(self, request: AccessRequest) -> Grant:
        """The grant for a request; see `AuthHandler.authorize`."""
        for handler in self._handlers:
            grant = await handler.authorize(request)
            if grant is not None:
                return grant
        raise Unauthenticated("Nobody here can decide about this request; sign in.")

    async def identify(self, identity: Identity) -> User | None:
        """Who shows this identity."""
        for handler in self._handlers:
            user = await handler.identify(identity)
            if user is not None:
                return user
        return None

    async def resources(self, identity: Identity) -> list[ResourceSummary]:
        """What may be seen, over all handlers."""
        found: list[ResourceSummary] = []
        for handler in self._handlers:
            found.extend(await handler.resources(identity))
        return found
