"""An event is one line, whatever stands in it, and steers no terminal."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import structlog
from waterbutler import logs

logs.configure("info", sys.argv[1])
for text in sys.argv[2:]:
    structlog.get_logger("test").info("request", path=text.encode().decode("unicode_escape"))
"""
HARMLESS = "/caf\u00e9/\u65e5\u672c/a b"
BREAKING = ["\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]
STEERING = ["\x1b[2J", "\x9b2J", "\x07", "\x7f"]


def logged(kind, *texts):
    """What stands in the log after events with these texts in them."""
    escaped = [text.encode("unicode_escape").decode() for text in texts]
    program = [sys.executable, "-c", PROGRAM, kind, *escaped]
    return subprocess.run(program, capture_output=True, check=True).stderr.decode()


@pytest.mark.parametrize("kind", ["text", "json"])
def test_nothing_splits_a_line_or_steers_a_terminal(kind):
    """All characters that could are spelled out."""
    sent = [f"<{each}>" for each in (*BREAKING, *STEERING)]
    found = logged(kind, *sent)
    assert len(found.splitlines()) == len(sent)
    for each in sent:
        assert each not in found


def test_text_turns_no_text_around():
    """On a terminal, a name could pass for another one."""
    assert "\u202e" not in logged("text", "\u202egnp.exe")


@pytest.mark.parametrize("kind", ["text", "json"])
def test_what_does_no_harm_is_shown_as_it_is(kind):
    """Letters of all scripts can be read."""
    assert HARMLESS in logged(kind, HARMLESS)


def test_json_gives_back_what_was_logged():
    """Spelled out is not lost."""
    text = "".join((*BREAKING, *STEERING))
    assert json.loads(logged("json", text))["path"] == text
