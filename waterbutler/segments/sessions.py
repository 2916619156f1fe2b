"""Which uploads have begun and what of them has arrived, in a file that all workers share."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from waterbutler.core.errors import Interrupted, InvalidRequest, NotFound, QuotaExceeded
from waterbutler.segments.plan import MAX_SEGMENTS, Announced, UploadPlan, UploadSession
from waterbutler.sqlitefile import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    target TEXT NOT NULL,
    name TEXT,
    size INTEGER NOT NULL,
    sha256 TEXT,
    modified TEXT,
    expires REAL NOT NULL,
    kept_until REAL NOT NULL,
    held INTEGER NOT NULL DEFAULT 0,
    storage TEXT,
    path TEXT,
    upload TEXT
);
CREATE INDEX IF NOT EXISTS sessions_owner ON sessions (owner);
CREATE TABLE IF NOT EXISTS segments (
    session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    tag TEXT,
    PRIMARY KEY (session, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS writing (
    file TEXT PRIMARY KEY,
    session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    size INTEGER NOT NULL,
    since REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS writing_session ON writing (session);
CREATE TABLE IF NOT EXISTS abandoned (
    storage TEXT NOT NULL,
    path TEXT NOT NULL,
    upload TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS abandoned_storage ON abandoned (storage);
CREATE TRIGGER IF NOT EXISTS sessions_abandoned AFTER DELETE ON sessions
WHEN old.upload IS NOT NULL BEGIN
    INSERT INTO abandoned (storage, path, upload) VALUES (old.storage, old.path, old.upload);
END;
"""


@dataclass(frozen=True, slots=True)
class Native:
    """An unfinished file of a storage, which takes the segments as its parts.

    Attributes:
        storage: Which storage: its `StorageInfo.root`.
        path: The path of the file there.
        upload: What the storage calls it.
    """

    storage: str
    path: str
    upload: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A segment, and what its bytes are found by; ``None`` if none arrived yet.

    That is the name of a file, or what the storage that has them calls the part.
    """

    segment: Announced
    tag: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything that is known of an upload; the segments are in their order."""

    session: UploadSession
    stored: list[Stored]
    native: Native | None


@dataclass(frozen=True, slots=True)
class Writing:
    """A segment that is being written, since when in seconds since the epoch."""

    session: str
    file: str
    since: float


class Sessions:
    """Uploads in segments, without their bytes; all methods block.

    Args:
        file: Where they are kept; made at first use, with mode 0600.
        quota: How many bytes all segments may have together.
        lifetime: How many seconds an upload may take.
        per_owner: How many uploads an owner may have begun.

    All methods raise `ProviderUnavailable` if the file cannot be used, and those that write
    `QuotaExceeded` if the disk is full.
    """

    def __init__(self, file: Path, *, quota: int, lifetime: float, per_owner: int) -> None:
        self._file = SqliteFile(file, _SCHEMA)
        self._quota = quota
        self._lifetime = lifetime
        self._per_owner = per_owner

    def begin(
        self, owner: str, plan: UploadPlan, *, now: float, native: Native | None = None
    ) -> UploadSession:
        """Begin an upload of a checked plan.

        Args:
            owner: Whose it is.
            plan: What it will be.
            now: The time.
            native: What takes the bytes, if not this server.

        Raises:
            QuotaExceeded: The owner has begun too many, or there is no room for it now.
        """
        session = UploadSession(secrets.token_hex(16), now + self._lifetime, plan)
        with self._file.writing() as database:
            (count,) = database.execute(
                "SELECT count(*) FROM sessions WHERE owner = ? AND expires > ?", (owner, now)
            ).fetchone()
            if count >= self._per_owner:
                raise QuotaExceeded(
                    f"There are {count} unfinished uploads; finish or cancel one first."
                )
            if native is None:
                self._check_room(database, plan.size)
            modified = None if plan.modified is None else plan.modified.isoformat()
            row = (session.id, owner, plan.target, plan.name, plan.size, plan.sha256, modified)
            database.execute(
                "INSERT INTO sessions (id, owner, target, name, size, sha256, modified, expires,"
                " kept_until, storage, path, upload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, session.expires, session.expires, *_columns(native)),
            )
            database.executemany(
                "INSERT INTO segments (session, number, size, sha256) VALUES (?, ?, ?, ?)",
                ((session.id, item.number, item.size, item.sha256) for item in plan.segments),
            )
        return session

    def get(self, owner: str, id: str, *, now: float, keep: bool = False) -> Kept:
        """An upload.

        Args:
            owner: Whose it is.
            id: Which one.
            now: The time.
            keep: Do not sweep it while it is being finished, which may take long.

        Raises:
            NotFound: There is none of this owner.
        """
        with self._file.writing() if keep else self._file.reading() as database:
            _require(database, owner, id, now)
            target, name, size, sha256, modified, expires, *native = database.execute(
                "SELECT target, name, size, sha256, modified, expires, storage, path, upload"
                " FROM sessions WHERE id = ?",
                (id,),
            ).fetchone()
            rows = database.execute(
                "SELECT number, size, sha256, tag FROM segments WHERE session = ? ORDER BY number",
                (id,),
            ).fetchall()
            if keep:
                database.execute(
                    "UPDATE sessions SET kept_until = max(kept_until, ?) WHERE id = ?",
                    (now + self._lifetime, id),
                )
        stored = [Stored(Announced(*about), tag) for *about, tag in rows]
        segments = tuple(item.segment for item in stored)
        moment = None if modified is None else datetime.fromisoformat(modified)
        plan = UploadPlan(target, name, size, sha256, segments, moment)
        return Kept(UploadSession(id, expires, plan), stored, _native(native))

    def announced(
        self, owner: str, id: str, number: int, *, now: float
    ) -> tuple[Announced, Native | None]:
        """What a segment must be, and what takes its bytes if not this server.

        Raises:
            NotFound: There is no such upload of this owner.
            InvalidRequest: It has no such segment.
        """
        with self._file.reading() as database:
            _require(database, owner, id, now)
            # What is no number of SQLite's is no number of a segment either.
            row = database.execute(
                "SELECT number, segments.size, segments.sha256, storage, path, upload"
                " FROM segments JOIN sessions ON sessions.id = session"
                " WHERE session = ? AND number = ?",
                (id, number if 0 < number <= MAX_SEGMENTS else 0),
            ).fetchone()
        if row is None:
            raise InvalidRequest(f"The upload has no segment {number}.")
        return Announced(*row[:3]), _native(row[3:])

    def reserve(self, owner: str, id: str, file: str, size: int, *, now: float) -> None:
        """Keep room for a segment that is about to be written to ``file``.

        Raises:
            NotFound: There is no such upload of this owner.
            QuotaExceeded: There is no room.
        """
        with self._file.writing() as database:
            _require(database, owner, id, now)
            self._check_room(database, size)
            database.execute(
                "INSERT INTO writing (file, session, size, since) VALUES (?, ?, ?, ?)",
                (file, id, size, now),
            )

    def keep(self, id: str, number: int, file: str) -> str | None:
        """A segment is complete and as announced; gives the file that it replaces.

        Raises:
            Interrupted: The upload has ended meanwhile.
        """
        with self._file.writing() as database:
            row = database.execute(
                "DELETE FROM writing WHERE file = ? RETURNING size", (file,)
            ).fetchone()
            if row is None:
                raise _ended()
            (old,) = database.execute(
                "SELECT tag FROM segments WHERE session = ? AND number = ?", (id, number)
            ).fetchone()
            database.execute(
                "UPDATE segments SET tag = ? WHERE session = ? AND number = ?", (file, id, number)
            )
            if old is None:
                database.execute("UPDATE sessions SET held = held + ? WHERE id = ?", (row[0], id))
        replaced: str | None = old
        return replaced

    def note(self, id: str, number: int, tag: str) -> None:
        """The storage has a segment.

        Raises:
            Interrupted: The upload has ended meanwhile.
        """
        with self._file.writing() as database:
            noted = database.execute(
                "UPDATE segments SET tag = ? WHERE session = ? AND number = ?", (tag, id, number)
            )
            if not noted.rowcount:
                raise _ended()

    def forget(self, id: str, number: int, file: str) -> bool:
        """A segment was not written; ``False`` if it was after all."""
        with self._file.writing() as database:
            database.execute("DELETE FROM writing WHERE file = ?", (file,))
            kept = database.execute(
                "SELECT 1 FROM segments WHERE session = ? AND number = ? AND tag = ?",
                (id, number, file),
            ).fetchone()
        return kept is None

    def end(self, owner: str, id: str, *, now: float | None = None) -> None:
        """Forget an upload.

        Args:
            owner: Whose it is.
            id: Which one.
            now: The time; ``None`` to end an upload that has expired, too.

        Raises:
            NotFound: There is none of this owner.
        """
        with self._file.writing() as database:
            _require(database, owner, id, now)
            database.execute("DELETE FROM sessions WHERE id = ?", (id,))

    def abandoned(self, storage: str, limit: int) -> list[Native]:
        """Some unfinished files of a storage whose uploads have ended."""
        with self._file.reading() as database:
            rows = database.execute(
                "SELECT storage, path, upload FROM abandoned WHERE storage = ?"
                " ORDER BY random() LIMIT ?",
                (storage, limit),
            ).fetchall()
        return [Native(*row) for row in rows]

    def untidy(self) -> set[str]:
        """The storages that have unfinished files whose uploads have ended."""
        with self._file.reading() as database:
            rows = database.execute("SELECT DISTINCT storage FROM abandoned").fetchall()
        return {storage for (storage,) in rows}

    def aborted(self, native: Native) -> None:
        """The storage has forgotten an unfinished file."""
        with self._file.writing() as database:
            database.execute(
                "DELETE FROM abandoned WHERE storage = ? AND path = ? AND upload = ?",
                _columns(native),
            )

    def expire(self, *, now: float) -> list[str]:
        """Forget the uploads whose time is over; gives their ids."""
        with self._file.writing() as database:
            rows = database.execute(
                "DELETE FROM sessions WHERE kept_until <= ? RETURNING id", (now,)
            ).fetchall()
        return [id for (id,) in rows]

    def writing(self, *, before: float) -> list[Writing]:
        """What has been being written since ``before`` or longer."""
        with self._file.reading() as database:
            rows = database.execute(
                "SELECT session, file, since FROM writing WHERE since <= ?", (before,)
            ).fetchall()
        return [Writing(*row) for row in rows]

    def release(self, file: str) -> None:
        """Give back the room of a segment whose process has ended."""
        with self._file.writing() as database:
            database.execute("DELETE FROM writing WHERE file = ?", (file,))

    def known(self, ids: Collection[str]) -> dict[str, set[str]]:
        """The files of uploads, by their ids; uploads that have ended are left out."""
        found: dict[str, set[str]] = {}
        with self._file.reading() as database:
            for id in ids:
                if database.execute("SELECT 1 FROM sessions WHERE id = ?", (id,)).fetchone():
                    rows = database.execute(
                        "SELECT tag FROM segments WHERE session = ? AND tag IS NOT NULL"
                        " UNION ALL SELECT file FROM writing WHERE session = ?",
                        (id, id),
                    )
                    found[id] = {file for (file,) in rows}
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _check_room(self, database: sqlite3.Connection, size: int) -> None:
        (held,) = database.execute(
            "SELECT (SELECT coalesce(sum(held), 0) FROM sessions)"
            " + (SELECT coalesce(sum(size), 0) FROM writing)"
        ).fetchone()
        if held + size > self._quota:
            raise QuotaExceeded("The server has no room left for unfinished uploads.")


def _columns(native: Native | None) -> tuple[str | None, ...]:
    return (None, None, None) if native is None else (native.storage, native.path, native.upload)


def _native(columns: Sequence[str | None]) -> Native | None:
    storage, path, upload = columns
    return Native(storage, path, upload) if storage and path and upload else None


def _ended() -> Interrupted:
    return Interrupted("The upload ended while the segment arrived.")


def _require(database: sqlite3.Connection, owner: str, id: str, now: float | None) -> None:
    """Raise `NotFound` unless the owner has such an upload, which has not expired by ``now``."""
    row = None
    if id.isascii():
        row = database.execute(
            "SELECT expires FROM sessions WHERE id = ? AND owner = ?", (id, owner)
        ).fetchone()
    if row is None or (now is not None and row[0] <= now):
        raise NotFound("There is no such upload; it may have expired.")
