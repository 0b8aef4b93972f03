"""Writes the results into the documents, between their markers, so that no number there is typed by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from benchmarks import plots
from benchmarks.gateway import ROOT
from benchmarks.tables import circumstances, tables

RESULTS: Final = ROOT / "benchmarks" / "results"
PICTURES: Final = ROOT / "docs" / "plots"
DOCUMENTS: Final = (ROOT / "docs" / "performance.md", ROOT / "docs" / "decisions.md")
_PLACE = re.compile(r"(<!-- benchmark (\w+) -->\n).*?(<!-- end of benchmark -->)", re.DOTALL)


def load(name: str) -> dict[str, Any]:
    """The stored result of a benchmark."""
    result: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return result


def write() -> list[Path]:
    """Fill every place in the documents that has a result, and draw the pictures. Returns the files that changed."""
    changed = plots.draw({file.stem: load(file.stem) for file in RESULTS.glob("*.json")}, PICTURES)
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        filled = _PLACE.sub(_fill, text)
        if filled != text:
            document.write_text(filled, "utf-8")
            changed.append(document)
    return changed


def _fill(place: re.Match[str]) -> str:
    begin, name, end = place.groups()
    if not (RESULTS / f"{name}.json").exists():
        return place[0]
    result = load(name)
    parts = [*(table.markdown() for table in tables(name, result)), f"({circumstances(result)}.)"]
    return begin + "\n\n".join(parts) + "\n" + end
