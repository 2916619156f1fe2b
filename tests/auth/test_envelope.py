"""Sealed claims: byte for byte as the hosts in the field write them."""

import base64
import subprocess
import sys
import warnings
from dataclasses import replace

import jwt
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from waterbutler.auth import envelope
from waterbutler.auth.envelope import (
    ALGORITHMS,
    MAX_LIFETIME,
    BadEnvelope,
    EnvelopeKeys,
    ExpiredEnvelope,
    open_sealed,
    seal,
)

END = 2000000000
NOW = END - 15
DATA = {"nid": "guid0", "provider": "osfstorage", "action": "download"}
HEADER = "eyJhbGciOiAiZGlyIiwgImVuYyI6ICJBMjU2R0NNIn0"
TOKEN = (
    f"{HEADER}..AAECAwQFBgcICQoLDA0ODw."
    "Cx_IbFgj4ZI_5ts8klOrfCCl-ilpf6UZahljt-zBJVdsVzIkPNdI8mfVONmxSekjweJRFK_C_E6JQoZR9SuobDwKHMdP"
    "opB1f7JOqhKWZHfCe3yKZa-CIXqXAjMd3tsjfQpZKJAcRNPQmrFMNIT3nnd6ARL4DvX_w82GwJrqu-GN1koUPqTk7gz4"
    "IfBf7IlUVooYZFBvL8zzFqrJak9r2mAUtJofYV3EtZya9tbTYWMn1tEeLrddLQMXsUQLJXVy-fML."
    "MrmpVG1bQy6RhA2Ga_36dA"
)
KEYS = EnvelopeKeys.derive(
    jwe_secret="CirclesAre4Squares", jwe_salt="yusaltydough", jwt_secret="ILiekTrianglesALot"
)


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")


def token_of(claims, secret: str, algorithm: str = "HS256") -> str:
    with warnings.catch_warnings(action="ignore", category=jwt.warnings.InsecureKeyLengthWarning):
        if isinstance(claims, bytes):
            return jwt.api_jws.encode(claims, secret, algorithm)
        return jwt.encode(claims, secret, algorithm)


def wrap(claims, *, keys=KEYS, iv=bytes(16), header=HEADER, algorithm="HS256", secret=None):
    """A token as somebody else makes it."""
    secret = keys.signature if secret is None else secret
    text = claims if isinstance(claims, str) else token_of(claims, secret, algorithm)
    sealed = AESGCM(keys.encryption).encrypt(iv, text.encode(), header.encode())
    return ".".join((header, "", encode(iv), encode(sealed[:-16]), encode(sealed[-16:])))


def test_the_key_is_derived_as_everywhere():
    """The secrets of the published vector give its key."""
    expected = "737eaf99cad7e5272c03d2727cc971239f295e5077d691f898d7d49b5e5804d2"
    assert KEYS.encryption.hex() == expected


def test_the_token_is_the_same_byte_for_byte(monkeypatch):
    """With the vector's initialization vector, sealing gives the vector's token."""
    monkeypatch.setattr(envelope, "urandom", lambda size: bytes(range(size)))
    assert seal({"data": DATA}, KEYS, now=NOW) == TOKEN


def test_the_vector_opens():
    """What the hosts write is read."""
    assert open_sealed(TOKEN, KEYS, now=NOW) == {"data": DATA, "exp": END}


def test_what_is_sealed_can_be_opened():
    """Any claims come back, with the time of their end."""
    claims = {"data": {"path": "/ü \U0001f600/", "version": None, "n": [1, 2.5, True]}}
    assert open_sealed(seal(claims, KEYS, now=NOW), KEYS, now=NOW) == {**claims, "exp": END}


def test_two_tokens_differ():
    """The initialization vector is new each time."""
    assert seal({"data": DATA}, KEYS, now=NOW) != seal({"data": DATA}, KEYS, now=NOW)


@pytest.mark.parametrize("size", [8, 12, 16, 32])
def test_initialization_vectors_of_other_lengths_are_read(size):
    """Strict libraries use 12 bytes, the hosts 16."""
    token = wrap({"data": {}, "exp": END}, iv=bytes(range(size)))
    assert open_sealed(token, KEYS, now=NOW) == {"data": {}, "exp": END}


def test_another_way_to_write_the_header_is_read():
    """The header is JSON: blanks and further fields mean nothing."""
    header = encode(b'{"enc":"A256GCM","typ":"JWE","alg":"dir"}')
    assert open_sealed(wrap({"exp": END}, header=header), KEYS, now=NOW) == {"exp": END}


@pytest.mark.parametrize("part", [0, 2, 3, 4])
def test_a_changed_byte_is_refused(part):
    """Every bit of every segment counts."""
    parts = TOKEN.split(".")
    raw = decode(parts[part])
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        token = ".".join([*parts[:part], encode(bytes(changed)), *parts[part + 1 :]])
        with pytest.raises(BadEnvelope):
            open_sealed(token, KEYS, now=NOW)


def test_a_changed_letter_is_refused():
    """Also one whose bits nobody reads."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place, letter in enumerate(TOKEN):
        other = letters[letters.index(letter) ^ 1] if letter in letters else "A"
        with pytest.raises(BadEnvelope):
            open_sealed(TOKEN[:place] + other + TOKEN[place + 1 :], KEYS, now=NOW)


@pytest.mark.parametrize("now", [END, END + 1, END + 10**9])
def test_an_expired_token_is_refused(now):
    """There is no leeway."""
    with pytest.raises(ExpiredEnvelope):
        open_sealed(TOKEN, KEYS, now=now)


@pytest.mark.parametrize("end", [None, "2000000000", True, [END], {}])
def test_a_token_without_an_end_is_refused(end):
    """Whoever does not say when it ends is not believed."""
    with pytest.raises(BadEnvelope, match="when it ends"):
        open_sealed(wrap({"data": {}, "exp": end}), KEYS, now=NOW)
    with pytest.raises(BadEnvelope, match="when it ends"):
        open_sealed(wrap({"data": {}}), KEYS, now=NOW)


@pytest.mark.parametrize("end", [NOW + MAX_LIFETIME + 1, 1e300])
def test_a_token_that_never_ends_is_refused(end):
    """An end is near."""
    with pytest.raises(BadEnvelope, match="far"):
        open_sealed(wrap({"data": {}, "exp": end}), KEYS, now=NOW)
    assert open_sealed(wrap({"exp": NOW + MAX_LIFETIME}), KEYS, now=NOW)


@pytest.mark.parametrize("end", ["NaN", "Infinity", "-Infinity"])
def test_an_end_that_is_no_number_is_refused(end):
    """Python reads such JSON; it is no time."""
    claims = f'{{"exp": {end}}}'.encode()
    text = token_of(claims, KEYS.signature)
    with pytest.raises(BadEnvelope):
        open_sealed(wrap(text), KEYS, now=NOW)


@pytest.mark.parametrize(
    ("secret", "algorithm"), [("another", "HS256"), ("", "none"), (None, "HS512")]
)
def test_a_wrong_signature_is_refused(secret, algorithm):
    """The right encryption is not enough."""
    text = token_of({"exp": END}, KEYS.signature if secret is None else secret or None, algorithm)
    with pytest.raises(BadEnvelope):
        open_sealed(wrap(text), KEYS, now=NOW)


@pytest.mark.parametrize("name", ["jwe_secret", "jwe_salt", "jwt_secret"])
def test_other_secrets_open_nothing(name):
    """All three count."""
    secrets = {"jwe_secret": "a", "jwe_salt": "b", "jwt_secret": "c"}
    token = seal({"data": DATA}, EnvelopeKeys.derive(**secrets), now=NOW)
    with pytest.raises(BadEnvelope):
        open_sealed(token, EnvelopeKeys.derive(**{**secrets, name: "x"}), now=NOW)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "....",
        "a.b.c.d.e",
        TOKEN.replace("..", "."),
        TOKEN.replace("..", ".AAAA."),
        TOKEN + ".",
        TOKEN + "=",
        TOKEN + "\n",
        " " + TOKEN,
        HEADER + "....",
        HEADER + "..AA.AA.AA",
        HEADER + "..ü.ü.ü",
        "A" * (2 << 20),
        wrap({"exp": END}, header=encode(b"[]")),
        wrap({"exp": END}, header=encode(b"\xff")),
        wrap({"exp": END}, header=encode(b'{"alg":"dir"}')),
        wrap({"exp": END}, header=encode(b'{"alg":"A256KW","enc":"A256GCM"}')),
        wrap({"exp": END}, header=encode(b'{"alg":"dir","enc":"A128GCM"}')),
        wrap("no token"),
        wrap(token_of(b"[1]", KEYS.signature)),
        wrap(token_of(b"\xff", KEYS.signature)),
    ],
)
def test_nonsense_is_refused(token):
    """Whatever comes, the error is the same kind."""
    with pytest.raises(BadEnvelope):
        open_sealed(token, KEYS, now=NOW)


def test_keys_are_not_shown():
    """Neither key appears in logs."""
    assert "Triangles" not in repr(KEYS)
    assert repr(KEYS.encryption) not in repr(KEYS)


def test_the_algorithm_is_one_that_is_safe():
    """No unsigned tokens by configuration."""
    with pytest.raises(ValueError, match="none"):
        EnvelopeKeys.derive(jwe_secret="a", jwe_salt="b", jwt_secret="c", algorithm="none")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_algorithm_opens_what_it_sealed(algorithm):
    keys = replace(KEYS, algorithm=algorithm)
    token = seal(DATA, keys, now=NOW)
    assert open_sealed(token, keys, now=NOW) == {**DATA, "exp": END}
    others = [replace(KEYS, algorithm=other) for other in ALGORITHMS if other != algorithm]
    for other in others:
        with pytest.raises(BadEnvelope):
            open_sealed(token, other, now=NOW)


def test_what_signs_is_loaded_by_who_needs_it():
    """Knowing the algorithms takes no library."""
    code = "import sys; from waterbutler.auth import envelope; assert 'jwt' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
