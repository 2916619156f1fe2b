"""Modules and functions stay small enough to be read at one go."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*(ROOT / "waterbutler").rglob("*.py"), *(ROOT / "providers").rglob("*.py")])

MODULE_LINES = 400
FUNCTION_LINES = 40

LONGER: dict[str, str] = {}
"""Functions that may be longer, ``path:name``, each with the reason."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(module: Path) -> Iterator[tuple[str, int]]:
    """Each function as ``path:name``, and its lines without decorators and docstring."""
    where = module.relative_to(ROOT)
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, Function):
            lines = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node, clean=False) is not None:
                docstring = node.body[0]
                lines -= docstring.end_lineno - docstring.lineno + 1
            yield f"{where}:{node.name}", lines


def test_there_are_modules():
    """The other tests look at something."""
    assert len(MODULES) > 20


def test_modules_are_short():
    """No module has more lines than the budget."""
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in MODULES}
    long = [f"{name}: {lines}" for name, lines in lengths.items() if lines > MODULE_LINES]
    assert not long, long


def test_functions_are_short():
    """No function has more lines than the budget, its docstring not counted."""
    long = [
        f"{name}: {lines}"
        for module in MODULES
        for name, lines in functions(module)
        if lines > FUNCTION_LINES and name not in LONGER
    ]
    assert not long, long


def test_exceptions_are_needed():
    """What is excused exists, is too long, and says why."""
    lengths = dict(entry for module in MODULES for entry in functions(module))
    assert [name for name, why in LONGER.items() if not why.strip()] == []
    assert [name for name in LONGER if lengths.get(name, 0) <= FUNCTION_LINES] == []


def test_nothing_is_put_off():
    """No module holds a note about what is to be done later."""
    notes = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b")
    found = [
        f"{module.relative_to(ROOT)}:{number}"
        for module in MODULES
        for number, line in enumerate(module.read_text().splitlines(), 1)
        if notes.search(line)
    ]
    assert not found, found


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("def f():\n    return 1\n", 2),
        ('def f():\n    """Say."""\n    return 1\n', 2),
        ('def f():\n    """Say.\n\n    More.\n    """\n    return 1\n', 2),
        ("@a\n@b\nasync def f(\n    x,\n):\n    return x\n", 4),
    ],
)
def test_lines_are_counted_right(source, lines, tmp_path, monkeypatch):
    """Decorators and docstrings do not count; arguments do."""
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    (tmp_path / "module.py").write_text(source)
    assert list(functions(tmp_path / "module.py")) == [("module.py:f", lines)]
