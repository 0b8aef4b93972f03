"""When a cron job is due: five fields of cron, in a time zone, and the hours in which it stays quiet.

A time that the clocks skip comes at the first minute after the gap; one that they show twice comes once, the first time.
What repeats within the hour or the day (its minute or hour begins with `*`) goes by elapsed time instead, as Debian's cron does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from sygen_bot.errors import RequestError
from sygen_bot.session.text import one_line

_MAX_CHARS: Final = 200
_MAX_SHOWN_CHARS: Final = 40
_FIELDS: Final = (
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of the month", "1-31, L for the last day, LW for the last weekday"),
    ("month", "1-12 or JAN-DEC"),
    ("day of the week", "0-7 or SUN-SAT, FRI#2 for the second Friday, 5L for the last one"),
)
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


class WrongSchedule(RequestError):
    """The schedule, the time zone or the quiet hours cannot be used; the text says why."""

    code = "invalid"


def next_due(schedule: str, timezone: str, after: float) -> float | None:
    """The first time of the schedule after `after`, in epoch seconds. None if there is none to come.

    Raises WrongSchedule, as `check` does: a time zone can be gone from the machine, too.
    """
    zone = _zone(timezone)
    try:
        for moment in CronSim(schedule, datetime.fromtimestamp(after // 1, zone)):
            if moment.timestamp() > after:  # in an hour that comes twice, the library begins with the first one again
                return moment.timestamp()
    except CronSimError as error:
        raise WrongSchedule(_reason(schedule.split())) from error
    except (OverflowError, ValueError, OSError):  # beyond what a calendar holds
        pass
    return None


def check(schedule: str, timezone: str) -> None:
    """Raises WrongSchedule with the reason for a schedule that is none, or never comes, or a time zone that is not known."""
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        raise WrongSchedule(
            "A schedule has five fields: minute, hour, day of the month, month, day of the week. "
            f"This has {len(fields)}. `30 7 * * 1-5` is half past seven from Monday to Friday."
        )
    if len(schedule) > _MAX_CHARS:
        raise WrongSchedule(f"A schedule has at most {_MAX_CHARS} characters.")
    if next_due(schedule, timezone, 0.0) is None:
        raise WrongSchedule(_reason(fields))


def check_quiet_hours(quiet_from: str | None, quiet_to: str | None) -> None:
    """Raises WrongSchedule for what are no quiet hours. Both None: there are none."""
    if quiet_from is None and quiet_to is None:
        return
    if quiet_from is None or quiet_to is None:
        raise WrongSchedule(
            "Quiet hours have a beginning and an end: give both `quiet_from` and `quiet_to`, or neither."
        )
    for text in (quiet_from, quiet_to):
        if _CLOCK.fullmatch(text) is None:
            raise WrongSchedule(f"Quiet hours are times from 00:00 to 23:59, not {_quoted(text)}.")
    if quiet_from == quiet_to:
        raise WrongSchedule("Quiet hours that begin and end at the same time would be none, or all.")


def quiet_until(moment: float, timezone: str, quiet_from: str | None, quiet_to: str | None) -> float | None:
    """When the quiet hours end in which `moment` lies; None if it lies in none. Their end is not one of them."""
    if quiet_from is None or quiet_to is None:
        return None
    local = datetime.fromtimestamp(moment, _zone(timezone)).time()
    begin, end = time.fromisoformat(quiet_from), time.fromisoformat(quiet_to)
    is_quiet = begin <= local < end if begin < end else local >= begin or local < end
    return next_due(f"{end.minute} {end.hour} * * *", timezone, moment) if is_quiet else None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown; no name at all; a folder, or too long
        raise WrongSchedule(
            f"There is no time zone {_quoted(name)}. Time zones have names like Europe/Berlin or UTC."
        ) from error


def _reason(fields: Sequence[str]) -> str:
    for number, (field, (name, allowed)) in enumerate(zip(fields, _FIELDS, strict=False)):
        alone = ["*"] * len(_FIELDS)
        alone[number] = field
        try:
            CronSim(" ".join(alone), datetime(2000, 1, 1))
        except CronSimError:
            return (
                f"The {name} {_quoted(field)} is wrong. Allowed: {allowed}, * for every one, lists with commas, "
                "ranges like 1-5, steps like */2."
            )
    return f"{_quoted(' '.join(fields))} never comes: no such month has that day."


def _quoted(text: str) -> str:
    shown = one_line(text)
    return repr(shown if len(shown) <= _MAX_SHOWN_CHARS else f"{shown[:_MAX_SHOWN_CHARS]}…")
