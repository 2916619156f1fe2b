"""The plots of docs/performance.md."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.measuring import Measurement, Row
from benchmarks.record import Result
from benchmarks.report import curves, image
from benchmarks.rows import ROWS

WIDEST = 3.0
"""Bars end here: three times as good as asked for is good enough to be seen."""
GOOD, BAD, UNKNOWN = "#3a7d44", "#b3452c", "#8a8a8a"


def draw(results: Mapping[str, Result], folder: Path) -> list[Path]:
    """Draw all plots into a folder; those of earlier runs are replaced.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    with mpl.rc_context():
        # The same results give the same file, and its texts are texts.
        mpl.rcParams["svg.hashsalt"] = "waterbutler"
        mpl.rcParams["svg.fonttype"] = "none"
        mpl.rcParams["font.size"] = 9
        if any(found.verdicts for found in results.values()):
            files.append(_save(_goals(results), folder / "goals.svg"))
        for name, found in results.items():
            if lines := curves(found):
                files.append(_save(_curves(ROWS[name], lines), folder / image(ROWS[name])))
    return files


def _goals(results: Mapping[str, Result]) -> Figure:
    """Each goal as a bar: how much of it was reached."""
    bars: list[tuple[str, float, str]] = []
    for found in results.values():
        for goal, verdict in zip(ROWS[found.row].goals, found.verdicts, strict=True):
            share = goal.bound / verdict.value if goal.at_most else verdict.value / goal.bound
            share = min(share, WIDEST)
            color = {True: GOOD, False: BAD, None: UNKNOWN}[verdict.reached]
            beside = f" / {goal.of}" if goal.of else ""
            bars.append((f"{found.row}: {verdict.what}{beside}", share, color))
    figure = Figure(figsize=(8, 0.6 + 0.22 * len(bars)), layout="constrained")
    axes = figure.subplots()
    names, shares, colors = zip(*reversed(bars), strict=True)
    axes.barh(names, shares, color=colors, height=0.7)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlim(0, WIDEST)
    axes.set_xlabel("measured / goal (turned over where less is better); 1 is enough")
    axes.tick_params(axis="y", labelsize=7)
    axes.margins(y=0.01)
    return figure


def _curves(row: Row, lines: Mapping[str, Sequence[Measurement]]) -> Figure:
    """One plot for each unit, both axes logarithmic, with lines that grow in proportion."""
    units = list(dict.fromkeys(line[0].unit for line in lines.values()))
    figure = Figure(figsize=(8, 2.6 * len(units)), layout="constrained")
    for number, unit in enumerate(units):
        axes = figure.add_subplot(len(units), 1, number + 1)
        chosen = {name: line for name, line in lines.items() if line[0].unit == unit}
        for name, line in chosen.items():
            places, values = [one.at or 0 for one in line], [one.median for one in line]
            axes.plot(places, values, marker="o", markersize=3, linewidth=1.2, label=name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylabel(unit)
        axes.grid(visible=True, which="major", linewidth=0.4)
        _widen(axes)
        if unit == "s":
            _guide(axes, [one for line in chosen.values() for one in line])
        axes.legend(fontsize=7)
        if number == len(units) - 1:
            axes.set_xlabel(row.axis)
    return figure


def _widen(axes: Axes) -> None:
    """Show a decade at least: what hardly changes must look so."""
    least, most = axes.get_ylim()
    missing = math.sqrt(max(1.0, 10 / (most / least)))
    axes.set_ylim(least / missing, most * missing)


def _guide(axes: Axes, points: Sequence[Measurement]) -> None:
    """What it would be if it were in proportion to the largest point."""
    last = max(points, key=lambda one: (one.at or 0, one.median))
    first = min(one.at or 0 for one in points)
    least = min(one.median for one in points)
    end = last.at or 0
    start = max(first, end * least / last.median)
    axes.plot(
        [start, end],
        [last.median * start / end, last.median],
        color=UNKNOWN,
        linestyle=":",
        linewidth=1,
        label="in proportion",
    )


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, metadata={"Date": None})
    return path
