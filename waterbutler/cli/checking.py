"""``check``: proof that the configured storages work."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import difflib
import secrets
from dataclasses import dataclass
from pathlib import Path as FsPath

from waterbutler.cli.output import UsageError, say, visible
from waterbutler.cli.serving import load_settings, words
from waterbutler.core import ByteStream, Path, Provider, WriteMode
from waterbutler.core.errors import WaterButlerError
from waterbutler.hosting import make_trees
from waterbutler.http import HttpClient
from waterbutler.plugins import Context, Mount, Registry
from waterbutler.settings import MountSettings, Settings

PATIENCE = 60.0
"""How many seconds a storage has to prove itself."""

_PROBE = b"WaterButler checks that it can write here.\n"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out for one storage."""

    line: str
    fine: bool


def check(args: argparse.Namespace) -> int:
    """Report each storage in a line; 1 if any fails."""
    settings = load_settings(args).settings
    mounts = _chosen(settings, args.storage)
    if not mounts:
        say("No storage is configured.")
        return 0
    verdicts = asyncio.run(_judge_all(mounts, settings))
    for verdict in verdicts:
        say(visible(verdict.line))
    return 0 if all(verdict.fine for verdict in verdicts) else 1


def _chosen(settings: Settings, storage: str | None) -> dict[str, MountSettings]:
    mounts = {
        f"{id}/{name}": mount
        for id, resource in settings.resources.items()
        for name, mount in resource.providers.items()
    }
    if storage is None:
        return mounts
    wanted = storage.strip("/")
    if wanted not in mounts:
        near = difflib.get_close_matches(wanted, mounts, 1)
        hint = f"did you mean {near[0]}?" if near else f"configured: {', '.join(mounts) or 'none'}."
        raise UsageError(f"There is no storage {wanted!r}; {hint}")
    return {wanted: mounts[wanted]}


async def _judge_all(mounts: dict[str, MountSettings], settings: Settings) -> list[Verdict]:
    trees = make_trees(settings)
    async with HttpClient() as http:
        context = Context(
            registry=Registry.from_entry_points(),
            data=FsPath(settings.server.data),
            http=http,
            trees=trees,
            hooks_secret=settings.auth.osf.hmac_secret,
        )
        judging = (_judge(where, mount, context) for where, mount in mounts.items())
        try:
            return await asyncio.gather(*judging)
        finally:
            await trees.aclose()


async def _judge(where: str, mount: MountSettings, context: Context) -> Verdict:
    resource, _, name = where.partition("/")
    opened = Mount(
        provider=mount.provider,
        name=name,
        resource=resource,
        settings=mount.settings,
        credentials=mount.credentials,
    )
    reached: list[str] = []
    try:
        async with asyncio.timeout(PATIENCE):
            provider = context.registry.open(opened, context)
            try:
                await _prove(provider, reached, read_only=mount.read_only)
            finally:
                await provider.aclose()
    except TimeoutError:
        return _failed(where, reached, f"no answer within {PATIENCE:.0f} seconds.")
    except WaterButlerError as error:
        return _failed(where, reached, error.message)
    except Exception as error:  # noqa: BLE001 - a stranger's provider may break in any way
        return _failed(where, reached, f"unexpected {type(error).__name__}.")
    line = f"{where}: {', '.join(reached)}; capabilities: {words(provider.capabilities)}"
    return Verdict(line, fine=True)


def _failed(where: str, reached: list[str], reason: str) -> Verdict:
    state = "reachable, not writable" if reached else "not reachable"
    return Verdict(f"{where}: {state}: {reason}", fine=False)


async def _prove(provider: Provider, reached: list[str], *, read_only: bool) -> None:
    """Reach the storage, and write and remove a small file where that is allowed."""
    await provider.check()
    reached.append("reachable")
    if read_only:
        reached.append("read-only by configuration")
    elif not provider.capabilities.write:
        reached.append("read-only")
    else:
        await _write_probe(provider)
        reached.append("writable")


async def _write_probe(provider: Provider) -> None:
    path = Path().child(f".waterbutler-check-{secrets.token_hex(8)}")
    try:
        async with ByteStream.of(_PROBE) as body:
            await provider.write(path, body, mode=WriteMode.CREATE)
    except BaseException:
        # Nothing should be there, but a storage that fails may not keep its promises either.
        with contextlib.suppress(WaterButlerError):
            await provider.delete(path)
        raise
    await provider.delete(path)
