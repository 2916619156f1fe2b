"""The page about security names tests that exist, and all tests of threats stand on it."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"
NAMED = re.compile(r"`((?:tests/\w+/)?test_\w+\.py)(?:::(\w+))?`")
ROW = re.compile(r"^\|(?! ?-)(.*)\|(.*)\|(.*)\|$", re.MULTILINE)


@cache
def names_in(path: Path) -> set[str]:
    """The names of all tests in a file."""
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def named() -> list[tuple[Path, str]]:
    """What the page names: files, and tests in them."""
    found = []
    for file, name in NAMED.findall(PAGE.read_text()):
        path = ROOT / file if file.startswith("tests/") else Path(__file__).parent / file
        found.append((path, name))
    return found


def test_every_named_test_exists():
    """Who takes a test away takes its name from the page, or sees this fail."""
    assert len(named()) > 50
    for path, name in named():
        assert path.is_file(), path
        assert not name or name in names_in(path), f"{path}::{name}"


def test_every_threat_has_a_proof():
    """A row of the tables of threats that names no test is a promise only."""
    text = PAGE.read_text()
    start, end = text.index("## Threats, guards"), text.index("## Left to you")
    rows = ROW.findall(text[start:end])
    rows = [row for row in rows if row[0].strip() != "threat"]
    assert len(rows) > 30
    for threat, guard, proof in rows:
        assert guard.strip(), threat
        assert NAMED.search(proof), threat


def test_every_module_of_threats_is_on_the_page():
    """No group of threats is forgotten."""
    known = {path for path, _ in named()}
    here = set(Path(__file__).parent.glob("test_*.py")) - {Path(__file__)}
    assert here <= known
