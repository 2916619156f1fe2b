"""Digests of bodies: verified on the way in, shown on the way out (RFC 9530, RFC 1864)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Mapping

from tornado.httputil import HTTPHeaders

from waterbutler.core import ByteStream, Hasher
from waterbutler.core.errors import InvalidRequest

ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512", "md5": "md5", "sha": "sha1"}
"""The names of RFC 9530 and hashlib's."""

_MEMBER = re.compile(r"\s*([a-z0-9*_.-]+)\s*=\s*:([A-Za-z0-9+/=]*):\s*(?:;[^,]*)?\s*")


def expected(headers: HTTPHeaders) -> dict[str, bytes]:
    """The digests that a request promises for its body, by hashlib name.

    Algorithms that are not known here are left alone, as the standard asks.

    Raises:
        InvalidRequest: A header cannot be read, or two of them disagree.
    """
    found: dict[str, bytes] = {}
    for header in ("Content-Digest", "Repr-Digest"):
        for member in filter(str.strip, headers.get(header, "").split(",")):
            match = _MEMBER.fullmatch(member)
            if match is None:
                raise InvalidRequest(f"The header {header} cannot be read.")
            name = ALGORITHMS.get(match[1])
            if name is not None:
                _add(found, name, match[2], header)
    if "Content-MD5" in headers:
        _add(found, "md5", headers["Content-MD5"].strip(), "Content-MD5")
    return found


def verified(body: ByteStream, digests: Mapping[str, bytes]) -> ByteStream:
    """The body, refused at its end if it does not have the digests.

    The storage sees the refusal as a failing body, so nothing of it stays.
    """
    if not digests:
        return body
    hasher = Hasher(digests)

    async def chunks() -> AsyncIterator[bytes]:
        async for chunk in body:
            await hasher.feed(chunk)
            yield chunk
        for name, digest in (await hasher.digests()).items():
            if digest != digests[name].hex():
                raise InvalidRequest(f"The body does not have the {name} digest that was promised.")

    return ByteStream(chunks(), size=body.size, close=body.aclose)


def shown(hashes: Mapping[str, str], wanted: str | None) -> str | None:
    """The value of ``Repr-Digest`` for a whole file, or ``None`` if nothing fitting is known.

    Args:
        hashes: What is known of the file, by hashlib name, in hexadecimal.
        wanted: The ``Want-Repr-Digest`` header; without it SHA-256 is shown.
    """
    if wanted is None:
        names = ["sha-256"]
    else:
        names = [
            name.strip()
            for name, _, weight in (member.partition("=") for member in wanted.split(","))
            if weight.strip() != "0"
        ]
    members = [
        f"{name}=:{base64.b64encode(bytes.fromhex(hashes[ALGORITHMS[name]])).decode()}:"
        for name in names
        if ALGORITHMS.get(name) in hashes
    ]
    return ", ".join(members) or None


def _add(found: dict[str, bytes], name: str, text: str, header: str) -> None:
    try:
        digest = base64.b64decode(text, validate=True)
    except ValueError:
        raise InvalidRequest(f"The header {header} cannot be read.") from None
    if len(digest) != hashlib.new(name, usedforsecurity=False).digest_size:
        raise InvalidRequest(f"The header {header} has a digest of the wrong length.")
    if found.setdefault(name, digest) != digest:
        raise InvalidRequest("The digest headers disagree.")
