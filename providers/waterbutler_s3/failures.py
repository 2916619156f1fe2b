"""What an error of the server means to a client; the one place that says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from waterbutler.core.errors import (
    Archived,
    BadPath,
    ConfigInvalid,
    Corrupted,
    Forbidden,
    NotFound,
    PreconditionFailed,
    ProviderFailed,
    ProviderFault,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    TooLarge,
    Unsupported,
    WaterButlerError,
)
from waterbutler.core.parsing import parse_number
from waterbutler.http import error_for, parse_xml, retry_after

_CODE = re.compile(r"[A-Za-z0-9_.]{1,80}")
_REGION = re.compile(r"[A-Za-z0-9-]{1,63}")

_MEANINGS: dict[type[WaterButlerError], tuple[str, tuple[str, ...]]] = {
    NotFound: ("There is no such file or version.", ("NoSuchKey", "NoSuchVersion", "NotFound")),
    Archived: (
        "The file is in an archive; it must be restored there before it can be read.",
        ("InvalidObjectState",),
    ),
    Forbidden: (
        "The storage does not allow it.",
        ("AccessDenied", "AllAccessDisabled", "AccountProblem", "ObjectLocked"),
    ),
    RateLimited: (
        "The storage is asked too often.",
        (
            *("SlowDown", "SlowDownRead", "SlowDownWrite", "TooManyRequests", "Throttling"),
            *("ThrottlingException", "RequestLimitExceeded", "BandwidthLimitExceeded", "Busy"),
        ),
    ),
    ProviderUnavailable: (
        "The storage is not available at the moment.",
        (
            *("ServiceUnavailable", "OperationAborted", "RequestTimeout"),
            *("ConditionalRequestConflict", "TemporaryRedirect", "ServerBusy"),
        ),
    ),
    ProviderFailed: ("The storage failed.", ("InternalError",)),
    QuotaExceeded: (
        "The storage has no room left.",
        (
            *("QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "StorageFull"),
            "XMinioAdminBucketQuotaExceeded",
        ),
    ),
    TooLarge: ("The storage cannot hold a file of this size.", ("EntityTooLarge",)),
    BadPath: (
        "The storage cannot have such a name.",
        ("KeyTooLongError", "KeyTooLong", "InvalidObjectName", "XMinioInvalidObjectName"),
    ),
    Corrupted: (
        "What the storage received is not what was sent.",
        ("BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"),
    ),
    PreconditionFailed: (
        "The file is not in the state that it should be in.",
        ("PreconditionFailed",),
    ),
    Unsupported: ("The storage cannot do this.", ("NotImplemented", "XNotImplemented")),
}
_TABLE = {code: (kind, message) for kind, (message, codes) in _MEANINGS.items() for code in codes}

_CONFIGURATION = {
    "NoSuchBucket": "there is no such bucket",
    "InvalidBucketName": "no bucket can have this name",
    "InvalidAccessKeyId": "the access key is not known",
    "SignatureDoesNotMatch": "the secret key is wrong, or something on the way alters requests",
    "InvalidToken": "the session token is not valid",
    "ExpiredToken": "the session token has expired",
    "TokenRefreshRequired": "the session token has expired",
    "RequestTimeTooSkewed": "the clock of this server and that of the storage differ",
    "RequestExpired": "the clock of this server and that of the storage differ",
    "AuthorizationHeaderMalformed": "the region is wrong",
    "PermanentRedirect": "the bucket must be reached under another endpoint",
    "IllegalLocationConstraintException": "the bucket must be reached under another endpoint",
    "NotSignedUp": "the account is not signed up for the storage",
    "InvalidSecurity": "the credentials are not accepted",
    "InvalidEncryptionAlgorithmError": "the server does not encrypt as the settings ask for",
    "ServerSideEncryptionConfigurationNotFoundError": "the server has no encryption set up",
}
"""What an administrator must mend."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer that is no success.

    Attributes:
        status: The status; 0 for an error inside of a success.
        code: The code in the document; empty without one.
        region: The region that the bucket is in, if the answer tells it.
        size: The size of the object, if a range lay outside of it.
    """

    status: int
    code: str = ""
    region: str = ""
    size: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """Read an answer; documents that make no sense say nothing."""
        code = region = size = ""
        try:
            root = parse_xml(body) if body.strip() else None
        except ProviderFault:
            root = None
        if root is not None and root.tag == "Error":
            code, region, size = (
                (root.findtext(name) or "").strip()
                for name in ("Code", "Region", "ActualObjectSize")
            )
        region = headers.get("x-amz-bucket-region", "") or region
        total = headers.get("Content-Range", "").rpartition("/")[2] or size
        return cls(
            status,
            code if _CODE.fullmatch(code) else "",
            region if _REGION.fullmatch(region) else "",
            parse_number(total),
            headers,
        )

    def error(self, label: str, path: str | None = None) -> WaterButlerError:
        """The error to raise; it says nothing that the server says in its own words."""
        if self.code in _CONFIGURATION or self.code.startswith("KMS."):
            reason = _CONFIGURATION.get(self.code, "the keys for encryption cannot be used")
            return ConfigInvalid(f"{label}: {reason} ({self.code}).", path=path)
        if self.code in _TABLE:
            kind, message = _TABLE[self.code]
            return kind(message, path=path, retry_after=retry_after(self.headers))
        if self.status in {301, 302, 307, 308}:
            return ConfigInvalid(f"{label}: {_CONFIGURATION['PermanentRedirect']}.", path=path)
        if self.code and not 500 <= self.status < 600 and self.status not in {401, 403, 404, 429}:
            return ProviderFault(f"{label} refuses the request ({self.code}).", path=path)
        return error_for(self.status or 500, self.headers, path=path)


def inside(root: Element) -> Failure | None:
    """The failure that a document of a success tells about."""
    if root.tag != "Error":
        return None
    code = (root.findtext("Code") or "").strip()
    return Failure(0, code if _CODE.fullmatch(code) else "")
