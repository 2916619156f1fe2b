"""Forgetting what was deleted long ago.

What is deleted is only marked so: its rows say who deleted it and when, and nobody reads the rest.
They stay for ever unless the settings say how long. Blobs are not touched here: those that no
version needs are found and removed by `waterbutler.host.sweeping`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import structlog
from sqlalchemy import Connection, delete, select, text

from waterbutler.core.errors import WaterButlerError
from waterbutler.core.waiting import stop
from waterbutler.host.database import Database
from waterbutler.host.schema import alone, nodes, now, seen, versions

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler.host")

BATCH = 200
"""How many files and folders one transaction forgets; others wait for it."""
LOOK = 3600.0
"""Seconds between two looks."""
_PAUSE = 0.05
_MICROS = 1_000_000

_INDEXES = (
    "CREATE INDEX IF NOT EXISTS trashed_nodes ON nodes (trashed, seq) WHERE trashed IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS node_parents ON nodes (parent)",
    "CREATE INDEX IF NOT EXISTS seen_nodes ON seen (node)",
)
"""Without them each row that goes would be looked for in whole tables. They are made when they are
first needed: a database that keeps everything does without."""


class Purging:
    """Forgets what was deleted some time ago, now and then.

    Several processes may do so in the same database.

    Args:
        database: Where.
        keep: How many seconds what was deleted stays.
        clock: Microseconds since the epoch.
    """

    def __init__(self, database: Database, *, keep: float, clock: Callable[[], int] = now) -> None:
        self._database = database
        self._keep = keep
        self._clock = clock
        self._prepared = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, now and every `LOOK` seconds; call it in the server's loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._go_on())

    async def purge(self) -> int:
        """Forget what was deleted too long ago; returns how many files and folders there were.

        Raises:
            ProviderUnavailable: The database cannot be used now; some may be forgotten already.
        """
        before = self._clock() - round(self._keep * _MICROS)
        if not self._prepared:
            await self._database.write(_prepare)
            self._prepared = True
        count = 0
        while gone := await self._database.write(partial(_forget, before=before, limit=BATCH)):
            count += gone
            await asyncio.sleep(_PAUSE)
        return count

    async def aclose(self) -> None:
        """Stop."""
        if self._task is not None:
            await stop(self._task)
            self._task = None

    async def _go_on(self) -> None:
        while True:
            try:
                count = await self.purge()
            except WaterButlerError as error:
                _log.warning("deleted files not forgotten", reason=error.message)
            else:
                if count:
                    _log.info("deleted files forgotten", count=count)
            await asyncio.sleep(LOOK)


def _prepare(connection: Connection) -> None:
    alone(connection)
    for index in _INDEXES:
        connection.execute(text(index))


def _forget(connection: Connection, before: int, limit: int) -> int:
    """Forget some of what was deleted before a time, what is in a folder before the folder."""
    inside = nodes.alias("inside")
    empty = ~select(inside.c.seq).where(inside.c.parent == nodes.c.seq).exists()
    # What is in a folder was mostly made after it, so that few rows are looked at in vain.
    found = (
        select(nodes.c.seq)
        .where(nodes.c.trashed.is_not(None), nodes.c.trashed <= before, empty)
        .order_by(nodes.c.trashed.desc(), nodes.c.seq.desc())
        .limit(limit)
    )
    gone = list(connection.execute(found).scalars())
    if gone:
        connection.execute(delete(seen).where(seen.c.node.in_(gone)))
        connection.execute(delete(versions).where(versions.c.node.in_(gone)))
        connection.execute(delete(nodes).where(nodes.c.seq.in_(gone)))
    return len(gone)
