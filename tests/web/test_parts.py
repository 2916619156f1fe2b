"""The small parts of the pages, without a server."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.web.browser import MULTIPART, multipart, part
from waterbutler.core import Path
from waterbutler.core.errors import InvalidRequest, NotFound
from waterbutler.server.web.links import Links, parse_target
from waterbutler.server.web.multipart import FormReader
from waterbutler.server.web.pages import Retry, prefers_html
from waterbutler.server.web.wording import (
    exact_size,
    machine_time,
    shown_clock,
    shown_date,
    shown_name,
    shown_size,
)
from waterbutler.service import Place


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1432, "1.4 kB"),
        (9949, "9.9 kB"),
        (9950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_432_018, "1.4 MB"),
        (5 * 10**12, "5.0 TB"),
        (5 * 10**21, "5000 EB"),
    ],
)
def test_sizes_are_readable(size, shown):
    """Three digits at most, and the unit that fits."""
    assert shown_size(size) == shown


def test_exact_sizes_have_every_byte():
    """With thousands told apart."""
    assert [exact_size(size) for size in (0, 1, 1234567)] == [
        "0 bytes",
        "1 byte",
        "1,234,567 bytes",
    ]


def test_times_are_in_utc():
    """Whatever zone a storage speaks of."""
    moment = datetime(2024, 2, 29, 23, 59, 58, tzinfo=timezone(timedelta(hours=-3)))
    assert (shown_date(moment), shown_clock(moment)) == ("2024-03-01", "02:59")
    assert machine_time(moment) == "2024-03-01T02:59:58Z"
    assert shown_date(datetime(2024, 1, 2, tzinfo=UTC)) == "2024-01-02"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name.txt", "plain name.txt"),
        ("Überblick 文件 שלום.txt", "Überblick 文件 שלום.txt"),
        ("👩\u200d👩\u200d👧.jpg", "👩\u200d👩\u200d👧.jpg"),
        ("a\nb\x7f", "a⟨U+000A⟩b⟨U+007F⟩"),
        ("a\u202eb\u2066", "a⟨U+202E⟩b⟨U+2066⟩"),
        ("soft\u00adhyphen", "soft⟨U+00AD⟩hyphen"),
        ("c1\u0085", "c1⟨U+0085⟩"),
    ],
)
def test_names_show_every_character(name, shown):
    """What has no shape is spelled out; what makes letters and emojis stays."""
    assert shown_name(name) == shown


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html, text/*;q=0.5, image/*", True),
        ("TEXT/HTML", True),
        ("text/html;q=0.9, application/json;q=0.1", True),
        ("text/html;level=1;q=0.4", True),
        ("", False),
        ("*/*", False),
        ("text/*", False),
        ("application/json", False),
        ("application/json, text/html", False),
        ("application/json, text/html;q=0.9", False),
        ("text/html;q=0", False),
        ("application/json, text/plain, */*", False),
    ],
)
def test_html_is_for_who_names_it(accept, html):
    """Programs that take anything get JSON."""
    assert prefers_html(accept) is html


def test_links_keep_the_key_and_quote_everything():
    """A name is one piece of the path, whatever is in it."""
    place = Place("ab12c", "s3", Path(("a/b".replace("/", "?"), "c #%.txt"), is_folder=False))
    links = Links("k&y")
    assert links.home() == "/?view_only=k%26y"
    assert links.at(place) == "/files/ab12c/s3/a%3Fb/c%20%23%25.txt?view_only=k%26y"
    assert Links(None).at(place, Path(), {"done": "created"}) == "/files/ab12c/s3/?done=created"
    assert parse_target(Links(None).at(place)).place == place


@pytest.mark.parametrize(
    "uri", ["/", "/files", "/files/a", "/files//b/", "/files/a-b/c/", "/v1/a/b/"]
)
def test_other_urls_are_not_files(uri):
    """The resource and the storage are words."""
    with pytest.raises(NotFound):
        parse_target(uri)


@pytest.mark.parametrize(
    ("name", "another"),
    [("a.txt", "a (1).txt"), ("a", "a (1)"), ("..", ".."), ("", ""), ("x/y", "x/y")],
)
def test_another_name_is_offered_where_there_is_one(name, another):
    """A bad name stays as it was typed."""
    assert Retry("upload", "/", name).another == another


class TestFormReader:
    """Forms with files, piece by piece."""

    def test_events_come_in_order(self):
        """Fields whole, files as they arrive."""
        reader = FormReader(MULTIPART["Content-Type"])
        body = multipart({"csrf": "token", "name": "é"}, ("a.txt", b"data"), ("", b""))
        events = reader.feed(body)
        kinds = [type(event).__name__ for event in events]
        assert kinds == [
            "Field",
            "Field",
            "FileStart",
            "FileData",
            "FileEnd",
            "FileStart",
            "FileEnd",
        ]
        assert [event.value for event in events[:2]] == ["token", "é"]
        assert (events[2].name, events[5].name) == ("a.txt", "")
        assert events[3].chunk == b"data"
        assert reader.complete

    @pytest.mark.parametrize("size", [1, 3, 50])
    @pytest.mark.parametrize("data", [b"", b"data", b"\r\n--", b"\r\n------form-boundary-5d1cx"])
    def test_the_position_of_a_file_tells_its_size(self, size, data):
        """If nothing comes after it."""
        reader = FormReader(MULTIPART["Content-Type"])
        body = multipart({"csrf": "token"}, ("a.txt", data))
        events = [e for at in range(0, len(body), size) for e in reader.feed(body[at : at + size])]
        start = next(event for event in events if type(event).__name__ == "FileStart")
        if data:
            assert len(body) - start.position - reader.closing_size == len(data)
        chunks = [event.chunk for event in events if type(event).__name__ == "FileData"]
        assert b"".join(chunks) == data

    def test_what_follows_the_end_is_left_alone(self):
        """As the standard asks."""
        reader = FormReader(MULTIPART["Content-Type"])
        assert len(reader.feed(multipart({"a": "b"}) + b"the end" + part("c", b"d"))) == 1

    @pytest.mark.parametrize("kind", ["multipart/form-data", 'multipart/form-data; boundary=""'])
    def test_a_boundary_is_needed(self, kind):
        """Else nothing can be told apart."""
        with pytest.raises(InvalidRequest):
            FormReader(kind)
