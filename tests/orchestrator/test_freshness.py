"""When an agent's context is over: after a pause, after many turns, on a new day, also on days when clocks change."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sygen_bot.config import load_settings
from sygen_bot.events import Finished, ProviderEvent, Result, SystemStatus, TextDelta
from sygen_bot.orchestrator.core import Orchestrator
from sygen_bot.orchestrator.freshness import Freshness
from sygen_bot.orchestrator.lifecycle import running_gateway
from sygen_bot.paths import Paths
from sygen_bot.providers.base import Availability, ProviderInfo, Turn
from sygen_bot.providers.registry import ProviderRegistry
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import LoggedEvent
from sygen_bot.storage.engine import open_storage
from sygen_bot.storage.sessions import SessionStore
from tests.orchestrator.alone import orchestrator_alone

KEY = SessionKey("api", 1, None)
MINUTE_S, HOUR_S = 60.0, 3600.0
ZONE = "Europe/Berlin"


@pytest.fixture
def berlin() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = ZONE
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def at(text: str, *, fold: int = 0) -> float:
    """Local time in Berlin; `fold` 1 is the second of two equal ones."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE), fold=fold).timestamp()


# --- the rules --------------------------------------------------------------------------------------------------------


def test_without_a_rule_a_context_is_never_over() -> None:
    assert Freshness().staleness(now=1e10, used_at=0.0, turns=10**9) is None


@pytest.mark.parametrize("rules", [{"idle_timeout_minutes": 1}, {"max_messages": 1}, {"daily_reset_hour": 4}])
def test_a_context_that_was_never_used_is_not_over(rules: dict[str, int]) -> None:
    assert Freshness(**rules).staleness(now=1e10, used_at=None, turns=0) is None


@pytest.mark.parametrize(
    ("pause_s", "is_over"), [(0, False), (29.9 * MINUTE_S, False), (30.1 * MINUTE_S, True), (1e9, True)]
)
def test_a_pause_ends_a_context(pause_s: float, is_over: bool) -> None:
    why = Freshness(idle_timeout_minutes=30).staleness(now=1e6 + pause_s, used_at=1e6, turns=1)
    assert why == ("idle for over 30 minutes" if is_over else None)


@pytest.mark.parametrize(("turns", "is_over"), [(0, False), (2, False), (3, True), (4, True)])
def test_a_number_of_turns_ends_a_context(turns: int, is_over: bool) -> None:
    why = Freshness(max_messages=3).staleness(now=1e6, used_at=1e6, turns=turns)
    assert why == ("3 messages" if is_over else None)


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("used", "now", "hour", "is_over"),
    [
        ("2026-06-10 03:59", "2026-06-10 04:00", 4, True),
        ("2026-06-10 04:00", "2026-06-10 23:59", 4, False),
        ("2026-06-10 23:59", "2026-06-11 03:59", 4, False),
        ("2026-06-10 05:00", "2026-06-11 04:00", 4, True),
        ("2026-06-10 23:59", "2026-06-11 00:00", 0, True),
        ("2026-06-11 00:00", "2026-06-11 23:59", 0, False),
        ("2026-06-10 22:59", "2026-06-10 23:00", 23, True),
        ("2025-12-31 23:30", "2026-01-01 00:30", 0, True),
        ("2024-02-28 12:00", "2024-02-29 04:00", 4, True),
        # The night of 29 March 2026 has no hour from 2 to 3.
        ("2026-03-29 00:30", "2026-03-29 10:00", 1, True),
        ("2026-03-29 01:30", "2026-03-29 10:00", 1, False),
        ("2026-03-29 01:59", "2026-03-29 03:00", 2, True),
        ("2026-03-29 03:00", "2026-03-29 12:00", 2, False),
        ("2026-03-28 23:30", "2026-03-29 00:30", 1, False),
        ("2026-03-28 03:59", "2026-03-29 03:59", 4, True),
        ("2026-03-28 04:00", "2026-03-29 03:59", 4, False),
        # The night of 25 October 2026 has the hour from 2 to 3 twice.
        ("2026-10-25 00:30", "2026-10-25 10:00", 1, True),
        ("2026-10-25 01:30", "2026-10-25 10:00", 1, False),
        ("2026-10-25 03:59", "2026-10-25 04:00", 4, True),
        ("2026-10-24 04:00", "2026-10-25 03:59", 4, False),
    ],
)
def test_a_day_begins_at_its_hour_by_the_clock_on_the_wall(used: str, now: str, hour: int, is_over: bool) -> None:
    why = Freshness(daily_reset_hour=hour).staleness(now=at(now), used_at=at(used), turns=1)
    assert why == ("a new day" if is_over else None)


@pytest.mark.usefixtures("berlin")
def test_an_hour_that_comes_twice_begins_the_day_once() -> None:
    rule = Freshness(daily_reset_hour=2)
    first, second = at("2026-10-25 02:10"), at("2026-10-25 02:10", fold=1)
    assert second - first == HOUR_S
    assert rule.staleness(now=second, used_at=first, turns=1) is None
    assert rule.staleness(now=first, used_at=at("2026-10-25 01:59"), turns=1) == "a new day"


# --- in a session -----------------------------------------------------------------------------------------------------


class Slowpoke:
    """An agent whose turns take an hour by the clock that it is given."""

    def __init__(self, clock: Clock) -> None:
        self.info = ProviderInfo(id="slowpoke", name="Slowpoke", color="#000000")
        self._clock = clock

    @property
    def processes(self) -> int:
        return 0

    async def check(self) -> Availability:
        return Availability(available=True)

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:  # noqa: ARG002
        self._clock.now += HOUR_S
        yield TextDelta("done")
        yield Finished()

    async def forget(self, session: SessionKey) -> None: ...
    async def close(self) -> None: ...


class Clock:
    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        return self.now


async def labels_of(orchestrator: Orchestrator, text: str) -> list[str | None]:
    heard: list[LoggedEvent] = []
    end = await orchestrator.handle_message_streaming(KEY, text, heard.append)
    assert isinstance(end, Result)
    return [logged.event.label for logged in heard if isinstance(logged.event, SystemStatus)]


async def test_a_long_turn_is_no_pause(tmp_path: Path) -> None:
    clock = Clock()
    registry = ProviderRegistry([Slowpoke(clock)])
    await registry.refresh()
    storage = await open_storage(tmp_path / "sygen.db")
    orchestrator = orchestrator_alone(
        storage,
        registry,
        tmp_path,
        store=SessionStore(storage, clock=clock),
        default="slowpoke",
        freshness=Freshness(idle_timeout_minutes=30),
        clock=clock,
    )
    assert await labels_of(orchestrator, "one") == []
    clock.now += MINUTE_S
    assert await labels_of(orchestrator, "two") == [], "it was busy until a minute ago"
    clock.now += 31 * MINUTE_S
    assert await labels_of(orchestrator, "three") == ["new context: idle for over 30 minutes"]
    await orchestrator.drain(5)
    await storage.close()


async def test_a_context_that_is_over_begins_anew_says_so_and_keeps_the_history_also_after_a_restart(
    tmp_path: Path,
) -> None:
    paths = Paths(tmp_path / "home")
    overrides = {
        "api.host": "127.0.0.1",
        "api.port": 0,
        "api.drain_s": 0,
        "provider": "scripted",
        "session.max_messages": 3,
    }
    settings = load_settings(paths, overrides=overrides)
    answers, labels = [], []
    for texts in (["ECHO_HISTORY"] * 2, ["ECHO_HISTORY", "/help", "ECHO_HISTORY", "ECHO_HISTORY"]):
        async with running_gateway(settings, paths, token="t") as gateway:
            for text in texts:
                heard: list[LoggedEvent] = []
                end = await gateway.orchestrator.handle_message_streaming(KEY, text, heard.append)
                assert isinstance(end, Result)
                labels += [logged.event.label for logged in heard if isinstance(logged.event, SystemStatus)]
                if text != "/help":
                    answers.append(end.text)
            session = await gateway.orchestrator.open(KEY)
            assert session.log.cursor.seq > 0
    assert answers == [f"I remember {number} turns." for number in (0, 1, 2, 0, 1)]
    assert [label for label in labels if label and label.startswith("new")] == ["new context: 3 messages"]
