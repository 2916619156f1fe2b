"""Questions and messages to the embedded host with something odd in them."""

import json
import time
from urllib.parse import urlencode

from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz import strategies as some
from tests.fuzz.sizes import examples
from tests.fuzz.wire import Request
from tests.fuzz.world import ALICE, SECRETS, signed
from waterbutler.auth.envelope import EnvelopeKeys, seal

KEYS = EnvelopeKeys.derive(**{name: SECRETS[name] for name in SECRETS if name != "hmac_secret"})
ACTIONS = ["metadata", "revisions", "download", "upload", "delete", "copy", "movefrom", "render"]
HOOKS = [
    *[("GET", ""), ("GET", "{id}/"), ("GET", "{id}/children/"), ("POST", "{id}/children/")],
    *[("GET", "{id}/lineage/"), ("GET", "{id}/download/"), ("GET", "{id}/revisions/")],
    *[("DELETE", "{id}/"), ("POST", "hooks/move/"), ("POST", "hooks/copy/")],
    *[("PUT", "hooks/metadata/"), ("GET", "quota_status/"), ("PATCH", "{id}/")],
]
BLOB = {
    "provider": "filesystem",
    "kind": "file",
    "name": "0" * 64,
    "path": "/" + "0" * 64,
    "materialized": "/x",
    "etag": "0",
    "size": 4,
    "modified": "Sun, 22 Nov 2026 02:30:24 +0000",
    "extra": {},
}


def blob():
    """What is said of stored bytes, with something odd in it."""
    odd = st.dictionaries(st.sampled_from(sorted(BLOB)), some.anything, max_size=2)
    return odd.map(lambda changes: {**BLOB, **changes})


def payloads(ids):
    """What a message says; each hook takes what it knows."""
    known = some.mostly(st.sampled_from(ids), some.texts)
    place = st.fixed_dictionaries(
        {"parent": known, "node": st.just("demo"), "name": some.texts},
        optional={"replace": st.booleans() | some.anything},
    )
    members = {
        "name": some.texts,
        "user": some.mostly(st.just("alice"), some.texts),
        "kind": st.sampled_from(["file", "folder"]),
        "settings": st.just({"provider": "filesystem", "folder": "/blobs"}) | some.anything,
        "metadata": blob(),
        "hashes": st.just({"md5": "0" * 32, "sha256": "0" * 64}) | some.anything,
        "worker": some.anything,
        "source": known,
        "destination": place,
        "version": some.texts | st.integers(),
        "exclusive": st.booleans(),
        "file": known,
    }
    loose = {name: some.mostly(value, some.anything, 9) for name, value in members.items()}
    return st.one_of(st.fixed_dictionaries(loose), st.fixed_dictionaries({}, optional=loose))


@examples(35)
@given(data=st.data())
def test_hooks_are_answered(world, data):
    """Whatever a server that has the secret says."""
    world.fill("osfstorage")
    names = ("file.txt", "folder/", "folder/inner.txt")
    ids = [world.path("osfstorage", name).strip("/") for name in names]
    method, where = data.draw(st.sampled_from(HOOKS))
    id = data.draw(some.mostly(st.sampled_from(ids).map(str.encode), some.pieces))
    target = b"/host/api/v1/demo/osfstorage/" + where.encode().replace(b"{id}", id)
    message = signed(data.draw(payloads(ids)))
    message |= data.draw(
        some.mostly(st.just({}), st.fixed_dictionaries({"payload": some.texts}), 9)
    )
    options = data.draw(some.queries("minimal", "after", "limit", "user_id", "name", "version"))
    query = urlencode(message, errors="replace").encode()
    target += b"?" + query + options.replace(b"?", b"&")
    body = json.dumps(message).encode() if method not in {"GET", "DELETE"} else None
    world.try_out(Request(method, target, data.draw(some.headers()), body))


@examples(15)
@given(
    body=some.mostly(
        st.dictionaries(
            st.sampled_from(["action", "auth", "metadata", "provider", "source", "destination"]),
            some.mostly(st.sampled_from(["create", "move", {"id": "alice"}, BLOB]), some.anything),
        ).map(lambda payload: json.dumps(signed(payload)).encode()),
        some.documents(payload=some.texts, signature=some.texts),
    ),
    resource=some.mostly(st.just(b"demo"), some.pieces),
)
@example(body=b'{"payload": "\xff"}', resource=b"demo")
def test_messages_about_events_are_answered(world, body, resource):
    """Whatever they say."""
    target = b"/host/api/v1/project/" + resource + b"/waterbutler/logs/"
    world.try_out(Request("PUT", target, [], body))


@examples(25)
@given(
    asked=some.mostly(
        st.fixed_dictionaries(
            {
                "nid": some.mostly(st.just("demo"), some.texts),
                "provider": some.mostly(st.sampled_from(["filesystem", "osfstorage"]), some.texts),
                "action": some.mostly(st.sampled_from(ACTIONS), some.texts),
                "path": some.texts,
            },
            optional={
                "version": some.texts | st.integers(),
                "cookie": some.texts,
                "metrics": some.anything,
            },
        ),
        some.anything,
    ),
    end=some.mostly(st.just(15), st.sampled_from([0, -100, 10**6])),
    made_up=st.none() | some.texts,
    view_only=st.none() | some.texts,
)
def test_questions_about_rights_are_answered(world, asked, end, made_up, view_only):
    """Whatever a server that has the secrets asks, and whatever another one makes up."""
    token = seal({"data": asked}, KEYS, now=time.time(), lifetime=end)
    query = {"payload": token if made_up is None else made_up}
    query |= {} if view_only is None else {"view_only": view_only}
    target = b"/host/api/v1/files/auth/?" + urlencode(query, errors="replace").encode()
    world.try_out(Request("GET", target, list(ALICE)))
