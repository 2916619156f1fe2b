"""osfclient 0.0.5: the storage part of a client that people use, pointed at our links.

Its listings come from the host's own API, not from here: a small part of that is played by the
test, with what this server says. All is done in a storage whose paths are names, and in one whose
paths are ids.
"""

import io
import re

import pytest
import requests

osfclient = pytest.importorskip("osfclient", reason="needs osfclient: pip install osfclient==0.0.5")
from osfclient.exceptions import FolderExistsException, UnauthorizedException  # noqa: E402
from osfclient.models import core, file, session, storage  # noqa: E402

HOST = "https://host.invalid/"


class Session(session.OSFSession):
    """Asks this server for files, and plays the host for listings."""

    def __init__(self, running, mount):
        super().__init__()
        self.running = running
        self.mount = mount
        self.seen = []

    def get(self, url, *args, **kwargs):
        if url.startswith(HOST):
            return Listing(self, url.removeprefix(HOST))
        return super().get(url, *args, **kwargs)

    def request(self, method, url, **kwargs):
        # The client waits a second between requests, out of politeness to the real host.
        self.last_request = None
        reply = super().request(method, url, **kwargs)
        self.seen.append((method, reply.status_code))
        return reply


class Listing:
    """The host's answer for a folder: our entries in its own words."""

    status_code = 200

    def __init__(self, session, path):
        reply = requests.get(f"{session.mount}{path}", headers=session.running.headers, timeout=30)
        self.document = {
            "data": [as_host(entry) for entry in reply.json()["data"]],
            "links": {"next": None},
        }

    def json(self):
        return self.document


def as_host(entry):
    """An entry as the host shows it: other links, other names of attributes."""
    attributes, links = entry["attributes"], entry["links"]
    folder = attributes["kind"] == "folder"
    return {
        "id": entry["id"],
        "attributes": {
            "kind": attributes["kind"],
            "name": attributes["name"],
            "path": attributes["path"],
            "materialized_path": attributes["materialized"],
            "date_created": attributes.get("created_utc"),
            "date_modified": attributes.get("modified_utc"),
            "size": attributes["size"],
            "extra": {"hashes": attributes["extra"].get("hashes", {})},
        },
        "links": {
            "self": HOST + attributes["path"],
            "html": HOST + attributes["path"],
            "upload": links["upload"].removesuffix("?kind=file"),
            "move": links["move"],
            "delete": links["delete"],
            **({"new_folder": links["new_folder"]} if folder else {}),
        },
        "relationships": {"files": {"links": {"related": {"href": HOST + attributes["path"]}}}},
    }


@pytest.fixture(params=["filesystem", "osfstorage"])
def mount(running, request):
    """The URL of a storage, without a slash at the end."""
    return f"{running.url}/v1/resources/demo/providers/{request.param}"


@pytest.fixture
def folder(running, mount, request):
    """A new, empty folder in the storage, as the server describes it."""
    name = re.sub(r"\W+", "-", request.node.name)[:100]
    url = f"{mount}/?kind=folder&name={name}"
    reply = requests.put(url, headers=running.headers, timeout=30)
    assert reply.status_code == 201
    return reply.json()["data"]


@pytest.fixture
def osf(running, mount, folder, monkeypatch):
    """The storage, which is the test's own folder."""
    monkeypatch.setattr(session.time, "sleep", lambda _: None)
    attributes, links = folder["attributes"], folder["links"]
    document = {
        "id": "node:osfstorage",
        "attributes": {"path": "/", "name": "osfstorage", "node": "node", "provider": "osfstorage"},
        "links": {
            "new_folder": links["new_folder"],
            "upload": links["upload"].removesuffix("?kind=file"),
        },
        "relationships": {"files": {"links": {"related": {"href": HOST + attributes["path"]}}}},
    }
    asking = Session(running, mount)
    asking.token_auth(running.token)
    found = storage.Storage(document, asking)
    found.prefix = attributes["materialized"]
    return found


@pytest.fixture
def stored(running, mount, folder):
    """What is in the folder really, by the paths of the files in it."""

    def ask(path):
        reply = requests.get(f"{mount}{path}", headers=running.headers, timeout=30)
        assert reply.status_code == 200
        return reply

    def walk(path):
        found = {}
        for entry in ask(path).json()["data"]:
            attributes = entry["attributes"]
            if attributes["kind"] == "folder":
                found |= walk(attributes["path"])
            else:
                name = attributes["materialized"].removeprefix(folder["attributes"]["materialized"])
                found[name] = ask(attributes["path"]).content
        return found

    return lambda: walk(folder["attributes"]["path"])


@pytest.fixture
def local(tmp_path):
    """Makes a file to upload."""

    def make(data):
        path = tmp_path / "local"
        path.write_bytes(data)
        return path.open("rb")

    return make


def files(osf):
    return {found.path.removeprefix(osf.prefix): found for found in osf.files}


def content(found):
    buffer = io.BytesIO()
    buffer.mode = "wb"
    found.write_to(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("data", [b"", b"hello", b"x" * 3_000_000])
def test_a_file_goes_up_and_comes_back(osf, local, stored, data):
    """With its odd type, and also when it is empty."""
    with local(data) as file:
        osf.create_file("a.txt", file)
    assert osf.session.seen[-1] == ("PUT", 201)
    assert stored() == {"a.txt": data}
    assert content(files(osf)["a.txt"]) == data


def test_folders_on_the_way_are_made(osf, local, stored):
    """And found again when they are there."""
    for name in ("one.txt", "two.txt"):
        with local(b"data") as file:
            osf.create_file(f"deep/er/{name}", file)
    assert stored() == {"deep/er/one.txt": b"data", "deep/er/two.txt": b"data"}


def test_a_name_that_is_taken(osf, local, stored):
    """Is an error that says so, also for a large file that is still being sent."""
    with local(b"old") as file:
        osf.create_file("a.txt", file)
    for size in (5, 30_000_000):
        with local(b"x" * size) as file, pytest.raises(FileExistsError):
            osf.create_file("a.txt", file)
        assert osf.session.seen[-1] == ("PUT", 409), "and not a guess after a broken connection"
    assert stored() == {"a.txt": b"old"}


def test_a_file_is_updated(osf, local, stored):
    """200 exactly; by force, and directly."""
    with local(b"old") as file:
        osf.create_file("a.txt", file)
    for data in (b"new content", b""):
        with local(data) as file:
            files(osf)["a.txt"].update(file)
        assert osf.session.seen[-1] == ("PUT", 200)
        assert stored() == {"a.txt": data}


def test_a_file_is_removed(osf, local, stored):
    """204 exactly."""
    with local(b"old") as file:
        osf.create_file("a.txt", file)
    files(osf)["a.txt"].remove()
    assert osf.session.seen[-1] == ("DELETE", 204)
    assert stored() == {}


def test_a_folder_that_is_there(osf):
    """409 is understood; what comes back has the links it needs."""
    made = osf.create_folder("f")
    inner = made.create_folder("g")
    assert made.osf_path.endswith("/")
    assert inner.osf_path.endswith("/")
    assert [found.name for found in osf.folders] == ["f"]
    with pytest.raises(FolderExistsException):
        osf.create_folder("f")
    assert osf.create_folder("f", exist_ok=True).name == "f"


def test_signing_in(osf, running, local):
    """With a token or with a password, and an error of its own for neither."""
    osf.session.headers.pop("Authorization")
    osf.session.basic_auth("me@example.org", running.token)
    with local(b"x") as file:
        osf.create_file("a.txt", file)
    osf.session.auth = None
    with local(b"x") as file, pytest.raises(UnauthorizedException):
        osf.create_file("b.txt", file)


def test_the_models_are_the_ones_that_people_use():
    """The names that are patched above are still there."""
    assert osfclient.__version__ == "0.0.5"
    assert issubclass(file.File, core.OSFCore)
