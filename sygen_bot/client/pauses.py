"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 15.0


def pauses(longest: float = FIRST_PAUSE_S) -> Iterator[float]:
    """Pauses between attempts in seconds: growing, and scattered so that many clients do not come back at once."""
    while True:
        yield random.uniform(longest / 4, longest)  # noqa: S311 - scattering, not secrecy
        longest = min(longest * 2, LONGEST_PAUSE_S)
