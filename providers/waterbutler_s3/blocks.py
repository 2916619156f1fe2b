"""Bytes that are collected before they are sent, so that they can be sent again.

They are in memory as long as there is memory for them, and else in a file without a name, which the
system removes with the process.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Set
from pathlib import Path

from isal import isal_zlib

from waterbutler.core import ByteStream
from waterbutler.core.budget import Budget
from waterbutler.core.descriptors import write_all
from waterbutler.core.disk import explained

SMALL = 1 << 16
"""Blocks up to this size need no budget, and larger ones are written to a file in such pieces."""
_INLINE = 1 << 14
"""Up to this many bytes are hashed at once: a thread would cost more."""
_STEP = 1 << 16
"""How many bytes are read from a file at once."""


BOTH = frozenset({"md5", "sha256"})
"""What is computed of a file that is sent in one request."""
PIPES = 1 << 20
"""What an upload takes beside its blocks: what comes, what goes, what is on its way to a file."""
BUDGET = Budget(3 * (1 << 23) + PIPES)
"""What all uploads have; blocks for which nothing is left go to files."""


class Block:
    """Bytes that are sent, and can be sent again; whoever has it closes it.

    Args:
        digests: Which digests to compute: ``md5``, ``sha256`` and ``crc32``.

    Attributes:
        size: How many there are.
        md5: Their digest, once `ready` has computed it, if it was asked for.
        sha256: The same in hexadecimal.
        crc32: Another one.
    """

    def __init__(self, digests: Set[str]) -> None:
        self.size = 0
        self.md5: bytes | None = None
        self.sha256: str | None = None
        self.crc32: bytes | None = None
        self._ready = False
        self._md5 = hashlib.md5(usedforsecurity=False) if "md5" in digests else None
        self._sha256 = hashlib.sha256() if "sha256" in digests else None
        self._crc = 0
        self._wants_crc = "crc32" in digests
        self._chunks: list[bytes] = []

    @classmethod
    async def of(cls, chunks: list[bytes], digests: Set[str] = BOTH) -> Block:
        """A block of bytes that are there."""
        block = InMemory(0, digests)
        for chunk in chunks:
            await block.add(chunk)
        await block.ready()
        return block

    async def add(self, chunk: bytes) -> None:
        """Append."""
        self._chunks.append(chunk)
        self.size += len(chunk)

    async def ready(self) -> None:
        """Nothing more comes: compute what is missing of the digests; may be called again."""
        if self._ready:
            return
        self._ready = True
        await self._complete()
        self.md5 = self._md5.digest() if self._md5 else None
        self.sha256 = self._sha256.hexdigest() if self._sha256 else None
        self.crc32 = self._crc.to_bytes(4, "big") if self._wants_crc else None

    def stream(self) -> ByteStream:
        """The bytes, for sending them once."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the bytes; may be called again."""

    async def _complete(self) -> None:
        raise NotImplementedError

    def _hash(self, chunks: list[bytes]) -> None:
        for hasher in (self._md5, self._sha256):
            if hasher is not None:
                for chunk in chunks:
                    hasher.update(chunk)
        if self._wants_crc:
            for chunk in chunks:
                self._crc = isal_zlib.crc32(chunk, self._crc)


class InMemory(Block):
    """A block in memory.

    Args:
        taken: How many bytes were taken from the budget for it.
        digests: Which digests to compute.
    """

    def __init__(self, taken: int, digests: Set[str]) -> None:
        super().__init__(digests)
        self._taken = taken

    def stream(self) -> ByteStream:
        """See `Block.stream`."""

        async def chunks() -> AsyncIterator[bytes]:
            for chunk in self._chunks:
                yield chunk

        return ByteStream(chunks(), size=self.size)

    def close(self) -> None:
        """See `Block.close`."""
        taken, self._taken = self._taken, 0
        BUDGET.give_back(taken)
        self._chunks = []

    async def _complete(self) -> None:
        # Off the event loop where it takes long.
        if self.size <= _INLINE:
            self._hash(self._chunks)
        else:
            await asyncio.to_thread(self._hash, self._chunks)


class InFile(Block):
    """A block in a file, but for an end that is not worth a call.

    Args:
        folder: Where the file is made; elsewhere, if that is not there.
        digests: Which digests to compute.
    """

    def __init__(self, folder: Path | None, digests: Set[str]) -> None:
        super().__init__(digests)
        self._folder = folder
        self._file: _File | None = None
        self._held = 0

    async def add(self, chunk: bytes) -> None:
        """See `Block.add`.

        Raises:
            QuotaExceeded, ProviderUnavailable: It cannot be written to the file.
        """
        await super().add(chunk)
        self._held += len(chunk)
        if self._held < SMALL:
            return
        chunks, self._chunks, self._held = self._chunks, [], 0
        with explained("the upload"):
            if self._file is None:
                self._file = await asyncio.to_thread(_File, self._folder)
            await asyncio.to_thread(self._write, self._file, chunks)

    def stream(self) -> ByteStream:
        """See `Block.stream`."""

        async def chunks() -> AsyncIterator[bytes]:
            offset = 0
            while self._file is not None:
                data = await asyncio.to_thread(self._file.read, offset)
                if not data:
                    break
                offset += len(data)
                yield data
            for chunk in self._chunks:
                yield chunk

        return ByteStream(chunks(), size=self.size)

    def close(self) -> None:
        """See `Block.close`."""
        self._file = None
        self._chunks = []

    def _write(self, file: _File, chunks: list[bytes]) -> None:
        file.write(chunks)
        self._hash(chunks)

    async def _complete(self) -> None:
        self._hash(self._chunks)


class _File:
    """A file without a name, which is closed when nobody has it any more.

    A thread that is writing has it too: so the number of the descriptor cannot become another
    file's while it is in use.
    """

    def __init__(self, folder: Path | None) -> None:
        self._fd = -1
        there = folder if folder is not None and folder.is_dir() else None
        with tempfile.TemporaryFile(dir=there, buffering=0) as file:
            self._fd = os.dup(file.fileno())

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def write(self, chunks: list[bytes]) -> None:
        """Append."""
        write_all(self._fd, chunks)

    def read(self, offset: int) -> bytes:
        """The bytes from there on, up to `_STEP` of them."""
        return os.pread(self._fd, _STEP, offset)
