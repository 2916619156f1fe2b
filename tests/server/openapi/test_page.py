"""The page about the document shows what happens."""

import os
import re
import subprocess

from tests.server.openapi.description import FILE, FOLDER, ROOT, described
from tests.test_docs import DOCS, pattern, transcript

PAGE = DOCS / "api" / "openapi.md"


def test_the_example_does_what_the_page_says(background):
    """The command is run against a server; its output is the one shown."""
    [(command, shown)] = transcript(PAGE)
    run = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "URL": background.server.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert re.fullmatch(pattern(shown), run.stdout)


def test_the_page_names_the_templates():
    """The three templates of a storage are those of the document."""
    paths = described()["paths"]
    assert all(path in paths and f"`{path}`" in PAGE.read_text() for path in (ROOT, FOLDER, FILE))
