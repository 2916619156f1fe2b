"""Which temporary names are in use, so that those of a process that died can be removed.

A temporary name is needed for moments only: while a file or a folder takes the place of another
one, while a folder is copied, and for whole uploads where the system has no files without a name.
Before such a name is made, a file with the same token is put into the folder ``.waterbutler`` at
the top. It holds the names of the folders that lead to the temporary name, and it is locked as long
as the process lives: the system lets go of the lock with the process, however that ends. So any
process, also one of several that share the folder, sees which names are nobody's any more, and
finds them without looking through the whole tree.

A folder that is moved over another one changes places with it, and for a moment what is to be
removed has the name that the moved folder had. The file says that too, so that a sweep goes on from
there; it does so only as long as both folders are the same, each where the other one was, and
nothing was added to the old one, or removed from it, directly.

All of this is done as well as it can be. Where the top is not writable there is no journal; then a
name left by a crash stays, and is neither shown nor in the way. The same holds if the folder it is
in was renamed since.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass

from waterbutler.core.locks import try_lock
from waterbutler_filesystem.confined import Folder
from waterbutler_filesystem.names import STATE, temporary
from waterbutler_filesystem.removal import remove_folder
from waterbutler_filesystem.threads import Stop

UNLOCKED_AGE = 86400
"""After how many seconds a name is nobody's where the system has no locks."""
_STATE = STATE.encode()
_TOKEN = re.compile("[0-9a-f]{32}")
_NO_NAMES = {b"", b".", b".."}
_PARTS = 5
"""Of the note of an `Exchange`."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Two folders that are about to change places, and of which one shall go.

    Attributes:
        name: Where the one that stays is before; in the folder of the temporary name.
        old: The one that shall go.
        target: The names that lead from the top to where the other one stays.
        new: The one that stays.
    """

    name: bytes
    old: os.stat_result
    target: Sequence[bytes]
    new: os.stat_result

    def note(self) -> bytes:
        """What is written down."""
        numbers = (self.old.st_ino, self.old.st_mtime_ns, self.new.st_ino)
        return b"\0".join([self.name, b"/".join(self.target), *(b"%d" % it for it in numbers)])


class Pending:
    """A temporary name that is written down as long as it is in use.

    Args:
        top: The folder that holds everything; it is not kept.
        folders: The names that lead from there to the folder of the temporary name.
        exchange: What comes before something gets the temporary name.
    """

    __slots__ = ("_fd", "_state", "_token", "name")

    def __init__(
        self, top: Folder, folders: Sequence[bytes], exchange: Exchange | None = None
    ) -> None:
        self._token = secrets.token_hex(16)
        self._fd = -1
        self._state: Folder | None = None
        self.name = temporary(self._token)
        # Without a journal the name still works.
        with contextlib.suppress(OSError):
            more = [] if exchange is None else [exchange.note()]
            self._write_down(top, b"\0".join([b"/".join(folders), *more]))

    def end(self) -> None:
        """Cross the name out; nothing has it any more. May be called again."""
        if self._state is None:
            return
        with self._state, contextlib.suppress(OSError):
            if self._fd >= 0:
                os.unlink(self._token, dir_fd=self._state.fd)
        self._drop()

    def abandon(self) -> None:
        """Leave the name to the next sweep, when it cannot be removed now."""
        self._drop()

    def _write_down(self, top: Folder, note: bytes) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(_STATE, 0o700, dir_fd=top.fd)
        self._state = top.enter(_STATE)
        self._fd = self._claim(self._state)
        os.write(self._fd, note)

    def _claim(self, state: Folder) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        while True:
            fd = os.open(self._token, flags, 0o600, dir_fd=state.fd)
            try:
                if try_lock(fd) is not False and os.fstat(fd).st_nlink:
                    return fd
            except BaseException:
                os.close(fd)
                raise
            # A sweep found it before it was locked, and removes it.
            os.close(fd)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._token, dir_fd=state.fd)

    def _drop(self) -> None:
        if self._state is not None:
            self._state.close()
            self._state = None
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def sweep(top: Folder, stop: Stop) -> int:
    """Remove the temporary names of processes that are gone.

    Returns:
        How many there were.
    """
    try:
        state = top.enter(_STATE)
    except OSError:
        return 0
    with state:
        with os.scandir(state.fd) as items:
            tokens = [item.name for item in items if _TOKEN.fullmatch(item.name)]
        return sum(_sweep_one(top, state, token, stop) for token in tokens)


def _sweep_one(top: Folder, state: Folder, token: str, stop: Stop) -> bool:
    removed = False
    try:
        fd = state.open_file(token.encode(), os.O_RDWR)
    except OSError:
        return False
    try:
        if _is_dead(fd):
            removed = _remove(top, os.read(fd, 1 << 20), temporary(token), stop)
            os.unlink(token, dir_fd=state.fd)
    except OSError:
        # It stays written down, for a sweep that is allowed more.
        return removed
    finally:
        os.close(fd)
    return removed


def _is_dead(fd: int) -> bool:
    locked = try_lock(fd)
    info = os.fstat(fd)
    if locked is None:
        return time.time() - info.st_mtime > UNLOCKED_AGE
    return locked and info.st_nlink > 0


def _remove(top: Folder, note: bytes, name: bytes, stop: Stop) -> bool:
    folders, *exchange = note.split(b"\0")
    names = folders.split(b"/") if folders else []
    if not _NO_NAMES.isdisjoint(names):
        # Nobody but others who can write here has written this down.
        return False
    try:
        parent = Folder(os.dup(top.fd)).descend(names)
        with parent:
            if exchange:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    _go_on(top, parent, exchange, name)
            info = parent.look(name)
            if stat.S_ISDIR(info.st_mode):
                remove_folder(parent, name, stop)
            else:
                os.unlink(name, dir_fd=parent.fd)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _go_on(top: Folder, parent: Folder, exchange: list[bytes], name: bytes) -> None:
    """Give what was exchanged its temporary name, if that did not happen yet.

    Raises:
        FileNotFoundError, NotADirectoryError: It did, or one of both folders is elsewhere by now.
    """
    if len(exchange) != _PARTS:
        return
    at, target, *expected = exchange
    *into, new = target.split(b"/")
    if b"/" in at or not _NO_NAMES.isdisjoint({at, new, *into}):
        return
    old = parent.look(at)
    with Folder(os.dup(top.fd)).descend(into) as folder:
        numbers = (old.st_ino, old.st_mtime_ns, folder.look(new).st_ino)
    if stat.S_ISDIR(old.st_mode) and expected == [b"%d" % it for it in numbers]:
        os.rename(at, name, src_dir_fd=parent.fd, dst_dir_fd=parent.fd)
