"""Removing folders with everything in them.

The tree is walked down and back up with one open folder at a time, however deep it is. On the way
up, the folder above must be the one that the walk came from: a folder that was moved meanwhile must
not lead to removing what is beside its new place. Links are removed, not followed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from waterbutler_filesystem.confined import Folder, identity
from waterbutler_filesystem.names import is_reserved
from waterbutler_filesystem.threads import Stop

ATTEMPTS = 100
"""How often to start again while others add to the folder or remove from it."""
_AT_ONCE = 256
"""How many names of non-empty folders to hold for each level."""


@dataclass(slots=True)
class _Level:
    identity: tuple[int, int]
    waiting: list[bytes] = field(default_factory=list)
    entered: bytes = b""
    again: bool = True


def remove_folder(parent: Folder, name: bytes, stop: Stop) -> None:
    """Remove a folder and everything in it; what others remove meanwhile is fine.

    Raises:
        OSError: It cannot be removed, or others fill it faster than it is emptied. A part of it
            may be gone.
    """
    for _ in range(ATTEMPTS):
        try:
            with parent.enter(name) as folder:
                _empty_once(folder, stop)
            os.rmdir(name, dir_fd=parent.fd)
        except FileNotFoundError:
            if parent.find(name) is None:
                return
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
        else:
            return
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def empty_folder(folder: Folder, stop: Stop) -> None:
    """Remove everything in a folder but reserved names; raises like `remove_folder`."""
    for _ in range(ATTEMPTS):
        try:
            with Folder(os.dup(folder.fd)) as top:
                if not _empty_once(top, stop, keep=is_reserved):
                    return
        except FileNotFoundError:
            continue
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def _nothing(_name: str) -> bool:
    return False


def _empty_once(here: Folder, stop: Stop, keep: Callable[[str], bool] = _nothing) -> bool:
    """Remove what can be seen; whether there was anything. ``here`` is used up.

    Raises:
        FileNotFoundError: Others removed the folder that the walk was in.
    """
    levels = [_Level(identity(here.fd))]
    found = False
    while True:
        stop.check()
        level = levels[-1]
        if not level.waiting and level.again:
            found |= _remove_simple(here, level, stop, keep if len(levels) == 1 else _nothing)
        elif level.waiting:
            _go_down(here, levels)
        elif len(levels) == 1:
            return found
        else:
            _go_up(here, levels)


def _remove_simple(here: Folder, level: _Level, stop: Stop, keep: Callable[[str], bool]) -> bool:
    """Remove all that takes one call; folders with content are put down for later."""
    found = False
    level.again = False
    with os.scandir(here.fd) as items:
        for item in items:
            if keep(item.name):
                continue
            found = True
            name = os.fsencode(item.name)
            if not _remove_one(here, name, is_folder=item.is_dir(follow_symlinks=False)):
                level.waiting.append(name)
            if len(level.waiting) >= _AT_ONCE:
                level.again = True
                break
            stop.check()
    return found


def _remove_one(here: Folder, name: bytes, *, is_folder: bool) -> bool:
    try:
        if is_folder:
            os.rmdir(name, dir_fd=here.fd)
        else:
            os.unlink(name, dir_fd=here.fd)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        # It is gone, or became something else, which the next round finds.
        return True
    except OSError as error:
        if is_folder and error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            return False
        raise
    return True


def _go_down(here: Folder, levels: list[_Level]) -> None:
    level = levels[-1]
    level.entered = level.waiting.pop()
    try:
        below = here.enter(level.entered)
    except (FileNotFoundError, NotADirectoryError):
        return
    here.close()
    here.fd = below.fd
    levels.append(_Level(identity(here.fd)))


def _go_up(here: Folder, levels: list[_Level]) -> None:
    levels.pop()
    level = levels[-1]
    here.descend([b".."])
    if identity(here.fd) != level.identity:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
    if not _remove_one(here, level.entered, is_folder=True):
        # Others put something in; reading on would find it again and again.
        level.again = False
