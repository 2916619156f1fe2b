"""What v0 shows: flat objects without links."""

from __future__ import annotations

from typing import Any

import msgspec

from waterbutler.core import Entry, Version
from waterbutler.server.v1 import render

_SIZES = ("size", "sizeInt")


class FlatRenderer(render.Renderer):
    """Renders what v1 has in ``attributes``, but for the resource and the size of folders."""

    def entry(self, entry: Entry) -> dict[str, Any]:
        """The object of a file or folder."""
        shown = self.attributes(entry)
        del shown["resource"]
        if entry.is_folder:
            for name in _SIZES:
                del shown[name]
        return shown

    def encoded(self, entry: Entry) -> bytes:
        """See `Renderer.encoded`."""
        return msgspec.json.encode(self.entry(entry))

    def document(self, entry: Entry) -> dict[str, Any]:
        """See `Renderer.document`."""
        return self.entry(entry)

    def child(self, entry: Entry) -> dict[str, Any]:
        """See `Renderer.child`."""
        return self.entry(entry)

    def around_children(self, folder: Entry) -> tuple[bytes, bytes]:
        """See `Renderer.around_children`."""
        head = msgspec.json.encode(self.entry(folder))
        return head[: -len(b"}")] + b',"children":[', b"]}"

    def version(self, version: Version) -> dict[str, Any]:
        """The object of a version."""
        attributes: dict[str, Any] = super().version(version)["attributes"]
        return attributes
