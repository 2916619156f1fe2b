"""Targets: tokens, cookies and messages that prove something."""

import base64
import hashlib
import hmac
from contextlib import suppress
from pathlib import Path

import msgspec

from waterbutler.auth import Sessions
from waterbutler.auth.envelope import BadEnvelope, EnvelopeKeys, open_sealed, seal
from waterbutler.core.errors import WaterButlerError
from waterbutler.core.signing import verify
from waterbutler.host import wire

KEYS = EnvelopeKeys.derive(jwe_secret="a", jwe_salt="b", jwt_secret="c")
SECRET = "secret"
SESSIONS = Sessions(b"0123456789abcdef", lifetime=60, clock=lambda: 1000.0)
COOKIE = SESSIONS.issue("alice", "token")
TOKEN = (Path(__file__).parents[1] / "corpus" / "proofs.envelopes" / "token").read_text()


def fuzz_envelopes(data: bytes) -> None:
    """No token is believed but the one that was made with the keys."""
    assert open_sealed(TOKEN, KEYS, now=1000)
    text = data.decode("utf-8", "surrogateescape")
    for token in (text, TOKEN[: len(TOKEN) // 2] + text, text + TOKEN[len(TOKEN) // 2 :]):
        with suppress(BadEnvelope):
            open_sealed(token, KEYS, now=1000)
            assert token == TOKEN


def fuzz_claims(data: bytes) -> None:
    """Whatever a token with the right keys says."""
    try:
        claims = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if isinstance(claims, dict):
        with suppress(BadEnvelope):
            found = open_sealed(seal(claims, KEYS, now=1000), KEYS, now=1000)
            assert found["exp"] == 1015


def fuzz_cookies(data: bytes) -> None:
    """No cookie is valid but the one that was given out."""
    text = data.decode("utf-8", "replace")
    for cookie in (text, COOKIE[: len(COOKIE) // 2] + text, text + COOKIE[len(COOKIE) // 2 :]):
        SESSIONS.user_of(cookie)
        assert not SESSIONS.is_valid(cookie, "token") or cookie == COOKIE
        assert not SESSIONS.csrf_matches(COOKIE, cookie)


def fuzz_messages(data: bytes) -> None:
    """Messages to the host: unsigned ones are refused, signed ones may say anything."""
    with suppress(WaterButlerError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message = msgspec.json.decode(data, type=dict[str, object])
        assert not verify(message, SECRET, now=1000)
    text = base64.b64encode(data).decode()
    signature = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    with suppress(WaterButlerError):
        payload = verify({"payload": text, "signature": signature}, SECRET, now=1000)
        read(payload)


def read(payload: dict[str, object]) -> None:
    """The payload as each hook reads it."""
    for kind in (wire.NewChild, wire.Transfer, wire.Acting, wire.Metadata):
        with suppress(WaterButlerError):
            found = wire.read(payload, kind)
            if isinstance(found, wire.NewChild) and found.kind == "file":
                found.blob()
            if isinstance(found, wire.Transfer):
                assert found.to.parent
