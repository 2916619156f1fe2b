"""The way past the event loop's transport, for bytes that the system sends by itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Self

from waterbutler.core.waiting import wake

_CORK = getattr(socket, "TCP_CORK", None)
"""Sends full packets only, as long as there is more: a fifth less work. Linux has it."""


class Outlet:
    """A descriptor of its own for a connection's socket; closed at the end of a ``with``.

    Its own, because the transport may close the socket at any moment, and the number of a closed
    descriptor could belong to something else when it is used.

    Args:
        fd: The descriptor of the socket.
    """

    def __init__(self, fd: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(fileno=os.dup(fd))
        self.fd = self._socket.fileno()
        self._ready: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        self._cork(True)
        return self

    def __exit__(self, *_: object) -> None:
        self._cork(False)
        self._socket.close()

    async def writable(self) -> None:
        """Wait until the socket takes something, or `wake` is called."""
        ready = self._ready = self._loop.create_future()
        self._loop.add_writer(self.fd, self.wake)
        try:
            await ready
        finally:
            self._loop.remove_writer(self.fd)

    def wake(self) -> None:
        """Wait no longer."""
        wake(self._ready)

    def _cork(self, closed: bool) -> None:
        if _CORK is not None:
            # Not every socket is one of TCP, and the client may be gone.
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, _CORK, closed)
