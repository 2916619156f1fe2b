"""Sends what waits, and tries again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec
import structlog

from waterbutler.callbacks.document import document_of
from waterbutler.callbacks.spool import Spool, Waiting
from waterbutler.core.errors import ProviderUnavailable, WaterButlerError
from waterbutler.core.signing import sign
from waterbutler.core.waiting import first, stop, together
from waterbutler.events import Event
from waterbutler.http import HttpClient

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler.callback")

GOOD_FOR = 60.0
"""How many seconds a signed message is good."""
_IN_MEMORY = 10_000
"""How many events may wait for a disk that cannot be written to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a message is sent, and sent again; all times in seconds.

    Attributes:
        pauses: Before each further try after one in vain.
        later: Before each further try after those, while the host is out of order.
        answer: How long an answer may take.
        look: How often to look for messages that another process left behind.
        at_once: How many messages are sent at a time.
        clock: Seconds since the epoch.
        sleep: Waits for a time.
    """

    pauses: tuple[float, ...] = (0.0, 5.0, 10.0, 15.0, 20.0)
    later: tuple[float, ...] = (60.0, 300.0, 900.0, 3600.0, 10800.0, 21600.0, 43200.0)
    answer: float = 30.0
    look: float = 15.0
    at_once: int = 8
    clock: Callable[[], float] = field(default=time.time, repr=False)
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep, repr=False)

    def pause(self, tries: int, *, out_of_order: bool) -> float | None:
        """How long to wait after try number ``tries``; ``None`` to give up."""
        pauses = (*self.pauses, *self.later) if out_of_order else self.pauses
        return pauses[tries - 1] if tries <= len(pauses) else None


class CallbackSink:
    """Tells hosts of events: signed, after the answer, again and again, across restarts.

    An event goes to disk first and is sent from there, by this process or, if it ends, by
    another one. While the disk cannot be written to, it waits in memory. `start` it in the loop
    that it works in.

    Args:
        http: Speaks to hosts.
        spool: Where messages wait.
        secret: Signs them.
        schedule: When to send.
    """

    def __init__(
        self,
        http: HttpClient,
        spool: Spool,
        secret: str,
        schedule: Schedule = Schedule(),
    ) -> None:
        self._http = http
        self._spool = spool
        self._secret = secret
        self._schedule = schedule
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._storing: set[asyncio.Task[None]] = set()
        self._sender: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send what waits."""
        if self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(self._send_all())

    def emit(self, event: Event) -> None:
        """See `Sink.emit`; events whose host does not want to know them are left out."""
        if not event.callback_url:
            return
        task = asyncio.get_running_loop().create_task(self._store(event, event.callback_url))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)

    async def aclose(self) -> None:
        """Put everything on disk and stop sending; what was not heard waits for the next start."""
        self._closing.set()
        await asyncio.gather(*self._storing)
        if self._sender is not None:
            await stop(self._sender)
            self._sender = None
        await asyncio.to_thread(self._spool.close)

    async def _store(self, event: Event, url: str) -> None:
        document = document_of(event)
        while True:
            last = self._closing.is_set() or len(self._storing) > _IN_MEMORY
            try:
                now = self._schedule.clock()
                kept = await asyncio.to_thread(self._spool.add, url, document, due=now)
            except WaterButlerError as error:
                reason = error.message
            else:
                reason, last = "too many wait", True
                if kept:
                    self._wake.set()
                    return
            if last:
                _log.error("callback lost", action=event.action, url=url, reason=reason)
                return
            _log.warning("callback not on disk", action=event.action, url=url, reason=reason)
            await first(self._closing.wait(), self._schedule.sleep(self._schedule.look))

    async def _send_all(self) -> None:
        while True:
            self._wake.clear()
            try:
                pause = await self._send_due()
            except WaterButlerError as error:
                _log.error("callbacks cannot be read", reason=error.message)
                pause = self._schedule.look
            if pause > 0:
                await first(self._wake.wait(), self._schedule.sleep(pause))

    async def _send_due(self) -> float:
        """Send what is due; gives how long nothing will be."""
        schedule = self._schedule
        now = schedule.clock()
        due = await asyncio.to_thread(self._spool.next_due)
        if due is None:
            return schedule.look
        if due > now:
            return min(due - now, schedule.look)
        until = now + 2 * schedule.answer
        waiting = await asyncio.to_thread(self._spool.take, schedule.at_once, now=now, until=until)
        await together(self._send(message) for message in waiting)
        return 0

    async def _send(self, message: Waiting) -> None:
        try:
            await self._send_and_note(message)
        except WaterButlerError as error:
            # It is due again when it counts as left behind, and may be heard twice.
            _log.error("callback not noted", url=message.url, reason=error.message)

    async def _send_and_note(self, message: Waiting) -> None:
        reason, out_of_order = await self._try(message)
        if reason is None:
            await asyncio.to_thread(self._spool.done, message.id)
            return
        tries = message.tries + 1
        pause = self._schedule.pause(tries, out_of_order=out_of_order)
        about = {"action": message.document.get("action"), "url": message.url, "tries": tries}
        if pause is None:
            _log.error("callback given up", reason=reason, **about)
            await asyncio.to_thread(self._spool.done, message.id)
            return
        _log.warning("callback failed", reason=reason, **about)
        due = self._schedule.clock() + pause
        await asyncio.to_thread(self._spool.again, message.id, due=due)

    async def _try(self, message: Waiting) -> tuple[str | None, bool]:
        """Send a message; gives why it was not heard, and whether that may pass."""
        expires = self._schedule.clock() + GOOD_FOR
        body = msgspec.json.encode(sign(message.document, self._secret, expires=expires))
        headers = {"Content-Type": "application/json"}
        try:
            async with asyncio.timeout(self._schedule.answer):
                reply = await self._http.open("PUT", message.url, headers=headers, body=body)
                with contextlib.suppress(WaterButlerError):
                    await reply.read()
        except TimeoutError:
            return "the host was silent for too long", True
        except WaterButlerError as error:
            return error.message, isinstance(error, ProviderUnavailable)
        if 200 <= reply.status < 300:
            return None, False
        return f"the host answered {reply.status}", reply.status in {429, 502, 503, 504}
