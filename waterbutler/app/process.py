"""A worker, as its supervisor sees it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time

from waterbutler.app.worker import Order

CONFIG_INVALID = 2
"""The exit status of a worker that cannot use its settings."""


class Process:
    """A process that was started here.

    Attributes:
        pid: Its id.
        number: Which worker it is.
        link: Carries orders to it; its end is the end of the process.
        started: When it was started, in seconds of the monotonic clock.
        retired: It was told that another one has its place.
    """

    def __init__(self, pid: int, number: int, link: socket.socket) -> None:
        self.pid = pid
        self.number = number
        self.link = link
        self.started = time.monotonic()
        self.retired = False

    def send(self, order: Order) -> None:
        """Give it an order; one that has ended needs none."""
        with contextlib.suppress(OSError):
            self.link.send(order.value)

    def retire(self) -> None:
        """Let it finish what it is doing, and take nothing new."""
        self.retired = True
        self.send(Order.RETIRE)

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def hear(self) -> bool:
        """Whether it says that it accepts connections now; otherwise it says nothing more."""
        try:
            return bool(self.link.recv(16))
        except OSError:
            return False

    def status(self) -> int | None:
        """Its exit status, negative for a signal; ``None`` while it runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return None if pid == 0 else os.waitstatus_to_exitcode(status)
