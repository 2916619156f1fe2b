"""Uploads in segments, which only the second vocabulary has."""

import hashlib
import json
import time
from dataclasses import replace

import pytest

from tests.gateway.client import SECOND, Gateway, Segments
from tests.harness import TOKENS
from waterbutler.testing.memory import MemoryProvider

DATA = bytes(range(256)) * 40
NUMBER = "gateway.upload.segment.number"
SIZE = "gateway.upload.segment.size"
SHA256 = "gateway.upload.segment.sha256"


class Whole(MemoryProvider):
    """Takes files in one piece only."""

    capabilities = replace(MemoryProvider.capabilities, parts=None)


THERE, HERE = "segments lie in the storage", "segments lie here"
everywhere = pytest.mark.parametrize("server", [THERE, HERE], indirect=True)


@pytest.fixture
def words():
    return SECOND


@pytest.fixture
def server(make_server, io_loop, request):
    """A server whose storage takes files in parts; with `HERE`, one that does not."""
    here = getattr(request, "param", THERE) == HERE
    storages = {"memory": Whole()} if here else {}
    return io_loop.run_sync(lambda: make_server(storages=storages))


@pytest.fixture
def begun(alice, io_loop):
    """An upload of four segments to the root."""
    upload = Segments(alice, DATA, 3000, parent=alice.root, name="č big")
    assert io_loop.run_sync(upload.begin).status == 200
    return upload


@everywhere
async def test_a_file_arrives_in_segments_in_any_order(begun, alice, server):
    for number in (3, 1, 4, 2):
        reply = await begun.send(number)
        assert reply.status == 200
        assert reply.json[NUMBER] == number
        assert reply.json["gateway.upload.id"] == begun.id
        assert reply.json["gateway.upload.segment.cookie"] is not None
        assert reply.json["gateway.upload.cookie"] is not None
    assert await server.names() == []
    reply = await begun.finish()
    assert reply.status == 200
    made = alice.meta(reply.json)
    assert (made.name, made.size, made.parent) == ("č big", len(DATA), alice.root)
    assert await alice.describe(made.id) == made
    assert await alice.download(made.id) == DATA


async def test_the_beginning_says_everything_that_is_needed(begun):
    told = begun.told
    assert set(told) == {
        *("gateway.upload.id", "gateway.upload.segment"),
        *("gateway.upload.cookie", "gateway.upload.expiration"),
    }
    assert [segment[NUMBER] for segment in told["gateway.upload.segment"]] == [1, 2, 3, 4]
    assert all(
        segment["gateway.upload.segment.cookie"] for segment in told["gateway.upload.segment"]
    )
    left = told["gateway.upload.expiration"] / 1000 - time.time()
    assert 86000 < left <= 86400


@everywhere
async def test_a_file_is_replaced_in_segments(alice, server):
    file = await alice.upload(alice.root, "a", b"old")
    upload = Segments(alice, DATA, 5000, file=file.id)
    assert (await upload.begin()).status == 200
    for number in (1, 2, 3):
        assert (await upload.send(number)).status == 200
    assert await alice.download(file.id) == b"old"
    reply = await upload.finish()
    assert reply.status == 200
    assert alice.meta(reply.json).id == file.id
    assert await alice.download(file.id) == DATA


async def test_an_empty_file_needs_no_segment(alice):
    upload = Segments(alice, b"", 10, parent=alice.root, name="empty")
    assert (await upload.begin()).status == 200
    assert (await upload.finish()).json[SECOND["size"]] == 0


async def test_the_root_may_be_left_out(alice, server):
    upload = Segments(alice, b"12", 1, parent="", name="a")
    assert (await upload.begin()).status == 200
    for number in (1, 2):
        assert (await upload.send(number)).status == 200
    assert (await upload.finish()).status == 200
    assert await server.names() == ["/a"]


@everywhere
async def test_a_segment_may_be_sent_again(begun):
    for number in (1, 2, 2, 3, 4, 1):
        assert (await begun.send(number)).status == 200
    assert (await begun.finish()).json[SECOND["size"]] == len(DATA)


@pytest.mark.parametrize(
    "changes",
    [
        {SECOND["size"]: None},
        {SECOND["size"]: -1},
        {SECOND["size"]: "1"},
        {SECOND["size"]: len(DATA) + 1},
        {SECOND["modified"]: None},
        {SECOND["modified"]: "x"},
        {SECOND["name"]: None},
        {SECOND["name"]: ".."},
        {SECOND["name"]: "a/b"},
        {SECOND["parent"]: "unknown"},
        {SECOND["id"]: "unknown"},
        {SECOND["sha256"]: "x"},
        {"gateway.upload.segment": None},
        {"gateway.upload.segment": {}},
        {"gateway.upload.segment": [1]},
        {"gateway.upload.segment": [{}]},
        {"gateway.upload.segment": [{NUMBER: 0, SIZE: 1, SHA256: "a" * 64}]},
        {"gateway.upload.segment": [{NUMBER: 2, SIZE: len(DATA), SHA256: "a" * 64}]},
        {"gateway.upload.segment": [{NUMBER: 1, SIZE: len(DATA), SHA256: "a"}]},
        {"gateway.upload.segment": [{NUMBER: True, SIZE: len(DATA), SHA256: "a" * 64}]},
    ],
    ids=repr,
)
async def test_a_beginning_that_makes_no_sense_is_400(alice, changes):
    upload = Segments(alice, DATA, 3000, parent=alice.root, name="a")
    reply = await upload.begin(**changes)
    assert reply.status == 400
    assert reply.message


async def test_names_are_plain_in_these_documents(alice):
    upload = Segments(alice, b"", 10, parent=alice.root, name="%41")
    await upload.begin()
    assert (await upload.finish()).json[SECOND["name"]] == "%41"


@everywhere
@pytest.mark.parametrize("kind", ["a", "a/"])
async def test_a_taken_name_is_409_at_the_beginning_and_at_the_end(begun, alice, server, kind):
    for number in (1, 2, 3, 4):
        await begun.send(number)
    await server.have("/č big" + kind.removeprefix("a"), b"other")
    again = Segments(alice, DATA, 3000, parent=alice.root, name="č big")
    assert (await again.begin()).status == 409
    assert (await begun.finish()).status == 409
    taken = (await alice.children(alice.root))["č big"]
    await alice.delete(taken.id)
    assert (await begun.finish()).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {NUMBER: None},
        {NUMBER: 0},
        {NUMBER: 5},
        {NUMBER: "1"},
        {NUMBER: 2},
        {SIZE: 1},
        {SIZE: "x"},
        {SHA256: "a" * 64},
        {SHA256: "x"},
    ],
    ids=repr,
)
async def test_a_segment_that_is_not_as_announced_is_400(begun, changes):
    assert (await begun.send(1, **changes)).status == 400
    assert (await begun.finish()).status == 400


@everywhere
@pytest.mark.parametrize("data", [b"", b"short", b"x" * 3000, b"x" * 3001, b"x" * 100_000])
async def test_a_segment_with_other_bytes_is_400(begun, data):
    assert (await begun.send(1, data)).status == 400
    assert (await begun.send(1)).status == 200


@pytest.mark.parametrize("header", [None, "", "{", "[]", "7"])
async def test_a_segment_needs_its_header(begun, header):
    headers = {} if header is None else {"X-Gateway-Upload-Segment": header}
    path = f"gateway_upload_segment/{begun.id}"
    assert (await begun.request("POST", path, b"x", headers)).status == 400


@everywhere
async def test_everything_must_be_there_at_the_end(begun, alice, server):
    """What fails can be sent once more."""
    for number in (1, 2, 4):
        await begun.send(number)
    assert (await begun.finish()).status == 400
    await begun.send(3)
    segments = begun.told["gateway.upload.segment"]
    wrong = hashlib.sha256(b"other").hexdigest()
    for changes in (
        {SECOND["size"]: len(DATA) - 1},
        {SECOND["sha256"]: wrong},
        {SECOND["modified"]: "x"},
        {SECOND["name"]: "other"},
        {"gateway.upload.segment": segments[:3]},
        {"gateway.upload.segment": [*segments[:3], {**segments[3], SHA256: wrong}]},
        {"gateway.upload.segment": 7},
        {"gateway.upload.id": None},
        {"gateway.upload.id": "unknown"},
        {"gateway.upload.id": 7},
    ):
        assert (await begun.finish(**changes)).status == 400, changes
    assert await server.names() == []
    assert (await begun.finish()).status == 200


async def test_a_digest_of_the_whole_is_verified(alice, spooled):
    """That takes all bytes in their order, so that the segments lie here until then."""
    whole, wrong = (hashlib.sha256(data).hexdigest() for data in (DATA, b"other"))
    for said, status in ((whole, 200), (wrong, 400)):
        upload = Segments(alice, DATA, 6000, parent=alice.root, name=f"{status}")
        assert (await upload.begin(**{SECOND["sha256"]: said})).status == 200
        for number in (2, 1):
            assert (await upload.send(number)).status == 200
        assert len(spooled()) == 2
        assert (await upload.finish(**{SECOND["sha256"]: said})).status == status
        await upload.cancel()
    assert set(await alice.children(alice.root)) == {"200"}


@everywhere
async def test_a_digest_that_comes_at_the_end(begun, server):
    """What the storage has already cannot be verified any more, and is not stored as if it were."""
    for number in (1, 2, 3, 4):
        await begun.send(number)
    there = not isinstance(server.storages["memory"], Whole)
    whole = hashlib.sha256(DATA).hexdigest()
    assert (await begun.finish(**{SECOND["sha256"]: whole})).status == (400 if there else 200)
    assert (await begun.finish()).status == (200 if there else 400)


@everywhere
async def test_an_upload_ends_where_it_began(begun, alice):
    for number in (1, 2, 3, 4):
        await begun.send(number)
    folder = await alice.folder(alice.root, "f")
    file = await alice.upload(alice.root, "file", b"old")
    assert (await begun.finish(folder.id)).status == 400
    assert (await begun.finish(file.id, "PUT")).status == 400
    assert (await begun.finish(alice.root, "PUT")).status == 400
    assert (await begun.finish("unknown")).status == 404
    assert await alice.download(file.id) == b"old"


@everywhere
async def test_it_can_end_once(begun):
    for number in (1, 2, 3, 4):
        await begun.send(number)
    assert (await begun.finish()).status == 200
    assert (await begun.finish()).status == 400
    assert (await begun.send(1)).status == 404
    assert (await begun.cancel()).status == 404


@everywhere
async def test_cancelling_frees_the_room(begun, held):
    await begun.send(1)
    assert held() == 1
    assert (await begun.cancel()).status == 200
    assert held() == 0
    assert (await begun.cancel()).status == 404
    assert (await begun.send(2)).status == 404
    assert (await begun.finish()).status == 400


@pytest.mark.parametrize("id", ["unknown", "..", "%2e%2e", "%00"])
async def test_an_unknown_upload_is_404(begun, id):
    assert (await begun.send(1, id=id)).status == 404
    assert (await begun.request("DELETE", f"gateway_upload/{id}")).status == 404


async def test_nobody_else_touches_it(begun, server):
    """Also with the same cookies: they are echoed and not trusted."""
    for user, place in (("bob", "memory"), ("alice", "other")):
        stranger = Gateway(server, SECOND)
        await stranger.sign_in(TOKENS[user], resource="guid0", provider=place)
        owner, begun.client = begun.client, stranger
        assert (await begun.send(1)).status == 404
        assert (await begun.cancel()).status == 404
        assert (await begun.finish()).status in {400, 404}
        begun.client = owner
    assert (await begun.send(1)).status == 200


async def test_cookies_are_not_read(begun):
    cookies = {"gateway.upload.cookie": None, "gateway.upload.segment.cookie": {"any": ["thing"]}}
    for number in (1, 2, 3, 4):
        assert (await begun.send(number, **cookies)).status == 200
    assert (await begun.finish(**{"gateway.upload.cookie": 7})).status == 200


async def test_who_may_only_read_begins_nothing(bob):
    upload = Segments(bob, DATA, 3000, parent=bob.root, name="a")
    assert (await upload.begin()).status == 403


async def test_an_account_has_so_many_uploads_at_a_time(begun, alice):
    statuses = []
    for number in range(3):
        upload = Segments(alice, b"1", 1, parent=alice.root, name=f"{number}")
        statuses.append((await upload.begin()).status)
    assert statuses == [200, 200, 507]


async def test_ten_thousand_segments_fit(alice):
    upload = Segments(alice, b"x" * 10_000, 1, parent=alice.root, name="many")
    assert (await upload.begin()).status == 200
    assert len(upload.told["gateway.upload.segment"]) == 10_000
    assert (await upload.finish()).status == 400
    more = Segments(alice, b"x" * 10_001, 1, parent=alice.root, name="more")
    assert (await more.begin()).status == 400


@everywhere
async def test_a_cut_segment_is_not_there(begun, server):
    says = {NUMBER: 1}
    headers = {
        **begun.client.authorization,
        "X-Gateway-Upload-Segment": json.dumps(says),
        "Content-Length": "3000",
    }
    async with server.connection() as connection:
        await connection.start("POST", f"/v2/gateway_upload_segment/{begun.id}", headers)
        await connection.send(DATA[:1000])
        connection.reset()
    await server.context.state.idle()
    for number in (2, 3, 4):
        await begun.send(number)
    assert (await begun.finish()).status == 400
    await begun.send(1)
    assert (await begun.finish()).status == 200


async def test_too_large_files_are_413(make_server, services):
    server = await make_server(options={"max_upload_size": 100})
    client = Gateway(server, SECOND)
    await client.sign_in(TOKENS["alice"], resource="guid0", provider="memory")
    upload = Segments(client, b"x" * 101, 50, parent=client.root, name="a")
    assert (await upload.begin()).status == 413
