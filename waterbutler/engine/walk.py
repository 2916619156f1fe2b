"""Everything below a folder, with memory that does not grow with the tree."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime
from typing import IO

from waterbutler.core import Entry, Path, Provider
from waterbutler.core.errors import BadPath
from waterbutler.core.waiting import together
from waterbutler.engine.concurrency import Emit, closing, in_background

LISTINGS = 4
"""How many folders are listed at once."""
AHEAD = 256
"""How many entries are found before they are asked for."""
_BLOCK = 4096
"""How many folders that wait to be listed go to disk together."""

Enter = Callable[[Entry], Awaitable[bool]]


def walk(
    provider: Provider,
    folder: Path,
    *,
    listings: int = LISTINGS,
    ahead: int = AHEAD,
    enter: Enter | None = None,
    only_empty_folders: bool = False,
) -> AsyncGenerator[Entry, None]:
    """Every entry below ``folder``, each once, folders before their content.

    The order is otherwise not promised. Folders that wait to be listed are kept on disk when there
    are many. Close the iterator when leaving early (`contextlib.aclosing`).

    Args:
        provider: The storage.
        folder: Where to start; it is not itself in the result.
        listings: How many folders are listed at once.
        ahead: How many entries are found before they are asked for.
        enter: Awaited with each folder below ``folder`` before it is listed, and after it was
            awaited for the folders above; ``False`` leaves out what is in the folder.
        only_empty_folders: Leave out folders that have something in them.

    Raises:
        BadPath: ``folder`` is not a folder's path.
        WaterButlerError: A folder cannot be listed, for example because it is gone by now.
    """
    if not folder.is_folder:
        raise BadPath("Only a folder has something below it.")
    found = _Walk(provider, max(listings, 1), enter, only_empty_folders)
    return in_background(lambda emit: found.run(folder, emit), max(ahead, 1))


class _Walk:
    """Workers that each list a folder, hand out what is in it and remember the folders in it."""

    def __init__(
        self, provider: Provider, listings: int, enter: Enter | None, only_empty: bool
    ) -> None:
        self._provider = provider
        self._listings = listings
        self._enter = enter
        self._only_empty = only_empty
        self._waiting = FolderStack()
        self._busy = 0
        self._changed = asyncio.Condition()

    async def run(self, top: Path, emit: Emit[Entry]) -> None:
        """List ``top`` and everything below it."""

        async def work() -> None:
            while (folder := await self._next()) is not None:
                await self._list(folder, emit, is_top=len(folder.path.names) == len(top.names))
                await self._done()

        try:
            await self._add(Entry(path=top))
            await together(work() for _ in range(self._listings))
        finally:
            self._waiting.close()

    async def _list(self, folder: Entry, emit: Emit[Entry], *, is_top: bool) -> None:
        if self._enter is not None and not is_top and not await self._enter(folder):
            return
        empty = True
        async with closing(self._provider.list(folder.path)) as entries:
            async for entry in entries:
                empty = False
                if not (entry.is_folder and self._only_empty):
                    await emit(entry)
                if entry.is_folder:
                    await self._add(entry)
        if empty and self._only_empty and not is_top:
            await emit(folder)

    async def _next(self) -> Entry | None:
        """A folder to list; ``None`` when there will be none."""
        async with self._changed:
            while not self._waiting and self._busy:
                await self._changed.wait()
            if not self._waiting:
                return None
            self._busy += 1
            return await self._waiting.pop()

    async def _add(self, folder: Entry) -> None:
        async with self._changed:
            await self._waiting.push(folder)
            self._changed.notify()

    async def _done(self) -> None:
        async with self._changed:
            self._busy -= 1
            self._changed.notify_all()


class FolderStack:
    """Folders that wait, last in first out; of many, only the newest are in memory.

    Of an entry its path and its time are kept.

    Args:
        block: How many go to disk together.
    """

    def __init__(self, block: int = _BLOCK) -> None:
        self._block = block
        self._newest: list[Entry] = []
        self._offsets: list[int] = []
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return len(self._newest) + len(self._offsets) * self._block

    async def push(self, folder: Entry) -> None:
        """Put a folder on top."""
        self._newest.append(folder)
        if len(self._newest) == 2 * self._block:
            oldest, self._newest = self._newest[: self._block], self._newest[self._block :]
            await asyncio.to_thread(self._store, oldest)

    async def pop(self) -> Entry:
        """Take the top folder off."""
        if not self._newest:
            self._newest = await asyncio.to_thread(self._load)
        return self._newest.pop()

    def close(self) -> None:
        """Remove what is on disk."""
        if self._file is not None:
            self._file.close()

    def _store(self, folders: list[Entry]) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._offsets.append(self._file.seek(0, 2))
        self._file.write(json.dumps([_pack(folder) for folder in folders]).encode())

    def _load(self) -> list[Entry]:
        assert self._file is not None
        offset = self._offsets.pop()
        self._file.seek(offset)
        folders = [_unpack(item) for item in json.loads(self._file.read())]
        self._file.seek(offset)
        self._file.truncate()
        return folders


_Packed = tuple[list[str], list[str | None], str | None]


def _pack(folder: Entry) -> _Packed:
    modified = None if folder.modified is None else folder.modified.isoformat()
    return list(folder.path.names), list(folder.path.ids), modified


def _unpack(packed: _Packed) -> Entry:
    names, ids, modified = packed
    return Entry(
        path=Path(tuple(names), True, tuple(ids)),
        modified=datetime.fromisoformat(modified) if modified else None,
    )
