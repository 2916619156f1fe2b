"""Outbound HTTP: one client for the process, which moves bytes as they are."""

from waterbutler.http.client import HttpClient
from waterbutler.http.reach import Reach
from waterbutler.http.replies import error_for, retry_after
from waterbutler.http.reply import Reply
from waterbutler.http.xml import parse_xml

__all__ = ["HttpClient", "Reach", "Reply", "error_for", "parse_xml", "retry_after"]
