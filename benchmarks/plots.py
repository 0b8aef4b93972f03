"""The results as pictures, for the documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

OURS: Final = "#0f766e"
THEIRS: Final = "#94a3b8"
_NAMES: Final = {"tick": "one a turn", "burst": "burst", "pace": "every 20 ms"}


def draw(results: dict[str, dict[str, Any]], folder: Path) -> list[Path]:
    """Write the pictures of what was measured. Returns their files."""
    mpl.rcParams |= {"svg.hashsalt": "sygen", "svg.fonttype": "path", "font.size": 9, "axes.spines.top": False}
    mpl.rcParams |= {"axes.spines.right": False}
    folder.mkdir(exist_ok=True)
    files = []
    if speed := results.get("speed"):
        files += [_save(_costs(speed), folder / "costs.svg"), _save(_growth(speed), folder / "growth.svg")]
    if fairness := results.get("fairness"):
        files.append(_save(_waits(fairness), folder / "fairness.svg"))
    return files


def _costs(speed: dict[str, Any]) -> Figure:
    """Each row beside the baseline; the line is its target."""
    figure = Figure(figsize=(7.5, 3.4), layout="constrained")
    axes = figure.subplots()
    rows = [(f"{_NAMES[row['name']]}\n{row['clients']}", row) for row in speed["streams"]]
    rows.append((f"fan-out\n{speed['fan_out']['subscribers']}", speed["fan_out"]))
    for place, (_, row) in enumerate(rows):
        for offset, key, colour in ((-0.2, "us", OURS), (0.2, "baseline_us", THEIRS)):
            cost = row[key]
            error = [[cost["median"] - cost["min"]], [cost["max"] - cost["median"]]]
            axes.bar(place + offset, cost["median"], 0.38, color=colour, yerr=error, error_kw={"lw": 0.8})
        target = row["target"] * row["baseline_us"]["median"]
        axes.plot([place - 0.42, place + 0.02], [target, target], color="#b91c1c", lw=1.5)
    axes.set_xticks(range(len(rows)), [name for name, _ in rows])
    axes.set_ylabel("µs of processor time per delta")
    _legend(axes, "red: the target")
    return figure


def _growth(speed: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    clients = [row["clients"] for row in speed["growth"]]
    for key, colour in (("us", OURS), ("baseline_us", THEIRS)):
        axes.plot(clients, [row[key]["median"] for row in speed["growth"]], "o-", color=colour)
    axes.set_xscale("log", base=2)
    axes.set_xticks(clients, [f"{number:,}" for number in clients])
    axes.set_ylim(0)
    axes.set_xlabel("clients, each with an agent that speaks once a turn of the loop")
    axes.set_ylabel("µs per delta")
    _legend(axes)
    return figure


def _waits(fairness: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    rows = fairness["rows"]
    for key, shade in (("p50", "#99d5cf"), ("p95", "#3fa39a"), ("p99", OURS)):
        offset = {"p50": -0.27, "p95": 0.0, "p99": 0.27}[key]
        heights = [row["first_delta_ms"][key] for row in rows]
        axes.bar([place + offset for place in range(len(rows))], heights, 0.25, color=shade, label=key)
    for place, row in enumerate(rows):
        if row["target_ms"]:
            axes.plot([place + 0.13, place + 0.42], [row["target_ms"]] * 2, color="#b91c1c", lw=1.5)
    axes.set_xticks(range(len(rows)), [str(row["chatty"]) for row in rows])
    axes.set_xlabel("other sessions that burst")
    axes.set_ylabel("ms to the first delta")
    axes.legend(frameon=False, title="red: the target for p99")
    return figure


def _legend(axes: Axes, title: str = "") -> None:
    axes.bar(0, 0, color=OURS, label="the gateway")
    axes.bar(0, 0, color=THEIRS, label="baseline: aiohttp, json, Box.encrypt")
    axes.legend(frameon=False, title=title or None)


def _save(figure: Figure, file: Path) -> Path:
    figure.savefig(file, metadata={"Date": None}, facecolor="white")
    return file
