"""What v1 shows is written by hand: it is what objects built in the plain way would be."""

import hashlib
import json
from datetime import UTC, timedelta, timezone
from types import SimpleNamespace
from urllib.parse import quote, unquote

from hypothesis import given
from hypothesis import strategies as st

from waterbutler.core import Entry, Path
from waterbutler.server.v0.render import FlatRenderer
from waterbutler.server.v1.render import Renderer

DOMAIN = "https://files.example:8443/base"
ODD = [
    *('"', "\\", '\\"', '","etag":"x', "<script>", "\n\r\t", "\x01", "\x7f", "\x85"),
    *("\u2028", "é", "e\u0301", "\U0001f600", "%22", "{}", "{name}", "%s", "a b", "a+b", "~"),
]
letters = st.characters(blacklist_categories=("Cs",), blacklist_characters="\0/")
names = st.one_of(st.sampled_from(ODD), st.text(letters, min_size=1, max_size=30)).filter(
    lambda name: name not in {".", ".."}
)
texts = st.one_of(st.none(), st.sampled_from(ODD), st.text(letters, max_size=20))
times = st.one_of(
    st.none(),
    st.datetimes(timezones=st.just(UTC)),
    st.datetimes(timezones=st.just(timezone(timedelta(hours=2)))),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(letters), inner)),
    max_leaves=5,
)
paths = st.builds(
    Path,
    st.lists(names, min_size=1, max_size=4).map(tuple),
    st.booleans(),
)
entries = st.builds(
    Entry,
    path=paths,
    size=st.one_of(st.none(), st.integers(0, 2**63 - 1)),
    modified=times,
    created=times,
    etag=texts,
    content_type=texts,
    hashes=st.dictionaries(st.sampled_from(["md5", "sha256"]), st.text("0123456789abcdef")),
    extra=st.dictionaries(st.one_of(st.just("hashes"), st.text(letters)), values, max_size=3),
)


def room(*, write, make_folder, by_id, provider, resource):
    """A storage as renderers see it; one that goes by ids shows other paths than names."""

    def wire_path(path):
        return Path((quote(path.name[::-1], safe="")[:99],), path.is_folder) if by_id else path

    can = SimpleNamespace(write=write, make_folder=make_folder)
    return SimpleNamespace(
        place=SimpleNamespace(mount=provider, resource=resource),
        provider=SimpleNamespace(capabilities=can, wire_path=wire_path),
    )


rooms = st.builds(
    room,
    write=st.booleans(),
    make_folder=st.booleans(),
    by_id=st.booleans(),
    provider=st.sampled_from(["filesystem", "s3"]),
    resource=st.sampled_from(["demo", "guid0"]),
)


def plain(room, entry):
    """The object of an entry, as the documentation of the API says it."""
    can, path = room.provider.capabilities, entry.path
    wire = room.provider.wire_path(path)
    provider, resource = room.place.mount, room.place.resource
    raw = entry.etag or (f"{path}::{entry.modified}::{entry.size}" if entry.etag is None else "")
    extra = dict(entry.extra)
    if entry.hashes:
        extra.setdefault("hashes", dict(entry.hashes))
    attributes = {
        "extra": extra,
        "kind": "folder" if path.is_folder else "file",
        "name": path.name,
        "path": str(wire),
        "provider": provider,
        "materialized": str(path),
        "etag": hashlib.sha256(f"{provider}::{raw}".encode()).hexdigest(),
        "resource": resource,
        "size": entry.size,
        "sizeInt": entry.size,
    }
    if not path.is_folder:
        modified = entry.modified and entry.modified.isoformat()
        attributes |= {
            "contentType": entry.content_type,
            "modified": modified,
            "modified_utc": modified,
            "created_utc": entry.created and entry.created.isoformat(),
        }
    end = "/" if path.is_folder else ""
    inner = "/".join(quote(name, safe="") for name in wire.names)
    url = f"{DOMAIN}/v1/resources/{resource}/providers/{provider}/{inner}{end}"
    links = {}
    if can.write:
        links = {"move": url, "upload": f"{url}?kind=file", "delete": url}
    if not path.is_folder:
        links["download"] = url
    elif can.make_folder:
        links["new_folder"] = f"{url}?kind=folder"
    return {
        "id": f"{provider}{wire}",
        "type": "files",
        "attributes": attributes,
        "links": links,
    }


@given(rooms, st.lists(entries, min_size=1, max_size=4))
def test_it_is_what_it_should_be(room, listed):
    """Value by value and in this order, whatever was rendered before."""
    renderer = Renderer(room, DOMAIN)
    for entry in listed:
        expected = json.dumps(plain(room, entry))
        assert json.dumps(json.loads(renderer.encoded(entry))) == expected
        assert json.dumps(renderer.entry(entry)) == expected
        assert renderer.attributes(entry) == json.loads(expected)["attributes"]


@given(rooms, entries)
def test_v0_shows_the_same_attributes(room, entry):
    shown = FlatRenderer(room, DOMAIN).entry(entry)
    expected = plain(room, entry)["attributes"]
    gone = {"resource"} | ({"size", "sizeInt"} if entry.is_folder else set())
    assert shown == {key: value for key, value in expected.items() if key not in gone}


@given(rooms, entries)
def test_its_links_lead_to_its_path(room, entry):
    url = Renderer(room, DOMAIN).url(entry.path)
    assert url.isascii()
    tail = url.partition("/providers/")[2].partition("/")[2]
    assert "/" + unquote(tail) == str(room.provider.wire_path(entry.path))
