"""Whole folders between this machine and a server, a few files at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

from waterbutler.client.address import Address
from waterbutler.client.client import Client, Found, child
from waterbutler.client.files import download, upload
from waterbutler.core import check_name
from waterbutler.core.errors import AlreadyExists, Unsupported

GetFile: TypeAlias = Callable[[Found, Path], Awaitable[None]]
PutFile: TypeAlias = Callable[[Path, Address], Awaitable[None]]

Job: TypeAlias = Callable[[], Awaitable[None]]

PARALLEL = 4
"""How many files are on their way at once."""


async def download_tree(
    client: Client, folder: Found, target: Path, get_file: GetFile | None = None
) -> None:
    """Read a folder with everything in it into the folder ``target``, which is made.

    Files that are there are replaced; others are left alone. The first failure stops the rest.

    Args:
        client: The server.
        folder: The folder.
        target: Where its content goes.
        get_file: Reads one file; without it `download`.
    """

    async def plain(file: Found, to: Path) -> None:
        await download(client, file, to)

    get = get_file or plain

    async def jobs() -> AsyncGenerator[Job, None]:
        async for found, place in _remote(client, folder, target):
            yield partial(get, found, place)

    await _in_parallel(jobs())


async def upload_tree(
    client: Client, source: Path, folder: Address, put_file: PutFile | None = None
) -> None:
    """Send a folder with everything in it to ``folder``, which is made if it is missing.

    Links to folders and what is neither file nor folder are left out. The first failure stops the
    rest.

    Args:
        client: The server.
        source: The folder on this machine.
        folder: Where its content goes.
        put_file: Sends one file; without it `upload`.
    """

    async def plain(file: Path, to: Address) -> None:
        await upload(client, file, to)

    put = put_file or plain

    async def jobs() -> AsyncGenerator[Job, None]:
        async for file, address in _local(client, source, folder):
            yield partial(put, file, address)

    await _in_parallel(jobs())


async def _remote(client: Client, folder: Found, target: Path) -> AsyncIterator[tuple[Found, Path]]:
    """Every file below a folder and where it goes; folders are made on the way."""
    waiting = [(folder, target)]
    while waiting:
        here, place = waiting.pop()
        await asyncio.to_thread(place.mkdir, parents=True, exist_ok=True)
        for entry in await client.list(here):
            found, inner = child(here, entry), place / check_name(entry.name)
            if entry.is_folder:
                waiting.append((found, inner))
            else:
                yield found, inner


async def _local(
    client: Client, source: Path, folder: Address
) -> AsyncIterator[tuple[Path, Address]]:
    """Every file below a folder and where it goes; folders are made on the way."""
    waiting = [(source, folder)]
    while waiting:
        here, address = waiting.pop()
        if not address.path.is_root:
            await _make(client, address)
        for inner, is_folder in await asyncio.to_thread(_scan, here):
            if is_folder:
                waiting.append((inner, address.child(inner.name, folder=True)))
            else:
                yield inner, address.child(inner.name)


def _scan(folder: Path) -> list[tuple[Path, bool]]:
    """What is in a folder and is to be sent, and whether it is a folder."""
    found = []
    for inner in sorted(folder.iterdir()):
        if inner.is_dir() and not inner.is_symlink():
            found.append((inner, True))
        elif inner.is_file():
            found.append((inner, False))
    return found


async def _make(client: Client, folder: Address) -> None:
    """Make a folder, unless it is there or the storage has none."""
    with contextlib.suppress(Unsupported):
        try:
            await client.make_folder(folder)
        except AlreadyExists:
            if await client.find_folder(folder) is None:
                raise


async def _in_parallel(jobs: AsyncGenerator[Job, None]) -> None:
    """Do all jobs, a few at a time; the next one is asked for when there is room."""
    room = asyncio.Semaphore(PARALLEL)

    async def run(job: Job) -> None:
        try:
            await job()
        finally:
            room.release()

    try:
        async with contextlib.aclosing(jobs), asyncio.TaskGroup() as group:
            await room.acquire()
            async for job in jobs:
                group.create_task(run(job))
                await room.acquire()
    except BaseExceptionGroup as errors:
        raise _first(errors) from None


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first, out of its groups."""
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
