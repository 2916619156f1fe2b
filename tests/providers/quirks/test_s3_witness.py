"""What the provider claims is what boto3 and plain HTTP clients see, on each server."""

import asyncio
import contextlib
import hashlib
from datetime import timedelta

import pytest
import requests

from tests.long import SWITCH, TIMES
from tests.providers.s3_support import PART, opened
from tests.servers.s3 import ACCESS_KEY, ceph, seaweedfs
from waterbutler.core import ROOT, ByteStream, Path, WriteMode
from waterbutler.core.errors import AlreadyExists, BadPath, NotFound
from waterbutler.http import HttpClient
from waterbutler.testing.conformance.base import contents, get, listing, put, put_many
from waterbutler.testing.conformance.writing import noise
from waterbutler_s3 import removal
from waterbutler_s3.removal import BATCH
from waterbutler_s3.transfer import Copier

LONG = f"takes up to a minute: {SWITCH}=1"

FILE = ROOT.child("file")
SERVERS = pytest.mark.parametrize("start", [seaweedfs, ceph])


class Pair:
    """A storage, and boto3 in the same place."""

    def __init__(self, client, storage, bucket):
        self.client, self.storage, self.bucket = client, storage, bucket
        self.prefix = storage.info.root.split(f"/{bucket}/")[1]

    def head(self, name):
        return self.client.head_object(Bucket=self.bucket, Key=self.prefix + name)

    def put(self, name, body=b"", **options):
        return self.client.put_object(
            Bucket=self.bucket, Key=self.prefix + name, Body=body, **options
        )

    def keys(self):
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix)
        return [item["Key"].removeprefix(self.prefix) for item in found.get("Contents", [])]

    def versions(self, name):
        found = self.client.list_object_versions(Bucket=self.bucket, Prefix=self.prefix + name)
        return found.get("Versions", []), found.get("DeleteMarkers", [])

    def pending(self):
        found = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=self.prefix)
        return found.get("Uploads", [])


@contextlib.asynccontextmanager
async def pair(start, *, bucket="first", **options):
    server = start()
    async with HttpClient() as http:
        yield Pair(server.client(), opened(server, http, bucket=bucket, **options), bucket)


@SERVERS
async def test_files_of_others_are_shown(start):
    async with pair(start) as p:
        answer = p.put("a b/ü.txt", b"content", ContentType="text/x-special")
        entry = await p.storage.stat(Path.parse("/a b/ü.txt"))
        seen = p.head("a b/ü.txt")
        assert entry.etag == answer["ETag"].strip('"')
        assert entry.size == 7
        assert entry.content_type == "text/x-special"
        assert entry.modified == seen["LastModified"]
        assert entry.hashes["md5"] == hashlib.md5(b"content").hexdigest()
        assert await contents(p.storage) == {"/a b/": None, "/a b/ü.txt": b"content"}


@SERVERS
async def test_small_files_are_as_others_see_them(start):
    async with pair(start) as p:
        async with ByteStream.of(b"content") as body:
            entry = await p.storage.write(FILE, body, content_type="text/x-special")
        seen = p.head("file")
        assert seen["ETag"] == f'"{entry.etag}"'
        assert seen["ContentType"] == "text/x-special"
        digest = hashlib.sha256(b"content").hexdigest()
        assert seen["Metadata"] == {"waterbutler-sha256": digest}
        assert entry.hashes == {"md5": entry.etag, "sha256": digest}


@SERVERS
@pytest.mark.parametrize("known_size", [True, False])
async def test_large_files_are_as_others_see_them(start, known_size):
    data = noise(3 * PART + 7)
    async with pair(start) as p:
        async with ByteStream.of(data) as body:
            if not known_size:
                body.size = None
            entry = await p.storage.write(FILE, body, content_type="text/x-special")
        md5s = [hashlib.md5(data[at : at + PART]).digest() for at in range(0, len(data), PART)]
        assert entry.etag == f"{hashlib.md5(b''.join(md5s)).hexdigest()}-4"
        seen = p.head("file")
        assert (seen["ETag"], seen["ContentLength"]) == (f'"{entry.etag}"', len(data))
        assert seen["ContentType"] == "text/x-special"
        body = p.client.get_object(Bucket=p.bucket, Key=f"{p.prefix}file")["Body"]
        assert body.read() == data
        assert p.pending() == []


@SERVERS
async def test_folders_are_kept_by_markers(start):
    async with pair(start) as p:
        folder = ROOT.child("folder", folder=True)
        await p.storage.make_folder(folder)
        assert p.keys() == ["folder/"]
        assert p.head("folder/")["ContentLength"] == 0
        with pytest.raises(AlreadyExists):
            await p.storage.make_folder(folder)
        await put(p.storage, folder.child("file"), b"")
        await p.storage.delete(folder.child("file"))
        assert await contents(p.storage) == {"/folder/": None}
        await p.storage.delete(folder)
        assert p.keys() == []


async def test_keys_that_no_path_can_name():
    """They are not shown, and they go with their folder. Ceph keeps keys as they are."""
    async with pair(ceph) as p:
        for name in ("f/ok", "f//double", "f/../up", "f/./here", f"f/{'n' * 256}", "f//"):
            p.put(name)
        folder = ROOT.child("f", folder=True)
        assert await listing(p.storage) == ["/f/"]
        assert await listing(p.storage, folder) == ["/f/ok"]
        await p.storage.copy_from(p.storage, folder, ROOT.child("g", folder=True))
        assert len(p.keys()) == 12
        await p.storage.delete(folder)
        assert len(p.keys()) == 6


async def test_names_that_the_server_takes_for_others():
    async with pair(seaweedfs) as p:
        with pytest.raises(BadPath):
            await put(p.storage, ROOT.child("a\\b"), b"")
        assert p.keys() == []


@SERVERS
async def test_a_whole_bucket_and_its_folders(start):
    """Without a prefix all keys are there, and a prefix hides what lies beside it."""
    async with pair(start) as p, HttpClient() as http:
        await put(p.storage, FILE, b"data")
        whole = opened(start(), http, prefix="")
        inside = ROOT.child(p.prefix.strip("/"), folder=True)
        assert await get(whole, inside.child("file")) == b"data"
        by_id = opened(start(), http, bucket=None, prefix=None, id=f"first:/{p.prefix}")
        assert by_id.info.root != p.storage.info.root
        beside = opened(start(), http, prefix=p.prefix.strip("/")[:-1])
        assert await listing(beside) == []


@SERVERS
async def test_links_work_for_everybody(start):
    async with pair(start) as p:
        path = ROOT.child("100% ä+b.txt")
        await put(p.storage, path, b"content")
        name = 'Bericht "ü" 1; 2.txt'
        link = await p.storage.sign(path, filename=name)
        answer = await asyncio.to_thread(requests.get, link, timeout=10)
        assert (answer.status_code, answer.content) == (200, b"content")
        disposition = answer.headers["Content-Disposition"]
        assert disposition.startswith("attachment; ")
        assert "filename*=UTF-8''Bericht%20%22%C3%BC%22%201%3B%202.txt" in disposition
        part = await asyncio.to_thread(
            requests.get, link, headers={"Range": "bytes=2-3"}, timeout=10
        )
        assert (part.status_code, part.content) == (206, b"nt")
        bad = await asyncio.to_thread(requests.get, link.replace("Expires=300", "Expires=301"))
        assert bad.status_code == 403
        short = await p.storage.sign(path, expires=timedelta(seconds=1))
        await asyncio.sleep(2.1)
        assert (await asyncio.to_thread(requests.get, short, timeout=10)).status_code == 403


@SERVERS
async def test_versions_are_those_that_others_see(start):
    async with pair(start, bucket="versioned", page_size=2) as p:
        for text in (b"1", b"22", b"333"):
            await put(p.storage, FILE, text)
        await p.storage.delete(FILE)
        with pytest.raises(NotFound):
            _ = [version async for version in p.storage.versions(FILE)]
        with pytest.raises(NotFound):
            await p.storage.stat(FILE)
        for text in (b"4444", b"55555"):
            await put(p.storage, FILE, text)
        await put(p.storage, ROOT.child("file2"), b"neighbour")
        found = [version async for version in p.storage.versions(FILE)]
        kept, marks = p.versions("file")
        mine = [item for item in kept if item["Key"] == f"{p.prefix}file"]
        assert [version.id for version in found] == [item["VersionId"] for item in mine]
        assert [version.size for version in found] == [5, 4, 3, 2, 1]
        assert len(marks) == 1
        assert await get(p.storage, FILE, version=found[-1].id) == b"1"
        assert await get(p.storage, FILE, version="Latest") == b"55555"
        link = await p.storage.sign(FILE, version=found[-2].id)
        assert (await asyncio.to_thread(requests.get, link, timeout=10)).content == b"22"
        with pytest.raises(NotFound):
            await p.storage.stat(FILE, version=marks[0]["VersionId"])


@SERVERS
@pytest.mark.parametrize(
    ("batch", "count"),
    [(20, 50), pytest.param(BATCH, BATCH + 50, marks=pytest.mark.skipif(not TIMES, reason=LONG))],
)
async def test_deleting_a_large_folder_keeps_versions(start, batch, count, monkeypatch):
    """Also when it takes more than one request, and these are as large as they may be."""
    monkeypatch.setattr(removal, "BATCH", batch)
    async with pair(start, bucket="versioned", page_size=batch) as p:
        folder = ROOT.child("folder", folder=True)
        odd = ["line\nfeed", "return\rhere", "<&>\"'", "control\x01", "tab\t"]
        await put_many(p.storage, [folder.child(f"{n}") for n in range(count)])
        await put_many(p.storage, [folder.child(name) for name in odd])
        await p.storage.delete(folder)
        assert p.keys() == []
        assert len(p.versions("folder/control")[0]) == 1
        with pytest.raises(NotFound):
            await p.storage.delete(folder)


@SERVERS
@pytest.mark.parametrize("mode", list(WriteMode))
async def test_large_copies_are_made_of_parts(start, mode):
    """They carry on what parts do not: type and metadata."""
    data = noise(2 * PART + 3)
    async with pair(start) as p:
        storage = p.storage
        copier = storage._copier
        storage._copier = Copier(copier._bucket, copier._writer, copier._options, PART, PART)
        p.put("source", data, ContentType="text/x-special", Metadata={"color": "blue"})
        entry = await storage.copy_from(storage, ROOT.child("source"), FILE, mode=mode)
        seen = p.head("file")
        assert (seen["ETag"], seen["ContentLength"]) == (f'"{entry.etag}"', len(data))
        assert entry.etag.endswith("-3")
        assert seen["ContentType"] == "text/x-special"
        assert seen["Metadata"] == {"color": "blue"}
        assert await get(storage, FILE) == data
        assert p.pending() == []
        if mode is WriteMode.CREATE:
            with pytest.raises(AlreadyExists):
                await storage.copy_from(storage, ROOT.child("source"), FILE)
            assert p.pending() == []


async def test_copies_to_another_bucket_are_made_by_the_server():
    async with pair(seaweedfs) as p, HttpClient() as http:
        other = opened(seaweedfs(), http, bucket="second")
        p.put("source", b"data", Metadata={"color": "blue"})
        await other.move_from(p.storage, ROOT.child("source"), FILE)
        assert p.keys() == []
        key = other.info.root.split("/second/")[1] + "file"
        assert p.client.head_object(Bucket="second", Key=key)["Metadata"] == {"color": "blue"}


async def test_moving_a_folder_leaves_what_came_meanwhile():
    async with pair(seaweedfs) as p:
        folder = ROOT.child("folder", folder=True)
        await put(p.storage, folder.child("a"), b"a")
        delete = p.storage._copier.delete_copied

        async def late(*arguments):
            await put(p.storage, folder.child("late"), b"late")
            await put(p.storage, folder.child("a"), b"altered")
            await delete(*arguments)

        p.storage._copier.delete_copied = late
        await p.storage.move_from(p.storage, folder, ROOT.child("to", folder=True))
        assert sorted(p.keys()) == ["folder/a", "folder/late", "to/a"]


async def test_uploads_are_encrypted():
    data = noise(PART + 1)
    async with pair(seaweedfs, encrypt_uploads=True) as p:
        await put(p.storage, FILE, b"small")
        await put(p.storage, ROOT.child("large"), data)
        await p.storage.copy_from(p.storage, FILE, ROOT.child("copy"))
        for name in ("file", "large", "copy"):
            assert p.head(name)["ServerSideEncryption"] == "AES256"
        assert await get(p.storage, ROOT.child("large")) == data
        assert (await p.storage.stat(FILE)).extra["encryption"] == "AES256"


@SERVERS
async def test_an_inner_store_of_content(start):
    """Flat names, looked for before they are written, moved into place."""
    async with pair(start) as p:
        for _ in range(2):
            pending = ROOT.child("pending-1")
            entry = await put(p.storage, pending, b"content", WriteMode.CREATE)
            final = ROOT.child(entry.hashes["sha256"])
            try:
                await p.storage.stat(final)
            except NotFound:
                await p.storage.move_from(p.storage, pending, final)
            else:
                await p.storage.delete(pending)
        assert p.keys() == [hashlib.sha256(b"content").hexdigest()]


async def test_the_machine_has_no_say(monkeypatch, tmp_path):
    """Neither the environment nor files decide what is signed with."""
    config = tmp_path / "config"
    config.write_text("[default]\naws_access_key_id = other\naws_secret_access_key = other\n")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    async with pair(seaweedfs) as p:
        assert ACCESS_KEY in await p.storage.sign(FILE)
        assert await listing(p.storage) == []
