"""Asking an OSF-like host who may do what."""

import asyncio
import json
import time
from dataclasses import replace

import msgspec
import pytest

from tests.fakes.osf_host import KEYS, USER, FakeHost, Refused
from waterbutler.auth import envelope
from waterbutler.auth.osf import WORDS, OsfExchange, OsfHandler
from waterbutler.core import AccessRequest, Action, Identity
from waterbutler.core.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    Relayed,
    Unauthenticated,
)
from waterbutler.http import HttpClient
from waterbutler.server.errors import status_of

ACTIONS = {
    Action.METADATA: ("metadata", "metadata"),
    Action.DOWNLOAD: ("download", "download"),
    Action.ZIP: ("download", "daz"),
    Action.REVISIONS: ("revisions", "revisions"),
    Action.RENDER: ("render", "render"),
    Action.EXPORT: ("export", "export"),
    Action.UPDATE_FILE: ("upload", "update_file"),
    Action.CREATE_FILE: ("upload", "create_file"),
    Action.CREATE_FOLDER: ("upload", "create_dir"),
    Action.DELETE: ("delete", "delete"),
    Action.COPY_FROM: ("download", "copyfrom"),
    Action.COPY_TO: ("upload", "copyto"),
    Action.MOVE_FROM: ("delete", "movefrom"),
    Action.MOVE_TO: ("upload", "moveto"),
    Action.RENAME: ("upload", "rename"),
}
REQUEST = AccessRequest(
    resource="guid0", provider="osfstorage", action=Action.DOWNLOAD, path="/5f0c"
)


@pytest.fixture
def host(io_loop):
    host = io_loop.run_sync(FakeHost().start)
    yield host
    io_loop.run_sync(host.stop)


@pytest.fixture
def http(io_loop):
    client = HttpClient()
    yield client
    io_loop.run_sync(client.aclose)


@pytest.fixture
def handler(host, http):
    return OsfHandler(http, OsfExchange(url=host.auth_url, keys=KEYS, keep_seconds=0))


def shown(**identity) -> AccessRequest:
    return msgspec.structs.replace(REQUEST, identity=Identity(**identity))


async def refused(handler, request=REQUEST):
    with pytest.raises(Exception) as caught:
        await handler.authorize(request)
    return caught.value


async def test_what_the_host_grants(handler, host):
    """User, storage, secrets and the address for callbacks come from the host."""
    host.storage = {"provider": "filesystem", "folder": "/blobs"}
    host.storage_credentials = {"key": "secret"}
    grant = await handler.authorize(REQUEST)
    assert (grant.user.id, grant.user.name, grant.user.email) == (
        USER["id"],
        USER["name"],
        USER["email"],
    )
    assert grant.provider == "osfstorage"
    assert grant.settings == host.settings("guid0")
    assert grant.credentials == {"storage": {"key": "secret"}}
    assert grant.callback_url == f"{host.url}/api/v1/project/guid0/waterbutler/logs/"
    assert "secret" not in repr(grant)


async def test_anonymous(handler, host):
    """Nobody is signed in: the host says so with an empty object."""
    host.answer = lambda _, answer: {**answer, "auth": {}}
    grant = await handler.authorize(REQUEST)
    assert (grant.user.id, grant.user.name, grant.user.email) == (None, None, None)


async def test_another_service(handler, host):
    """The host may name the real provider, which is no setting of it."""
    host.answer = lambda _, answer: {**answer, "settings": {"service": "s3", "bucket": "b"}}
    grant = await handler.authorize(REQUEST)
    assert (grant.provider, grant.settings) == ("s3", {"bucket": "b"})


@pytest.mark.parametrize(("action", "words"), ACTIONS.items(), ids=str)
async def test_the_words_for_an_action(handler, host, action, words):
    """Each row of the table."""
    await handler.authorize(msgspec.structs.replace(REQUEST, action=action))
    data = host.last("auth").said["data"]
    assert (data["action"], data["intent"]) == words


def test_every_action_has_its_words():
    """No action is left out."""
    assert set(WORDS) == set(ACTIONS) == set(Action)


async def test_the_whole_question(handler, host):
    """What is in the token, in the order that the hosts know."""
    request = msgspec.structs.replace(
        shown(
            cookie="a cookie",
            view_only="key&1",
            referrer="http://osf/x",
            user_agent="probe/1",
            origin="http://osf",
            uri="/v1/resources/guid0/providers/osfstorage/5f0c?version=2",
        ),
        version="2",
    )
    await handler.authorize(request)
    (call,) = host.calls
    assert list(call.said["data"].items()) == [
        ("nid", "guid0"),
        ("provider", "osfstorage"),
        ("action", "download"),
        ("intent", "download"),
        ("path", "/5f0c"),
        ("version", "2"),
        (
            "metrics",
            {
                "referrer": "http://osf/x",
                "user_agent": "probe/1",
                "origin": "http://osf",
                "uri": "/v1/resources/guid0/providers/osfstorage/5f0c?version=2",
            },
        ),
        ("cookie", "a cookie"),
    ]
    assert set(call.said) == {"data", "exp"}
    assert call.query["view_only"] == ["key&1"]
    assert set(call.query) == {"view_only"}


async def test_what_is_absent_is_null(handler, host):
    """A client that shows nothing."""
    await handler.authorize(REQUEST)
    (call,) = host.calls
    data = call.said["data"]
    assert data["version"] is None
    assert data["metrics"] == {"referrer": None, "user_agent": None, "origin": None, "uri": ""}
    assert "cookie" not in data
    assert "view_only" not in call.query
    for name in ("authorization", "cookie", "x-osf-otp", "x-cos-mfr-render-request"):
        assert name not in call.headers


async def test_what_is_relayed(handler, host):
    """The proof of who it is, and only the session of this host."""
    await handler.authorize(
        shown(
            authorization="Bearer t",
            cookies={"osf": "ses.si-on_1", "other": "secret", "sessionid": "x"},
            csrf_token="secret",
            headers={"x-osf-otp": "123456", "x-cos-mfr-render-request": "1", "x-else": "no"},
        )
    )
    (call,) = host.calls
    assert call.method == "GET"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["authorization"] == "Bearer t"
    assert call.headers["cookie"] == "osf=ses.si-on_1"
    assert call.headers["x-osf-otp"] == "123456"
    assert call.headers["x-cos-mfr-render-request"] == "1"
    assert "x-else" not in call.headers
    assert "secret" not in str(call.headers)
    assert call.headers["user-agent"].startswith("waterbutler/")


@pytest.mark.parametrize("value", ["", "a;b", "a\r\nX: y", "é", 'a"b', "a b"])
async def test_a_cookie_that_fits_in_no_header_is_not_relayed(handler, host, value):
    """Whatever a client makes up."""
    await handler.authorize(shown(cookies={"osf": value}))
    assert "cookie" not in host.calls[0].headers


@pytest.mark.parametrize("key", ["a b", "ü", "&payload=x", "%", "\ud800"])
async def test_a_link_key_stays_one_parameter(handler, host, key):
    """It is encoded."""
    await handler.authorize(shown(view_only=key))
    assert host.calls[0].query["view_only"] == [key.replace("\ud800", "?")]


async def test_a_stale_cookie_is_left_out(handler, host):
    """The host redirects to itself: then what anybody may do counts, after one more call."""
    host.trouble("auth", status=302, headers={"Location": host.auth_url})
    grant = await handler.authorize(shown(cookies={"osf": "stale"}))
    assert grant.user.id == USER["id"]
    first, second = host.calls
    assert first.headers["cookie"] == "osf=stale"
    assert "cookie" not in second.headers
    assert second.said["data"] == first.said["data"]


@pytest.mark.parametrize(("cookies", "calls"), [({"osf": "stale"}, 2), ({}, 1)])
async def test_redirects_are_not_followed(handler, host, cookies, calls):
    """Not even the same one twice."""
    host.trouble("auth", status=302, headers={"Location": host.auth_url}, times=10)
    error = await refused(handler, shown(cookies=cookies))
    assert isinstance(error, Unauthenticated)
    assert len(host.calls) == calls


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 418, 429, 451])
async def test_what_the_host_says_is_kept(handler, host, status):
    """Status and JSON are the host's own."""

    def answer(_, __):
        raise Refused(status, "You shall not pass.")

    host.answer = answer
    error = await refused(handler)
    assert isinstance(error, Relayed)
    assert status_of(error) == status
    assert error.message == "You shall not pass."
    assert error.body == {
        "message_short": "You shall not pass.",
        "message_long": "You shall not pass.",
        "code": status,
        "referrer": None,
    }


@pytest.mark.parametrize("body", [b"{}", b'{"message": 1, "x": [1]}', b'{"message_long": ""}'])
async def test_an_object_without_a_message(handler, host, body):
    """It gets one."""
    host.trouble("auth", status=403, body=body)
    error = await refused(handler)
    assert error.message == "You do not have the right to do this."
    assert error.body == json.loads(body)


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"[]", b'"text"', b"\xff", b"[" * 9999])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, Unauthenticated),
        (403, Forbidden),
        (404, NotFound),
        (410, NotFound),
        (418, ProviderFault),
        (500, ProviderFault),
        (502, ProviderUnavailable),
        (503, ProviderUnavailable),
        (504, ProviderTimeout),
        (204, ProviderFault),
    ],
)
async def test_a_refusal_without_json(handler, host, status, kind, body):
    """It is told in our words."""
    host.trouble("auth", status=status, body=b"" if status == 204 else body)
    error = await refused(handler)
    assert type(error) is kind
    assert "html" not in error.message


async def test_the_host_s_own_failure_shows_nothing(handler, host):
    """Not its JSON either: it is a failure of ours to the client."""
    host.trouble("auth", status=500, body=b'{"message_long": "Traceback"}')
    error = await refused(handler)
    assert type(error) is ProviderFault
    assert "Traceback" not in error.message


async def test_the_host_asks_for_patience(handler, host):
    """Its Retry-After is handed on."""
    host.trouble("auth", status=503, headers={"Retry-After": "7"})
    assert (await refused(handler)).retry_after == 7


def sealed(claims, now=None, **keys) -> bytes:
    made = replace(KEYS, **keys)
    token = envelope.seal(claims, made, now=time.time() if now is None else now)
    return json.dumps({"payload": token}).encode()


GOOD = {"auth": {}, "credentials": {}, "settings": {}, "callback_url": None}
BROKEN = {
    "empty": b"",
    "html": b"<html></html>",
    "list": b"[]",
    "nothing in it": b"{}",
    "payload is null": b'{"payload": null}',
    "payload is no token": b'{"payload": "a.b.c"}',
    "no UTF-8": b'{"payload": "\xff"}',
    "deep": b'{"payload":' + b"[" * 9999,
    "large": b" " * (2 << 20),
    "other key": sealed({"data": GOOD}, encryption=bytes(32)),
    "other signature": sealed({"data": GOOD}, signature="another"),
    "expired": sealed({"data": GOOD}, now=0),
    "far": sealed({"data": GOOD}, now=4e9),
    "no data": sealed({}),
    "data is null": sealed({"data": None}),
    "data is a list": sealed({"data": []}),
    "no settings": sealed({"data": {"auth": {}, "credentials": {}}}),
    "settings is null": sealed({"data": {**GOOD, "settings": None}}),
    "no auth": sealed({"data": {"settings": {}, "credentials": {}}}),
    "auth is text": sealed({"data": {**GOOD, "auth": "usr01"}}),
    "id is a number": sealed({"data": {**GOOD, "auth": {"id": 1}}}),
    "callback is a number": sealed({"data": {**GOOD, "callback_url": 1}}),
}


def test_a_good_answer_is_none_of_the_broken_ones(io_loop, handler, host):
    """What the broken answers are made from is granted."""
    host.trouble("auth", status=200, body=sealed({"data": GOOD}))
    assert io_loop.run_sync(lambda: handler.authorize(REQUEST)).user.id is None


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_a_broken_answer(handler, host, body):
    """Nothing of it is shown, and nothing is granted."""
    host.trouble("auth", status=200, body=body)
    error = await refused(handler)
    assert type(error) is ProviderFault
    assert error.message in {
        "The answer of the host makes no sense.",
        "The answer of the host is not complete.",
    }


async def test_nobody_is_there(handler, host):
    """The client may try again later."""
    await host.stop()
    error = await refused(handler)
    assert type(error) is ProviderUnavailable
    assert error.message == "The host cannot be reached."


async def test_a_silent_host(handler, host, http):
    """The time-out is this exchange's own."""
    exchange = OsfExchange(url=host.auth_url, keys=KEYS, seconds=0.05)
    host.trouble("auth", seconds=0.5)
    error = await refused(OsfHandler(http, exchange))
    assert type(error) is ProviderTimeout
    await asyncio.sleep(0.5)


@pytest.mark.parametrize("action", list(Action), ids=lambda it: it.value)
async def test_only_looking_is_remembered(host, http, action):
    """The host counts downloads and views, and decides about each change."""
    handler = OsfHandler(http, OsfExchange(url=host.auth_url, keys=KEYS, keep_seconds=60))
    first = await handler.authorize(msgspec.structs.replace(REQUEST, action=action))
    second = await handler.authorize(msgspec.structs.replace(REQUEST, action=action))
    assert first == second
    kept = action in {Action.METADATA, Action.REVISIONS}
    assert len(host.calls) == (1 if kept else 2)


LOOK = msgspec.structs.replace(REQUEST, action=Action.METADATA)


@pytest.mark.parametrize(
    "other",
    [
        msgspec.structs.replace(LOOK, resource="other"),
        msgspec.structs.replace(LOOK, provider="s3"),
        msgspec.structs.replace(LOOK, path="/else"),
        msgspec.structs.replace(LOOK, version="1"),
        msgspec.structs.replace(LOOK, action=Action.REVISIONS),
        msgspec.structs.replace(LOOK, identity=Identity(authorization="Bearer x")),
        msgspec.structs.replace(LOOK, identity=Identity(cookie="x")),
        msgspec.structs.replace(LOOK, identity=Identity(cookies={"osf": "x"})),
        msgspec.structs.replace(LOOK, identity=Identity(view_only="x")),
        msgspec.structs.replace(LOOK, identity=Identity(headers={"x-osf-otp": "1"})),
    ],
)
async def test_another_question_is_asked(host, http, other):
    """Everything that the host decides by counts."""
    handler = OsfHandler(http, OsfExchange(url=host.auth_url, keys=KEYS, keep_seconds=60))
    await handler.authorize(LOOK)
    await handler.authorize(other)
    assert len(host.calls) == 2


async def test_a_grant_is_soon_forgotten(host, http):
    """Nothing is remembered longer than was said, and no refusal at all."""
    now = [1000.0]
    offset = time.time() - now[0]
    exchange = OsfExchange(url=host.auth_url, keys=KEYS, keep_seconds=2)
    handler = OsfHandler(http, exchange, clock=lambda: now[0] + offset)
    await handler.authorize(LOOK)
    now[0] += 1.9
    await handler.authorize(LOOK)
    assert len(host.calls) == 1
    now[0] += 0.2
    host.trouble("auth", status=403, body=b"{}")
    await refused(handler, LOOK)
    await handler.authorize(LOOK)
    assert len(host.calls) == 3


async def test_it_knows_no_users_of_its_own(handler):
    """Only the host could say, and only about a resource."""
    assert await handler.identify(Identity(authorization="Bearer t")) is None
    assert await handler.resources(Identity()) == ()


def test_secrets_are_not_shown(host):
    """Neither in the exchange nor in its keys."""
    assert "secret" not in repr(OsfExchange(url=host.auth_url, keys=KEYS))
