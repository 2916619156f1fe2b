"""Wrappers around a provider: a provider goes in, a provider comes out."""

from __future__ import annotations

from waterbutler.core import Provider
from waterbutler.layers.checked import Checked
from waterbutler.layers.limited import Limited
from waterbutler.layers.observed import Observed, Observer
from waterbutler.layers.readonly import ReadOnly
from waterbutler.layers.retrying import Retrying, RetryPolicy

__all__ = [
    "Checked",
    "Limited",
    "Observed",
    "Observer",
    "ReadOnly",
    "RetryPolicy",
    "Retrying",
    "stack",
]


def stack(
    provider: Provider,
    *,
    observer: Observer,
    calls: int = 64,
    retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - a frozen value
    read_only: bool = False,
) -> Provider:
    """The provider in all its layers, in the one order that is right.

    Checks are innermost, so that no layer can hand on an argument that is not declared. Retries are
    outermost, so that each try waits its turn and is counted. What may not be written is refused
    before any of them.
    """
    wrapped: Provider = Checked(provider)
    wrapped = Limited(wrapped, calls)
    wrapped = Observed(wrapped, observer)
    wrapped = Retrying(wrapped, retry)
    return ReadOnly(wrapped) if read_only else wrapped
