"""Which uploads in parts are under way, so that those of a process that died can be aborted.

A server keeps the parts of an upload until it is completed or aborted, and nobody sees them but who
pays for them. So before an upload begins, a note of it is put into the data folder. It is locked as
long as the process lives, and goes with the upload: the system lets go of the lock with the
process, however that ends. A note that nobody holds is of an upload that nobody will end: whoever
opens the storage next aborts it. No other upload is touched, whatever else the bucket is used for.
An upload that its own process cannot abort is let go of in the same way, and the next one that
begins tries again.

A process may die when the server has begun an upload and has not said yet what it calls it. Then
all that is known is the key and the time, and what fits both is aborted after `UNNAMED_AGE`.

All of this is done as well as it can be: where no note can be written, uploads work as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import random
import re
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from waterbutler.core.errors import WaterButlerError
from waterbutler.core.locks import try_lock

UNNAMED_AGE = 86400.0
"""After how many seconds an upload is aborted of which only the key and the time are known, and any
upload where the system has no locks."""
MOMENT = 60.0
"""Seconds in which an upload begins, and by which the clocks of two machines may differ."""
_REMEMBERED = 1000
"""How many uploads are remembered that could be neither written down nor aborted."""
_NAME = re.compile("[0-9a-f]{32}")


class Begun(msgspec.Struct, frozen=True):
    """An upload.

    Attributes:
        storage: The bucket and the folder in it that the mount shows.
        key: What the object is called in the end.
        since: When it began, in seconds since the epoch.
        id: What the server calls it; empty if that is not known.
    """

    storage: str
    key: str
    since: float
    id: str = ""


_decode = msgspec.json.Decoder(Begun).decode
_encode = msgspec.json.Encoder().encode

Abort = Callable[[Begun], Awaitable[None]]
"""Aborts an upload; raises if it is still there."""


@dataclass(slots=True)
class Note:
    """A note that this process holds; its methods block, and fail silently.

    Where it could not be written there is no file, and it is as good as this process lives.
    """

    file: Path
    begun: Begun
    fd: int

    @property
    def is_written(self) -> bool:
        """Whether another process can find it."""
        return self.fd >= 0

    def name(self, id: str) -> None:
        """Write down what the server calls the upload."""
        self.begun = msgspec.structs.replace(self.begun, id=id)
        if not self.is_written:
            return
        with contextlib.suppress(OSError):
            os.pwrite(self.fd, _encode(self.begun), 0)

    def end(self) -> None:
        """The upload is over; may be called again."""
        if self.is_written:
            with contextlib.suppress(OSError):
                self.file.unlink()
        self.leave()

    def leave(self) -> None:
        """Leave the upload to a sweep."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


class Unfinished:
    """The uploads of one storage that are under way, and those that could not be aborted.

    Args:
        folder: Where the notes are; made at first use, with mode 0700. Without it, this process
            remembers what it could not abort, as long as it lives.
        storage: Which storage.
        abort: Aborts one of its uploads.
    """

    def __init__(self, folder: Path | None, storage: str, abort: Abort) -> None:
        self._folder = folder
        self._storage = storage
        self._abort = abort
        self._due = True
        self._unwritten: deque[Begun] = deque(maxlen=_REMEMBERED)

    async def begin(self, key: str) -> Note:
        """Note an upload that is about to begin."""
        note = None
        if self._folder is not None:
            note = await asyncio.to_thread(self._begin, self._folder, key)
        return note or _note_in_memory(Begun(self._storage, key, time.time()))

    async def leave(self, note: Note) -> None:
        """An upload is not over, and nobody goes on with it: it is aborted another time."""
        self._remember(note)
        await asyncio.to_thread(note.leave)

    async def catch_up(self) -> None:
        """Abort what died, the first time, and then what could not be aborted since.

        The storage works, as far as one knows: where it does not abort, it is not asked long.
        """
        if self._due:
            await self._sweep(give_up=True)

    async def sweep(self) -> int:
        """Abort the uploads of processes that are gone; returns how many there were."""
        return await self._sweep(give_up=False)

    async def _sweep(self, *, give_up: bool) -> int:
        self._due = False
        count, left = 0, await self._taken()
        try:
            while left:
                try:
                    await self._abort(left[-1].begun)
                except WaterButlerError:
                    # It stays noted, for a sweep that has more luck.
                    await self.leave(left.pop())
                    if give_up:
                        break
                else:
                    count += 1
                    await asyncio.to_thread(left.pop().end)
        finally:
            for note in left:
                self._remember(note)
                note.leave()
        return count

    def _remember(self, note: Note) -> None:
        """Look again for what could not be aborted; what is in no file is remembered here."""
        if note.begun.id:
            self._due = True
            if not note.is_written:
                self._unwritten.append(note.begun)

    async def _taken(self) -> list[Note]:
        """What nobody goes on with; in any order, so that what never works is not always first."""
        notes = [_note_in_memory(begun) for begun in self._unwritten]
        self._unwritten.clear()
        if self._folder is not None:
            notes += await asyncio.to_thread(lambda: list(self._dead()))
        random.shuffle(notes)
        return notes

    def _begin(self, folder: Path, key: str) -> Note | None:
        begun = Begun(self._storage, key, time.time())
        file = folder / secrets.token_hex(16)
        try:
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            note = Note(file, begun, os.open(file, flags, 0o600))
        except OSError:
            return None
        with contextlib.suppress(OSError):
            # A sweep that sees the note before it is locked finds no id, and lets go of it.
            os.write(note.fd, _encode(begun))
            fcntl.flock(note.fd, fcntl.LOCK_EX)
        return note

    def _dead(self) -> Iterator[Note]:
        """The notes that no process holds; from now on this one does."""
        assert self._folder is not None
        try:
            names = [name for name in os.listdir(self._folder) if _NAME.fullmatch(name)]  # noqa: PTH208
        except OSError:
            return
        for name in names:
            with contextlib.suppress(OSError):
                note = _taken(self._folder / name, self._storage)
                if note is not None:
                    yield note


def _note_in_memory(begun: Begun) -> Note:
    return Note(Path(), begun, -1)


def _taken(file: Path, storage: str) -> Note | None:
    """A note of a storage, if its process is gone."""
    fd = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        begun = _decode(os.read(fd, 1 << 16))
        locked, info = try_lock(fd), os.fstat(fd)
        is_old = time.time() - begun.since > UNNAMED_AGE
        is_dead = is_old if locked is None else locked and (is_old or bool(begun.id))
        if begun.storage == storage and is_dead and info.st_nlink:
            note, fd = Note(file, begun, fd), -1
            return note
    except msgspec.DecodeError:
        if time.time() - os.fstat(fd).st_mtime > UNNAMED_AGE:
            file.unlink()
    finally:
        if fd >= 0:
            os.close(fd)
    return None
