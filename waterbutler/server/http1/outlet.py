"""The way past the event loop's transport, for bytes that the system sends by itself."""

from __future__ import annotations

import asyncio
import os
from typing import Self

from waterbutler.core.waiting import wake


class Outlet:
    """A descriptor of its own for a connection's socket; closed at the end of a ``with``.

    Its own, because the transport may close the socket at any moment, and the number of a closed
    descriptor could belong to something else when it is used.

    Args:
        fd: The descriptor of the socket.
    """

    def __init__(self, fd: int) -> None:
        self._loop = asyncio.get_running_loop()
        self.fd = os.dup(fd)
        self._ready: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

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
