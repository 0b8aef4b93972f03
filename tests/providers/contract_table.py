"""The table of docs/providers.md: what the contract suite said of each provider. `python -m tests.providers.contract_table` runs it and writes.

Nothing is written if a test fails.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from sygen_bot.testing.contract import ProviderContract

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "providers.md"
BEGIN, END = "<!-- contract -->\n", "<!-- end of contract -->"
COLUMNS: Final = {
    "scripted": "Scripted",
    "local": "Local model",
    "claude": "Claude Code",
    "codex": "Codex",
    "acp": "ACP (ours)",
    "gemini": "ACP (Gemini CLI)",
    "openai": "OpenAI-compatible",
}
"""By the end of the module's name, `test_contract_*`."""
_SIGNS: Final = {"passed": "yes", "skipped": "–"}


def promises() -> list[str]:
    """The tests of the suite, in their order."""
    return [name for name in vars(ProviderContract) if name.startswith("test_")]


def sentence(promise: str) -> str:
    return promise.removeprefix("test_").replace("_", " ").capitalize()


class Outcomes:
    """A pytest plugin that notes how each test went."""

    def __init__(self) -> None:
        self.by_test: dict[tuple[str, str], str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            module, _, test = report.nodeid.partition("::")
            column = Path(module).stem.removeprefix("test_contract_")
            self.by_test[test.rpartition("::")[2], column] = report.outcome


def table(outcomes: dict[tuple[str, str], str]) -> str:
    rows = [["", *COLUMNS.values()], ["---", *["---"] * len(COLUMNS)]]
    rows += [[sentence(promise), *(_SIGNS[outcomes[promise, column]] for column in COLUMNS)] for promise in promises()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main(arguments: Sequence[str]) -> int:
    outcomes = Outcomes()
    here = Path(__file__).parent
    code = pytest.main([*map(str, sorted(here.glob("test_contract_*.py"))), *arguments], plugins=[outcomes])
    if code:
        return int(code)
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    DOCUMENT.write_text(before + BEGIN + table(outcomes.by_test) + END + rest.partition(END)[2])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
