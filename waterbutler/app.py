"""Starting and stopping: one process, or several that share a port."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable

from tornado.netutil import bind_sockets

from waterbutler import logs
from waterbutler.core.errors import ConfigInvalid
from waterbutler.settings import Settings

BACKLOG = 1024
_M_ARENA_MAX = -8
"""A parameter of ``mallopt`` in glibc; other libraries ignore it or lack the function."""
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_RESTART_SECONDS = 1.0
"""The least time between two starts of the same worker, so that a broken one does not spin."""


def run(settings: Settings, *, standalone: bool = False) -> int:
    """Serve until a signal says stop; returns the exit status.

    Args:
        settings: The settings.
        standalone: Print the URL with the token of the user ``admin`` in it.

    Raises:
        ConfigInvalid: The settings do not fit together, or the address cannot be used.
    """
    logs.configure(settings.logging.level, settings.logging.format)
    _give_memory_back()
    sockets = _bind(settings.server.host, settings.server.port)
    url = settings.server.url
    if not settings.server.domain:
        port = sockets[0].getsockname()[1]
        url = url.removesuffix(f":{settings.server.port}") + f":{port}"
    token = settings.users["admin"].token if standalone and "admin" in settings.users else ""
    announcement = f"WaterButler is ready: {url}/" + (f"?token={token}" if token else "")
    if settings.server.workers == 1:
        return _run_worker(settings, sockets, url, 0, announcement)
    return _Supervisor(settings, sockets, url, announcement).run()


def _bind(host: str, port: int) -> list[socket.socket]:
    try:
        sockets = bind_sockets(port, host or None, backlog=BACKLOG)
    except OSError as error:
        raise ConfigInvalid(f"Cannot listen on {host}:{port}: {error.strerror}.") from None
    return sockets


def _run_worker(
    settings: Settings, sockets: list[socket.socket], url: str, number: int, announcement: str
) -> int:
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 - not on every platform

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_serve(settings, sockets, url, number, announcement))


async def _serve(
    settings: Settings, sockets: list[socket.socket], url: str, number: int, announcement: str
) -> int:
    # Imported late: the metrics must know whether they are shared before they are made.
    from waterbutler.assembly import assemble  # noqa: PLC0415

    assembly = assemble(settings, url=url)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number_of_signal in _STOP_SIGNALS:
        loop.add_signal_handler(number_of_signal, _stop, stop)
    if number == 0:
        await assembly.sweep()
    assembly.server.add_sockets(sockets)
    if announcement:
        print(announcement, flush=True)  # noqa: T201 - what the person who started it waits for
    await stop.wait()
    state = assembly.context.state
    state.stopping = True
    assembly.server.stop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(settings.server.shutdown_seconds):
            await state.idle()
    await assembly.aclose()
    return 0


def _give_memory_back() -> None:
    """Ask the C library for few pools of memory, where it can be asked.

    By default it makes one for each thread, and what was freed in one is of no use to another: then
    the memory of many transfers stays with the process when they are over.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _stop(stop: asyncio.Event) -> None:
    """First signal: finish what is running. Second: go at once."""
    if stop.is_set():
        os._exit(1)
    stop.set()


class _Supervisor:
    """Keeps several workers running on the same sockets."""

    def __init__(
        self, settings: Settings, sockets: list[socket.socket], url: str, announcement: str
    ) -> None:
        self._settings = settings
        self._sockets = sockets
        self._url = url
        self._announcement = announcement
        self._workers: dict[int, tuple[int, float]] = {}
        self._stopping = False

    def run(self) -> int:
        """Start the workers, replace those that die, stop them all at a signal."""
        metrics = tempfile.mkdtemp(prefix="waterbutler-metrics-")
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
        try:
            for number_of_signal in _STOP_SIGNALS:
                signal.signal(number_of_signal, self._forward)
            for number in range(self._settings.server.workers):
                if not self._stopping:
                    self._start(number)
            worst = 0
            while self._workers:
                worst = max(worst, self._wait())
            return worst
        finally:
            shutil.rmtree(metrics, ignore_errors=True)

    def _start(self, number: int) -> None:
        sys.stdout.flush()
        # A signal in between would not reach a worker that is not known yet.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        process = os.fork()
        if process == 0:
            status = 1
            try:
                for number_of_signal in _STOP_SIGNALS:
                    signal.signal(number_of_signal, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
                announcement = self._announcement if number == 0 else ""
                status = _run_worker(self._settings, self._sockets, self._url, number, announcement)
            except ConfigInvalid as error:
                print(error.message, file=sys.stderr)  # noqa: T201 - there is no log yet
                status = 2
            finally:
                sys.stdout.flush()
                os._exit(status)
        self._workers[process] = (number, time.monotonic())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
        self._announcement = "" if number == 0 else self._announcement

    def _wait(self) -> int:
        """Wait for one worker to end; returns a status to end with, if it was the end."""
        process, raw = os.wait()
        number, started = self._workers.pop(process)
        status = os.waitstatus_to_exitcode(raw)
        self._forget(process)
        if self._stopping:
            return 0 if status in {0, -signal.SIGTERM} else 1
        if status == 2:
            self._forward(signal.SIGTERM, None)
            return 2
        time.sleep(max(0.0, _RESTART_SECONDS - (time.monotonic() - started)))
        if not self._stopping:
            self._start(number)
        return 0

    def _forward(self, _signal: int, _frame: object) -> None:
        self._stopping = True
        for process in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)

    @staticmethod
    def _forget(process: int) -> None:
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415

        mark_process_dead(process)  # type: ignore[no-untyped-call]
