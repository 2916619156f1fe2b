"""Files that the system sends by itself (``sendfile``), without bringing them to this process."""

from __future__ import annotations

import select
import sys

from waterbutler.core.errors import Corrupted
from waterbutler_filesystem.reading import OpenFile
from waterbutler_filesystem.threads import Stop, finish, others_wait

CAN_SEND = sys.platform.startswith("linux")
"""Elsewhere ``sendfile`` has other rules, or there is none."""
STEP = 1 << 23
"""How many bytes to ask the system to send at once."""
TURN = 1 << 26
"""After how many bytes a thread goes to others, if some wait for it."""
TAIL = 1 << 16
"""The end of a file is read, so that it can be held back until it is clear that the file has not
changed meanwhile."""
PATIENCE = 5
"""How many milliseconds a thread waits for a client that takes its bytes quickly."""


class FileToSend:
    """See `waterbutler.core.stream.FileSource`."""

    def __init__(self, file: OpenFile) -> None:
        self._file = file

    @property
    def sendable(self) -> int:
        """See `FileSource.sendable`."""
        return 0 if self._file.ended else max(self._file.left - TAIL, 0)

    async def send(self, fd: int) -> int:
        """See `FileSource.send`."""
        stop = Stop()
        return await finish(stop, self._send, fd, stop)

    def _send(self, fd: int, stop: Stop) -> int:
        total = 0
        while self.sendable and not stop.is_set():
            if total >= TURN and others_wait():
                break
            try:
                sent = self._file.send(fd, min(self.sendable, STEP))
            except BlockingIOError:
                if not _is_ready(fd):
                    break
                continue
            if not sent:
                raise Corrupted("The file has become shorter while it was sent.")
            total += sent
        return total


def _is_ready(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(PATIENCE))
