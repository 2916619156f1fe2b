"""How an answer is written down."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec

from waterbutler.server.http1.head import Request

_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_BODILESS = frozenset({204, 304})


class Answer:
    """The head of an answer, and how the end of its body is marked.

    A body whose size is said is exactly that long. Without a size it is sent in chunks, or, to
    clients that do not know these, ends with the connection.

    Args:
        request: What is answered.
        status: The status.
        headers: Its headers.
        cookies: The values of its ``Set-Cookie`` headers.
        last: Whether the connection is closed afterwards, whatever the client wishes.
    """

    __slots__ = (
        "_chunked",
        "_cookies",
        "_headers",
        "_left",
        "_request",
        "_status",
        "_wants_body",
        "keeps_connection",
    )

    def __init__(
        self,
        request: Request,
        status: int,
        headers: Mapping[str, str],
        cookies: Sequence[str] = (),
        *,
        last: bool = False,
    ) -> None:
        self._request = request
        self._status = status
        self._headers = headers
        self._cookies = cookies
        self._wants_body = request.method != "HEAD" and status not in _BODILESS
        size = headers.get("Content-Length")
        self._left = None if size is None else int(size)
        unmarked = self._wants_body and size is None
        self._chunked = unmarked and request.version == "HTTP/1.1"
        self.keeps_connection = (
            request.keeps_connection and not last and (self._chunked or not unmarked)
        )

    @property
    def is_chunked(self) -> bool:
        """Whether the body is sent in chunks."""
        return self._chunked

    def skip(self, count: int) -> None:
        """Bytes of the body were sent by other means."""
        if self._left is not None:
            self._left -= count

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing, as far as can be said."""
        return not self._wants_body or not self._left

    def head(self, chunk: bytes = b"") -> bytes:
        """The head, and the first bytes of the body."""
        reason = _REASONS.get(self._status, "Unknown")
        lines = [f"HTTP/1.1 {self._status} {reason}"]
        lines += [f"{name}: {value}" for name, value in self._headers.items()]
        lines += [f"Set-Cookie: {cookie}" for cookie in self._cookies]
        if self._chunked:
            lines.append("Transfer-Encoding: chunked")
        if not self.keeps_connection:
            lines.append("Connection: close")
        elif self._request.version == "HTTP/1.0":
            lines.append("Connection: keep-alive")
        if _UNSENDABLE.search("".join(lines)):
            raise ValueError("A header cannot have control characters.")
        lines.append("\r\n")
        return b"".join(("\r\n".join(lines).encode("latin-1"), *self.body(chunk)))

    def body(self, chunk: bytes) -> tuple[bytes, ...]:
        """What stands for a part of the body on the wire."""
        if not chunk or not self._wants_body:
            return ()
        if self._chunked:
            return (b"%x\r\n" % len(chunk), chunk, b"\r\n")
        if self._left is not None:
            if len(chunk) > self._left:
                raise ValueError("The answer is longer than it says.")
            self._left -= len(chunk)
        return (chunk,)

    def tail(self) -> bytes:
        """What marks the end."""
        return b"0\r\n\r\n" if self._chunked else b""


def refusal() -> bytes:
    """What answers a request that cannot be read, with the body that every error has."""
    message = "The request is malformed, or its header is too large."
    body = msgspec.json.encode({"code": 400, "message": message, "message_long": message})
    lines = (
        "HTTP/1.1 400 Bad Request",
        "Content-Type: application/json; charset=UTF-8",
        f"Content-Length: {len(body)}",
        f"X-Waterbutler-Request-Id: {uuid.uuid4()}",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(lines).encode() + body
