"""What all tables of the file have in common."""

from __future__ import annotations

import msgspec
from msgspec import Meta

from waterbutler.settings.redaction import HIDDEN, redacted

SECRET = {"secret": True}
"""Marks a field whose value is never shown; stands in ``Meta(extra=…)``."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the file; its ``repr`` hides secrets."""

    def __repr__(self) -> str:
        parts = []
        for about in msgspec.structs.fields(self):
            value = getattr(self, about.name)
            shown = HIDDEN if is_secret(about) and value else redacted(about.name, value)
            parts.append(f"{about.name}={shown!r}")
        return f"{type(self).__name__}({', '.join(parts)})"


def is_secret(about: msgspec.structs.FieldInfo) -> bool:
    """Whether a field was marked as secret."""
    notes = getattr(about.type, "__metadata__", ())
    return any(note.extra == SECRET for note in notes if isinstance(note, Meta))
