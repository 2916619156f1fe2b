"""What hosts have not heard yet, on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from waterbutler.sqlitefile import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS callbacks (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    document BLOB NOT NULL,
    tries INTEGER NOT NULL,
    due REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS callbacks_due ON callbacks (due);
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits to be sent; ``tries`` is how often it was sent in vain."""

    id: int
    url: str
    document: dict[str, Any]
    tries: int


class Spool:
    """A queue in a file, which all processes of this server share.

    Who takes a message has it alone until a time that it names: if its process ends before, the
    message is due again. All methods block; call them in threads. They raise `ProviderUnavailable`
    if the file cannot be used now, and those that write `QuotaExceeded` if the disk is full.

    Args:
        file: Where the queue is; made at first use.
        limit: How many messages may wait.
    """

    def __init__(self, file: Path, *, limit: int = 100_000) -> None:
        self._file = SqliteFile(file, _SCHEMA)
        self._limit = limit

    def add(self, url: str, document: dict[str, Any], *, due: float) -> bool:
        """Put a message in; ``False`` if too many wait already."""
        with self._file.writing() as database:
            (waiting,) = database.execute("SELECT count(*) FROM callbacks").fetchone()
            if waiting >= self._limit:
                return False
            database.execute(
                "INSERT INTO callbacks (url, document, tries, due) VALUES (?, ?, 0, ?)",
                (url, msgspec.json.encode(document), due),
            )
        return True

    def take(self, count: int, *, now: float, until: float) -> list[Waiting]:
        """Up to ``count`` messages that are due; nobody else gets them before ``until``."""
        with self._file.writing() as database:
            rows = database.execute(
                "UPDATE callbacks SET due = ? WHERE id IN"
                " (SELECT id FROM callbacks WHERE due <= ? ORDER BY due, id LIMIT ?)"
                " RETURNING id, url, document, tries",
                (until, now, count),
            ).fetchall()
        return [
            Waiting(id, url, msgspec.json.decode(document), tries)
            for id, url, document, tries in sorted(rows)
        ]

    def again(self, id: int, *, due: float) -> None:
        """A message was sent in vain: it is due later."""
        with self._file.writing() as database:
            database.execute(
                "UPDATE callbacks SET tries = tries + 1, due = ? WHERE id = ?", (due, id)
            )

    def done(self, id: int) -> None:
        """A message was heard, or is given up."""
        with self._file.writing() as database:
            database.execute("DELETE FROM callbacks WHERE id = ?", (id,))

    def next_due(self) -> float | None:
        """When the next message is due; ``None`` if none waits."""
        if not self._file.is_there:
            return None
        with self._file.reading() as database:
            row = database.execute("SELECT min(due) FROM callbacks").fetchone()
        due: float | None = row[0]
        return due

    def close(self) -> None:
        """Close the file."""
        self._file.close()
