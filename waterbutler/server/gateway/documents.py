"""What requests say, in their JSON bodies and in the headers that hold JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_to_bytes

from tornado.httputil import HTTPHeaders

from waterbutler.core import check_name
from waterbutler.core.errors import InvalidRequest
from waterbutler.server.documents import parse_document, text_in
from waterbutler.server.gateway.vocabulary import Vocabulary

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_ESCAPE = re.compile(
    r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|\\U(000[0-9a-fA-F]{5}|0010[0-9a-fA-F]{4})"
)
_LARGEST = (1 << 63) - 1


def milliseconds(moment: datetime) -> int:
    """A time as the API writes it: milliseconds since 1970."""
    return (moment - EPOCH) // _MILLISECOND


class Document:
    """A JSON object of a request, read key by key.

    ``null`` is the same as nothing.

    Raises:
        InvalidRequest: It is not JSON, or no object.
    """

    def __init__(self, data: bytes) -> None:
        self._values = parse_document(data)

    @classmethod
    def of(cls, value: object) -> Document:
        """A part of another document; raises `InvalidRequest` if it is no object."""
        if not isinstance(value, dict):
            raise InvalidRequest("The JSON of the request has something else than an object.")
        document = cls(b"{}")
        document._values = value
        return document

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def text(self, key: str) -> str | None:
        """A text; ``None`` if it is missing or empty."""
        return text_in(self._values, key) or None

    def required(self, key: str) -> str:
        """A text that must be there and not be empty."""
        value = self.text(key)
        if value is None:
            raise InvalidRequest(f"{key!r} is missing.")
        return value

    def count(self, key: str) -> int | None:
        """A whole number, 0 or more."""
        value = self._integer(key)
        if value is not None and not 0 <= value <= _LARGEST:
            raise InvalidRequest(f"{key!r} must be 0 or more, and a number of bytes can be.")
        return value

    def moment(self, key: str) -> datetime | None:
        """A time in milliseconds since 1970."""
        value = self._integer(key)
        if value is None:
            return None
        try:
            return EPOCH + value * _MILLISECOND
        except OverflowError:
            raise InvalidRequest(f"{key!r} lies outside of what a time can be.") from None

    def sha256(self, key: str) -> str | None:
        """A digest in hexadecimal, made lower-case."""
        value = self.text(key)
        if value is not None and not _SHA256.fullmatch(value):
            raise InvalidRequest(f"{key!r} must be 64 hexadecimal digits.")
        return value and value.lower()

    def array(self, key: str) -> list[Any]:
        """A list that must be there."""
        value = self._values.get(key)
        if not isinstance(value, list):
            raise InvalidRequest(f"{key!r} must be a list.")
        return value

    def _integer(self, key: str) -> int | None:
        value = self._values.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise InvalidRequest(f"{key!r} must be a whole number.")
        return value


def wanted_name(name: str) -> str:
    """The name for something new, unless no storage should have it; it is kept as it is.

    Raises:
        InvalidRequest: It is blank, or not a name at all.
    """
    if not name.strip():
        raise InvalidRequest("A name must not be blank.")
    return check_name(name)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an upload says of its file.

    Attributes:
        name: The name of a new file; ``None`` if none was said.
        size: Its size in bytes, if the client said it.
        modified: When the client's file was changed, for storages that keep it.
        sha256: The digest of its content, in lower-case hexadecimal.
    """

    name: str | None
    size: int | None
    modified: datetime | None
    sha256: str | None


def read_upload(headers: HTTPHeaders, words: Vocabulary) -> Wanted:
    """What the header of an upload says.

    Raises:
        InvalidRequest: It is missing, unreadable or makes no sense.
    """
    document = header_document(headers, words.upload_headers)
    name = document.text(words.name)
    if name is not None:
        name = _percent_decoded(name) if words.names_are_encoded else _unescaped(name)
        wanted_name(name)
    return Wanted(
        name,
        document.count(words.size),
        document.moment(words.modified),
        document.sha256(words.sha256) if words.sha256 else None,
    )


def header_document(headers: HTTPHeaders, names: tuple[str, ...]) -> Document:
    """The JSON object in the first of some headers that is there.

    Header values are bytes, which Tornado shows as Latin-1. Clients that do not escape anything
    send UTF-8, some of them Latin-1.

    Raises:
        InvalidRequest: None of them is there, or it holds something else.
    """
    name = next((name for name in names if name in headers), None)
    if name is None:
        raise InvalidRequest(f"The header {names[0]} is missing.")
    raw = headers[name].encode("latin-1", "replace")
    try:
        raw.decode()
    except UnicodeDecodeError:
        raw = headers[name].encode()
    try:
        return Document(raw)
    except InvalidRequest:
        raise InvalidRequest(f"The header {name} does not hold a JSON object.") from None


def _percent_decoded(name: str) -> str:
    """The name behind a percent-encoded one; ``%`` without two digits stands for itself."""
    try:
        return unquote_to_bytes(name).decode()
    except UnicodeError:
        raise InvalidRequest("The name is not valid UTF-8.") from None


def _unescaped(name: str) -> str:
    r"""The name behind one that was escaped, ``\u010d``, before it was put into JSON.

    Clients of the first servers had to do that, as those did not expect JSON's own escapes.
    """
    if "\\" not in name or not name.isascii():
        return name
    plain = _ESCAPE.sub(lambda match: chr(int(match[1] or match[2] or match[3], 16)), name)
    try:
        return plain.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeError:
        raise InvalidRequest("The name is not valid Unicode.") from None
