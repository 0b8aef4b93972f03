"""Turns with an OpenAI-compatible endpoint, through the official client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Literal

import pytest

from sygen_bot.errors import ProviderFailed, ProviderUnavailable, TurnError
from sygen_bot.events import Finished, TextDelta, Usage
from tests.fakes.openai_chat import Fault
from tests.providers.openai_rig import KEY, SESSION, Rig, openai_rig


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with openai_rig() as rig:
        yield rig


async def test_an_answer_comes_in_words_with_its_usage_and_its_model(rig: Rig) -> None:
    await rig.say("SAY the sea is wide", system_prompt="Be brief.")
    assert [event.data for event in rig.events if isinstance(event, TextDelta)] == ["the ", "sea ", "is ", "wide"]
    assert rig.finished == Finished(usage=Usage(input_tokens=rig.asked.tokens, output_tokens=4), model="fake-large")
    assert rig.asked.messages == [("system", "Be brief."), ("user", "SAY the sea is wide")]
    assert rig.provider.processes == 0


async def test_a_model_is_asked_for_by_name(rig: Rig) -> None:
    await rig.say("SAY small", model="fake-small")
    assert (rig.asked.body["model"], rig.finished.model) == ("fake-small", "fake-small")
    await rig.restart(models=("fake-small", "fake-large"))
    await rig.say("SAY small again")
    assert rig.asked.body["model"] == "fake-small"


async def test_the_conversation_is_sent_again_and_outlives_the_provider(rig: Rig) -> None:
    await rig.say("SAY one")
    await rig.restart()
    await rig.say("SAY two")
    assert rig.asked.messages == [("user", "SAY one"), ("assistant", "one"), ("user", "SAY two")]


@pytest.mark.parametrize("token", ["", "{}", "no json", '[{"role": "user"}]', "\ud800"])
async def test_a_damaged_token_is_a_new_conversation(rig: Rig, token: str) -> None:
    rig.token = token
    await rig.say("ECHO_HISTORY")
    assert rig.answer == "1 turns"


@pytest.mark.parametrize("how", ["reasoning_content", "reasoning", "tags"])
async def test_reasoning_is_shown_but_is_no_part_of_the_answer(
    rig: Rig, how: Literal["reasoning_content", "reasoning", "tags"]
) -> None:
    rig.api.reasoning = how
    await rig.say("THINK hard and long\nSAY done")
    assert (rig.thoughts, rig.answer) == ("hard and long", "done")
    assert rig.labels == ["thinking", None]
    assert rig.token is not None
    assert [message["content"] for message in json.loads(rig.token)] == ["THINK hard and long\nSAY done", "done"]


async def test_an_aborted_turn_is_remembered_with_what_was_said(rig: Rig) -> None:
    await rig.say("SLOW 1000 0.01", until=lambda event: isinstance(event, TextDelta) and event.data == "w2 ")
    gone = await rig.api.until_disconnected(timeout_s=1)
    assert gone.messages == [("user", "SLOW 1000 0.01")]
    await rig.say("SAY again")
    assert rig.asked.messages == [("user", "SLOW 1000 0.01"), ("assistant", "w0 w1 w2 "), ("user", "SAY again")]


async def test_a_turn_that_was_aborted_before_a_word_is_told_together_with_the_next(rig: Rig) -> None:
    rig.api.faults.append("hang")
    turn = asyncio.create_task(rig.say("what I said first"))
    await rig.api.until(lambda: bool(rig.api.chats))
    turn.cancel()
    await asyncio.wait({turn}, timeout=5)
    assert turn.cancelled()
    await rig.api.until_disconnected(timeout_s=1)
    await rig.say("SAY hello")
    assert rig.asked.messages == [("user", "what I said first\n\nSAY hello")]


async def test_a_forgotten_session_does_not_get_its_broken_answer_back(rig: Rig) -> None:
    await rig.say("SLOW 1000 0.01", until=lambda event: isinstance(event, TextDelta))
    await rig.provider.forget(SESSION)
    await rig.say("SAY again")
    assert rig.asked.messages == [("user", "SLOW 1000 0.01\n\nSAY again")]


@pytest.mark.parametrize(
    ("script", "kind", "sentence"),
    [
        ("FAIL 400 bad words", ProviderFailed, "Endpoint refuses the message with the error 400: bad words."),
        ("FAIL 402 pay!", ProviderUnavailable, "Endpoint wants to be paid first: pay!"),
        ("FAIL 403 not yours", ProviderUnavailable, "does not allow this: not yours."),
        ("FAIL 404 no such deployment", ProviderUnavailable, "Check providers.openai.base_url"),
        ("FAIL 429 slow down", ProviderUnavailable, "Endpoint gets too many requests. Try again in 17 s."),
        ("FAIL 500 out of memory", ProviderUnavailable, "the error 500: out of memory. Try again later."),
        ("FAIL 503 busy", ProviderUnavailable, "Endpoint is overloaded. Try again in 17 s."),
        ("SAY a\nFAIL 500 the GPU is gone", ProviderUnavailable, "the error 500: the GPU is gone."),
        ("SAY a\nFAIL 7 odd", ProviderFailed, "Endpoint stopped with an error: odd."),
    ],
)
async def test_an_error_is_a_sentence(rig: Rig, script: str, kind: type[TurnError], sentence: str) -> None:
    rig.api.retry_after = "17"
    with pytest.raises(kind) as raised:
        await rig.say(script)
    assert sentence in str(raised.value)
    is_worth_another_try = script.startswith("FAIL 5")
    assert len(rig.api.chats) == 1 + is_worth_another_try
    await rig.say("SAY still here")
    assert rig.answer == "still here"


async def test_an_account_without_quota_is_told_from_too_many_requests(rig: Rig) -> None:
    rig.api.error = {"code": "insufficient_quota"}
    with pytest.raises(ProviderUnavailable, match="no quota left"):
        await rig.say("FAIL 429 no")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("html", "the error 502. Try again later."),
        ("html_stream", "does not speak the chat API of OpenAI. Check providers.openai.base_url"),
        ("redirect", "Correct providers.openai.base_url."),
        ("drip", "the error 500: xxx"),
        ("drop", "breaks off before it has said anything"),
        ("endless", "does not speak the chat API"),
    ],
)
async def test_what_is_no_answer_at_all_is_a_sentence(rig: Rig, fault: Fault, sentence: str) -> None:
    rig.api.faults.extend([fault] * 2)
    with pytest.raises(ProviderUnavailable) as raised:
        await rig.say("SAY hello")
    assert sentence in str(raised.value)
    assert len(str(raised.value)) < 500
    rig.api.faults.clear()
    await rig.say("SAY still here")
    assert rig.answer == "still here"


@pytest.mark.parametrize("fault", ["html", "drop"])
async def test_what_goes_wrong_once_before_a_word_nobody_notices(rig: Rig, fault: Fault) -> None:
    rig.api.faults.append(fault)
    await rig.say("SAY hello")
    assert rig.answer == "hello"


async def test_an_answer_that_is_cut_off_is_an_error_and_is_remembered(rig: Rig) -> None:
    rig.api.faults.append("cut")
    with pytest.raises(ProviderFailed, match="broke off in the middle of its answer"):
        await rig.say("SAY one two")
    assert rig.answer == "one two"
    await rig.say("SAY three")
    assert rig.asked.messages[1] == ("assistant", "one two")


async def test_an_endpoint_that_falls_silent_is_not_waited_for(rig: Rig) -> None:
    await rig.restart(silence_timeout_s=0.2)
    rig.api.faults.append("hang")
    with pytest.raises(ProviderFailed, match="said nothing for too long"):
        await rig.say("SAY hello")
    await rig.api.until_disconnected(timeout_s=1)
    with pytest.raises(ProviderFailed, match="said nothing for too long"):
        await rig.say("SAY one two\nSLOW 2 30")
    assert rig.answer.startswith("one two")


async def test_an_endpoint_that_ends_between_two_turns_is_unreachable_until_it_is_back(rig: Rig) -> None:
    await rig.say("SAY one")
    port = int(rig.api.url.rpartition(":")[2])
    await rig.api.stop()
    with pytest.raises(ProviderUnavailable, match=r"Endpoint does not answer at http://127\.0\.0\.1:\d+\. Start it"):
        await rig.say("SAY two")
    await rig.api.listen(port)
    await rig.say("ECHO_HISTORY")
    assert rig.answer == "2 turns"  # the unanswered one and this are one message


async def test_nonsense_between_the_words_is_passed_over(rig: Rig) -> None:
    rig.api.faults.append("garbage")
    await rig.say("SAY one two three")
    assert rig.answer == "one two three\ufffd"
    assert rig.finished.usage is not None


async def test_the_end_of_an_answer_may_be_told_by_its_reason_alone(rig: Rig) -> None:
    rig.api.faults.append("no_done")
    await rig.say("SAY one two")
    assert (rig.answer, rig.finished.usage) == ("one two", None)


async def test_an_endpoint_that_does_not_stream_answers_all_the_same(rig: Rig) -> None:
    rig.api.faults.append("whole")
    await rig.say("SAY one two")
    assert (rig.answer, rig.finished.usage) == ("one two", Usage(input_tokens=2, output_tokens=1))


async def test_an_endpoint_that_does_not_know_a_field_is_asked_without_it(rig: Rig) -> None:
    rig.api.refuses_fields = "stream_options"
    await rig.say("SAY one two")
    await rig.say("SAY three")
    assert (rig.answer, len(rig.api.chats)) == ("three", 3)


async def test_an_answer_without_end_shows_that_it_is_not_whole(rig: Rig) -> None:
    rig.api.finish_reason = "length"
    await rig.say("SAY one two")
    assert rig.answer == "one two …"
    await rig.say("SAY three")
    assert rig.asked.messages[1] == ("assistant", "one two")


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [("stop", "has no answer to this"), ("length", "longest answer"), ("content_filter", "content filter")],
)
async def test_a_model_that_says_nothing_is_an_error(rig: Rig, reason: str, sentence: str) -> None:
    rig.api.finish_reason = reason
    with pytest.raises(ProviderFailed, match=sentence):
        await rig.say("THINK hm")
    assert rig.thoughts == "hm"


async def test_a_model_that_asks_for_a_tool_is_told_about_and_the_turn_ends(rig: Rig) -> None:
    await rig.say('SAY let me see\nTOOL Bash {"command": "ls"}')
    assert rig.labels == ["asked for Bash, which it does not have here"]
    assert rig.answer == "let me see"
    await rig.say('TOOL Bash {"command": "ls"}')
    assert rig.answer == ""
    assert rig.finished.usage is not None


async def test_an_unknown_model_is_said_to_be_unknown_and_the_list_is_read_again(rig: Rig) -> None:
    with pytest.raises(ProviderUnavailable, match=r"Endpoint has no model gone\. `/model` lists"):
        await rig.say("SAY hello", model="gone")
    rig.api.models = [{"id": "new"}]
    assert (await rig.provider.check()).models == ("new",)
    await rig.say("SAY hello")
    assert rig.asked.body["model"] == "new"


async def test_a_message_that_is_refused_is_not_remembered(rig: Rig) -> None:
    await rig.say("SAY one")
    with pytest.raises(ProviderFailed):
        await rig.say("FAIL 400 bad words")
    await rig.say("SAY two")
    assert rig.asked.messages == [("user", "SAY one"), ("assistant", "one"), ("user", "SAY two")]


async def test_a_key_is_sent_and_a_wrong_one_is_not_repeated(rig: Rig) -> None:
    rig.api.key = KEY
    await rig.restart(api_key=KEY)
    await rig.say("SAY hello")
    await rig.restart(api_key="sk-wrong", models=("fake-large",))
    with pytest.raises(ProviderUnavailable) as raised:
        await rig.say("SAY hello")
    assert str(raised.value).startswith("Endpoint does not accept the API key. Set providers.openai.api_key_env")
    assert "sk-wrong" not in str(raised.value)
    await rig.restart(models=("fake-large",))
    with pytest.raises(ProviderUnavailable, match="wants an API key"):
        await rig.say("SAY hello")


async def test_a_secret_that_the_endpoint_repeats_is_hidden(rig: Rig) -> None:
    await rig.restart(api_key=KEY, headers={"X-Gate": "open-sesame"})
    with pytest.raises(ProviderFailed) as raised:
        await rig.say(f"FAIL 400 {KEY} and open-sesame are not for you")
    assert "400: *** and *** are not for you." in str(raised.value)


async def test_only_what_was_configured_is_sent(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "for OpenAI only")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Spy: for OpenAI only\nAuthorization: Bearer for OpenAI only")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    await rig.restart(headers={"X-Gate": "open"})
    await rig.say("SAY hello")
    for request in rig.api.requests:
        assert request.headers["x-gate"] == "open"
        assert "for OpenAI only" not in str(request.headers)
        assert not [name for name in request.headers if name.startswith("x-stainless")]
        assert "authorization" not in request.headers
    await rig.restart(headers={"authorization": "Token of my own"}, api_key=KEY)
    await rig.say("SAY hello")
    assert [request.headers["authorization"] for request in rig.api.requests[-2:]] == ["Token of my own"] * 2
