"""What is said about an upload in segments, before and after its bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from waterbutler.core.errors import InvalidRequest

MAX_SEGMENTS = 10_000
_MAX_SIZE = (1 << 63) - 1
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Announced:
    """A segment as the client describes it.

    Attributes:
        number: Its place, from 1.
        size: How many bytes it has.
        sha256: Their digest in hexadecimal.
    """

    number: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Received:
    """A segment that arrived and is as announced."""

    number: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class UploadPlan:
    """What a client wants to upload.

    Attributes:
        target: Where to; the caller's own words, which are given back as they are.
        name: The name of a new file; ``None`` to replace one.
        size: How many bytes the file has.
        sha256: Their digest in hexadecimal, if the client says it.
        segments: The pieces; in the plan of a session they are in the order of the file.
        modified: When the content was last changed, if the client says it.
    """

    target: str
    name: str | None
    size: int
    sha256: str | None
    segments: Sequence[Announced]
    modified: datetime | None = None

    def checked(self) -> UploadPlan:
        """The same in order, with digests in lower case.

        Raises:
            InvalidRequest: It makes no sense.
        """
        _check_text(self.target)
        _check_text(self.name or "")
        _check_size(self.size)
        if len(self.segments) > MAX_SEGMENTS:
            raise InvalidRequest(f"An upload has at most {MAX_SEGMENTS} segments.")
        segments = tuple(sorted(map(_checked, self.segments), key=lambda segment: segment.number))
        if any(segment.number != place for place, segment in enumerate(segments, 1)):
            raise InvalidRequest("The segments must be numbered from 1, each number once.")
        total = sum(segment.size for segment in segments)
        if total != self.size:
            raise InvalidRequest(
                f"The segments have {total} bytes together, and the file {self.size}."
            )
        sha256 = None if self.sha256 is None else checked_sha256(self.sha256)
        return replace(self, sha256=sha256, segments=segments)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a client says at the end; what it leaves out (``None``) is as it was announced.

    Attributes:
        size: How many bytes the file has.
        sha256: Their digest in hexadecimal.
        segments: The pieces, in any order.
    """

    size: int | None = None
    sha256: str | None = None
    segments: Iterable[Announced] | None = None

    def checked(self, plan: UploadPlan) -> str | None:
        """Compare with what was announced; gives the digest that the whole must have.

        Raises:
            InvalidRequest: It is something else.
        """
        if self.size is not None and self.size != plan.size:
            raise InvalidRequest(f"The file was announced with {plan.size} bytes.")
        if self.segments is not None:
            said = sorted(map(_checked, self.segments), key=lambda segment: segment.number)
            if said != list(plan.segments):
                raise InvalidRequest("The segments are not those that were announced.")
        if self.sha256 is None:
            return plan.sha256
        sha256 = checked_sha256(self.sha256)
        if plan.sha256 not in {None, sha256}:
            raise InvalidRequest("The file was announced with another SHA-256.")
        return sha256


@dataclass(frozen=True, slots=True)
class UploadSession:
    """An upload that has begun.

    Attributes:
        id: Names it; random, of URL-safe characters.
        expires: When it ends, in seconds since the epoch.
        plan: What was announced.
    """

    id: str
    expires: float
    plan: UploadPlan

    @property
    def expires_ms(self) -> int:
        """When it ends, in milliseconds since the epoch."""
        return int(self.expires * 1000)


def checked_sha256(text: str) -> str:
    """A digest in lower case.

    Raises:
        InvalidRequest: It is none.
    """
    if not _SHA256.fullmatch(text):
        raise InvalidRequest("A SHA-256 has 64 hexadecimal digits.")
    return text.lower()


def check_complete(missing: Sequence[int]) -> None:
    """Say which segments have not arrived.

    Raises:
        InvalidRequest: Some have not.
    """
    if missing:
        shown = ", ".join(map(str, missing[:_SHOWN]))
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise InvalidRequest(f"Segments are missing: {shown}{more}.")


def wrong_size(segment: Announced) -> InvalidRequest:
    """The error for a segment of another size."""
    return InvalidRequest(f"Segment {segment.number} was announced with {segment.size} bytes.")


def wrong_digest(segment: Announced) -> InvalidRequest:
    """The error for a segment with other bytes."""
    return InvalidRequest(f"Segment {segment.number} was announced with another SHA-256.")


def _checked(segment: Announced) -> Announced:
    _check_size(segment.size)
    return replace(segment, sha256=checked_sha256(segment.sha256))


def _check_size(size: int) -> None:
    if not 0 <= size <= _MAX_SIZE:
        raise InvalidRequest("A size is a number of bytes.")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("A text cannot be written in UTF-8.") from None
