"""Everything is written, in order, whatever the system takes at once."""

import os

from waterbutler.core.descriptors import write_all


def written(tmp_path, chunks):
    file = tmp_path / "file"
    with file.open("wb", buffering=0) as opened:
        write_all(opened.fileno(), chunks)
    return file.read_bytes()


def test_more_chunks_than_one_call_takes(tmp_path):
    chunks = [bytes([number % 256]) for number in range(5000)]
    assert written(tmp_path, chunks) == b"".join(chunks)


def test_less_than_was_asked_for(tmp_path, monkeypatch):
    real = os.writev
    monkeypatch.setattr(os, "writev", lambda fd, left: real(fd, [memoryview(left[0])[:2]]))
    assert written(tmp_path, [b"abcde", b"", b"f", b"ghi"]) == b"abcdefghi"


def test_nothing(tmp_path):
    assert written(tmp_path, []) == b""
