"""Targets: what requests are read with."""

from contextlib import suppress
from datetime import UTC, datetime

from tornado.httputil import HTTPHeaders

from waterbutler.core import Entry, Path
from waterbutler.core.errors import BadPath, RangeNotSatisfiable, WaterButlerError
from waterbutler.server import conditions, digests, disposition, paging, query
from waterbutler.server.v0 import commands as v0
from waterbutler.server.v1 import commands as v1
from waterbutler.server.v1.render import encode_path
from waterbutler.server.web import links
from waterbutler.server.web.forms import parse_form
from waterbutler.server.web.multipart import Field, FileData, FileEnd, FileStart, FormReader
from waterbutler.server.web.pages import prefers_html

MODIFIED = datetime(2020, 1, 1, tzinfo=UTC)
ENTRY = Entry(path=Path.parse("/a"), size=10, modified=MODIFIED, etag="x")


def headers_of(data: bytes) -> HTTPHeaders:
    """Lines as a server hands out headers: Latin-1, no control characters, names as they come."""
    headers = HTTPHeaders()
    for line in data.decode("latin-1").split("\n"):
        name, _, value = line.partition(":")
        value = "".join(char for char in value if char == "\t" or " " <= char != "\x7f").strip()
        if name.isascii() and name.replace("-", "").isalnum():
            headers.add(name, value)
    return headers


def uri_of(data: bytes) -> str:
    """A target as a server hands it out: Latin-1, without blanks and control characters."""
    return "".join(char for char in data.decode("latin-1") if " " < char != "\x7f")


def sound(path: Path) -> None:
    """Fails if a path has a name that no path may have, or is not what it says."""
    for name in path.names:
        assert name not in {"", ".", ".."}
        assert not {"/", "\0"} & set(name)
        assert len(name.encode()) <= 255
    assert Path.parse(str(path)) == path
    assert query.parse_path(encode_path(path)) == path


def fuzz_paths(data: bytes) -> None:
    """Paths as text, as a part of a URL, and what is made of them."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(BadPath):
        path = Path.parse(text)
        assert str(path) == text
        sound(path)
        for other in [path.candidate(1), path.candidate(10**6)] if path.names else []:
            sound(other)
            assert other.parent == path.parent
    with suppress(WaterButlerError):
        sound(query.parse_path(uri_of(data)))


def fuzz_urls(data: bytes) -> None:
    """Targets of version 0 and 1 and of pages, with their queries."""
    uri = uri_of(data)
    for prefix, parse in (
        ("", v1.parse_target),
        ("/v1/resources/a/providers/b/", v1.parse_target),
        ("", v0.parse_target),
        ("/file?nid=a&provider=b&path=", v0.parse_target),
        ("", links.parse_target),
        ("/files/a/b/", links.parse_target),
    ):
        with suppress(WaterButlerError):
            target = parse(prefix + uri)
            sound(target.place.path)
            read(target)


def read(target: v1.Target) -> None:
    """Everything that a target can mean."""
    v1.parse_read(target)
    v1.version_of(target.query)
    v1.confirms(target.query)
    for find in (
        lambda: v1.parse_put(target, body=False),
        lambda: v0.stays_here(target.query),
        lambda: v0.check_file(target.place.path),
        lambda: v0.check_new_folder(target.place.path, body=False),
    ):
        with suppress(WaterButlerError):
            find()
    with suppress(WaterButlerError):
        asked = paging.parse_paging(target.query)
        if asked is not None:
            assert asked.size is None or 1 <= asked.size <= paging.MAX_PAGE
            assert asked.after is None or (asked.key(ENTRY) < asked.after) in {True, False}
            assert asked.cursor(ENTRY)


def fuzz_onward(data: bytes) -> None:
    """Where to go after signing in stays on this server."""
    place = links.Links(None).onward(data.decode("utf-8", "surrogateescape"))
    assert place.startswith("/")
    assert not place.startswith(("//", "/\\"))
    assert place.isascii()
    assert place.isprintable()


def fuzz_documents(data: bytes) -> None:
    """Bodies that say what to copy or move."""
    target = v1.parse_target("/v1/resources/a/providers/b/c")
    with suppress(WaterButlerError):
        found = v1.parse_post(target, data)
        if found.folder is not None:
            sound(found.folder.path)
    with suppress(WaterButlerError):
        ops = v0.parse_ops("copy", data)
        sound(ops.transfer.source.path)


def fuzz_conditions(data: bytes) -> None:
    """Headers of conditions, ranges and digests."""
    headers = headers_of(data)
    with suppress(WaterButlerError):
        conditions.check(headers, "x", MODIFIED)
    with suppress(WaterButlerError):
        conditions.check_write(headers, ENTRY, "x")
    conditions.not_modified(headers, "x", MODIFIED)
    conditions.range_applies(headers, "x", MODIFIED)
    range = conditions.parse_range(headers.get("Range"))
    if range is not None:
        assert conditions.parse_range(range.header()) == range
        with suppress(RangeNotSatisfiable):
            span = range.resolve(10)
            assert 0 <= span.start < span.stop <= span.total == 10
    with suppress(WaterButlerError):
        digests.expected(headers)
    shown = digests.shown({"md5": "00", "sha256": "00"}, headers.get("Want-Repr-Digest"))
    assert shown is None or (shown.isascii() and shown.isprintable())
    prefers_html(headers.get("Accept", ""))


def fuzz_dispositions(data: bytes) -> None:
    """Names become headers that end where they should."""
    name = data.decode("utf-8", "surrogateescape")
    for value in (disposition.attachment(name), disposition.content_type(name, name)):
        assert value.isascii()
        assert value.isprintable()
    quoted = disposition.attachment(name).partition('filename="')[2].partition('"; filename*=')[0]
    assert '"' not in quoted.replace("\\\\", "").replace('\\"', "")


def fuzz_forms(data: bytes) -> None:
    """Small forms, and forms with files, whose chunks may end anywhere."""
    with suppress(WaterButlerError):
        parse_form(data)
    first, _, body = data.partition(b"\n")
    kind = first.decode("latin-1")
    whole, pieces = events(kind, [body]), events(kind, [bytes([byte]) for byte in body])
    # What stands before the first boundary is skipped or refused, depending on where chunks end.
    begins = body.lstrip(b"\r\n").startswith(b"--")
    refused = whole is None or pieces is None
    assert whole == pieces or (refused and not begins)


def events(kind: str, chunks: list[bytes]) -> list[object] | None:
    """What a form says, with the data of each file in one; ``None`` if it is wrong or not whole."""
    found: list[object] = []
    try:
        form = FormReader(kind)
        for chunk in chunks:
            for event in form.feed(chunk):
                add(found, event)
    except WaterButlerError:
        return None
    return found if form.complete else None


def add(found: list[object], event: object) -> None:
    """Add an event; what was split is joined."""
    if isinstance(event, FileData):
        if found and isinstance(found[-1], bytes):
            found[-1] += event.chunk
        else:
            found.append(event.chunk)
    elif isinstance(event, FileStart):
        assert "/" not in event.name
        found.append(("start", event.name, event.position))
    elif isinstance(event, FileEnd):
        found.append("end")
    elif isinstance(event, Field):
        found.append((event.name, event.value))
