"""Pages and sorting of a listing, with memory that grows with the page and not with the folder."""

from __future__ import annotations

import base64
import binascii
import heapq
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from waterbutler.core import Entry
from waterbutler.core.errors import InvalidRequest
from waterbutler.server.query import Query

MAX_PAGE = 1000
_SORTED_AT_ONCE = 5000
_NUMBER = re.compile(r"0*([1-9][0-9]{0,3})")

Key: TypeAlias = tuple[Any, ...]
Source: TypeAlias = Callable[[], AsyncIterator[Entry]]

_FIELDS: dict[str, Callable[[Entry], Any]] = {
    "name": lambda entry: entry.path.name,
    "size": lambda entry: entry.size if entry.size is not None else -1,
    "modified": lambda entry: entry.modified.timestamp() if entry.modified is not None else 0.0,
    "kind": lambda entry: not entry.path.is_folder,
}


@dataclass(frozen=True, slots=True)
class Paging:
    """What a client asked of a listing.

    The order is a total one (ties are broken by name and kind) and the cursor is the key of the
    last entry that was shown. So entries that come or go between two pages neither hide nor repeat
    any other.
    """

    size: int | None
    after: Key | None
    field: str
    descending: bool
    sorted: bool

    @property
    def order(self) -> str:
        """The value of ``sort`` that asks for this order."""
        return f"-{self.field}" if self.descending else self.field

    def key(self, entry: Entry) -> Key:
        """Where an entry stands in the order."""
        return (_FIELDS[self.field](entry), entry.path.name, entry.path.is_folder)

    def cursor(self, entry: Entry) -> str:
        """What the next page is asked with."""
        text = msgspec.json.encode(self.key(entry))
        return base64.urlsafe_b64encode(text).decode().rstrip("=")


def parse_paging(query: Query) -> Paging | None:
    """What a client asked, ``None`` if it wants the plain listing.

    Raises:
        InvalidRequest: A parameter makes no sense.
    """
    size_text, after_text, order = (
        query.get("page[size]"),
        query.get("page[after]"),
        query.get("sort"),
    )
    if not size_text and not after_text and not order:
        return None
    size = None
    if size_text or after_text:
        size = _size(size_text or str(MAX_PAGE))
    field = (order or "name").removeprefix("-")
    if field not in _FIELDS:
        raise InvalidRequest(f"Listings are sorted by {', '.join(_FIELDS)}.")
    descending = (order or "").startswith("-")
    after = _after(after_text, field) if after_text else None
    return Paging(size, after, field, descending, bool(order))


async def page(source: Source, paging: Paging, count: int) -> list[Entry]:
    """The next ``count`` entries in order, from one pass over the listing."""
    keyed = heapq.nlargest if paging.descending else heapq.nsmallest
    kept: list[Entry] = []
    async for entry in source():
        key = paging.key(entry)
        if paging.after is not None and (
            key >= paging.after if paging.descending else key <= paging.after
        ):
            continue
        kept.append(entry)
        if len(kept) >= 2 * count + 64:
            kept = keyed(count, kept, key=paging.key)
    return keyed(count, kept, key=paging.key)


async def in_order(source: Source, paging: Paging) -> AsyncIterator[Entry]:
    """All entries in order, from as many passes as memory demands."""
    after = paging.after
    while True:
        step = Paging(None, after, paging.field, paging.descending, paging.sorted)
        entries = await page(source, step, _SORTED_AT_ONCE)
        for entry in entries:
            yield entry
        if len(entries) < _SORTED_AT_ONCE:
            return
        after = paging.key(entries[-1])


def _size(text: str) -> int:
    match = _NUMBER.fullmatch(text)
    if match is None or int(match[1]) > MAX_PAGE:
        raise InvalidRequest(f"page[size] is a number from 1 to {MAX_PAGE}.")
    return int(match[1])


def _after(text: str, field: str) -> Key:
    wrong = InvalidRequest("page[after] is not a cursor of this listing.")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        values = msgspec.json.decode(raw)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        raise wrong from None
    kinds: dict[str, type | tuple[type, ...]] = {
        "name": str,
        "size": int,
        "modified": (int, float),
        "kind": bool,
    }
    if not isinstance(values, list) or len(values) != 3:
        raise wrong
    if not isinstance(values[0], kinds[field]) or not isinstance(values[1], str):
        raise wrong
    if not isinstance(values[2], bool):
        raise wrong
    return tuple(values)
