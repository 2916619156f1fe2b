"""A bucket of Amazon S3, or of any server that speaks its protocol, as a storage."""

from waterbutler_s3.config import S3Credentials, S3Settings
from waterbutler_s3.provider import S3Provider

__all__ = ["S3Credentials", "S3Provider", "S3Settings"]
