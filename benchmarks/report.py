"""The table and the plots of docs/performance.md, from the results."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from benchmarks.measuring import Measurement, Row, Verdict
from benchmarks.record import Machine, Result
from benchmarks.rows import ROWS

IMAGES = "images"
"""The folder of the plots, beside the page."""
_DECADES = 2
"""How much of the end of a curve tells how it grows."""


def markdown(results: Mapping[str, Result]) -> str:
    """Everything that was measured, as tables."""
    parts = [_machines(results.values()), _goals(results), _bars(results)]
    parts += [_details(ROWS[name], found) for name, found in results.items()]
    return "\n".join(part for part in parts if part)


def shown(value: float) -> str:
    """A number with three digits that count."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def reached(verdict: Verdict) -> str:
    """Whether a goal was reached, in a word."""
    return {True: "yes", False: "no", None: "cannot tell"}[verdict.reached]


def exponent(points: Iterable[tuple[float, float]]) -> float:
    """How a curve grows at its end: 1 means in proportion, 0 not at all.

    It is the slope of a straight line through the last two decades, both axes logarithmic.
    """
    known = sorted(points)
    end = [(x, y) for x, y in known if x * 10**_DECADES >= known[-1][0] and y > 0]
    logs = [(math.log(x), math.log(y)) for x, y in end]
    middle_x = sum(x for x, _ in logs) / len(logs)
    middle_y = sum(y for _, y in logs) / len(logs)
    wide = sum((x - middle_x) ** 2 for x, _ in logs)
    return sum((x - middle_x) * (y - middle_y) for x, y in logs) / wide if wide else 0.0


def curves(found: Result) -> dict[str, list[Measurement]]:
    """The curves of a result, each in the order of what grows."""
    lines: dict[str, list[Measurement]] = {}
    for one in found.measurements:
        if one.at is not None:
            lines.setdefault(one.name, []).append(one)
    return {name: sorted(line, key=lambda one: one.at or 0) for name, line in lines.items()}


def image(row: Row) -> str:
    """The file name of the plot of a row."""
    return f"{row.name}.svg"


def _machines(results: Iterable[Result]) -> str:
    """Where it was measured; more than one line if not all was measured together."""
    days: dict[str, list[str]] = {}
    for found in results:
        days.setdefault(f"{_machine(found.machine)} {found.day}", []).append(found.row)
    if not days:
        return ""
    if len(days) == 1:
        return f"Measured on {next(iter(days))}.\n"
    lines = [f"- {', '.join(rows)}: on {where}." for where, rows in days.items()]
    return "Measured\n\n" + "\n".join(lines) + "\n"


def _machine(machine: Machine) -> str:
    programs = ", ".join(f"{name} {version}" for name, version in machine.programs.items())
    return (
        f"{machine.processor}, {machine.cores} cores, {machine.memory:g} GiB of memory,"
        f" {machine.system}, files on {machine.disk}; Python {machine.python}, {programs};"
    )


def _goals(results: Mapping[str, Result]) -> str:
    lines = ["| what | goal | measured | of single rounds | reached |", "|---|---|---|---|---|"]
    for name, found in results.items():
        for verdict in found.verdicts:
            unit = f" {verdict.unit}"
            spread = f"{shown(verdict.least)} to {shown(verdict.most)}"
            lines.append(
                f"| {ROWS[name].title}: {verdict.what} | {verdict.goal}"
                f" | {shown(verdict.value)}{unit} | {spread} | {reached(verdict)} |"
            )
    return "\n".join(lines) + "\n" if len(lines) > 2 else ""


def _bars(results: Mapping[str, Result]) -> str:
    if not any(found.verdicts for found in results.values()):
        return ""
    return f"![Each goal is at 1; what is better is further to the right]({IMAGES}/goals.svg)\n"


def _details(row: Row, found: Result) -> str:
    lines = [f"### {row.title}\n", f"`python -m benchmarks {row.name}`, {found.rounds} rounds.\n"]
    points = [one for one in found.measurements if one.at is None]
    if points:
        lines += ["| | median | least | most | unit |", "|---|---|---|---|---|"]
        lines += [
            f"| {one.name} | {shown(one.median)} | {shown(min(one.values))}"
            f" | {shown(max(one.values))} | {one.unit} |"
            for one in points
        ]
        lines.append("")
    if lines_of := curves(found):
        lines += [_curve_table(row, lines_of), f"![{row.title}]({IMAGES}/{image(row)})\n"]
    return "\n".join(lines)


def _curve_table(row: Row, lines: Mapping[str, list[Measurement]]) -> str:
    heads = [f"{name}, {line[0].unit}" for name, line in lines.items()]
    table = [f"| {row.axis} | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    places = sorted({one.at or 0 for line in lines.values() for one in line})
    for place in places:
        found = [
            next((shown(one.median) for one in line if one.at == place), "")
            for line in lines.values()
        ]
        table.append(f"| {place:,.12g} | {' | '.join(found)} |")
    growth = [
        f"{exponent((one.at or 0, one.median) for one in line):.2f}" for line in lines.values()
    ]
    table.append(f"| grows with the power | {' | '.join(growth)} |")
    return "\n".join(table) + "\n"
