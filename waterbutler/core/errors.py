"""Everything that can go wrong, named by what happened.

::

    WaterButlerError
    ├─ InvalidRequest
    │  ├─ BadPath
    │  ├─ BadRange
    │  └─ SamePlace
    ├─ Unauthenticated
    ├─ Forbidden
    ├─ NotFound
    ├─ IsAFolder
    ├─ NotAFolder
    ├─ AlreadyExists
    ├─ CheckedOut
    ├─ Archived
    ├─ PreconditionFailed
    ├─ RangeNotSatisfiable
    ├─ LengthRequired
    ├─ TooLarge
    ├─ QuotaExceeded
    ├─ Unsupported
    ├─ RateLimited            temporary
    ├─ Corrupted
    ├─ ProviderUnavailable    temporary
    │  ├─ ProviderFailed      temporary
    │  └─ ProviderTimeout     temporary
    ├─ ProviderFault
    ├─ ConfigInvalid
    ├─ Interrupted
    └─ Relayed

No class knows a status code: each dialect of the server has one table from class to status. Only
`Relayed` brings the one that another server gave.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from waterbutler.core.entry import JSON, Entry


class WaterButlerError(Exception):
    """Base of all errors that this project raises on purpose.

    The message is shown to clients: it never holds a secret, a local path or a traceback.

    Args:
        message: One sentence for the person who reads the answer.
        path: The path that the error is about, as the client writes it.
        provider: The storage that the error comes from.
        retry_after: Seconds after which trying again makes sense, if the storage said so.
    """

    temporary: ClassVar[bool] = False
    """Whether the same request may succeed later without any change."""

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        provider: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.provider = provider
        self.retry_after = retry_after


class InvalidRequest(WaterButlerError):
    """The request makes no sense, whatever the state of the storage."""


class BadPath(InvalidRequest):
    """A path or name that no storage may be asked for."""


class BadRange(InvalidRequest):
    """A byte range that cannot be read as one."""


class SamePlace(InvalidRequest):
    """Source and destination are the same, or the destination lies inside the source."""


class Unauthenticated(WaterButlerError):
    """Nobody is signed in and anonymous access is not enough."""


class Forbidden(WaterButlerError):
    """The user is known and lacks the right."""


class NotFound(WaterButlerError):
    """There is no such file, folder, version, resource or mount."""


class IsAFolder(WaterButlerError):
    """A file was asked for and a folder has that name."""


class NotAFolder(WaterButlerError):
    """A folder was asked for and a file has that name."""


class AlreadyExists(WaterButlerError):
    """The name is taken.

    Args:
        message: One sentence for the reader.
        entry: What has the name, where that is known.
        path: The path that is taken.
    """

    def __init__(
        self, message: str, *, entry: Entry | None = None, path: str | None = None
    ) -> None:
        super().__init__(message, path=path)
        self.entry = entry


class CheckedOut(WaterButlerError):
    """A file is checked out, so neither it nor a folder above it can be moved."""


class Archived(WaterButlerError):
    """The file is there and its storage must fetch it from an archive before it can be read."""


class PreconditionFailed(WaterButlerError):
    """The thing is not in the state that the client made a condition."""


class RangeNotSatisfiable(WaterButlerError):
    """The byte range starts behind the end of the file.

    Args:
        message: One sentence for the reader.
        total: The size of the file in bytes.
    """

    def __init__(self, message: str, *, total: int) -> None:
        super().__init__(message)
        self.total = total


class LengthRequired(WaterButlerError):
    """The storage must know the size of a body beforehand and the client did not say it."""


class TooLarge(WaterButlerError):
    """More bytes than a limit of this server or of the storage allows."""


class QuotaExceeded(WaterButlerError):
    """The storage has no room left."""


class Unsupported(WaterButlerError):
    """The storage cannot do this at all; its capabilities say so."""


class RateLimited(WaterButlerError):
    """Too many requests in too short a time."""

    temporary = True


class Corrupted(WaterButlerError):
    """Bytes are missing, too many, or do not have the hash that was promised."""


class ProviderUnavailable(WaterButlerError):
    """The storage cannot be reached or says that it is out of order."""

    temporary = True


class ProviderFailed(ProviderUnavailable):
    """The storage, or what is between it and this server, failed while it answered."""


class ProviderTimeout(ProviderUnavailable):
    """The storage was silent for too long."""


class ProviderFault(WaterButlerError):
    """The storage answered something that makes no sense."""


class ConfigInvalid(WaterButlerError):
    """A setting is missing or wrong; the administrator must act."""


class Interrupted(WaterButlerError):
    """The other side went away before the body was complete."""


class Relayed(WaterButlerError):
    """The host refused, and the client gets what the host said.

    Args:
        message: One sentence for the reader.
        status: The host's status, 400 to 599.
        body: The host's JSON object; the client finds its keys beside ours.
    """

    def __init__(self, message: str, *, status: int, body: Mapping[str, JSON]) -> None:
        super().__init__(message)
        self.status = status
        self.body = body
