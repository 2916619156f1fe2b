"""Signatures (version 4), by botocore, without anything else of it.

Nothing here reads files, the environment or the network, and nothing waits.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from botocore.auth import UNSIGNED_PAYLOAD, S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders

from waterbutler_s3.config import S3Credentials

# What it says about its work holds session tokens and signatures.
logging.getLogger("botocore.auth").setLevel(logging.INFO)

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Keys:
    """What is signed with; the names are those that botocore asks for."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, credentials: S3Credentials) -> Keys | None:
        """Those of a mount; none for a bucket that is public."""
        access_key, secret_key = credentials.access_key, credentials.secret_key
        if not access_key or not secret_key:
            return None
        return cls(access_key, secret_key, credentials.session_token or None)


class Signer:
    """Signs requests; one for each opened storage.

    Args:
        keys: ``None`` leaves requests as they are, for buckets that are public.
    """

    def __init__(self, keys: Keys | None) -> None:
        self.keys = keys
        self._auths: dict[str, S3SigV4Auth] = {}

    def headers(
        self, method: str, url: str, headers: Mapping[str, str], *, region: str, payload: str | None
    ) -> dict[str, str]:
        """``headers`` with those that the signature adds.

        Args:
            method: The method.
            url: The whole address, percent-encoded.
            headers: What is sent, apart from what the HTTP client adds.
            region: The region that the signature is for.
            payload: The sha256 of the body; ``None`` leaves the body out of the signature.
        """
        if self.keys is None:
            return dict(headers)
        digest = payload or UNSIGNED_PAYLOAD
        said = {**headers, "Host": host_of(url), "X-Amz-Content-SHA256": digest}
        request = AWSRequest(method, url, headers=said)
        auth = self._auths.get(region)
        if auth is None:
            auth = self._auths[region] = _Auth(self.keys, "s3", region)
        auth.add_auth(request)
        return dict(request.headers.items())

    def link(self, url: str, *, region: str, seconds: int) -> str:
        """``url`` for reading, valid for some time without any header."""
        if self.keys is None:
            return url
        request = AWSRequest("GET", url)
        S3SigV4QueryAuth(self.keys, "s3", region, expires=seconds).add_auth(request)
        return str(request.url)


class _Auth(S3SigV4Auth):  # type: ignore[misc]
    """Signs for a digest that is known already."""

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        digest = request.headers["X-Amz-Content-SHA256"]
        request.context["digest"] = digest
        super()._modify_request_before_signing(request)

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        """The headers that are signed; they are asked for twice, and the first time is enough."""
        found = request.context.get("signed")
        if found is None:
            found = request.context["signed"] = super().headers_to_sign(request)
        return found

    def payload(self, request: AWSRequest) -> str:
        """What stands for the body in the signature."""
        return str(request.context["digest"])


def host_of(url: str) -> str:
    """The ``Host`` header for an address: a port that goes without saying is not said."""
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0].lower()
    usual = {"http": ":80", "https": ":443"}.get(scheme, "")
    return host.removesuffix(usual) if usual else host


def encoded(query: Query) -> str:
    """A query as it is signed and sent."""
    return "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query
    )
