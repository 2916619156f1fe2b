"""What a new user does first, with the set-up that needs no file, alone and over the wire."""

import io
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.running import Running, start_server

SECRETS = {
    f"WATERBUTLER_AUTH_OSF_{name}": f"the {name.lower()} of this test"
    for name in ("JWE_SECRET", "JWE_SALT", "JWT_SECRET", "HMAC_SECRET")
}


def second_resource(data: Path) -> dict[str, str]:
    """Another resource beside ``demo``, whose blobs are in the same folder."""
    start = "WATERBUTLER_RESOURCES_OTHER_"
    storage = f'{{"provider": "filesystem", "folder": "{data / "blobs"}", "create": true}}'
    return {
        f"{start}ACCESS_ADMIN": "write",
        f"{start}PROVIDERS_OSFSTORAGE_SETTINGS": f'{{"storage": {storage}}}',
    }


@contextmanager
def alone(folder: Path) -> Iterator[Running]:
    with start_server(folder, environment=second_resource(folder)) as server:
        yield server


@contextmanager
def beside_another(folder: Path) -> Iterator[Running]:
    """A server that has nothing of its own; the first one is its host."""
    first = folder / "first"
    with start_server(first, environment={**second_resource(first), **SECRETS}) as host:
        environment = {
            **SECRETS,
            "WATERBUTLER_AUTH_HANDLERS": "osf",
            "WATERBUTLER_AUTH_OSF_URL": f"{host.url}/host/api/v1/files/auth/",
        }
        file = folder / "second.toml"
        file.write_text("")
        options = ("--config", str(file))
        with start_server(folder / "second", *options, environment=environment) as server:
            server.token = host.token
            yield server


class Client:
    """Somebody with a token."""

    def __init__(self, server: Running) -> None:
        self.base = f"{server.url}/v1/resources"
        self.session = requests.Session()
        self.session.headers.update(server.headers)

    def ask(self, method: str, target: str, expected: int, **more: Any) -> requests.Response:
        target = target if target.startswith("http") else f"{self.base}/{target}"
        answer = self.session.request(method, target, timeout=20, **more)
        assert answer.status_code == expected, answer.text
        return answer

    def names(self, target: str) -> list[str]:
        found = self.ask("GET", f"{target}?meta=", 200).json()["data"]
        return sorted(entry["attributes"]["name"] for entry in found)


@pytest.mark.parametrize("setup", [alone, beside_another])
def test_a_tour_of_versions_and_storages(tmp_path: Path, setup: Any) -> None:
    with setup(tmp_path) as server:
        client = Client(server)
        demo = "demo/providers/osfstorage/"

        made = client.ask("PUT", f"{demo}?kind=file&name=a.txt", 201, data=b"one").json()["data"]
        links = made["links"]
        client.ask("PUT", links["upload"], 200, data=b"two, longer")
        versions = client.ask("GET", f"{links['download']}?revisions=", 200).json()["data"]
        assert [version["attributes"]["version"] for version in versions] == ["2", "1"]
        assert client.ask("GET", f"{links['download']}?version=1", 200).content == b"one"
        assert client.ask("GET", links["download"], 200).content == b"two, longer"

        rename = {"action": "rename", "rename": "b.txt"}
        renamed = client.ask("POST", links["move"], 200, json=rename).json()["data"]
        assert renamed["attributes"]["name"] == "b.txt"
        assert renamed["attributes"]["path"] == made["attributes"]["path"]

        move = {"action": "move", "path": "/", "resource": "other"}
        moved = client.ask("POST", links["move"], 201, json=move).json()["data"]
        assert client.names(demo) == []
        assert moved["attributes"]["resource"] == "other"
        links = moved["links"]
        assert client.ask("GET", f"{links['download']}?version=1", 200).content == b"one"

        copy = {"action": "copy", "path": "/", "resource": "demo", "provider": "filesystem"}
        client.ask("POST", links["move"], 201, json=copy)
        copied = client.ask("GET", "demo/providers/filesystem/b.txt", 200)
        assert copied.content == b"two, longer"

        zipped = client.ask("GET", "other/providers/osfstorage/?zip=", 200).content
        with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
            assert archive.read("b.txt") == b"two, longer"

        client.ask("DELETE", links["delete"], 204)
        assert client.names("other/providers/osfstorage/") == []
        client.ask("GET", links["download"], 404)


def test_downloads_are_counted_as_a_host_counts_them(tmp_path: Path) -> None:
    """Those of people outside, of a version or the newest; not those that only show a file."""
    open_to_all = {"WATERBUTLER_RESOURCES_DEMO_ACCESS_ANONYMOUS": "read"}
    with start_server(tmp_path, environment=open_to_all) as server:
        member = Client(server)
        demo = "demo/providers/osfstorage/"
        made = member.ask("PUT", f"{demo}?kind=file&name=a.txt", 201, data=b"one").json()["data"]
        link = made["links"]["download"]
        member.ask("PUT", made["links"]["upload"], 200, data=b"two")
        outside = Client(server)
        outside.session.headers.pop("Authorization")

        member.ask("GET", link, 200)
        outside.ask("GET", f"{link}?mode=render", 200)
        outside.ask("GET", link, 206, headers={"Range": "bytes=0-0"})
        outside.ask("GET", f"{link}?version=1", 200)
        for _ in range(2):
            outside.ask("GET", link, 200)

        def counted() -> list[int]:
            versions = member.ask("GET", f"{link}?revisions=", 200).json()["data"]
            return [version["attributes"]["extra"]["downloads"] for version in versions]

        deadline = time.monotonic() + 20
        while sum(counted()) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert counted() == [2, 1]
