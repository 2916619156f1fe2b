"""Uploads in segments, on a clock that is set by hand."""

import hashlib

import pytest

from waterbutler.core import ByteStream
from waterbutler.segments import Announced, SegmentUploads, UploadPlan

OWNER = "user/mount"
MIB = 1 << 20


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def announced(number, data):
    return Announced(number, len(data), sha256(data))


def plan_of(*pieces, whole=False, name="a.bin", target="folder"):
    data = b"".join(pieces)
    segments = [announced(number, piece) for number, piece in enumerate(pieces, 1)]
    return UploadPlan(target, name, len(data), sha256(data) if whole else None, segments)


async def put(uploads, session, number, data, owner=OWNER):
    return await uploads.put(owner, session.id, number, ByteStream.of(data))


async def put_all(uploads, session, *pieces):
    for number, piece in enumerate(pieces, 1):
        await put(uploads, session, number, piece)


async def content(stream):
    async with stream:
        return b"".join([chunk async for chunk in stream])


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "data" / "segments"


@pytest.fixture
def stored(spool):
    """The sizes of the files that are there now."""
    return lambda: sorted(file.stat().st_size for file in spool.rglob("*") if file.is_file())


@pytest.fixture
def make_uploads(io_loop, tmp_path, spool, clock):
    made = []

    def make(**changes):
        options = {"quota": 100 * MIB, "clock": clock} | changes
        made.append(SegmentUploads(tmp_path / "data" / "segments.db", spool, **options))
        return made[-1]

    yield make
    for uploads in made:
        io_loop.run_sync(uploads.aclose)


@pytest.fixture
def uploads(make_uploads):
    return make_uploads()


@pytest.fixture
def other(make_uploads):
    """What another worker has."""
    return make_uploads()
