"""The pytest plugin."""

import pytest

OPTIONS = ("-p", "pytest_tornado.plugin", "-p", "waterbutler.testing.plugin")


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch):
    """What else is installed has no say in the inner runs."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def test_coroutine_tests_run(pytester):
    """Functions, methods and parametrised tests run on the loop; what fails is reported."""
    pytester.makepyfile(
        """
        import asyncio
        import pytest

        async def test_function():
            await asyncio.sleep(0)

        async def test_failing():
            await asyncio.sleep(0)
            assert False

        @pytest.mark.parametrize("number", [1, 2])
        class TestMethods:
            @pytest.fixture
            def loop_of_a_fixture(self, io_loop):
                return io_loop.asyncio_loop

            async def test_method(self, number, loop_of_a_fixture):
                assert asyncio.get_running_loop() is loop_of_a_fixture
                assert number in {1, 2}

        def test_plain():
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
        """
    )
    pytester.runpytest_inprocess(*OPTIONS).assert_outcomes(passed=4, failed=1)


def test_the_time_out_is_raised(pytester):
    """Five seconds are too short for a busy machine; a longer choice is kept."""
    pytester.makepyfile(
        """
        def test_option(request):
            assert request.config.getoption("async_test_timeout") == EXPECTED
        """.replace("EXPECTED", "180.0")
    )
    pytester.runpytest_inprocess(*OPTIONS).assert_outcomes(passed=1)
    result = pytester.runpytest_inprocess(*OPTIONS, "--async-test-timeout", "200")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*200.0 == 180.0*"])


def test_a_test_may_choose_its_time_out(pytester):
    """A marker on the test counts."""
    pytester.makepyfile(
        """
        import asyncio
        import pytest

        @pytest.mark.gen_test(timeout=0.01)
        async def test_too_slow():
            await asyncio.sleep(30)
        """
    )
    result = pytester.runpytest_inprocess(*OPTIONS)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*TimeoutError*"])


def test_capabilities_gate_tests(pytester):
    """`needs` wants all that it names, `lacks` none of it."""
    pytester.makepyfile(
        """
        import pytest
        from waterbutler.core import Capabilities
        from waterbutler.testing.plugin import gate

        @pytest.fixture(autouse=True)
        def skip(request):
            gate(request.node, Capabilities(write=True, hashes=frozenset({"md5"})))

        @pytest.mark.needs("write", "hashes")
        def test_runs_1():
            pass

        @pytest.mark.lacks("versions", "sign")
        def test_runs_2():
            pass

        @pytest.mark.needs("write")
        @pytest.mark.lacks("versions")
        @pytest.mark.parametrize("x", [
            pytest.param(1, marks=pytest.mark.needs("hashes")),
            pytest.param(2, marks=pytest.mark.needs("sign")),
        ])
        def test_runs_once(x):
            assert x == 1

        @pytest.mark.needs("write", "sign")
        def test_skipped_1():
            assert False

        @pytest.mark.lacks("sign", "write")
        def test_skipped_2():
            assert False
        """
    )
    pytester.runpytest_inprocess(*OPTIONS, "--strict-markers").assert_outcomes(passed=3, skipped=3)


def test_a_misspelt_capability_is_an_error(pytester):
    """A test that is gated by something unknown would never run unnoticed."""
    pytester.makepyfile(
        """
        import pytest
        from waterbutler.core import Capabilities
        from waterbutler.testing.plugin import gate

        @pytest.mark.needs("wirte")
        def test_typo(request):
            gate(request.node, Capabilities())
        """
    )
    pytester.runpytest_inprocess(*OPTIONS).assert_outcomes(failed=1)
