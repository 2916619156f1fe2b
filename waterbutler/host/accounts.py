"""Users, resources, storages and rights, as the settings file has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from waterbutler.auth import Account, MountConfig, Resource, StaticHandler
from waterbutler.core import JSON, AccessRequest, Grant
from waterbutler.core.errors import Forbidden, NotFound, Unauthenticated
from waterbutler.core.filetree import OSFSTORAGE, Author

_PLACES = ("folder", "bucket", "container")
"""The setting that says which part of a blob store is meant; each kind of store has one."""


@dataclass(frozen=True, slots=True)
class Region:
    """A blob store: what `waterbutler_osfstorage` opens it with."""

    settings: Mapping[str, JSON]
    credentials: Mapping[str, JSON]


class Accounts:
    """What the host knows besides files.

    Args:
        accounts: The users.
        resources: The resources.
        rights: Decides who may do what.
        quotas: How many bytes each resource may have, where that is not the usual number.
        quota: The usual number; ``None`` for no limit.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        resources: Iterable[Resource],
        rights: StaticHandler,
        *,
        quotas: Mapping[str, int] | None = None,
        quota: int | None = None,
    ) -> None:
        self._accounts = {account.id: account for account in accounts}
        self._resources = {resource.id: resource for resource in resources}
        self._rights = rights
        self._quotas = dict(quotas or {})
        self._quota = quota
        self._regions = _regions(self._resources.values())

    def resource(self, id: str) -> Resource:
        """A resource.

        Raises:
            NotFound: There is none.
        """
        found = self._resources.get(id)
        if found is None:
            raise NotFound("There is no such resource.")
        return found

    def knows(self, user: str) -> bool:
        """Whether there is such a user."""
        return user in self._accounts

    def author(self, user: str) -> Author | None:
        """What others may see of a user; ``None`` for one that is gone."""
        account = self._accounts.get(user)
        return Author(name=account.name or account.id) if account else None

    def limit(self, resource: str) -> int | None:
        """How many bytes a resource may have; ``None`` for no limit."""
        return self._quotas.get(resource, self._quota)

    def contributes(self, user: str | None, resource: str) -> bool:
        """Whether the resource names this user: what they download is not counted."""
        return user is not None and user in self.resource(resource).access

    def keeps_tree(self, resource: str, mount: str) -> bool:
        """Whether the tree behind a mount is in this host's database."""
        found = self._resources.get(resource)
        config = found.mounts.get(mount) if found else None
        return (
            config is not None
            and config.provider == OSFSTORAGE
            and not config.settings.get("baseUrl")
        )

    def region(self, settings: Mapping[str, JSON]) -> Region | None:
        """The configured blob store that a version's settings point to."""
        return self._regions.get(_place(settings))

    async def authorize(self, request: AccessRequest) -> Grant:
        """The grant for a request, refused in the words of an OSF-like host.

        Raises:
            Unauthenticated: A password or a session is wrong.
            Forbidden: The right is missing, a bearer token is wrong, or nobody is signed in.
            NotFound: There is no such resource or storage.
        """
        try:
            grant = await self._rights.authorize(request)
        except Unauthenticated as error:
            scheme = (request.identity.authorization or "").partition(" ")[0].lower()
            if scheme == "basic" or (not scheme and request.identity.cookie):
                raise
            raise Forbidden(error.message) from None
        if grant is None:
            raise NotFound("There is no such resource.")
        if request.action.writes and grant.read_only:
            raise Forbidden("Nobody may write to this storage.")
        return grant


def storage_of(mount: Mapping[str, JSON]) -> dict[str, JSON]:
    """What a mount of ``osfstorage`` says of its blob store; of settings or of credentials."""
    storage = mount.get("storage")
    return dict(storage) if isinstance(storage, dict) else {}


def _regions(resources: Iterable[Resource]) -> dict[tuple[JSON, ...], Region]:
    found: dict[tuple[JSON, ...], Region] = {}
    for resource in resources:
        for mount in resource.mounts.values():
            if mount.provider == OSFSTORAGE:
                region = _region(mount)
                found.setdefault(_place(region.settings), region)
    return found


def _region(mount: MountConfig) -> Region:
    return Region(storage_of(mount.settings), storage_of(mount.credentials))


def _place(settings: Mapping[str, JSON]) -> tuple[JSON, ...]:
    """What tells blob stores apart."""
    return (str(settings.get("provider")), *(str(settings.get(name, "")) for name in _PLACES))
