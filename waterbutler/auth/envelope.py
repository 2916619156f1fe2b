"""Claims that travel between this server and a host: signed, encrypted, and soon expired.

The token is a JSON Web Token (RFC 7519) inside a compact JSON Web Encryption (RFC 7516). The
hosts in the field use an initialization vector of 16 bytes, not of 12 as RFC 7518 demands, so
that libraries which keep to the letter refuse their tokens; the encryption itself is plain
AES-GCM and is used directly.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import urandom
from typing import TypeAlias

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from waterbutler.core import JSON

LIFETIME = 15
"""Seconds that a token is good for."""
MAX_LIFETIME = 300
"""The farthest that the end of a received token may be away, in seconds; clocks may differ."""
MAX_TOKEN = 1 << 20
"""The longest token that is looked at, in characters."""

ALGORITHMS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
"""What tokens may be signed with, and the hash that each uses."""

Claims: TypeAlias = Mapping[str, JSON]

_HEADER = b'{"alg": "dir", "enc": "A256GCM"}'
_ITERATIONS = 10_000
_IV_SIZE = 16
_TAG_SIZE = 16
_MIN_IV_SIZE = 8


class BadEnvelope(ValueError):
    """A token that cannot be believed; the text says why and holds nothing of the token."""


class ExpiredEnvelope(BadEnvelope):
    """A token that was good once."""


@dataclass(frozen=True, slots=True)
class EnvelopeKeys:
    """What both sides must have; make it once, deriving it is slow on purpose.

    Attributes:
        encryption: 32 bytes.
        signature: The secret of the signature.
        algorithm: One of `ALGORITHMS`.
    """

    encryption: bytes = field(repr=False)
    signature: str = field(repr=False)
    algorithm: str = "HS256"

    @classmethod
    def derive(
        cls, *, jwe_secret: str, jwe_salt: str, jwt_secret: str, algorithm: str = "HS256"
    ) -> EnvelopeKeys:
        """The keys that follow from the secrets of the settings.

        Raises:
            ValueError: The algorithm is none of `ALGORITHMS`.
        """
        if algorithm not in ALGORITHMS:
            raise ValueError(f"{algorithm!r} is not one of {', '.join(ALGORITHMS)}.")
        key = hashlib.pbkdf2_hmac("sha256", jwe_secret.encode(), jwe_salt.encode(), _ITERATIONS)
        return cls(key, jwt_secret, algorithm)


def seal(claims: Claims, keys: EnvelopeKeys, *, now: float, lifetime: int = LIFETIME) -> str:
    """A token with the claims, in their order, and when it ends.

    Args:
        claims: What to say; ``exp`` is added.
        keys: The keys.
        now: Seconds since the epoch.
        lifetime: Seconds until the token ends.
    """
    document = json.dumps({**claims, "exp": int(now + lifetime)}, separators=(",", ":"))
    from waterbutler.auth.signatures import sign  # noqa: PLC0415 - see there

    signed = sign(document.encode(), keys.signature, keys.algorithm)
    header = _encode(_HEADER)
    iv = urandom(_IV_SIZE)
    sealed = AESGCM(keys.encryption).encrypt(iv, signed.encode(), header.encode())
    content, tag = sealed[:-_TAG_SIZE], sealed[-_TAG_SIZE:]
    return f"{header}..{_encode(iv)}.{_encode(content)}.{_encode(tag)}"


def open_sealed(token: str, keys: EnvelopeKeys, *, now: float) -> dict[str, JSON]:
    """The claims of a token that was made with the same keys and has not ended, with ``exp``.

    Raises:
        BadEnvelope: It was made with other keys, was changed, does not say when it ends, or ends
            farther away than `MAX_LIFETIME`.
        ExpiredEnvelope: It has ended.
    """
    from waterbutler.auth.signatures import BadSignature, signed  # noqa: PLC0415 - see there

    try:
        document = signed(_decrypted(token, keys), keys.signature, keys.algorithm)
    except BadSignature:
        raise BadEnvelope("The token is not signed with the right key.") from None
    claims = _object(document)
    end = claims.get("exp")
    if isinstance(end, bool) or not isinstance(end, int | float):
        raise BadEnvelope("The token does not say when it ends.")
    if not end <= now + MAX_LIFETIME:
        raise BadEnvelope("The token ends too far away.")
    if end <= now:
        raise ExpiredEnvelope("The token has ended.")
    return claims


def _decrypted(token: str, keys: EnvelopeKeys) -> bytes:
    parts = token.split(".") if len(token) <= MAX_TOKEN else []
    if len(parts) != 5 or parts[1]:
        raise BadEnvelope("This is no encrypted token.")
    header, _, iv, content, tag = parts
    _check_header(_decode(header))
    vector, mark = _decode(iv), _decode(tag)
    if len(vector) < _MIN_IV_SIZE or len(mark) != _TAG_SIZE:
        raise BadEnvelope("This is no encrypted token.")
    try:
        return AESGCM(keys.encryption).decrypt(vector, _decode(content) + mark, header.encode())
    except (InvalidTag, ValueError):
        raise BadEnvelope("The token is not encrypted with the right key.") from None


def _check_header(raw: bytes) -> None:
    header = _object(raw)
    if header.get("alg") != "dir" or header.get("enc") != "A256GCM":
        raise BadEnvelope("The token is encrypted in another way.")


def _object(raw: bytes) -> dict[str, JSON]:
    try:
        document: JSON = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise BadEnvelope("The token holds no JSON object.")
    return document


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    """The bytes; each has one text only, so that no changed token passes for the original."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadEnvelope("The token is not readable.") from None
    if _encode(data) != text:
        raise BadEnvelope("The token is not readable.")
    return data
