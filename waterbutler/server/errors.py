"""From errors to statuses: the one table, shared by all dialects that speak HTTP statuses."""

from __future__ import annotations

import math
from collections.abc import Mapping

from waterbutler.core import JSON, errors

STATUS: dict[type[errors.WaterButlerError], int] = {
    errors.InvalidRequest: 400,
    errors.BadPath: 400,
    errors.BadRange: 400,
    errors.SamePlace: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.IsAFolder: 404,
    errors.NotAFolder: 404,
    errors.AlreadyExists: 409,
    errors.CheckedOut: 405,
    errors.Archived: 409,
    errors.PreconditionFailed: 412,
    errors.RangeNotSatisfiable: 416,
    errors.LengthRequired: 411,
    errors.TooLarge: 413,
    errors.QuotaExceeded: 507,
    errors.Unsupported: 405,
    errors.RateLimited: 429,
    errors.Corrupted: 502,
    errors.ProviderUnavailable: 503,
    errors.ProviderFailed: 502,
    errors.ProviderTimeout: 504,
    errors.ProviderFault: 502,
    errors.ConfigInvalid: 500,
    errors.Interrupted: 400,
    errors.Relayed: 502,
}
"""Every class of the tree has a row; a test walks the tree.

A wrong kind is 404, because the trailing slash of a URL says which kind is meant.
"""


class MethodNotAllowed(errors.InvalidRequest):
    """The URL exists, but not with this method."""

    def __init__(self, method: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"{method} is not possible here; use one of {', '.join(allowed)}.")


class TooManyRequests(errors.RateLimited):
    """A limit of this server is used up; ``headers`` tell which, and until when."""

    def __init__(self, message: str, *, retry_after: float, headers: Mapping[str, str]) -> None:
        super().__init__(message, retry_after=retry_after)
        self.headers = headers


def status_of(error: BaseException) -> int:
    """The status for an error; 500 for what nobody raised on purpose."""
    if isinstance(error, MethodNotAllowed):
        return 405
    if isinstance(error, errors.Relayed):
        return error.status
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500


def message_of(error: BaseException, status: int) -> str:
    """What the client may read: never the text of an unexpected error."""
    if isinstance(error, errors.WaterButlerError):
        return error.message
    return "Internal Server Error" if status == 500 else "The request failed."


def body_of(error: BaseException, status: int, message: str) -> dict[str, JSON]:
    """The JSON object that tells a client of an error; what a host said stands beside it."""
    relayed = error.body if isinstance(error, errors.Relayed) else {}
    ours: dict[str, JSON] = {"code": status, "message": message}
    return {**ours, "message_long": message, **relayed, **ours}


def headers_of(error: BaseException) -> dict[str, str]:
    """Headers that belong to an error."""
    headers: dict[str, str] = {}
    if isinstance(error, errors.RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.total}"
    if isinstance(error, TooManyRequests):
        headers |= error.headers
    if status_of(error) == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="waterbutler"'
    if isinstance(error, errors.WaterButlerError) and error.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    return headers
