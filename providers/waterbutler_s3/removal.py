"""Deleting objects, many in one request."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence, Set
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape  # only writes

from waterbutler.core.errors import NotFound, ProviderFault
from waterbutler.core.waiting import together
from waterbutler_s3.blocks import Block
from waterbutler_s3.bucket import Bucket
from waterbutler_s3.failures import Failure
from waterbutler_s3.listing import pages

BATCH = 1000
"""How many keys one request deletes at most."""
_AT_ONCE = 8
_XML = {"content-type": "application/xml"}

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no document can hold: keys with it are deleted one by one."""


async def delete_below(bucket: Bucket, prefix: str, *, spare: str | None = None) -> int:
    """Delete all objects whose keys begin with ``prefix``, apart from one.

    Returns:
        How many there were.
    """
    count = 0
    folders: set[str] = set()
    async for page in pages(bucket, prefix):
        keys = [found.key for found in page.objects if found.key != spare]
        await delete_keys(bucket, keys)
        folders.update(folders_of(keys, prefix))
        count += len(keys)
    await delete_folders(bucket, {folder for folder in folders if folder != spare})
    return count


def folders_of(keys: Iterable[str], prefix: str) -> set[str]:
    """The folders that the keys are in, from the one that ``prefix`` names downwards."""
    folders: set[str] = set()
    for key in keys:
        end = key.rfind("/") + 1
        while end and end >= len(prefix) and key[:end] not in folders:
            folders.add(key[:end])
            end = key.rfind("/", 0, end - 1) + 1
    return folders


async def delete_folders(bucket: Bucket, folders: Set[str]) -> None:
    """Delete what is left of empty folders, on servers that have folders of their own."""
    if bucket.dialect.has_folders:
        for folder in sorted(folders, key=len, reverse=True):
            await delete_key(bucket, folder)


async def delete_keys(bucket: Bucket, keys: Sequence[str]) -> None:
    """Delete objects; those that are not there count as deleted.

    Raises:
        WaterButlerError: One could not be deleted; others may be.
    """
    plain = [key for key in keys if not _NOT_IN_XML.search(key)]
    for start in range(0, len(plain), BATCH):
        await _delete_batch(bucket, plain[start : start + BATCH])
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(key: str) -> None:
        async with slots:
            await delete_key(bucket, key)

    await together(one(key) for key in keys if _NOT_IN_XML.search(key))


async def delete_key(bucket: Bucket, key: str, *, path: str | None = None) -> None:
    """Delete one object; in a bucket with versions the old ones stay."""
    try:
        await bucket.patiently(lambda: bucket.call("DELETE", key, path=path))
    except NotFound:
        return


async def _delete_batch(bucket: Bucket, keys: Sequence[str]) -> None:
    left = list(keys)

    async def attempt() -> None:
        nonlocal left
        if not left:
            return
        body = await Block.of([_document(left)], bucket.digests_of_documents)
        headers = {**_XML, **bucket.proof(body)}
        _, root = await bucket.call("POST", query=[("delete", "")], headers=headers, body=body)
        if root is None or root.tag != "DeleteResult":
            raise ProviderFault(f"{bucket.label} does not delete as S3 does.")
        failed = _failed(root)
        if not failed:
            left = []
            return
        # The answer names keys, which may be spelled otherwise than ours: all are tried again.
        errors = [Failure(0, code).error(bucket.label) for code in failed]
        raise next((error for error in errors if not error.temporary), errors[0])

    await bucket.patiently(attempt)


def _failed(root: Element) -> list[str]:
    """The codes of the errors inside of a success."""
    codes = [item.findtext("Code") or "Unknown" for item in root.iterfind("Error")]
    return [code for code in codes if code not in {"NoSuchKey", "NoSuchVersion"}]


def _document(keys: Iterable[str]) -> bytes:
    # A carriage return that is not escaped is read as a line feed.
    items = (escape(key, {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}) for key in keys)
    objects = "".join(f"<Object><Key>{key}</Key></Object>" for key in items)
    return f"<Delete>{objects}<Quiet>true</Quiet></Delete>".encode()
