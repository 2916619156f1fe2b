"""The database behind the tree: its connections, its threads, its failures in our words."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import structlog
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from waterbutler.core.errors import (
    AlreadyExists,
    ConfigInvalid,
    InvalidRequest,
    ProviderFault,
    ProviderUnavailable,
    QuotaExceeded,
    WaterButlerError,
)
from waterbutler.core.waiting import outwait
from waterbutler.host import schema

T = TypeVar("T")

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler.host")

_READERS = 4
"""Reads that may be inside the database at a time."""
_WRITERS = {"sqlite": 1, "postgresql": 4}
"""SQLite has one writer anyway, and more would only fill the threads with waiting."""
_BUSY_STILL = 0.05
"""Seconds to wait for SQLite's other writers, after one has waited in vain until one has not."""
_LONGEST = 120
"""Seconds that PostgreSQL may work on one statement."""
_ATTEMPTS = 6
"""How often a transaction is tried that lost against another one."""
_RETRIED = frozenset({"40001", "40P01"})
"""PostgreSQL's codes for that: serialization failure and deadlock."""
_BUSY = frozenset({"55P03", "57014", "53300", "57P03"})
"""Lock or statement time-out, too many connections, starting up."""
_FULL = "53100"


class Database:
    """Runs transactions in threads of its own, never on the event loop.

    Several processes may use the same database. The tables are made at first use.

    Args:
        url: ``sqlite:///folder/host.db`` or ``postgresql://user:password@host/name``.
        patience: Seconds to wait for other transactions. While SQLite's are waited for in vain,
            the next ones wait for a moment only: many together end as soon as one would.

    Raises:
        ConfigInvalid: The URL makes no sense, or the driver is not installed.
    """

    def __init__(self, url: str, *, patience: float = 10.0) -> None:
        self._engine = _engine(_checked(url), patience)
        self._patience = self._now_patient = patience
        self.dialect = self._engine.dialect.name
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="host-read")
        writers = _WRITERS[self.dialect]
        self._writers = ThreadPoolExecutor(writers, thread_name_prefix="host-write")
        self._prepared = False
        self._preparing = threading.Lock()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run something that only looks, in one transaction.

        When the waiting task is cancelled it goes on at once; what ``work`` returns is dropped.

        Raises:
            ProviderUnavailable: The database cannot be reached or is too busy.
        """
        return await asyncio.wrap_future(self._readers.submit(self._run, work, False))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run something that changes things, in one transaction, and see it end.

        ``work`` may run more than once, if its transaction loses against another one. When the
        waiting task is cancelled, the cancellation goes on when the transaction has ended.

        Raises:
            ProviderUnavailable: The database cannot be reached or is too busy; nothing changed.
            QuotaExceeded: The database's disk is full; nothing changed.
            AlreadyExists: A name is taken.
        """
        future = self._writers.submit(self._run, work, True)
        done = asyncio.wrap_future(future)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if not future.cancel():
                await outwait(done)
            raise

    async def check(self) -> None:
        """Prove that the database can be used.

        Raises:
            ProviderUnavailable: It cannot.
            ConfigInvalid: Its tables are of another version.
        """
        await self.read(lambda connection: connection.execute(text("SELECT 1")).all())

    async def aclose(self) -> None:
        """Finish what is running, and close all connections."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """The same, for callers that are in no event loop."""
        self._readers.shutdown()
        self._writers.shutdown()
        self._engine.dispose()

    def _run(self, work: Callable[[Connection], T], writes: bool) -> T:
        attempt = 0
        while True:
            attempt += 1
            try:
                if not self._prepared:
                    self._prepare()
                with self._connect(writes) as connection, connection.begin():
                    self._now_patient = self._patience if writes else self._now_patient
                    return work(connection)
            except (SQLAlchemyError, UnicodeEncodeError, OverflowError) as error:
                if _is_locked(error):
                    self._now_patient = min(_BUSY_STILL, self._patience)
                if not _is_retried(error) or attempt == _ATTEMPTS:
                    raise _explained(error) from error
            time.sleep(random.uniform(0.5, 1.5) * 0.01 * 2**attempt)  # noqa: S311 - only a pause

    def _prepare(self) -> None:
        with self._preparing:
            if not self._prepared:
                self._make_file()
                with self._connect(True) as connection, connection.begin():
                    schema.prepare(connection)
                self._prepared = True

    def _make_file(self) -> None:
        if self.dialect != "sqlite":
            return
        file = Path(self._engine.url.database or "")
        folder = file.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigInvalid(f"The folder {folder} cannot be made: {error.strerror}.") from None
        # A new file is its owner's alone, and SQLite gives its other files the mode of this one.
        with contextlib.suppress(OSError):  # then SQLite says what is wrong with it
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def _connect(self, writes: bool) -> Connection:
        connection = self._engine.connect()
        return connection.execution_options(writes=writes, patience=self._now_patient)


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigInvalid("host.database: this is not the URL of a database.") from None
    backend = parsed.get_backend_name()
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ConfigInvalid(f"host.database: {backend} is neither sqlite nor postgresql.")
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigInvalid("host.database: a SQLite database needs the name of a file.")
    return parsed


def _engine(url: URL, patience: float) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, patience)
    try:
        return create_engine(
            url,
            pool_size=_READERS + _WRITERS["postgresql"],
            max_overflow=0,
            pool_timeout=patience,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": max(int(patience), 2),
                "tcp_user_timeout": int(patience * 1000),
                "application_name": "waterbutler",
                "options": f"-c lock_timeout={int(patience * 1000)}"
                f" -c statement_timeout={_LONGEST * 1000}",
            },
        )
    except (ModuleNotFoundError, NoSuchModuleError):
        raise ConfigInvalid(
            "host.database: PostgreSQL needs a driver: pip install 'waterbutler-proxy[postgres]'."
        ) from None


def _sqlite(url: URL, patience: float) -> Engine:
    engine = create_engine(
        url,
        pool_size=_READERS + _WRITERS["sqlite"],
        max_overflow=0,
        pool_timeout=patience,
        connect_args={"timeout": patience, "check_same_thread": False},
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(raw: sqlite3.Connection, _record: object) -> None:
    """A new connection: transactions begin where we say so, and readers do not hold up writers."""
    raw.isolation_level = None
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON", "journal_size_limit = 16777216"):
        raw.execute(f"PRAGMA {pragma}").close()
    if raw.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        _switch_to_wal(raw)


def _switch_to_wal(raw: sqlite3.Connection) -> None:
    """Processes that start together must try again: SQLite does not wait for others here."""
    for pause in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 0):
        try:
            raw.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError:
            if not pause:
                raise
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - only a pause


def _begin(connection: Connection) -> None:
    """A writer takes the lock at once: it can then not lose against another one half-way."""
    options = connection.get_execution_options()
    writes = options.get("writes", False)
    if writes:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {options['patience'] * 1000:.0f}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _is_retried(error: Exception) -> bool:
    return _state(error) in _RETRIED


def _is_locked(error: Exception) -> bool:
    """Whether others kept SQLite's file from this transaction."""
    original = getattr(error, "orig", None)
    code = getattr(original, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _state(error: Exception) -> str:
    """PostgreSQL's code of an error; empty for others."""
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")


def _explained(error: Exception) -> WaterButlerError:
    if isinstance(error, IntegrityError):
        return AlreadyExists("The name is taken.")
    if isinstance(error, DataError | UnicodeEncodeError | OverflowError):
        return InvalidRequest("A text or a number cannot be stored.")
    if isinstance(error, DBAPIError | PoolTimeout):
        return _out_of_order(error)
    return ProviderFault("The host's database gave an unexpected answer.")


def _out_of_order(error: DBAPIError | PoolTimeout) -> WaterButlerError:
    state = _state(error)
    full, busy = state == _FULL, state in _BUSY or isinstance(error, PoolTimeout)
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.Error):
        full = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
        busy = _is_locked(error)
    if not busy:
        _log.warning("host's database failed", reason=str(getattr(error, "orig", error)))
    if full:
        return QuotaExceeded("The host's database has no room left.")
    if busy:
        return ProviderUnavailable("The host's database is busy; try again.", retry_after=1)
    return ProviderUnavailable("The host's database cannot be used.", retry_after=5)
