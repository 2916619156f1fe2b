"""What an error of the operating system means to a client; the one place that says so."""

from __future__ import annotations

import errno

from waterbutler.core.errors import (
    AlreadyExists,
    BadPath,
    Forbidden,
    IsAFolder,
    NotFound,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExceeded,
    TooLarge,
    Unsupported,
    WaterButlerError,
)

_MEANINGS: dict[type[WaterButlerError], tuple[str, tuple[str, ...]]] = {
    NotFound: ("There is no such file or folder.", ("ENOENT", "ENOTDIR", "ELOOP", "ENXIO")),
    IsAFolder: ("It is a folder.", ("EISDIR",)),
    AlreadyExists: ("The name is taken.", ("EEXIST", "ENOTEMPTY")),
    QuotaExceeded: ("The storage has no room left.", ("ENOSPC", "EDQUOT", "EMLINK")),
    TooLarge: ("The storage cannot hold a file of this size.", ("EFBIG", "EOVERFLOW")),
    Forbidden: ("The storage does not allow it.", ("EACCES", "EPERM", "EROFS")),
    BadPath: ("The storage cannot have such a name.", ("ENAMETOOLONG", "EILSEQ")),
    Unsupported: ("The storage cannot do this.", ("EXDEV", "EOPNOTSUPP", "ENOTSUP", "ENOSYS")),
    ProviderTimeout: ("The storage does not answer.", ("ETIMEDOUT",)),
    ProviderUnavailable: (
        "The storage is not available at the moment.",
        (
            *("EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EAGAIN", "EBUSY", "ETXTBSY", "EINTR"),
            *("ESTALE", "ENODEV", "ENOTCONN", "EHOSTDOWN", "EHOSTUNREACH", "ENOLCK"),
        ),
    ),
}

_TABLE: dict[int, tuple[type[WaterButlerError], str]] = {
    getattr(errno, name): (kind, message)
    for kind, (message, names) in _MEANINGS.items()
    for name in names
    if hasattr(errno, name)
}


def translated(error: OSError, path: str | None = None) -> WaterButlerError:
    """The error to raise for ``error``; never with a name from the local machine in it."""
    fault = (ProviderFault, "The storage failed.")
    kind, message = _TABLE.get(error.errno or 0, fault)
    return kind(message, path=path)
