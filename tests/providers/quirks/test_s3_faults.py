"""Servers and connections that fail: nothing half-done stays, nothing false is reported."""

import asyncio
import contextlib
import datetime
import errno
import gc
import re
import traceback

import botocore.auth
import pytest

from tests.garbage import garbage
from tests.providers.s3_support import CREDENTIALS, PART, opened
from tests.servers.between import Alter, AlterBody, Answer, Between, Cut, Lost, Stall, error, times
from tests.servers.s3 import SECRET_KEY, S3Server, ceph, seaweedfs
from waterbutler.core import ROOT, ByteRange, ByteStream, WriteMode
from waterbutler.core.errors import (
    AlreadyExists,
    Archived,
    ConfigInvalid,
    Corrupted,
    Forbidden,
    NotFound,
    ProviderFailed,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    Unsupported,
    WaterButlerError,
)
from waterbutler.engine.transfer import copy
from waterbutler.http import HttpClient
from waterbutler.testing.conformance.base import contents, get, listing, put
from waterbutler.testing.conformance.writing import noise
from waterbutler.testing.faults import FailingStream, SlowStream
from waterbutler.testing.memory import MemoryProvider
from waterbutler_s3 import S3Credentials, blocks, writing
from waterbutler_s3.blocks import BUDGET
from waterbutler_s3.bucket import Patience
from waterbutler_s3.config import Place, S3Settings, understand

EVER = 1 << 30
FILE = ROOT.child("file")
FOLDER = ROOT.child("folder", folder=True)
LARGE = noise(2 * PART + 100)
PART_PUT = r"partNumber="
COMPLETE = r"\?uploadId="


class Setting:
    """A storage behind something that can go wrong."""

    def __init__(self, server, between, http, storage):
        self.server, self.between, self.http, self.storage = server, between, http, storage

    @property
    def prefix(self):
        return self.storage.info.root.split("/first/")[1]

    def pending(self):
        """What boto3 sees of uploads that were begun and not ended."""
        found = self.server.client().list_multipart_uploads(Bucket="first", Prefix=self.prefix)
        return found.get("Uploads", [])

    def keys(self):
        """What boto3 sees of finished ones."""
        found = self.server.client().list_objects_v2(Bucket="first", Prefix=self.prefix)
        return [item["Key"].removeprefix(self.prefix) for item in found.get("Contents", [])]

    def clean(self):
        assert self.pending() == []
        assert self.keys() == []


@contextlib.asynccontextmanager
async def setting(server=None, *, idle_seconds=60, **options):
    server = server or seaweedfs()
    before = BUDGET.left
    async with Between(server.url) as between, HttpClient(idle_seconds=idle_seconds) as http:
        near = S3Server(server.dialect, between.url)
        yield Setting(server, between, http, opened(near, http, **options))
    assert BUDGET.left == before


async def test_a_part_whose_connection_breaks_is_sent_again():
    async with setting() as s:
        s.between.rule = times(2, Cut(100_000), "PUT", PART_PUT)
        await put(s.storage, FILE, LARGE)
        assert await get(s.storage, FILE) == LARGE
        assert s.pending() == []


@pytest.fixture
def exposed(monkeypatch):
    """The server is reached in a way on which others could alter what is sent."""
    monkeypatch.setattr(Place, "is_exposed", True)


@pytest.fixture(params=[True, False])
def maybe_exposed(request, monkeypatch):
    monkeypatch.setattr(Place, "is_exposed", request.param)


@pytest.fixture
def no_memory():
    """Other uploads have all of it."""
    BUDGET.owe(1 << 40)
    yield
    BUDGET.give_back(1 << 40)


@pytest.mark.parametrize("data", [b"small", LARGE[: 5 << 20], LARGE])
@pytest.mark.parametrize("known", [True, False])
async def test_what_memory_has_no_room_for_passes_through_files(
    no_memory, maybe_exposed, data, known
):
    """And is sent again from there."""
    async with setting() as s:
        s.between.rule = times(2, Cut(len(data) // 2), "PUT", "")
        body = ByteStream.of(data)
        if not known:
            body = ByteStream(body)
        entry = await s.storage.write(FILE, body)
        assert entry.size == len(data)
        assert await get(s.storage, FILE) == data
        assert s.pending() == []


async def test_files_that_cannot_be_written(no_memory, monkeypatch):
    """The disk of this server is full: the client is told, and nothing is left in the bucket."""

    def full(*_args):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(blocks.os, "writev", full)
    async with setting() as s:
        with pytest.raises(QuotaExceeded):
            await put(s.storage, FILE, LARGE)
        s.clean()


async def test_an_upload_waits_for_its_own_parts_and_for_nobody_else(monkeypatch):
    """With memory for one part the parts follow one after the other, and none goes to a file."""
    monkeypatch.delattr(blocks, "InFile")
    monkeypatch.delattr(writing, "InFile")
    rest = BUDGET.left - (6 << 20) - blocks.PIPES
    BUDGET.owe(rest)
    try:
        async with setting() as s:
            await put(s.storage, FILE, LARGE)
            assert await get(s.storage, FILE) == LARGE
    finally:
        BUDGET.give_back(rest)


async def test_parts_whose_connections_always_break():
    async with setting() as s:
        s.between.rule = times(EVER, Cut(100_000), "PUT", PART_PUT)
        with pytest.raises(ProviderUnavailable):
            await put(s.storage, FILE, LARGE)
        s.clean()


def refuses_parts(request):
    """The server answers nothing about uploads that have begun."""
    return error("ServiceUnavailable") if "uploadId=" in request.target else None


@pytest.mark.parametrize("writable", [True, False])
async def test_what_could_not_be_aborted_is_aborted_by_the_next_upload(tmp_path, writable):
    """A server that was out of order is left nothing for ever, whether that is noted or not."""
    patience = Patience(tries=2, pause=0.01)
    async with setting(patience=patience, data=tmp_path if writable else None) as s:
        s.between.rule = refuses_parts
        for name in ("one", "two"):
            with pytest.raises(ProviderUnavailable):
                await put(s.storage, ROOT.child(name), LARGE)
        assert len(s.pending()) == 2
        assert len(list(tmp_path.glob("s3-uploads/*"))) == 2 * writable
        s.between.rule = lambda _: None
        await put(s.storage, FILE, LARGE)
        assert s.pending() == []
        assert s.keys() == ["file"]
        assert list(tmp_path.glob("s3-uploads/*")) == []


async def test_who_asks_to_abort_is_told_that_it_did_not_work():
    """And asks again."""
    async with setting(patience=Patience(tries=2, pause=0.01)) as s:
        upload = await s.storage.begin_parts(FILE, size=PART)
        s.between.rule = refuses_parts
        with pytest.raises(ProviderUnavailable):
            await s.storage.abort_parts(FILE, upload)
        s.between.rule = lambda _: None
        await s.storage.abort_parts(FILE, upload)
        s.clean()


async def test_a_server_that_never_aborts_is_not_asked_long(tmp_path):
    """However much is left there: one upload in vain is enough to see that."""
    async with setting(patience=Patience(tries=1), data=tmp_path) as s:
        s.between.rule = refuses_parts
        for name in ("one", "two", "three"):
            with pytest.raises(ProviderUnavailable):
                await put(s.storage, ROOT.child(name), LARGE)
        asked = []

        def no_aborts(request):
            if request.method == "DELETE":
                asked.append(request.target.partition("?")[0])
                return error("AccessDenied", 403)
            return None

        s.between.rule = no_aborts
        await put(s.storage, FILE, LARGE)
        assert len(set(asked)) == 1
        s.between.rule = lambda _: None
        assert await s.storage.sweep() == 3
        assert s.pending() == []


async def test_looking_for_the_name_is_tried_again():
    """A moment's trouble before a new file costs no upload."""
    async with setting() as s:
        s.between.rule = times(2, error("ServiceUnavailable"), "GET|HEAD", "")
        await put(s.storage, FILE, LARGE, WriteMode.CREATE)
        assert await get(s.storage, FILE) == LARGE


@pytest.mark.parametrize("data", [b"small", LARGE])
async def test_what_was_written_is_described_in_a_second_request(data):
    """Who needs it asks, patiently, and only then."""
    async with setting() as s:
        written = await put(s.storage, FILE, data)
        assert written.modified is None
        s.between.rule = times(2, error("ServiceUnavailable"), "HEAD", "")
        described = await s.storage.described(written)
        assert described == await s.storage.stat(FILE)
        assert (described.etag, described.size) == (written.etag, len(data))
        s.between.rule = lambda _: error("InternalError", 500)
        assert await s.storage.described(described) == described
        assert await s.storage.described(written) == written


async def test_what_somebody_else_wrote_is_not_described():
    async with setting() as s:
        written = await put(s.storage, FILE, b"mine")
        await put(s.storage, FILE, b"hers")
        assert await s.storage.described(written) == written


@pytest.mark.parametrize("data", [b"some text", b""])
async def test_each_file_of_a_folder_is_one_request(data):
    """Nobody looks at the entries of the copies."""
    source = MemoryProvider()
    await source.make_folder(FOLDER)
    for number in range(3):
        await put(source, FOLDER.child(f"file {number}"), data)
    async with setting() as s:
        asked = []
        s.between.rule = lambda request: asked.append((request.method, request.target))
        await copy(source, FOLDER, s.storage, FOLDER)
        files = [method for method, target in asked if "file%20" in target]
        assert files == ["PUT"] * 3


async def test_the_copy_of_a_file_is_described():
    source = MemoryProvider()
    await put(source, FILE, b"some text")
    async with setting() as s:
        outcome = await copy(source, FILE, s.storage, FILE)
        assert outcome.entry == await s.storage.stat(FILE)


async def test_parts_that_fail_together_all_fail_seen(io_loop):
    """No task ends with an error that nobody looked at."""
    unseen = []
    io_loop.asyncio_loop.set_exception_handler(lambda _, context: unseen.append(context))

    async def fail():
        raise ProviderUnavailable("down")

    running = {asyncio.create_task(fail()) for _ in range(3)}
    await asyncio.sleep(0)
    with pytest.raises(ProviderUnavailable):
        await writing._next_done(running)
    gc.collect()
    assert not running
    assert unseen == []


async def test_a_small_file_whose_connection_breaks_is_sent_again():
    async with setting() as s:
        s.between.rule = times(2, Cut(10), "PUT", "file")
        await put(s.storage, FILE, b"some content", WriteMode.CREATE)
        assert await get(s.storage, FILE) == b"some content"


async def test_a_storm_that_passes():
    """Every request of an upload is refused some times."""
    async with setting(patience=Patience(tries=4, pause=0.01)) as s:
        seen = {}

        def rule(request):
            name = request.method + re.sub("uploadId=[^&]*", "", request.target)
            seen[name] = seen.get(name, 0) + 1
            busy = request.method == "PUT" or "uploadId" in request.target
            return error("SlowDown", Retry_After="0") if busy and seen[name] <= 2 else None

        s.between.rule = rule
        await put(s.storage, FILE, LARGE)
        assert await get(s.storage, FILE) == LARGE


async def test_a_storm_that_does_not_pass():
    """It is said to be temporary, with the time that the server asks for."""
    async with setting() as s:
        s.between.rule = times(EVER, error("SlowDown", Retry_After="77"), "PUT", "file")
        for data in (b"small", LARGE):
            with pytest.raises(RateLimited) as caught:
                await put(s.storage, FILE, data)
            assert caught.value.retry_after == 77
        s.clean()


async def test_a_success_that_is_an_error_at_completion():
    async with setting() as s:
        says = error("InternalError", 200)
        s.between.rule = times(2, Answer(200, b"\n \n" + says.body), "POST", COMPLETE)
        await put(s.storage, FILE, LARGE)
        assert await get(s.storage, FILE) == LARGE
        await s.storage.delete(FILE)
        s.between.rule = times(EVER, says, "POST", COMPLETE)
        with pytest.raises(ProviderUnavailable):
            await put(s.storage, FILE, LARGE)
        s.clean()


async def test_a_success_that_is_an_error_at_copying():
    async with setting() as s:
        await put(s.storage, FILE, b"data")
        s.between.rule = times(EVER, error("InternalError", 200), "PUT", "copy")
        with pytest.raises(ProviderUnavailable):
            await s.storage.move_from(s.storage, FILE, ROOT.child("copy"))
        assert s.keys() == ["file"]


async def test_a_success_with_errors_at_deleting():
    async with setting() as s:
        for name in ("a", "b"):
            await put(s.storage, ROOT.child("folder", folder=True).child(name), b"")
        body = b"<DeleteResult><Error><Key>a</Key><Code>%s</Code></Error></DeleteResult>"
        s.between.rule = times(1, Answer(200, body % b"AccessDenied"), "POST", "delete")
        with pytest.raises(Forbidden):
            await s.storage.delete(ROOT.child("folder", folder=True))
        assert len(s.keys()) == 2
        s.between.rule = times(2, Answer(200, body % b"SlowDown"), "POST", "delete")
        await s.storage.delete(ROOT.child("folder", folder=True))
        assert s.keys() == []


async def test_a_lost_answer_to_a_completion():
    """The file is there: that is seen, and not taken for somebody else's."""
    for mode in WriteMode:
        async with setting() as s:
            s.between.rule = times(1, Lost(), "POST", COMPLETE)
            assert (await put(s.storage, FILE, LARGE, mode)).size == len(LARGE)
            assert await get(s.storage, FILE) == LARGE
            assert s.pending() == []


async def test_a_lost_answer_to_a_creation():
    async with setting() as s:
        s.between.rule = times(1, Lost(), "PUT", "file")
        await put(s.storage, FILE, b"mine", WriteMode.CREATE)
        s.between.rule = times(1, Lost(), "PUT", "file")
        with pytest.raises(AlreadyExists):
            await put(s.storage, FILE, b"other", WriteMode.CREATE)
        assert await get(s.storage, FILE) == b"mine"


@pytest.mark.parametrize("server", [seaweedfs, ceph])
async def test_a_part_that_is_altered_on_its_way(server, maybe_exposed):
    """The server compares what it got with a digest that came with it, and says so."""
    wrong = AlterBody(lambda body: b"?" + body[1:])
    async with setting(server()) as s:
        s.between.rule = times(1, wrong, "PUT", PART_PUT)
        with pytest.raises(Corrupted):
            await put(s.storage, FILE, LARGE)
        s.clean()


async def test_a_part_that_arrives_altered():
    """Where it is not known that the server compares, its answer is compared."""
    wrong = Alter(lambda raw: re.sub(rb'(?i)(etag: "?)[0-9a-f]{32}', rb"\g<1>" + b"0" * 32, raw))
    async with setting(dialect="other") as s:
        s.between.rule = times(1, wrong, "PUT", PART_PUT)
        with pytest.raises(Corrupted):
            await put(s.storage, FILE, LARGE)
        s.clean()


async def test_a_small_file_that_arrives_altered():
    """What is new is taken away again."""
    wrong = Alter(lambda raw: re.sub(rb'(?i)(etag: "?)[0-9a-f]{32}', rb"\g<1>" + b"0" * 32, raw))
    async with setting() as s:
        s.between.rule = times(1, wrong, "PUT", "file")
        with pytest.raises(Corrupted):
            await put(s.storage, FILE, b"data", WriteMode.CREATE)
        s.clean()


async def test_an_object_that_is_made_of_other_parts():
    wrong = Alter(lambda raw: re.sub(rb"[0-9a-f]{32}-", b"0" * 32 + b"-", raw))
    async with setting() as s:
        s.between.rule = times(1, wrong, "POST", COMPLETE)
        with pytest.raises(Corrupted):
            await put(s.storage, FILE, LARGE)
        assert s.pending() == []


@pytest.mark.parametrize("server", [seaweedfs, ceph])
async def test_bodies_that_fail_leave_no_upload(server):
    async with setting(server()) as s:
        for after in (PART + 5, 2 * PART + 50):
            async with FailingStream(LARGE, after=after) as body:
                with pytest.raises(WaterButlerError):
                    await s.storage.write(FILE, body)
            s.clean()


@pytest.mark.parametrize("server", [seaweedfs, ceph])
async def test_cancelled_uploads_leave_nothing(server):
    async with setting(server()) as s:
        for after in (PART + 5, len(LARGE)):
            body = SlowStream(LARGE, pause_after=after)
            task = asyncio.create_task(s.storage.write(FILE, body))
            await body.paused.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            s.clean()


async def test_cancelling_at_any_request():
    """Whichever request is under way, the upload is aborted, or done."""
    for stopped in ("uploads=", "partNumber=1&", "partNumber=3&", COMPLETE):
        async with setting() as s:
            reached = asyncio.Event()

            def rule(request, pattern=stopped, reached=reached):
                if request.method in {"PUT", "POST"} and re.search(pattern, request.target):
                    reached.set()
                return

            s.between.rule = rule
            task = asyncio.create_task(put(s.storage, FILE, LARGE))
            await reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert s.pending() == []
            assert s.keys() in ([], ["file"])
            if s.keys():
                assert await get(s.storage, FILE) == LARGE


@pytest.mark.parametrize("stopped", ["partNumber=2&", COMPLETE])
@pytest.mark.parametrize("fault", [None, error("AccessDenied", 403)])
async def test_blocks_go_with_the_upload(stopped, fault):
    """No search for garbage is needed for the megabytes of one that fails or is cancelled."""
    async with setting() as s:

        async def broken_off():
            reached = asyncio.Event()

            def rule(request):
                if request.method in {"PUT", "POST"} and re.search(stopped, request.target):
                    reached.set()
                    return fault
                return None

            s.between.rule = rule
            task = asyncio.create_task(put(s.storage, FILE, LARGE))
            await reached.wait()
            if fault is None:
                task.cancel()
            await asyncio.wait([task])
            kind = asyncio.CancelledError if task.cancelled() else type(task.exception())
            del task
            assert kind is (asyncio.CancelledError if fault is None else Forbidden)

        await broken_off()
        with garbage() as found:
            await broken_off()
            # What the connections hold of it is let go of a moment later.
            await asyncio.sleep(0.1)
        assert not found, found


async def test_a_server_that_does_not_answer():
    patience = Patience(tries=2, pause=0.01)
    async with setting(idle_seconds=0.3, patience=patience) as s:
        s.between.rule = times(EVER, Stall(), "PUT", PART_PUT)
        with pytest.raises(ProviderTimeout):
            await put(s.storage, FILE, LARGE)
        s.clean()
        s.between.rule = times(EVER, Stall(), "GET", "")
        with pytest.raises(ProviderTimeout):
            await s.storage.read(FILE)


async def test_a_download_that_breaks_is_no_short_file():
    async with setting() as s:
        await put(s.storage, FILE, LARGE)
        s.between.rule = times(1, Alter(lambda raw: raw[: len(raw) // 2]), "GET", "file")
        with pytest.raises(WaterButlerError):
            await get(s.storage, FILE)
        assert await get(s.storage, FILE) == LARGE


async def test_a_page_that_fails_is_asked_for_again():
    async with setting(page_size=2) as s:
        names = [f"{number}" for number in range(5)]
        for name in names:
            await put(s.storage, ROOT.child(name), b"")
        s.between.rule = times(2, error("InternalError", 500), "GET", "continuation-token")
        assert await listing(s.storage) == [f"/{name}" for name in names]


async def test_a_listing_without_end():
    token = "<NextContinuationToken>x</NextContinuationToken>"
    truncated = "<IsTruncated>true</IsTruncated>"
    body = f"<ListBucketResult>{truncated}{token}</ListBucketResult>".encode()
    async with setting() as s:
        s.between.rule = times(EVER, Answer(200, body), "GET", "list-type")
        with pytest.raises(ProviderFault):
            await listing(s.storage)


@pytest.mark.parametrize("server", [seaweedfs, ceph])
async def test_a_wrong_clock(server, monkeypatch):
    running = server()  # first, because starting it makes buckets, with a clock that is right
    now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now)
    async with setting(running) as s:
        for call in (s.storage.check, lambda: s.storage.stat(FILE)):
            with pytest.raises(ConfigInvalid, match="clock"):
                await call()


@pytest.mark.parametrize("server", [seaweedfs, ceph])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"credentials": S3Credentials(access_key="nobody-knows", secret_key=SECRET_KEY)}, "key"),
        (
            {"credentials": S3Credentials(access_key=CREDENTIALS.access_key, secret_key="w" * 20)},
            "secret",
        ),
        ({"bucket": "no-such-bucket"}, "bucket"),
    ],
    ids=["unknown key", "wrong secret", "no bucket"],
)
async def test_what_the_administrator_must_mend(server, change, says):
    """It is said what is wrong, and nothing that is secret."""
    async with setting(server(), **change) as s:
        with pytest.raises(ConfigInvalid, match=says) as caught:
            await s.storage.check()
    text = "".join(traceback.format_exception(caught.value)) + repr(change)
    assert SECRET_KEY not in text
    assert "w" * 20 not in text
    assert "Signature=" not in text


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error("AccessDenied", 403), Forbidden),
        (error("InvalidObjectState", 403), Archived),
        (error("SlowDown", 503), RateLimited),
        (error("ServiceUnavailable", 503), ProviderUnavailable),
        (error("RequestTimeout", 400), ProviderUnavailable),
        (error("OperationAborted", 409), ProviderUnavailable),
        (error("ExpiredToken", 400), ConfigInvalid),
        (error("RequestTimeTooSkewed", 403), ConfigInvalid),
        (error("KMS.DisabledException", 400), ConfigInvalid),
        (error("InvalidRequest", 400), ProviderFault),
        (error("NotImplemented", 501), Unsupported),
        (error("<b>", 500), ProviderFailed),
        (Answer(403, b"<html>no</html>"), Forbidden),
        (Answer(404, b""), NotFound),
        (Answer(429, b""), RateLimited),
        (
            Answer(502, b"<!DOCTYPE x [<!ENTITY a 'b'>]><Error><Code>&a;</Code></Error>"),
            ProviderFailed,
        ),
        (Answer(418, b"tea"), ProviderFault),
        (Answer(301, b"", {"Location": "http://elsewhere.example/"}), ConfigInvalid),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_errors_by_class(answer, kind):
    """`stat` and `read` say the same, although the first gets no document."""
    async with setting() as s:
        s.between.rule = lambda _: answer
        for call in (s.storage.read, s.storage.stat):
            with pytest.raises(WaterButlerError) as caught:
                await call(FILE)
            if call == s.storage.read or answer.status in {400, 403}:
                assert type(caught.value) is kind


async def test_a_refused_copy_changes_nothing():
    """The caller is told to stream instead; a folder that was half copied is gone again."""
    async with setting() as s:
        folder = ROOT.child("folder", folder=True)
        for name in ("a", "b", "c"):
            await put(s.storage, folder.child(name), b"x")
        before = await contents(s.storage)
        s.between.rule = times(EVER, error("AccessDenied", 403), "PUT", "/(new|to/c)$")
        with pytest.raises(Unsupported):
            await s.storage.copy_from(s.storage, folder.child("a"), ROOT.child("new"))
        with pytest.raises(Unsupported):
            await s.storage.move_from(s.storage, folder, ROOT.child("to", folder=True))
        assert await contents(s.storage) == before


async def test_the_region_is_learned_from_a_redirect():
    """The request is sent again for the region that the server names, once for all."""
    async with setting() as s:
        s.between.rule = times(
            1, Answer(301, b"", {"x-amz-bucket-region": "eu-north-1"}), "HEAD", ""
        )
        with pytest.raises(WaterButlerError):
            await s.storage.stat(FILE)
        regions = [
            re.search("/([a-z0-9-]+)/s3/", r.headers["authorization"])[1]
            for r in s.between.requests
        ]
        assert regions[:2] == ["us-east-1", "eu-north-1"]
        assert set(regions[1:]) == {"eu-north-1"}


async def test_the_region_is_learned_from_a_document():
    body = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>us-east-1</Region></Error>"
    async with setting(region="eu-west-3") as s:
        s.between.rule = times(1, Answer(400, body), "PUT", "")
        await put(s.storage, FILE, b"data")
        assert await get(s.storage, FILE) == b"data"
        assert len(s.between.seen("PUT")) == 2


async def test_a_public_bucket_is_asked_without_a_signature():
    async with setting(credentials=S3Credentials()) as s:
        s.between.rule = lambda _: Answer(200, b"data", {"ETag": '"x"'})
        assert await get(s.storage, FILE) == b"data"
        (request,) = s.between.requests
        assert "authorization" not in request.headers
        assert not s.storage.capabilities.sign
        with pytest.raises(Unsupported):
            await s.storage.sign(FILE)


async def test_hashes_that_are_none():
    """An etag is no md5 where the object came in parts or is encrypted with foreign keys."""
    etag = "d41d8cd98f00b204e9800998ecf8427e"
    for headers in (
        {"ETag": f'"{etag}-1"'},
        {"ETag": f'"{etag}"', "x-amz-server-side-encryption": "aws:kms"},
        {"ETag": f'"{etag}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"},
    ):
        async with setting() as s:
            s.between.rule = lambda _, headers=headers: Answer(200, b"", headers)
            assert (await s.storage.stat(FILE)).hashes == {}
    async with setting() as s:
        await put(s.storage, FILE, LARGE)
        (listed,) = [entry async for entry in s.storage.list(ROOT)]
        for entry in (listed, await s.storage.stat(FILE)):
            assert entry.hashes == {}
            assert entry.etag.endswith("-3")


async def test_an_upload_that_somebody_else_ended():
    async with setting() as s:
        s.between.rule = times(EVER, error("NoSuchUpload", 404), "POST", COMPLETE)
        for mode in WriteMode:
            with pytest.raises(ProviderUnavailable):
                await put(s.storage, FILE, LARGE, mode)
        s.clean()


async def test_all_bodies_are_checked_and_signed(exposed):
    """Over plain HTTP nothing is sent that somebody on the way could alter unnoticed."""
    async with setting() as s:
        await put(s.storage, FILE, LARGE)
        await put(s.storage, FILE, b"small")
        await s.storage.delete(ROOT)
        sent = s.between.seen("PUT") + s.between.seen("POST", "delete")
        assert len(sent) == 5
        for request in sent:
            # This server does not look whether the body is the one that was signed.
            assert "x-amz-checksum-sha256" in request.headers
            signed = request.headers["authorization"].partition("signedheaders=")[2]
            assert "x-amz-checksum-sha256" in signed.partition(",")[0].split(";")


async def test_parts_carry_a_short_sum_where_nobody_is_on_the_way():
    """It is signed as well, so that it is not forgotten."""
    async with setting() as s:
        await put(s.storage, FILE, LARGE)
        sent = s.between.seen("PUT")
        short = [request for request in sent if "x-amz-checksum-crc32" in request.headers]
        # The first part could have been the whole file.
        assert (len(sent), len(short)) == (3, 2)
        for request in short:
            signed = request.headers["authorization"].partition("signedheaders=")[2]
            assert "x-amz-checksum-crc32" in signed.partition(",")[0].split(";")


@pytest.mark.parametrize(
    ("url", "exposed"),
    [
        ("https://s3.example.org", False),
        ("http://s3.example.org", True),
        ("http://s3.example.org:9000", True),
        ("http://192.0.2.1:9000", True),
        ("http://127.0.0.1.example.org", True),
        ("http://localhost", False),
        ("http://localhost:9000/path", False),
        ("http://127.0.0.1:9000", False),
        ("http://127.9.9.9", False),
        ("http://[::1]:9000", False),
        ("http://[2001:db8::1]:9000", True),
    ],
)
def test_who_could_alter_what_is_sent(url, exposed):
    settings = S3Settings(bucket="first", endpoint_url=url)
    assert understand(settings, S3Credentials()).place.is_exposed is exposed


async def test_bodies_are_signed_for_servers_that_look():
    async with setting(dialect="ceph") as s:
        await put(s.storage, FILE, LARGE)
        for request in s.between.seen("PUT"):
            assert len(request.headers["x-amz-content-sha256"]) == 64


async def test_a_server_of_another_kind():
    """A page that is no listing is not taken for an empty bucket."""
    async with setting() as s:
        s.between.rule = lambda _: Answer(200, b"<html><body>Welcome</body></html>")
        for call in (s.storage.check, lambda: listing(s.storage)):
            with pytest.raises(ProviderFault):
                await call()


async def test_an_ignored_range_is_cut_out():
    async with setting() as s:
        await put(s.storage, FILE, b"0123456789")
        s.between.rule = lambda _: Answer(200, b"0123456789", {"ETag": '"x"'})
        assert await get(s.storage, FILE, range=ByteRange(3, 5)) == b"345"
        assert await get(s.storage, FILE, range=ByteRange(suffix=2)) == b"89"


async def test_bodies_of_unknown_size_may_be_exact_parts():
    async with setting() as s:
        for size in (PART, 2 * PART):
            async with SlowStream(LARGE[:size], known_size=False, chunk_size=PART // 4) as body:
                assert (await s.storage.write(FILE, body)).size == size
            assert await get(s.storage, FILE) == LARGE[:size]
        async with ByteStream.of(LARGE[:PART], chunk_size=99_999) as body:
            await s.storage.write(FILE, body)
        assert len(s.between.seen("PUT", PART_PUT)) == 2
