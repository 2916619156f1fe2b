"""A plan that makes no sense is refused before anything is kept."""

from dataclasses import replace

import pytest

from tests.segments.conftest import OWNER, announced, plan_of, sha256
from waterbutler.core.errors import InvalidRequest
from waterbutler.segments import Announced, UploadPlan

GOOD = plan_of(b"one", b"two", whole=True)


def test_a_plan_comes_into_order():
    plan = replace(GOOD, segments=GOOD.segments[::-1], sha256=GOOD.sha256.upper()).checked()
    assert list(plan.segments) == GOOD.segments
    assert plan.sha256 == GOOD.sha256


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": 5}, "6 bytes together, and the file 5"),
        ({"size": -1}, "a number of bytes"),
        ({"size": 1 << 63}, "a number of bytes"),
        ({"sha256": "abc"}, "64 hexadecimal"),
        ({"sha256": ""}, "64 hexadecimal"),
        ({"sha256": "٠" * 64}, "64 hexadecimal"),
        ({"segments": [announced(1, b"onetwo"), announced(1, b"")]}, "numbered from 1"),
        ({"segments": [announced(0, b"one"), announced(1, b"two")]}, "numbered from 1"),
        ({"segments": [announced(1, b"one"), announced(3, b"two")]}, "numbered from 1"),
        ({"segments": [Announced(1, 6, "x")]}, "64 hexadecimal"),
        ({"segments": [Announced(1, 7, sha256(b"")), Announced(2, -1, sha256(b""))]}, "bytes"),
        ({"segments": [announced(n, b"") for n in range(1, 10_002)]}, "at most 10000"),
        ({"name": "\ud800"}, "UTF-8"),
        ({"target": "\udfff"}, "UTF-8"),
    ],
)
async def test_what_makes_no_sense_is_refused(uploads, stored, changes, words):
    with pytest.raises(InvalidRequest, match=words):
        await uploads.begin(OWNER, replace(GOOD, **changes))
    assert stored() == []


async def test_as_many_segments_as_allowed(uploads):
    segments = [announced(number, b"x") for number in range(1, 10_001)]
    session = await uploads.begin(OWNER, UploadPlan("t", None, 10_000, None, segments))
    assert len((await uploads.get(OWNER, session.id)).plan.segments) == 10_000
