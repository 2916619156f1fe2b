"""Uploads that arrive in segments: in any order, over hours, through any worker."""

from waterbutler.segments.plan import Announced, Expected, Received, UploadPlan, UploadSession
from waterbutler.segments.uploads import OpenStorage, SegmentUploads

__all__ = [
    "Announced",
    "Expected",
    "OpenStorage",
    "Received",
    "SegmentUploads",
    "UploadPlan",
    "UploadSession",
]
