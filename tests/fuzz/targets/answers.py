"""Targets: what storages and hosts answer."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import PurePosixPath, PureWindowsPath
from types import SimpleNamespace
from typing import Any, TypeVar

import msgspec
from multidict import CIMultiDict

from tests.fuzz.targets.requests import headers_of
from waterbutler.core import ByteRange, ByteStream, Entry, Path
from waterbutler.core.errors import ProviderFault, WaterButlerError
from waterbutler.engine.zipnames import MemberNames, clean
from waterbutler.http import error_for, parse_xml
from waterbutler.testing.memory import MemoryProvider
from waterbutler_osfstorage import wire
from waterbutler_s3 import entries, failures, listing, reading

T = TypeVar("T")

ROOT = Path.parse("/")


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


class Bucket:
    """A bucket that answers once with a document, and then with nothing."""

    label = "the bucket"

    def __init__(self, document: bytes) -> None:
        self._documents = [document]

    async def call(self, *_args: object, **_options: object) -> Any:
        if not self._documents:
            raise ProviderFault("That was all.")
        return {}, parse_xml(self._documents.pop())

    async def patiently(self, attempt: Any) -> Any:
        return await attempt()


def fuzz_listings(data: bytes) -> None:
    """Listings of S3, and of versions."""
    for document in (data, b"<ListBucketResult>" + data + b"</ListBucketResult>"):
        with suppress(WaterButlerError):
            run(list_all(document))
    for document in (data, b"<ListVersionsResult>" + data + b"</ListVersionsResult>"):
        with suppress(WaterButlerError):
            run(list_versions(document))


async def list_all(document: bytes) -> None:
    """Read a listing as the provider does."""
    async for page in listing.pages(Bucket(document), "p/", delimiter=True):
        for found in page.objects:
            path = listing.child(ROOT, "p/", found.key)
            if path is not None:
                assert len(path.names) == 1
                found.entry(path)
        for prefix in page.prefixes:
            listing.child(ROOT, "p/", prefix)


async def list_versions(document: bytes) -> None:
    """Read a list of versions as the provider does."""
    async for found in listing.versions(Bucket(document), "p/a"):
        assert found.key == "p/a"


def fuzz_xml(data: bytes) -> None:
    """Any document, as a success, and as an error."""
    with suppress(ProviderFault):
        root = parse_xml(data)
        failures.inside(root)
    for status in (0, 200, 404, 416, 503):
        failure = failures.Failure.of(status, {}, data)
        error = failure.error("the bucket", "/a")
        assert isinstance(error, WaterButlerError)


def fuzz_headers(data: bytes) -> None:
    """Headers of answers."""
    headers = CIMultiDict(headers_of(data).get_all())
    with suppress(WaterButlerError):
        entry = entries.from_headers(Path.parse("/a"), headers)
        assert entry.size is None or entry.size >= 0
    entries.hashes_of("x", headers)
    failures.Failure.of(404, headers, b"").error("the bucket", "/a")
    with suppress(WaterButlerError):
        reply = SimpleNamespace(status=206, headers=headers, body=ByteStream.of(b""))
        part = reading.part_of(Path.parse("/a"), reply, ByteRange(0, 9))
        assert part.span is not None
    for status in (429, 503, 500, 299):
        error = error_for(status, headers)
        assert error.retry_after is None or error.retry_after >= 0


def fuzz_hooks(data: bytes) -> None:
    """Answers of the host's hooks."""
    for kind in (wire.Item, wire.Lineage, wire.Changed, wire.Download, wire.Revisions):
        try:
            found = msgspec.json.decode(data, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        with suppress(ProviderFault):
            value(found)


def value(found: object) -> object:
    """What the provider makes of an answer."""
    if isinstance(found, wire.Item):
        return found.node()
    if isinstance(found, wire.Lineage):
        return [item.node() for item in found.data]
    if isinstance(found, wire.Changed):
        return found.data.node()
    if isinstance(found, wire.Download):
        return found.location()
    assert isinstance(found, wire.Revisions)
    return [revision.version() for revision in found.revisions]


def fuzz_members(data: bytes) -> None:
    """Names in archives stay in the folder that they are unpacked in."""
    for name in data.decode("utf-8", "replace").split("/"):
        if name in {"", ".", ".."} or "\0" in name or len(name.encode()) > 255:
            continue
        for kind in (PurePosixPath, PureWindowsPath):
            path = kind(clean(name))
            assert not path.is_absolute()
            assert not path.drive
            assert len(path.parts) == 1
            assert path.parts[0] not in {".", ".."}
        member = asyncio.run(
            MemberNames(MemoryProvider(), ROOT).of(Entry(path=ROOT.child(name), size=0))
        )
        assert b"/" not in member
        assert b"\\" not in member
