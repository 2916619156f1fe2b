"""Secrets stay where they are used: not in logs, metrics, errors, answers, or rows of databases."""

import json
import re
import sqlite3
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from tests.running import start_server

TOKEN, GUESS = "alice-secret-token-5f1c9e0a77", "a-wrong-guess-of-somebody-1b2c"
LINK, CLOSED = "the-key-of-a-link-93ab55", "password-of-a-proxy-6d00"
ACCESS, SECRET = "AKIASECRETACCESSKEY0", "secret-key-of-the-bucket-8812ab"
SESSION_TOKEN = "session-token-of-the-bucket-4e4e"
JWE, SALT, JWT, HMAC = ("jwe-secret-aa11", "jwe-salt-bb22", "jwt-secret-cc33", "hmac-secret-dd44")
COOKIE_SECRET = "secret-of-all-cookies-77aa88bb"
SETTINGS = f"""
[server]
session_secret = "{COOKIE_SECRET}"
[users.alice]
token = "{TOKEN}"
[auth.osf]
jwe_secret = "{JWE}"
jwe_salt = "{SALT}"
jwt_secret = "{JWT}"
hmac_secret = "{HMAC}"
[resources.demo]
access = {{ alice = "write" }}
view_only = ["{LINK}"]
[resources.demo.providers.files]
provider = "filesystem"
settings = {{ folder = "FOLDER/files", create = true }}
[resources.demo.providers.osfstorage]
settings = {{ storage = {{ provider = "filesystem", folder = "FOLDER/blobs", create = true }} }}
[resources.demo.providers.bucket]
provider = "s3"
settings = {{ bucket = "bucket", endpoint_url = "STORAGE", region = "us-east-1" }}
[resources.demo.providers.bucket.credentials]
access_key = "{ACCESS}"
secret_key = "{SECRET}"
session_token = "{SESSION_TOKEN}"
[resources.demo.providers.broken]
provider = "s3"
credentials = {{ access_key = "{ACCESS}", secret_key = "{SECRET}", port = "{CLOSED}" }}
"""
FIXED = (TOKEN, GUESS, LINK, CLOSED, SECRET, SESSION_TOKEN, JWE, SALT, JWT, HMAC, COOKIE_SECRET)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args):
        return None


_opener = urllib.request.build_opener(_Stay)


class _Storage(BaseHTTPRequestHandler):
    """A bucket whose errors repeat all that it was told."""

    def do_GET(self):
        told = f"<Error><Code>Odd</Code><Message>{self.path} {self.headers}</Message></Error>"
        body = told.replace("\n", " ").encode()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(400)
        self.send_header("x-amz-request-id", self.headers.get("x-amz-security-token", ""))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def log_message(self, *_args):
        pass


@contextmanager
def storage():
    """The address of a bucket."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Storage) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Client:
    """Asks a server, and keeps all that it says."""

    def __init__(self, url):
        self.url = url
        self.heard = b""

    def ask(self, method, target, headers=None, body=None):
        request = urllib.request.Request(self.url + target, body, headers or {}, method=method)
        try:
            with _opener.open(request, timeout=30) as reply:
                return self._keep(reply)
        except urllib.error.HTTPError as error:
            with error:
                return self._keep(error)

    def _keep(self, reply):
        body = reply.read()
        cookies = reply.headers.get_all("Set-Cookie") or []
        del reply.headers["Set-Cookie"]
        self.heard += str(reply.headers).encode() + body
        return reply.status, body, cookies


def use(client):
    """Show all secrets in all places, rightly and wrongly; gives those that were made meanwhile."""
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    for name in ("files", "osfstorage", "bucket", "broken", "nothing"):
        base = f"/v1/resources/demo/providers/{name}"
        for headers in (
            bearer,
            {"Authorization": f"Bearer {GUESS}"},
            {"Cookie": f"waterbutler_session={GUESS}"},
        ):
            client.ask("GET", f"{base}/?meta=", headers)
            client.ask("PUT", f"{base}/?name=a.txt", headers, b"data")
            client.ask("GET", f"{base}/a.txt?cookie={GUESS}&token={GUESS}", headers)
        client.ask("GET", f"{base}/?view_only={LINK}")
        client.ask("GET", f"{base}/a.txt?view_only={GUESS}")
        client.ask("GET", f"/file?nid=demo&provider={name}&path=/a.txt&view_only={LINK}")
        client.ask("GET", f"/files/demo/{name}/?view_only={LINK}")
    _, _, cookies = client.ask("GET", f"/?token={TOKEN}")
    session = cookies[0].partition("=")[2].partition(";")[0]
    client.ask("GET", f"/?token={GUESS}")
    client.ask("GET", f"/v1/resources/demo/providers/files/?cookie={quote(session)}")
    client.ask("GET", "/files/demo/files/", {"Cookie": f"waterbutler_session={session}"})
    client.ask("POST", "/", {}, urlencode({"token": GUESS}).encode())
    document = {"token": TOKEN, "resource": "demo", "provider": "files"}
    heard = client.heard
    status, body, _ = client.ask("POST", "/v2/gateway_auth", {}, json.dumps(document).encode())
    assert status == 200, body
    tokens = json.loads(body)
    access, refresh = tokens["gateway.auth.access.token"], tokens["gateway.auth.refresh.token"]
    client.heard = heard
    root = tokens["gateway.auth.metadata.id"]
    client.ask("GET", f"/v2/gateway_metadata/{root}", {"Authorization": f"Bearer {access}"})
    client.ask("GET", f"/v2/gateway_metadata/{root}", {"Authorization": f"Bearer {GUESS}"})
    client.ask("POST", "/v2/gateway_auth", {}, json.dumps({**document, "token": GUESS}).encode())
    client.ask("GET", f"/host/api/v1/files/auth/?payload={GUESS}&view_only={LINK}")
    client.ask(
        "POST",
        "/host/api/v1/demo/osfstorage/hooks/move/",
        {},
        json.dumps({"payload": GUESS, "signature": GUESS}).encode(),
    )
    client.ask("DELETE", f"/v2/gateway_auth/{refresh}")
    return session, access, refresh


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """What a server said, logged and kept in whose requests all secrets were."""
    folder = tmp_path_factory.mktemp("secrets")
    config = folder / "settings.toml"
    data = folder / "data"
    environment = {"WATERBUTLER_LOGGING_LEVEL": "debug"}
    with storage() as bucket:
        config.write_text(SETTINGS.replace("FOLDER", str(folder)).replace("STORAGE", bucket))
        with start_server(data, "--config", str(config), environment=environment) as running:
            client = Client(running.url)
            made = use(client)
            metrics = client.ask("GET", "/metrics")[1].decode()
            running.stop()
            log = "".join(running.log)
    return client.heard.decode("latin-1"), log, metrics, data, made


def test_they_are_in_no_answer(used):
    """Whether or not it is an error; pages of a link hold its key, which their links need."""
    heard, _, _, _, made = used
    # A signed link of S3 holds the session token by its nature; it is of no use without the key.
    unsigned = re.sub(r"Location: .*X-Amz-Signature=.*", "", heard)
    for secret in {*FIXED, *made} - {LINK}:
        assert secret not in unsigned
    assert SECRET not in heard


def test_they_are_in_no_line_of_the_log(used):
    """At its most talkative, and whatever is asked."""
    _, log, _, _, made = used
    assert log.count('"event":"request"') > 50
    for secret in (*FIXED, *made):
        assert secret not in log
        assert quote(secret) not in log


def test_they_are_in_no_metric(used):
    """Nor is any name of a file or a user."""
    _, _, metrics, _, made = used
    assert "waterbutler_requests_total" in metrics
    for secret in (*FIXED, *made, "a.txt", "alice"):
        assert secret not in metrics


def test_they_are_in_no_row(used):
    """What the server keeps is of no use to who gets hold of it."""
    _, _, _, data, made = used
    files = [path for path in Path(data).rglob("*") if path.is_file()]
    assert [path for path in files if path.name == "tokens.db"]
    for path in files:
        content = path.read_bytes()
        for secret in (*FIXED, *made):
            assert secret.encode() not in content, path


def test_who_else_is_on_the_machine_reads_no_rows(used):
    """The databases are the owner's."""
    _, _, _, data, _ = used
    for path in Path(data).glob("*.db*"):
        assert path.stat().st_mode & 0o077 == 0, path
    with sqlite3.connect(data / "tokens.db") as database:
        assert database.execute("SELECT count(*) FROM families").fetchone() == (0,)
    database.close()
