"""URLs of the pages: read strictly, and written so that they stay on this server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote, urlencode

from waterbutler.core import Path
from waterbutler.core.errors import InvalidRequest, NotFound
from waterbutler.server.query import Query, decode, parse_path
from waterbutler.server.v1.commands import Target
from waterbutler.server.v1.render import encode_path
from waterbutler.service import Place

HOME = "/"

_TARGET = re.compile(r"/files/([^/]*)/([^/]*)(/.*)?")
_WORD = re.compile(r"\w+")
_NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})


def parse_target(uri: str) -> Target:
    """Read the raw target of a request; a storage without a path is its root.

    Raises:
        NotFound: It is no URL of a file or folder.
        InvalidRequest: A name or a parameter is bad.
    """
    raw_path, _, raw_query = uri.partition("?")
    match = _TARGET.fullmatch(raw_path)
    if match is None:
        raise NotFound("There is nothing at this URL.")
    resource, mount = decode(match[1]), decode(match[2])
    if not _WORD.fullmatch(resource) or not _WORD.fullmatch(mount):
        raise NotFound("There is nothing at this URL.")
    return Target(Place(resource, mount, parse_path(match[3] or "/")), Query(raw_query))


class Links:
    """Makes the links of one request's pages.

    Args:
        view_only: The key of a view-only link, which all further links keep.
    """

    def __init__(self, view_only: str | None) -> None:
        self.view_only = view_only or None
        self._kept = {"view_only": view_only} if view_only else {}

    def home(self, parameters: Mapping[str, str] = _NO_PARAMETERS) -> str:
        """The page with all storages."""
        return self._join(HOME, parameters)

    def at(
        self,
        place: Place,
        path: Path | None = None,
        parameters: Mapping[str, str] = _NO_PARAMETERS,
    ) -> str:
        """The page of a folder, or a file itself.

        Args:
            place: A place of the storage.
            path: Another path of the same storage, as its URL has it; ``None``: the place's.
            parameters: What stands in the query besides.
        """
        names = f"/files/{quote(place.resource)}/{quote(place.mount)}"
        return self._join(names + encode_path(path or place.path), parameters)

    def onward(self, wanted: str | None) -> str:
        """Where to go after signing in: a page of this server, whatever was wanted."""
        try:
            target = parse_target((wanted or "").partition("?")[0])
        except (NotFound, InvalidRequest):
            return self.home()
        return self.at(target.place)

    def _join(self, path: str, parameters: Mapping[str, str]) -> str:
        query = urlencode({**self._kept, **parameters})
        return f"{path}?{query}" if query else path
