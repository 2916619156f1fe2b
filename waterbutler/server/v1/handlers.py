"""What all v1 handlers share."""

from __future__ import annotations

from waterbutler.server.rooms import RoomHandler
from waterbutler.server.v1.commands import Target, parse_target

METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE")


class V1Handler(RoomHandler):
    """A handler of ``/v1/resources/…``."""

    dialect = "v1"
    methods = METHODS

    target: Target

    async def begin(self) -> None:
        """Read the target."""
        self.target = parse_target(self.request.uri or "")
        self.query = self.target.query
