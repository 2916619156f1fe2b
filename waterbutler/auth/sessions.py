"""Browser sessions without a store: signed, expiring cookies, and tokens against forged forms."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable

COOKIE = "waterbutler_session"
"""The name of the session cookie."""

_VERSION = "1"


class Sessions:
    """Makes and checks session cookies.

    A session names a user and is bound to the hash of the token it was opened with: when the
    user's token changes, all sessions end. The server keeps nothing, so all its processes and
    restarts agree.

    Args:
        secret: At least 16 random bytes.
        lifetime: Seconds until a session ends.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, secret: bytes, *, lifetime: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._secret = secret
        self.lifetime = lifetime
        self._clock = clock

    def issue(self, user: str, token_sha256: str) -> str:
        """The value of a cookie for a user who just showed their token."""
        expires = str(int(self._clock() + self.lifetime))
        name = base64.urlsafe_b64encode(user.encode()).decode().rstrip("=")
        body = f"{_VERSION}.{name}.{expires}"
        return f"{body}.{self._sign('session', body, token_sha256)}"

    def user_of(self, cookie: str) -> str | None:
        """The user that a cookie claims to be of; believe it only after `is_valid`."""
        parts = cookie.split(".")
        if len(parts) != 4 or parts[0] != _VERSION:
            return None
        try:
            return base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return None

    def is_valid(self, cookie: str, token_sha256: str) -> bool:
        """Whether the cookie was issued here, for this token, and has not expired."""
        body, _, signature = cookie.rpartition(".")
        expected = self._sign("session", body, token_sha256)
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            return False
        return int(body.rpartition(".")[2]) > self._clock()

    def csrf_token(self, cookie: str) -> str:
        """What a form or a script of the session's own pages sends along with a write."""
        return self._sign("csrf", cookie, "")

    def csrf_matches(self, cookie: str, token: str) -> bool:
        """Whether ``token`` belongs to the session."""
        return hmac.compare_digest(token.encode(), self.csrf_token(cookie).encode())

    def _sign(self, purpose: str, text: str, bound_to: str) -> str:
        message = "\0".join((purpose, text, bound_to)).encode()
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()
