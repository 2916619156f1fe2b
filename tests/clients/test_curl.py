"""curl, as people use it by hand and in scripts."""

import hashlib
import json
import os
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None, reason="needs curl: apt-get install curl"
)
MIB = 1 << 20


@pytest.fixture
def curl(running):
    """Runs curl as somebody who is signed in; gives status and output."""

    def run(*arguments, status=0, data=None, file=None, sign_in=("-u", f"me:{running.token}")):
        command = ["curl", "-sS", "-w", "\n%{http_code}", *sign_in, *arguments]
        if file is not None:
            # With the name of a file, -T would put it behind the slash of the URL.
            length = f"Content-Length: {file.stat().st_size}"
            command += ["-T", "-", "-H", length, "-H", "Transfer-Encoding:"]
            data = file.read_bytes()
        done = subprocess.run(command, input=data, capture_output=True, timeout=120, check=False)
        assert done.returncode == status, done.stderr.decode()
        output, _, code = done.stdout.rpartition(b"\n")
        return int(code), output

    return run


@pytest.fixture
def source(tmp_path):
    """A file of some size."""
    file = tmp_path / "source.bin"
    file.write_bytes(os.urandom(3 * MIB))
    return file


def test_upload_and_download(curl, folder, stored, source, tmp_path):
    """With its size, and ``-o`` back: the same bytes."""
    code, output = curl(f"{folder}/?name=a.bin", file=source)
    assert code == 201
    made = json.loads(output)["data"]
    assert made["attributes"]["extra"]["hashes"]["sha256"] == digest(source)
    assert digest(stored / "a.bin") == digest(source)
    copy = tmp_path / "copy.bin"
    code, _ = curl("-o", str(copy), made["links"]["download"])
    assert code == 200
    assert digest(copy) == digest(source)


def test_upload_from_a_pipe(curl, folder, stored):
    """``-T -`` sends chunks."""
    data = os.urandom(2 * MIB)
    code, _ = curl("-T", "-", f"{folder}/?name=a.bin", data=data)
    assert code == 201
    assert (stored / "a.bin").read_bytes() == data


def test_upload_with_data(curl, folder, stored):
    """``--data-binary`` with its type of a form."""
    code, _ = curl("-X", "PUT", "--data-binary", "@-", f"{folder}/?name=a.txt", data=b"a=1&b=2")
    assert code == 201
    assert (stored / "a.txt").read_bytes() == b"a=1&b=2"


def test_an_update_by_name(curl, folder, stored, source):
    """``-T`` with the name of a file, to the URL of a file."""
    curl("-T", "-", f"{folder}/?name=a.bin", data=b"old")
    assert curl("-T", str(source), f"{folder}/a.bin")[0] == 200
    assert digest(stored / "a.bin") == digest(source)


def test_a_second_upload(curl, folder, stored, source):
    """Is refused with the link for an update, which works."""
    assert curl(f"{folder}/?name=a.bin", file=source)[0] == 201
    code, output = curl(f"{folder}/?name=a.bin", file=source)
    assert code == 409
    link = json.loads(output)["data"]["links"]["upload"]
    assert curl("-T", "-", link, data=b"second")[0] == 200
    assert (stored / "a.bin").read_bytes() == b"second"


def test_a_part(curl, folder):
    """``-r`` in its three forms."""
    curl("-T", "-", f"{folder}/?name=a.txt", data=b"0123456789")
    for part, wanted in (("2-4", b"234"), ("7-", b"789"), ("-3", b"789")):
        assert curl("-r", part, f"{folder}/a.txt") == (206, wanted)
    code, output = curl("-r", "20-", f"{folder}/a.txt")
    assert code == 416
    assert json.loads(output)["code"] == 416


def test_a_download_is_resumed(curl, folder, source, tmp_path):
    """``-C -`` goes on behind what is there."""
    curl(f"{folder}/?name=a.bin", file=source)
    copy = tmp_path / "copy.bin"
    copy.write_bytes(source.read_bytes()[:MIB])
    assert curl("-C", "-", "-o", str(copy), f"{folder}/a.bin")[0] == 206
    assert digest(copy) == digest(source)


def test_a_download_that_is_complete_is_not_resumed(curl, folder, tmp_path):
    """curl is told that there is nothing left, and what is there stays."""
    curl("-T", "-", f"{folder}/?name=a.txt", data=b"hello")
    copy = tmp_path / "copy.txt"
    copy.write_bytes(b"hello")
    code, _ = curl("-C", "-", "-o", str(copy), f"{folder}/a.txt", status=0)
    assert code in {200, 416}
    assert copy.read_bytes().startswith(b"hello")


def test_head(curl, folder):
    """``-I`` shows what a download would."""
    curl("-T", "-", f"{folder}/?name=a.csv", data=b"a,b\n")
    code, output = curl("-I", f"{folder}/a.csv")
    headers = output.decode().lower()
    assert code == 200
    assert "content-length: 4" in headers
    assert "content-type: text/csv" in headers
    assert "accept-ranges: bytes" in headers
    assert "etag: " in headers


def test_what_has_not_changed(curl, folder, tmp_path):
    """``--etag-save`` and ``--etag-compare``."""
    curl("-T", "-", f"{folder}/?name=a.txt", data=b"hello")
    tag = tmp_path / "tag"
    assert curl("--etag-save", str(tag), f"{folder}/a.txt") == (200, b"hello")
    assert curl("--etag-compare", str(tag), f"{folder}/a.txt") == (304, b"")
    assert curl("-z", "20370101", f"{folder}/a.txt") == (304, b"")


def test_a_promised_digest(curl, folder, stored, source):
    """Kept and broken."""
    md5 = subprocess.run(
        f"openssl dgst -md5 -binary {source} | base64", shell=True, capture_output=True, check=True
    )
    header = f"Content-MD5: {md5.stdout.decode().strip()}"
    assert curl("-H", header, f"{folder}/?name=a.bin", file=source)[0] == 201
    assert curl("-T", "-", "-H", header, f"{folder}/?name=b.bin", data=b"other")[0] == 400
    assert sorted(os.listdir(stored)) == ["a.bin"]


def test_archive(curl, folder, tmp_path):
    """``unzip -t`` finds nothing wrong."""
    curl("-T", "-", f"{folder}/?name=ü.txt".replace("ü", "%C3%BC"), data=b"hello" * 10_000)
    archive = tmp_path / "a.zip"
    assert curl("-o", str(archive), f"{folder}/?zip")[0] == 200
    tester = shutil.which("unzip")
    if tester is None:
        pytest.skip("needs unzip: apt-get install unzip")
    done = subprocess.run([tester, "-t", archive], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "No errors" in done.stdout


def test_names_that_are_saved(curl, folder, tmp_path):
    """``-OJ`` saves under the name that is said."""
    curl("-T", "-", f"{folder}/?name=a.txt", data=b"hello")
    url = f"{folder}/a.txt?displayName=other%20name.txt"
    assert curl("-OJ", "--output-dir", str(tmp_path), url)[0] == 200
    assert (tmp_path / "other name.txt").read_bytes() == b"hello"


def test_a_cut_upload(curl, folder, stored, tmp_path):
    """Nothing of it stays, and it can be sent again."""
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(40 * MIB)
    curl("--limit-rate", "4M", "-m", "1", f"{folder}/?name=big.bin", file=big, status=28)
    assert curl("-T", "-", f"{folder}/?name=big.bin", data=b"again")[0] == 201
    assert os.listdir(stored) == ["big.bin"]


@pytest.mark.parametrize("expect", ["Expect:", "Expect: 100-continue"])
def test_a_refused_upload(curl, folder, tmp_path, expect):
    """64 MB under way: curl shows the reason and no error of its own."""
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(64 * MIB)
    for sign_in, url, wanted in (
        (("-u", "me:wrong"), f"{folder}/?name=a", 401),
        ((), f"{folder}/?name=a", 401),
        (None, f"{folder}/missing/?name=a", 404),
        (None, f"{folder}/?name=..", 400),
    ):
        options = {} if sign_in is None else {"sign_in": sign_in}
        code, output = curl("-H", expect, url, file=big, **options)
        assert (code, json.loads(output)["code"]) == (wanted, wanted)


def test_everything_else(curl, folder, stored):
    """Folders, renames, copies, moves, deletions."""
    assert curl("-X", "PUT", f"{folder}/?kind=folder&name=sub")[0] == 201
    assert curl("-T", "-", f"{folder}/sub/?name=a.txt", data=b"hello")[0] == 201
    rename = json.dumps({"action": "rename", "rename": "b.txt"})
    assert curl("-d", rename, f"{folder}/sub/a.txt")[0] == 200
    path = "/" + folder.rpartition("/")[2] + "/"
    copy = json.dumps({"action": "copy", "path": path})
    assert curl("-d", copy, f"{folder}/sub/b.txt")[0] == 201
    assert (stored / "b.txt").read_bytes() == b"hello"
    assert curl("-X", "DELETE", f"{folder}/sub/") == (204, b"")
    assert os.listdir(stored) == ["b.txt"]


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()
