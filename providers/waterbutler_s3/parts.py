"""An upload in parts: begun, filled, completed or aborted, and nothing in between."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from waterbutler.core import ByteStream, Hasher
from waterbutler.core.errors import (
    Corrupted,
    NotFound,
    PreconditionFailed,
    ProviderFailed,
    ProviderFault,
    ProviderUnavailable,
    WaterButlerError,
)
from waterbutler.core.waiting import unbroken
from waterbutler_s3.blocks import Block
from waterbutler_s3.bucket import Bucket, Payload, Refused
from waterbutler_s3.entries import clean_etag, is_md5
from waterbutler_s3.listing import uploads
from waterbutler_s3.unfinished import MOMENT, Begun, Note, Unfinished

MAX_PARTS = 10_000
_COMBINED = re.compile(r"[0-9a-f]{32}-[0-9]+")
_ABORTS = 3
_OF_CONTENT, _OPAQUE = "md5:", "tag:"
_XML = {"content-type": "application/xml"}


@dataclass(frozen=True, slots=True)
class _Passing:
    """Bytes that pass through and cannot be sent again."""

    body: ByteStream
    sha256: str

    def stream(self) -> ByteStream:
        """The bytes."""
        if self.body.started:
            raise ProviderUnavailable("The storage wants the part to be sent again.")
        return self.body


class PartsUpload:
    """One upload in parts. After `begin`, either `complete` or `abort` ends it.

    One that is still open when an ``async with`` fails is aborted.

    Args:
        bucket: The bucket.
        key: What the object is called in the end.
        path: The same, as the client says it.
        id: Where it was begun before: what the server calls it.
    """

    def __init__(self, bucket: Bucket, key: str, path: str, id: str = "") -> None:
        self._bucket = bucket
        self._key = key
        self._path = path
        self._id = id
        self._etags: dict[int, str] = {}
        self._md5s: dict[int, bytes] = {}
        self._unfinished: Unfinished | None = None
        self._note: Note | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # With `GeneratorExit` the event loop is gone and nothing can be awaited.
        if error is not None and not isinstance(error, GeneratorExit) and self.is_open:
            await unbroken(self.abort())

    async def begin(self, headers: Mapping[str, str], unfinished: Unfinished | None = None) -> None:
        """Open it.

        The server answers: so what could not be aborted while it was out of order is aborted now.

        Args:
            headers: Those of the object in the end.
            unfinished: Where to note that it lasts no longer than this process.
        """
        self._unfinished = unfinished
        if unfinished is not None:
            self._note = await unfinished.begin(self._key)
        try:
            _, root = await self._bucket.call(
                "POST", self._key, [("uploads", "")], headers=headers, path=self._path
            )
        except BaseException as error:
            # The answer may have been lost, and not the request.
            refused = isinstance(error, WaterButlerError) and not error.temporary
            await self._let_go(over=refused)
            raise
        self._id = (root.findtext("UploadId") or "") if root is not None else ""
        if not self._id:
            await self._let_go()
            raise ProviderFault(f"{self._bucket.label} does not take files in parts.")
        if self._note is not None:
            await asyncio.to_thread(self._note.name, self._id)
        if unfinished is not None:
            await unfinished.catch_up()

    @property
    def id(self) -> str:
        """What the server calls it, once it has begun."""
        return self._id

    @property
    def is_open(self) -> bool:
        """Whether there is something to abort."""
        return bool(self._id)

    async def send(self, number: int, block: Block) -> None:
        """Send a part, again and again if need be.

        Raises:
            Corrupted: What arrived is not what was sent.
        """
        headers = self._bucket.proof(block)
        answer = await self._bucket.patiently(lambda: self._put(number, block, headers))
        self._check(number, answer, block.md5)

    async def pass_on(self, number: int, body: ByteStream, sha256: str) -> str:
        """Send a part that is not in memory, once; gives what `recall` wants to know of it.

        Raises:
            Corrupted: What arrived is not what was sent.
        """
        hasher = Hasher(["md5"])
        answer = await self._put(number, _Passing(body.tee(hasher), sha256), {})
        self._check(number, answer, bytes.fromhex((await hasher.digests())["md5"]))
        etag = self._etags[number]
        return f"{_OF_CONTENT if number in self._md5s else _OPAQUE}{etag}"

    def recall(self, number: int, tag: str) -> None:
        """Take up a part that was sent before."""
        etag = tag[len(_OPAQUE) :]
        self._etags[number] = etag
        if tag.startswith(_OF_CONTENT):
            self._md5s[number] = bytes.fromhex(etag)

    async def copy(self, number: int, headers: Mapping[str, str]) -> None:
        """Fill a part from another object, which ``headers`` name."""
        query = [("partNumber", str(number)), ("uploadId", self._id)]
        _, root = await self._bucket.patiently(
            lambda: self._bucket.call("PUT", self._key, query, headers=headers, path=self._path)
        )
        self._etags[number] = clean_etag(root.findtext("ETag") if root is not None else "") or ""

    async def hand_over(self) -> None:
        """Others know of it by now, and end it."""
        await self._let_go()

    async def complete(self, *, exclusive: bool) -> str | None:
        """Make the object of the parts.

        Args:
            exclusive: Only if there is none of this name.

        Returns:
            Its etag, where it can be foretold.

        Raises:
            PreconditionFailed: With ``exclusive``: there is one.
            Corrupted: The object is not made of these parts.
        """
        items = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{etag}&quot;</ETag></Part>"
            for number, etag in sorted(self._etags.items())
        )
        text = f"<CompleteMultipartUpload>{items}</CompleteMultipartUpload>".encode()
        body = await Block.of([text], self._bucket.digests_of_documents)
        headers = {**_XML, **({"If-None-Match": "*"} if exclusive else {})}
        expected = self._combined()
        found = await self._bucket.patiently(lambda: self._complete(body, headers, expected))
        self._id = ""
        await self._let_go()
        if found and expected and _COMBINED.fullmatch(found) and found != expected:
            raise Corrupted("The file is not made of the parts that were sent.")
        return found or expected

    async def abort(self) -> bool:
        """Throw away what was sent, also parts that arrive meanwhile; whether that worked.

        Where the server does not do it now and the upload is noted, the next one tries again.
        """
        gone = await self._is_aborted()
        self._id = ""
        await self._let_go(over=gone)
        return gone

    async def _let_go(self, *, over: bool = True) -> None:
        """The upload is over, or left to a sweep."""
        note, self._note = self._note, None
        if note is None or self._unfinished is None:
            return
        if over:
            await asyncio.to_thread(note.end)
        else:
            await self._unfinished.leave(note)

    async def _is_aborted(self) -> bool:
        query = [("uploadId", self._id)]
        for _ in range(_ABORTS):
            try:
                await self._bucket.patiently(lambda: self._bucket.call("DELETE", self._key, query))
                _, root = await self._bucket.call("GET", self._key, query)
            except WaterButlerError as error:
                if isinstance(error, NotFound):
                    return True
                continue
            if root is None or root.find("Part") is None:
                return True
        return False

    async def _put(
        self, number: int, payload: Payload, headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        query = [("partNumber", str(number)), ("uploadId", self._id)]
        answer, _ = await self._bucket.call(
            "PUT", self._key, query, headers=headers, body=payload, path=self._path
        )
        return answer

    def _check(self, number: int, answer: Mapping[str, str], md5: bytes | None) -> None:
        etag = clean_etag(answer.get("ETag")) or ""
        if is_md5(etag, answer):
            found = bytes.fromhex(etag)
            if found != (md5 or found):
                raise Corrupted("A part of the file did not arrive as it was sent.")
            self._md5s[number] = found
        self._etags[number] = etag

    async def _complete(
        self, body: Block, headers: Mapping[str, str], expected: str | None
    ) -> str | None:
        query = [("uploadId", self._id)]
        try:
            _, root = await self._bucket.call(
                "POST", self._key, query, headers=headers, body=body, path=self._path
            )
        except (NotFound, PreconditionFailed, ProviderFailed) as error:
            # Some servers fail where an upload is gone, instead of saying so.
            if isinstance(error, ProviderFailed) and not await self._is_gone():
                raise
            # An answer that was lost on its way is the usual reason for asking again.
            if expected and await self._etag_now() == expected:
                return expected
            if isinstance(error, PreconditionFailed):
                raise
            raise NotFound("There is no such upload.", path=self._path) from None
        return clean_etag(root.findtext("ETag")) if root is not None else None

    async def _is_gone(self) -> bool:
        """Whether the server does not know the upload any more."""
        query = [("uploadId", self._id), ("max-parts", "1")]
        try:
            await self._bucket.call("GET", self._key, query, path=self._path)
        except NotFound:
            return True
        except WaterButlerError:
            return False
        return False

    async def _etag_now(self) -> str | None:
        try:
            reply = await self._bucket.open("HEAD", self._key)
        except Refused:
            return None
        await reply.aclose()
        return clean_etag(reply.headers.get("ETag"))

    def _combined(self) -> str | None:
        """The etag that the object gets if all parts have their md5 as theirs."""
        if len(self._md5s) < len(self._etags):
            return None
        joined = b"".join(self._md5s[number] for number in sorted(self._md5s))
        return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(self._md5s)}"


async def abort_begun(bucket: Bucket, begun: Begun) -> None:
    """End what a process that died has begun.

    Raises:
        WaterButlerError: It is still there, or may be.
    """
    for id in [begun.id] if begun.id else await _begun_then(bucket, begun):
        if not await PartsUpload(bucket, begun.key, "", id).abort():
            raise ProviderUnavailable("The storage does not abort an upload.")


async def _begun_then(bucket: Bucket, begun: Begun) -> list[str]:
    """The uploads of the key that began when this one did."""
    moments = [(id, moment) async for id, moment in uploads(bucket, begun.key) if moment]
    return [id for id, moment in moments if abs(moment.timestamp() - begun.since) < MOMENT]
