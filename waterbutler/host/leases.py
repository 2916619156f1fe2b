"""Who may touch blobs: uploads, or whoever removes those that nothing needs.

A blob may be in the blob store before any version points at it, and an upload that finds it there
relies on it. So uploads and the removal of blobs keep out of each other's way, over all processes
that share the database. A lease is a row that ends by itself: a process that dies holds up nobody
for long. A process keeps its own lease a little longer than its upload lasts, so that many uploads
cost few writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import structlog
from sqlalchemy import Connection, delete, exists, select, text

from waterbutler.core.errors import ProviderUnavailable, WaterButlerError
from waterbutler.core.filetree import new_id
from waterbutler.host.database import Database
from waterbutler.host.schema import leases, now

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler.host")

_SECOND = 1_000_000
LASTS = 20
"""Seconds that a lease lasts; while it is needed it is made anew every half of that."""
ANNOUNCED = 6 * 3600
"""Seconds that an upload counts as running that was announced by another server."""
_PATIENCE = 10.0
"""Seconds that an upload waits for the removal of some blobs to end."""
_PAUSE = 0.2

_UPLOAD, _SWEEP = "upload", "sweep"
_LOCK = 0x626C6F62
_HOLD = """
INSERT INTO leases (id, kind, resource, until) VALUES (:id, :kind, :resource, :until)
ON CONFLICT (id) DO UPDATE SET until = excluded.until
"""


class Leases:
    """The leases of this process.

    Args:
        database: What all processes share.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._id = new_id()
        self._running = 0
        self._until = 0
        self._taking = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def uploading(self) -> AsyncIterator[None]:
        """An upload runs; see `FileTree.uploading`."""
        self._running += 1
        try:
            async with self._taking:
                if self._remaining < LASTS / 2:
                    await self._wait_and_take()
            self._keep()
            yield
        finally:
            self._running -= 1

    async def announce(self, resource: str) -> None:
        """Another server is going to upload.

        Raises:
            ProviderUnavailable: Blobs are being removed just now.
        """
        until = now() + ANNOUNCED * _SECOND
        await self._wait(partial(_take, id=new_id(), until=until, resource=resource))

    async def retract(self, resource: str) -> None:
        """An announced upload is over."""
        await self._database.write(partial(_retract, resource=resource))

    @asynccontextmanager
    async def sweeping(self) -> AsyncIterator[None]:
        """Blobs may be removed; see `BlobReferences.sweeping`. Lasts `LASTS` seconds at most."""
        id = new_id()
        await self._database.write(partial(_start_sweeping, id=id, own=self._idle_lease()))
        try:
            async with asyncio.timeout(LASTS / 2):
                yield
        except TimeoutError:
            raise ProviderUnavailable("Removing some blobs took too long.") from None
        finally:
            await self._database.write(partial(_drop, id=id))

    async def aclose(self) -> None:
        """Let go of what this process holds."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if self._until > now():
            self._until = 0
            await self._database.write(partial(_drop, id=self._id))

    @property
    def _remaining(self) -> float:
        return (self._until - now()) / _SECOND

    def _idle_lease(self) -> str:
        """The lease of this process, if it is only kept for later uploads."""
        if self._running:
            return ""
        self._until = 0
        return self._id

    async def _wait_and_take(self) -> None:
        until = now() + LASTS * _SECOND
        await self._wait(partial(_take, id=self._id, until=until, resource=None))
        self._until = until

    async def _wait(self, take: partial[bool]) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE
        while not await self._database.write(take):
            if loop.time() > end:
                raise ProviderUnavailable(
                    "Blobs that nothing needs are being removed; try again.", retry_after=5
                )
            await asyncio.sleep(_PAUSE)

    def _keep(self) -> None:
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.get_running_loop().create_task(self._keep_lease())

    async def _keep_lease(self) -> None:
        """Make the lease anew as long as uploads run; a lease that is held is never refused."""
        while True:
            await asyncio.sleep(max(self._remaining - LASTS / 2, _PAUSE))
            if not self._running:
                return
            until = now() + LASTS * _SECOND
            try:
                await self._database.write(partial(_hold, id=self._id, until=until))
                self._until = until
            except WaterButlerError as error:
                _log.warning("lease not renewed", reason=error.message)


def _alone(connection: Connection) -> None:
    """Let nobody else look at leases until the transaction ends; SQLite's writers are alone."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _is_held(connection: Connection, kind: str) -> bool:
    live = exists(select(leases.c.id).where(leases.c.kind == kind, leases.c.until > now()))
    return bool(connection.execute(live.select()).scalar())


def _hold(
    connection: Connection, id: str, until: int, kind: str = _UPLOAD, resource: str | None = None
) -> None:
    values = {"id": id, "kind": kind, "resource": resource, "until": until}
    connection.execute(text(_HOLD), values)


def _take(connection: Connection, id: str, until: int, resource: str | None) -> bool:
    """Take a lease for uploads, unless blobs are being removed."""
    _alone(connection)
    connection.execute(delete(leases).where(leases.c.until <= now()))
    if _is_held(connection, _SWEEP):
        return False
    _hold(connection, id, until, resource=resource)
    return True


def _start_sweeping(connection: Connection, id: str, own: str) -> None:
    """Take the lease for removing blobs, if nobody has any other."""
    _alone(connection)
    over = (leases.c.until <= now()) | (leases.c.id == own)
    connection.execute(delete(leases).where(over))
    if _is_held(connection, _UPLOAD):
        raise ProviderUnavailable("An upload is running; try again later.", retry_after=LASTS)
    if _is_held(connection, _SWEEP):
        raise ProviderUnavailable("Blobs are being removed already.", retry_after=LASTS)
    _hold(connection, id, now() + LASTS * _SECOND, _SWEEP)


def _drop(connection: Connection, id: str) -> None:
    connection.execute(delete(leases).where(leases.c.id == id))


def _retract(connection: Connection, resource: str) -> None:
    """Forget the announcement that would have ended first."""
    _alone(connection)
    first = (
        select(leases.c.id).where(leases.c.resource == resource).order_by(leases.c.until).limit(1)
    )
    connection.execute(delete(leases).where(leases.c.id.in_(first)))
