"""The scripted provider: what each instruction makes it say and do, with real processes where it starts any."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from sygen_bot.errors import ProviderFailed
from sygen_bot.events import (
    ContextSaved,
    Finished,
    ProviderEvent,
    SystemStatus,
    TextDelta,
    ThinkingDelta,
    ToolActivity,
)
from sygen_bot.providers.base import Decision, ToolRequest, Turn
from sygen_bot.session.key import SessionKey
from sygen_bot.testing.contract import survivors
from sygen_bot.testing.scripted import MARKER_VARIABLE, ScriptedProvider

KEY = SessionKey("api", 1, None)


class Asked:
    """An approver that remembers what it was asked."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.requests: list[ToolRequest] = []

    async def __call__(self, request: ToolRequest) -> Decision:
        self.requests.append(request)
        return self.decision


@pytest.fixture
def marker() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def provider(tmp_path: Path, marker: str) -> ScriptedProvider:
    return ScriptedProvider(run_dir=tmp_path / "run", marker=marker)


@pytest.fixture
def turn(tmp_path: Path) -> Callable[..., Turn]:
    def make(text: str, *, resume_token: str | None = None, decision: Decision | Asked = "deny") -> Turn:
        return Turn(
            session=KEY,
            turn_id="t1",
            text=text,
            model=None,
            resume_token=resume_token,
            workspace=tmp_path,
            system_prompt=None,
            approve=decision if isinstance(decision, Asked) else Asked(decision),
        )

    return make


async def all_of(provider: ScriptedProvider, turn: Turn) -> list[ProviderEvent]:
    async with asyncio.timeout(30):
        return [event async for event in provider.run(turn)]


def text_of(events: list[ProviderEvent]) -> str:
    return "".join(event.data for event in events if isinstance(event, TextDelta))


async def answer(provider: ScriptedProvider, turn: Turn) -> str:
    return text_of(await all_of(provider, turn))


async def test_a_message_without_instructions_is_repeated(
    provider: ScriptedProvider, turn: Callable[..., Turn]
) -> None:
    assert await answer(provider, turn("how are  you?\nwell")) == "You said: how are  you?\nwell"


async def test_say_streams_word_by_word(provider: ScriptedProvider, turn: Callable[..., Turn]) -> None:
    events = await all_of(provider, turn("SAY one two three"))
    assert [event.data for event in events if isinstance(event, TextDelta)] == ["one ", "two ", "three"]
    assert isinstance(events[-1], Finished)
    assert events[-1].text is None


async def test_instructions_run_in_order_each_on_a_line_of_its_own(
    provider: ScriptedProvider, turn: Callable[..., Turn]
) -> None:
    assert await answer(provider, turn("SAY a b\nSLOW 2 0\nFILE /tmp/x.png")) == "a b\nw0 w1 \n<file:/tmp/x.png>"


async def test_slow_keeps_its_words_apart(provider: ScriptedProvider, turn: Callable[..., Turn]) -> None:
    start = time.monotonic()
    assert await answer(provider, turn("SLOW 5 0.05")) == "w0 w1 w2 w3 w4 "
    assert 0.2 <= time.monotonic() - start < 10


@pytest.mark.parametrize("instruction", ["BURST", "TICK"])
async def test_fillers_are_n_deltas_of_forty_characters(
    provider: ScriptedProvider, turn: Callable[..., Turn], instruction: str
) -> None:
    events = await all_of(provider, turn(f"{instruction} 100\n{instruction} 1"))
    assert [len(event.data) for event in events if isinstance(event, TextDelta)] == [40] * 101


@pytest.mark.parametrize(("instruction", "others_run"), [("BURST", False), ("TICK", True)])
async def test_only_tick_lets_others_run_between_its_deltas(
    provider: ScriptedProvider, turn: Callable[..., Turn], instruction: str, others_run: bool
) -> None:
    passes = 0

    async def count_passes() -> None:
        nonlocal passes
        while True:
            passes += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count_passes())
    seen = [passes async for event in provider.run(turn(f"{instruction} 50")) if isinstance(event, TextDelta)]
    other.cancel()
    assert (len(set(seen)) >= 50) == others_run
    assert (len(set(seen)) == 1) != others_run


async def test_thinking_and_status_are_no_part_of_the_answer(
    provider: ScriptedProvider, turn: Callable[..., Turn]
) -> None:
    events = await all_of(provider, turn("THINK let me see\nSTATUS compacting\nSTATUS"))
    assert ThinkingDelta("let me see") in events
    assert [event.label for event in events if isinstance(event, SystemStatus)] == ["compacting", None]
    assert text_of(events) == ""


async def test_tool_starts_and_ends_one_activity(provider: ScriptedProvider, turn: Callable[..., Turn]) -> None:
    events = await all_of(provider, turn('TOOL Read {"path": "a"}\nTOOL Read'))
    activities = [event for event in events if isinstance(event, ToolActivity)]
    assert [(activity.name, activity.phase) for activity in activities] == [("Read", "start"), ("Read", "end")] * 2
    assert activities[0].input == {"path": "a"}
    assert activities[0].tool_id == activities[1].tool_id != activities[2].tool_id


@pytest.mark.parametrize(("tool", "read_only"), [("Bash", False), ("Read", True), ("Glob", True), ("Grep", True)])
@pytest.mark.parametrize(("decision", "said"), [("allow", "allowed"), ("deny", "denied")])
async def test_ask_says_what_the_approver_decided(
    provider: ScriptedProvider,
    turn: Callable[..., Turn],
    tool: str,
    read_only: bool,
    decision: Decision,
    said: str,
) -> None:
    asked = Asked(decision)
    assert await answer(provider, turn(f'ASK {tool} {{"x": 1}}', decision=asked)) == said
    assert asked.requests == [ToolRequest(tool=tool, input={"x": 1}, read_only=read_only)]


async def test_nostream_gives_the_text_only_with_the_end(provider: ScriptedProvider, turn: Callable[..., Turn]) -> None:
    events = await all_of(provider, turn("SAY before\nNOSTREAM all at once"))
    assert text_of(events) == ""
    assert isinstance(events[-1], Finished)
    assert events[-1].text == "before\nall at once"


async def test_history_is_counted_in_the_resume_token(provider: ScriptedProvider, turn: Callable[..., Turn]) -> None:
    token: str | None = None
    for remembered in range(3):
        events = await all_of(provider, turn("ECHO_HISTORY", resume_token=token))
        assert text_of(events) == f"I remember {remembered} turns."
        (token,) = (event.resume_token for event in events if isinstance(event, ContextSaved))
    assert token == '{"turns":3}'


async def test_a_token_of_somebody_else_is_a_new_context(provider: ScriptedProvider, turn: Callable[..., Turn]) -> None:
    assert await answer(provider, turn("ECHO_HISTORY", resume_token="{")) == "I remember 0 turns."


async def test_a_turn_is_remembered_as_soon_as_it_begins(provider: ScriptedProvider, turn: Callable[..., Turn]) -> None:
    events = await all_of(provider, turn("SAY a"))
    assert isinstance(events[0], ContextSaved)


async def test_fail_raises_what_no_provider_should(provider: ScriptedProvider, turn: Callable[..., Turn]) -> None:
    with pytest.raises(RuntimeError, match=r"^out of luck$"):
        await all_of(provider, turn("SAY a\nFAIL out of luck"))


async def test_what_is_out_of_bounds_is_said_and_the_rest_still_runs(
    provider: ScriptedProvider, turn: Callable[..., Turn]
) -> None:
    said = await answer(provider, turn("SLOW 5 1e9\nSAY after"))
    assert said == "SLOW: seconds is a number from 0 to 60\nafter"


@pytest.mark.parametrize("instruction", ["SPAWN", "SPAWN_DETACHED"])
async def test_children_run_during_the_turn_and_end_with_it(
    provider: ScriptedProvider, turn: Callable[..., Turn], marker: str, instruction: str
) -> None:
    said = ""
    during: set[int] = set()
    async with asyncio.timeout(30):
        async for event in provider.run(turn(f"{instruction} 60\nSAY now")):
            if isinstance(event, TextDelta):
                said += event.data
                if event.data == "\nnow":
                    # A program that has just begun shows no environment for a moment.
                    async with asyncio.timeout(5):
                        while len(during := survivors(MARKER_VARIABLE, marker)) < 3:  # noqa: ASYNC110 - nothing tells
                            await asyncio.sleep(0.01)
    pids = re.fullmatch(r"child (\d+) grandchild (\d+)\s+now", said)
    assert pids is not None
    assert {int(pids[1]), int(pids[2])} <= during
    assert survivors(MARKER_VARIABLE, marker) == set()


@pytest.mark.parametrize("instruction", ["SPAWN", "SPAWN_DETACHED"])
@pytest.mark.parametrize("how", ["cancel", "close"])
async def test_stopping_in_the_middle_ends_the_children(
    provider: ScriptedProvider, turn: Callable[..., Turn], marker: str, instruction: str, how: str
) -> None:
    events = provider.run(turn(f"{instruction} 60\nSLOW 1000 0.02"))
    speaking = asyncio.Event()

    async def listen() -> None:
        async for event in events:
            if isinstance(event, TextDelta) and event.data.startswith("w1"):
                speaking.set()
                if how == "close":
                    return

    task = asyncio.create_task(listen())
    async with asyncio.timeout(20):
        await speaking.wait()
        while len(survivors(MARKER_VARIABLE, marker)) < 3:  # noqa: ASYNC110 - guard, child and grandchild; nothing tells
            await asyncio.sleep(0.01)
        start = time.monotonic()
        if how == "cancel":
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await events.aclose()
    assert time.monotonic() - start < 15
    assert task.cancelled() == (how == "cancel")
    assert survivors(MARKER_VARIABLE, marker) == set()


async def test_a_failing_turn_ends_its_children(
    provider: ScriptedProvider, turn: Callable[..., Turn], marker: str
) -> None:
    with pytest.raises(RuntimeError, match="boom"):
        await all_of(provider, turn("SPAWN 60\nFAIL boom"))
    assert survivors(MARKER_VARIABLE, marker) == set()


async def test_a_child_that_cannot_start_is_one_clear_failure(provider: ScriptedProvider, tmp_path: Path) -> None:
    guarded = tmp_path / "run"
    guarded.write_text("a file where the directory should be")
    turn = Turn(
        session=KEY,
        turn_id="t1",
        text="SPAWN 60",
        model=None,
        resume_token=None,
        workspace=tmp_path,
        system_prompt=None,
        approve=Asked("deny"),
    )
    with pytest.raises(ProviderFailed, match="did not start"):
        await all_of(provider, turn)
