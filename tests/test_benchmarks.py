"""The benchmarks run, measure what they say, and refuse to measure anything else."""

import math
import os
import re
import socket
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from benchmarks import record
from benchmarks.__main__ import main
from benchmarks.load import Request, WrongAnswer, ask, download, exchange, upload, wrk
from benchmarks.measuring import Goal, Measurement, Row, Seen, judge
from benchmarks.plots import draw
from benchmarks.programs import PACKAGES, Missing, program, versions
from benchmarks.report import curves, exponent, markdown, shown
from benchmarks.rows import ROWS
from benchmarks.sizes import FULL, TINY
from benchmarks.stage import Stage, fill, get, mount, put, take

DOCS = Path(__file__).parent.parent / "docs"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """All rows share their servers here: most of the time of a tiny run is for starting them."""
    try:
        for name in PACKAGES:
            program(name)
    except Missing as missing:
        pytest.skip(str(missing))
    with Stage(tmp_path_factory.mktemp("bench"), TINY) as made:
        yield made


@contextmanager
def answering(*pieces):
    """A server that answers each connection with these bytes and closes it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    for piece in pieces:
                        connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/x"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def measurement(name="a", *values, at=None, unit="MB/s"):
    return Measurement(name=name, unit=unit, at=at, values=list(values))


def result(row="growth-entries", measurements=(), verdicts=()):
    machine = record.Machine(
        processor="p", cores=2, memory=8, system="s", python="3", disk="d", programs={"nginx": "1"}
    )
    return record.Result(
        row=row,
        day="2026-01-01",
        sizes="full",
        rounds=5,
        machine=machine,
        measurements=list(measurements),
        verdicts=list(verdicts),
    )


@pytest.mark.parametrize("name", ROWS)
def test_a_row_measures_what_its_goals_speak_of(name, stage, tmp_path):
    """Each row runs, every figure is a positive number, each goal is judged, and all is kept."""
    row, seen = ROWS[name], Seen(tries=False)
    row.measure(stage, seen)
    found = record.result(row, seen, TINY, tmp_path)
    assert found.measurements
    for one in found.measurements:
        assert len(one.values) == TINY.rounds, one.name
        assert all(math.isfinite(value) and value > 0 for value in one.values), one
    assert len(found.verdicts) == len(row.goals)
    assert bool(curves(found)) == bool(row.axis)
    record.write(found, tmp_path / "results")
    (kept,) = record.read(tmp_path / "results").values()
    assert [one.name for one in kept.measurements] == [one.name for one in found.measurements]


def test_every_goal_of_a_full_run_has_rounds_enough():
    """Medians are of five rounds at least."""
    assert FULL.rounds >= 5


@pytest.mark.parametrize(
    ("goal", "value", "reached"),
    [
        (Goal("a", 2, of="b"), 2.0, True),
        (Goal("a", 2.1, of="b"), 2.0, False),
        (Goal("a", 20), 20.0, True),
        (Goal("a", 20, at_most=True), 20.0, True),
        (Goal("a", 19, at_most=True), 20.0, False),
        (Goal("a", 20, at_most=True, every=True), 30.0, False),
        (Goal("a", 20, every=True), 10.0, False),
        (Goal("a", 2, of="b", cores=10_000), 2.0, None),
        (Goal("a", 2, of="b", load="little"), 2.0, True),
        (Goal("a", 2, of="b", cores=os.cpu_count(), load="much"), 2.0, None),
    ],
)
def test_a_goal_is_judged_by_the_median_of_the_rounds(goal, value, reached):
    """A ratio is that of each round, not of the medians; a machine too small does not tell."""
    measurements = [measurement("a", 10, 30, 20), measurement("b", 5, 30, 2)]
    measurements += [measurement("little", 0.05), measurement("much", 0.5)]
    verdict = judge(goal, measurements)
    assert (verdict.value, verdict.reached) == (value, reached)


def test_sides_take_turns():
    """Each round begins with another side; what is tried before the first one does not count."""
    seen, order = Seen(), []

    def side(name):
        def measure():
            order.append(name)
            seen.add(name, "s", len(order))

        return measure

    seen.take_turns(3, [side("a"), side("b")])
    assert order == ["a", "b", "a", "b", "b", "a", "a", "b"]
    assert [(one.name, one.values) for one in seen.measurements] == [
        ("a", [3, 6, 7]),
        ("b", [4, 5, 8]),
    ]


def test_a_download_counts_the_bytes_after_the_headers(tmp_path):
    with answering(ANSWER[:20], ANSWER[20:] + b"01234", b"56789") as url:
        assert ask(Request(url)).size == 10
        assert download(Request(url), 10, 3) > 0
        with pytest.raises(WrongAnswer, match="10 bytes instead of 11"):
            download(Request(url), 11)


def test_an_answer_without_a_length_ends_with_its_connection():
    with answering(b"HTTP/1.1 200 OK\r\n\r\nabc", b"def") as url:
        assert ask(Request(url)).size == 6


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "404"),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "302"),
        (ANSWER + b"012345678", "9 of 10 bytes came"),
        (ANSWER[:-4], "no answer"),
        (b"", "no answer"),
    ],
)
def test_an_answer_that_is_wrong_is_not_measured(answer, message):
    """Neither an error, nor a redirect, nor an answer that is cut off counts as fast."""
    with answering(answer) as url, pytest.raises(WrongAnswer, match=message):
        ask(Request(url))


def test_many_requests_are_made_at_the_same_time():
    """The second connection is served although the first one is not answered before it."""
    both = threading.Barrier(2, timeout=30)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                both.wait()
                connection.sendall(ANSWER + b"0123456789")

        threads = [threading.Thread(target=serve) for _ in range(2)]
        for thread in threads:
            thread.start()
        replies = exchange([Request(f"http://127.0.0.1:{server.getsockname()[1]}/")] * 2)
        for thread in threads:
            thread.join()
    assert [reply.size for reply in replies] == [10, 10]


def test_the_load_generator_sends_the_whole_file(stage, tmp_path):
    source = fill(tmp_path / "source.bin", (3 << 20) + 7)
    assert upload(put(stage.ours, "plain", "whole.bin", source)) > 0
    assert (stage.plain / "whole.bin").read_bytes() == source.read_bytes()
    with pytest.raises(WrongAnswer, match="409"):
        upload(put(stage.ours, "plain", "whole.bin", source))
    with pytest.raises(WrongAnswer, match="3145735 of 3 bytes"):
        take(stage.plain / "whole.bin", 3)


def test_failed_requests_do_not_count_as_fast(stage):
    """``wrk`` answers with a rate for errors as well; that is none of ours."""
    with pytest.raises(WrongAnswer, match="Non-2xx"):
        wrk(f"{mount(stage.ours, 'filesystem')}/missing", "", TINY.seconds)


def test_the_servers_ask_for_a_token(stage):
    """What is measured includes who may."""
    request = get(stage.ours, "filesystem", stage.ten.name)
    assert ask(request).size == stage.ten.stat().st_size
    with pytest.raises(WrongAnswer, match="401"):
        ask(Request(request.url))


def test_the_peak_of_memory_grows_with_the_process(stage):
    """It is that of the server's own process, in millions of bytes."""
    assert 20 < stage.ours.memory() <= stage.ours.peak() < 1000


@pytest.mark.parametrize(
    ("points", "slope"),
    [
        ([(10**n, 3 * 10**n) for n in range(6)], 1),
        ([(10**n, 7) for n in range(6)], 0),
        ([(10**n, 100 + 10**n) for n in range(2, 9)], 1),
        ([(10**n, 10 ** (2 * n)) for n in range(4)], 2),
    ],
)
def test_growth_is_that_of_the_end_of_a_curve(points, slope):
    assert exponent(points) == pytest.approx(slope, abs=0.01)


def test_numbers_have_three_digits_that_count():
    assert [shown(value) for value in (0, 0.01234, 1.239, 12.39, 123.9, 1234567.8)] == [
        "0",
        "0.0123",
        "1.24",
        "12.4",
        "124",
        "1,234,568",
    ]


def test_the_tables_show_medians_goals_and_curves():
    points = [measurement("whole answer", 1, 3, 2, at=place, unit="s") for place in (100, 1000)]
    goal = ROWS["download"].goals[0]
    speeds = [measurement(goal.what, 3.0), measurement(goal.of, 2.0)]
    text = markdown(
        {
            "download": result("download", speeds, [judge(goal, speeds)]),
            "growth-entries": result(measurements=points),
        }
    )
    assert "at least 1 × nginx, 1 connection | 1.50 × | 1.50 to 1.50 | yes |" in text
    assert "| 100 | 2.00 |\n| 1,000 | 2.00 |" in text
    assert "p, 2 cores, 8 GiB" in text


def test_plots_are_the_same_for_the_same_figures(tmp_path):
    """So that drawing them anew changes no file, and they are small."""
    line = [measurement("listing", 10**n, at=10**n, unit="s") for n in range(3)]
    found = {name: result(name, line) for name in ("growth-entries", "growth-sizes")}
    seen = [measurement(goal.what, 3.0) for goal in ROWS["start"].goals]
    verdicts = [judge(goal, seen) for goal in ROWS["start"].goals]
    found["start"] = result("start", seen, verdicts)
    first, second = draw(found, tmp_path / "a"), draw(found, tmp_path / "b")
    assert [file.name for file in first] == ["goals.svg", "growth-entries.svg", "growth-sizes.svg"]
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]
    assert all(file.stat().st_size < 100_000 for file in first)


def test_the_page_shows_the_results_that_are_kept():
    """``invoke performance-docs`` would change nothing, and every plot is there."""
    page = (DOCS / "performance.md").read_text()
    (written,) = re.findall(r"<!-- results -->\n(.*)<!-- end of the results -->\n", page, re.DOTALL)
    assert written == "\n" + markdown(record.read(record.FOLDER))
    for name in re.findall(r"\]\((images/[^)]+)\)", page):
        assert (DOCS / name).exists(), name


def test_what_is_kept_is_a_full_run():
    """A quick run is for whoever tries something, not for the documentation."""
    for found in record.read(record.FOLDER).values():
        assert (found.sizes, found.rounds >= FULL.rounds) == ("full", True), found.row


def test_a_row_that_does_not_exist_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["downloads"])
    assert "no such row: downloads; there are download" in capsys.readouterr().err


def test_a_row_that_fails_does_not_stop_the_others(monkeypatch, capsys):
    """An hour of measuring is not lost; who called is told at the end."""

    def fail(stage, seen):
        raise WrongAnswer("odd")

    def measure(stage, seen):
        seen.add("x", "s", 1.0)

    monkeypatch.setitem(ROWS, "bad", Row("bad", "Something bad", fail))
    monkeypatch.setitem(ROWS, "good", Row("good", "Something good", measure))
    with pytest.raises(SystemExit, match="Not measured: bad"):
        main(["bad", "good", "--sizes", "tiny"])
    assert "Something good" in capsys.readouterr().out


def test_the_command_writes_what_it_measured(monkeypatch, tmp_path, capsys):
    """One row, one file, with the machine."""

    def measure(stage, seen):
        seen.take_turns(stage.sizes.rounds, [lambda: seen.add("x", "s", 1.0)])

    row = Row("odd", "Something odd", measure, (Goal("x", 2, at_most=True),))
    monkeypatch.setitem(ROWS, "odd", row)
    main(["odd", "--sizes", "tiny", "--rounds", "2", "--results", str(tmp_path / "out")])
    found = msgspec.json.decode((tmp_path / "out" / "odd.json").read_bytes(), type=record.Result)
    assert found.measurements[0].values == [1.0, 1.0]
    assert found.machine.cores == os.cpu_count()
    assert found.machine.programs.keys() >= versions().keys()
    assert "yes: x: 1.00 s, goal: at most 2 s" in capsys.readouterr().out
    assert not (record.FOLDER / "odd.json").exists()
