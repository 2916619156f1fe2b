"""Copying and moving between folders of this machine, without the bytes passing through us."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import Self

from waterbutler.core import Entry, Path, WriteMode
from waterbutler.core.descriptors import write_all
from waterbutler.core.errors import AlreadyExists, Corrupted, NotFound, SamePlace, Unsupported
from waterbutler_filesystem.confined import Folder, identity, is_below
from waterbutler_filesystem.digests import recall, remember
from waterbutler_filesystem.entries import file_entry, occupant, require
from waterbutler_filesystem.journal import Exchange, Pending
from waterbutler_filesystem.names import is_reserved, known_path, stored_path
from waterbutler_filesystem.removal import remove_folder
from waterbutler_filesystem.renaming import exchange, rename_exclusively, sync_filesystem
from waterbutler_filesystem.replacing import (
    cannot_exchange,
    check_gives_way,
    put_in_place,
    remove_replaced,
    set_aside,
)
from waterbutler_filesystem.root import Root
from waterbutler_filesystem.temporary import Temporary, check_replaceable
from waterbutler_filesystem.threads import Stop

SLICE = 1 << 24
"""How many bytes to copy before looking whether to go on."""
_NO_COPY = {errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF, errno.EPERM}


@dataclass(frozen=True, slots=True)
class Place:
    """A path in the folder of a mount."""

    root: Root
    path: Path


class Transfer:
    """One copy or move: both folders open, everything looked at.

    Raises:
        NotFound, IsAFolder, NotAFolder: There is no such source, or no folder for the target.
        SamePlace: The target is the source, or in it.
        AlreadyExists: With ``CREATE``: something has the target's name.
        NotAFolder: A folder is to replace a file.
        Unsupported: A folder is to replace another one, and the filesystem has no step for that.
    """

    def __init__(self, source: Place, target: Place, mode: WriteMode, *, sync: bool) -> None:
        if source.path.is_root:
            raise Unsupported("The root is not copied or moved as a whole.")
        if target.path.is_root:
            raise AlreadyExists("The root exists already.", path="/")
        self._root = target.root
        self._source_root = source.root
        self._path = target.path
        self._mode = mode
        self._sync = sync
        *into, self._new = stored_path(target.path)
        self._into = into
        *self._folders, self._old = known_path(source.path)
        self._source = source.root.folder(self._folders, source.path)
        self._target = Folder(-1)
        self._gives_way: os.stat_result | None = None
        try:
            self._info = require(self._source.find(self._old), source.path)
            self._target = target.root.folder(into, target.path.parent)
            self._check_places()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close both folders."""
        self._source.close()
        self._target.close()

    def move(self) -> Entry:
        """Rename; what is known of a file's content is kept."""
        if self._gives_way is not None:
            return self._move_over(self._gives_way)
        fd = -1 if self._path.is_folder else self._open_moved()
        try:
            kept = self._info if fd < 0 else os.fstat(fd)
            record = None if fd < 0 else recall(fd, kept)
            self._rename()
            if self._sync:
                self._target.sync()
                self._source.sync()
            if record is not None:
                return file_entry(self._path, *remember(fd, record.hashes, kept))
            return self._result()
        finally:
            if fd >= 0:
                os.close(fd)

    def copy_file(self, stop: Stop) -> Entry:
        """Copy a file, sharing the blocks where the filesystem can."""
        fd = self._source.open_file(self._old)
        try:
            file = Temporary(self._root, self._into, self._target)
            try:
                hashes = copy_content(fd, file.fd, stop)
                if self._sync:
                    os.fsync(file.fd)
                stop.check()
                seen = os.fstat(file.fd)
                try:
                    file.publish(self._target, self._new, self._mode)
                except FileExistsError:
                    raise self._taken() from None
                if self._sync:
                    self._target.sync()
                if hashes is not None:
                    return file_entry(self._path, *remember(file.fd, hashes, seen))
                return file_entry(self._path, os.fstat(file.fd), None)
            finally:
                file.discard()
        finally:
            os.close(fd)

    def copy_folder(self, stop: Stop) -> Entry:
        """Copy a folder under a temporary name and rename it when it is complete."""
        if self._gives_way is not None and not self._root.exchanges:
            raise cannot_exchange()
        with self._root.open() as top:
            pending = Pending(top, self._into)
        try:
            os.mkdir(pending.name, dir_fd=self._target.fd)
            with (
                self._source.enter(self._old) as source,
                self._target.enter(pending.name) as copy,
            ):
                copy_tree(source, copy, stop)
                if self._sync:
                    sync_filesystem(copy)
            stop.check()
            replaced = self._publish(pending.name)
        except BaseException:
            self._remove_pending(pending)
            raise
        if replaced:
            changed = [self._target] if self._sync else []
            remove_replaced(self._target, pending, self._path, sync=changed)
            return self._result()
        pending.end()
        if self._sync:
            self._target.sync()
        return self._result()

    def _publish(self, pending: bytes) -> bool:
        """Give a folder that was copied its name; whether another one has the temporary name."""
        try:
            if self._mode is WriteMode.REPLACE:
                return put_in_place(self._target, pending, self._new)
            rename_exclusively(self._target, pending, self._target, self._new, is_folder=True)
        except FileExistsError:
            raise self._taken() from None
        except Unsupported:
            # Both names are in one folder: what cannot be done here can be done nowhere.
            self._root.exchanges = False
            raise
        return False

    def _move_over(self, old: os.stat_result) -> Entry:
        """Let a folder change places with the one that it replaces, and remove that one."""
        known = None
        if self._source_root.name == self._root.name:
            known = Exchange(self._old, old, [*self._into, self._new], self._info)
        with self._source_root.open() as top:
            pending = Pending(top, self._folders, known)
        try:
            if not exchange(self._source, self._old, self._target, self._new):
                raise cannot_exchange()
            set_aside(self._source, self._old, pending.name, old)
        except BaseException:
            pending.end()
            raise
        changed = [self._target, self._source] if self._sync else []
        remove_replaced(self._source, pending, self._path, sync=changed)
        return self._result()

    def _check_places(self) -> None:
        same_folder = identity(self._source.fd) == identity(self._target.fd)
        if same_folder and self._old == self._new:
            raise SamePlace("Source and destination are the same.", path=str(self._path))
        top = (self._info.st_dev, self._info.st_ino)
        if self._path.is_folder and is_below(self._target, top):
            raise SamePlace("The destination lies inside the source.", path=str(self._path))
        try:
            old = self._target.look(self._new)
        except FileNotFoundError:
            return
        if self._mode is WriteMode.CREATE:
            raise self._taken()
        if not self._path.is_folder:
            check_replaceable(old)
            return
        check_gives_way(old, self._source, self._path)
        self._gives_way = old

    def _rename(self) -> None:
        try:
            if self._mode is WriteMode.CREATE or self._path.is_folder:
                rename_exclusively(
                    self._source,
                    self._old,
                    self._target,
                    self._new,
                    is_folder=self._path.is_folder,
                )
                return
            there = self._target.find(self._new)
            os.rename(self._old, self._new, src_dir_fd=self._source.fd, dst_dir_fd=self._target.fd)
            if there is not None and os.path.samestat(there, self._info):
                self._drop_second_name()
        except FileExistsError:
            raise self._taken() from None

    def _drop_second_name(self) -> None:
        """Two names of one file: renaming one to the other does nothing, so the old one is left.

        Unless it is one name in two spellings, on a system that ignores case.
        """
        old, new = (os.fsdecode(name).casefold() for name in (self._old, self._new))
        if self._info.st_nlink > 1 and old != new:
            os.unlink(self._old, dir_fd=self._source.fd)

    def _open_moved(self) -> int:
        """The file that will be moved, to keep what is known of it; -1 if it may not be read."""
        try:
            return self._source.open_file(self._old)
        except PermissionError:
            return -1

    def _result(self) -> Entry:
        entry = occupant(self._target, self._new, self._path)
        if entry is None:
            raise NotFound("It was removed again.", path=str(self._path))
        return entry

    def _taken(self) -> AlreadyExists:
        entry = occupant(self._target, self._new, self._path)
        return AlreadyExists("The name is taken.", entry=entry, path=str(self._path))

    def _remove_pending(self, pending: Pending) -> None:
        try:
            if self._target.find(pending.name) is not None:
                remove_folder(self._target, pending.name, Stop())
        except OSError:
            pending.abandon()
        else:
            pending.end()


def copy_content(source: int, copy: int, stop: Stop) -> dict[str, str] | None:
    """Copy what is in an open file into an empty one.

    Returns:
        The hashes, if those of the source are known.

    Raises:
        Corrupted: The source changed meanwhile.
    """
    before = os.fstat(source)
    record = recall(source, before)
    left = before.st_size
    step = _copy_range if hasattr(os, "copy_file_range") else _copy_block
    while left > 0:
        stop.check()
        try:
            done = step(source, copy, min(left, SLICE))
        except OSError as error:
            if step is _copy_block or error.errno not in _NO_COPY:
                raise
            step = _copy_block
            continue
        if not done and step is _copy_block:
            break
        if not done:
            # Some filesystems say so instead of refusing.
            step = _copy_block
        left -= done
    after = os.fstat(source)
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    if left or not same:
        raise Corrupted("The file was changed while it was copied.")
    made = os.fstat(copy)
    if made.st_size != before.st_size:
        raise Corrupted("The size of the copy is not that of the source.")
    # Who may read the copy may run it, if the source is a program.
    mode = stat.S_IMODE(made.st_mode)
    runnable = before.st_mode & 0o111 & (mode & 0o444) >> 2
    if runnable:
        os.fchmod(copy, mode | runnable)
    return record.hashes if record is not None else None


def copy_tree(source: Folder, copy: Folder, stop: Stop) -> None:
    """Copy everything in a folder into an empty one; links and devices are left out.

    So is what others remove from the source before it is its turn.
    """
    waiting: list[tuple[bytes, ...]] = [()]
    with _Walker(source) as reading, _Walker(copy) as writing:
        while waiting:
            names = waiting.pop()
            try:
                here = reading.go(names)
            except (FileNotFoundError, NotADirectoryError):
                continue
            folders = _copy_level(here, writing.go(names), stop)
            waiting.extend((*names, folder) for folder in folders)


class _Walker:
    """Goes to folders below another one; the way from a folder to one in it is short."""

    def __init__(self, top: Folder) -> None:
        self._top = top
        self._here = Folder(-1)
        self._names: tuple[bytes, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._here.close()

    def go(self, names: tuple[bytes, ...]) -> Folder:
        """The folder that the names lead to from the top; open until the next one is asked for."""
        rest = names[-1:]
        if self._here.fd < 0 or names[:-1] != self._names:
            self._here.close()
            self._here = Folder(os.dup(self._top.fd))
            rest = names
        self._names = names
        return self._here.descend(rest)


def _copy_level(here: Folder, there: Folder, stop: Stop) -> list[bytes]:
    """Copy the files in a folder; make its folders, and return their names."""
    folders = []
    with os.scandir(here.fd) as items:
        for item in items:
            stop.check()
            name = os.fsencode(item.name)
            if is_reserved(item.name):
                continue
            if item.is_dir(follow_symlinks=False):
                os.mkdir(name, dir_fd=there.fd)
                folders.append(name)
            elif item.is_file(follow_symlinks=False):
                _copy_into(here, there, name, stop)
    return folders


def _copy_into(here: Folder, there: Folder, name: bytes, stop: Stop) -> None:
    try:
        source = here.open_file(name)
    except (FileNotFoundError, IsADirectoryError):
        return
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        copy = os.open(name, flags, 0o666, dir_fd=there.fd)
        try:
            hashes = copy_content(source, copy, stop)
            if hashes is not None:
                remember(copy, hashes, os.fstat(copy))
        finally:
            os.close(copy)
    finally:
        os.close(source)


def _copy_range(source: int, copy: int, size: int) -> int:
    return os.copy_file_range(source, copy, size)


def _copy_block(source: int, copy: int, size: int) -> int:
    block = os.read(source, min(size, 1 << 20))
    write_all(copy, [block])
    return len(block)
