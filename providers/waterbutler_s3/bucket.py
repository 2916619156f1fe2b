"""Requests to one bucket: addressed, signed, sent to the right region, and their errors raised."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar
from xml.etree.ElementTree import Element

from waterbutler.core import ByteStream
from waterbutler.core.errors import WaterButlerError
from waterbutler.http import HttpClient, Reply, parse_xml
from waterbutler_s3.blocks import BOTH, Block
from waterbutler_s3.config import Place
from waterbutler_s3.dialects import Dialect
from waterbutler_s3.failures import Failure, inside
from waterbutler_s3.signing import Query, Signer, encoded

T = TypeVar("T")

DOCUMENT = 16 << 20
"""The largest document that is read, in bytes; a page of a listing has less than 4 MiB."""
_NO_HEADERS: Mapping[str, str] = {}


class Payload(Protocol):
    """What is sent as the body of a request."""

    @property
    def sha256(self) -> str | None:
        """Its digest in hexadecimal; ``None`` leaves it out of the signature."""

    def stream(self) -> ByteStream:
        """The bytes; asked for again when they must be sent again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long a request is repeated that can be repeated; times in seconds."""

    tries: int = 5
    pause: float = 0.3
    longest_pause: float = 10.0


class Bucket:
    """Sends requests to a bucket.

    A server that says that the bucket is in another region is believed once; from then on all
    requests go there.

    Args:
        http: Sends.
        signer: Signs.
        place: Where the bucket is.
        region: In which region it is supposed to be.
        label: The storage in words, for errors.
        dialect: What the server can do.
        patience: How long temporary failures are put up with.
    """

    def __init__(
        self,
        http: HttpClient,
        signer: Signer,
        place: Place,
        region: str,
        label: str,
        dialect: Dialect,
        patience: Patience | None = None,
    ) -> None:
        self.signer = signer
        self.dialect = dialect
        self.place = place
        self.label = label
        self.region = region
        self._http = http
        self._patience = patience or Patience()

    @property
    def digests(self) -> frozenset[str]:
        """What proves that a body arrived; each digest costs time, and one is enough."""
        if self.dialect.checksums:
            # Against chance a short one will do; against people on the way only a long one.
            return frozenset({"sha256"} if self.place.is_exposed else {"crc32"})
        return self.dialect.digests if self.place.scheme == "http" else frozenset({"md5"})

    def proof(self, block: Block) -> dict[str, str]:
        """The headers by which the server compares a body with what was sent."""
        headers = {}
        if block.md5 is not None:
            headers["Content-MD5"] = base64.b64encode(block.md5).decode()
        if not self.dialect.checksums:
            return headers
        if block.sha256 is not None:
            digest = base64.b64encode(bytes.fromhex(block.sha256))
            headers["x-amz-checksum-sha256"] = digest.decode()
        elif block.crc32 is not None:
            headers["x-amz-checksum-crc32"] = base64.b64encode(block.crc32).decode()
        return headers

    @property
    def digests_of_documents(self) -> frozenset[str]:
        """The same for small documents, which are signed wherever they could be altered."""
        return BOTH if self.place.scheme == "http" else frozenset({"md5"})

    def link(self, key: str, query: Query, seconds: int) -> str:
        """An address that reads an object for some time."""
        text = encoded(query)
        url = self.place.url(self.region, key) + (f"?{text}" if text else "")
        return self.signer.link(url, region=self.region, seconds=seconds)

    async def open(
        self,
        method: str,
        key: str = "",
        query: Query = (),
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: Payload | None = None,
        path: str | None = None,
    ) -> Reply:
        """Send a request and wait for the head of its answer, which is a success.

        Raises:
            Refused: It is none; the failure is told with it.
        """
        reply = await self._send(method, key, query, headers, body)
        if reply.status < 300:
            return reply
        failure = await _failure(reply)
        if failure.region and failure.region != self.region and failure.status != 404:
            self.region = failure.region
            reply = await self._send(method, key, query, headers, body)
            if reply.status < 300:
                return reply
            failure = await _failure(reply)
        if method == "HEAD" and failure.status in {400, 403}:
            failure = await self._explain(key, query, failure)
        raise Refused(failure, self.label, path)

    async def call(
        self,
        method: str,
        key: str = "",
        query: Query = (),
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: Payload | None = None,
        path: str | None = None,
    ) -> tuple[Mapping[str, str], Element | None]:
        """Send a request and read the document of its answer.

        Raises:
            WaterButlerError: It failed, or says so in the document of a success.
        """
        try:
            reply = await self.open(method, key, query, headers=headers, body=body, path=path)
        except Refused as refused:
            raise refused.error() from None
        data = await reply.read(DOCUMENT)
        root = parse_xml(data) if data.strip() else None
        failure = inside(root) if root is not None else None
        if failure is not None:
            raise failure.error(self.label, path)
        return reply.headers, root

    async def patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat what can be repeated until it succeeds, fails for good, or patience ends."""
        tried = 0
        while True:
            tried += 1
            try:
                return await attempt()
            except WaterButlerError as error:
                asked = error.retry_after or 0
                if not error.temporary or tried >= self._patience.tries:
                    raise
                if asked > self._patience.longest_pause:
                    raise
                pause = min(self._patience.pause * 2.0 ** (tried - 1), self._patience.longest_pause)
            # Spread, so that parts that failed together do not come back together.
            await asyncio.sleep(max(asked, pause) * random.uniform(1, 1.3))  # noqa: S311

    async def _send(
        self, method: str, key: str, query: Query, headers: Mapping[str, str], body: Payload | None
    ) -> Reply:
        text = encoded(query)
        url = self.place.url(self.region, key) + (f"?{text}" if text else "")
        payload = _EMPTY if body is None else body.sha256
        sent = self.signer.headers(method, url, headers, region=self.region, payload=payload)
        if body is not None:
            return await self._http.open(method, url, headers=sent, body=body.stream())
        # A request that changes something has a length, also if that is nothing.
        empty = None if method in {"GET", "HEAD", "DELETE"} else b""
        return await self._http.open(method, url, headers=sent, body=empty)

    async def _explain(self, key: str, query: Query, failure: Failure) -> Failure:
        """The answer to ``HEAD`` has no document: ask in a way that is answered with one."""
        reply = await self._send("GET", key, query, {"Range": "bytes=0-0"}, None)
        if reply.status < 300:
            await reply.aclose()
            return failure
        return await _failure(reply)


_EMPTY = hashlib.sha256(b"").hexdigest()


class Refused(Exception):
    """A request was answered, and not with a success.

    Args:
        failure: What the answer says.
        label: What the storage is called.
        path: What the request was about.
    """

    def __init__(self, failure: Failure, label: str, path: str | None) -> None:
        super().__init__(failure.code or str(failure.status))
        self.failure = failure
        self._label = label
        self._path = path

    def error(self) -> WaterButlerError:
        """What is raised for it if nobody knows better; made anew, because it will know this."""
        return self.failure.error(self._label, self._path)


async def _failure(reply: Reply) -> Failure:
    try:
        body = await reply.read(1 << 16)
    except WaterButlerError:
        body = b""
    return Failure.of(reply.status, reply.headers, body)
