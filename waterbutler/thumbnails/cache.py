"""Thumbnails that were drawn, and the knowledge that there is none."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from waterbutler.core.errors import WaterButlerError
from waterbutler.sqlitefile import SqliteFile

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS thumbnails (
    key BLOB PRIMARY KEY,
    media_type TEXT,
    data BLOB,
    bytes INTEGER NOT NULL,
    used REAL NOT NULL,
    until REAL
);
CREATE INDEX IF NOT EXISTS thumbnails_used ON thumbnails (used, bytes);
"""
_USED_SECONDS = 3600.0
"""How long ago a use may be before it is written down anew: reading should seldom write."""
_PAGE = 4096
"""What each entry costs beside its data, at least; it bounds how many there are."""
_FILLED = 0.9
"""How much of the room is still used after some was made."""
_USELESS = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture; ``media_type`` is ``image/jpeg`` or ``image/png``."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a key; ``thumbnail`` is ``None`` where there is none."""

    thumbnail: Thumbnail | None


class Cache:
    """Keeps thumbnails in a file that all processes of this server share.

    Those that were unused for longest make room for others. Nothing depends on the file: one that
    is damaged is made anew, and while it cannot be used nothing is kept. All methods block; call
    them in threads.

    Args:
        file: Where they are; made at first use.
        limit: How many bytes to keep.
        none_seconds: How long to remember that there is none.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        file: Path,
        *,
        limit: int,
        none_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._limit = limit
        self._none_seconds = none_seconds
        self._clock = clock
        self._database = SqliteFile(file, _SCHEMA)

    def get(self, key: str) -> Known | None:
        """What is known of a key."""
        try:
            return self._get(_digest(key), self._clock())
        except WaterButlerError as error:
            self._trouble(error)
            return None

    def put(self, key: str, thumbnail: Thumbnail | None) -> None:
        """Keep a thumbnail, or remember for a while that there is none."""
        try:
            self._put(_digest(key), thumbnail, self._clock())
        except WaterButlerError as error:
            self._trouble(error)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _get(self, key: bytes, now: float) -> Known | None:
        with self._database.reading() as database:
            row = database.execute(
                "SELECT media_type, data, used FROM thumbnails"
                " WHERE key = ? AND (until IS NULL OR until > ?)",
                (key, now),
            ).fetchone()
        if row is None:
            return None
        media_type, data, used = row
        if used < now - _USED_SECONDS:
            with self._database.writing() as database:
                database.execute("UPDATE thumbnails SET used = ? WHERE key = ?", (now, key))
        return Known(None if data is None else Thumbnail(data, media_type))

    def _put(self, key: bytes, made: Thumbnail | None, now: float) -> None:
        data, media_type = (made.data, made.media_type) if made else (None, None)
        until = None if made else now + self._none_seconds
        with self._database.writing() as database:
            database.execute(
                "INSERT OR REPLACE INTO thumbnails (key, media_type, data, bytes, used, until)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (key, media_type, data, _PAGE + len(data or b""), now, until),
            )
            (total,) = database.execute("SELECT sum(bytes) FROM thumbnails").fetchone()
            if total > self._limit:
                self._make_room(database, now)

    def _make_room(self, database: sqlite3.Connection, now: float) -> None:
        database.execute("DELETE FROM thumbnails WHERE until <= ?", (now,))
        database.execute(
            "DELETE FROM thumbnails WHERE key IN (SELECT key FROM ("
            "SELECT key, sum(bytes) OVER (ORDER BY used DESC, key) AS total FROM thumbnails"
            ") WHERE total > ?)",
            (self._limit * _FILLED,),
        )

    def _trouble(self, error: WaterButlerError) -> None:
        """Throw the file away if it is no database, or no whole one; the next use makes a new."""
        _log.warning("thumbnails are not kept", reason=error.message)
        if getattr(error.__cause__, "sqlite_errorcode", None) in _USELESS:
            self._database.close()
            for suffix in ("", "-wal", "-shm"):
                with suppress(OSError):
                    self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)


def _digest(key: str) -> bytes:
    """Keys hold the ids of people's files: they are not written down as they are."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
