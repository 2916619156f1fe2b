"""The records of a zip archive (PKWARE APPNOTE 6.3), as they are written to a stream."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime

STORED = 0
DEFLATED = 8
MAX_NAME_SIZE = 0xFFFF
"""The longest name in bytes."""

_MAX_32 = 0xFFFFFFFF
_MAX_16 = 0xFFFF
_PROMISED_LATER = 0x0008
_UTF_8 = 0x0800
_UNIX = 3 << 8
_PLAIN_VERSION = 20
_ZIP64_VERSION = 45
_ZIP64_EXTRA = 0x0001
_TIME_EXTRA = 0x5455
_FILE_MODE = 0o100644 << 16
_FOLDER_MODE = 0o40755 << 16 | 0x10
_FIRST_TIME = datetime(1980, 1, 1, tzinfo=UTC)
_LAST_TIME = datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
# Deflating what cannot be compressed makes it a little larger.
_LARGE = 0xF0000000


@dataclass(slots=True, kw_only=True)
class Member:
    """A file or folder in an archive; sizes and offsets in bytes.

    Attributes:
        name: As it is written, UTF-8; a folder's ends with a slash.
        method: `STORED` or `DEFLATED`.
        modified: When it was changed, aware.
        crc: The CRC-32 of the content.
        size: The size of the content.
        packed: The size in the archive.
        offset: Where the local header is.
        streamed: Checksum and sizes follow the data, because they are not known before.
        zip64: The sizes may need 64 bits; decided before the data when they follow it.
    """

    name: bytes
    method: int = STORED
    modified: datetime | None = None
    crc: int = 0
    size: int = 0
    packed: int = 0
    offset: int = 0
    streamed: bool = False
    zip64: bool = False

    def local_header(self) -> bytes:
        """What stands before the data."""
        later = self.streamed
        sizes = (0, 0, 0) if later else (self.crc, self.packed, self.size)
        extra = _time_extra(self.modified)
        if self.zip64:
            extra = struct.pack("<HHQQ", _ZIP64_EXTRA, 16, sizes[2], sizes[1]) + extra
            sizes = (sizes[0], _MAX_32, _MAX_32)
        return (
            struct.pack(
                "<4sHHHIIIIHH",
                b"PK\3\4",
                self._version,
                self._flags,
                self.method,
                _dos_time(self.modified),
                *sizes,
                len(self.name),
                len(extra),
            )
            + self.name
            + extra
        )

    def descriptor(self) -> bytes:
        """What stands behind the data of a streamed member."""
        form = "<4sIQQ" if self.zip64 else "<4sIII"
        return struct.pack(form, b"PK\7\10", self.crc, self.packed, self.size)

    def central_record(self) -> bytes:
        """What stands in the directory at the end."""
        numbers = (self.size, self.packed, self.offset)
        large = [number for number in numbers if number >= _MAX_32]
        extra = _time_extra(self.modified)
        if large:
            extra = struct.pack(f"<HH{len(large)}Q", _ZIP64_EXTRA, 8 * len(large), *large) + extra
        size, packed, offset = (min(number, _MAX_32) for number in numbers)
        version = _ZIP64_VERSION if large else self._version
        return (
            struct.pack(
                "<4sHHHHIIIIHHHHHII",
                b"PK\1\2",
                _UNIX | version,
                version,
                self._flags,
                self.method,
                _dos_time(self.modified),
                self.crc,
                packed,
                size,
                len(self.name),
                len(extra),
                0,  # comment
                0,  # disk
                0,  # internal attributes
                _FOLDER_MODE if self.name.endswith(b"/") else _FILE_MODE,
                offset,
            )
            + self.name
            + extra
        )

    @property
    def _version(self) -> int:
        return _ZIP64_VERSION if self.zip64 else _PLAIN_VERSION

    @property
    def _flags(self) -> int:
        return _UTF_8 | (_PROMISED_LATER if self.streamed else 0)


def needs_zip64(size: int | None) -> bool:
    """Whether a member's sizes may need 64 bits; ``None`` for a size that is not known."""
    return size is None or size >= _LARGE


def end_records(count: int, start: int, size: int) -> bytes:
    """What stands behind the directory of ``count`` records, ``size`` bytes from ``start`` on."""
    zip64 = b""
    if count >= _MAX_16 or start >= _MAX_32 or size >= _MAX_32:
        version = _UNIX | _ZIP64_VERSION
        zip64 = struct.pack(
            "<4sQHHIIQQQQ", b"PK\6\6", 44, version, 45, 0, 0, count, count, size, start
        ) + struct.pack("<4sIQI", b"PK\6\7", 0, start + size, 1)
    count, start, size = min(count, _MAX_16), min(start, _MAX_32), min(size, _MAX_32)
    return zip64 + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, size, start, 0)


def _dos_time(modified: datetime | None) -> int:
    """Time and date in the two-second steps of DOS, in UTC; the nearest that it can say."""
    moment = _FIRST_TIME if modified is None else modified.astimezone(UTC)
    moment = min(max(moment, _FIRST_TIME), _LAST_TIME)
    date = (moment.year - _FIRST_TIME.year) << 9 | moment.month << 5 | moment.day
    return date << 16 | moment.hour << 11 | moment.minute << 5 | moment.second // 2


def _time_extra(modified: datetime | None) -> bytes:
    """The time to the second and with a zone, where 32 bits can say it."""
    if modified is None:
        return b""
    seconds = int(modified.timestamp())
    if not -(1 << 31) <= seconds < 1 << 31:
        return b""
    return struct.pack("<HHBi", _TIME_EXTRA, 5, 1, seconds)
