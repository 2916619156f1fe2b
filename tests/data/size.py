"""How large these tests are: a small size that is the same every time, and a long one.

``LONG_TESTS=1`` makes them long; a larger number makes them so many times longer.
"""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

from tests.long import TIMES

LONG = int(TIMES)


def rounds(small: int, long: int) -> int:
    """How often something is done."""
    return long * LONG if LONG else small


def machine_settings(examples: int, steps: int) -> settings:
    """The small size is the same every time; the long one has other examples every time."""
    return settings(
        max_examples=rounds(examples, examples * 40),
        stateful_step_count=steps * 2 if LONG else steps,
        derandomize=not LONG,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # Each step is seconds of real servers: a failure is worth telling before it is small.
        phases=[Phase.generate, Phase.shrink] if LONG else [Phase.generate],
        print_blob=bool(LONG),
    )
