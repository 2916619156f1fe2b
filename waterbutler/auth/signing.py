"""Signed messages between this server and a host; see `waterbutler.core.signing`."""

from waterbutler.core.signing import Payload, SignedMessage, sign, verify

__all__ = ["Payload", "SignedMessage", "sign", "verify"]
