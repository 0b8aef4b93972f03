"""The queue of one session: one turn at a time, in order, bounded, and free again after every stop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest

from sygen_bot.errors import QueueFull
from sygen_bot.events import Result, TextDelta
from sygen_bot.orchestrator.queue import REAP_LIMIT_S, SessionQueue, TurnJob
from sygen_bot.session.log import LoggedEvent, SessionLog


class Session:
    """A queue whose turns say their text, then wait until they are let go; `stubborn` ones ignore being cancelled."""

    def __init__(self, *, limit: int = 8) -> None:
        self.log = SessionLog()
        self.queue = SessionQueue(self._run, limit=limit)
        self.started: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.cleaned_up: dict[str, asyncio.Event] = {}
        self.heard: list[LoggedEvent] = []
        self._began: dict[str, asyncio.Event] = {}
        self.log.subscribe(self.heard.append)

    def put(self, text: str) -> TurnJob:
        job = TurnJob(turn_id=text, text=text, log=self.log, accepted_at=0.0)
        self.queue.put(job)
        return job

    async def running(self, text: str) -> None:
        """Returns when that turn has begun."""
        if text not in self.started:
            began = self._began[text] = asyncio.Event()
            await asyncio.wait_for(began.wait(), 5)

    def ends(self) -> list[tuple[str, Result]]:
        return [(logged.turn_id, logged.event) for logged in self.heard if isinstance(logged.event, Result)]

    async def _run(self, job: TurnJob) -> None:
        gate = self.gates.setdefault(job.turn_id, asyncio.Event())
        self.started.append(job.text)
        if began := self._began.get(job.text):
            began.set()
        self.log.append(job.turn_id, TextDelta(f"so far {job.text}"))
        try:
            await gate.wait()
        except asyncio.CancelledError:
            if clean := self.cleaned_up.get(job.turn_id):
                with suppress(asyncio.CancelledError):
                    await clean.wait()
            raise
        job.end(Result(f"end of {job.text}"))


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward."""

    skipped_s = 0.0

    def time(self) -> float:
        return super().time() + self.skipped_s


def run_with_skipping_clock(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        runner.run(main)


def skip(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SkippingLoop)
    loop.skipped_s += seconds


async def test_turns_run_one_at_a_time_in_the_order_they_came() -> None:
    session = Session()
    jobs = [session.put(text) for text in "abc"]
    for text, job in zip("abc", jobs, strict=True):
        await session.running(text)
        assert session.started[-1] == text
        assert not job.has_ended
        session.gates[text].set()
        assert await job.done == Result(f"end of {text}")
    await session.queue.idle()
    assert session.started == ["a", "b", "c"]
    assert session.queue.is_idle


async def test_a_full_queue_refuses_and_takes_again_when_a_turn_has_ended() -> None:
    session = Session(limit=2)
    first = session.put("a")
    session.put("b")
    with pytest.raises(QueueFull):
        session.put("c")
    await session.running("a")
    session.gates["a"].set()
    await first.done
    session.put("c")
    assert [job.text for job in session.queue.unfinished()] == ["b", "c"]
    session.queue.stop_all("abort")
    await session.queue.idle()


async def test_stopping_ends_running_and_waiting_turns_at_once_with_what_they_said() -> None:
    session = Session()
    for text in "abc":
        session.put(text)
    await session.running("a")
    assert session.queue.stop_all("abort") == 3
    assert session.ends() == [
        ("a", Result("so far a", aborted=True, reason="abort")),
        ("b", Result("", aborted=True, reason="abort")),
        ("c", Result("", aborted=True, reason="abort")),
    ]
    assert session.queue.stop_all("abort") == 0
    await session.queue.idle()
    assert session.started == ["a"]


async def test_a_turn_that_was_stopped_before_its_first_step_says_nothing() -> None:
    session = Session()
    job = session.put("a")
    assert session.queue.stop_all("shutdown") == 1
    assert await job.done == Result("", aborted=True, reason="shutdown")
    await session.queue.idle()
    assert session.started == []


async def test_a_turn_ends_only_once() -> None:
    session = Session()
    job = session.put("a")
    await session.running("a")
    job.end(Result("first"))
    job.end(Result("second"))
    job.stop("abort")
    assert await job.done == Result("first")
    assert session.ends() == [("a", Result("first"))]
    await session.queue.idle()


async def test_the_next_turn_waits_until_the_stopped_one_has_cleaned_up() -> None:
    session = Session()
    cleaned_up = session.cleaned_up["a"] = asyncio.Event()
    session.put("a")
    await session.running("a")
    session.queue.stop_all("abort")
    after = session.put("b")  # accepted at once, though the old agent still winds down
    for _ in range(10):
        await asyncio.sleep(0)
    assert session.started == ["a"]
    assert not session.queue.is_idle
    cleaned_up.set()
    await session.running("b")
    session.gates["b"].set()
    assert await after.done == Result("end of b")


async def test_stopping_again_while_the_stopped_one_cleans_up_covers_only_what_came_since() -> None:
    session = Session()
    cleaned_up = session.cleaned_up["a"] = asyncio.Event()
    session.put("a")
    await session.running("a")
    assert session.queue.stop_all("abort") == 1
    session.put("b")
    assert session.queue.stop_all("abort") == 1
    assert [turn for turn, _ in session.ends()] == ["a", "b"]
    cleaned_up.set()
    await session.queue.idle()
    assert session.started == ["a"]


async def test_a_turn_that_crashes_lets_the_next_one_run() -> None:
    started: list[str] = []

    async def crash(job: TurnJob) -> None:
        started.append(job.text)
        job.end(Result(job.text))
        if job.text == "a":
            raise asyncio.CancelledError

    queue, log = SessionQueue(crash, limit=4), SessionLog()
    for text in "ab":
        queue.put(TurnJob(turn_id=text, text=text, log=log, accepted_at=0.0))
    await queue.idle()
    assert started == ["a", "b"]


def test_a_turn_that_never_cleans_up_does_not_block_its_session_for_ever() -> None:
    async def main() -> None:
        session = Session()
        never = session.cleaned_up["a"] = asyncio.Event()
        session.put("a")
        await session.running("a")
        session.queue.stop_all("abort")
        session.put("b")
        await asyncio.sleep(0)
        assert session.started == ["a"]
        skip(REAP_LIMIT_S + 0.1)
        await session.running("b")
        assert not session.queue.is_idle
        never.set()
        session.gates["b"].set()
        await session.queue.idle()

    run_with_skipping_clock(main())


@pytest.mark.parametrize("reason", ["timeout", "answer_too_large"])
def test_a_turn_that_was_stopped_by_itself_does_not_block_its_session_for_ever_either(reason: Any) -> None:
    async def main() -> None:
        session = Session()
        never = session.cleaned_up["a"] = asyncio.Event()
        job = session.put("a")
        await session.running("a")
        job.stop(reason)
        session.put("b")
        await asyncio.sleep(0)
        skip(REAP_LIMIT_S + 0.1)
        await session.running("b")
        never.set()
        session.gates["b"].set()
        await session.queue.idle()

    run_with_skipping_clock(main())
