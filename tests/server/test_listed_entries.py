"""Entries in listings are written by filling in a text: it must be what the document is."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waterbutler.core import ROOT, Entry, Path
from waterbutler.server.v0.render import FlatRenderer
from waterbutler.server.v1.render import Renderer
from waterbutler.service import Place, Room
from waterbutler.testing.memory import MemoryProvider

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
LEGAL = NAMES.filter(lambda name: name not in {".", ".."} and len(name.encode()) < 256)
TIMES = st.none() | st.datetimes(timezones=st.just(UTC))
VALUES = st.none() | st.booleans() | st.integers(-1000, 1000) | st.text()
ENTRIES = st.builds(
    Entry,
    path=st.builds(Path, st.lists(LEGAL, min_size=1, max_size=3).map(tuple), st.booleans()),
    size=st.none() | st.integers(0, 1 << 60),
    modified=TIMES,
    created=TIMES,
    etag=st.none() | st.text(),
    content_type=st.none() | st.text(),
    hashes=st.dictionaries(st.sampled_from(["md5", "sha256"]), st.text("0123456789abcdef")),
    extra=st.dictionaries(st.text(), VALUES),
)


@pytest.mark.parametrize("kind", [Renderer, FlatRenderer])
@given(entries=st.lists(ENTRIES, max_size=4))
def test_a_listed_entry_is_the_entry(kind, entries):
    room = Room(Place("guid0", "100%s", ROOT), None, MemoryProvider(), ROOT)
    renderer = kind(room, "https://files.example.org")
    for entry in entries:
        assert msgspec.json.decode(renderer.encoded(entry)) == renderer.entry(entry)


@pytest.mark.parametrize("name", ["100% sure.txt", "%(name)s", 'quo"te\\', "~name~blank~", "日本"])
def test_odd_names(name):
    room = Room(Place("guid0", "memory", ROOT), None, MemoryProvider(), ROOT)
    renderer = Renderer(room, "https://files.example.org")
    for folder in (False, True):
        moment = datetime(2026, 1, 2, tzinfo=UTC)
        entry = Entry(path=Path((name,), folder), size=3, modified=moment)
        assert msgspec.json.decode(renderer.encoded(entry)) == renderer.entry(entry)
