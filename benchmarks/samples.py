"""Summing up samples."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` of all do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))]


def milliseconds(samples: Sequence[float]) -> dict[str, float]:
    """Percentiles of durations in seconds, as milliseconds."""
    return {
        "samples": len(samples),
        "p50": round(percentile(samples, 0.50) * 1000, 2),
        "p95": round(percentile(samples, 0.95) * 1000, 2),
        "p99": round(percentile(samples, 0.99) * 1000, 2),
        "max": round(max(samples) * 1000, 2),
    }


def spread(samples: Sequence[float], digits: int = 2) -> dict[str, float]:
    """Median and extremes."""
    return {
        "median": round(statistics.median(samples), digits),
        "min": round(min(samples), digits),
        "max": round(max(samples), digits),
    }
