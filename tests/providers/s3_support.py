"""What tests of the S3 provider share."""

from __future__ import annotations

import secrets
from pathlib import Path

from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from waterbutler.http import HttpClient
from waterbutler_s3 import S3Credentials, S3Provider, S3Settings
from waterbutler_s3.bucket import Patience

CREDENTIALS = S3Credentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
PART = 5 << 20
PATIENT = Patience(pause=0.02)


def opened(
    server: S3Server,
    http: HttpClient,
    *,
    bucket: str = "first",
    prefix: str | None = None,
    page_size: int = 100,
    patience: Patience = PATIENT,
    credentials: S3Credentials = CREDENTIALS,
    data: Path | None = None,
    **settings: object,
) -> S3Provider:
    """A storage in a folder of its own; with an empty prefix, the whole bucket."""
    given = {
        "bucket": bucket,
        "prefix": secrets.token_hex(6) if prefix is None else prefix,
        "endpoint_url": server.url,
        "dialect": server.dialect,
        "part_size": PART,
        "versions": bucket == "versioned",
        **settings,
    }
    about = (S3Settings(**given), credentials, http, "a bucket", patience, page_size, data)
    return S3Provider("s3", *about)
