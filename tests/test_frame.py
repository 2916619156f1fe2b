"""The frame around the code: metadata, entry points, tasks, and one page and test per provider."""

import ast
import configparser
import json
import re
import runpy
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
import setuptools

import waterbutler
from waterbutler.settings.table import markdown

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "waterbutler"
PLUGINS = sorted(
    folder.name for folder in (ROOT / "providers").iterdir() if (folder / "__init__.py").exists()
)
DISTRIBUTION = "waterbutler-proxy"


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What setup.py hands to setuptools."""
    given: dict[str, Any] = {}
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(setuptools, "setup", given.update)
    runpy.run_path(str(ROOT / "setup.py"))
    return given


@pytest.fixture
def points(metadata) -> list[EntryPoint]:
    """The entry points that setup.py declares."""
    return [
        EntryPoint(*(part.strip() for part in line.split("=", 1)), group=group)
        for group, lines in metadata["entry_points"].items()
        for line in lines
    ]


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_entry_points_load(points):
    """Everything that setup.py names is there."""
    assert all(point.load() is not None for point in points)


def test_what_is_installed_is_what_is_declared(points):
    """The environment was installed after the last change of setup.py."""
    try:
        installed = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        pytest.skip("the package is not installed; `make test` installs it")
    assert {(point.group, point.name, point.value) for point in installed.entry_points} == {
        (point.group, point.name, point.value) for point in points
    }


def test_the_version_stands_in_one_place(metadata):
    """Only version.py holds the version; all else reads it."""
    version = waterbutler.__version__
    assert metadata["version"] == version
    files = [
        *PACKAGE.rglob("*.py"),
        *(ROOT / "providers").rglob("*.py"),
        ROOT / "docs" / "conf.py",
        ROOT / "pyproject.toml",
        ROOT / "setup.py",
    ]
    quoted = re.compile(rf"""["']{re.escape(version)}["']""")
    holders = [file.relative_to(ROOT) for file in files if quoted.search(file.read_text())]
    assert holders == [Path("waterbutler/version.py")]


def test_all_packages_are_shipped(metadata):
    """Every folder with code is a package that setup.py finds."""
    folders = {
        ".".join(file.parent.relative_to(root).parts)
        for root in (ROOT, ROOT / "providers")
        for file in root.glob("waterbutler*/**/*.py")
    }
    assert folders == set(metadata["packages"])


def test_all_data_is_shipped(metadata):
    """Every file that is no module is in package_data, and every pattern there matches one."""
    (patterns,) = metadata["package_data"].values()
    shipped = {pattern: set(PACKAGE.glob(pattern)) for pattern in patterns}
    files = {
        file
        for file in PACKAGE.rglob("*")
        if file.is_file() and file.suffix != ".py" and "__pycache__" not in file.parts
    }
    missing = files - set().union(*shipped.values())
    assert not missing, missing
    useless = [pattern for pattern, found in shipped.items() if not found]
    assert not useless, useless


def test_the_core_needs_nothing_else():
    """The core imports the standard library, msgspec and itself."""
    foreign = set()
    for module in (PACKAGE / "core").glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{module.name} imports relatively"
                names = [node.module]
            foreign.update(
                name
                for name in names
                if name.partition(".")[0] not in sys.stdlib_module_names
                and not name.startswith("waterbutler.core")
            )
    assert foreign == {"msgspec"}


def test_there_are_providers():
    """The tests below look at something."""
    assert "waterbutler_filesystem" in PLUGINS


@pytest.mark.parametrize("plugin", PLUGINS)
class TestProvider:
    """What belongs to a provider beside its code."""

    def test_it_is_registered(self, plugin, points):
        """An entry point leads to it, under the name that its folder has."""
        name = plugin.removeprefix("waterbutler_")
        (point,) = [
            point
            for point in points
            if point.group == "waterbutler.providers" and point.module.startswith(plugin)
        ]
        assert point.name == name

    def test_it_has_a_test_file_and_a_page(self, plugin):
        """It runs the suite, and its page says how it is set up."""
        name = plugin.removeprefix("waterbutler_")
        assert "ProviderContract" in (ROOT / f"tests/providers/test_{name}.py").read_text()
        assert (ROOT / f"docs/providers/{name}.md").read_text().startswith(f"# {name}\n")

    def test_all_tools_know_it(self, plugin):
        """Types, coverage and import rules cover it."""
        tools = project()["tool"]
        floors = configparser.ConfigParser()
        floors.read(ROOT / ".importlinter")
        assert plugin in tools["mypy"]["packages"]
        assert plugin in tools["coverage"]["run"]["source"]
        assert plugin in floors["importlinter"]["root_packages"].split()
        assert plugin in floors["importlinter:contract:providers"]["forbidden_modules"].split()
        assert plugin in floors["importlinter:contract:provider-imports"]["source_modules"].split()


def test_the_table_of_settings_is_current():
    """The page lists every setting, as `make settings-docs` writes it."""
    assert markdown() in (ROOT / "docs" / "settings.md").read_text()


def test_every_target_is_a_task():
    """What the Makefile hands to invoke exists there."""
    listed = subprocess.run(
        [sys.executable, "-m", "invoke", "--list", "--list-format=json"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    tasks = {task["name"] for task in json.loads(listed.stdout)["tasks"]}
    targets = re.search(r"^(test .*?):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(targets[1].split()) <= tasks


def test_continuous_integration_runs_make_test():
    """CI runs the same command as everybody."""
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o100
    assert script.read_text().rstrip().endswith("make test")
    subprocess.run(["bash", "-n", script], check=True)


def test_the_licence_is_shipped(metadata):
    """The licence that the metadata names lies in the tree."""
    assert metadata["license_expression"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
