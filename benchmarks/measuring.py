"""What was measured, and what is to be reached."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from benchmarks.stage import Stage

Side = Callable[[], None]
"""Does something once, and says what it saw to a `Seen`."""
SHARED = 0.1
"""How much of a core the load generator may take from the servers."""


class Measurement(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One thing that was measured several times.

    Attributes:
        name: What it is.
        unit: Of the values.
        at: Where it stands on a curve; nothing for a single point.
        values: What was seen, a value for each round.
    """

    name: str
    unit: str
    at: float | None = None
    values: list[float]

    @property
    def median(self) -> float:
        """What counts."""
        return statistics.median(self.values)


class Seen:
    """What a row saw.

    Args:
        tries: Whether each side is tried once before it counts.
    """

    def __init__(self, *, tries: bool = True) -> None:
        self._found: dict[tuple[str, float | None], Measurement] = {}
        self._tries = tries
        self._trying = False

    def add(self, name: str, unit: str, value: float, *, at: float | None = None) -> None:
        """Say what was seen in one round."""
        if self._trying:
            return
        new = Measurement(name=name, unit=unit, at=at, values=[])
        self._found.setdefault((name, at), new).values.append(value)

    @property
    def measurements(self) -> list[Measurement]:
        """All of it, in the order in which it was first seen."""
        return list(self._found.values())

    def take_turns(self, rounds: int, sides: Sequence[Side]) -> None:
        """Measure each side so many times, a round after a round.

        Before the first round each side is tried once, which does not count: caches are warm then.
        Each round begins with another side, so that none is always the one after the noisiest.
        """
        self._trying = True
        for side in sides if self._tries else ():
            side()
        self._trying = False
        for number in range(rounds):
            start = number % len(sides)
            for side in (*sides[start:], *sides[:start]):
                side()


@dataclass(frozen=True)
class Goal:
    """What a measurement must be.

    Attributes:
        what: The name of the measurement.
        bound: How much; the least, where not ``at_most``.
        of: The measurement that it is compared with; then ``bound`` is a ratio.
        at_most: Whether ``bound`` is the most.
        every: Whether each round must reach it; else the median counts.
        cores: How many cores the servers need; a machine with fewer is too small to tell.
        load: The measurement of the cores that the load generator needs besides.
    """

    what: str
    bound: float
    of: str = ""
    at_most: bool = False
    every: bool = False
    cores: int = 1
    load: str = ""


class Verdict(msgspec.Struct, kw_only=True):
    """A goal, and what came of it.

    Attributes:
        goal: What was to be reached, as a person says it.
        what: What was measured.
        value: What it was: a ratio, or a value in the unit of the measurement.
        least: The smallest ratio or value of a single round.
        most: The largest.
        unit: The unit; ``×`` for ratios.
        reached: Whether that is enough; nothing if this machine cannot tell.
    """

    goal: str
    what: str
    value: float
    least: float
    most: float
    unit: str
    reached: bool | None


@dataclass(frozen=True)
class Row:
    """Something that is measured in one go.

    Attributes:
        name: What it is called on the command line.
        title: What it is.
        measure: Measures it.
        goals: What is to be reached.
        axis: For curves: what grows.
    """

    name: str
    title: str
    measure: Callable[[Stage, Seen], None]
    goals: tuple[Goal, ...] = ()
    axis: str = ""


def judge(goal: Goal, measurements: Sequence[Measurement]) -> Verdict:
    """Compare with what was seen; a ratio is the median of the ratios of the rounds.

    The two sides of a ratio were measured one after the other in each round, so a machine that is
    slower for a while slows both.

    Raises:
        KeyError: The row did not measure what the goal speaks of.
    """
    found = {one.name: one for one in measurements if one.at is None}
    one = found[goal.what]
    values, unit = one.values, one.unit
    sign = "at most" if goal.at_most else "at least"
    text = f"{sign} {goal.bound:,.10g} {unit}"
    if goal.of:
        values = [a / b for a, b in zip(values, found[goal.of].values, strict=True)]
        unit = "×"
        text = f"{sign} {goal.bound:g} × {goal.of}"
    value = statistics.median(values)
    if goal.every:
        value = max(values) if goal.at_most else min(values)
    reached = value <= goal.bound if goal.at_most else value >= goal.bound
    needed = goal.cores + (found[goal.load].median if goal.load else 0)
    return Verdict(
        goal=text,
        what=goal.what,
        value=value,
        least=min(values),
        most=max(values),
        unit=unit,
        reached=reached if needed <= (os.cpu_count() or 1) + SHARED else None,
    )
