"""Times of the last change that are given along with files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from waterbutler.core import ByteStream, Entry, Provider
from waterbutler.testing.conformance.base import (
    FILE,
    ContractBase,
    entries,
    get,
    plausible,
    put,
    same_facts,
)
from waterbutler.testing.conformance.parts import pieces_for, sent

PAST = datetime(2001, 9, 9, 1, 46, 40, 123_000, UTC)
FUTURE = datetime(2033, 5, 18, 3, 33, 20, 987_000, UTC)
MOMENTS = pytest.mark.parametrize("moment", [PAST, FUTURE], ids=["past", "future"])
EXACT = timedelta(seconds=1)
"""Some storages keep whole seconds only."""


async def put_dated(provider: Provider, data: bytes, moment: datetime) -> Entry:
    """Write a file of a certain time."""
    async with ByteStream.of(data) as body:
        return await provider.write(FILE, body, modified=moment)


class Times(ContractBase):
    """What ``keeps_modified`` promises, and what holds without it."""

    @pytest.mark.needs("write", "keeps_modified")
    @MOMENTS
    async def test_a_given_time_is_kept(self, provider: Provider, moment: datetime) -> None:
        """Of a new file and of a replaced one; all operations show it, and the hashes are there."""
        for data in (b"one", b"another"):
            written = await put_dated(provider, data, moment)
            (listed,) = await entries(provider)
            for entry in (written, await provider.stat(FILE), listed):
                assert entry.modified is not None
                assert entry.modified.utcoffset() == timedelta(0)
                assert abs(entry.modified - moment) < EXACT
                assert entry.hashes.keys() >= provider.capabilities.hashes
                same_facts(entry, written)
            assert await get(provider, FILE) == data

    @pytest.mark.needs("write", "keeps_modified")
    async def test_content_of_one_time_has_two_etags(self, provider: Provider) -> None:
        """Other content is other content, also if size and time are the same."""
        one = await put_dated(provider, b"one", PAST)
        two = await put_dated(provider, b"two", PAST)
        assert one.etag is None or one.etag != two.etag

    @pytest.mark.needs("write", "keeps_modified")
    async def test_without_a_time_it_is_now(self, provider: Provider) -> None:
        """Also if what is replaced was given one."""
        await put_dated(provider, b"old", PAST)
        plausible((await put(provider, FILE, b"new")).modified)
        plausible((await provider.stat(FILE)).modified)

    @pytest.mark.needs("parts", "keeps_modified")
    @MOMENTS
    async def test_a_given_time_of_parts_is_kept(
        self, provider: Provider, moment: datetime
    ) -> None:
        """A file that was sent in parts has the time that was given in the end."""
        upload, parts = await sent(provider, FILE, pieces_for(provider))
        entry = await provider.finish_parts(FILE, upload, parts, modified=moment)
        assert entry.modified is not None
        assert abs(entry.modified - moment) < EXACT
        same_facts(entry, await provider.stat(FILE))

    @pytest.mark.needs("write")
    @pytest.mark.lacks("keeps_modified")
    async def test_a_time_is_not_kept_undeclared(self, provider: Provider) -> None:
        """A storage that keeps no times ignores them, and shows its own."""
        written = await put_dated(provider, b"data", PAST)
        plausible(written.modified)
        same_facts(written, await provider.stat(FILE))
        assert await get(provider, FILE) == b"data"

    @pytest.mark.needs("parts")
    @pytest.mark.lacks("keeps_modified")
    async def test_a_time_of_parts_is_not_kept_undeclared(self, provider: Provider) -> None:
        """The same for a file that was sent in parts."""
        upload, parts = await sent(provider, FILE, [b"x"])
        plausible((await provider.finish_parts(FILE, upload, parts, modified=PAST)).modified)
        plausible((await provider.stat(FILE)).modified)
        assert await get(provider, FILE) == b"x"
