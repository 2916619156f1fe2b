"""What tests of the osfstorage provider share."""

from __future__ import annotations

from pathlib import Path as FsPath
from types import SimpleNamespace
from typing import Any

from tests.fakes.osf_host import HMAC_SECRET, USER, FakeHost
from waterbutler.core import Provider, User
from waterbutler.http import HttpClient
from waterbutler.plugins import Context, Mount, Registry
from waterbutler_filesystem import FilesystemProvider
from waterbutler_osfstorage import OsfStorageProvider

ME = User(id=USER["id"], name=USER["name"], email=USER["email"])


def registry(**storages: Provider) -> Registry:
    """Storages that a blob store may be in: folders, and those that are opened already."""
    found = Registry()
    found.add("filesystem", FilesystemProvider)
    for name, storage in storages.items():
        found.add(
            name,
            SimpleNamespace(
                capabilities=storage.capabilities, open=lambda _mount, _context, it=storage: it
            ),
        )
    return found


def folder(path: FsPath) -> dict[str, Any]:
    """The settings of a blob store in a folder that is made when it is missing."""
    return {"provider": "filesystem", "folder": str(path), "create": True}


def opened(
    host: FakeHost | None,
    http: HttpClient,
    storage: dict[str, Any],
    *,
    resource: str = "guid0",
    user: User = ME,
    view_only: str | None = None,
    trees: Any = None,
    storages: Registry | None = None,
) -> OsfStorageProvider:
    """The storage of a resource, at a host over the wire or in the embedded trees."""
    settings: dict[str, Any] = {"storage": storage}
    if host is not None:
        host.storage = storage
        settings = host.settings(resource)
    return _opened(settings, http, resource, user, view_only, trees, storages)


def at_host(
    url: str,
    resource: str,
    http: HttpClient,
    storage: dict[str, Any],
    storages: Registry | None = None,
) -> OsfStorageProvider:
    """The storage of a resource of another server's embedded host, whose address is ``url``."""
    base = f"{url}/api/v1/{resource}/osfstorage/"
    settings = {"storage": storage, "nid": resource, "baseUrl": base}
    return _opened(settings, http, resource, ME, None, None, storages)


def _opened(
    settings: dict[str, Any],
    http: HttpClient,
    resource: str,
    user: User,
    view_only: str | None,
    trees: Any,
    storages: Registry | None,
) -> OsfStorageProvider:
    context = Context(
        registry=storages or registry(),
        data=FsPath("/nonexistent"),
        http=http,
        trees=trees,
        hooks_secret=HMAC_SECRET,
    )
    mount = Mount(
        provider="osfstorage",
        name="osfstorage",
        resource=resource,
        settings=settings,
        user=user,
        view_only=view_only,
    )
    return OsfStorageProvider.open(mount, context)
