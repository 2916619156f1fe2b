"""Signed messages: byte for byte as the hosts in the field write them."""

import base64
import hashlib
import hmac
import json

import pytest

from waterbutler.auth.signing import sign, verify
from waterbutler.core.errors import InvalidRequest, Unauthenticated

SECRET = "changeme"
END = 2000000000
PAYLOAD = {"user": "abcde", "b": {"z": 1, "a": "é"}}
MESSAGE = {
    "payload": (
        "eyJiIjogeyJhIjogIlx1MDBlOSIsICJ6IjogMX0sICJ0aW1lIjogMjAwMDAwMDAwMCwgInVzZXIiOiAiYWJjZGUifQ=="
    ),
    "signature": "720832950e49786d349d7146a75b4b3d28650da09e0754d2c4e5c500976ffc88",
}


def signed(canonical: bytes) -> dict[str, str]:
    """A message as somebody else makes it."""
    text = base64.b64encode(canonical)
    digest = hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
    return {"payload": text.decode(), "signature": digest}


def test_the_message_is_the_same_byte_for_byte():
    """The published vector, whatever the order of the keys."""
    assert sign(PAYLOAD, SECRET, expires=END) == MESSAGE
    assert sign(dict(reversed(PAYLOAD.items())), SECRET, expires=END) == MESSAGE


def test_the_vector_is_believed():
    """What the hosts write is read."""
    assert verify(MESSAGE, SECRET, now=END) == {**PAYLOAD, "time": END}


def test_a_time_of_the_payload_wins():
    """Whoever says when it ends decides."""
    message = sign({"time": END}, SECRET, expires=1)
    assert verify(message, SECRET, now=END - 1) == {"time": END}


def test_a_fraction_of_a_second_is_kept():
    """Callbacks end at a time with a fraction, written as Python does."""
    message = sign({}, SECRET, expires=1795314823.66)
    assert base64.b64decode(message["payload"]) == b'{"time": 1795314823.66}'


def test_another_way_to_write_it_is_believed():
    """The text that came is what was signed; it need not be canonical."""
    message = signed(b'{"time":2000000000,"b":"\xc3\xa9","a":1}')
    assert verify(message, SECRET, now=END) == {"time": END, "b": "é", "a": 1}


@pytest.mark.parametrize("key", ["payload", "signature"])
def test_missing_parts_are_a_bad_request(key):
    """Both belong to a message."""
    with pytest.raises(InvalidRequest):
        verify({**MESSAGE, key: None}, SECRET, now=END)
    with pytest.raises(InvalidRequest):
        verify({name: MESSAGE[name] for name in MESSAGE if name != key}, SECRET, now=END)


@pytest.mark.parametrize("text", ["*", "ü", "YQ", "YQ==\n"])
def test_an_unreadable_payload_is_a_bad_request(text):
    """It is not even compared."""
    with pytest.raises(InvalidRequest):
        verify({**MESSAGE, "payload": text}, SECRET, now=END)


def test_a_changed_letter_is_refused():
    """Every letter of both parts counts."""
    for name, text in MESSAGE.items():
        for place, letter in enumerate(text):
            if letter == "=":
                continue
            other = "a" if letter != "a" else "b"
            changed = {**MESSAGE, name: text[:place] + other + text[place + 1 :]}
            with pytest.raises(Unauthenticated):
                verify(changed, SECRET, now=END)


@pytest.mark.parametrize("signature", ["", "é" * 64, "\ud800", MESSAGE["signature"].upper()])
def test_a_strange_signature_is_refused(signature):
    """Whatever it is made of."""
    with pytest.raises(Unauthenticated):
        verify({**MESSAGE, "signature": signature}, SECRET, now=END)


def test_another_secret_is_refused():
    """Both sides must know the same."""
    with pytest.raises(Unauthenticated):
        verify(MESSAGE, "another", now=END)


def test_an_old_message_is_a_bad_request():
    """It is good until the second that it names, and no longer."""
    assert verify(MESSAGE, SECRET, now=END)
    with pytest.raises(InvalidRequest, match="expired"):
        verify(MESSAGE, SECRET, now=END + 0.5)


@pytest.mark.parametrize(
    "canonical",
    [
        b"",
        b"[]",
        b"1",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"{}",
        b'{"time": null}',
        b'{"time": true}',
        b'{"time": "2000000000"}',
        b'{"time": NaN}',
        json.dumps("text").encode(),
    ],
)
def test_what_makes_no_sense_is_a_bad_request(canonical):
    """Also when it is signed."""
    with pytest.raises(InvalidRequest):
        verify(signed(canonical), SECRET, now=END)
