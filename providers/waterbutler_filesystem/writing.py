"""Writing files: a batch is written and hashed while the next one is being received."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from datetime import datetime

from waterbutler.core import ByteStream, Entry, Path, WriteMode
from waterbutler.core.descriptors import write_all
from waterbutler.core.errors import AlreadyExists
from waterbutler.core.lanes import Lanes, Work
from waterbutler.core.shares import Shares
from waterbutler_filesystem.config import FilesystemSettings
from waterbutler_filesystem.confined import Folder
from waterbutler_filesystem.digests import expect, remember
from waterbutler_filesystem.entries import file_entry, occupant
from waterbutler_filesystem.names import stored_path
from waterbutler_filesystem.root import Root
from waterbutler_filesystem.temporary import Temporary, check_replaceable
from waterbutler_filesystem.threads import Stop, begin, finish

BATCH = 1 << 20
"""How many bytes are written together, and hashed together."""
BEHIND = 2 * BATCH
"""How many bytes may wait to be written or hashed while the next ones come."""
_SHARES = Shares(1 << 22, smallest=1 << 16)
"""What the batches of all uploads have together."""


class Upload:
    """One file on its way; its methods block and are called in threads, one after the other.

    Only `write` and `digest` may run at the same time; each gets everything, in order.
    """

    def __init__(
        self,
        root: Root,
        path: Path,
        mode: WriteMode,
        settings: FilesystemSettings,
        modified: datetime | None = None,
    ) -> None:
        *self._folders, self._name = stored_path(path)
        self._root = root
        self._path = path
        self._mode = mode
        self._settings = settings
        self._modified = modified
        self._file: Temporary | None = None
        # Hashing md5 takes as long as all the rest; it gets a thread of its own.
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()

    def begin(self) -> None:
        """Find out what can be known before the content, and make room for it."""
        with self._root.folder(self._folders, self._path.parent) as folder:
            with contextlib.suppress(FileNotFoundError):
                old = folder.look(self._name)
                if self._mode is WriteMode.CREATE:
                    raise self._taken(folder)
                check_replaceable(old)
            self._file = Temporary(self._root, self._folders, folder)

    def write(self, batch: list[bytes]) -> None:
        """Append to the file."""
        if self._file is None:
            self.begin()
        assert self._file is not None
        if self._settings.hashes:
            for chunk in batch:
                self._sha256.update(chunk)
        write_all(self._file.fd, batch)

    def digest(self, batch: list[bytes]) -> None:
        """Take the batch into the hash that `write` leaves out."""
        for chunk in batch:
            self._md5.update(chunk)

    @property
    def workers(self) -> tuple[Work, ...]:
        """What takes batches."""
        return (self.write, self.digest) if self._settings.hashes else (self.write,)

    def packed(self, batch: list[bytes]) -> list[bytes]:
        """The batch as its workers are soonest done with it.

        A hash takes one piece at a time, and waits for the interpreter after each; joining them is
        quicker. The system takes them as they are.
        """
        return [b"".join(batch)] if self._settings.hashes else batch

    def complete(self, batch: list[bytes], stop: Stop) -> Entry:
        """Append the last batch and give the file its name; on failure nothing is left."""
        try:
            for work in self.workers:
                work(batch)
            return self._publish(stop)
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what was not published; may be called again."""
        if self._file is not None:
            self._file.discard()

    def _publish(self, stop: Stop) -> Entry:
        assert self._file is not None
        file = self._file
        if self._modified is not None:
            # While nobody else can reach the file, and before its hashes are remembered.
            file.set_modified(self._modified)
        if self._settings.fsync:
            os.fsync(file.fd)
        # The folder may be another one by now: the file belongs where the path leads today.
        with self._root.folder(self._folders, self._path.parent) as folder:
            stop.check()
            if not self._settings.hashes:
                self._name_it(file, folder)
                return file_entry(self._path, os.fstat(file.fd), None)
            hashes = {"md5": self._md5.hexdigest(), "sha256": self._sha256.hexdigest()}
            seen = expect(file.fd, hashes, time.time_ns())
            self._name_it(file, folder)
            return file_entry(self._path, *remember(file.fd, hashes, seen))

    def _name_it(self, file: Temporary, folder: Folder) -> None:
        try:
            created = file.publish(folder, self._name, self._mode)
        except FileExistsError:
            raise self._taken(folder) from None
        if not self._settings.fsync:
            return
        try:
            folder.sync()
        except OSError:
            if created:
                os.unlink(self._name, dir_fd=folder.fd)
            raise

    def _taken(self, folder: Folder) -> AlreadyExists:
        entry = occupant(folder, self._name, self._path)
        return AlreadyExists("The name is taken.", entry=entry, path=str(self._path))


async def store(upload: Upload, body: ByteStream) -> Entry:
    """Write all of ``body``; a small one of known size takes one call in a thread.

    Raises:
        OSError, WaterButlerError: It cannot be written; then nothing is left.
    """
    stop = Stop()
    lanes = Lanes(*upload.workers, run=begin)
    batch: list[bytes] = []
    held = 0
    _SHARES.join(upload)
    try:
        if body.size is None or body.size > BATCH:
            await finish(stop, upload.begin)
        async for chunk in body:
            batch.append(chunk)
            held += len(chunk)
            if held >= _SHARES.share(BATCH):
                await lanes.put(upload.packed(batch), _SHARES.share(BEHIND))
                batch, held = [], 0
        await lanes.join()
        return await finish(stop, upload.complete, batch, stop)
    except GeneratorExit:
        # The event loop is gone and nothing can be awaited; the upload drops its file itself.
        raise
    except BaseException:
        await lanes.stop()
        await finish(stop, upload.discard)
        raise
    finally:
        _SHARES.leave(upload)
