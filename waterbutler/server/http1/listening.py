"""Listening sockets that rest while no connection can be accepted."""

from __future__ import annotations

import errno
import socket

import structlog
from tornado.ioloop import IOLoop

REST_SECONDS = 1.0
"""How long clients wait before the server looks whether it can take them now."""
_TOO_FEW = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler")


class Listening:
    """A listening socket that leaves clients in the queue while there is no descriptor for them.

    The event loop would otherwise try in vain, and say so, as fast as it can.

    In each turn of the event loop one connection is accepted. Of several processes that share the
    socket, the first one to look would otherwise take all clients that come at the same time, and
    the others would have nothing to do as long as these stay.

    It has what Tornado uses of a socket.
    """

    def __init__(self, plain: socket.socket) -> None:
        self._socket = plain
        self._took_one = False

    def fileno(self) -> int:
        """See `socket.socket.fileno`."""
        return self._socket.fileno()

    def close(self) -> None:
        """See `socket.socket.close`."""
        self._socket.close()

    def accept(self) -> tuple[socket.socket, object]:
        """See `socket.socket.accept`.

        Raises:
            BlockingIOError: Nobody waits, or nobody can be taken now, or one was taken just now.
        """
        if self._took_one:
            self._took_one = False
            raise BlockingIOError(errno.EAGAIN, "others may accept the next connection")
        try:
            accepted = self._socket.accept()
        except OSError as error:
            if error.errno not in _TOO_FEW:
                raise
            self._rest(error)
            raise BlockingIOError(errno.EAGAIN, "no connection can be accepted") from None
        self._took_one = True
        return accepted

    def _rest(self, error: OSError) -> None:
        _log.warning("no connection can be accepted", reason=error.strerror, rest=REST_SECONDS)
        loop = IOLoop.current()
        loop.update_handler(self, 0)
        loop.call_later(REST_SECONDS, self._look_again, loop)

    def _look_again(self, loop: IOLoop) -> None:
        if self.fileno() >= 0:
            loop.update_handler(self, IOLoop.READ)
