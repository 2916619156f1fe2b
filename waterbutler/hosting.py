"""The embedded host, from settings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import structlog

from waterbutler.auth import Account, Resource, StaticHandler
from waterbutler.auth.envelope import EnvelopeKeys
from waterbutler.core.errors import WaterButlerError
from waterbutler.core.parsing import parse_number
from waterbutler.events import Event, Item
from waterbutler.host import (
    OSFSTORAGE,
    Accounts,
    Database,
    EmbeddedTrees,
    Host,
    HostOptions,
    Region,
    only_shows,
    storage_of,
)
from waterbutler.settings import Settings, parse_size

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler.host")


class DownloadCounter:
    """Counts the downloads of files whose tree is in this process.

    Those of another server are counted when it asks for the right to them. The same are left out
    here as there: those of users that the resource names, and those that only show a file.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    def emit(self, event: Event) -> None:
        """See `Sink.emit`."""
        item, origin = event.item, event.origin
        if event.action != "download_file" or origin.renders or only_shows(origin.url):
            return
        accounts = self._host.accounts
        if not accounts.keeps_tree(item.resource, item.provider) or accounts.contributes(
            event.user.id, item.resource
        ):
            return
        task = asyncio.get_running_loop().create_task(self._count(item, event.version))
        self._host.background.add(task)
        task.add_done_callback(self._host.background.discard)

    async def _count(self, item: Item, version: str | None) -> None:
        number = parse_number(version)
        tree = self._host.trees.tree(item.resource)
        try:
            await tree.count_download(item.path.strip("/"), version=number)
        except WaterButlerError as error:
            _log.warning("download not counted", resource=item.resource, reason=error.message)


def make_host(
    settings: Settings,
    accounts: Iterable[Account],
    resources: Iterable[Resource],
    rights: StaticHandler,
    *,
    url: str,
) -> Host:
    """The host, with its database, which is made at first use.

    Args:
        settings: The settings.
        accounts: The users.
        resources: The resources.
        rights: Decides who may do what.
        url: What links to this server start with.

    Raises:
        ConfigInvalid: The database's URL makes no sense, or its driver is not installed.
    """
    quotas, usual = _quotas(settings)
    known = Accounts(accounts, resources, rights, quotas=quotas, quota=usual)
    trees = EmbeddedTrees(Database(settings.database), names=known.author, limits=known.limit)
    days = settings.host.keep_deleted_days
    keep = days * 86400 if days else None
    return Host(known, trees, _options(settings, url), keep_deleted=keep)


def make_trees(settings: Settings) -> EmbeddedTrees:
    """Only the files, for those who need no rights; raises `ConfigInvalid` like `make_host`."""
    quotas, usual = _quotas(settings)
    return EmbeddedTrees(
        Database(settings.database), limits=lambda resource: quotas.get(resource, usual)
    )


def regions(settings: Settings) -> Sequence[Region]:
    """The blob stores of all mounts of osfstorage that have their tree here, each once."""
    found: list[Region] = []
    for resource in settings.resources.values():
        for name, mount in resource.providers.items():
            if (mount.provider or name) != OSFSTORAGE:
                continue
            region = Region(storage_of(mount.settings), storage_of(mount.credentials))
            if region.settings and region not in found:
                found.append(region)
    return found


def _quotas(settings: Settings) -> tuple[dict[str, int], int | None]:
    """How many bytes each resource may have, and those that say nothing."""
    quotas = {
        name: parse_size(resource.quota)
        for name, resource in settings.resources.items()
        if resource.quota
    }
    usual = settings.host.quota
    return quotas, parse_size(usual) if usual else None


def _options(settings: Settings, url: str) -> HostOptions:
    osf = settings.auth.osf
    origins = {origin for origin in settings.server.cors_origins if origin != "*"}
    return HostOptions(
        url=(settings.host.url or f"{url}/host").rstrip("/"),
        keys=EnvelopeKeys.derive(
            jwe_secret=osf.jwe_secret, jwe_salt=osf.jwe_salt, jwt_secret=osf.jwt_secret
        ),
        hmac_secret=osf.hmac_secret,
        origins=frozenset({url, *origins}),
    )
