"""Numbers that several processes share: what has ended counts once, and takes no more files."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading

import pytest
import requests

from tests.load.support import number, until, write_settings
from tests.running import start_server
from waterbutler.server import tally

COUNT = """
import sys
from waterbutler.server.metrics import Metrics

metrics = Metrics()
for turn in range(int(sys.argv[1])):
    metrics.request("v1", "GET", sys.argv[2], 200, 0.002)
    metrics.received.inc(10)
    metrics.active.inc()
"""


def counted(folder, times, action="download") -> int:
    """A process counts requests, and ends while they are being served; gives its id."""
    program = [sys.executable, "-c", COUNT, str(times), action]
    environment = {**os.environ, tally.FOLDER: str(folder)}
    with subprocess.Popen(program, env=environment) as process:
        assert process.wait(30) == 0
    return process.pid


def totals(folder) -> dict[str, float]:
    text = tally.rendered(folder).decode()
    names = ("requests_total", "request_seconds_count", "request_seconds_sum", "received_bytes")
    return {name: round(number(text, f"waterbutler_{name}(?:_total)?"), 6) for name in names}


def test_what_has_ended_counts_once(tmp_path):
    """Processes come and go: the sums are those of all, and the files those of one."""
    expected = 0
    for turn in range(1, 4):
        expected += turn
        pid = counted(tmp_path, turn, f"action {turn % 2}")
        before = totals(tmp_path)
        tally.settle(tmp_path, pid)
        tally.settle(tmp_path, pid)
        assert totals(tmp_path) == before
        assert before["requests_total"] == before["request_seconds_count"] == expected
        assert before["received_bytes"] == 10 * expected
        names = sorted(file.name for file in tmp_path.iterdir())
        assert names == ["counter_ended.db", "histogram_ended.db", "lock"]
    text = tally.rendered(tmp_path).decode()
    assert "waterbutler_requests_active" not in text
    assert number(text, r'waterbutler_request_seconds_bucket\{.*le="0\.003".*\}') == expected
    assert not re.search(r'_bucket\{.*le="0\.001".*\} [1-9]', text)


def test_files_do_not_grow(tmp_path):
    sizes = set()
    for _ in range(3):
        tally.settle(tmp_path, counted(tmp_path, 1))
        sizes.add(sum(file.stat().st_size for file in tmp_path.iterdir()))
    assert len(sizes) == 1


def test_who_lives_is_left_alone(tmp_path):
    alive, ended = counted(tmp_path, 2), counted(tmp_path, 1)
    tally.settle(tmp_path, ended)
    assert (tmp_path / f"counter_{alive}.db").exists()
    assert number(tally.rendered(tmp_path).decode(), "waterbutler_requests_active") == 2
    assert totals(tmp_path)["requests_total"] == 3


def test_nobody_sees_a_number_twice_or_not_at_all(tmp_path):
    """Whoever looks while numbers are moved."""
    pids = [counted(tmp_path, 1) for _ in range(6)]
    seen, over = set(), threading.Event()

    def look():
        while not over.is_set():
            seen.add(totals(tmp_path)["requests_total"])

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    waiting = list(pids)
    while waiting:
        try:
            tally.settle(tmp_path, waiting[0])
        except BlockingIOError:
            continue
        waiting.pop(0)
    over.set()
    for reader in readers:
        reader.join()
    assert seen <= {6.0}
    assert totals(tmp_path)["requests_total"] == 6


@pytest.mark.parametrize("left", [b"", b"\xff" * 64])
def test_a_process_that_died_while_it_made_its_files(tmp_path, left):
    """It takes nothing along: what others counted is still shown."""
    tally.settle(tmp_path, counted(tmp_path, 1))
    (tmp_path / "counter_77.db").write_bytes(left)
    tally.settle(tmp_path, 77)
    assert totals(tmp_path)["requests_total"] == 1


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    pid = counted(tmp_path, 1)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(OSError, match="No space"):
            tally.settle(tmp_path, pid)
    assert totals(tmp_path)["requests_total"] == 1
    tally.settle(tmp_path, pid)
    assert totals(tmp_path)["requests_total"] == 1


@pytest.mark.usefixtures("hangup_heeded")
async def test_replaced_workers_leave_no_files(tmp_path):
    """However often all are replaced."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {"TMPDIR": str(temporary)}
    file = tmp_path / "settings.toml"
    write_settings(file, limits="workers = 2\nidle_seconds = 0.1")
    options = ("--config", str(file))
    with start_server(tmp_path / "data", *options, environment=environment) as server:
        (folder,) = temporary.glob("waterbutler-metrics-*")

        def pids():
            return {
                file.stem.rpartition("_")[2]
                for file in folder.glob("counter_*.db")
                if not file.stem.endswith("ended")
            }

        for turn in range(1, 4):
            before = pids()
            for _ in range(5):
                url = f"{server.url}/v1/resources/demo/providers/nothing/"
                await asyncio.to_thread(requests.get, url, headers=server.headers)
            server.process.send_signal(signal.SIGHUP)
            await until(lambda before=before: not before & pids(), "old files are gone")
            await until(lambda: len(pids()) == 2, "as many as workers")
            text = (await asyncio.to_thread(requests.get, f"{server.url}/metrics")).text
            listed = "\n".join(line for line in text.splitlines() if 'dialect="v1"' in line)
            assert number(listed, "waterbutler_requests_total") == 5 * turn
        assert server.stop() == 0
    assert not list(temporary.iterdir())
