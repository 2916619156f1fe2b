"""JSON Web Signatures (RFC 7515) with a secret that both sides agreed on.

Importing the library takes long, and a server without another host signs nothing: so this module is
imported by who signs or reads the first token.
"""

from __future__ import annotations

import jwt
from jwt.algorithms import HMACAlgorithm

from waterbutler.auth.envelope import ALGORITHMS


class BadSignature(ValueError):
    """A token was not signed with the secret, or is none."""


class _SharedSecret(HMACAlgorithm):
    """Takes the secret that both sides agreed on, however short it is."""

    def check_key_length(self, key: bytes) -> None:
        """No warning with each token: nobody who reads it could change the secret."""


_jws = jwt.PyJWS(algorithms=[])
for _name, _hash in ALGORITHMS.items():
    _jws.register_algorithm(_name, _SharedSecret(_hash))


def sign(content: bytes, secret: str, algorithm: str) -> str:
    """The content with its signature."""
    return _jws.encode(content, secret, algorithm)


def signed(token: bytes, secret: str, algorithm: str) -> bytes:
    """The content of a token.

    Raises:
        BadSignature: It was not signed so.
    """
    try:
        content: bytes = _jws.decode(token, secret, [algorithm])
    except jwt.InvalidTokenError:
        raise BadSignature from None
    return content
