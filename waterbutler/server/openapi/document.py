"""The whole document, put together from its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from waterbutler.core import JSON
from waterbutler.server.context import ServerOptions
from waterbutler.server.openapi import gateway, pages, service, v0, v1
from waterbutler.server.openapi.parts import Object, Part
from waterbutler.version import __version__

VERSION = "3.1.0"

MakePart: TypeAlias = Callable[[ServerOptions], Part]

PARTS: tuple[MakePart, ...] = (v1.part, v0.part, pages.part, service.part)
"""One for each dialect; a new dialect adds its own here."""

_ABOUT = """\
One file API in front of many storages.

Every answer carries `X-Waterbutler-Request-Id`; every error is JSON with its status in `code`.
Pages of other origins may use the server as its CORS settings say.
What is not described here answers 404, and other methods 405 with `Allow`."""


def document(options: ServerOptions, *, with_gateway: bool = False) -> Object:
    """The OpenAPI 3.1 document of a server.

    Args:
        options: How the server is set up.
        with_gateway: Whether it serves the storage gateway API, too.
    """
    parts = [make(options) for make in PARTS]
    if with_gateway:
        parts.append(gateway.part())
    tags: list[JSON] = [{"name": part.tag, "description": part.about} for part in parts]
    return {
        "openapi": VERSION,
        "info": {
            "title": "WaterButler",
            "summary": "One file API in front of many storages",
            "description": _ABOUT,
            "version": __version__,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": options.domain}],
        "tags": tags,
        "paths": _union(part.paths for part in parts),
        "components": {
            "schemas": _union(part.schemas for part in parts),
            "responses": _union(part.responses for part in parts),
            "parameters": _union(part.parameters for part in parts),
            "headers": _union(part.headers for part in parts),
            "securitySchemes": _union(part.security for part in parts),
        },
    }


def _union(pieces: Iterable[Object]) -> Object:
    """All of them in one; the same name twice is a mistake in the parts."""
    whole: Object = {}
    for piece in pieces:
        twice = whole.keys() & piece.keys()
        if twice:
            raise ValueError(f"Two parts describe {', '.join(sorted(twice))}.")
        whole |= piece
    return whole
