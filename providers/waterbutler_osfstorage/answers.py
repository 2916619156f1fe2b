"""What the answers of another host mean: their statuses, and what stands in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from waterbutler.core.errors import (
    AlreadyExists,
    CheckedOut,
    Forbidden,
    InvalidRequest,
    NotFound,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExceeded,
    WaterButlerError,
)
from waterbutler.http import retry_after

T = TypeVar("T")

_MEANINGS: Mapping[int, tuple[type[WaterButlerError], str]] = {
    400: (InvalidRequest, "The host refuses the request."),
    401: (ProviderFault, "The host does not believe this server: their secrets differ."),
    403: (Forbidden, "The host does not allow it."),
    404: (NotFound, "There is no such file or folder."),
    405: (CheckedOut, "A file is checked out."),
    408: (ProviderUnavailable, "The host was waiting for too long."),
    409: (AlreadyExists, "The name is taken."),
    410: (NotFound, "The resource is gone."),
    429: (ProviderUnavailable, "The host is asked too often."),
    500: (ProviderFault, "The host failed."),
    502: (ProviderUnavailable, "The host is out of order."),
    503: (ProviderUnavailable, "The host is out of order."),
    504: (ProviderTimeout, "The host was silent for too long."),
    507: (QuotaExceeded, "There is no room left."),
}


def check_awake(status: int, headers: Mapping[str, str]) -> None:
    """Look whether the host could deal with the request at all.

    Raises:
        ProviderUnavailable: It says that trying again later makes sense.
    """
    kind, text = _MEANINGS.get(status, (ProviderFault, ""))
    if issubclass(kind, ProviderUnavailable):
        raise kind(text, retry_after=retry_after(headers))


def refusal(status: int, body: bytes) -> WaterButlerError:
    """The error for a status that is no success, in the host's words where it has some."""
    fault = (ProviderFault, f"The host answered with the unexpected status {status}.")
    kind, text = _MEANINGS.get(status, fault)
    if kind is ProviderFault:
        return kind(text)
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = None
    told = said.get("message_long") if isinstance(said, dict) else None
    return kind(told if isinstance(told, str) and told else text)


def read(body: bytes, kind: type[T]) -> T:
    """What the host tells.

    Raises:
        ProviderFault: It is not of this kind.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ProviderFault("The answer of the host makes no sense.") from None
