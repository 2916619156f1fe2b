"""A small SQLite file that all processes of this server share."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from waterbutler.core.disk import is_full
from waterbutler.core.errors import ProviderUnavailable, QuotaExceeded, WaterButlerError

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler.sqlite")

_BUSY_SECONDS = 10.0
"""How long a transaction waits for others."""
_BUSY_STILL = 0.05
"""The same, after one has waited in vain and until one has not."""
_ALONE = "BEGIN IMMEDIATE"
_WAL_TRIES = 50
_WAL_PAUSE = 0.02


class SqliteFile:
    """Transactions on a SQLite file that only its owner can read.

    All methods block; call them in threads. Nothing is opened before the first transaction, so
    that processes may be forked before.

    A transaction waits for others for some seconds. While that is in vain, the next ones wait for a
    moment only: many requests together end as soon as one would.

    Args:
        file: Where it is; made at first use, with its folder.
        schema: Statements that make what is missing in it.
    """

    def __init__(self, file: Path, schema: str) -> None:
        self._file = file
        self._schema = schema
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._patience = _BUSY_SECONDS

    @property
    def is_there(self) -> bool:
        """Whether there may be anything in it; asking makes no file."""
        try:
            return self._connection is not None or self._file.exists()
        except OSError:
            return True

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One state of the file, while others may write.

        Raises:
            ProviderUnavailable: The file cannot be used now.
        """
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A change that happens as a whole, or not at all if the block raises.

        Nobody else writes meanwhile, so that what was read in it is still true.

        Raises:
            ProviderUnavailable: The file cannot be used now.
            QuotaExceeded: The disk is full.
        """
        with self._transaction(_ALONE) as connection:
            yield connection

    def close(self) -> None:
        """Close the file; the next transaction opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._turn():
            try:
                connection = self._opened()
                self._begin(connection, begin)
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise self._out_of_order(error) from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Be the only one of this process, for which others are not waited for any longer."""
        if not self._lock.acquire(timeout=self._patience):
            raise _busy()
        try:
            yield
        finally:
            self._lock.release()

    def _begin(self, connection: sqlite3.Connection, begin: str) -> None:
        connection.execute(f"PRAGMA busy_timeout = {self._patience * 1000:.0f}")
        connection.execute(begin)
        if begin == _ALONE:
            self._patience = _BUSY_SECONDS

    def _out_of_order(self, error: sqlite3.Error) -> WaterButlerError:
        if _is_busy(error):
            self._patience = _BUSY_STILL
            return _busy()
        return _failure(error)

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._open()
        except OSError as error:
            raise _failure(error) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite gives its other files the mode of this one.
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(
                self._file, timeout=self._patience, check_same_thread=False, isolation_level=None
            )
            try:
                self._set_up(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        self._file.chmod(0o600)
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(f"BEGIN IMMEDIATE;{self._schema};COMMIT;")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # SQLite does not wait for its lock here, and processes may start at the same time.
    for tried in range(1, _WAL_TRIES + 1):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if tried == _WAL_TRIES:
                raise
            time.sleep(_WAL_PAUSE)
        else:
            return


def _is_busy(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _busy() -> WaterButlerError:
    return ProviderUnavailable("The server's own database is busy; try again.", retry_after=1)


def _failure(error: sqlite3.Error | OSError) -> WaterButlerError:
    _log.warning("own database failed", reason=str(error))
    if isinstance(error, OSError):
        full = is_full(error)
    else:
        full = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    if full:
        return QuotaExceeded("The server's own database has no room left.")
    return ProviderUnavailable("The server's own database cannot be used.", retry_after=5)
