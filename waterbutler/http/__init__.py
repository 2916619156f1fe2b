"""Outbound HTTP: one client for the process, which moves bytes as they are."""

from waterbutler.http.client import HttpClient, Reply

__all__ = ["HttpClient", "Reply"]
