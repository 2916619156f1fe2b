"""Answers that pretend to be of the host, and questions that pretend to be of another server."""

import base64
import json
import time
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.fakes.osf_host import HMAC_SECRET, KEYS, USER, running_host
from tests.host.serving import HostServer, signed
from tests.osf_server import BASE, OsfServer
from waterbutler.auth.envelope import EnvelopeKeys, seal

OTHER_KEYS = EnvelopeKeys.derive(jwe_secret="other", jwe_salt="jwe salt", jwt_secret="jwt secret")
OTHER_SIGNATURE = EnvelopeKeys.derive(
    jwe_secret="jwe secret", jwe_salt="jwe salt", jwt_secret="other"
)


@pytest.fixture
def host():
    with running_host() as host:
        yield host


@pytest.fixture
def server(io_loop, host, tmp_path):
    server = io_loop.run_sync(OsfServer(host, tmp_path).start)
    yield server
    io_loop.run_sync(server.stop)


def part(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def enclosed(inner, header=b'{"alg":"dir","enc":"A256GCM"}', key=KEYS.encryption):
    """A text in an envelope of the right key."""
    shown, iv = part(header), bytes(16)
    data = AESGCM(key).encrypt(iv, inner, shown.encode())
    return f"{shown}..{part(iv)}.{part(data[:-16])}.{part(data[-16:])}"


def claims(server, host, **more):
    settings = {"folder": str(server.data / "own"), "create": True}
    grant = {"auth": USER, "settings": settings, "credentials": {}}
    return {"data": grant, "exp": int(time.time()) + 60, **more}


def forgeries(document):
    """Tokens that say it is allowed, and are not of the host."""
    now = time.time()
    body = {"data": document["data"]}
    unsigned = jwt.encode(document, "", algorithm="none").encode()
    right = seal(body, KEYS, now=now)
    head, _, iv, data, tag = right.split(".")
    return {
        "another key": seal(body, OTHER_KEYS, now=now),
        "another signature": seal(body, OTHER_SIGNATURE, now=now),
        "an old one": seal(body, KEYS, now=now - 60),
        "one for ever": seal(body, KEYS, now=now, lifetime=10**9),
        "no end": enclosed(jwt.encode(body, KEYS.signature, algorithm="HS256").encode()),
        "unsigned": enclosed(unsigned),
        "another algorithm": enclosed(jwt.encode(document, KEYS.signature * 9, "HS512").encode()),
        "not in an envelope": jwt.encode(document, KEYS.signature, algorithm="HS256"),
        "plain": part(json.dumps(document).encode()),
        "another header": enclosed(
            jwt.encode(document, KEYS.signature, algorithm="HS256").encode(),
            b'{"alg":"none","enc":"none"}',
        ),
        "changed": ".".join((head, "", iv, ("A" if data[0] != "A" else "B") + data[1:], tag)),
        "a shorter tag": ".".join((head, "", iv, data, tag[:8])),
        "an end that is no number": enclosed(
            jwt.api_jws.encode(
                json.dumps({**body, "exp": "x"}).encode(), KEYS.signature, algorithm="HS256"
            ).encode()
        ),
    }


NAMES = [
    *("another key", "another signature", "an old one", "one for ever", "no end", "unsigned"),
    *("another algorithm", "not in an envelope", "plain", "another header", "changed"),
    *("a shorter tag", "an end that is no number"),
]


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("case", NAMES)
async def test_a_forged_answer_allows_nothing(server, host, case):
    """It is the host's fault, and no storage is opened; the right answer is believed."""
    host.answer = lambda _, answer: answer
    document = claims(server, host)
    token = forgeries(document)[case]
    files = "/v1/resources/guid0/providers/filesystem"
    host.trouble("auth", status=200, body=json.dumps({"payload": token}).encode())
    reply = await server.request("PUT", f"{files}/?name=a.txt", body=b"x")
    assert reply.status == 502, reply.body
    assert not (server.data / "own").exists()
    right = seal({"data": document["data"]}, KEYS, now=time.time())
    host.trouble("auth", status=200, body=json.dumps({"payload": right}).encode())
    assert (await server.request("PUT", f"{files}/?name=a.txt", body=b"x")).status == 201


async def test_an_answer_is_believed_once_it_is_asked_for(server, host):
    """What was heard before is worth nothing later: an answer that is played again has ended."""
    document = claims(server, host)
    heard = seal({"data": document["data"]}, KEYS, now=time.time() - 16)
    host.trouble("auth", status=200, body=json.dumps({"payload": heard}).encode(), times=9)
    for method in ("GET", "PUT", "DELETE"):
        reply = await server.request(
            method, f"{BASE}/a.txt", body=b"x" if method == "PUT" else None
        )
        assert reply.status == 502


async def test_a_refusal_is_believed_without_proof_and_a_grant_is_not(server, host):
    """Who is in between can refuse; a document of theirs that allows is not enough."""
    body = json.dumps(claims(server, host)["data"]).encode()
    host.trouble("auth", status=200, body=body)
    assert (await server.request("GET", f"{BASE}/?meta=")).status == 502
    host.trouble("auth", status=403, body=b'{"message": "no"}')
    assert (await server.request("GET", f"{BASE}/?zip=")).status == 403


async def test_the_host_is_told_what_proves_itself(server, host):
    """The question is sealed: nothing of it is in the address, and it ends soon."""
    await server.request("GET", f"{BASE}/?meta=")
    (call,) = [call for call in host.calls if call.name == "auth"]
    assert call.said["exp"] <= time.time() + 20
    assert "guid0" not in call.path


# -- the embedded host -----------------------------------------------------------------------------


@pytest.fixture
def embedded(io_loop, tmp_path):
    """This server as the host of others."""
    server = HostServer(f"sqlite:///{tmp_path}/host.db")
    io_loop.run_sync(server.start)
    yield server
    io_loop.run_sync(server.stop)


def message(*, secret=HMAC_SECRET, age=0, **changes):
    """A signed message that makes a folder, or looks at one."""
    payload = {"kind": "folder", "name": "new", "user": "alice"}
    return {**signed(payload, secret=secret, now=time.time() - age), **changes}


def altered(text):
    payload = json.loads(base64.b64decode(text["payload"]))
    payload["name"] = "other"
    return {**text, "payload": base64.b64encode(json.dumps(payload).encode()).decode()}


@pytest.mark.parametrize(
    "make",
    [
        lambda: message(secret="other"),
        lambda: message(secret=""),
        lambda: message(age=101),
        lambda: message(signature="0" * 64),
        lambda: message(signature=""),
        lambda: message(signature=None),
        lambda: {"payload": message()["payload"]},
        lambda: altered(message()),
        lambda: {**message(), "payload": message(age=1, secret="other")["payload"]},
        lambda: {"kind": "folder", "name": "new", "user": "alice"},
    ],
)
async def test_a_forged_message_changes_nothing(embedded, make):
    """Of another secret, altered, without a proof, or heard before and played again later."""
    root = json.loads((await ask(embedded, "GET", "")).body)["id"]
    body = json.dumps(make()).encode()
    for target in (
        f"/host/api/v1/guid0/osfstorage/{root}/children/",
        "/host/api/v1/guid0/osfstorage/hooks/move/",
        "/host/api/v1/project/guid0/waterbutler/logs/",
    ):
        method = "PUT" if target.endswith("logs/") else "POST"
        reply = await embedded.request(method, target, {"Content-Type": "application/json"}, body)
        assert reply.status in {400, 401}, reply.body
    assert json.loads((await ask(embedded, "GET", f"{root}/children/")).body) == []


async def test_a_message_with_its_proof_does_what_it_says(embedded):
    """What the others here differ from."""
    root = json.loads((await ask(embedded, "GET", "")).body)["id"]
    target = f"/host/api/v1/guid0/osfstorage/{root}/children/"
    body = json.dumps(message()).encode()
    headers = {"Content-Type": "application/json"}
    assert (await embedded.request("POST", target, headers, body)).status == 201


async def test_a_forged_question_is_not_answered(embedded):
    """Of other keys, an old one, or one that was made to be good for ever."""
    now, data = (
        time.time(),
        {"data": {"nid": "guid0", "provider": "osfstorage", "action": "download"}},
    )
    for token in (
        seal(data, OTHER_KEYS, now=now),
        seal(data, OTHER_SIGNATURE, now=now),
        seal(data, KEYS, now=now - 60),
        seal(data, KEYS, now=now, lifetime=10**9),
        part(json.dumps(data).encode()),
    ):
        reply = await embedded.ask({}, {"Authorization": "Bearer alice-token"}, token=token)
        assert reply.status in {400, 401, 403}
        assert b"credentials" not in reply.body


async def ask(embedded, method, where):
    query = urlencode(signed({}))
    return await embedded.request(method, f"/host/api/v1/guid0/osfstorage/{where}?{query}")
