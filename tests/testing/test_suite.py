"""The suite catches providers that break the contract."""

import importlib.util
import inspect
from collections import Counter
from pathlib import Path

import pytest

from waterbutler.testing.conformance import ProviderContract
from waterbutler.testing.conformance.base import ContractBase

HERE = Path(__file__).parent


def load(name):
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BROKEN = [*load("broken_files").BROKEN, *load("broken_storages").BROKEN]

INNER = """
import pytest
from waterbutler.testing.conformance import ProviderContract
from {module} import {name}

class TestIt(ProviderContract):
    page_entries = 45
    large_size = 1 << 18

    @pytest.fixture
    def provider(self):
        return {name}()
"""


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_provider_fails(kind, pytester, monkeypatch):
    """Each of the tests that are named for it fails, in at least one of its cases."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    module = kind.__module__
    pytester.makepyfile(
        **{module: (HERE / f"{module}.py").read_text()},
        test_it=INNER.format(module=module, name=kind.__name__),
    )
    reports = pytester.inline_run(
        "-p", "pytest_tornado.plugin", "-p", "waterbutler.testing.plugin",
        "-k", " or ".join(kind.caught_by),
    ).getreports("pytest_runtest_logreport")  # fmt: skip
    failed = Counter(
        report.nodeid.split("::")[-1].split("[")[0] for report in reports if report.failed
    )
    assert set(kind.caught_by) <= set(failed)


def test_each_test_of_the_suite_counts():
    """No theme hides a test of another one by having one of the same name."""
    names = Counter(
        name
        for theme in ProviderContract.__mro__
        if issubclass(theme, ContractBase)
        for name in vars(theme)
        if name.startswith("test_")
    )
    assert {name for name, count in names.items() if count > 1} == set()


def test_each_test_of_the_suite_says_what_is_true():
    """Authors of providers read the sentence when a test fails."""
    tests = inspect.getmembers(ProviderContract, inspect.isfunction)
    assert [name for name, test in tests if name.startswith("test_") and not test.__doc__] == []


def test_tests_named_for_broken_providers_exist():
    """A renamed test would otherwise be looked for in vain."""
    named = {name for kind in BROKEN for name in kind.caught_by}
    assert [name for name in named if not hasattr(ProviderContract, name)] == []
