"""Keeps several processes serving on the same sockets, and replaces them one by one."""

from __future__ import annotations

import contextlib
import importlib
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import structlog

from waterbutler import logs
from waterbutler.app.job import Job
from waterbutler.app.process import CONFIG_INVALID, Process
from waterbutler.app.worker import STOPS, Order, Sweep, hangup_reloads, serve_supervised
from waterbutler.core.errors import ConfigInvalid

RESTART_SECONDS = 1.0
"""The least time between two starts of the same worker, so that a broken one does not spin."""
START_SECONDS = 60.0
"""How long a worker that is to replace another one may take until it serves."""
SETTLE_SECONDS = 0.1
"""After which time the numbers of ended workers are looked at again, if somebody was reading."""

_SIGNALS = {*STOPS, signal.SIGHUP, signal.SIGCHLD}

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler.app")


class Supervisor:
    """Starts workers, replaces those that die, and all of them for new settings.

    A worker is numbered; a number has one worker, and two while the new one takes over.

    Args:
        job: What the workers serve.
        announce: Called when the first one accepts connections.
    """

    def __init__(self, job: Job, announce: Callable[[], None]) -> None:
        self._job = self._previous = job
        self._announce: Callable[[], None] | None = announce
        self._processes: dict[int, Process] = {}
        self._due: dict[int, float] = {}
        """When to start the workers that are missing."""
        self._counted: set[int] = set()
        """Which processes have ended, and have numbers in files of their own."""
        self._waiting: deque[int] = deque()
        """Which workers are still to be replaced."""
        self._successor: Process | None = None
        self._reload_again = False
        self._stops = 0
        self._worst = 0
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Serve until a signal says stop; returns the exit status."""
        metrics = self._metrics = tempfile.mkdtemp(prefix="waterbutler-metrics-")
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
        try:
            # The metrics must know that they are shared before they are made. And workers that
            # start later should not run other code, where that was replaced on the disk meanwhile.
            importlib.import_module("waterbutler.assembly")
            self._listen_to_signals()
            for number in range(self._job.settings.server.workers):
                self._start(number, Sweep.NEVER if number else Sweep.FIRST)
            while self._processes or self._due:
                self._step()
            return self._worst
        finally:
            shutil.rmtree(metrics, ignore_errors=True)

    def _listen_to_signals(self) -> None:
        self._wakeup, far = socket.socketpair()
        for end in (self._wakeup, far):
            end.setblocking(False)
        self._far = far
        signal.set_wakeup_fd(far.fileno())
        for number in (*STOPS, signal.SIGCHLD):
            signal.signal(number, _noted)
        if hangup_reloads():
            signal.signal(signal.SIGHUP, _noted)
        self._selector.register(self._wakeup, selectors.EVENT_READ, None)

    def _step(self) -> None:
        """Wait until something happens, and do what follows from it."""
        for key, _ in self._selector.select(self._patience()):
            if key.data is None:
                self._handle_signals()
            else:
                self._hear(key.data)
        self._reap()
        now = time.monotonic()
        if self._successor is not None and now > self._successor.started + START_SECONDS:
            self._successor.kill()
        for number, when in list(self._due.items()):
            if when <= now:
                self._start(number, Sweep.BESIDE)

    def _patience(self) -> float | None:
        """For how many seconds there is nothing to do."""
        times = list(self._due.values())
        if self._successor is not None:
            times.append(self._successor.started + START_SECONDS)
        if self._counted:
            times.append(time.monotonic() + SETTLE_SECONDS)
        return max(0.0, min(times) - time.monotonic()) + 0.01 if times else None

    # -- signals -------------------------------------------------------------------------------

    def _handle_signals(self) -> None:
        for number in self._wakeup.recv(4096):
            if number in STOPS:
                self._stop()
            elif number == signal.SIGHUP:
                self._reload()

    def _stop(self) -> None:
        """First signal: let all finish what is running. Second: end them at once."""
        self._stops += 1
        # Nobody else may wait here for an answer that does not come.
        self._job.close()
        self._due.clear()
        self._waiting.clear()
        self._successor = None
        for process in self._processes.values():
            if self._stops > 1:
                process.kill()
            else:
                process.send(Order.STOP)

    def _reload(self) -> None:
        if self._stops:
            return
        if self._successor is not None or self._waiting:
            self._reload_again = True
            return
        job = self._job.renewed(alone=False)
        if job is None:
            return
        self._previous, self._job = self._job, job
        self._waiting.extend(range(job.settings.server.workers))
        self._replace_next()

    # -- replacing -----------------------------------------------------------------------------

    def _replace_next(self) -> None:
        """Start what takes the place of the next worker; at the end, drop what has none."""
        if self._waiting:
            self._successor = self._start(self._waiting.popleft(), Sweep.NEVER)
            return
        self._successor = None
        for process in self._processes.values():
            if process.number >= self._job.settings.server.workers:
                process.retire()
        _log.info("workers replaced", workers=self._job.settings.server.workers)
        self._reload_if_asked()

    def _hear(self, process: Process) -> None:
        """A worker serves, or has nothing more to say."""
        if not process.hear():
            self._selector.unregister(process.link)
            return
        if process.number == 0 and self._announce is not None:
            self._announce()
            self._announce = None
        if process is self._successor:
            for other in self._processes.values():
                if other.number == process.number and other is not process:
                    other.retire()
            self._replace_next()

    def _give_up_replacing(self) -> None:
        """Go on with what there is; what fails for one worker would for the others too."""
        self._successor = None
        self._waiting.clear()
        self._job = self._previous
        _log.error("workers not replaced")
        self._reload_if_asked()

    def _reload_if_asked(self) -> None:
        """What was asked for while workers were being replaced."""
        if self._reload_again:
            self._reload_again = False
            self._reload()

    # -- processes -----------------------------------------------------------------------------

    def _start(self, number: int, sweep: Sweep) -> Process:
        self._due.pop(number, None)
        sys.stdout.flush()
        near, far = socket.socketpair()
        # A signal in between would be lost, or handled twice.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            near.close()
            self._be_worker(far, sweep)
        far.close()
        process = self._processes[pid] = Process(pid, number, near)
        self._selector.register(near, selectors.EVENT_READ, process)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return process

    def _be_worker(self, supervisor: socket.socket, sweep: Sweep) -> None:
        """What the new process does; it ends here."""
        status = 1
        try:
            self._forget_all()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            logging = self._job.settings.logging
            logs.configure(logging.level, logging.format)
            serve_supervised(self._job, supervisor, sweep)
            status = 0
        except ConfigInvalid as error:
            print(error.message, file=sys.stderr)  # noqa: T201 - there may be no log yet
            status = CONFIG_INVALID
        except BaseException as error:
            _log.error("worker failed", exc_info=error)
            raise
        finally:
            sys.stdout.flush()
            os._exit(status)

    def _forget_all(self) -> None:
        """Let go, in a new worker, of everything that is the supervisor's.

        A worker that kept the links of the others would keep them from seeing that their
        supervisor is gone.
        """
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        # A terminal sends these to all processes; the supervisor tells the workers what to do.
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._selector.close()
        for end in (self._wakeup, self._far, *(each.link for each in self._processes.values())):
            end.close()

    def _reap(self) -> None:
        """Take note of the processes that have ended."""
        for process in list(self._processes.values()):
            status = process.status()
            if status is None:
                continue
            del self._processes[process.pid]
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(process.link)
            process.link.close()
            self._counted.add(process.pid)
            self._after(process, status)
        self._settle()

    def _settle(self) -> None:
        """Move what ended processes counted, unless another one has the same id by now."""
        from waterbutler.server import tally  # noqa: PLC0415 - see `run`

        self._counted.difference_update(self._processes)
        for pid in list(self._counted):
            try:
                tally.settle(Path(self._metrics), pid)
            except BlockingIOError:
                continue
            except OSError as error:
                _log.warning("metrics not tidied", reason=str(error))
            self._counted.discard(pid)

    def _after(self, process: Process, status: int) -> None:
        """Do what follows from the end of a process."""
        if self._stops:
            self._worst = max(self._worst, 0 if status in {0, -signal.SIGTERM} else 1)
            return
        if process.retired:
            return
        _log.warning("worker ended", worker=process.number, status=status)
        if process is self._successor:
            self._give_up_replacing()
        elif status == CONFIG_INVALID and self._announce is not None:
            # It has never worked: whoever starts it should know.
            self._stop()
            self._worst = CONFIG_INVALID
            return
        wanted = process.number < self._job.settings.server.workers
        if wanted and not any(self._serves(each, process.number) for each in self._each()):
            self._due[process.number] = process.started + RESTART_SECONDS

    def _each(self) -> list[Process]:
        return list(self._processes.values())

    @staticmethod
    def _serves(process: Process, number: int) -> bool:
        return process.number == number and not process.retired


def _noted(_signal: int, _frame: object) -> None:
    """The loop is woken up, and finds the signal's number."""
