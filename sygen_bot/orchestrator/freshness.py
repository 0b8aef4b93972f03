"""When an agent's context is too old to go on with: after a pause, after many turns, or on a new day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """The rules; None switches one off. `daily_reset_hour`: 0 to 23, in the machine's time zone."""

    idle_timeout_minutes: float | None = None
    max_messages: int | None = None
    daily_reset_hour: int | None = None

    def staleness(self, *, now: float, used_at: float | None, turns: int) -> str | None:
        """Why a context that was last used at `used_at` and has had `turns` turns is over, for people; None while it is fresh.

        Times in epoch seconds; `used_at` is None for a context that was never used.
        """
        if used_at is None:
            return None
        if self.idle_timeout_minutes is not None and now - used_at > self.idle_timeout_minutes * 60:
            return f"idle for over {self.idle_timeout_minutes:g} minutes"
        if self.max_messages is not None and turns >= self.max_messages:
            return f"{self.max_messages} messages"
        if self.daily_reset_hour is not None and used_at < _last_reset(now, self.daily_reset_hour):
            return "a new day"
        return None


def _last_reset(now: float, hour: int) -> float:
    moment = datetime.fromtimestamp(
        now
    )  # without a zone: the machine's rules apply on each day, also where clocks change
    today = moment.replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)
    return (today if today.timestamp() <= now else today - timedelta(days=1)).timestamp()
