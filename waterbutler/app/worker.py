"""One process that serves."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from enum import Enum
from typing import TYPE_CHECKING

import structlog

from waterbutler.app.job import Job
from waterbutler.app.memory import tidy
from waterbutler.core.errors import ConfigInvalid
from waterbutler.core.waiting import first, stop

if TYPE_CHECKING:
    from waterbutler.assembly import Assembly

STOPS = (signal.SIGTERM, signal.SIGINT)

COLLECT_AFTER = (10_000, 10, 10)
"""How much is made until garbage is searched for: a request makes a few hundred things and leaves
no cycles, so that the usual 700 is searching all the time."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler.app")


class Order(Enum):
    """What a process is told to do; the values are what a supervisor sends."""

    STOP = b"S"
    """Finish what is running, within the time that is set."""
    RETIRE = b"R"
    """Another process has taken over: finish what is running, however long it takes."""
    RELOAD = b"L"
    """Take the settings as they are now."""


class Sweep(Enum):
    """When to clean up what processes left that did not end well."""

    FIRST = "first"
    """Before the first connection is accepted."""
    BESIDE = "beside"
    """While requests are served, where others wait for this process."""
    NEVER = "never"
    """There is nothing to clean up."""


class Worker:
    """Serves until it is told to stop.

    Args:
        job: What to serve.
        ready: Called when connections are accepted.
        sweep: When to clean up.
    """

    def __init__(self, job: Job, ready: Callable[[], None], sweep: Sweep) -> None:
        self._job = job
        self._ready = ready
        self._sweep = sweep
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        self._hurry = asyncio.Event()
        self._leaving: set[asyncio.Task[None]] = set()

    def order(self, order: Order) -> None:
        """Tell it what to do; call it in its loop."""
        self._orders.put_nowait(order)

    async def serve(self) -> None:
        """Serve until an order ends it.

        Raises:
            ConfigInvalid: The settings do not fit together.
        """
        current = _assembled(self._job)
        if self._sweep is Sweep.FIRST:
            await current.sweep()
        self._accept(current)
        self._ready()
        sweep = current.sweep() if self._sweep is Sweep.BESIDE else None
        async with _beside(tidy()), _beside(sweep):
            order = await self._orders.get()
            while order is Order.RELOAD:
                current = await self._renew(current)
                order = await self._orders.get()
        self._job.close()
        if order is Order.RETIRE:
            self._leave(current)
            await first(self._left(), self._told_to_stop())
            self._hurry.set()
        else:
            self._hurry.set()
            self._leave(current, replaced=False)
        await self._left()

    async def _renew(self, current: Assembly) -> Assembly:
        """Serve with the settings as they are now; as before if they are wrong."""
        job = await asyncio.to_thread(self._job.renewed, alone=True)
        if job is None:
            return current
        try:
            new = _assembled(job)
        except ConfigInvalid as error:
            _log.error("settings refused", reason=error.message)
            return current
        self._job = job
        self._accept(new)
        self._leave(current)
        _log.info("settings reloaded")
        return new

    def _accept(self, assembly: Assembly) -> None:
        # An assembly closes its sockets when it stops, and others go on to use them.
        assembly.server.add_sockets([each.dup() for each in self._job.sockets])

    def _leave(self, assembly: Assembly, *, replaced: bool = True) -> None:
        task = asyncio.create_task(self._close(assembly, replaced=replaced))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _close(self, assembly: Assembly, *, replaced: bool) -> None:
        """Accept nothing more, finish what is running, and let go of everything.

        Where something else has taken over, connections that wait for a request are kept as long
        as ever: the next request on them is answered, and the answer says that it is the last.
        """
        state, server = assembly.context.state, assembly.settings.server
        state.stopping, state.replaced = True, replaced
        assembly.server.stop()
        if replaced:
            await first(_unused(assembly), self._hurry.wait())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(server.shutdown_seconds):
                await state.idle()
        await assembly.aclose()

    async def _left(self) -> None:
        """Wait for what is being closed; who gives up waiting leaves it alone."""
        while self._leaving:
            done, _ = await asyncio.wait(self._leaving)
            for task in done:
                task.result()

    async def _told_to_stop(self) -> None:
        while await self._orders.get() is not Order.STOP:
            pass


def serve_alone(job: Job, announce: Callable[[], None]) -> int:
    """Serve in this process; returns the exit status.

    Raises:
        ConfigInvalid: The settings do not fit together.
    """

    async def serve() -> None:
        worker = Worker(job, announce, Sweep.FIRST)
        loop = asyncio.get_running_loop()
        stops = 0

        def stop() -> None:
            """First signal: finish what is running. Second: go at once."""
            nonlocal stops
            stops += 1
            if stops > 1:
                os._exit(1)
            worker.order(Order.STOP)

        for number in STOPS:
            loop.add_signal_handler(number, stop)
        if hangup_reloads():
            loop.add_signal_handler(signal.SIGHUP, worker.order, Order.RELOAD)
        await worker.serve()

    _run(serve())
    return 0


def serve_supervised(job: Job, supervisor: socket.socket, sweep: Sweep) -> None:
    """Serve until the supervisor sends an order that ends it, or is gone.

    Args:
        job: What to serve.
        supervisor: Gives orders, and is sent a byte when connections are accepted.
        sweep: When to clean up.

    Raises:
        ConfigInvalid: The settings do not fit together.
    """

    def ready() -> None:
        with contextlib.suppress(OSError):
            supervisor.send(b"1")

    async def serve() -> None:
        worker = Worker(job, ready, sweep)
        loop = asyncio.get_running_loop()

        def receive() -> None:
            sent = supervisor.recv(16)
            if not sent:
                loop.remove_reader(supervisor)
            for byte in sent or Order.STOP.value:
                worker.order(Order(bytes([byte])))

        supervisor.setblocking(False)
        loop.add_reader(supervisor, receive)
        loop.add_signal_handler(signal.SIGTERM, worker.order, Order.STOP)
        await worker.serve()

    _run(serve())


def hangup_reloads() -> bool:
    """Whether ``SIGHUP`` asks for new settings, and does not say that a terminal was closed."""
    return not os.isatty(0) and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN


def _run(main: Coroutine[None, None, None]) -> None:
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 - not on every platform

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


def _assembled(job: Job) -> Assembly:
    # Nothing of this will be garbage, so there is no need to search it, neither now nor later.
    gc.disable()
    try:
        # Imported late: the metrics must know whether they are shared before they are made.
        from waterbutler.assembly import assemble  # noqa: PLC0415

        return assemble(job.settings, url=job.url)
    finally:
        if not gc.get_freeze_count():
            gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        gc.enable()


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[None, None, None] | None) -> AsyncIterator[None]:
    """Do this at the same time, if there is anything to do, and give it up at the end."""
    if work is None:
        yield
        return
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await stop(task)


async def _unused(assembly: Assembly) -> None:
    """Wait until all connections have ended as they would have done in any case."""
    await asyncio.sleep(assembly.settings.server.idle_seconds)
    await assembly.context.state.idle()
