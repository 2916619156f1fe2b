"""The targets of the coverage-guided fuzzer: all that ever failed is tried again."""

import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import strategies as some
from tests.fuzz.fuzzer import CORPUS, main, seeds, targets
from tests.fuzz.sizes import examples

TARGETS = targets()


def test_every_target_has_inputs_to_begin_with():
    """And no inputs are left without a target."""
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
    assert all(seeds(name) for name in TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_known_inputs_do_no_harm(name):
    """Those to begin with, and those that were found."""
    for file in seeds(name):
        TARGETS[name](file.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_that_nobody_led_do_no_harm(name):
    """The same where there is no fuzzer: known inputs with something odd in them."""
    known = [file.read_bytes() for file in seeds(name)]

    @examples(8)
    @given(st.sampled_from(known), some.words, st.integers(0, 500), st.integers(0, 9))
    def tried(data, word, at, length):
        TARGETS[name](data[:at] + word + data[at + length :])

    tried()


@pytest.mark.skipif(not importlib.util.find_spec("atheris"), reason="atheris is for Linux only")
def test_the_fuzzer_runs(tmp_path, capfd):
    """It knows its targets, follows what they reach, and says that none failed."""
    status = main(["settings.environment", "--runs=300", "--seconds=0", f"--folder={tmp_path}"])
    told = capfd.readouterr()
    assert status == 0, told.err
    assert "cov: " in told.err
    assert "None failed." in told.out
