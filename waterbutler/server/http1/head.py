"""The head of a request: its line, its headers, and what they say about the body (RFC 9112).

The grammar is checked here with one expression for all lines, and more strictly than most servers
do: what two parties on the way could read in two ways is refused, not repaired.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar, overload

from tornado import httputil
from tornado.escape import parse_qs_bytes
from tornado.netutil import is_valid_ip

from waterbutler.core.parsing import parse_number

T = TypeVar("T")

_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}) ([\x21-\x7e\x80-\xff]+) (HTTP/1\.[01])")
_FIELDS = re.compile(r"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*")
_HOST = re.compile(r"[A-Za-z0-9\-._~!$&'()*+;=%\[\]:]*")
_ABSOLUTE = re.compile(r"https?://([A-Za-z0-9\-._~%\[\]:]+)(?=[/?]|$)", re.IGNORECASE)


class Malformed(httputil.HTTPInputError):
    """What came is no HTTP, or can be understood in more than one way."""


class Headers(httputil.HTTPHeaders):
    """Headers that are found quickly: each request is asked for two dozen that it does not have."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        super().__init__()

    def __setitem__(self, name: str, value: str) -> None:
        super().__setitem__(name, value)
        self._found[name.lower()] = value

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._found.pop(name.lower(), None)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._found

    def add_line(self, name: str, value: str) -> None:
        """Add a header that was checked; one that is there already gets a second value."""
        if name in self:
            self.add(name, value)
            self._found[name.lower()] = self[name]
        else:
            self[name] = value

    @overload
    def get(self, key: str) -> str | None: ...

    @overload
    def get(self, key: str, default: str) -> str: ...

    @overload
    def get(self, key: str, default: T) -> str | T: ...

    def get(self, key: str, default: object = None) -> object:
        """The value of a header; several of one name are joined by commas."""
        return self._found.get(key.lower(), default)


class Request(httputil.HTTPServerRequest):
    """A request as its head says it; everything that costs time is computed when asked for.

    Args:
        line: The method, the target and the version.
        headers: The headers.
        remote_ip: Who sends.
        protocol: ``http``, or what a trusted proxy says.
    """

    def __init__(
        self,
        line: httputil.RequestStartLine,
        headers: Headers,
        remote_ip: str = "",
        protocol: str = "http",
    ) -> None:
        self.method, self.uri, self.version = line
        self.headers = headers
        self.remote_ip = remote_ip
        self.protocol = protocol
        self.host = headers.get("Host", "127.0.0.1")
        self.body = b""
        target = line.path
        absolute = _ABSOLUTE.match(target)
        if absolute is not None:
            # What clients of proxies send; the host in it is the one that counts.
            self.host = absolute[1]
            rest = target[absolute.end() :]
            self.uri = target = rest if rest.startswith("/") else f"/{rest}"
        self.path, _, self.query = target.partition("?")

    @cached_property
    def query_arguments(self) -> dict[str, list[bytes]]:  # type: ignore[override]
        """The parameters of the query, each with all of its values."""
        return parse_qs_bytes(self.query, keep_blank_values=True)

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits with the body until it is told to send it."""
        expected = self.headers.get("Expect", "")
        return self.version == "HTTP/1.1" and expected.lower() == "100-continue"

    @property
    def keeps_connection(self) -> bool:
        """Whether the client wants to ask again on this connection."""
        wish = self.headers.get("Connection", "").lower()
        if self.version == "HTTP/1.1":
            return "close" not in {token.strip() for token in wish.split(",")} if wish else True
        return wish == "keep-alive"


@dataclass(frozen=True, slots=True)
class Framing:
    """How the end of a body is known; ``size`` is ``None`` where it comes in chunks."""

    size: int | None = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is none."""
        return self.size == 0


EMPTY = Framing()
CHUNKED = Framing(None)


def parse_head(data: bytes) -> tuple[httputil.RequestStartLine, Headers]:
    """Read a head that ends with the line break of its last header.

    Raises:
        Malformed: It is malformed.
    """
    line, _, fields = data.decode("latin-1").partition("\r\n")
    match = _LINE.fullmatch(line)
    if match is None:
        raise Malformed("Malformed request line.")
    if _FIELDS.fullmatch(fields) is None:
        raise Malformed("Malformed header.")
    headers = Headers()
    for field in fields.split("\r\n")[:-1]:
        name, _, value = field.partition(":")
        headers.add_line(name, value.strip(" \t"))
    _check_host(headers, match[3])
    return httputil.RequestStartLine(match[1], match[2], match[3]), headers


def framing_of(headers: Headers, version: str) -> Framing:
    """How the body of a request ends (RFC 9112, section 6).

    Raises:
        Malformed: It can be understood in more than one way, or not at all.
    """
    coding = headers.get("Transfer-Encoding")
    length = headers.get("Content-Length")
    if coding is not None:
        if length is not None or coding.lower() != "chunked" or version != "HTTP/1.1":
            raise Malformed("The end of the body is not clear.")
        return CHUNKED
    if length is None:
        return EMPTY
    size = parse_number(length)
    if size is None:
        raise Malformed("The Content-Length is not a number, or too large.")
    return Framing(size)


def seen_through_proxy(headers: Headers, remote_ip: str) -> tuple[str, str]:
    """The address and the protocol that a trusted proxy says.

    Of a list of addresses the last one counts, which the proxy itself has added.
    """
    forwarded = headers.get("X-Forwarded-For", remote_ip).rpartition(",")[2].strip()
    address = headers.get("X-Real-Ip", forwarded)
    protocol = headers.get("X-Scheme", headers.get("X-Forwarded-Proto", "http"))
    protocol = protocol.rpartition(",")[2].strip()
    return (
        address if is_valid_ip(address) else remote_ip,
        protocol if protocol in {"http", "https"} else "http",
    )


def _check_host(headers: Headers, version: str) -> None:
    host = headers.get("Host")
    if host is None:
        if version == "HTTP/1.1":
            raise Malformed("The Host is missing.")
    elif len(headers.get_list("Host")) > 1 or _HOST.fullmatch(host) is None:
        raise Malformed("The Host makes no sense.")
