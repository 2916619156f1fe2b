"""POST and DELETE."""

from __future__ import annotations

from waterbutler.server import changes
from waterbutler.server.documents import Transfer
from waterbutler.server.v1.commands import confirms, parse_post
from waterbutler.server.v1.handlers import V1Handler


class TransferHandler(changes.TransferHandler, V1Handler):
    """Copies, moves and renames."""

    def parse(self, body: bytes) -> Transfer:
        """See `changes.TransferHandler.parse`."""
        return parse_post(self.target, body)


class DeleteHandler(changes.RemovingHandler, V1Handler):
    """Deletes."""

    async def serve(self) -> None:
        """Delete a file or folder, or empty a root if that was confirmed."""
        await self.remove(self.target.place, confirmed=confirms(self.query))
