"""The arithmetic of a limit.

The algorithm is the generic cell rate algorithm (ITU-T I.371), also known as a leaky bucket used as
a meter. Each request adds one interval, the window divided by the number of requests, to what its
caller owes; the debt melts as time goes by; a request that would make it larger than the window is
refused and adds nothing.

Why not a fixed window: with one, a caller who used everything up waits until the window ends, all
callers come back in the same second, and around the end of a window twice the limit gets through
within a moment. Here a caller who used everything up may make the next request one interval later,
nobody waits for a boundary, and never more than the limit gets through at once. A window that
slides exactly would have to keep the time of every request; this keeps one number for each caller,
so memory is bounded, and it is changed in one step, in Redis too.

What it promises: in any stretch of ``t`` seconds, a caller gets at most ``requests`` plus
``requests * t / window`` requests through.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds; both are whole and at least 1.

    All arithmetic is done in whole microseconds, so that every store comes to the same result.
    """

    requests: int
    window: int

    @property
    def interval(self) -> int:
        """What one request costs, in microseconds."""
        return max(1, self.window * MICROSECONDS // self.requests)

    @property
    def capacity(self) -> int:
        """How much may be owed, in microseconds: exactly as much as all requests cost."""
        return self.interval * self.requests

    def spend(self, debt: int) -> tuple[bool, int]:
        """Whether one more request is allowed, and what is owed afterwards.

        Args:
            debt: What is owed before, in microseconds; nothing below 0 or above the capacity
                counts.
        """
        debt = min(max(debt, 0), self.capacity)
        after = debt + self.interval
        return (True, after) if after <= self.capacity else (False, debt)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about a request; ``debt`` is what is owed now, in microseconds."""

    rate: Rate
    allowed: bool
    debt: int

    @property
    def remaining(self) -> int:
        """How many requests may be made at once now."""
        return max(0, self.rate.capacity - self.debt) // self.rate.interval

    @property
    def reset(self) -> int:
        """Whole seconds until all requests may be made again."""
        return math.ceil(self.debt / MICROSECONDS)

    @property
    def retry_after(self) -> int:
        """Whole seconds until the next request will be allowed; at least 1 after a refusal."""
        if self.remaining:
            return 0
        return max(
            1, math.ceil((self.debt + self.rate.interval - self.rate.capacity) / MICROSECONDS)
        )
