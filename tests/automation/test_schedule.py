"""When jobs are due, above all on the days when the clocks change."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sygen_bot.automation.schedule import WrongSchedule, check, check_quiet_hours, next_due, quiet_until

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def at(text: str, zone: str = "UTC") -> float:
    """`2026-03-29 02:30`; `+` after it is the second time that the clocks show it."""
    moment = datetime.fromisoformat(text.rstrip("+")).replace(tzinfo=ZoneInfo(zone), fold=int(text.endswith("+")))
    return moment.timestamp()


def told(moment: float, zone: str) -> str:
    local = datetime.fromtimestamp(moment, ZoneInfo(zone))
    return f"{local:%Y-%m-%d %H:%M}{'+' if local.fold else ''}"


def times(schedule: str, zone: str, after: str, until: str) -> list[str]:
    """All times of a schedule after `after` up to `until`, as its local clocks show them."""
    found, moment = list[str](), next_due(schedule, zone, at(after, zone))
    while moment is not None and moment <= at(until, zone):
        found.append(told(moment, zone))
        moment = next_due(schedule, zone, moment)
    return found


def test_a_schedule_is_read_in_its_time_zone() -> None:
    assert next_due("30 7 * * 1-5", BERLIN, at("2026-07-03 08:00", BERLIN)) == at("2026-07-06 07:30", BERLIN)
    assert next_due("30 7 * * 1-5", "UTC", at("2026-07-03 07:30")) == at("2026-07-06 07:30"), "never the same one again"


@pytest.mark.parametrize(
    ("zone", "before", "after", "first_minute"),
    [
        (BERLIN, "2026-03-28 12:00", "2026-03-30 12:00", "2026-03-29 03:00"),
        (NEW_YORK, "2026-03-07 12:00", "2026-03-09 12:00", "2026-03-08 03:00"),
    ],
)
def test_a_time_that_the_clocks_skip_in_spring_comes_once_after_the_gap(
    zone: str, before: str, after: str, first_minute: str
) -> None:
    day = first_minute[:10]
    assert times("30 2 * * *", zone, before, after) == [first_minute, f"{after[:10]} 02:30"]
    assert times("10,50 2 * * *", zone, before, f"{day} 12:00") == [first_minute], "both stand in the gap"
    assert times("0 3 * * *", zone, before, f"{day} 12:00") == [f"{day} 03:00"]
    assert times("*/30 * * * *", zone, f"{day} 01:00", f"{day} 03:30") == [
        f"{day} 01:30",
        f"{day} 03:00",
        f"{day} 03:30",
    ]


@pytest.mark.parametrize(
    ("zone", "day", "hour", "next_day"),
    [(BERLIN, "2026-10-25", "02", "2026-10-26"), (NEW_YORK, "2026-11-01", "01", "2026-11-02")],
)
def test_a_time_that_the_clocks_show_twice_in_autumn_comes_once(zone: str, day: str, hour: str, next_day: str) -> None:
    both = [f"{day} {hour}:30", f"{next_day} {hour}:30"]
    assert times(f"30 {int(hour)} * * *", zone, f"{day} 00:00", f"{next_day} 12:00") == both
    assert next_due(f"30 {int(hour)} * * *", zone, at(f"{day} {hour}:10+", zone)) == at(both[1], zone), (
        "asked for within the second hour"
    )
    assert times("*/30 * * * *", zone, f"{day} {hour}:00", f"{day} {hour}:30+") == [
        f"{day} {hour}:30",
        f"{day} {hour}:00+",
        f"{day} {hour}:30+",
    ], "what repeats goes by elapsed time"


def test_every_hour_of_the_days_when_the_clocks_change_comes_once() -> None:
    for zone, day, hours in ((BERLIN, "2026-03-29", 23), (BERLIN, "2026-10-25", 25), (NEW_YORK, "2026-03-08", 23)):
        midnight = datetime.fromisoformat(day)
        before, until = (f"{midnight + timedelta(minutes=minutes):%Y-%m-%d %H:%M}" for minutes in (-1, 24 * 60 - 1))
        assert len(times("0 * * * *", zone, before, until)) == hours


def test_leap_days_come_every_four_years_and_not_in_2100() -> None:
    found = times("0 12 29 2 *", "UTC", "2026-01-01 00:00", "2036-12-31 00:00")
    assert [day[:10] for day in found] == ["2028-02-29", "2032-02-29", "2036-02-29"]
    assert told(next_due("0 12 29 2 *", "UTC", at("2096-03-01 00:00")) or 0, "UTC")[:10] == "2104-02-29"


def test_the_last_days_of_months_and_nth_weekdays_are_known() -> None:
    assert [day[5:10] for day in times("0 0 L * *", "UTC", "2026-01-01 00:00", "2026-05-01 00:00")] == [
        *("01-31", "02-28", "03-31", "04-30")
    ]
    assert times("0 9 * * FRI#2", "UTC", "2026-07-01 00:00", "2026-07-31 00:00") == ["2026-07-10 09:00"]


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        ("60 * * * *", "The minute '60' is wrong. Allowed: 0-59"),
        ("* 24 * * *", "The hour '24' is wrong. Allowed: 0-23"),
        ("* * 0 * *", "The day of the month '0' is wrong. Allowed: 1-31"),
        ("* * * 13 *", "The month '13' is wrong. Allowed: 1-12 or JAN-DEC"),
        ("* * * * 8", "The day of the week '8' is wrong. Allowed: 0-7 or SUN-SAT"),
        ("5-1 * * * *", "The minute '5-1' is wrong"),
        ("*/0 * * * *", "The minute '*/0' is wrong"),
        ("1, * * * *", "The minute '1,' is wrong"),
        ("* * * *", "This has 4."),
        ("0 * * * * *", "This has 6."),
        ("@daily", "A schedule has five fields"),
        ("", "This has 0."),
        ("0 0 30 2 *", "'0 0 30 2 *' never comes"),
        ("0 0 31 4,6,9,11 *", "never comes"),
        ("0 0 30 2 */2", "never comes"),
        ("1," * 200 + "1 * * * *", "at most 200 characters"),
        ("0" * 190 + "\0 * * * *", "The minute '000"),
    ],
)
def test_a_wrong_schedule_is_refused_with_the_reason(schedule: str, reason: str) -> None:
    with pytest.raises(WrongSchedule, match=r".*") as refused:
        check(schedule, "UTC")
    assert reason in str(refused.value)
    assert refused.value.code == "invalid"
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe", "a" * 5000, "\0", "\ud800"]
)
def test_a_time_zone_that_is_not_known_is_refused(zone: str) -> None:
    with pytest.raises(WrongSchedule, match="There is no time zone"):
        check("* * * * *", zone)


def test_what_can_be_is_taken() -> None:
    for schedule in ("* * * * *", "*/5 0-6,22 1,15 JAN-MAR mon", "0 0 LW * 5L", "0 0 29 2 *", "0 0 30 2 1"):
        check(schedule, BERLIN)


fields = st.tuples(
    st.sampled_from(["*", "*/7", "0", "30", "5-10", "15,45", "59"]),
    st.sampled_from(["*", "*/5", "0", "1", "2", "1-3", "2,3", "23"]),
    st.sampled_from(["*", "1", "31", "L", "*/10"]),
    st.sampled_from(["*", "3", "10,11", "1,2"]),
    st.sampled_from(["*", "0", "SUN#1", "1-5"]),
)
zones = st.sampled_from(
    [BERLIN, NEW_YORK, "UTC", "Africa/Cairo", "America/Havana", "America/St_Johns", "Asia/Kathmandu"]
)


@given(
    fields.map(" ".join),
    zones,
    st.one_of(
        st.floats(at("2020-01-01"), at("2040-01-01")),
        st.floats(at("2026-03-28 20:00"), at("2026-03-29 08:00")),
        st.floats(at("2026-10-24 20:00"), at("2026-10-25 08:00")),
        st.floats(at("2026-11-01 00:00"), at("2026-11-01 12:00")),
    ),
)
def test_times_only_ever_go_forward_and_none_lies_between(schedule: str, zone: str, after: float) -> None:
    first = next_due(schedule, zone, after)
    if first is None:
        return
    assert first > after
    assert first % 60 == 0
    assert next_due(schedule, zone, first - 1) == first
    assert next_due(schedule, zone, (after + first) / 2) == first
    second = next_due(schedule, zone, first)
    assert second is None or second > first


@given(st.text(max_size=40), st.text("0123456789*/,-#LW MONJA", max_size=24))
def test_whatever_is_written_there_is_taken_or_refused(anything: str, alike: str) -> None:
    for schedule in (anything, alike, f"{alike.replace(' ', '')} * * * {alike.replace(' ', '') or '*'}"):
        refusal = ""
        try:
            check(schedule, BERLIN)
        except WrongSchedule as refused:
            refusal = str(refused)
        assert refusal.isprintable()
        assert refusal or next_due(schedule, BERLIN, 0.0) is not None


@pytest.mark.parametrize("after", [1e18, 1e300, float("inf"), 253402300000.0])
def test_beyond_the_calendar_nothing_is_due(after: float) -> None:
    assert next_due("0 0 1 1 *", "UTC", after) is None


def test_quiet_hours_span_midnight_and_leave_out_their_end() -> None:
    def quiet(text: str, begin: str = "22:00", end: str = "07:00") -> str | None:
        until = quiet_until(at(text, BERLIN), BERLIN, begin, end)
        return None if until is None else told(until, BERLIN)

    assert quiet("2026-07-03 21:59") is None
    assert quiet("2026-07-03 22:00") == "2026-07-04 07:00"
    assert quiet("2026-07-04 06:59") == "2026-07-04 07:00"
    assert quiet("2026-07-04 07:00") is None
    assert quiet("2026-07-04 12:30", "12:00", "13:00") == "2026-07-04 13:00"
    assert quiet("2026-07-04 13:00", "12:00", "13:00") is None
    assert quiet("2026-10-25 02:30+", "22:00", "02:45") == "2026-10-26 02:45"
    assert quiet_until(at("2026-07-03 23:00"), "UTC", None, None) is None


@pytest.mark.parametrize(
    ("begin", "end"),
    [("22:00", None), (None, "07:00"), ("22:00", "22:00"), ("24:00", "07:00"), ("7:00", "08:00"), ("٢٢:٠٠", "07:00")],
)
def test_wrong_quiet_hours_are_refused(begin: str | None, end: str | None) -> None:
    with pytest.raises(WrongSchedule):
        check_quiet_hours(begin, end)
    check_quiet_hours(None, None)
    check_quiet_hours("22:00", "07:00")
