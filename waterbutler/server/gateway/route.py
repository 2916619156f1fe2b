"""The URLs of the gateway API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from waterbutler.core.errors import InvalidRequest
from waterbutler.server.gateway.ids import TOP, Address
from waterbutler.server.gateway.vocabulary import VOCABULARIES, Operation, Vocabulary
from waterbutler.server.query import Query, decode

_URL = re.compile(r"(?:/gateway/([^/]*)/([^/]*))?/v2/([a-z_]+)(?:/([^/]*))?")
_WORD = re.compile(r"\w+")

_ENDPOINTS = {name: words for words in VOCABULARIES for name in words.endpoints}


@dataclass(frozen=True, slots=True)
class Route:
    """What the URL of a request says, apart from its query.

    Attributes:
        words: The vocabulary that the endpoint belongs to.
        operations: What can be done here, by method.
        root: The mount that the URL binds the session to; the top if it binds it to nothing.
        id: The last name, decoded: an id or a token; empty if there is none.
    """

    words: Vocabulary
    operations: Mapping[str, Operation]
    root: Address
    id: str


def is_gateway(uri: str, prefix: str = "") -> bool:
    """Whether a raw target belongs to this API."""
    path = uri.partition("?")[0]
    if prefix and path.startswith(prefix + "/"):
        path = path.removeprefix(prefix)
    return path.startswith(("/v2/", "/gateway/"))


def parse_route(uri: str, prefix: str = "") -> Route | None:
    """Read a raw target; ``None`` if there is nothing at this URL.

    Args:
        uri: The target as it came.
        prefix: What may stand before all of the URLs.
    """
    path = uri.partition("?")[0]
    if prefix and path.startswith(prefix + "/"):
        path = path.removeprefix(prefix)
    match = _URL.fullmatch(path)
    if match is None or match[3] not in _ENDPOINTS:
        return None
    words = _ENDPOINTS[match[3]]
    root = TOP
    try:
        if match[1] is not None:
            root = Address(decode(match[1]), decode(match[2]))
            if not _WORD.fullmatch(root.resource) or not _WORD.fullmatch(root.mount):
                return None
        return Route(words, words.endpoints[match[3]], root, decode(match[4] or ""))
    except InvalidRequest:
        return None


def parse_query(uri: str) -> Query:
    """The parameters of a raw target."""
    return Query(uri.partition("?")[2])
