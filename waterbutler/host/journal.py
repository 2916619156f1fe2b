"""What servers said that happened: a bounded list in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, delete, func, insert, select

from waterbutler.core import JSON
from waterbutler.host.database import Database
from waterbutler.host.schema import logs, moment, now

KEPT = 10_000
"""How many messages are kept, at least; the oldest go first."""
_SLACK = 100
"""How many more there may be until the oldest are removed."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One message."""

    resource: str
    received: datetime
    action: str
    user: str | None
    payload: Mapping[str, JSON]


class Journal:
    """Keeps the newest messages.

    Args:
        database: Where.
        kept: How many.
    """

    def __init__(self, database: Database, *, kept: int = KEPT) -> None:
        self._database = database
        self._kept = kept

    async def add(
        self, resource: str, action: str, user: str | None, payload: Mapping[str, JSON]
    ) -> None:
        """Keep a message."""
        row = {
            "resource": resource,
            "received": now(),
            "action": action,
            "user": user,
            "payload": dict(payload),
        }
        await self._database.write(partial(_add, row=row, kept=self._kept))

    async def newest(self, resource: str, limit: int = 100) -> list[Happened]:
        """The newest messages about a resource, newest first."""
        return await self._database.read(partial(_newest, resource=resource, limit=limit))


def _add(connection: Connection, row: dict[str, object], kept: int) -> None:
    seq: int = connection.execute(insert(logs).returning(logs.c.seq), row).scalar_one()
    if seq % _SLACK == 0:
        count = connection.execute(select(func.count()).select_from(logs)).scalar_one()
        if count > kept:
            first = select(logs.c.seq).order_by(logs.c.seq.desc()).offset(kept).limit(1)
            oldest = connection.execute(first).scalar_one()
            connection.execute(delete(logs).where(logs.c.seq <= oldest))


def _newest(connection: Connection, resource: str, limit: int) -> list[Happened]:
    found = connection.execute(
        select(logs).where(logs.c.resource == resource).order_by(logs.c.seq.desc()).limit(limit)
    )
    return [
        Happened(row.resource, moment(row.received), row.action, row.user, row.payload)
        for row in found
    ]
