"""docs/providers.md: its table is of this suite and of these providers."""

from __future__ import annotations

from pathlib import Path

from tests.providers.contract_table import BEGIN, COLUMNS, DOCUMENT, END, promises, sentence


def rows() -> list[list[str]]:
    text = DOCUMENT.read_text().partition(BEGIN)[2].partition(END)[0]
    return [[cell.strip() for cell in line.strip("| \n").split(" |")] for line in text.splitlines()]


def test_the_table_has_every_promise_and_every_provider() -> None:
    head, _, *body = rows()
    assert head == ["", *COLUMNS.values()] or head == list(COLUMNS.values())
    assert [row[0] for row in body] == [sentence(promise) for promise in promises()]
    assert all(set(row[1:]) <= {"yes", "–"} and len(row) == len(COLUMNS) + 1 for row in body)


def test_every_contract_test_has_its_column() -> None:
    modules = (Path(__file__).parents[1] / "providers").glob("test_contract_*.py")
    assert {module.stem.removeprefix("test_contract_") for module in modules} == set(COLUMNS)
