"""What v1 answers, as typed values."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from waterbutler.core.errors import (
    AlreadyExists,
    Forbidden,
    InvalidRequest,
    LengthRequired,
    NotFound,
    PreconditionFailed,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unsupported,
    WaterButlerError,
)
from waterbutler.http import Reply

T = TypeVar("T")

LISTING_LIMIT = 1 << 30
"""The largest answer that is read, in bytes."""

_ERRORS: dict[int, type[WaterButlerError]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: Unsupported,
    411: LengthRequired,
    412: PreconditionFailed,
    413: TooLarge,
    429: RateLimited,
    501: Unsupported,
    503: ProviderUnavailable,
    504: ProviderTimeout,
    507: QuotaExceeded,
}


class Extra(msgspec.Struct, frozen=True):
    """What only some storages know."""

    hashes: dict[str, str] = {}


class RemoteEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder, as v1 describes it; ``path`` is what its URL has."""

    name: str
    kind: str
    path: str
    materialized: str
    size: int | None = None
    modified_utc: str | None = None
    etag: str | None = None
    extra: Extra = Extra()

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder."""
        return self.kind == "folder"


class _Item(msgspec.Struct, frozen=True):
    attributes: RemoteEntry


class _One(msgspec.Struct, frozen=True):
    data: _Item


class _Many(msgspec.Struct, frozen=True):
    data: list[_Item]


class _Problem(msgspec.Struct, frozen=True):
    message: str = ""


async def entry_of(reply: Reply) -> RemoteEntry:
    """The entry that a reply holds; the reply is closed."""
    return _decode(await reply.read(LISTING_LIMIT), _One, reply).data.attributes


async def entries_of(reply: Reply) -> list[RemoteEntry]:
    """The entries that a reply lists; the reply is closed."""
    listing = _decode(await reply.read(LISTING_LIMIT), _Many, reply)
    return [item.attributes for item in listing.data]


async def checked(reply: Reply, about: object) -> Reply:
    """The reply, if it is no error.

    Args:
        reply: The reply; an error's is closed.
        about: What the request was about, for the message.

    Raises:
        WaterButlerError: The class that fits the status, with the server's words.
    """
    if reply.status < 300:
        return reply
    raw = await reply.read()
    try:
        message = msgspec.json.decode(raw, type=_Problem).message
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = ""
    text = f"{about}: {message or f'the server answered with status {reply.status}.'}"
    if reply.status == 409:
        raise AlreadyExists(text)
    raise _ERRORS.get(reply.status, ProviderFault)(text)


def _decode(raw: bytes, kind: type[T], reply: Reply) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ProviderFault(f"{reply.host} does not answer as a WaterButler server.") from None
