"""What statuses and documents of other servers come to."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from waterbutler.core.errors import (
    Forbidden,
    NotFound,
    ProviderFailed,
    ProviderFault,
    ProviderUnavailable,
    RateLimited,
)
from waterbutler.http import error_for, parse_xml, retry_after


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *[(401, Forbidden), (403, Forbidden), (404, NotFound), (418, ProviderFault)],
        *[(429, RateLimited), (500, ProviderFailed), (503, ProviderUnavailable)],
    ],
)
def test_statuses(status, kind):
    error = error_for(status, {"Retry-After": "3"}, path="/a")
    assert type(error) is kind
    assert error.path == "/a"
    assert error.retry_after == (3 if error.temporary else None)


def test_retry_after():
    assert retry_after({}) is None
    assert retry_after({"Retry-After": "1.5"}) == 1.5
    assert retry_after({"Retry-After": "-5"}) == 0
    assert retry_after({"Retry-After": "soon"}) is None
    assert retry_after({"Retry-After": "nan"}) is None
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 90 < retry_after({"Retry-After": date}) <= 100
    assert retry_after({"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"}) == 0


def test_names_are_without_namespaces():
    root = parse_xml(b' \n<?xml version="1.0"?><a xmlns="urn:x"><b>\xc3\xbc</b></a>\n')
    assert (root.tag, root.findtext("b")) == ("a", "ü")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no",
        b"<a>",
        b"\xff\xfe<\0a\0/\0>\0",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        b"<a>&unknown;</a>",
    ],
)
def test_what_is_not_read(data):
    with pytest.raises(ProviderFault):
        parse_xml(data)


def test_a_claimed_encoding_is_not_believed():
    """The document is UTF-8 whatever it says, so nothing can be hidden in another encoding."""
    root = parse_xml('<?xml version="1.0" encoding="utf-16"?><a>ü</a>'.encode())
    assert root.text == "ü"


@pytest.mark.parametrize("text", ["\x01", "&#1;", "&#x01;", "&#x1F;", "\x1f"])
def test_characters_that_cannot_be(text):
    assert parse_xml(f"<a>x{text}y&#13;&#x41;&#9;</a>".encode()).text == "x\ufffdy\rA\t"
