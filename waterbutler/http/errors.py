"""Where errors of the HTTP library become errors of this project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from waterbutler.core.errors import (
    ConfigInvalid,
    Corrupted,
    Interrupted,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    WaterButlerError,
)
from waterbutler.http.reach import NotPublic, unreachable


@contextmanager
def translated(host: str, *, in_body: bool = False) -> Iterator[None]:
    """Raise this project's errors for all that can happen on the wire.

    The library's errors repeat addresses, which may hold signatures: neither their texts nor they
    themselves are passed on.

    Args:
        host: Who is talked to, for the messages.
        in_body: Whether an answer has begun, so that a lost connection cuts it.
    """
    try:
        yield
    except TimeoutError:
        raise ProviderTimeout(f"{host} was silent for too long.") from None
    except aiohttp.ClientConnectorDNSError as error:
        raise _not_found(host, error) from None
    except (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch):
        raise ProviderFault(f"{host} cannot prove its identity.") from None
    except aiohttp.ClientConnectorError as error:
        number = error.os_error.errno
        reason = os.strerror(number) if number else "no connection"
        raise ProviderUnavailable(f"{host} cannot be reached: {reason}.") from None
    except aiohttp.ClientPayloadError:
        raise Corrupted(f"The data from {host} ended early.") from None
    except aiohttp.ClientConnectionError:
        if in_body:
            raise Interrupted(f"{host} broke the connection in the middle.") from None
        raise ProviderUnavailable(f"{host} broke the connection.") from None
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        raise ConfigInvalid("An address is not one of HTTP.") from None
    except aiohttp.ClientError:
        raise ProviderFault(f"{host} does not answer as an HTTP server.") from None


def _not_found(host: str, error: aiohttp.ClientConnectorDNSError) -> WaterButlerError:
    if isinstance(error.os_error, NotPublic):
        return unreachable(host)
    return ProviderUnavailable(f"{host} is not known to the name service.")
