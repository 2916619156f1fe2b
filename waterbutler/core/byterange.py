"""Which bytes of a file are meant."""

from __future__ import annotations

from dataclasses import dataclass

from waterbutler.core.errors import BadRange, RangeNotSatisfiable


@dataclass(frozen=True, slots=True)
class Span:
    """A range that was resolved against a size: ``start`` ≤ bytes < ``stop`` of ``total``."""

    start: int
    stop: int
    total: int

    @property
    def length(self) -> int:
        """How many bytes the span has."""
        return self.stop - self.start

    @property
    def is_whole(self) -> bool:
        """Whether the span is the whole file."""
        return self.start == 0 and self.stop == self.total

    def content_range(self) -> str:
        """The value of a ``Content-Range`` header (RFC 9110, 14.4)."""
        return f"bytes {self.start}-{self.stop - 1}/{self.total}"


@dataclass(frozen=True, slots=True)
class ByteRange:
    """One of three forms: first to last (inclusive), from first on, or the last n bytes.

    Raises:
        BadRange: Neither or both of ``first`` and ``suffix`` are given, a number is negative,
            or ``last`` comes before ``first``.
    """

    first: int | None = None
    last: int | None = None
    suffix: int | None = None

    def __post_init__(self) -> None:
        if (self.first is None) == (self.suffix is None):
            raise BadRange("A range has either a first byte or a number of last bytes.")
        if self.first is None and self.last is not None:
            raise BadRange("A range that ends somewhere starts somewhere.")
        if min(self.first or 0, self.last or 0, self.suffix or 0) < 0:
            raise BadRange("A range has no negative numbers.")
        if self.first is not None and self.last is not None and self.last < self.first:
            raise BadRange("A range ends before it starts.")

    def resolve(self, total: int) -> Span:
        """The bytes that are meant in a file of ``total`` bytes.

        Raises:
            RangeNotSatisfiable: No byte of the file is in the range.
        """
        if self.suffix is not None:
            start, stop = max(total - self.suffix, 0), total
        else:
            start = self.first or 0
            stop = total if self.last is None else min(self.last + 1, total)
        if start >= stop:
            raise RangeNotSatisfiable("The range lies outside of the file.", total=total)
        return Span(start, stop, total)

    def header(self) -> str:
        """The value of a ``Range`` header that asks for this."""
        if self.suffix is not None:
            return f"bytes=-{self.suffix}"
        return f"bytes={self.first}-{'' if self.last is None else self.last}"
