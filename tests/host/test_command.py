"""``waterbutler host``, and the host beside everything else."""

import asyncio
import hashlib
import json
import time
import urllib.error
import urllib.request
from urllib.parse import urlencode

import pytest

from tests.host.conftest import blob
from tests.host.serving import signed
from tests.running import start_server
from waterbutler.auth.envelope import EnvelopeKeys, open_sealed, seal
from waterbutler.cli.main import main
from waterbutler.host import Database, EmbeddedTrees

SECRETS = {"jwe_secret": "one", "jwe_salt": "two", "jwt_secret": "three"}
FILE = """
[auth.osf]
jwe_secret = "one"
jwe_salt = "two"
jwt_secret = "three"
hmac_secret = "four"
[users.alice]
token = "alice-token"
[resources.ab12c]
access = {{ alice = "write" }}
quota = "1KiB"
[resources.ab12c.providers.osfstorage]
settings.storage = {{ provider = "filesystem", folder = "{folder}" }}
[resources.plain.providers.filesystem]
settings.folder = "/srv"
[host]
{serve}
"""


@pytest.fixture
def configuration(tmp_path):
    """Writes a configuration file; returns what names it on the command line."""

    def write(serve=""):
        serve = f"serve = {serve}" if serve else ""
        (tmp_path / "blobs").mkdir(exist_ok=True)
        file = tmp_path / "waterbutler.toml"
        file.write_text(FILE.format(folder=tmp_path / "blobs", serve=serve))
        return ("--config", str(file))

    return write


def get(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def asked(url):
    """Alice's grant for the resource."""
    keys = EnvelopeKeys.derive(**SECRETS)
    data = {"nid": "ab12c", "provider": "osfstorage", "action": "upload", "path": "/"}
    query = urlencode({"payload": seal({"data": data}, keys, now=time.time())})
    status, answer = get(
        f"{url}/host/api/v1/files/auth/?{query}", Authorization="Bearer alice-token"
    )
    assert status == 200, answer
    return open_sealed(answer["payload"], keys, now=time.time())["data"]


def test_only_the_host_is_served(configuration, tmp_path):
    with start_server(tmp_path / "data", *configuration(), command="host") as server:
        settings = asked(server.url)["settings"]
        assert settings["baseUrl"] == f"{server.url}/host/api/v1/ab12c/osfstorage/"
        query = urlencode(signed({}, secret="four"))
        status, root = get(f"{settings['baseUrl']}?{query}")
        assert (status, root["id"]) == (200, settings["rootId"])
        assert get(f"{server.url}/v1/resources/ab12c/providers/osfstorage/")[0] == 404
        assert get(f"{server.url}/status")[0] == 200
        assert server.stop() == 0
    assert (tmp_path / "data" / "host.db").exists()


@pytest.mark.parametrize("serve", ["true", "false", ""])
def test_the_host_is_served_beside_the_rest_unless_it_is_turned_off(configuration, tmp_path, serve):
    with start_server(tmp_path / "data", *configuration(serve), "--workers", "2") as server:
        url = f"{server.url}/v1/resources/plain/providers/filesystem/"
        assert get(url, Authorization="Bearer alice-token")[0] == 403
        if serve != "false":
            roots = {asked(server.url)["settings"]["rootId"] for _ in range(8)}
            assert len(roots) == 1
        else:
            assert get(f"{server.url}/host/api/v1/files/auth/")[0] == 404


def test_a_host_whose_database_is_away_is_not_ready(configuration, tmp_path):
    options = configuration("true")
    file = tmp_path / "waterbutler.toml"
    file.write_text(f'{file.read_text()}database = "postgresql://127.0.0.1:1/none"\n')
    with start_server(tmp_path / "data", *options) as server:
        status, answer = get(f"{server.url}/ready")
        assert (status, answer["reasons"]) == (503, ["The host's database cannot be used."])
        query = urlencode(signed({}, secret="four"))
        status, answer = get(f"{server.url}/host/api/v1/ab12c/osfstorage/?{query}")
        assert (status, answer["code"]) == (503, 503)


def test_a_host_without_secrets_does_not_start(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["host", "--port", "0"]) == 2
    assert "auth.osf.jwe_secret is missing; host.serve needs it." in capsys.readouterr().err


def fill(tmp_path):
    """Two blobs in the store, one of which a file needs."""

    async def work():
        trees = EmbeddedTrees(Database(f"sqlite:///{tmp_path}/data/host.db"))
        tree = trees.tree("ab12c")
        await tree.record((await tree.item()).id, "f", blob("needed"), user=None)
        await trees.aclose()

    asyncio.run(work())
    for content in (b"needed", b"idle"):
        (tmp_path / "blobs" / hashlib.sha256(content).hexdigest()).write_bytes(content)
    (tmp_path / "blobs" / "something else").touch()


def test_usage_is_shown(configuration, tmp_path, capsys):
    options = configuration()
    fill(tmp_path)
    assert main(["host", "usage", *options, "--data", str(tmp_path / "data")]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["RESOURCE", "BYTES", "LIMIT"], ["ab12c", "6", "1024"]]


def test_blobs_that_nothing_needs_are_shown_and_removed(configuration, tmp_path, capsys):
    options = [*configuration(), "--data", str(tmp_path / "data")]
    fill(tmp_path)
    idle = tmp_path / "blobs" / blob("idle").object
    assert main(["host", "blobs", *options]) == 0
    assert idle.name in capsys.readouterr().out
    assert idle.exists()
    assert main(["host", "blobs", "--remove", *options]) == 0
    assert capsys.readouterr().out.endswith("1 blobs, 4 bytes, removed.\n")
    assert not idle.exists()
    left = {path.name for path in (tmp_path / "blobs").iterdir() if path.is_file()}
    assert {blob("needed").object, "something else"} <= left
