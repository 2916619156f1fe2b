"""The provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path as FsPath
from typing import ClassVar

from waterbutler.core import (
    ByteRange,
    ByteStream,
    Capabilities,
    Content,
    Entry,
    Noted,
    Path,
    Provider,
    SentPart,
    StorageInfo,
    Version,
    WriteMode,
)
from waterbutler.core.disposition import attachment
from waterbutler.core.errors import (
    AlreadyExists,
    BadPath,
    IsAFolder,
    NotFound,
    RangeNotSatisfiable,
    Unsupported,
)
from waterbutler.http import HttpClient, Reply
from waterbutler.plugins import Context, Mount
from waterbutler_s3.assembling import PARTS, Assembly
from waterbutler_s3.bucket import Bucket, Patience
from waterbutler_s3.config import S3Credentials, S3Settings, understand
from waterbutler_s3.entries import from_headers
from waterbutler_s3.listing import PAGE, child, has_any, pages, versions
from waterbutler_s3.options import WriteOptions
from waterbutler_s3.parts import abort_begun
from waterbutler_s3.reading import ask, part_of
from waterbutler_s3.removal import delete_below, delete_key
from waterbutler_s3.signing import Keys, Query, Signer
from waterbutler_s3.taking import Side, take
from waterbutler_s3.transfer import Copier
from waterbutler_s3.unfinished import Unfinished
from waterbutler_s3.writing import MAX_SIZE, Writer

LONGEST_LINK = timedelta(days=7)
"""No signature is valid for longer."""
_LATEST = "Latest"
"""What older clients call the version of today."""


class S3Provider(Provider):
    """A bucket, or a folder in it.

    Folders are what keys have in common up to a slash. A folder that was made is kept by an empty
    object whose key ends with the slash; one that was not is gone with its last file. Keys that no
    path can name are not shown; deleting and copying a folder takes them along.

    Args:
        name: The name that the provider is registered under.
        settings: Which bucket, and how to write into it.
        credentials: What to sign with.
        http: Sends the requests.
        label: The mount in words.
        patience: How long temporary failures are put up with.
        page_size: How many keys to ask for at a time.
        data: The folder for notes of what is under way, and for what memory has no room for.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(  # type: ignore[misc]
        write=True,
        make_folder=True,
        copy_from=True,
        move_from=True,
        versions=True,
        sign=True,
        exclusive_create=True,
        duplicate_names=True,
        empty_folders=False,
        max_file_size=MAX_SIZE,
        parts=PARTS,
    )

    def __init__(
        self,
        name: str,
        settings: S3Settings,
        credentials: S3Credentials,
        http: HttpClient,
        label: str,
        patience: Patience | None = None,
        page_size: int = PAGE,
        data: FsPath | None = None,
    ) -> None:
        setup = understand(settings, credentials)
        place = setup.place
        keys = Keys.of(credentials)
        self.info = StorageInfo(name, f"{place}/{setup.prefix}", label)
        self._prefix = setup.prefix
        self._unusable = setup.dialect.unusable
        self._page_size = page_size
        self._bucket = Bucket(
            http, Signer(keys), place, setup.region, label, setup.dialect, patience
        )
        notes = data / "s3-uploads" if data is not None else None
        self._unfinished = Unfinished(notes, self.info.root, partial(abort_begun, self._bucket))
        options = WriteOptions.of(settings, self._unfinished, data)
        self._writer = Writer(self._bucket, options)
        self._copier = Copier(self._bucket, self._writer, options)
        keeps = setup.dialect.versions if settings.versions is None else settings.versions
        self.capabilities = replace(  # type: ignore[misc]
            type(self).capabilities,
            versions=keeps,
            sign=keys is not None,
            exclusive_create=setup.dialect.exclusive_create,
            parts=replace(PARTS, equal=setup.dialect.equal_parts),
        )

    @classmethod
    def open(cls, mount: Mount, context: Context) -> S3Provider:
        """Open a bucket without asking for it.

        Raises:
            ConfigInvalid: The settings or credentials make no sense.
        """
        label = f"{mount.provider} {mount.name}".strip()
        settings, credentials = mount.config(S3Settings), mount.secrets(S3Credentials)
        return cls(*(mount.provider, settings, credentials, context.http, label), data=context.data)

    # -- looking -------------------------------------------------------------------------------

    async def stat(self, path: Path, *, version: str | None = None) -> Entry:
        """See `Provider.stat`; the root is described without asking."""
        if path.is_folder:
            if version is not None:
                raise NotFound("Folders have no versions.", path=str(path))
            if not path.is_root and not await has_any(
                self._bucket, self._key(path), path=str(path)
            ):
                raise NotFound("There is no such folder.", path=str(path))
            return Entry(path=path)
        reply = await self._get("HEAD", path, version)
        await reply.aclose()
        return from_headers(path, reply.headers)

    async def list(self, path: Path) -> AsyncIterator[Entry]:
        """See `Provider.list`."""
        if not path.is_folder:
            raise NotFound("Only folders have entries.", path=str(path))
        prefix = self._key(path)
        is_empty = not path.is_root
        listing = pages(self._bucket, prefix, delimiter=True, size=self._page_size)
        async with aclosing(listing) as found:
            async for page in found:
                if is_empty and not page.objects and not page.prefixes:
                    raise NotFound("There is no such folder.", path=str(path))
                is_empty = False
                for key in page.prefixes:
                    folder = child(path, prefix, key)
                    if folder is not None:
                        yield Entry(path=folder)
                for item in page.objects:
                    file = child(path, prefix, item.key)
                    if file is not None:
                        yield item.entry(file)

    async def read(
        self, path: Path, *, range: ByteRange | None = None, version: str | None = None
    ) -> Content:
        """See `Provider.read`."""
        if path.is_folder:
            raise IsAFolder("A folder has no content.", path=str(path))
        if range is None:
            reply = await self._get("GET", path, version)
            return Content(reply.body, from_headers(path, reply.headers))
        if range.suffix == 0:
            entry = await self.stat(path, version=version)
            raise RangeNotSatisfiable("No bytes were asked for.", total=entry.size or 0)
        reply = await self._get("GET", path, version, range)
        try:
            return part_of(path, reply, range)
        except BaseException:
            await reply.aclose()
            raise

    async def versions(self, path: Path) -> AsyncIterator[Version]:
        """See `Provider.versions`; of a bucket that keeps none, the file as it is."""
        self._need_versions(path)
        if path.is_folder:
            raise IsAFolder("Folders have no versions.", path=str(path))
        is_there = False
        async with aclosing(versions(self._bucket, self._key(path), size=self._page_size)) as found:
            async for item in found:
                if item.is_latest and item.is_deletion:
                    break
                is_there = True
                if not item.is_deletion:
                    yield Version(id=item.version or "null", modified=item.modified, size=item.size)
        if not is_there:
            raise NotFound("There is no such file.", path=str(path))

    async def sign(
        self,
        path: Path,
        *,
        version: str | None = None,
        filename: str | None = None,
        expires: timedelta = timedelta(minutes=5),
    ) -> str:
        """See `Provider.sign`; the storage is not asked, and links live for a week at most."""
        if not self.capabilities.sign:
            raise self._unsupported("sign")
        if path.is_folder:
            raise IsAFolder("A folder has no content.", path=str(path))
        query = self._version_query(path, version)
        if filename is not None:
            query = (*query, ("response-content-disposition", attachment(filename)))
        seconds = max(1, int(min(expires, LONGEST_LINK).total_seconds()))
        return self._bucket.link(self._key(path), query, seconds)

    async def check(self) -> None:
        """Prove that the bucket can be listed.

        Raises:
            ConfigInvalid: The bucket, the keys, the region or the clock is wrong.
            Forbidden: The keys may not list it.
        """
        await has_any(self._bucket, self._prefix)

    # -- changing ------------------------------------------------------------------------------

    async def write(
        self,
        path: Path,
        body: ByteStream,
        *,
        mode: WriteMode = WriteMode.REPLACE,
        content_type: str | None = None,
        modified: datetime | None = None,  # noqa: ARG002 - S3 sets its own
    ) -> Entry:
        """See `Provider.write`."""
        if path.is_folder:
            raise IsAFolder("Only files are written.", path=str(path))
        return await self._writer.store(path, self._key(path), body, mode, content_type)

    async def described(self, written: Entry) -> Entry:
        """See `Provider.described`; what was copied or put together is complete."""
        if written.path.is_folder or written.modified is not None:
            return written
        return await self._writer.described(self._key(written.path), written)

    async def delete(self, path: Path) -> None:
        """See `Provider.delete`; a bucket with versions keeps the old ones."""
        key = self._key(path)
        if not path.is_folder:
            # Only the look can be repeated from outside, and the whole is not.
            await self._bucket.patiently(lambda: self.stat(path))
            await delete_key(self._bucket, key, path=str(path))
        elif path.is_root:
            await delete_below(self._bucket, key, spare=key)
        elif not await delete_below(self._bucket, key):
            raise NotFound("There is no such folder.", path=str(path))

    async def make_folder(self, path: Path) -> Entry:
        """See `Provider.make_folder`: writes an empty object whose key ends with a slash."""
        if path.is_root or await has_any(self._bucket, self._key(path), path=str(path)):
            raise AlreadyExists("There is such a folder.", entry=Entry(path=path), path=str(path))
        await self._writer.put_marker(path, self._key(path), exclusive=True)
        return Entry(path=path)

    async def copy_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.copy_from`: from any bucket of the same server with the same keys."""
        return await self._take(source, at, to, mode, keep=True)

    async def move_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """See `Provider.move_from`: copies, and then deletes what was copied."""
        return await self._take(source, at, to, mode, keep=False)

    async def begin_parts(self, path: Path, *, size: int, noted: Noted | None = None) -> str:
        """See `Provider.begin_parts`."""
        return await self._assembly(path).begin(size, noted)

    async def put_part(
        self, path: Path, upload: str, number: int, body: ByteStream, *, sha256: str
    ) -> SentPart:
        """See `Provider.put_part`; the digest is a part of the signature."""
        return await self._assembly(path, upload).put(number, body, sha256)

    async def finish_parts(
        self,
        path: Path,
        upload: str,
        parts: Sequence[SentPart],
        *,
        mode: WriteMode = WriteMode.REPLACE,
        modified: datetime | None = None,  # noqa: ARG002 - S3 sets its own
    ) -> Entry:
        """See `Provider.finish_parts`."""
        return await self._assembly(path, upload).finish(parts, mode)

    async def abort_parts(self, path: Path, upload: str) -> None:
        """See `Provider.abort_parts`."""
        await self._assembly(path, upload).abort()

    async def sweep(self) -> int:
        """See `Provider.sweep`; uploads in parts that processes of this server began."""
        return await self._unfinished.sweep()

    # -- helpers -------------------------------------------------------------------------------

    def _key(self, path: Path) -> str:
        if path.is_root:
            return self._prefix
        names = "/".join(path.names)
        if any(letter in names for letter in self._unusable):
            raise BadPath("The storage cannot have such a name.", path=str(path))
        return f"{self._prefix}{names}/" if path.is_folder else self._prefix + names

    def _assembly(self, path: Path, upload: str = "") -> Assembly:
        return Assembly(self._bucket, self._writer, path, self._key(path), upload)

    def _need_versions(self, path: Path) -> None:
        if not self.capabilities.versions:
            raise Unsupported(f"{self.info.label} keeps no versions.", path=str(path))

    def _version_query(self, path: Path, version: str | None) -> Query:
        if version is None:
            return ()
        self._need_versions(path)
        return () if version == _LATEST else (("versionId", version),)

    async def _get(
        self, method: str, path: Path, version: str | None, range: ByteRange | None = None
    ) -> Reply:
        query = self._version_query(path, version)
        return await ask(self._bucket, method, self._key(path), path, query, range)

    def _side(self, path: Path) -> Side:
        return Side(self._bucket, path, self._key(path))

    async def _take(
        self, source: Provider, at: Path, to: Path, mode: WriteMode, *, keep: bool
    ) -> Entry:
        other = source.unwrapped
        if not isinstance(other, S3Provider):
            raise Unsupported("Only buckets can be copied from.")
        there = other._side(at)  # noqa: SLF001 - the same class
        return await take(self._copier, there, self._side(to), mode, keep=keep)
