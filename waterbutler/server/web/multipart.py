"""Forms with files, read while they arrive."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TypeAlias

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from waterbutler.core.errors import InvalidRequest, TooLarge

# Whoever sends a malformed form is told so; the parser's own warnings would only fill the log.
logging.getLogger("python_multipart").setLevel(logging.ERROR)

MAX_PARTS = 1000
MAX_FIELD = 1 << 13
"""The longest value of a field that is no file, in bytes."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field that is no file, complete."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FileStart:
    """A file begins; its bytes follow.

    Attributes:
        name: What the file is called; empty where none was chosen.
        position: How many bytes of the form came before it; ``None`` where it is empty.
    """

    name: str
    position: int | None


@dataclass(frozen=True, slots=True)
class FileData:
    """The next bytes of the file that has begun."""

    chunk: bytes


@dataclass(frozen=True, slots=True)
class FileEnd:
    """The file is complete."""


Event: TypeAlias = Field | FileStart | FileData | FileEnd


class FormReader:
    """Turns the chunks of a ``multipart/form-data`` body into events, and keeps no file.

    Args:
        content_type: The header of the request.

    Raises:
        InvalidRequest: It has no usable boundary.
    """

    def __init__(self, content_type: str) -> None:
        _, options = parse_options_header(content_type)
        self._boundary = options.get(b"boundary", b"")
        if not self._boundary:
            raise InvalidRequest("The form has no boundary.")
        self._events: list[Event] = []
        self._position = 0
        self._parts = 0
        self._chunk = b""
        self._header = self._value = b""
        self._field: str | None = None
        self._file: str | None = None
        self._started = False
        self._text = bytearray()
        self.complete = False
        try:
            self._parser = MultipartParser(
                self._boundary,
                {
                    "on_part_begin": self._part_begin,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_end,
                    "on_end": self._end,
                },
            )
        except FormParserError:
            raise InvalidRequest("The boundary of the form is too long.") from None

    @property
    def closing_size(self) -> int:
        """How many bytes follow the last file of a form."""
        return len(b"\r\n--") + len(self._boundary) + len(b"--\r\n")

    def feed(self, chunk: bytes) -> list[Event]:
        """What a chunk brings.

        Raises:
            InvalidRequest: The form is malformed.
            TooLarge: It has too many parts, or a field that is too long.
        """
        self._chunk = chunk
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise InvalidRequest("The form cannot be read.") from None
        self._position += len(chunk)
        self._chunk = b""
        events, self._events = self._events, []
        return events

    # -- what the parser reports ---------------------------------------------------------------

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise TooLarge(f"A form has at most {MAX_PARTS} parts.")
        self._field = self._file = None
        self._started = False
        self._text.clear()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self._field = _text(options.get(b"name", b""))
            if b"filename" in options:
                self._file = file_name(_text(options[b"filename"]))
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        if self._field is None:
            raise InvalidRequest("A part of the form has no name.")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            self._text += data[start:end]
            if len(self._text) > MAX_FIELD:
                raise TooLarge(f"A field of the form has at most {MAX_FIELD} bytes.")
            return
        # What looked like the boundary at first is handed on from the parser's own memory.
        within = start if data is self._chunk else start - end
        self._start_file(self._position + within)
        self._events.append(FileData(data[start:end]))

    def _part_end(self) -> None:
        if self._file is None:
            self._events.append(Field(self._field or "", _text(bytes(self._text))))
            return
        self._start_file(None)
        self._events.append(FileEnd())

    def _start_file(self, position: int | None) -> None:
        if not self._started:
            self._started = True
            self._events.append(FileStart(self._file or "", position))

    def _end(self) -> None:
        self.complete = True


def file_name(sent: str) -> str:
    """What a file was called where it comes from.

    Browsers write a quotation mark as ``%22``; some programs send the way to the file too.
    """
    return sent.replace("%22", '"').rpartition("/")[2]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("The form is not valid UTF-8.") from None
