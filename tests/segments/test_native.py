"""A storage that takes parts has the segments at once; nobody sees them before all are there."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import msgspec
import pytest

from tests.segments.conftest import OWNER, announced, content, plan_of, put_all, sha256
from waterbutler.auth import AuthChain
from waterbutler.core import ANONYMOUS, ByteStream, Grant, PartLimits, Path, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    ConfigInvalid,
    Corrupted,
    Interrupted,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    ProviderUnavailable,
    QuotaExceeded,
)
from waterbutler.layers import Observed, stack
from waterbutler.mounts import Mounts
from waterbutler.plugins import Context, Registry
from waterbutler.segments import Expected
from waterbutler.server.metrics import Metrics
from waterbutler.service import Butler, Place, Room, always
from waterbutler.testing.faults import FailingStream, FlakyProvider
from waterbutler.testing.memory import MemoryProvider

SMALLEST = 1000
ONE, TWO, THREE = b"1" * SMALLEST, b"2" * 2 * SMALLEST, b"3"
WHOLE = ONE + TWO + THREE
FILE = Path.parse("/a.bin")
AS_ANNOUNCED = Expected()


class Storage(MemoryProvider):
    capabilities = replace(
        MemoryProvider.capabilities,
        parts=PartLimits(min_size=SMALLEST, max_size=10 * SMALLEST, max_count=5),
        max_file_size=20 * SMALLEST,
    )


@pytest.fixture
def storage():
    return FlakyProvider(Storage())


@pytest.fixture
def room(storage, tmp_path):
    provider = stack(storage, observer=Metrics())
    return Room(Place("r", "m", Path()), Grant(user=ANONYMOUS, provider="memory"), provider, Path())


@pytest.fixture
def butler(tmp_path):
    context = Context(registry=Registry({}), data=tmp_path)
    return Butler(AuthChain([]), Mounts(context, Metrics()))


@pytest.fixture
def begin(uploads, butler, room):
    async def begin(plan, name="a.bin"):
        return await uploads.begin(OWNER, plan, await butler.begin_upload(room, name, always))

    return begin


@pytest.fixture
def put(uploads, room):
    async def put(session, number, data, uploads=uploads, **options):
        given = {"room": room} | options
        return await uploads.put(OWNER, session.id, number, ByteStream.of(data), **given)

    return put


@pytest.fixture
def finish(uploads, butler, room):
    async def finish(session, expected=AS_ANNOUNCED, name="a.bin", condition=always):
        upload = await butler.begin_upload(room, name, always)
        return await uploads.finish(OWNER, session.id, expected, butler, upload, condition)

    return finish


async def read(storage, path=FILE):
    return await content((await storage.read(path)).body)


async def test_the_storage_has_the_segments(
    storage, begin, put, finish, uploads, other, stored, spool
):
    session = await begin(plan_of(ONE, TWO, THREE))
    assert (await put(session, 3, THREE, uploads=other)).sha256 == sha256(THREE)
    await put(session, 1, ONE)
    await put(session, 2, TWO)
    assert not spool.exists()
    with pytest.raises(NotFound):
        await storage.stat(FILE)
    entry = await finish(session)
    assert entry.size == len(WHOLE)
    assert await read(storage) == WHOLE
    with pytest.raises(NotFound):
        await uploads.get(OWNER, session.id)
    assert storage.calls["abort_parts"] == storage.calls["write"] == 0


@pytest.mark.parametrize(
    "plan",
    [
        plan_of(ONE, TWO, whole=True),
        plan_of(THREE, ONE),
        plan_of(ONE, b""),
        plan_of(ONE * 11, ONE),
        plan_of(*[ONE] * 6),
        plan_of(),
    ],
    ids=["a digest of the whole", "small", "nothing", "large", "many", "no segments"],
)
async def test_what_does_not_fit_lies_here(storage, begin, put, finish, plan, uploads, stored):
    pieces = {sha256(data): data for data in (ONE, TWO, THREE, b"", ONE * 11)}
    session = await begin(plan)
    for segment in plan.segments:
        await put(session, segment.number, pieces[segment.sha256])
    assert len(stored()) == len(plan.segments)
    await finish(session)
    assert stored() == []
    assert len(await read(storage)) == plan.size
    assert storage.calls["begin_parts"] == 0


async def test_a_file_that_is_too_large_for_the_storage_is_not_begun_there(storage, begin):
    await begin(plan_of(ONE * 10, ONE * 10, ONE))
    assert storage.calls["begin_parts"] == 0


async def test_without_an_upload_segments_lie_here(uploads, stored):
    session = await uploads.begin(OWNER, plan_of(ONE, TWO))
    await put_all(uploads, session, ONE, TWO)
    assert len(stored()) == 2
    assert await content(await uploads.open(OWNER, session.id)) == ONE + TWO


@pytest.mark.parametrize("data", [ONE[:-1], ONE + b"x", ONE[:-1] + b"x"])
async def test_another_segment_than_announced_changes_nothing(storage, begin, put, finish, data):
    session = await begin(plan_of(ONE, TWO))
    await put(session, 1, ONE)
    await put(session, 2, TWO)
    with pytest.raises(InvalidRequest, match="Segment 1 was announced with"):
        await put(session, 1, data)
    await finish(session)
    assert await read(storage) == ONE + TWO


async def test_a_body_that_fails_changes_nothing(storage, begin, put, finish, uploads, room):
    session = await begin(plan_of(ONE, TWO))
    await put(session, 2, TWO)
    for after in (0, 500, SMALLEST):
        with pytest.raises(Interrupted):
            await uploads.put(OWNER, session.id, 1, FailingStream(ONE, after=after), room=room)
        with pytest.raises(InvalidRequest, match="missing: 1"):
            await finish(session)
    await put(session, 1, ONE)
    with pytest.raises(Interrupted):
        await uploads.put(OWNER, session.id, 1, FailingStream(ONE, after=9), room=room)
    await finish(session)
    assert await read(storage) == ONE + TWO


async def test_a_storage_that_fails_leaves_the_upload(storage, begin, put, finish):
    storage.fail("put_part", ProviderUnavailable("down"))
    storage.fail("finish_parts", ProviderUnavailable("down"))
    session = await begin(plan_of(ONE))
    with pytest.raises(ProviderUnavailable):
        await put(session, 1, ONE)
    await put(session, 1, ONE)
    with pytest.raises(ProviderUnavailable):
        await finish(session)
    await finish(session)
    assert await read(storage) == ONE


async def test_the_end_must_be_as_announced(storage, begin, put, finish):
    session = await begin(plan_of(ONE, TWO))
    await put(session, 1, ONE)
    await put(session, 2, TWO)
    for expected in (
        Expected(size=1),
        Expected(segments=[announced(1, ONE)]),
        Expected(sha256=sha256(ONE + TWO)),
    ):
        with pytest.raises(InvalidRequest):
            await finish(session, expected)
    with pytest.raises(InvalidRequest, match="another place"):
        await finish(session, name="b.bin")
    said = Expected(size=3 * SMALLEST, segments=[announced(2, TWO), announced(1, ONE)])
    await finish(session, said)
    assert await read(storage) == ONE + TWO


async def test_a_name_that_is_taken_meanwhile(storage, begin, put, butler, room, uploads):
    session = await begin(plan_of(ONE))
    await put(session, 1, ONE)
    upload = await butler.begin_upload(room, "a.bin", always)
    await storage.write(FILE, ByteStream.of(b"theirs"), mode=WriteMode.CREATE)
    with pytest.raises(AlreadyExists):
        await uploads.finish(OWNER, session.id, Expected(), butler, upload)
    assert await read(storage) == b"theirs"
    assert await uploads.get(OWNER, session.id)
    again = await butler.begin_upload(msgspec.structs.replace(room, path=FILE), None, always)
    await uploads.finish(OWNER, session.id, Expected(), butler, again)
    assert await read(storage) == ONE


async def test_a_condition_must_hold_at_the_end(storage, begin, put, finish):
    session = await begin(plan_of(ONE))
    await put(session, 1, ONE)

    def never(entry):
        assert entry is None
        raise PreconditionFailed("no")

    with pytest.raises(PreconditionFailed):
        await finish(session, condition=never)
    with pytest.raises(NotFound):
        await storage.stat(FILE)


async def test_cancelling_throws_the_parts_away(storage, begin, put, uploads, room):
    session = await begin(plan_of(ONE, TWO))
    await put(session, 1, ONE)
    await uploads.cancel(OWNER, session.id, room)
    assert storage.inner._uploads == {}
    with pytest.raises(NotFound):
        await put(session, 2, TWO)


@pytest.mark.parametrize("how", ["cancelled", "expired"])
async def test_parts_that_are_left_go_when_the_storage_is_used_again(
    storage, begin, put, uploads, clock, how
):
    session = await begin(plan_of(ONE, TWO))
    await put(session, 1, ONE)
    if how == "cancelled":
        await uploads.cancel(OWNER, session.id)
    else:
        clock.now += 86400
        await uploads.sweep()
    assert len(storage.inner._uploads) == 1
    storage.fail("abort_parts", ProviderUnavailable("down"))
    await begin(plan_of(ONE))
    assert len(storage.inner._uploads) == 2
    await begin(plan_of(ONE))
    assert len(storage.inner._uploads) == 2
    await begin(plan_of(ONE))
    assert storage.calls["abort_parts"] == 2


async def test_a_sweep_throws_parts_away_where_it_may(
    make_uploads, storage, butler, room, clock, tmp_path
):
    """A storage that cannot be opened keeps it from no other one."""
    asked = []

    @asynccontextmanager
    async def use(provider):
        asked.append(provider)
        if provider is None:
            raise ConfigInvalid("This storage cannot be opened.")
        yield provider

    elsewhere = Storage()
    provided = (None, elsewhere, room.provider)
    uploads = make_uploads(storages=[partial(use, provider) for provider in provided])
    for name in "ab":
        upload = await butler.begin_upload(room, name, always)
        await uploads.begin(OWNER, plan_of(ONE), upload)
    clock.now += 86399
    assert await uploads.sweep() == 0
    assert asked == []
    clock.now += 1
    storage.fail("abort_parts", ProviderUnavailable("down"))
    assert await uploads.sweep() == 2
    assert asked == list(provided)
    assert len(storage.inner._uploads) == 2
    assert await uploads.sweep() == 0
    assert storage.inner._uploads == {}
    assert await uploads.sweep() == 0
    assert len(asked) == 6


async def test_what_is_not_begun_here_is_not_begun_there(make_uploads, storage, butler, room):
    uploads = make_uploads(per_owner=1)
    upload = await butler.begin_upload(room, "a.bin", always)
    session = await uploads.begin(OWNER, plan_of(ONE), upload)
    with pytest.raises(QuotaExceeded):
        await uploads.begin(OWNER, plan_of(ONE), upload)
    assert len(storage.inner._uploads) == 1
    assert await uploads.get(OWNER, session.id)


async def test_what_the_storage_has_takes_no_room_here(make_uploads, storage, butler, room):
    uploads = make_uploads(quota=1)
    upload = await butler.begin_upload(room, "a.bin", always)
    session = await uploads.begin(OWNER, plan_of(ONE), upload)
    await uploads.put(OWNER, session.id, 1, ByteStream.of(ONE), room=room)
    await uploads.finish(OWNER, session.id, Expected(), butler, upload)
    assert await read(storage) == ONE


async def test_another_storage_has_not_the_upload(begin, put, uploads, room, butler):
    session = await begin(plan_of(ONE, TWO))
    await put(session, 2, TWO)
    elsewhere = msgspec.structs.replace(room, provider=Observed(Storage(), Metrics()))
    with pytest.raises(NotFound):
        await put(session, 1, ONE, room=elsewhere)
    await put(session, 1, ONE)
    upload = await butler.begin_upload(elsewhere, "a.bin", always)
    with pytest.raises(InvalidRequest, match="anew"):
        await uploads.finish(OWNER, session.id, Expected(), butler, upload)


async def test_a_storage_that_has_lost_the_parts(storage, begin, put, finish):
    session = await begin(plan_of(ONE, TWO))
    await put(session, 1, ONE)
    await put(session, 2, TWO)
    storage.inner._uploads.clear()
    with pytest.raises(NotFound):
        await put(session, 1, ONE)
    with pytest.raises(InvalidRequest, match="anew"):
        await finish(session)


async def test_the_room_is_needed_where_it_was_given(begin, put, uploads):
    session = await begin(plan_of(ONE))
    with pytest.raises(ValueError, match="room"):
        await put(session, 1, ONE, room=None)
    with pytest.raises(ValueError, match="finish"):
        await uploads.open(OWNER, session.id)


@pytest.mark.parametrize("whole", [True, False], ids=["here", "there"])
async def test_a_file_that_is_stored_is_stored(storage, begin, put, finish, uploads, whole):
    """Also if the upload cannot be forgotten then."""
    session = await begin(plan_of(ONE, whole=whole))
    await put(session, 1, ONE)

    def fail(*args, **options):
        raise ProviderUnavailable("busy")

    uploads._sessions.end = fail
    assert (await finish(session)).size == len(ONE)
    assert await read(storage) == ONE


@pytest.mark.parametrize("whole", [True, False], ids=["here", "there"])
async def test_two_ends_at_once_make_one_file(storage, begin, put, butler, room, uploads, whole):
    session = await begin(plan_of(ONE, whole=whole))
    await put(session, 1, ONE)
    upload = await butler.begin_upload(room, "a.bin", always)
    results = await asyncio.gather(
        *(uploads.finish(OWNER, session.id, Expected(), butler, upload) for _ in range(3)),
        return_exceptions=True,
    )
    assert [getattr(result, "size", None) for result in results].count(len(ONE)) == 1
    assert {type(result) for result in results if isinstance(result, Exception)} <= {
        AlreadyExists,
        Corrupted,
        InvalidRequest,
        NotFound,
    }
    assert await read(storage) == ONE
