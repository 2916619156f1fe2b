"""The page that shows the document."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import msgspec

from waterbutler.server import conditions
from waterbutler.server.base import JSON_TYPE, Handler
from waterbutler.server.context import ServerOptions
from waterbutler.server.openapi.document import document


@lru_cache(maxsize=4)
def rendered(options: ServerOptions, *, with_gateway: bool) -> tuple[bytes, str]:
    """The document as JSON and its tag without quotes; made once for each set-up."""
    body = msgspec.json.encode(document(options, with_gateway=with_gateway))
    return body, hashlib.sha256(body).hexdigest()


class OpenApiHandler(Handler):
    """What this server serves, in OpenAPI 3.1."""

    async def serve(self) -> None:
        """Show it, or tell the client that it has it already."""
        context = self.context
        body, tag = rendered(context.options, with_gateway=context.gateway is not None)
        # It changes only with the server's version and set-up, but then at once.
        self.set_header("Cache-Control", "public, no-cache")
        self.set_header("ETag", f'"{tag}"')
        if conditions.not_modified(self.request.headers, tag, None):
            self.set_status(304)
            return
        self.set_header("Content-Type", JSON_TYPE)
        self.sent += len(body)
        self.write(body)
