"""Access and refresh tokens in families, kept in a file that all workers share."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from waterbutler.sqlitefile import SqliteFile

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler.tokens")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS families (
    id TEXT PRIMARY KEY,
    holder BLOB NOT NULL,
    sealed BLOB NOT NULL,
    renewed REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS families_holder ON families (holder, renewed);
CREATE INDEX IF NOT EXISTS families_renewed ON families (renewed);
CREATE TABLE IF NOT EXISTS tokens (
    id BLOB PRIMARY KEY,
    family TEXT NOT NULL REFERENCES families (id) ON DELETE CASCADE,
    parent BLOB,
    wrapped BLOB NOT NULL,
    made REAL NOT NULL,
    until REAL
);
CREATE INDEX IF NOT EXISTS tokens_family ON tokens (family);
CREATE INDEX IF NOT EXISTS tokens_made ON tokens (made);
"""

_ACCESS, _REFRESH = b"waterbutler access token", b"waterbutler refresh token"
_BYTES = 32
_LONGEST = 128
"""Longer texts are not looked at."""
_NONCE = 12
_KEPT = 4096
"""How many tokens of a family are remembered."""
_SWEEP = 300.0
"""Seconds between two sweeps of one process."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets when it signs in, and anew when it refreshes; URL-safe characters."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """What an access token stands for.

    Attributes:
        family: The same for all tokens that go back to one signing in; no secret.
        secret: What the session was issued for.
    """

    family: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Token:
    """A token, and what is derived from it: its name in the file, and a key that is not there."""

    text: str = field(repr=False)
    id: bytes
    key: bytes = field(repr=False)

    @classmethod
    def new(cls, kind: bytes) -> _Token:
        return cls._derive(secrets.token_urlsafe(_BYTES), kind)

    @classmethod
    def read(cls, text: str, kind: bytes) -> _Token | None:
        """``None`` if no such text was ever issued, of neither kind."""
        if not text or len(text) > _LONGEST or not text.isascii():
            return None
        return cls._derive(text, kind)

    @classmethod
    def _derive(cls, text: str, kind: bytes) -> _Token:
        # The token is random throughout, so that it needs no extraction step (RFC 5869, 3.3).
        derived = HKDFExpand(SHA256(), 64, kind).derive(text.encode())
        return cls(text, derived[:32], derived[32:])


class TokenStore:
    """Issues tokens, knows what they stand for, and ends them; across workers and restarts.

    The file holds neither tokens nor secrets: a token is found by a digest of it, and the secret
    of a family is sealed with a key that only its own tokens open. Who has the file and no
    token learns when sessions began, and no more.

    A refresh token gives new tokens as often as it is used, until one of those it gave is used:
    then the client has them, and the old one is good for ``grace_seconds`` more, for requests
    that were under way. Whoever comes with it later has stolen it, or its rightful holder does
    after a thief: the whole family ends (RFC 9700, 4.14.2).

    Args:
        file: Where it is kept; made at first use, with mode 0600.
        access_seconds: How long an access token is good.
        refresh_seconds: How long a refresh token is good; each refresh begins anew.
        grace_seconds: See above.
        per_holder: How many families one holder may have; the one that was refreshed longest ago
            ends for a new one.
        families: How many families there may be in all; as above.
        clock: Seconds since the epoch.

    All methods raise `ProviderUnavailable` if the file cannot be used, and those that write
    `QuotaExceeded` if the disk is full.
    """

    def __init__(
        self,
        file: Path,
        *,
        access_seconds: float,
        refresh_seconds: float,
        grace_seconds: float = 60.0,
        per_holder: int = 100,
        families: int = 100_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = SqliteFile(file, _SCHEMA)
        self._access_seconds = access_seconds
        self._refresh_seconds = refresh_seconds
        self._grace_seconds = grace_seconds
        self._per_holder = per_holder
        self._families = families
        self._clock = clock
        self._swept = float("-inf")

    async def issue(self, secret: bytes, *, holder: str = "") -> Tokens:
        """Begin a family.

        Args:
            secret: What to give back for its tokens.
            holder: Whose families are counted together; those without a holder are counted only
                in all.
        """
        return await asyncio.to_thread(self._issue, secret, holder)

    async def open(self, access: str) -> Session | None:
        """What an access token stands for; ``None`` if it is unknown, expired or signed out."""
        return await asyncio.to_thread(self._look, access)

    async def refresh(self, refresh: str) -> tuple[Tokens, bytes] | None:
        """New tokens for a refresh token, and the secret of their family.

        Returns:
            ``None`` if it is unknown, expired or signed out, or was replaced: see the class.
        """
        return await asyncio.to_thread(self._refresh, refresh)

    async def revoke(self, token: str) -> bool:
        """End the family of an access or refresh token, also of an expired or replaced one.

        Returns:
            ``False`` if it is unknown, or its family has ended already.
        """
        return await asyncio.to_thread(self._revoke, token)

    async def aclose(self) -> None:
        """Close the file."""
        await asyncio.to_thread(self._file.close)

    def _issue(self, secret: bytes, holder: str) -> Tokens:
        family, key = secrets.token_hex(16), AESGCM.generate_key(256)
        owner = hashlib.sha256(holder.encode()).digest() if holder else b""
        now = self._clock()
        with self._file.writing() as database:
            self._sweep(database, now)
            database.execute(
                "INSERT INTO families (id, holder, sealed, renewed) VALUES (?, ?, ?, ?)",
                (family, owner, _seal(key, secret, family), now),
            )
            if owner:
                database.execute(
                    "DELETE FROM families WHERE rowid IN (SELECT rowid FROM families"
                    " WHERE holder = ? ORDER BY renewed DESC, rowid DESC LIMIT -1 OFFSET ?)",
                    (owner, self._per_holder),
                )
            database.execute(
                "DELETE FROM families WHERE rowid IN (SELECT rowid FROM families"
                " ORDER BY renewed DESC, rowid DESC LIMIT -1 OFFSET ?)",
                (self._families,),
            )
            return _insert(database, family, key, parent=None, now=now)

    def _look(self, access: str) -> Session | None:
        token = _Token.read(access, _ACCESS)
        if token is None:
            return None
        now = self._clock()
        with self._file.reading() as database:
            row = database.execute(
                "SELECT families.id, families.sealed, tokens.wrapped, tokens.made, parents.id"
                " FROM tokens JOIN families ON families.id = tokens.family"
                " LEFT JOIN tokens AS parents"
                " ON parents.id = tokens.parent AND parents.until IS NULL"
                " WHERE tokens.id = ?",
                (token.id,),
            ).fetchone()
        if row is None:
            return None
        family, sealed, wrapped, made, parent = row
        if now >= made + self._access_seconds:
            return None
        if parent is not None:
            with self._file.writing() as database:
                self._replace(database, parent, now)
        key = _unseal(token.key, wrapped, family)
        secret = key and _unseal(key, sealed, family)
        return None if secret is None else Session(family, secret)

    def _refresh(self, refresh: str) -> tuple[Tokens, bytes] | None:
        token = _Token.read(refresh, _REFRESH)
        if token is None:
            return None
        now = self._clock()
        with self._file.writing() as database:
            self._sweep(database, now)
            row = database.execute(
                "SELECT families.id, sealed, wrapped, made, until, parent"
                " FROM tokens JOIN families ON families.id = family WHERE tokens.id = ?",
                (token.id,),
            ).fetchone()
            if row is None:
                return None
            family, sealed, wrapped, made, until, parent = row
            if now >= made + self._refresh_seconds:
                return None
            if until is not None and now >= until:
                _log.warning("replaced refresh token used: session ended", family=family)
                database.execute("DELETE FROM families WHERE id = ?", (family,))
                return None
            key = _unseal(token.key, wrapped, family)
            secret = key and _unseal(key, sealed, family)
            if key is None or secret is None:
                return None
            if parent is not None:
                self._replace(database, parent, now)
            database.execute("UPDATE families SET renewed = ? WHERE id = ?", (now, family))
            return _insert(database, family, key, parent=token.id, now=now), secret

    def _revoke(self, text: str) -> bool:
        access, refresh = _Token.read(text, _ACCESS), _Token.read(text, _REFRESH)
        if access is None or refresh is None:
            return False
        with self._file.writing() as database:
            ended = database.execute(
                "DELETE FROM families WHERE id IN (SELECT family FROM tokens WHERE id IN (?, ?))",
                (access.id, refresh.id),
            )
            return ended.rowcount > 0

    def _replace(self, database: sqlite3.Connection, id: bytes, now: float) -> None:
        """Note that a refresh token's successor has arrived."""
        database.execute(
            "UPDATE tokens SET until = ? WHERE id = ? AND until IS NULL",
            (now + self._grace_seconds, id),
        )

    def _sweep(self, database: sqlite3.Connection, now: float) -> None:
        """Remove what nobody can use any more."""
        if now < self._swept + _SWEEP:
            return
        self._swept = now
        old = now - max(self._access_seconds, self._refresh_seconds)
        database.execute("DELETE FROM families WHERE renewed <= ?", (old,))
        database.execute("DELETE FROM tokens WHERE made <= ?", (old,))


def _insert(
    database: sqlite3.Connection, family: str, key: bytes, *, parent: bytes | None, now: float
) -> Tokens:
    """Add tokens to a family, and forget its oldest where there are very many."""
    access, refresh = _Token.new(_ACCESS), _Token.new(_REFRESH)
    database.executemany(
        "INSERT INTO tokens (id, family, parent, wrapped, made) VALUES (?, ?, ?, ?, ?)",
        [
            (token.id, family, parent, _seal(token.key, key, family), now)
            for token in (access, refresh)
        ],
    )
    database.execute(
        "DELETE FROM tokens WHERE family = ? AND rowid <= (SELECT rowid FROM tokens"
        " WHERE family = ? ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
        (family, family, _KEPT),
    )
    return Tokens(access.text, refresh.text)


def _seal(key: bytes, data: bytes, family: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, data, family.encode())


def _unseal(key: bytes, sealed: bytes, family: str) -> bytes | None:
    """What was sealed with the key for the family; ``None`` if the file was changed."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], family.encode())
    except (InvalidTag, ValueError):
        return None
