"""Hashes that were computed while writing, remembered beside the file and never guessed.

They are kept in the extended attribute ``user.waterbutler.hashes`` of the file, with its inode,
size and times. They are believed as long as all of these are still the same. The time of the last
*change* (ctime) is what makes that safe: the system sets it at every write, and nobody can set it
back, so content that was altered and given its old time again (``touch -r``, ``rsync --times``)
is noticed, and so are copies that took the attribute along (``cp -a``). The price is that renaming
a file or changing its mode from outside forgets its hashes; this provider's own renames and copies
write them anew. Renaming a folder above keeps them.

Writing the attribute is itself a change. So the change time may differ from the remembered one by
`WINDOW`, which nothing but this provider's own steps fits into.

Where the system has no such attributes the hashes of the last `MEMORY` files are remembered in this
process. Nobody else knows those, so nothing that must be the same in all processes, as an etag,
may depend on them: they are marked as not ``durable``.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from collections import OrderedDict
from typing import Annotated

import msgspec

from waterbutler_filesystem import attributes
from waterbutler_filesystem.attributes import Attributes
from waterbutler_filesystem.confined import Folder

HASHES = ("md5", "sha256")
WINDOW = 20_000_000
"""How far change times may be apart, in nanoseconds: some ticks of the coarsest system clock."""
MEMORY = 16384
RECENT = 8192
"""Of how many files it is kept in memory what lies beside them."""
BARE = 16384
"""And of how many more at least, up to twice as many, that nothing does: of each 130 bytes."""
SETTLED = 100_000_000
"""How long ago they were changed at least, in nanoseconds: more than ticks of clocks take."""
_ATTEMPTS = 3


class Record(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """The hashes of one content, and what its file looked like; times in nanoseconds.

    It is kept in less than `attributes.LONGEST` bytes.
    """

    inode: int
    size: int
    modified: int
    changed: int
    md5: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    sha256: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    durable: bool = True

    def holds(self, info: os.stat_result) -> bool:
        """Whether the file still is as it was."""
        return (
            self.inode == info.st_ino
            and self.size == info.st_size
            and self.modified == info.st_mtime_ns
            and -WINDOW <= info.st_ctime_ns - self.changed <= WINDOW
        )

    @property
    def hashes(self) -> dict[str, str]:
        """The digests in hexadecimal, by their hashlib names."""
        return {"md5": self.md5.hex(), "sha256": self.sha256.hex()}


_decode = msgspec.msgpack.Decoder(Record).decode
_encode = msgspec.msgpack.Encoder().encode


class _Memory:
    """The hashes of the files that were written last, by device and inode."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._records: OrderedDict[tuple[int, int], Record] = OrderedDict()

    def get(self, info: os.stat_result) -> Record | None:
        if not self._records:
            return None
        with self._mutex:
            record = self._records.get((info.st_dev, info.st_ino))
        return record if record is not None and record.holds(info) else None

    def put(self, info: os.stat_result, record: Record) -> None:
        with self._mutex:
            self._records[info.st_dev, info.st_ino] = record
            self._records.move_to_end((info.st_dev, info.st_ino))
            if len(self._records) > MEMORY:
                self._records.popitem(last=False)


class Unknown(Exception):
    """It takes a look at the disk to know."""


class _Recent:
    """What was found beside files not long ago. Whatever changes it changes their change time.

    Two changes within a tick of the system's clock have the same time, so nothing is kept of files
    that were changed just now.
    """

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, Record] = OrderedDict()
        self._mutex = threading.Lock()
        # A full one takes the place of the other: no order to keep, and no lock to wait for.
        self._bare: set[bytes] = set()
        self._bare_before: set[bytes] = set()

    def keep(self, info: os.stat_result, record: Record | None) -> None:
        if time.time_ns() - info.st_ctime_ns < SETTLED:
            return
        looks = _looks(info)
        if record is None:
            self._bare.add(looks)
            if len(self._bare) >= BARE:
                self._bare_before, self._bare = self._bare, set()
            return
        with self._mutex:
            self._found[looks] = record
            if len(self._found) > RECENT:
                self._found.popitem(last=False)

    def get(self, info: os.stat_result) -> Record | None:
        if self.is_bare(info):
            return None
        try:
            return self._found[_looks(info)]
        except KeyError:
            raise Unknown from None

    def is_bare(self, info: os.stat_result) -> bool:
        looks = _looks(info)
        return looks in self._bare or looks in self._bare_before


_pack = struct.Struct("QQQQQ").pack
_BITS = (1 << 64) - 1


def _looks(info: os.stat_result) -> bytes:
    """The same for the same state of the same file; in bytes it takes a third of the memory."""
    modified, changed = info.st_mtime_ns & _BITS, info.st_ctime_ns & _BITS
    return _pack(info.st_dev, info.st_ino, info.st_size, modified, changed)


_memory = _Memory()
_recent = _Recent()


def recall(fd: int, info: os.stat_result) -> Record | None:
    """What is known of an open file that looks like ``info``."""
    return _believed(attributes.read(fd), info)


def recall_and_keep(fd: int, info: os.stat_result) -> Record | None:
    """Like `recall`; what it finds is kept for `recent`."""
    return _kept(attributes.read(fd), info)


def recall_below(folder: Folder, name: bytes, info: os.stat_result) -> Record | None:
    """Like `recall_and_keep`, without opening the file."""
    return _kept(Attributes(folder).of(name), info)


def recall_listed(below: Attributes, name: str, info: os.stat_result) -> Record | None:
    """Like `recall_below`; of files with hashes, nothing is kept: a folder can have many."""
    if _recent.is_bare(info):
        return None
    raw = below.of(os.fsencode(name))
    if raw == attributes.NOTHING:
        return _kept(raw, info)
    return _believed(raw, info)


def _believed(raw: bytes | None, info: os.stat_result) -> Record | None:
    """What is known of a file that looks like ``info`` and has the attribute ``raw``."""
    if raw:
        record = _decoded(raw)
        if record is not None and record.durable and record.holds(info):
            return record
    return _memory.get(info)


def _kept(raw: bytes | None, info: os.stat_result) -> Record | None:
    """Like `_believed`; it is kept unless nobody can tell, which is otherwise the next time."""
    record = _believed(raw, info)
    if raw is not None:
        _recent.keep(info, record)
    return record


def recent(info: os.stat_result) -> Record | None:
    """What `recall` would find, if it is known without looking at the disk.

    Raises:
        Unknown: It is not.
    """
    return _recent.get(info)


def expect(fd: int, hashes: dict[str, str], changed: int) -> os.stat_result:
    """Remember the hashes of a file that is complete and gets its name at about ``changed``.

    Returns:
        What the file looks like while nobody else can reach it, for `remember`.
    """
    info = os.fstat(fd)
    attributes.write(fd, _encode(_record(info, hashes, changed)))
    return info


def remember(
    fd: int, hashes: dict[str, str], seen: os.stat_result
) -> tuple[os.stat_result, Record | None]:
    """Remember the hashes of a file that has its name.

    Args:
        fd: The file.
        hashes: Its hashes.
        seen: What it looked like when it had these hashes. From then on others may have written
            to it; then there is nothing to remember.

    Returns:
        What the file looks like now, and what is known of it.
    """
    for _ in range(_ATTEMPTS):
        info = os.fstat(fd)
        if not _same_content(info, seen):
            return info, None
        raw = attributes.read(fd)
        known = _decoded(raw) if raw else None
        if known is not None and known.holds(info) and known.hashes == hashes:
            return info, known
        if not attributes.write(fd, _encode(_record(info, hashes, info.st_ctime_ns))):
            break
    info = os.fstat(fd)
    if not _same_content(info, seen):
        return info, None
    record = msgspec.structs.replace(_record(info, hashes, info.st_ctime_ns), durable=False)
    _memory.put(info, record)
    return info, record


def _same_content(info: os.stat_result, seen: os.stat_result) -> bool:
    return (info.st_size, info.st_mtime_ns) == (seen.st_size, seen.st_mtime_ns)


def _record(info: os.stat_result, hashes: dict[str, str], changed: int) -> Record:
    return Record(
        inode=info.st_ino,
        size=info.st_size,
        modified=info.st_mtime_ns,
        changed=changed,
        md5=bytes.fromhex(hashes["md5"]),
        sha256=bytes.fromhex(hashes["sha256"]),
    )


def _decoded(raw: bytes) -> Record | None:
    try:
        return _decode(raw)
    except msgspec.DecodeError:
        return None
