"""The style sheet and the icon."""

from __future__ import annotations

import hashlib
from pathlib import Path

from waterbutler.core.errors import NotFound
from waterbutler.server.base import Handler

PREFIX = "/static/"

_TYPES = {".css": "text/css; charset=UTF-8", ".svg": "image/svg+xml"}
_FILES = {
    file.name: (_TYPES[file.suffix], file.read_bytes())
    for file in (Path(__file__).parent / "static").iterdir()
    if file.suffix in _TYPES
}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""An icon that is opened by itself may be styled and do nothing else."""


def static_url(name: str) -> str:
    """The URL of a file, which changes when the file does."""
    return f"{PREFIX}{name}?{hashlib.sha256(_FILES[name][1]).hexdigest()[:12]}"


class StaticFileHandler(Handler):
    """What pages are dressed with; it comes with this package and is the same for everybody."""

    dialect = "page"

    async def serve(self) -> None:
        """Send the file; a browser may keep it, since its URL changes when it does."""
        name = self.request.path.removeprefix(PREFIX)
        if name not in _FILES:
            raise NotFound("There is nothing at this URL.")
        kind, body = _FILES[name]
        self.set_header("Content-Type", kind)
        self.set_header("Content-Security-Policy", _POLICY)
        is_current = static_url(name).endswith(f"?{self.request.query}")
        lasting = "public, max-age=31536000, immutable"
        self.set_header("Cache-Control", lasting if is_current else "no-cache")
        self.sent += len(body)
        self.write(body)
