"""Sessions: sealed cookies that nobody keeps."""

import pytest

from waterbutler.auth import Sessions, digest

NOW = 1_000_000.0


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(clock):
    return Sessions(b"0123456789abcdef", lifetime=100, clock=clock)


TOKEN = digest("token")


@pytest.mark.parametrize("user", ["alice", "a.b", "ü \U0001f600", "", "x" * 300])
def test_a_session_names_its_user(sessions, user):
    """Whatever the name is, in characters that a cookie may have."""
    cookie = sessions.issue(user, TOKEN)
    assert sessions.user_of(cookie) == user
    assert sessions.is_valid(cookie, TOKEN)
    assert cookie.replace(".", "").replace("-", "").replace("_", "").isalnum()


def test_a_session_ends(sessions, clock):
    """After its lifetime."""
    cookie = sessions.issue("alice", TOKEN)
    clock.now += 99
    assert sessions.is_valid(cookie, TOKEN)
    clock.now += 1
    assert not sessions.is_valid(cookie, TOKEN)


def test_a_session_ends_with_its_token(sessions):
    """Who gets a new token is signed out everywhere."""
    assert not sessions.is_valid(sessions.issue("alice", TOKEN), digest("new token"))


def test_another_server_does_not_believe_it(sessions, clock):
    """Without the same secret."""
    other = Sessions(b"fedcba9876543210", lifetime=100, clock=clock)
    assert not other.is_valid(sessions.issue("alice", TOKEN), TOKEN)


@pytest.mark.parametrize(
    "cookie",
    ["", ".", "...", "1...", "1.a.b", "1.a.b.c.d", "2.YWxpY2U.1.x", "é", "1.é.1.x", "\ud800"],
)
def test_what_is_no_session(sessions, cookie):
    """Is nobody's, and no error."""
    assert sessions.user_of(cookie) in {None, ""} or not sessions.is_valid(cookie, TOKEN)


def test_the_token_of_a_form_belongs_to_a_session(sessions):
    """Of another one it is worth nothing."""
    one, other = sessions.issue("alice", TOKEN), sessions.issue("bob", TOKEN)
    token = sessions.csrf_token(one)
    assert sessions.csrf_matches(one, token)
    assert not sessions.csrf_matches(other, token)
    assert not sessions.csrf_matches(one, token[:-1])
    assert not sessions.csrf_matches(one, "é")
    assert token not in one
