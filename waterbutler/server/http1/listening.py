"""Listening sockets that rest while no connection can be accepted."""

from __future__ import annotations

import errno
import socket
from typing import Self

import structlog
from tornado.ioloop import IOLoop

REST_SECONDS = 1.0
"""How long clients wait before the server looks whether it can take them now."""
_TOO_FEW = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler")


class Listening(socket.socket):
    """Leaves clients in the queue while the process has no file descriptor for them.

    The event loop would otherwise try in vain, and say so, as fast as it can.
    """

    @classmethod
    def of(cls, plain: socket.socket) -> Self:
        """The same socket; ``plain`` is not used afterwards."""
        timeout = plain.gettimeout()
        own = cls(plain.family, plain.type, plain.proto, fileno=plain.detach())
        own.settimeout(timeout)
        return own

    def accept(self) -> tuple[socket.socket, object]:
        """See `socket.socket.accept`.

        Raises:
            BlockingIOError: Nobody waits, or nobody can be taken now.
        """
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in _TOO_FEW:
                raise
            self._rest(error)
            raise BlockingIOError(errno.EAGAIN, "no connection can be accepted") from None

    def _rest(self, error: OSError) -> None:
        _log.warning("no connection can be accepted", reason=error.strerror, rest=REST_SECONDS)
        loop = IOLoop.current()
        loop.update_handler(self.fileno(), 0)
        loop.call_later(REST_SECONDS, self._look_again, loop)

    def _look_again(self, loop: IOLoop) -> None:
        if self.fileno() >= 0:
            loop.update_handler(self.fileno(), IOLoop.READ)
