"""What the documentation shows is what happens."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.running import start_server
from waterbutler.settings.table import markdown

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
MARK = "@@ end of output @@"


def transcript(page: Path) -> list[tuple[str, str]]:
    """The commands of a page, each with the output that is shown after it."""
    steps: list[tuple[str, str]] = []
    for block in BLOCK.findall(page.read_text()):
        for line in block.splitlines(keepends=True):
            if line.startswith("$ "):
                steps.append((line[2:], ""))
            else:
                command, output = steps.pop()
                steps.append((command, output + line))
    return steps


def pattern(shown: str) -> str:
    """A shown output as a pattern: an ellipsis stands for anything within a line."""
    return "[^\n]*".join(re.escape(piece) for piece in shown.split("…"))


@pytest.mark.parametrize("page", ["api/v1.md", "api/v0.md", "api/gateway.md"])
def test_the_examples_of_a_page_do_what_it_says(page, tmp_path):
    """Every command of the page is run, in order, in one shell; its output is the one shown."""
    steps = transcript(DOCS / page)
    assert len(steps) > 5
    script = "".join(f"{command}\necho '{MARK}'\n" for command, _ in steps)
    with start_server(tmp_path / "data") as server:
        environment = {
            **os.environ,
            "WATERBUTLER_TOKEN": server.token,
            "SERVER": server.url,
            "FILES": f"{server.url}/v1/resources/demo/providers/filesystem",
        }
        run = subprocess.run(
            ["bash", "-c", script],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    outputs = run.stdout.split(MARK + "\n")[:-1]
    assert len(outputs) == len(steps), run.stderr
    for (command, shown), output in zip(steps, outputs, strict=True):
        same = re.fullmatch(pattern(shown.rstrip()), output.rstrip())
        assert same, f"{command}\nshown:\n{shown}\nseen:\n{output}"


def test_the_table_of_settings_is_up_to_date():
    """``invoke settings-docs`` would change nothing."""
    assert markdown() in (DOCS / "settings.md").read_text()
