"""Requests of the gateway API, in both vocabularies, with something odd in them."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import strategies as some
from tests.fuzz.sizes import examples
from tests.fuzz.wire import Request
from tests.fuzz.world import TOKENS
from tests.gateway.client import FIRST, SECOND

OPERATIONS = {
    "first": [
        value
        for name, value in FIRST.items()
        if isinstance(value, tuple) and name not in {"leave", "renew"}
    ],
    "second": [
        *(
            value
            for name, value in SECOND.items()
            if isinstance(value, tuple) and name not in {"leave", "renew"}
        ),
        *[("POST", "gateway_upload"), ("DELETE", "gateway_upload")],
        *[("POST", "gateway_upload_segment"), ("POST", "gateway_metadata_upload")],
        *[("PUT", "gateway_metadata_upload"), ("GET", "gateway_auth_method")],
    ],
}
WORDS = {"first": FIRST, "second": SECOND}
DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
SIZES = some.mostly(st.integers(0, 100), st.integers())


def made_id(*parts):
    """An id as the server makes them, of anything."""
    return (
        base64.urlsafe_b64encode("\0".join(parts).encode("utf-8", "replace")).decode().rstrip("=")
    )


def ids():
    """Ids: good ones, good ones of odd things, and what is none."""
    good = [made_id("1", "demo", "filesystem", path) for path in ("/", "/file.txt", "/folder/")]
    good += [made_id("1", "demo", "osfstorage", "/")]
    odd = st.builds(
        made_id,
        some.mostly(st.just("1"), some.texts),
        some.mostly(st.just("demo"), some.texts),
        some.mostly(st.just("filesystem"), some.texts),
        some.mostly(some.texts.map(lambda text: f"/{text}"), some.texts),
    )
    return some.mostly(st.sampled_from(good), odd)


def segments():
    """What an upload in segments announces."""
    segment = st.fixed_dictionaries(
        {
            "gateway.upload.segment.number": some.mostly(st.integers(1, 3), some.anything, 9),
            "gateway.upload.segment.size": some.mostly(st.just(0), some.anything, 9),
            "gateway.upload.segment.sha256": some.mostly(st.just(DIGEST), some.anything, 9),
        }
    )
    return st.lists(segment, max_size=3)


def members(words):
    """What stands in the bodies of all operations; each takes what it knows."""
    found = {
        "token": some.mostly(st.just(TOKENS["alice"]), some.texts),
        "resource": some.mostly(st.just("demo"), some.texts),
        "provider": some.mostly(st.just("filesystem"), some.texts),
        words["new_parent"]: ids(),
        words["new_name"]: some.texts,
        words["name"]: some.texts,
        words["size"]: SIZES,
        words["modified"]: some.mostly(st.just(1_600_000_000_000), st.integers()),
    }
    if words is SECOND:
        found |= {
            words["parent"]: ids(),
            words["sha256"]: st.none() | st.just(DIGEST) | some.texts,
            "gateway.upload.id": some.texts,
            "gateway.upload.segment": segments(),
            "gateway.upload.segment.number": SIZES,
            "gateway.upload.segment.size": SIZES,
        }
    return found


def one_line(document):
    """A document as it can stand in a header."""
    return bytes(byte for byte in document[:30_000] if byte >= 32 and byte != 127)


def request_of(words, session):
    """Requests to one operation or another."""
    vocabulary = "first" if words is FIRST else "second"
    bodies = some.documents(**members(words))
    said = st.builds(
        lambda name, value: [(name, one_line(value))],
        st.sampled_from([words["upload"].encode(), b"X-Gateway-Upload-Segment"]),
        bodies,
    )
    token = f"Bearer {session[words['access']]}".encode()
    who = some.mostly(
        st.just(token), st.one_of(st.just(b""), some.texts.map(lambda t: quote(t).encode())), 9
    ).map(lambda value: [(b"Authorization", value)])
    endings = some.mostly(ids().map(str.encode), some.pieces).map(lambda name: b"/" + name)
    queries = some.queries("page", "x")

    @st.composite
    def made(draw):
        method, endpoint = draw(st.sampled_from(OPERATIONS[vocabulary]))
        target = b"/v2/" + endpoint.encode() + draw(endings) + draw(queries)
        if "auth" in endpoint:
            target = b"/v2/" + endpoint.encode()
        documented = bodies
        if "file" in endpoint or "segment" in endpoint:
            documented = st.binary(max_size=100)
        verbs = [*[method] * 9, "PATCH", "OPTIONS", "HEAD"]
        send = dict.fromkeys(("POST", "PUT", "PATCH"), documented)
        asked = some.requests(verbs, st.just(target), some.headers(), send)
        request = draw(asked)
        request.headers += draw(who) + draw(some.mostly(said, st.just([])))
        return request

    return made()


@pytest.mark.parametrize("vocabulary", WORDS)
def test_whatever_is_asked_is_answered(world, vocabulary):
    """No failure, no escape, no secret, and nothing of a storage that nobody signed in to."""
    words = WORDS[vocabulary]
    session = world.sign_in(words["auth"][1])

    @examples(45)
    @given(request_of(words, session))
    def tried(request):
        world.fill()
        assert b"osfstorage" not in world.try_out(request).body

    tried()


@examples(12)
@given(
    plan=st.fixed_dictionaries({"gateway.upload.segment": segments()}),
    name=some.texts,
    size=some.mostly(st.just(0), SIZES),
    body=some.mostly(st.just(b""), st.binary(max_size=20)),
    says=some.documents(**members(SECOND)),
)
def test_an_upload_in_segments_ends_well_or_with_a_refusal(world, plan, name, size, body, says):
    """Each step is answered, whatever the step before it said; what was begun can be cancelled."""
    session = world.sign_in("gateway_auth")
    who = [(b"Authorization", f"Bearer {session[SECOND['access']]}".encode())]
    root = session[SECOND["root"]]

    def ask(method, path, document=None, headers=(), data=None):
        sent = json.dumps(document).encode() if data is None and document is not None else data
        return world.try_out(Request(method, f"/v2/{path}".encode(), [*who, *headers], sent))

    begun = {**plan, SECOND["name"]: name, SECOND["size"]: size, SECOND["parent"]: root}
    answer = ask("POST", "gateway_upload", {**begun, SECOND["modified"]: 1})
    if answer.status != 200:
        return
    told = answer.json
    id = told["gateway.upload.id"]
    said = [json.dumps(segment).encode() for segment in told["gateway.upload.segment"]]
    for document in (*said, says):
        header = (b"X-Gateway-Upload-Segment", one_line(document))
        ask("POST", f"gateway_upload_segment/{id}", headers=[header], data=body)
    ask("POST", f"gateway_metadata_upload/{root}", data=says)
    finished = ask("POST", f"gateway_metadata_upload/{root}", {"gateway.upload.id": id})
    cancelled = ask("DELETE", f"gateway_upload/{id}")
    assert cancelled.status == (404 if finished.status == 200 else 200)
