"""What others write down is read, or taken for nothing."""

from datetime import UTC, datetime

import pytest

from waterbutler.core.parsing import parse_http_date, parse_iso_date, parse_number

MOMENT = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("9" * 18, 10**18 - 1)])
def test_a_number_is_read(text, number):
    assert parse_number(text) == number


@pytest.mark.parametrize(
    "text", [None, "", "-1", "+1", "1_0", " 1", "²", "١", "9" * 19, "9" * 5000]
)
def test_what_is_no_number_is_nothing(text):
    """Also where Python would read it, and where it would refuse to."""
    assert parse_number(text) is None


@pytest.mark.parametrize(
    "text", ["Thu, 02 Jan 2020 03:04:05 GMT", "Thu, 02 Jan 2020 04:04:05 +0100"]
)
def test_a_time_of_a_header_is_read(text):
    """In UTC, whatever its zone."""
    assert parse_http_date(text) == MOMENT
    assert parse_http_date(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "now", "0", "Thu, 99 Jan 2020 03:04:05 GMT"),
        "Thu, 02 Jan 2020 03:04:05 +99999999999999",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Thu, 99999999999999999999 Jan 2020 03:04:05 GMT",
    ],
)
def test_what_is_no_time_of_a_header_is_nothing(text):
    """Also what lies outside of the calendar."""
    assert parse_http_date(text) is None


@pytest.mark.parametrize(
    "text", ["2020-01-02T03:04:05", "2020-01-02T04:04:05+01:00", " 2020-01-02T03:04:05Z\n"]
)
def test_a_time_of_a_document_is_read(text):
    """In UTC, which it is in without a zone."""
    assert parse_iso_date(text) == MOMENT
    assert parse_iso_date(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text", [None, "", "now", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]
)
def test_what_is_no_time_of_a_document_is_nothing(text):
    """Also what lies outside of the calendar."""
    assert parse_iso_date(text) is None
