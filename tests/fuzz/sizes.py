"""How much is tried: little and always the same in CI, much and always something else if asked."""

from hypothesis import HealthCheck, Phase, settings

from tests.long import TIMES

LONG = bool(TIMES)
"""Whether this is the long form."""
FACTOR = 50
"""How many times as many examples the long form tries."""


def examples(count: int) -> settings:
    """The settings of a test that tries so many examples in CI."""
    return settings(
        max_examples=count * FACTOR if LONG else count,
        derandomize=not LONG,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )
