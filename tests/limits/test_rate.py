"""The arithmetic of a limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waterbutler.limits import Rate, Verdict
from waterbutler.limits.rate import MICROSECONDS

RATES = st.builds(Rate, st.integers(1, 1_000_000), st.integers(1, 86_400))


class Meter:
    """What a store does, with a time that the test sets."""

    def __init__(self, rate):
        self.rate = rate
        self.now = 0
        self.paid = 0

    def request(self):
        allowed, debt = self.rate.spend(self.paid - self.now)
        self.paid = self.now + debt
        return Verdict(self.rate, allowed, debt)


@given(RATES)
def test_no_more_than_the_limit_gets_through_at_once(rate):
    """Exactly so many, however the division comes out."""
    debt = (rate.requests - 1) * rate.interval
    allowed, debt = rate.spend(debt)
    assert allowed
    assert rate.spend(debt) == (False, debt)


@given(st.integers(1, 20), st.integers(1, 60), st.lists(st.integers(0, 5 * MICROSECONDS)))
def test_in_any_stretch_of_time_the_promise_holds(requests, window, pauses):
    """At most the limit, and what has come back since."""
    meter = Meter(Rate(requests, window))
    let_in = []
    for pause in pauses:
        meter.now += pause
        if meter.request().allowed:
            let_in.append(meter.now)
    for first, start in enumerate(let_in):
        for count, end in enumerate(let_in[first:], 1):
            assert count <= requests + (end - start) / meter.rate.interval


@given(RATES, st.integers(0, 86_400 * MICROSECONDS))
def test_who_waits_as_long_as_told_gets_in(rate, debt):
    """``Retry-After`` is never too short, and not a second too long."""
    allowed, debt = rate.spend(min(debt, rate.capacity))
    verdict = Verdict(rate, allowed, debt)
    wait = verdict.retry_after
    assert rate.spend(debt - wait * MICROSECONDS)[0]
    if wait > 1:
        assert not rate.spend(debt - (wait - 1) * MICROSECONDS)[0]
    assert (wait > 0) is (verdict.remaining == 0)
    if not allowed:
        assert wait >= 1


@given(RATES, st.integers(0, 86_400 * MICROSECONDS))
def test_after_the_reset_everything_is_there_again(rate, debt):
    debt = min(debt, rate.capacity)
    later = debt - Verdict(rate, True, debt).reset * MICROSECONDS
    assert Verdict(rate, True, max(0, later)).remaining == rate.requests


def test_what_headers_say_step_by_step():
    """Three requests in a minute: one comes back every twenty seconds."""
    meter = Meter(Rate(3, 60))
    seen = [meter.request() for _ in range(4)]
    assert [verdict.allowed for verdict in seen] == [True, True, True, False]
    assert [verdict.remaining for verdict in seen] == [2, 1, 0, 0]
    assert [verdict.reset for verdict in seen] == [20, 40, 60, 60]
    assert [verdict.retry_after for verdict in seen] == [0, 0, 20, 20]
    meter.now = 19 * MICROSECONDS
    assert not meter.request().allowed
    meter.now = 20 * MICROSECONDS
    assert meter.request().allowed
    assert not meter.request().allowed


@pytest.mark.parametrize("debt", [-5, 10**18])
def test_a_clock_that_jumped_does_no_harm(debt):
    """Nobody is let in for ever, or kept out for longer than the window."""
    rate = Rate(5, 10)
    allowed, owed = rate.spend(debt)
    assert allowed == (debt < 0)
    assert 0 < owed <= rate.capacity
