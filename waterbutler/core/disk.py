"""What this server says when its own disk fails."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from waterbutler.core.errors import ProviderUnavailable, QuotaExceeded

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_full(error: OSError) -> bool:
    """Whether the disk, or what its owner may use of it, is full."""
    return error.errno in _FULL


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Say that the disk failed, and not how: paths are nobody's business.

    Args:
        what: What is kept, as a part of a sentence.

    Raises:
        QuotaExceeded: The disk is full.
        ProviderUnavailable: It failed otherwise.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise QuotaExceeded(f"The server has no room left for {what}.") from error
        raise ProviderUnavailable(f"The server cannot keep {what} now.") from error
