"""Starting, stopping, dying and sharing a port, with the real program."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.running import Running, start_server

MIB = 1 << 20


def begin_upload(server: Running, name: str, size: int) -> socket.socket:
    """A connection on which an upload of ``size`` bytes has begun."""
    where = urlsplit(server.files)
    connection = socket.create_connection((where.hostname, where.port))
    connection.sendall(
        (
            f"PUT {where.path}/?kind=file&name={name} HTTP/1.1\r\nHost: {where.netloc}\r\n"
            f"Authorization: Bearer {server.token}\r\nContent-Length: {size}\r\n\r\n"
        ).encode()
    )
    return connection


def all_names(folder: Path) -> list[str]:
    """Every name below a folder, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_stop_signal_ends_an_idle_server_with_status_0(tmp_path):
    """SIGTERM is not an error."""
    with start_server(tmp_path / "data") as server:
        assert server.stop() == 0


def test_a_stop_signal_lets_a_running_upload_finish(tmp_path):
    """The listening socket is closed, the upload goes on, then the process ends."""
    with start_server(tmp_path / "data") as server:
        connection = begin_upload(server, "slow.bin", 4 * MIB)
        connection.sendall(bytes(MIB))
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", urlsplit(server.url).port), 2).recv(1)
        connection.sendall(bytes(3 * MIB))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 201
        answer.read()
        connection.close()
        assert server.process.wait(20) == 0
    assert (tmp_path / "data" / "files" / "slow.bin").stat().st_size == 4 * MIB


def test_a_stop_signal_gives_up_on_what_does_not_finish(tmp_path):
    """After the time that is set, running requests are broken; nothing of them stays."""
    environment = {"WATERBUTLER_SERVER_SHUTDOWN_SECONDS": "0.5"}
    with start_server(tmp_path / "data", environment=environment) as server:
        connection = begin_upload(server, "never.bin", 4 * MIB)
        connection.sendall(bytes(MIB))
        time.sleep(0.3)
        assert server.stop(timeout=20) == 0
        connection.close()
    assert "never.bin" not in all_names(tmp_path / "data" / "files")


def test_a_killed_upload_leaves_nothing_after_the_next_start(tmp_path):
    """``kill -9`` in the middle of an upload: no half file, no temporary file."""
    data = tmp_path / "data"
    with start_server(data) as server:
        requests.put(f"{server.files}/?kind=file&name=old.txt", data=b"old", headers=server.headers)
        connection = begin_upload(server, "half.bin", 64 * MIB)
        connection.sendall(bytes(8 * MIB))
        time.sleep(0.5)
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        connection.close()
    with start_server(data) as server:
        listing = requests.get(f"{server.files}/", headers=server.headers).json()
        assert [entry["attributes"]["name"] for entry in listing["data"]] == ["old.txt"]
    leftovers = [name for name in all_names(data / "files") if name != "old.txt"]
    assert [name for name in leftovers if not (data / "files" / name).is_dir()] == []


def test_several_workers_share_the_port_and_their_numbers(tmp_path):
    """Requests reach several processes; sessions and metrics are the same in all of them."""
    with start_server(tmp_path / "data", "--workers", "2") as server:
        for number in range(40):
            url = f"{server.files}/?kind=file&name={number}.txt"
            answer = requests.put(url, data=b"x", headers=server.headers)
            assert answer.status_code == 201, answer.text
        seen = set()
        for _ in range(40):
            text = requests.get(f"{server.url}/metrics").text
            created = [
                line
                for line in text.splitlines()
                if line.startswith("waterbutler_requests_total") and 'action="create_file"' in line
            ]
            line = created[0]
            seen.add(float(line.rpartition(" ")[2]))
        assert seen == {40.0}
        assert server.stop() == 0


def test_a_worker_that_dies_is_replaced(tmp_path):
    """Killing one worker does not end the service."""
    with start_server(tmp_path / "data", "--workers", "2") as server:
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(server.process.pid)],
            capture_output=True,
            text=True,
            check=True,
        )
        workers = [int(pid) for pid in listed.stdout.split()]
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        time.sleep(2)
        for _ in range(20):
            assert requests.get(f"{server.url}/status").json()["status"] == "up"
        assert server.stop() == 0


def test_an_address_that_is_taken_is_one_clear_line(tmp_path):
    """Status 2, no traceback."""
    with start_server(tmp_path / "data") as server:
        port = str(urlsplit(server.url).port)
        command = [sys.executable, "-m", "waterbutler", "serve"]
        second = subprocess.run(
            [*command, "--data", str(tmp_path / "other"), "--port", port],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert second.returncode == 2
    assert "Cannot listen" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_log_line_says_what_happened_and_no_secret(tmp_path):
    """One line for each request, as JSON where nobody looks at a terminal."""
    with start_server(tmp_path / "data") as server:
        url = f"{server.files}/nothing?view_only=hush-hush&cookie=cookie-secret"
        answer = requests.get(url, headers=server.headers)
        assert answer.status_code in {401, 404}
        request_id = answer.headers["X-Waterbutler-Request-Id"]
        token = server.token
        server.stop()
    text = "".join(server.log)
    assert request_id in text
    assert token not in text
    assert "hush-hush" not in text
    assert "cookie-secret" not in text
