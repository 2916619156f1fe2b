"""The answer that a handler puts together."""

from __future__ import annotations

import time
from email.utils import formatdate
from http.cookies import Morsel
from typing import ClassVar

from waterbutler.server.http1 import Connection, Request
from waterbutler.server.http1.answer import Answer

HeaderValue = str | int


class _Clock:
    """The ``Date`` of answers; written down once a second."""

    second: ClassVar[int] = 0
    text: ClassVar[str] = ""

    @classmethod
    def now(cls) -> str:
        second = int(time.time())
        if second != cls.second:
            cls.second, cls.text = second, formatdate(second, usegmt=True)
        return cls.text


class Reply:
    """Status, headers and body of an answer, until they are sent.

    A body that is complete when the answer is finished is sent with its size, in one piece. One
    that is flushed before is sent as its headers say, or in chunks.

    Args:
        request: What is answered.
        connection: Where it came from.
    """

    def __init__(self, request: Request, connection: Connection) -> None:
        self.request = request
        self.connection = connection
        self._head_sent = False
        self._finished = False
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._status = 200
        self._cookies: list[str] = []
        self._buffer: list[bytes] = []
        self._headers: dict[str, str] = {"Date": _Clock.now()}
        self.set_default_headers()

    def set_default_headers(self) -> None:
        """Set the headers that every answer carries."""

    def get_status(self) -> int:
        """The status."""
        return self._status

    def set_status(self, status: int) -> None:
        """Answer with another status than 200."""
        self._status = status

    def set_header(self, name: str, value: HeaderValue) -> None:
        """Set a header; ``name`` is written as it is usually written."""
        self._headers[name] = value if isinstance(value, str) else str(value)

    def add_header(self, name: str, value: str) -> None:
        """Add to a header whose values are a list."""
        before = self._headers.get(name)
        self._headers[name] = value if before is None else f"{before}, {value}"

    def clear_header(self, name: str) -> None:
        """Send no such header."""
        self._headers.pop(name, None)

    def set_cookie(
        self, name: str, value: str, *, max_age: int | None = None, secure: bool = False
    ) -> None:
        """Set a cookie for all of this server that no script can read and no other site sends."""
        morsel: Morsel[str] = Morsel()
        morsel.set(name, value, value)
        morsel.update({"path": "/", "samesite": "Lax"})
        morsel["httponly"] = True
        morsel["secure"] = secure
        if max_age is not None:
            morsel["max-age"] = str(max_age)
        self._cookies.append(morsel.OutputString())

    def write(self, chunk: bytes) -> None:
        """Add to the body."""
        self._buffer.append(chunk)

    async def flush(self) -> None:
        """Send what is there, and wait until the client has taken most of it.

        Raises:
            ConnectionLost: The client is gone.
        """
        self._send_buffer()
        await self.connection.drain()

    def finish(self) -> None:
        """The answer is complete."""
        if not self._head_sent:
            bodiless = self._status in {204, 304}
            if bodiless:
                self.clear_header("Content-Type")
            elif "Content-Length" not in self._headers:
                self._headers["Content-Length"] = str(sum(map(len, self._buffer)))
        self._send_buffer()
        self._finished = True
        self.connection.end()
        self.on_finish()

    def on_finish(self) -> None:
        """Called when the answer is complete."""

    def _send_buffer(self) -> None:
        buffer, self._buffer = self._buffer, []
        chunk = buffer[0] if len(buffer) == 1 else b"".join(buffer)
        if self._head_sent:
            self.connection.write(chunk)
            return
        answer = Answer(
            self.request, self._status, self._headers, self._cookies, last=self._is_last()
        )
        self._head_sent = True
        self.connection.begin(answer, chunk)

    def _is_last(self) -> bool:
        """Whether the connection is closed after this answer."""
        return not self.connection.has_read_all
