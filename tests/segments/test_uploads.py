"""Segments come in any order, through any worker, and make a file only when all are right."""

import asyncio
import stat

import pytest

from tests.segments.conftest import (
    MIB,
    OWNER,
    announced,
    content,
    plan_of,
    put,
    put_all,
    sha256,
)
from waterbutler.core import ByteStream
from waterbutler.core.errors import (
    Corrupted,
    Interrupted,
    InvalidRequest,
    NotFound,
    QuotaExceeded,
)
from waterbutler.segments import Expected, Received

ONE, TWO, THREE = b"one" * 1000, b"2", b"three" * 500


async def test_a_file_in_segments(uploads, stored):
    session = await uploads.begin(OWNER, plan_of(ONE, TWO, THREE, whole=True))
    assert await put(uploads, session, 1, ONE) == Received(1, len(ONE), sha256(ONE))
    await put(uploads, session, 2, TWO)
    await put(uploads, session, 3, THREE)
    body = await uploads.open(OWNER, session.id)
    assert body.size == len(ONE + TWO + THREE)
    assert await content(body) == ONE + TWO + THREE
    await uploads.done(OWNER, session.id)
    assert stored() == []
    await uploads.done(OWNER, session.id)
    with pytest.raises(NotFound):
        await uploads.get(OWNER, session.id)


async def test_a_session_says_what_was_announced(uploads, clock):
    plan = plan_of(ONE, TWO, whole=True, name="č/\0", target='{"any": "thing"}')
    session = await uploads.begin(OWNER, plan)
    assert session.expires == clock.now + 86400
    assert session.expires_ms == int(clock.now + 86400) * 1000
    assert await uploads.get(OWNER, session.id) == session
    assert session.plan == plan.checked()


async def test_segments_in_any_order_through_any_worker(uploads, other, make_uploads):
    session = await uploads.begin(OWNER, plan_of(ONE, TWO, THREE))
    await put(other, session, 3, THREE)
    await put(uploads, session, 1, ONE)
    await uploads.aclose()
    after_restart = make_uploads()
    await put(after_restart, session, 2, TWO)
    assert await content(await other.open(OWNER, session.id)) == ONE + TWO + THREE


@pytest.mark.parametrize("pieces", [(), (b"",), (b"", b"x", b"")])
async def test_there_may_be_nothing_in_it(uploads, pieces):
    session = await uploads.begin(OWNER, plan_of(*pieces, whole=True))
    await put_all(uploads, session, *pieces)
    assert await content(await uploads.open(OWNER, session.id)) == b"".join(pieces)


async def test_a_segment_of_many_blocks(uploads):
    large = bytes(range(256)) * (10 * MIB // 256) + b"odd"
    session = await uploads.begin(OWNER, plan_of(ONE, large, whole=True))
    await put_all(uploads, session, ONE, large)
    body = await uploads.open(OWNER, session.id)
    sizes = [len(chunk) async for chunk in body]
    await body.aclose()
    assert max(sizes) <= MIB
    assert sum(sizes) == len(ONE + large)


async def test_a_whole_can_be_read_again(uploads):
    session = await uploads.begin(OWNER, plan_of(ONE, TWO, whole=True))
    await put_all(uploads, session, ONE, TWO)
    body = await uploads.open(OWNER, session.id)
    await anext(body)
    again = body.replay()
    await body.aclose()
    assert await content(again) == ONE + TWO
    assert await content(await uploads.open(OWNER, session.id)) == ONE + TWO


async def test_a_segment_that_is_sent_again_replaces(uploads, stored):
    session = await uploads.begin(OWNER, plan_of(ONE, TWO))
    await put(uploads, session, 1, ONE)
    await put(uploads, session, 1, ONE)
    await put(uploads, session, 2, TWO)
    assert stored() == sorted([len(ONE), len(TWO)])
    assert await content(await uploads.open(OWNER, session.id)) == ONE + TWO


async def test_a_segment_that_is_sent_twice_at_once(uploads, other, stored):
    session = await uploads.begin(OWNER, plan_of(ONE))
    await asyncio.gather(*(put(worker, session, 1, ONE) for worker in (uploads, other) * 4))
    assert stored() == [len(ONE)]
    assert await content(await uploads.open(OWNER, session.id)) == ONE


@pytest.mark.parametrize("data", [b"", ONE[:-1], ONE + b"x", ONE + bytes(5 * MIB), ONE[:-1] + b"x"])
@pytest.mark.parametrize("says_size", [True, False])
async def test_another_segment_than_announced_changes_nothing(uploads, stored, data, says_size):
    session = await uploads.begin(OWNER, plan_of(ONE, TWO))
    await put_all(uploads, session, ONE, TWO)
    body = ByteStream.of(data)
    body.size = len(data) if says_size else None
    with pytest.raises(InvalidRequest, match="Segment 1 was announced with"):
        await uploads.put(OWNER, session.id, 1, body)
    assert stored() == sorted([len(ONE), len(TWO)])
    assert await content(await uploads.open(OWNER, session.id)) == ONE + TWO


@pytest.mark.parametrize("said", [{"size": 1}, {"sha256": sha256(b"")}, {"sha256": "?"}])
async def test_what_is_said_with_a_segment_must_be_as_announced(uploads, stored, said):
    session = await uploads.begin(OWNER, plan_of(ONE))
    with pytest.raises(InvalidRequest):
        await uploads.put(OWNER, session.id, 1, ByteStream.of(ONE), **said)
    assert stored() == []
    right = {"size": len(ONE), "sha256": sha256(ONE).upper()}
    await uploads.put(OWNER, session.id, 1, ByteStream.of(ONE), **right)


@pytest.mark.parametrize("number", [0, -1, 3, 1 << 62, 1 << 70, -(1 << 70)])
async def test_a_number_that_was_not_announced(uploads, stored, number):
    session = await uploads.begin(OWNER, plan_of(ONE, TWO))
    with pytest.raises(InvalidRequest, match=f"no segment {number}"):
        await put(uploads, session, number, ONE)
    assert stored() == []


async def test_a_body_that_fails_changes_nothing(uploads, stored):
    session = await uploads.begin(OWNER, plan_of(ONE))

    async def broken():
        yield ONE[:10]
        raise Interrupted("The other side went away.")

    for _ in range(2):
        closed = asyncio.Event()

        async def close(closed=closed):
            closed.set()

        body = ByteStream(broken(), size=len(ONE), close=close)
        with pytest.raises(Interrupted, match="went away"):
            await uploads.put(OWNER, session.id, 1, body)
        assert closed.is_set()
        assert stored() == []
        with pytest.raises(InvalidRequest, match="Segments are missing: 1"):
            await uploads.open(OWNER, session.id)
    await put(uploads, session, 1, ONE)
    with pytest.raises(Interrupted):
        await uploads.put(OWNER, session.id, 1, ByteStream(broken(), size=len(ONE)))
    assert await content(await uploads.open(OWNER, session.id)) == ONE


async def test_a_body_that_is_cut(uploads, stored):
    session = await uploads.begin(OWNER, plan_of(ONE))

    async def short():
        yield ONE[:10]

    with pytest.raises(Corrupted):
        await uploads.put(OWNER, session.id, 1, ByteStream(short(), size=len(ONE)))
    assert stored() == []


async def test_a_cancelled_segment_leaves_nothing(uploads, stored):
    session = await uploads.begin(OWNER, plan_of(ONE))
    waits = asyncio.Event()

    async def slow():
        yield ONE[:10]
        waits.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(uploads.put(OWNER, session.id, 1, ByteStream(slow(), size=len(ONE))))
    await waits.wait()
    assert len(stored()) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stored() == []


@pytest.mark.parametrize("steps", range(12))
async def test_a_segment_that_is_cancelled_anywhere_is_there_or_not(uploads, stored, steps):
    session = await uploads.begin(OWNER, plan_of(ONE))
    task = asyncio.create_task(put(uploads, session, 1, ONE))
    for _ in range(steps * 3):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    try:
        body = await uploads.open(OWNER, session.id)
    except InvalidRequest:
        assert stored() == []
    else:
        assert await content(body) == ONE
        assert stored() == [len(ONE)]


async def test_all_segments_must_be_there(uploads):
    pieces = [bytes([number]) for number in range(20)]
    session = await uploads.begin(OWNER, plan_of(*pieces))
    for number in range(8, 19):
        await put(uploads, session, number, pieces[number - 1])
    with pytest.raises(InvalidRequest, match=r"missing: 1, 2, 3, 4, 5 and 4 more\."):
        await uploads.open(OWNER, session.id)
    for number in (1, 2, 3, 4, 5, 6, 7, 19):
        await put(uploads, session, number, pieces[number - 1])
    with pytest.raises(InvalidRequest, match=r"missing: 20\."):
        await uploads.open(OWNER, session.id)
    await put(uploads, session, 20, pieces[19])
    assert await content(await uploads.open(OWNER, session.id)) == b"".join(pieces)


@pytest.mark.parametrize(
    "expected",
    [
        Expected(size=1),
        Expected(sha256="x"),
        Expected(sha256=sha256(b"")),
        Expected(segments=[]),
        Expected(segments=[announced(1, ONE)]),
        Expected(segments=[announced(1, TWO), announced(2, ONE)]),
        Expected(segments=[announced(1, ONE), announced(2, TWO), announced(3, b"")]),
    ],
)
async def test_the_end_must_be_as_announced(uploads, expected):
    session = await uploads.begin(OWNER, plan_of(ONE, TWO, whole=True))
    await put_all(uploads, session, ONE, TWO)
    with pytest.raises(InvalidRequest):
        await uploads.open(OWNER, session.id, expected)
    assert await content(await uploads.open(OWNER, session.id)) == ONE + TWO


async def test_the_end_may_say_all_again(uploads):
    session = await uploads.begin(OWNER, plan_of(ONE, TWO))
    await put_all(uploads, session, ONE, TWO)
    expected = Expected(
        size=len(ONE + TWO),
        sha256=sha256(ONE + TWO).upper(),
        segments=[announced(2, TWO), announced(1, ONE)],
    )
    assert await content(await uploads.open(OWNER, session.id, expected)) == ONE + TWO


@pytest.mark.parametrize("at_the_end", [True, False])
async def test_a_wrong_digest_of_the_whole_fails_at_the_end_of_the_body(uploads, at_the_end):
    plan = plan_of(ONE, TWO)
    wrong = sha256(b"something else")
    if at_the_end:
        session = await uploads.begin(OWNER, plan)
        expected = Expected(sha256=wrong)
    else:
        session = await uploads.begin(OWNER, type(plan)("t", "n", plan.size, wrong, plan.segments))
        expected = Expected()
    await put_all(uploads, session, ONE, TWO)
    body = await uploads.open(OWNER, session.id, expected)
    with pytest.raises(InvalidRequest, match="does not have the SHA-256"):
        await content(body)
    assert await uploads.get(OWNER, session.id)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("damage", ["gone", "short", "changed"])
async def test_bytes_that_the_disk_lost_are_not_stored(uploads, spool, whole, damage):
    session = await uploads.begin(OWNER, plan_of(ONE, whole=whole))
    await put(uploads, session, 1, ONE)
    (file,) = (file for file in spool.rglob("*") if file.is_file())
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(ONE[:-1] + (b"?" if damage == "changed" else b""))
    body = await uploads.open(OWNER, session.id)
    with pytest.raises((Corrupted, InvalidRequest)):
        await content(body)
    await put(uploads, session, 1, ONE)
    assert await content(await uploads.open(OWNER, session.id)) == ONE


async def test_cancelling_frees_the_room(uploads, other, stored):
    session = await uploads.begin(OWNER, plan_of(ONE, TWO))
    await put(uploads, session, 1, ONE)
    await other.cancel(OWNER, session.id)
    assert stored() == []
    for attempt in (
        uploads.cancel(OWNER, session.id),
        uploads.get(OWNER, session.id),
        uploads.open(OWNER, session.id),
        put(uploads, session, 2, TWO),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_an_upload_that_is_cancelled_while_a_segment_arrives(uploads, other, stored):
    session = await uploads.begin(OWNER, plan_of(ONE))
    waits, goes_on = asyncio.Event(), asyncio.Event()

    async def slow():
        yield ONE[:10]
        waits.set()
        await goes_on.wait()
        yield ONE[10:]

    task = asyncio.create_task(uploads.put(OWNER, session.id, 1, ByteStream(slow())))
    await waits.wait()
    await other.cancel(OWNER, session.id)
    goes_on.set()
    with pytest.raises(Interrupted):
        await task
    assert stored() == []


@pytest.mark.parametrize("id", ["", "x", "\ud800", "ž", "../x", "\0", "a" * 10_000])
async def test_an_unknown_upload(uploads, id):
    await uploads.begin(OWNER, plan_of(ONE))
    body = ByteStream.of(ONE)
    for attempt in (
        uploads.get(OWNER, id),
        uploads.put(OWNER, id, 1, body),
        uploads.open(OWNER, id),
        uploads.cancel(OWNER, id),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_a_foreign_upload_is_an_unknown_one(uploads):
    session = await uploads.begin(OWNER, plan_of(ONE))
    await put(uploads, session, 1, ONE)
    for attempt in (
        uploads.get("stranger", session.id),
        put(uploads, session, 1, ONE, owner="stranger"),
        uploads.open("stranger", session.id),
        uploads.cancel("stranger", session.id),
    ):
        with pytest.raises(NotFound):
            await attempt
    await uploads.done("stranger", session.id)
    assert await content(await uploads.open(OWNER, session.id)) == ONE


async def test_an_expired_upload_is_an_unknown_one(uploads, clock):
    session = await uploads.begin(OWNER, plan_of(ONE))
    await put(uploads, session, 1, ONE)
    clock.now += 86399
    assert await uploads.get(OWNER, session.id)
    clock.now += 1
    for attempt in (
        uploads.get(OWNER, session.id),
        put(uploads, session, 1, ONE),
        uploads.open(OWNER, session.id),
        uploads.cancel(OWNER, session.id),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_the_uploads_of_an_owner_are_bounded(make_uploads, clock):
    uploads = make_uploads(per_owner=2)
    first = await uploads.begin(OWNER, plan_of(ONE))
    clock.now += 1
    await uploads.begin(OWNER, plan_of(ONE))
    with pytest.raises(QuotaExceeded, match="2 unfinished"):
        await uploads.begin(OWNER, plan_of(ONE))
    await uploads.begin("another", plan_of(ONE))
    await uploads.cancel(OWNER, first.id)
    await uploads.begin(OWNER, plan_of(ONE))
    with pytest.raises(QuotaExceeded, match="2 unfinished"):
        await uploads.begin(OWNER, plan_of(ONE))
    clock.now += 86400
    await uploads.begin(OWNER, plan_of(ONE))


async def test_the_room_is_bounded_for_all_together(make_uploads, stored):
    uploads, other = make_uploads(quota=100), make_uploads(quota=100)
    piece = bytes(30)
    with pytest.raises(QuotaExceeded):
        await uploads.begin(OWNER, plan_of(bytes(101)))
    session = await uploads.begin(OWNER, plan_of(piece, piece, piece))
    late = await other.begin("another", plan_of(piece, piece))
    await put(other, session, 1, piece)
    await put(uploads, session, 2, piece)
    await put(uploads, session, 3, piece)
    with pytest.raises(QuotaExceeded):
        await put(other, late, 1, piece, owner="another")
    with pytest.raises(QuotaExceeded):
        await other.begin("another", plan_of(piece))
    await uploads.done(OWNER, session.id)
    await put(other, late, 1, piece, owner="another")
    assert stored() == [30]


async def test_what_is_being_written_takes_room(make_uploads):
    uploads = make_uploads(quota=100)
    session = await uploads.begin(OWNER, plan_of(bytes(60), bytes(40)))
    late = await uploads.begin(OWNER, plan_of(bytes(41)))
    waits, goes_on = asyncio.Event(), asyncio.Event()

    async def slow():
        yield bytes(1)
        waits.set()
        await goes_on.wait()
        yield bytes(59)

    task = asyncio.create_task(uploads.put(OWNER, session.id, 1, ByteStream(slow())))
    await waits.wait()
    with pytest.raises(QuotaExceeded):
        await put(uploads, late, 1, bytes(41))
    await put(uploads, session, 2, bytes(40))
    goes_on.set()
    await task
    assert len(await content(await uploads.open(OWNER, session.id))) == 100


async def test_a_full_disk_is_said(uploads, stored, monkeypatch):
    session = await uploads.begin(OWNER, plan_of(ONE))

    def full(fd, data):
        raise OSError(28, "No space left on device", "/secret/path")

    with monkeypatch.context() as patch:
        patch.setattr("waterbutler.core.descriptors.os.writev", full)
        with pytest.raises(QuotaExceeded) as raised:
            await put(uploads, session, 1, ONE)
    assert "secret" not in raised.value.message
    assert stored() == []
    await put(uploads, session, 1, ONE)


async def test_only_the_owner_of_the_server_can_read(uploads, spool):
    session = await uploads.begin(OWNER, plan_of(ONE))
    await put(uploads, session, 1, ONE)
    for path in spool.parent.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
