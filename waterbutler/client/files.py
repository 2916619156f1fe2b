"""Single files between this machine and a server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import BinaryIO, TypeAlias

from waterbutler.client.address import Address
from waterbutler.client.client import Client, Found
from waterbutler.client.entries import RemoteEntry
from waterbutler.core import ByteStream, Hasher
from waterbutler.core.errors import AlreadyExists, Corrupted
from waterbutler.http import Reply

Progress: TypeAlias = Callable[[int], None]
"""Is told how many bytes have passed since the last time."""

_BLOCK = 1 << 20
_HASHES = ("sha256", "sha512", "sha1", "md5")
"""Hashes that files are checked with, best first."""


def ignore(size: int) -> None:
    """A progress that nobody watches."""


class _Counter:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    async def feed(self, chunk: bytes) -> None:
        self._progress(len(chunk))


# -- download ----------------------------------------------------------------------------------


async def download(
    client: Client, file: Found, target: Path, *, progress: Progress = ignore
) -> None:
    """Read a file into ``target``, which is replaced in one step.

    What has come is kept beside it in a ``.part`` file, which belongs to this content of the file:
    after an interruption the next call goes on behind it.

    Raises:
        Corrupted: The bytes are not those that the server knows of; nothing is kept of them.
        OSError: The target cannot be written.
    """
    part = _part(target, file.entry)
    have = await asyncio.to_thread(_size, part)
    size = file.entry.size if file.entry is not None else None
    if size is None or have > size:
        have = 0
    expected = _known_hash(file.entry)
    hasher = Hasher([expected[0]] if expected else [])
    if 0 < have == size:
        progress(have)
        whole = False
    else:
        whole = await _fetch(client, file, part, have, hasher, progress)
    if expected and not whole:
        await asyncio.to_thread(_feed, hasher, part)
    if expected and (await hasher.digests()) != dict([expected]):
        part.unlink()
        raise Corrupted(
            f"{file.address}: the data does not have the {expected[0]} hash that it should;"
            " it may have changed meanwhile."
        )
    await asyncio.to_thread(part.replace, target)


async def save(reply: Reply, target: Path, *, progress: Progress = ignore) -> None:
    """Write the body of a reply into ``target``, which is replaced in one step.

    Raises:
        Corrupted, Interrupted: The body ended early; nothing is left behind.
        OSError: The target cannot be written.
    """
    part = _part(target, None)
    async with reply:
        reply.body.tee(_Counter(progress))
        try:
            await _write(part, "wb", reply.body)
            await asyncio.to_thread(part.replace, target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


async def copy_to(reply: Reply, output: BinaryIO) -> None:
    """Write the body of a reply into an open file."""
    async with reply:
        async for chunk in reply.body:
            await asyncio.to_thread(output.write, chunk)
        await asyncio.to_thread(output.flush)


async def _fetch(
    client: Client, file: Found, part: Path, have: int, hasher: Hasher, progress: Progress
) -> bool:
    """Fetch what is missing; returns whether that was everything, and was hashed."""
    headers: dict[str, str] = {}
    if have and file.entry is not None and file.entry.etag is not None:
        headers = {"Range": f"bytes={have}-", "If-Range": f'"{file.entry.etag}"'}
    async with await client.read(file, headers) as reply:
        resumed = reply.status == 206 and _starts_at(reply.headers, have)
        if reply.status == 206 and not resumed:
            raise Corrupted(f"{file.address}: the server sent another range than was asked for.")
        if not resumed:
            have = 0
            reply.body.tee(hasher)
        progress(have)
        reply.body.tee(_Counter(progress))
        await _write(part, "ab" if resumed else "wb", reply.body)
    return not resumed


async def _write(target: Path, mode: str, body: ByteStream) -> None:
    file = await asyncio.to_thread(open, target, mode)
    try:
        async for chunk in body:
            await asyncio.to_thread(file.write, chunk)
    finally:
        await asyncio.shield(asyncio.to_thread(file.close))


def _part(target: Path, entry: RemoteEntry | None) -> Path:
    """Where a download is collected; one place for each content of a file."""
    content = entry.etag if entry is not None and entry.etag is not None else os.urandom(8).hex()
    tag = hashlib.sha256(content.encode()).hexdigest()[:12]
    stem = target.name
    if len(stem.encode()) > 220:
        stem = hashlib.sha256(stem.encode()).hexdigest()
    return target.with_name(f"{stem}.{tag}.part")


def _size(file: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return file.stat().st_size
    return 0


def _feed(hasher: Hasher, file: Path) -> None:
    with file.open("rb") as source:
        while block := source.read(_BLOCK):
            hasher.update(block)


def _starts_at(headers: Mapping[str, str], start: int) -> bool:
    return re.match(rf"bytes {start}-", headers.get("Content-Range", "")) is not None


def _known_hash(entry: RemoteEntry | None) -> tuple[str, str] | None:
    hashes = entry.extra.hashes if entry is not None else {}
    return next(((name, hashes[name]) for name in _HASHES if name in hashes), None)


# -- upload ------------------------------------------------------------------------------------


async def upload(
    client: Client,
    source: Path,
    address: Address,
    *,
    replace: bool = True,
    digest: bool = False,
    progress: Progress = ignore,
) -> RemoteEntry:
    """Send a file to ``address``, as a new file or as the new content of the one that is there.

    Args:
        client: The server.
        source: The file.
        address: Where it goes; a file's address.
        replace: Whether a file that is there may be replaced.
        digest: Read the file once more before, so that the server can refuse what arrives damaged.
        progress: Is told of the bytes that were sent.

    Raises:
        AlreadyExists: The name is taken, and may not be replaced or is a folder's.
        Corrupted: The server has other bytes than were sent.
        OSError: The source cannot be read.
    """
    there = await client.find_file(address)
    if there is not None and not replace:
        raise AlreadyExists(f"{address}: the name is taken.")
    headers = {"Content-Digest": await asyncio.to_thread(_digest, source)} if digest else {}
    size = (await asyncio.to_thread(source.stat)).st_size
    hasher = Hasher(["sha256", "md5"])
    async with ByteStream(_read(source), size=size) as body:
        body.tee(hasher, _Counter(progress))
        if there is not None:
            entry = await client.update(there, body, headers)
        else:
            parent = await client.folder(address.parent)
            entry = await client.create(parent, address.name, body, headers)
    for name, value in (await hasher.digests()).items():
        if entry.extra.hashes.get(name, value) != value:
            raise Corrupted(f"{address}: the server has other bytes than were sent.")
    return entry


async def _read(source: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(source.open, "rb")
    try:
        while block := await asyncio.to_thread(file.read, _BLOCK):
            yield block
    finally:
        file.close()


def _digest(source: Path) -> str:
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return f"sha-256=:{base64.b64encode(digest).decode()}:"
