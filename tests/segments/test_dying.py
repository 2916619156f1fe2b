"""A process that dies while an upload begins leaves nothing in the storage that nobody knows."""

import os
import secrets
import subprocess
import sys
from pathlib import Path as FsPath

import pytest

from tests.providers.s3_support import PART, opened
from tests.segments.conftest import OWNER, plan_of
from tests.servers.s3 import S3Server, seaweedfs
from waterbutler.core import ANONYMOUS, ByteStream, Grant, Path
from waterbutler.engine.naming import Target
from waterbutler.http import HttpClient
from waterbutler.segments import SegmentUploads
from waterbutler.service import Place, Room, Upload
from waterbutler.testing.conformance.base import put
from waterbutler.testing.conformance.writing import noise

ROOT = FsPath(__file__).parents[2]
WHOLE = noise(PART + 1)
PIECES = [WHOLE[:PART], WHOLE[PART:]]
FILE = Path.parse("/a.bin")

BEGIN = """
import asyncio, os, sys
from pathlib import Path as FsPath
from tests.segments.conftest import OWNER, plan_of
from tests.segments.test_dying import PIECES, Setting
from waterbutler.http import HttpClient
from waterbutler.layers import stack
from waterbutler.segments.sessions import Sessions
from waterbutler.server.metrics import Metrics
from waterbutler.engine.naming import Target
from waterbutler.service import Upload

when, url, dialect, prefix, data = sys.argv[1:]
begin = Sessions.begin

def dying(*args, **options):
    if when == "after":
        print(begin(*args, **options).id, flush=True)
    os._exit(9)

async def main():
    async with HttpClient() as http:
        setting = Setting(url, dialect, prefix, FsPath(data))
        room = setting.room(stack(setting.open(http), observer=Metrics()))
        Sessions.begin = dying
        upload = Upload(room, Target(room.path.child("a.bin"), None))
        await setting.uploads().begin(OWNER, plan_of(*PIECES), upload)

asyncio.run(main())
"""


class Setting:
    """A folder of a bucket, and a data folder: the same for several processes."""

    def __init__(self, url, dialect, prefix, data):
        self.about = (url, dialect, prefix, str(data))
        self.server = S3Server(dialect, url)
        self.prefix = prefix
        self.data = data

    def open(self, http):
        return opened(self.server, http, prefix=self.prefix, data=self.data)

    def room(self, provider):
        return Room(Place("r", "m", Path()), Grant(user=ANONYMOUS, provider="s3"), provider, Path())

    def uploads(self):
        return SegmentUploads(self.data / "segments.db", self.data / "segments", quota=1 << 30)

    def pending(self):
        found = self.server.client().list_multipart_uploads(Bucket="first", Prefix=self.prefix)
        return [item["UploadId"] for item in found.get("Uploads", [])]

    def die(self, when):
        """Begin an upload in a process that dies then; gives what it said."""
        program = [sys.executable, "-c", BEGIN, when, *self.about]
        paths = os.pathsep.join([str(ROOT), str(ROOT / "providers")])
        environment = {**os.environ, "PYTHONPATH": paths}
        ended = subprocess.run(
            program, check=False, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert ended.returncode == 9
        return ended.stdout.strip()


@pytest.fixture
def setting(tmp_path):
    server = seaweedfs()
    return Setting(server.url, server.dialect, secrets.token_hex(6), tmp_path)


@pytest.mark.parametrize("how", ["by a sweep", "by the next upload"])
async def test_an_upload_that_no_row_remembers_is_aborted(setting, how):
    setting.die("before")
    assert len(setting.pending()) == 1
    async with HttpClient() as http:
        storage = setting.open(http)
        if how == "by a sweep":
            assert await storage.sweep() == 1
        else:
            await put(storage, FILE, WHOLE)
    assert setting.pending() == []


async def test_an_upload_that_a_row_remembers_is_that_of_the_row(setting):
    """It is aborted with the row, if nobody goes on with it; and no client has heard of it."""
    assert setting.die("after")
    async with HttpClient() as http:
        assert await setting.open(http).sweep() == 1
    assert setting.pending() == []


async def test_an_upload_that_has_begun_is_nobody_elses(setting):
    """Whoever sweeps, and whichever process goes on with it."""
    async with HttpClient() as http, HttpClient() as other:
        room = setting.room(setting.open(http))
        uploads = setting.uploads()
        upload = Upload(room, Target(FILE, None))
        session = await uploads.begin(OWNER, plan_of(*PIECES), upload)
        again = setting.room(setting.open(other))
        assert await again.provider.sweep() == 0
        assert list((setting.data / "s3-uploads").iterdir()) == []
        for number, piece in enumerate(PIECES, 1):
            body = ByteStream.of(piece)
            await setting.uploads().put(OWNER, session.id, number, body, room=again)
    assert len(setting.pending()) == 1
