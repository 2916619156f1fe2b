"""The client commands."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import stat
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from waterbutler.cli.arguments import DEFAULT_URL
from waterbutler.cli.output import Meter, UsageError, complain, metered, say, table, visible
from waterbutler.client import (
    Address,
    Client,
    Found,
    RemoteEntry,
    download,
    download_tree,
    upload,
    upload_tree,
)
from waterbutler.client.files import copy_to, save
from waterbutler.core import Conflict
from waterbutler.core.errors import AlreadyExists, ConfigInvalid
from waterbutler.core.hosts import is_loopback
from waterbutler.settings import TOKEN, URL

LOCAL_TOKEN = Path("waterbutler-data") / "token"
"""Where a server that was started here keeps its token."""


def ls(args: argparse.Namespace) -> int:
    """List a folder or a file."""

    async def run(client: Client) -> None:
        found = await client.find(args.place)
        entries = [found.entry] if found.entry is not None and not found.is_folder else None
        if entries is None:
            entries = sorted(await client.list(found), key=lambda entry: entry.name)
        if args.json:
            say(json.dumps([_document(entry) for entry in entries], indent=2, ensure_ascii=False))
            return
        for line in _lines(entries, long=args.long):
            say(line)

    return _run(args, run)


def get(args: argparse.Namespace) -> int:
    """Download a file or folder."""

    async def run(client: Client) -> None:
        found = await client.find(args.place)
        if not found.is_folder:
            await _get_file(client, found, args)
            return
        if not args.recursive:
            raise UsageError(
                f"{found.address} is a folder: use -r, or `waterbutler zip` for an archive."
            )
        if args.local == "-":
            raise UsageError("A folder does not fit into standard output: use `waterbutler zip`.")
        target = _target(args.local, found.address.name, makes=True)
        with metered(quiet=args.quiet) as meter:

            async def get_file(file: Found, to: Path) -> None:
                await _download(client, file, to, args, meter)

            await download_tree(client, found, target, get_file)

    return _run(args, run)


def put(args: argparse.Namespace) -> int:
    """Upload a file or folder."""
    source = Path(args.local)
    place: Address = args.place
    is_folder = stat.S_ISDIR(source.stat().st_mode)
    if is_folder and not args.recursive:
        raise UsageError(f"{source} is a folder: use -r.")
    name = source.name if source.name not in {"", ".."} else source.resolve().name
    address = place.child(name) if place.path.is_folder else place

    async def run(client: Client) -> None:
        with metered(quiet=args.quiet) as meter:

            async def put_file(file: Path, to: Address) -> None:
                await _upload(client, file, to, args, meter)

            if is_folder:
                await upload_tree(client, source, address.as_folder(), put_file)
            else:
                await put_file(source, address)

    return _run(args, run)


def cp(args: argparse.Namespace) -> int:
    """Copy on the server."""
    return _transfer(args, "copy")


def mv(args: argparse.Namespace) -> int:
    """Move on the server."""
    return _transfer(args, "move")


def rm(args: argparse.Namespace) -> int:
    """Delete a file or folder."""
    place: Address = args.place
    if place.path.is_root and not args.all_contents:
        raise UsageError(f"{place} is a whole storage: --all-contents deletes everything in it.")
    if args.all_contents and not place.path.is_root:
        raise UsageError("--all-contents is for the root of a storage; use -r for a folder.")

    async def run(client: Client) -> None:
        found = await client.find(place)
        if found.is_folder and not found.wire.is_root and not args.recursive:
            raise UsageError(f"{found.address} is a folder: use -r.")
        await client.delete(found, all_contents=args.all_contents)

    return _run(args, run)


def mkdir(args: argparse.Namespace) -> int:
    """Make a folder."""
    place: Address = args.place.as_folder()
    if place.path.is_root and not args.parents:
        raise UsageError(f"{place} is a whole storage, which is there already.")

    async def run(client: Client) -> None:
        if not args.parents:
            await client.make_folder(place)
            return
        missing = []
        here = place
        while not here.path.is_root and await client.find_folder(here) is None:
            missing.append(here)
            here = here.parent
        for folder in reversed(missing):
            await client.make_folder(folder)

    return _run(args, run)


def zip_folder(args: argparse.Namespace) -> int:
    """Download a folder as an archive."""

    async def run(client: Client) -> None:
        folder = await client.folder(args.place)
        reply = await client.zip(folder)
        if args.local == "-":
            await copy_to(reply, sys.stdout.buffer)
            return
        name = f"{folder.address.name}.zip"
        target = _target(args.local or name, name)
        with metered(quiet=args.quiet) as meter, meter.bar(target.name, None) as progress:
            await save(reply, target, progress=progress)

    return _run(args, run)


# -- parts of commands -------------------------------------------------------------------------


def _transfer(args: argparse.Namespace, action: str) -> int:
    destination: Address = args.destination

    async def run(client: Client) -> None:
        source = await client.find(args.place)
        into = destination if destination.path.is_folder else destination.parent
        name = None if destination.path.is_folder else destination.name
        if name is None and source.wire.is_root:
            name = source.address.name
        folder = await client.folder(into)
        conflict = Conflict(args.conflict)
        result = await client.transfer(action, source, folder, name=name, conflict=conflict)
        if isinstance(result, str):
            say(f"Still running: {result}" if result else "Still running.")

    return _run(args, run)


def _target(local: str, name: str, *, makes: bool = False) -> Path:
    """Where on this machine something called ``name`` goes: into a folder, or under a new name."""
    target = Path(local)
    if target.is_dir():
        return target / name
    if local.endswith("/") and not makes:
        raise UsageError(f"{local}: there is no such folder.")
    return target


async def _get_file(client: Client, found: Found, args: argparse.Namespace) -> None:
    if args.local == "-":
        await copy_to(await client.read(found), sys.stdout.buffer)
        return
    target = _target(args.local, found.address.name)
    with metered(quiet=args.quiet) as meter:
        await _download(client, found, target, args, meter)


async def _download(
    client: Client, file: Found, target: Path, args: argparse.Namespace, meter: Meter
) -> None:
    if args.no_replace and await asyncio.to_thread(target.exists):
        _remark(args, f"{target} is left as it is.")
        return
    size = file.entry.size if file.entry is not None else None
    with meter.bar(file.address.name, size) as progress:
        await download(client, file, target, progress=progress)


async def _upload(
    client: Client, file: Path, to: Address, args: argparse.Namespace, meter: Meter
) -> None:
    size = (await asyncio.to_thread(file.stat)).st_size
    with meter.bar(file.name, size) as progress:
        try:
            await upload(
                client,
                file,
                to,
                replace=not args.no_replace,
                digest=args.digest,
                progress=progress,
            )
        except AlreadyExists:
            if not args.no_replace:
                raise
            _remark(args, f"{to} is left as it is.")


def _lines(entries: list[RemoteEntry], *, long: bool) -> list[str]:
    rows = []
    for entry in entries:
        name = entry.name + ("/" if entry.is_folder else "")
        size = "-" if entry.size is None else str(entry.size)
        time = (entry.modified_utc or "-")[:19].replace("T", " ")
        rows.append((size, time, visible(name)))
    if not long:
        return [name for _, _, name in rows]
    width = max((len(size) for size, _, _ in rows), default=0)
    return list(table([(size.rjust(width), time, name) for size, time, name in rows]))


def _document(entry: RemoteEntry) -> dict[str, object]:
    return {
        "name": entry.name,
        "kind": entry.kind,
        "path": entry.path,
        "materialized": entry.materialized,
        "size": entry.size,
        "modified": entry.modified_utc,
        "etag": entry.etag,
        "hashes": entry.extra.hashes,
    }


def _remark(args: argparse.Namespace, line: str) -> None:
    if not args.quiet:
        complain(line)


# -- the server --------------------------------------------------------------------------------


def _run(args: argparse.Namespace, run: Callable[[Client], Awaitable[None]]) -> int:
    url = args.url or os.environ.get(URL) or DEFAULT_URL
    host = _host(url)
    token = os.environ.get(TOKEN) or _local_token(host)

    async def connected() -> None:
        async with Client(url, token) as client:
            await run(client)

    asyncio.run(connected())
    return 0


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        host = None
    else:
        if parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
            host = None
    if not host:
        raise ConfigInvalid("The URL of the server is not of the form http://127.0.0.1:7777.")
    return host


def _local_token(host: str) -> str | None:
    """The token of a server that was started in this folder."""
    if not is_loopback(host):
        return None
    try:
        return LOCAL_TOKEN.read_text("utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
