"""The running program lists a long folder while others change it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import requests

from tests.running import Running, start_server

COUNT = 10_000


def pages(server: Running, headers: dict[str, str], folder: str) -> Iterator[list[str]]:
    """The names on each page of a folder."""
    token: str | None = ""
    while token is not None:
        answer = requests.get(
            f"{server.url}/v2/metadata_children/{folder}",
            params={"page": token},
            headers=headers,
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        yield [entry["content.name"] for entry in answer.json()]
        token = answer.headers.get("page")


def test_ten_thousand_files_come_once_each_while_others_come_and_go(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for number in range(COUNT):
        (files / f"{number:05}").touch()
    stop = threading.Event()

    def disturb() -> None:
        number = 0
        while not stop.is_set():
            place = files / f"{number % COUNT:05} disturbs"
            place.touch()
            stop.wait(0.001)
            place.unlink()
            number += 37

    with start_server(tmp_path) as server:
        credential = {"token": server.token, "resource": "demo", "provider": "filesystem"}
        signed_in = requests.post(f"{server.url}/v2/auth", json=credential, timeout=20).json()
        headers = {"Authorization": f"Bearer {signed_in['access.token']}"}
        other = threading.Thread(target=disturb)
        other.start()
        try:
            found = list(pages(server, headers, signed_in["root.content.id"]))
        finally:
            stop.set()
            other.join()

    assert all(len(page) <= 1000 for page in found)
    names = [name for page in found for name in page]
    assert len(set(names)) == len(names)
    assert {f"{number:05}" for number in range(COUNT)} <= set(names)
