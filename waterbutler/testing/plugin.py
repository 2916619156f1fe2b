"""The pytest plugin: coroutine tests run on the ``io_loop`` fixture, and capabilities gate tests.

It is registered as an entry point, so it is there wherever this package and pytest are installed.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    # pytest loads plugins before coverage is measured: what they import would not be counted.
    from waterbutler.core import Capabilities

pytest.register_assert_rewrite("waterbutler.testing.conformance", "waterbutler.testing.faults")

TIMEOUT = 180.0
"""Seconds after which a coroutine test is given up, if nothing longer was asked for."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and raise the time-out of coroutine tests."""
    config.addinivalue_line(
        "markers", "needs(*capabilities): run only where the provider declares all of these"
    )
    config.addinivalue_line(
        "markers", "lacks(*capabilities): run only where the provider declares none of these"
    )
    # The io_loop fixture of pytest-tornado calls what newer Tornado versions discourage.
    for name in ("make_current", "clear_current"):
        config.addinivalue_line("filterwarnings", f"ignore:{name} is deprecated:DeprecationWarning")
    # That fixture asks for the current loop: if none was ever set, asyncio makes one that nobody
    # closes.
    asyncio.set_event_loop(None)
    if hasattr(config.option, "async_test_timeout"):
        config.option.async_test_timeout = max(config.option.async_test_timeout, TIMEOUT)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark coroutine tests for the ``io_loop`` fixture; leave out what concerns no storage here.

    A contract class that says ``capabilities`` has only the tests that these call for.
    """
    concerned: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        declared = getattr(getattr(item, "cls", None), "capabilities", None)
        fits = declared is None or misfit(item, declared) is None
        (concerned if fits else left_out).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = concerned
    for item in items:
        if (
            isinstance(item, pytest.Function)
            and inspect.iscoroutinefunction(item.obj)
            and item.get_closest_marker("gen_test") is None
        ):
            item.add_marker(pytest.mark.gen_test)


def gate(node: pytest.Item, capabilities: Capabilities) -> None:
    """Skip the test if its ``needs`` and ``lacks`` markers do not fit what is declared."""
    reason = misfit(node, capabilities)
    if reason is not None:
        pytest.skip(reason)


def misfit(node: pytest.Item, capabilities: Capabilities) -> str | None:
    """Why a test does not concern a storage; ``None`` if it does."""
    for marker in node.iter_markers("needs"):
        for name in marker.args:
            if not getattr(capabilities, name):
                return f"does not declare {name}"
    for marker in node.iter_markers("lacks"):
        for name in marker.args:
            if getattr(capabilities, name):
                return f"declares {name}"
    return None
