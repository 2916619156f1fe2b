"""Tokens that ask for the next page of a folder.

A token holds the last name that was shown, and a digest of it, the folder and the account. Whoever
makes one up gets another part of the same folder, and no more: so nothing in it is secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec

from waterbutler.core import Entry
from waterbutler.core.errors import InvalidRequest
from waterbutler.server.gateway.ids import Address, encode
from waterbutler.server.paging import MAX_PAGE, Paging

_DIGEST = 12


def token(last: Entry, where: tuple[str, Address]) -> str:
    """What the page behind ``last`` is asked with; URL-safe characters.

    Args:
        last: The last entry that was shown.
        where: The account and the folder that the token is for.
    """
    key = msgspec.json.encode((last.path.name, last.path.is_folder))
    return base64.urlsafe_b64encode(_digest(key, where) + key).decode().rstrip("=")


def parse(text: str | None, where: tuple[str, Address]) -> Paging:
    """The page that a token asks for; the first one without a token.

    Raises:
        InvalidRequest: The token is damaged, or one of another folder or account.
    """
    after = None
    if text:
        try:
            data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
            name, is_folder = msgspec.json.decode(data[_DIGEST:], type=tuple[str, bool])
        except (binascii.Error, ValueError, msgspec.DecodeError):
            raise _wrong() from None
        if data[:_DIGEST] != _digest(data[_DIGEST:], where):
            raise _wrong()
        after = (name, name, is_folder)
    return Paging(MAX_PAGE, after, "name", descending=False, sorted=True)


def _digest(key: bytes, where: tuple[str, Address]) -> bytes:
    account, folder = where
    text = "\0".join((account, encode(folder))).encode() + b"\0" + key
    return hashlib.sha256(text).digest()[:_DIGEST]


def _wrong() -> InvalidRequest:
    return InvalidRequest("The page token is not one of this folder.")
