"""Who is signed in, and to what."""

from __future__ import annotations

import hashlib
import re

import msgspec

from waterbutler.auth import ResourceSummary
from waterbutler.core import Action, Identity
from waterbutler.core.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    Unauthenticated,
    WaterButlerError,
)
from waterbutler.server.context import ServerContext
from waterbutler.server.errors import status_of
from waterbutler.server.gateway.ids import Address

_CREDENTIAL = re.compile(r"[!-~]{1,4096}")
"""What can stand behind ``Bearer``."""


class GatewaySession(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the tokens of a session stand for; kept sealed.

    Attributes:
        token: The user's own token, shown anew to the auth chain with each request, so that
            rights end when they are taken away.
        account: The same for all sessions of a user in one part of the tree.
        resource: The only resource that the session sees, if there is one.
        mount: The only mount.
    """

    token: str
    account: str
    resource: str = ""
    mount: str = ""

    def __repr__(self) -> str:
        return f"GatewaySession({self.account})"

    @property
    def root(self) -> Address:
        """The folder that the session begins at, and never leaves."""
        return Address(self.resource, self.mount)

    def seal(self) -> bytes:
        """The session as bytes; they are as secret as the token."""
        return msgspec.json.encode(self)

    @classmethod
    def open(cls, data: bytes) -> GatewaySession:
        """The session that `seal` wrote."""
        return msgspec.json.decode(data, type=cls)


def identity_of(token: str, client: Identity) -> Identity:
    """What a client shows that uses a session: the user's token, and nothing of its own."""
    return msgspec.structs.replace(
        client,
        authorization=f"Bearer {token}",
        cookies={},
        cookie=None,
        view_only=None,
        same_origin=False,
        csrf_token=None,
    )


async def admit(context: ServerContext, token: str, root: Address, client: Identity) -> str:
    """Let a user in, and give the account that the session is of.

    Args:
        context: The server.
        token: The user's token.
        root: What the user wants to see.
        client: What the client shows besides.

    Raises:
        Forbidden: The token is wrong, or does not open this.
        InvalidRequest: Nobody here knows what the user may see, so that must be said.
    """
    if context.accounts is None and root.is_virtual:
        raise InvalidRequest("Say the resource and the provider: this server has no list of them.")
    if not _CREDENTIAL.fullmatch(token):
        raise Forbidden("The token is wrong.")
    who = identity_of(token, client)
    try:
        user = await _user(context, root, who)
    except WaterButlerError as error:
        if status_of(error) in {401, 403, 404, 410}:
            raise Forbidden("The token is wrong, or is not allowed here.") from error
        raise
    if user is None:
        raise Forbidden("The token is wrong.")
    account = "\0".join((user, root.resource, root.mount))
    return hashlib.sha256(account.encode()).hexdigest()[:32]


async def inside(context: ServerContext, at: Address, identity: Identity) -> list[Address]:
    """What is in a folder above all storages.

    Raises:
        NotFound: The user sees no such resource.
    """
    resources: dict[str, ResourceSummary] = {}
    for resource in await context.auth.resources(identity):
        resources.setdefault(resource.id, resource)
    if not at.resource:
        return [Address(id) for id in resources]
    if at.resource not in resources:
        raise NotFound("There is no such file or folder.")
    return [Address(at.resource, mount.name) for mount in resources[at.resource].mounts]


async def _user(context: ServerContext, root: Address, who: Identity) -> str | None:
    if not root.is_virtual:
        entering = context.butler.enter(root.place, Action.METADATA, who)
        async with entering as room:
            # Hosts tell who it is; where they do not, the token does.
            return room.grant.user.id or _nameless(who)
    user = await context.auth.identify(who)
    if user is None:
        raise Unauthenticated("The token is wrong.")
    await inside(context, root, who)
    return user.id


def _nameless(who: Identity) -> str:
    return hashlib.sha256((who.authorization or "").encode()).hexdigest()
