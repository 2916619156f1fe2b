"""New files, and new contents of files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from waterbutler.core import JSON, Action, ByteStream
from waterbutler.core.errors import InvalidRequest
from waterbutler.server.digests import verified
from waterbutler.server.gateway.base import GatewayHandler
from waterbutler.server.gateway.documents import Wanted, read_upload
from waterbutler.server.gateway.vocabulary import Operation
from waterbutler.server.incoming import Incoming
from waterbutler.server.uploads import BodyHandler, Stored
from waterbutler.service import always


class UploadHandler(BodyHandler, GatewayHandler):
    """``…metadata_file``, and the update of ``…metadata``."""

    _wanted: Wanted
    _answer: dict[str, JSON]

    async def begin(self) -> None:
        """Decide whether the body is wanted, and start storing it."""
        await super().begin()
        self._wanted = self._read_header()
        self._check_size(self._wanted.size or 0)
        self._incoming = Incoming(self._take)
        await self._incoming.start()

    async def serve(self) -> None:
        """The body is complete: wait for the storage, and answer."""
        assert self._incoming is not None
        await self._incoming.finish()
        self.write_json(self._answer)

    def _read_header(self) -> Wanted:
        """What the client says of the file, which must fit to what it sends.

        Raises:
            InvalidRequest: It does not, or the name is missing.
        """
        wanted = read_upload(self.request.headers, self.route.words)
        size = self.declared_size if self.declared_body else 0
        if wanted.size is None:
            wanted = replace(wanted, size=size)
        elif size is not None and size != wanted.size:
            raise InvalidRequest("The body does not have the size that the header promises.")
        if self.operation is Operation.UPLOAD and wanted.name is None:
            raise InvalidRequest("The name of the new file is missing.")
        return wanted

    async def _take(self, body: ByteStream, ready: Callable[[], None]) -> Stored:
        wanted, butler = self._wanted, self.context.butler
        new = self.operation is Operation.UPLOAD
        action = Action.CREATE_FILE if new else Action.UPDATE_FILE
        with self.context.state.working():
            async with self.visit(self.target, action) as room:
                await self.require(room, folder=new)
                upload = await butler.begin_upload(
                    room, wanted.name if new else None, always, modified=wanted.modified
                )
                ready()
                digests = {"sha256": bytes.fromhex(wanted.sha256)} if wanted.sha256 else {}
                checked = verified(exactly(body, wanted.size), digests)
                entry = await butler.finish_upload(upload, checked, always)
                happened = "create" if upload.created else "update"
                self.note(happened, room, self.item(room, entry))
                self._answer = self.shown(room, entry)
                return Stored(entry, upload.created)


def exactly(body: ByteStream, size: int | None) -> ByteStream:
    """The body, refused as a bad request if it does not have the size that was promised."""
    if size is None:
        return body

    async def chunks() -> AsyncIterator[bytes]:
        received = 0
        async for chunk in body:
            received += len(chunk)
            if received > size:
                raise InvalidRequest(f"The body has more than the promised {size} bytes.")
            yield chunk
        if received < size:
            raise InvalidRequest(f"The body has {received} of the promised {size} bytes.")

    return ByteStream(chunks(), size=size, close=body.aclose)
