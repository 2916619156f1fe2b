"""Parts that come by requests of their own: what arrives is what was sent, or it is said."""

import re
from dataclasses import replace

import pytest

from tests.providers.quirks.test_s3_faults import COMPLETE, FILE, PART_PUT, setting
from tests.providers.s3_support import PART
from tests.servers.between import Alter, Cut, Lost, times
from tests.servers.s3 import ceph, seaweedfs
from waterbutler.core import PartLimits, WriteMode
from waterbutler.core.errors import AlreadyExists, BadPath, Corrupted, TooLarge, WaterButlerError
from waterbutler.http import HttpClient
from waterbutler.testing.conformance.base import get, put
from waterbutler.testing.conformance.parts import send, sent
from waterbutler.testing.conformance.writing import noise
from waterbutler_s3 import S3Credentials, S3Provider, S3Settings
from waterbutler_s3.writing import MAX_SIZE

PIECES = [noise(PART), noise(PART)[::-1], b"end"]
NO_MD5 = Alter(lambda raw: re.sub(rb'(?i)(etag: "?)[0-9a-f]{32}', rb"\g<1>" + b"0" * 32, raw))


async def test_a_part_that_did_not_arrive_as_it_was_sent():
    async with setting() as s:
        upload, parts = await sent(s.storage, FILE, PIECES)
        s.between.rule = times(1, NO_MD5, "PUT", PART_PUT)
        with pytest.raises(Corrupted):
            await send(s.storage, FILE, upload, 1, PIECES[0])
        parts[0] = await send(s.storage, FILE, upload, 1, PIECES[0])
        await s.storage.finish_parts(FILE, upload, parts)
        assert await get(s.storage, FILE) == b"".join(PIECES)


async def test_an_object_that_is_made_of_other_parts():
    wrong = Alter(lambda raw: re.sub(rb"[0-9a-f]{32}-", b"0" * 32 + b"-", raw))
    async with setting() as s:
        upload, parts = await sent(s.storage, FILE, PIECES)
        s.between.rule = times(1, wrong, "POST", COMPLETE)
        with pytest.raises(Corrupted):
            await s.storage.finish_parts(FILE, upload, parts)


async def test_a_connection_that_breaks_does_not_send_half_a_part():
    """The bytes are gone, so that only the client can send them again."""
    async with setting() as s:
        upload = await s.storage.begin_parts(FILE, size=PART)
        s.between.rule = times(1, Cut(100_000), "PUT", PART_PUT)
        with pytest.raises(WaterButlerError) as raised:
            await send(s.storage, FILE, upload, 1, PIECES[0])
        assert raised.value.temporary
        parts = [await send(s.storage, FILE, upload, 1, PIECES[0])]
        await s.storage.finish_parts(FILE, upload, parts)
        assert await get(s.storage, FILE) == PIECES[0]


@pytest.mark.parametrize("mode", [WriteMode.REPLACE, WriteMode.CREATE])
async def test_an_end_whose_answer_was_lost_is_an_end(mode):
    async with setting() as s:
        upload, parts = await sent(s.storage, FILE, PIECES)
        s.between.rule = times(1, Lost(), "POST", COMPLETE)
        entry = await s.storage.finish_parts(FILE, upload, parts, mode=mode)
        assert entry.size == sum(map(len, PIECES))
        assert await get(s.storage, FILE) == b"".join(PIECES)
        assert s.pending() == []


@pytest.mark.parametrize("server", [seaweedfs, ceph])
async def test_nothing_is_left_pending(server):
    async with setting(server()) as s:
        upload, parts = await sent(s.storage, FILE, PIECES)
        assert len(s.pending()) == 1
        await put(s.storage, FILE, b"theirs")
        with pytest.raises(AlreadyExists):
            await s.storage.finish_parts(FILE, upload, parts, mode=WriteMode.CREATE)
        assert len(s.pending()) == 1
        await s.storage.abort_parts(FILE, upload)
        assert s.pending() == []


async def test_what_no_object_can_be_is_not_begun():
    async with setting() as s:
        with pytest.raises(TooLarge):
            await s.storage.begin_parts(FILE, size=MAX_SIZE + 1)
        with pytest.raises(BadPath):
            await s.storage.begin_parts(FILE.renamed("a\\b"), size=1)
        s.clean()


@pytest.mark.parametrize("dialect", ["aws", "r2"])
async def test_the_limits_are_those_of_the_server(dialect):
    async with HttpClient() as http:
        settings = S3Settings(bucket="b", endpoint_url="https://s3.example", dialect=dialect)
        provider = S3Provider("s3", settings, S3Credentials(), http, "a bucket")
    usual = PartLimits(min_size=5 << 20, max_size=5 << 30, max_count=10_000)
    assert provider.capabilities.parts == replace(usual, equal=dialect == "r2")
