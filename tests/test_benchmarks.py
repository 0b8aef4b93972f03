"""What must not change unnoticed about the benchmarks."""

from __future__ import annotations

from benchmarks.speed import frozen


def test_the_baseline_is_the_one_that_was_frozen() -> None:
    assert frozen.changes() == []
