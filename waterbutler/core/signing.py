"""Messages between this server and a host that carry their own proof."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import TypeAlias, TypedDict

from waterbutler.core.entry import JSON
from waterbutler.core.errors import InvalidRequest, Unauthenticated

Payload: TypeAlias = Mapping[str, JSON]


class SignedMessage(TypedDict):
    """How a message travels: as two query parameters, or as a JSON document."""

    payload: str
    """The base64 text of the canonical JSON."""
    signature: str
    """The HMAC of that text in lower-case hexadecimal."""


def sign(payload: Payload, secret: str, *, expires: float) -> SignedMessage:
    """Sign a payload.

    Receivers in the field write the payload down once more and compare: so it is written in
    exactly one way, with sorted keys, a blank after each comma and colon, and only ASCII.

    Args:
        payload: What to say; a ``time`` of its own wins over ``expires``.
        secret: What both sides know.
        expires: Until when it is good, in seconds since the epoch.
    """
    document = {"time": expires, **payload}
    canonical = json.dumps(document, sort_keys=True, allow_nan=False).encode()
    text = base64.b64encode(canonical).decode()
    return {"payload": text, "signature": _signature(text.encode(), secret)}


def verify(message: Mapping[str, object], secret: str, *, now: float) -> dict[str, JSON]:
    """The payload of a message that was signed with ``secret`` and is still good.

    Args:
        message: What came; everything in it may be wrong.
        secret: What both sides know.
        now: Seconds since the epoch.

    Raises:
        InvalidRequest: Parts are missing or unreadable, or the message is too old.
        Unauthenticated: The signature is another one.
    """
    text, signature = message.get("payload"), message.get("signature")
    if not isinstance(text, str) or not isinstance(signature, str):
        raise InvalidRequest("Invalid payload: it is not signed.")
    try:
        received = text.encode("ascii")
        canonical = base64.b64decode(received, validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise InvalidRequest("Invalid payload: it is not readable.") from None
    expected = _signature(received, secret)
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise Unauthenticated("The signature of the payload is wrong.")
    try:
        payload = json.loads(canonical)
    except (ValueError, RecursionError):
        raise InvalidRequest("Invalid payload: it is no JSON.") from None
    if not isinstance(payload, dict):
        raise InvalidRequest("Invalid payload: it is no JSON object.")
    end = payload.get("time")
    if isinstance(end, bool) or not isinstance(end, int | float):
        raise InvalidRequest("Invalid payload: it does not say when it ends.")
    if not now <= end:
        raise InvalidRequest("The payload has expired.")
    return payload


def _signature(text: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
