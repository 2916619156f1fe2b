"""Bodies that come in chunks (RFC 9112, section 7.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from waterbutler.server.http1.head import Malformed

MAX_LINE = 4096
"""The longest line with a chunk's size, in bytes; what follows the size means nothing here."""
MAX_TRAILERS = 1 << 13
"""How many bytes of trailers are read, and thrown away."""

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")


class Dechunker:
    """Takes what arrives and gives what the chunks hold.

    Attributes:
        ended: Whether the last chunk and all trailers were there.
        rest: What came behind them.
    """

    def __init__(self) -> None:
        self.ended = False
        self.rest = b""
        self._left = 0
        self._line = bytearray()
        self._read = self._read_size
        self._trailers = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The content in ``data``.

        Raises:
            Malformed: The framing is malformed.
        """
        position = 0
        while position < len(data) and not self.ended:
            if self._left:
                piece = data[position : position + self._left]
                position += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._read = self._read_end
                yield piece
                continue
            position = self._take_line(data, position)
        if self.ended:
            self.rest = data[position:]

    def _take_line(self, data: bytes, position: int) -> int:
        end = data.find(b"\n", position)
        stop = len(data) if end < 0 else end + 1
        self._line += data[position:stop]
        if len(self._line) > MAX_LINE:
            raise Malformed("A line in the body is too long.")
        if end >= 0:
            if not self._line.endswith(b"\r\n"):
                raise Malformed("A line in the body does not end as it should.")
            line = bytes(self._line[:-2])
            self._line.clear()
            self._read(line)
        return stop

    def _read_size(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise Malformed("The size of a chunk makes no sense.")
        self._left = int(match[1], 16)
        if not self._left:
            self._read = self._read_trailer

    def _read_end(self, line: bytes) -> None:
        if line:
            raise Malformed("A chunk is longer than it says.")
        self._read = self._read_size

    def _read_trailer(self, line: bytes) -> None:
        self._trailers += len(line)
        if self._trailers > MAX_TRAILERS:
            raise Malformed("There are too many trailers.")
        if not line:
            self.ended = True
        elif _TRAILER.fullmatch(line) is None:
            raise Malformed("Malformed trailer.")
