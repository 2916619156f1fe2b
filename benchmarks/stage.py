"""What rows stand on: folders, files and running servers, each made when first asked for."""

from __future__ import annotations

import functools
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Self

from botocore.client import BaseClient

from benchmarks import peers
from benchmarks.load import Request, WrongAnswer, ask
from benchmarks.peers import Peer
from benchmarks.sizes import MIB, Sizes
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, S3Server, seaweedfs

TOKEN = "benchmark-token-of-enough-length"
BUCKET = "first"

CONFIG = """
[server]
port = 0
data = "{data}"
[logging]
level = "{level}"
[users.bench]
token = "{token}"
[resources.demo]
access = {{ bench = "write" }}
[resources.demo.providers.filesystem]
settings = {{ folder = "{files}", fsync = false }}
[resources.demo.providers.plain]
provider = "filesystem"
settings = {{ folder = "{plain}", fsync = false, hashes = false }}
[resources.demo.providers.durable]
provider = "filesystem"
settings = {{ folder = "{durable}" }}
[resources.demo.providers.osfstorage]
[resources.demo.providers.osfstorage.settings.storage]
provider = "filesystem"
folder = "{blobs}"
fsync = false
hashes = false
"""
"""No peer waits for the disk, so most of these mounts do not either; ``durable`` does."""
S3_MOUNT = """
[resources.demo.providers.s3]
settings = {{ bucket = "{bucket}", endpoint_url = "{url}", dialect = "seaweedfs" }}
credentials = {{ access_key = "{access}", secret_key = "{secret}" }}
"""


class Stage:
    """Where something is measured.

    Args:
        folder: Gets all files; on the disk that is measured.
        sizes: How much is measured.
    """

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self.folder = folder
        self.sizes = sizes
        self._stack = ExitStack()
        self.files, self.plain, self.durable, self.blobs, self.served = (
            self._make(name) for name in ("files", "plain", "durable", "blobs", "served")
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @functools.cached_property
    def ours(self) -> Peer:
        """The server of this project, one worker."""
        return self._stack.enter_context(self.server())

    @functools.cached_property
    def ours_with_s3(self) -> Peer:
        """The same with the mount ``s3`` besides."""
        return self._stack.enter_context(self.server(s3=self.s3.url))

    @functools.cached_property
    def nginx(self) -> Peer:
        """Serves `files` and takes uploads there."""
        return self._stack.enter_context(peers.nginx(self.folder / "nginx", self.files))

    @functools.cached_property
    def nginx_before_s3(self) -> Peer:
        """Passes everything on to the S3 server."""
        proxy = peers.nginx_before(self.folder / "proxy", self.s3.url)
        return self._stack.enter_context(proxy)

    @functools.cached_property
    def rclone(self) -> Peer:
        """Serves `served` by WebDAV."""
        return self._stack.enter_context(peers.rclone_webdav(self.served))

    @functools.cached_property
    def bare(self) -> Peer:
        """Tornado with nothing on it."""
        return self._stack.enter_context(peers.bare_tornado(self.ten))

    @functools.cached_property
    def s3(self) -> S3Server:
        """SeaweedFS, with as much memory as it is quick with; it ends with this process."""
        return seaweedfs("4GiB")

    @functools.cached_property
    def s3_client(self) -> BaseClient:
        """Boto3, as somebody else would use it; making one takes as long as many requests."""
        return self.s3.client()

    @functools.cached_property
    def ten(self) -> Path:
        """A file of 10 KiB, which all servers of files have."""
        path = self.files / "ten.bin"
        path.write_bytes(os.urandom(10 * 1024))
        return path

    @functools.cached_property
    def large(self) -> Path:
        """The large file, which all servers of files have."""
        return fill(self.files / "large.bin", self.sizes.large)

    def server(
        self, *options: str, s3: str = "", level: str = "warning", wait: bool = True
    ) -> AbstractContextManager[Peer]:
        """A server of this project with all its mounts.

        Args:
            options: Given to it besides.
            s3: The S3 server of the mount ``s3``, if there is to be one.
            level: The least that is logged; requests are at ``info``.
            wait: Let what belongs to the start be over before anything is measured.
        """
        data = self._make(f"data-{secrets.token_hex(4)}")
        text = CONFIG.format(
            data=data,
            token=TOKEN,
            level=level,
            files=self.files,
            plain=self.plain,
            durable=self.durable,
            blobs=self.blobs,
        )
        if s3:
            keys = {"access": ACCESS_KEY, "secret": SECRET_KEY}
            text += S3_MOUNT.format(bucket=BUCKET, url=s3, **keys)
        config = data / "config.toml"
        config.write_text(text)
        return peers.waterbutler("--config", str(config), *options, wait=wait)

    @contextmanager
    def memory_server(self, *, s3: bool = False) -> Iterator[Peer]:
        """A server whose memory nothing has grown so far, where the sizes ask for that."""
        if not self.sizes.fresh:
            yield self.ours_with_s3 if s3 else self.ours
            return
        with self.server(s3=self.s3.url if s3 else "") as server:
            yield server

    def settle(self) -> None:
        """Let the disk come to rest, so that nobody pays for what another one wrote."""
        if self.sizes.settle:
            os.sync()

    def entries(self, name: str, count: int) -> Path:
        """A folder of empty files in `files`."""
        folder = self.files / name
        if not folder.exists():
            folder.mkdir()
            for number in range(count):
                os.close(os.open(folder / f"{number:07d}.txt", os.O_CREAT | os.O_WRONLY))
        return folder

    def members(self, name: str, count: int, size: int) -> Path:
        """A folder of files in `files`, with names of what is compressed already."""
        folder = self.files / name
        if not folder.exists():
            folder.mkdir()
            for number in range(count):
                (folder / f"{number:04d}.jpg").write_bytes(os.urandom(size))
        return folder

    def _make(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(parents=True)
        return folder


def mount(server: Peer, name: str) -> str:
    """The address of a mount, without a slash at the end."""
    return f"{server.url}/v1/resources/demo/providers/{name}"


def get(server: Peer, name: str, path: str) -> Request:
    """A download from a mount; ``path`` may have a query."""
    return Request(f"{mount(server, name)}/{path}", TOKEN)


def put(server: Peer, name: str, file: str, source: Path) -> Request:
    """An upload of a new file into the root of a mount."""
    url = f"{mount(server, name)}/?kind=file&name={file}"
    return Request(url, TOKEN, method="PUT", source=source)


def fill(path: Path, size: int) -> Path:
    """Make a file that cannot be compressed."""
    block = os.urandom(MIB)
    with path.open("wb") as file:
        for start in range(0, size, MIB):
            file.write(block[: size - start])
    return path


def renew(path: Path) -> None:
    """Make the content another one, so that nobody has it already."""
    with path.open("r+b") as file:
        file.write(os.urandom(16))


def take(path: Path, size: int) -> None:
    """Remove what an upload stored; raises `WrongAnswer` if it is not what was sent."""
    stored = path.stat().st_size
    path.unlink()
    if stored != size:
        raise WrongAnswer(f"{path.name}: {stored} of {size} bytes are stored")


def empty(folder: Path) -> None:
    """Remove what is in a folder."""
    for child in folder.iterdir():
        if child.is_dir():
            shutil.rmtree(child)
        else:
            child.unlink()


def delete(server: Peer, name: str, path: str) -> None:
    """Delete something through the server."""
    ask(Request(f"{mount(server, name)}/{path}", TOKEN, method="DELETE"))
