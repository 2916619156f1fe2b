"""The files of an archive, read ahead as far as that is cheap."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from isal import isal_zlib

from waterbutler.core import Content, Entry, Path, Provider
from waterbutler.core.budget import Budget
from waterbutler.core.waiting import stop
from waterbutler.engine.concurrency import Emit, in_background
from waterbutler.engine.walk import walk
from waterbutler.engine.zipformat import DEFLATED, STORED, Member
from waterbutler.engine.zipnames import MemberNames

AHEAD = 24
"""How many members are prepared before they are needed."""
SMALL = 1 << 18
"""Files up to this many bytes are read whole."""
BUDGET = Budget(1 << 23)
"""How much all archives have read ahead; with many of them, files are read when they are needed."""
_LEVEL = 3
"""The best that this library has; a file gets up to a seventh larger than with zlib."""
_INLINE_DEFLATE = 1 << 14
_INLINE_CHECKSUM = 1 << 20
"""Up to this many bytes, a thread would cost more than the work."""

_COMPRESSED = re.compile(
    r"""
    \.( 7z | br | bz2 | bzip2? | cab | gz | gzip | lz | lz4 | lzma | rar | tbz2 | tgz | txz | xz
      | zip | zst
      | apk | deb | dmg | ear | jar | rpm | war | whl
      | docx | epub | odp | ods | odt | pptx | xlsx
      | avif | gif | heic | heif | jpe?g | jxl | png | webp
      | avi | m4v | mkv | mov | mp4 | mpe?g | ogv | webm | wmv
      | aac | flac | m4a | mp3 | oga | ogg | opus | wma
      | woff2?
    )\Z""",
    re.IGNORECASE | re.VERBOSE,
)


def is_compressed(name: str) -> bool:
    """Whether the extension tells that deflating would not make a file smaller."""
    return _COMPRESSED.search(name) is not None


def open_size(content: Content) -> int | None:
    """How many bytes a whole file will have; the body is made to keep to it."""
    if content.body.size is None:
        content.body.size = content.entry.size
    return content.body.size


def _deflater() -> isal_zlib.Compress:
    return isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)


class Packer:
    """Checksum, sizes and compression of one member."""

    def __init__(self, method: int) -> None:
        self.method = method
        self.crc = 0
        self.size = 0
        self.packed = 0
        self._deflate = _deflater() if method == DEFLATED else None
        self._inline = _INLINE_CHECKSUM if self._deflate is None else _INLINE_DEFLATE

    async def feed(self, chunk: bytes) -> bytes:
        """What stands for ``chunk`` in the archive; may be empty and come later."""
        if len(chunk) <= self._inline:
            return self._feed(chunk)
        return await asyncio.to_thread(self._feed, chunk)

    def finish(self) -> bytes:
        """What is left to come."""
        rest = b"" if self._deflate is None else self._deflate.flush()
        self.packed += len(rest)
        return rest

    def describe(self, member: Member) -> None:
        """Set what is known at the end."""
        member.method = self.method
        member.crc, member.size, member.packed = self.crc, self.size, self.packed

    def _feed(self, chunk: bytes) -> bytes:
        self.crc = isal_zlib.crc32(chunk, self.crc)
        self.size += len(chunk)
        packed = chunk if self._deflate is None else self._deflate.compress(chunk)
        self.packed += len(packed)
        return packed


@dataclass(slots=True)
class Part:
    """A member to come.

    Attributes:
        entry: The file, or the empty folder.
        member: How it will stand in the archive.
        loading: Reads it ahead, if it is small.
        data: What it is in the archive, if that is known beforehand.
    """

    entry: Entry
    member: Member
    loading: asyncio.Task[bytes | None] | None = None
    data: bytes | None = None

    @property
    def is_small(self) -> bool:
        """Whether it is read whole; otherwise, or if it has grown meanwhile, in pieces."""
        size = self.entry.size
        return not self.entry.is_folder and size is not None and size <= SMALL


class Loader:
    """Finds the members of an archive and reads the small ones ahead.

    Args:
        provider: The storage.
        deflate: Whether to compress at all.
    """

    def __init__(self, provider: Provider, *, deflate: bool) -> None:
        self._provider = provider
        self._deflate = deflate
        self._loading: set[asyncio.Task[bytes | None]] = set()
        self._taken = 0

    async def parts(self, top: Path) -> AsyncGenerator[Part, None]:
        """The file ``top``, or everything below the folder ``top``.

        At most `AHEAD` and a few are found and read before they are needed.
        """
        try:
            async with aclosing(in_background(partial(self._find, top), AHEAD)) as found:
                async for part in found:
                    if part.loading is not None:
                        part.data = await part.loading
                        self._loading.discard(part.loading)
                    elif part.is_small:
                        part.data = await self._load(part.entry.path, part.member)
                    yield part
                    if part.loading is not None:
                        self._give_back(part.entry.size or 0)
        finally:
            # Those that are broken off hold their error, and its frames hold this.
            loading, self._loading = self._loading, set()
            await stop(*loading)
            self._give_back(self._taken)

    async def _find(self, top: Path, emit: Emit[Part]) -> None:
        names = MemberNames(self._provider, top if top.is_folder else top.parent)
        async with aclosing(self._entries(top, names)) as entries:
            async for entry in entries:
                part = Part(entry, self._member(entry, await names.of(entry)))
                if entry.is_folder:
                    part.data = b""
                elif part.is_small and self._take(entry.size or 0):
                    part.loading = asyncio.create_task(self._load(entry.path, part.member))
                    self._loading.add(part.loading)
                await emit(part)

    def _take(self, size: int) -> bool:
        if not BUDGET.take(size):
            return False
        self._taken += size
        return True

    def _give_back(self, size: int) -> None:
        BUDGET.give_back(size)
        self._taken -= size

    async def _entries(self, top: Path, names: MemberNames) -> AsyncGenerator[Entry, None]:
        if not top.is_folder:
            yield await self._provider.stat(top)
            return
        found = walk(self._provider, top, enter=names.enter, only_empty_folders=True)
        async with aclosing(found) as entries:
            async for entry in entries:
                yield entry

    def _member(self, entry: Entry, name: bytes) -> Member:
        deflates = self._deflate and not entry.is_folder and not is_compressed(entry.name)
        method = DEFLATED if deflates else STORED
        return Member(name=name, method=method, modified=entry.modified)

    async def _load(self, path: Path, member: Member) -> bytes | None:
        """Read and compress a small file; ``None`` if it is not small any more."""
        content = await self._provider.read(path)
        async with content.body:
            size = open_size(content)
            if size is None or size > SMALL:
                return None
            data = await content.body.read(SMALL)
        stored = Packer(STORED)
        await stored.feed(data)
        if data and member.method == DEFLATED:
            deflated = Packer(DEFLATED)
            packed = await deflated.feed(data) + deflated.finish()
            if len(packed) < len(data):
                deflated.describe(member)
                return packed
        stored.describe(member)
        return data
