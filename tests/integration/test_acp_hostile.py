"""ACP agents that misbehave: each ends as an answer or as one clear sentence, never as a hang."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from sygen_bot.errors import AgentDied, ProviderFailed, ProviderUnavailable, TurnError
from sygen_bot.events import SystemStatus
from sygen_bot.providers.acp_profiles import custom_profile
from sygen_bot.providers.pool import STARTED_ANEW, TRYING_AGAIN
from sygen_bot.testing.contract import Approvals, Undecided
from tests.fakes.survivors import marked, until_marked
from tests.integration.acp_rig import acp_rig, hostile
from tests.integration.agent_rig import cancel, running, until


@pytest.mark.parametrize("manner", ["polite", "garbage", "long-line", "over-the-limit", "floods"])
async def test_what_makes_no_sense_is_passed_over(tmp_path: Path, manner: str) -> None:
    async with acp_rig(tmp_path, hostile(manner)) as rig:
        await rig.say("hello")
        assert rig.answer == "fine"
        await rig.say("hello again")
        assert rig.answer == "fine"


@pytest.mark.parametrize(
    ("manner", "kind", "hint"),
    [
        ("hangs", ProviderUnavailable, "did not start in time"),
        ("needs-login", ProviderUnavailable, "login"),
        ("dies-at-start", ProviderFailed, "twice"),
        ("dies-silent", ProviderFailed, "twice"),
        ("half-line", ProviderFailed, "twice"),
        ("dies-speaking", AgentDied, "ended unexpectedly"),
        ("from-the-future", ProviderFailed, "version"),
        ("never-asks", ProviderUnavailable, "without asking"),
    ],
)
async def test_what_cannot_go_on_is_told_in_one_sentence(
    tmp_path: Path, manner: str, kind: type[TurnError], hint: str
) -> None:
    timeout_s = 0.5 if manner == "hangs" else 10.0
    async with acp_rig(tmp_path, hostile(manner, start_timeout_s=timeout_s)) as rig:
        with pytest.raises(kind, match=hint) as failure:
            await rig.say("hello")
        assert "/" not in str(failure.value)
        assert marked(rig.mark) == set()
        assert (SystemStatus(TRYING_AGAIN) in rig.events) == ("twice" in hint)


@pytest.mark.parametrize(
    ("message", "kind", "hint"),
    [
        ("fail 401 API key not valid", ProviderUnavailable, "login"),
        ("fail -32000 Authentication required", ProviderUnavailable, "login"),
        ("fail 400 API key not valid. Please pass a valid API key.", ProviderUnavailable, "login"),
        ("fail 429 Rate limit exceeded", ProviderUnavailable, "usage limit"),
        ("fail -32603 got status: 503 Service Unavailable", ProviderUnavailable, "overloaded"),
        ("fail 404 models/x is not found", ProviderFailed, "model"),
        ("fail 500 /var/lib/secret broke", ProviderFailed, "error 500"),
        ("fail 500 fetch failed sending request", ProviderUnavailable, "cannot reach"),
        ("fail -32603 Internal error", ProviderFailed, "stopped"),
        ("stop refusal", ProviderFailed, "refused"),
        ("stop cancelled", ProviderFailed, "stopped"),
    ],
)
async def test_an_error_of_the_model_is_a_sentence_and_the_agent_stays(
    tmp_path: Path, message: str, kind: type[TurnError], hint: str
) -> None:
    async with acp_rig(tmp_path, hostile("polite")) as rig:
        with pytest.raises(TurnError, match=hint) as failure:
            await rig.say(message)
        assert type(failure.value) is kind
        assert "/" not in str(failure.value)
        (process,) = rig.agents()
        await rig.say("hello")
        assert rig.answer == "fine"
        assert rig.agents() == [process]


@pytest.mark.parametrize("reason", ["max_tokens", "max_turn_requests"])
async def test_an_answer_that_was_cut_off_says_so_at_its_end(tmp_path: Path, reason: str) -> None:
    async with acp_rig(tmp_path, hostile("polite")) as rig:
        await rig.say(f"say part of it\nstop {reason}")
        assert rig.answer.startswith("part of it\n\n(The answer ends here")
        await rig.say(f"stop {reason}")
        assert rig.answer.startswith("The answer ends here")


async def test_an_agent_that_does_not_hear_of_a_cancellation_is_ended(tmp_path: Path) -> None:
    async with acp_rig(tmp_path, hostile("deaf")) as rig:
        async with running(rig, "sing") as task:
            await cancel(task)
        assert marked(rig.mark) == set()


async def test_a_permission_that_would_last_is_not_given(tmp_path: Path) -> None:
    async with acp_rig(tmp_path, hostile("always-only")) as rig:
        await rig.say("do it", approve=Approvals("allow"))
        assert json.loads(rig.answer.removesuffix("fine")) == {"outcome": {"outcome": "cancelled"}}
        assert rig.tools[-1].is_error


@pytest.mark.parametrize(
    ("decision", "option", "is_error"), [("allow", "allow_once", False), ("deny", "reject_once", True)]
)
async def test_a_use_that_is_only_asked_for_is_shown_from_the_question(
    tmp_path: Path, decision: str, option: str, is_error: bool
) -> None:
    async with acp_rig(tmp_path, hostile("asks-at-once")) as rig:
        await rig.say("do it", approve=Approvals("allow" if decision == "allow" else "deny"))
        assert rig.answer == f"the-{option}fine"
        start, end = rig.tools
        assert (start.name, start.phase, start.input) == ("Bash", "start", {"command": "ls"})
        assert (end.phase, end.tool_id, end.is_error) == ("end", start.tool_id, is_error)


async def test_an_abort_answers_what_the_agent_has_asked_so_that_it_stays_warm(tmp_path: Path) -> None:
    async with acp_rig(tmp_path, hostile("asks-at-once")) as rig:
        undecided = Undecided()
        async with running(rig, "do it", approve=undecided) as task:
            async with asyncio.timeout(10):
                await undecided.asked.wait()
            before = rig.agents()
            await cancel(task)
        assert rig.agents() == before
        await rig.say("do it")
        assert rig.answer == "the-reject_oncefine"


async def test_the_cost_is_that_of_the_turn_alone(tmp_path: Path) -> None:
    async with acp_rig(tmp_path, hostile("costs")) as rig:
        for _ in range(2):
            await rig.say("hello")
            assert rig.finished.usage is not None
            assert rig.finished.usage.cost_usd == pytest.approx(0.5)


async def test_an_agent_that_changes_to_a_mode_without_questions_is_set_back(tmp_path: Path) -> None:
    async with acp_rig(tmp_path, hostile("mode-change")) as rig:
        await rig.say("hello")
        assert json.loads(rig.answer.removesuffix("fine")) == {"sessionId": "s1", "modeId": "default"}
        assert "mode: yolo" in rig.labels


async def test_a_conversation_that_cannot_be_loaded_is_told_to_the_agent(tmp_path: Path) -> None:
    async with acp_rig(tmp_path, hostile("echoes")) as rig:
        await rig.say("My name is Zebedee.")
        await rig.say("Say something short.")
        await rig.provider.close()
        rig.restart()
        await rig.say("What is my name?")
        assert STARTED_ANEW in rig.labels
        preface, message = rig.answer.removesuffix("fine").split("|")
        assert "User: My name is Zebedee.\n\nYou: My name is Zebedee.fine\n\nUser: Say something short." in preface
        assert "What is my name?" not in preface
        assert message == "What is my name?"
        await rig.say("And now?")
        assert rig.answer == "And now?fine"


async def test_an_idle_agent_is_ended_after_its_time(tmp_path: Path) -> None:
    async with acp_rig(tmp_path, hostile("polite")) as rig:
        rig.restart(idle_ttl_s=0.1)
        await rig.say("hello")
        assert await until_marked(rig.mark, 0, timeout_s=5) == set()
        await until(lambda: rig.provider.processes == 0)
        await rig.say("hello")
        assert rig.answer == "fine"


async def test_a_missing_program_is_unavailable(tmp_path: Path) -> None:
    async with acp_rig(tmp_path, custom_profile("gone", "Gone", (str(tmp_path / "nowhere"),))) as rig:
        check = await rig.provider.check()
        assert not check.available
        assert "not found" in check.reason
        async with asyncio.timeout(10):
            with pytest.raises(ProviderUnavailable, match="missing"):
                await rig.say("hello")
