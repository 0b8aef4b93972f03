"""`python -m benchmarks NAME|all|report`: measure, show, store under results/, and write the documents from what is stored."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table as Grid

from benchmarks import (
    abort,
    agents,
    fairness,
    history,
    machine,
    notifications,
    page,
    profile,
    report,
    slow_reader,
    startup,
    upload,
    webhooks,
)
from benchmarks.speed import run as speed
from benchmarks.stack import run as stack
from benchmarks.tables import circumstances, tables

BENCHMARKS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "stack": stack.run,
    "speed": speed.run,
    "profile": profile.run,
    "startup": startup.run,
    "abort": abort.run,
    "agents": agents.run,
    "fairness": fairness.run,
    "history": history.run,
    "slow_reader": slow_reader.run,
    "upload": upload.run,
    "notifications": notifications.run,
    "webhooks": webhooks.run,
    "page": page.run,
}


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=[*BENCHMARKS, "all", "report"])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here, and not under results/")
    arguments = parser.parse_args()
    console = Console()
    if arguments.name == "report":
        for document in report.write():
            console.print(f"written: {document}")
        return 0
    results = {}
    for name in BENCHMARKS if arguments.name == "all" else [arguments.name]:
        console.rule(name)
        began = time.monotonic()
        results[name] = _measured(BENCHMARKS[name])
        _show(console, name, results[name])
        console.print(f"took {time.monotonic() - began:.0f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    else:
        report.RESULTS.mkdir(exist_ok=True)
        for name, result in results.items():
            (report.RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    return 0


def _measured(benchmark: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    about = {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load_average": machine.load_average(),
        "machine": machine.facts(),
    }
    return about | benchmark()


def _show(console: Console, name: str, result: dict[str, Any]) -> None:
    for table in tables(name, result):
        grid = Grid(*table.header)
        for row in table.rows:
            grid.add_row(*row)
        console.print(grid)
    console.print(circumstances(result), style="dim")


if __name__ == "__main__":
    sys.exit(main())
