"""Listings: pages of keys, pages of versions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element

from waterbutler.core import Entry, Path
from waterbutler.core.errors import BadPath, ProviderFault
from waterbutler.core.parsing import parse_iso_date, parse_number
from waterbutler_s3.bucket import Bucket
from waterbutler_s3.entries import clean_etag

PAGE = 1000
"""How many keys a page has; servers give no more."""


@dataclass(frozen=True, slots=True)
class Object:
    """A key of a listing, or one of its versions."""

    key: str
    size: int | None = None
    modified: datetime | None = None
    etag: str | None = None
    version: str | None = None
    is_latest: bool = True
    is_deletion: bool = False

    @classmethod
    def of(cls, item: Element, *, is_encoded: bool) -> Object:
        """Read an element of a listing."""
        return cls(
            key=_text(item, "Key", is_encoded=is_encoded),
            size=parse_number(item.findtext("Size")),
            modified=parse_iso_date(item.findtext("LastModified")),
            etag=clean_etag(item.findtext("ETag")),
            version=item.findtext("VersionId"),
            is_latest=item.findtext("IsLatest") == "true",
            is_deletion=item.tag == "DeleteMarker",
        )

    def entry(self, path: Path) -> Entry:
        """Describe it as a file."""
        return Entry(path=path, size=self.size, modified=self.modified, etag=self.etag)


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the objects in it, and what keys with the delimiter in them begin with."""

    objects: list[Object]
    prefixes: list[str]


async def pages(
    bucket: Bucket, prefix: str, *, delimiter: bool = False, size: int = PAGE
) -> AsyncGenerator[Page, None]:
    """All keys that begin with ``prefix``, page by page; the first page comes in any case."""
    query = [("list-type", "2"), ("encoding-type", "url"), ("max-keys", str(size))]
    query.append(("prefix", prefix))
    if delimiter:
        query.append(("delimiter", "/"))
    token = ""
    while True:
        following = [("continuation-token", token)] if token else []
        root = await _page(bucket, [*query, *following], "ListBucketResult", again=bool(token))
        is_encoded = root.findtext("EncodingType") == "url"
        yield Page(
            [Object.of(item, is_encoded=is_encoded) for item in root.iterfind("Contents")],
            [
                _text(item, "Prefix", is_encoded=is_encoded)
                for item in root.iterfind("CommonPrefixes")
            ],
        )
        if root.findtext("IsTruncated") != "true":
            return
        last, token = token, root.findtext("NextContinuationToken") or ""
        if not token or token == last:
            raise ProviderFault(f"{bucket.label} does not come to the end of a listing.")


async def versions(bucket: Bucket, key: str, *, size: int = PAGE) -> AsyncGenerator[Object, None]:
    """The versions of one key, newest first, and the marks of its deletions between them."""
    query = [("versions", ""), ("encoding-type", "url"), ("max-keys", str(size)), ("prefix", key)]
    marker: list[tuple[str, str]] = []
    while True:
        root = await _page(bucket, [*query, *marker], "ListVersionsResult", again=bool(marker))
        is_encoded = root.findtext("EncodingType") == "url"
        for item in root:
            if item.tag not in {"Version", "DeleteMarker"}:
                continue
            found = Object.of(item, is_encoded=is_encoded)
            if found.key > key:
                # Keys are sorted: what follows only begins alike.
                return
            if found.key == key:
                yield found
        if root.findtext("IsTruncated") != "true":
            return
        last, marker = marker, [("key-marker", _text(root, "NextKeyMarker", is_encoded=is_encoded))]
        if root.findtext("NextVersionIdMarker"):
            marker.append(("version-id-marker", root.findtext("NextVersionIdMarker") or ""))
        if marker == last:
            raise ProviderFault(f"{bucket.label} does not come to the end of a list of versions.")


async def uploads(bucket: Bucket, key: str) -> AsyncGenerator[tuple[str, datetime | None], None]:
    """The unfinished uploads in parts of one key, with when they began; 1000 at most."""
    query = [("uploads", ""), ("encoding-type", "url"), ("prefix", key)]
    root = await _page(bucket, query, "ListMultipartUploadsResult")
    is_encoded = root.findtext("EncodingType") == "url"
    for item in root.iterfind("Upload"):
        if _text(item, "Key", is_encoded=is_encoded) == key:
            yield item.findtext("UploadId") or "", parse_iso_date(item.findtext("Initiated"))


async def has_any(bucket: Bucket, prefix: str, *, path: str | None = None) -> bool:
    """Whether any key begins with ``prefix``."""
    query = [("list-type", "2"), ("encoding-type", "url"), ("max-keys", "1"), ("prefix", prefix)]
    root = await _page(bucket, query, "ListBucketResult", path=path)
    return root.find("Contents") is not None


def child(folder: Path, prefix: str, key: str) -> Path | None:
    """The path that a key or a common prefix below ``prefix`` has; ``None`` if none can name it."""
    name = key[len(prefix) :]
    is_folder = name.endswith("/")
    try:
        return folder.child(name[:-1] if is_folder else name, folder=is_folder)
    except BadPath:
        return None


async def _page(
    bucket: Bucket,
    query: list[tuple[str, str]],
    document: str,
    *,
    again: bool = False,
    path: str | None = None,
) -> Element:
    async def ask() -> Element:
        _, root = await bucket.call("GET", query=query, path=path)
        if root is None or root.tag != document:
            raise ProviderFault(f"{bucket.label} does not list as S3 does.")
        return root

    # The first page is repeated by whoever asked; behind it nobody else could.
    return await bucket.patiently(ask) if again else await ask()


def _text(item: Element, name: str, *, is_encoded: bool) -> str:
    text = item.findtext(name) or ""
    return unquote_plus(text, errors="surrogateescape") if is_encoded else text
