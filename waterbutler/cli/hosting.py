"""``host``: the embedded host alone, and what its administrator does."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from waterbutler.cli.output import say, table, visible
from waterbutler.cli.serving import load_settings, served
from waterbutler.core import Entry, Provider
from waterbutler.core.errors import ProviderUnavailable
from waterbutler.host import OSFSTORAGE, EmbeddedTrees, Region, remove, unreferenced
from waterbutler.hosting import make_trees, regions
from waterbutler.http import HttpClient
from waterbutler.plugins import Context, Mount, Registry
from waterbutler.settings import Settings

PATIENCE = 60.0
"""How many seconds to wait for uploads to end before blobs are removed."""
_PAUSE = 2.0


def host(args: argparse.Namespace) -> int:
    """Serve the host alone, or do what is asked."""
    if args.task == "blobs":
        return asyncio.run(_blobs(load_settings(args).settings, removing=args.remove))
    if args.task == "usage":
        return asyncio.run(_usage(load_settings(args).settings))
    more = {"host.serve": True, "host.alone": True}
    loaded = served(args, more)
    # Only this command needs the whole server.
    from waterbutler import app  # noqa: PLC0415

    return app.run(loaded.settings, reread=lambda: served(args, more).settings)


async def _usage(settings: Settings) -> int:
    """Show how much each resource holds."""
    trees = make_trees(settings)
    try:
        rows = [("RESOURCE", "BYTES", "LIMIT")]
        for name, resource in settings.resources.items():
            mounts = resource.providers.items()
            if any((mount.provider or name) == OSFSTORAGE for name, mount in mounts):
                quota = await trees.tree(name).quota()
                limit = "none" if quota.limit is None else str(quota.limit)
                rows.append((name, str(quota.used), limit))
    finally:
        await trees.aclose()
    for line in table(rows):
        say(visible(line))
    return 0


async def _blobs(settings: Settings, *, removing: bool) -> int:
    """Show, or remove, the blobs that nothing needs."""
    trees = make_trees(settings)
    count = size = 0
    try:
        for region in regions(settings):
            async with _opened(region, settings) as store:
                async for blob in unreferenced(store, trees):
                    if removing and not await _remove(store, blob, trees):
                        continue
                    count, size = count + 1, size + (blob.size or 0)
                    say(visible(f"{store.info.label}: {blob.name}"))
    finally:
        await trees.aclose()
    done = "removed" if removing else "needed by nothing; remove them with --remove"
    say(f"{count} blobs, {size} bytes, {done}.")
    return 0


async def _remove(store: Provider, blob: Entry, trees: EmbeddedTrees) -> bool:
    """Remove a blob when no upload is running; whether it was removed."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while True:
        try:
            return bool(await remove(store, [blob], trees))
        except ProviderUnavailable:
            if loop.time() > end:
                raise
        await asyncio.sleep(_PAUSE)


@contextlib.asynccontextmanager
async def _opened(region: Region, settings: Settings) -> AsyncIterator[Provider]:
    async with HttpClient() as http:
        registry = Registry.from_entry_points()
        context = Context(registry=registry, data=Path(settings.server.data), http=http)
        mount = Mount(
            provider=str(region.settings.get("provider", "")),
            name=OSFSTORAGE,
            settings=region.settings,
            credentials=region.credentials,
        )
        store = registry.open(mount, context)
        try:
            yield store
        finally:
            await store.aclose()
