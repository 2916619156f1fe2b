"""What a page says about what was just done."""

from __future__ import annotations

from waterbutler.server.query import Query

_DONE = {
    "created": "The folder was made.",
    "deleted": "It was deleted.",
    "renamed": "It was renamed.",
    "replaced": "The file has its new content.",
    "signed-out": "You are signed out.",
    "uploaded": "The upload is complete.",
}


def notice(query: Query) -> str:
    """The sentence for a code in the URL; empty for any other, so that nobody writes our pages."""
    return _DONE.get(query.get("done") or "", "")
