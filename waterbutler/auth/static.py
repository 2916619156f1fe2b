"""Access as this server's own configuration says."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from waterbutler.auth.handler import Account, MountConfig, MountSummary, Resource, ResourceSummary
from waterbutler.auth.sessions import COOKIE, Sessions
from waterbutler.core import ANONYMOUS, AccessRequest, Grant, Identity, User
from waterbutler.core.errors import Forbidden, NotFound, Unauthenticated

ANYBODY = "anonymous"
"""The name in an access table that stands for everybody."""


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who asks, how far that was proven, and what else they showed."""

    account: Account | None = None
    by_cookie: bool = False
    view_only_sha256: str | None = None

    @property
    def user(self) -> User:
        return self.account.user if self.account else ANONYMOUS


class StaticHandler:
    """Users, resources and rights from the settings file.

    A caller is known by ``Authorization: Bearer TOKEN``, by Basic authentication with the token as
    the password, by a session cookie, or by the ``cookie`` parameter with a session cookie's value.
    A write on the strength of the cookie alone must prove that it comes from this server's own
    pages. ``view_only`` keys add the right to read.

    Tokens are compared as SHA-256 digests; the tokens themselves are not kept.

    Args:
        accounts: The users.
        resources: The resources.
        sessions: Checks session cookies.
        passes_on: Leave requests for other resources, with whatever they show, to the next handler.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        resources: Iterable[Resource],
        sessions: Sessions,
        *,
        passes_on: bool = False,
    ) -> None:
        self._passes_on = passes_on
        self._accounts = {account.id: account for account in accounts}
        self._by_digest = {account.token_sha256: account for account in self._accounts.values()}
        self._resources = {resource.id: resource for resource in resources}
        self._sessions = sessions

    async def authorize(self, request: AccessRequest) -> Grant | None:
        """See `AuthHandler.authorize`."""
        if self._passes_on and request.resource not in self._resources:
            return None
        caller = self._caller(request.identity)
        resource, mount = self._find(request.resource, request.provider)
        if not self._may(caller, resource, write=request.action.writes):
            by_link = caller.view_only_sha256 in resource.view_only_sha256
            if caller.account is None and not by_link:
                raise Unauthenticated("Sign in to do this.")
            raise Forbidden("You do not have the right to do this.")
        if request.action.writes and caller.by_cookie:
            self._refuse_forgery(request.identity)
        return Grant(
            user=caller.user,
            provider=mount.provider,
            settings=mount.settings,
            credentials=mount.credentials,
            writable=not mount.read_only and self._may(caller, resource, write=True),
            redirect=mount.redirect,
            read_only=mount.read_only,
            view_only=request.identity.view_only,
        )

    async def identify(self, identity: Identity) -> User | None:
        """See `AuthHandler.identify`."""
        account = self._caller(identity).account
        return account.user if account else None

    async def resources(self, identity: Identity) -> list[ResourceSummary]:
        """See `AuthHandler.resources`."""
        caller = self._caller(identity)
        return [
            ResourceSummary(
                id=resource.id,
                title=resource.title or resource.id,
                mounts=tuple(
                    MountSummary(
                        name=name,
                        provider=mount.provider,
                        writable=not mount.read_only and self._may(caller, resource, write=True),
                    )
                    for name, mount in resource.mounts.items()
                ),
            )
            for resource in self._resources.values()
            if self._may(caller, resource, write=False)
        ]

    def open_session(self, token: str) -> str | None:
        """The value of a new session cookie for who shows ``token``, or ``None``."""
        account = self._by_token(token)
        return self._sessions.issue(account.id, account.token_sha256) if account else None

    def _find(self, resource_id: str, mount_name: str) -> tuple[Resource, MountConfig]:
        resource = self._resources.get(resource_id)
        if resource is None:
            raise NotFound(f"There is no resource {resource_id!r}.")
        mount = resource.mounts.get(mount_name)
        if mount is None:
            raise NotFound(f"{resource_id!r} has no storage {mount_name!r}.")
        return resource, mount

    def _may(self, caller: _Caller, resource: Resource, *, write: bool) -> bool:
        access: Mapping[str, bool] = resource.access
        levels = [access.get(ANYBODY)]
        if caller.account is not None:
            levels.append(access.get(caller.account.id))
        if write:
            return any(levels)
        by_link = caller.view_only_sha256 in resource.view_only_sha256
        return by_link or any(level is not None for level in levels)

    def _caller(self, identity: Identity) -> _Caller:
        """Who shows this; wrong credentials are an error, no credentials are not."""
        link = digest(identity.view_only) if identity.view_only else None
        if identity.authorization is not None:
            account = self._by_token(_token(identity.authorization))
            if account is None:
                raise Unauthenticated("The token or password is wrong.")
            return _Caller(account, view_only_sha256=link)
        if identity.cookie:
            account = self._by_cookie(identity.cookie)
            if account is None:
                raise Unauthenticated("The session is over; sign in again.")
            return _Caller(account, view_only_sha256=link)
        account = self._by_cookie(identity.cookies.get(COOKIE, ""))
        return _Caller(account, by_cookie=account is not None, view_only_sha256=link)

    def _by_token(self, token: str) -> Account | None:
        shown = digest(token)
        account = self._by_digest.get(shown)
        if account is None or not hmac.compare_digest(account.token_sha256, shown):
            return None
        return account

    def _by_cookie(self, cookie: str) -> Account | None:
        account = self._accounts.get(self._sessions.user_of(cookie) or "")
        if account is None or not self._sessions.is_valid(cookie, account.token_sha256):
            return None
        return account

    def _refuse_forgery(self, identity: Identity) -> None:
        if identity.same_origin:
            return
        cookie = identity.cookies.get(COOKIE, "")
        if not identity.csrf_token or not self._sessions.csrf_matches(cookie, identity.csrf_token):
            raise Forbidden("A write with the session cookie must come from this server's pages.")


def digest(secret: str) -> str:
    """How tokens and keys are kept: SHA-256 in lower-case hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _token(authorization: str) -> str:
    """The token in an ``Authorization`` header; empty if it makes no sense."""
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return value
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    return ""
