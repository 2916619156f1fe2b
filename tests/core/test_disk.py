"""What is said when the server's own disk fails."""

import errno

import pytest

from waterbutler.core.disk import explained
from waterbutler.core.errors import NotFound, ProviderUnavailable, QuotaExceeded


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, QuotaExceeded),
        (errno.EDQUOT, QuotaExceeded),
        (errno.EIO, ProviderUnavailable),
        (errno.ENOENT, ProviderUnavailable),
    ],
)
def test_what_happened_is_said_without_a_path(number, error):
    with pytest.raises(error, match="the upload") as raised, explained("the upload"):
        raise OSError(number, "no", "/secret/place")
    assert "secret" not in raised.value.message


def test_other_errors_are_what_they_are():
    with pytest.raises(NotFound), explained("anything"):
        raise NotFound("It is gone.")
