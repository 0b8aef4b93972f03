"""What the local provider promises beyond the contract, shown with the real model in its real process."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from sygen_bot.errors import ProviderFailed, ProviderUnavailable
from sygen_bot.events import ContextSaved, Finished, ProviderEvent, SystemStatus, TextDelta, Usage
from sygen_bot.providers.base import Decision, ToolRequest, Turn
from sygen_bot.providers.local import MODEL, LocalProvider
from sygen_bot.providers.local_worker import PARALLEL
from sygen_bot.session.key import SessionKey
from sygen_bot.testing.contract import survivors
from tests.fakes.survivors import is_at_rest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]  # the first of them may have to download the model

STORY = "Write a very long story about the sea. Do not stop before you have written a thousand words."
TURN_TIMEOUT_S = 60.0


@pytest.fixture
async def local(tmp_path: Path, weights: Path) -> AsyncIterator[LocalProvider]:
    provider = LocalProvider(run_dir=tmp_path / "run", weights=weights, env={"AGENT_MARKER": str(tmp_path)})
    yield provider
    await provider.close()
    assert survivors("AGENT_MARKER", str(tmp_path)) == set()


def worker_of(tmp_path: Path) -> psutil.Process:
    """The process that holds the model."""
    processes = [psutil.Process(pid) for pid in survivors("AGENT_MARKER", str(tmp_path))]
    [worker] = [process for process in processes if any("local_worker" in word for word in process.cmdline()[:3])]
    return worker


async def deny(_request: ToolRequest) -> Decision:
    return "deny"


def turn(
    text: str, *, token: str | None = None, session: int = 1, model: str | None = None, system_prompt: str | None = None
) -> Turn:
    return Turn(
        session=SessionKey("api", session, None),
        turn_id="turn",
        text=text,
        model=model,
        resume_token=token,
        workspace=Path("/"),
        system_prompt=system_prompt,
        approve=deny,
    )


@dataclass
class Heard:
    events: list[ProviderEvent] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(event.data for event in self.events if isinstance(event, TextDelta))

    @property
    def labels(self) -> list[str | None]:
        return [event.label for event in self.events if isinstance(event, SystemStatus)]

    @property
    def tokens(self) -> list[str]:
        return [event.resume_token for event in self.events if isinstance(event, ContextSaved)]

    @property
    def remembered(self) -> list[tuple[str, str]]:
        return [(message["role"], message["content"]) for message in json.loads(self.tokens[-1])]

    @property
    def usage(self) -> Usage:
        [usage] = [event.usage for event in self.events if isinstance(event, Finished)]
        assert usage is not None
        return usage


async def hear(provider: LocalProvider, wanted: Turn, heard: Heard | None = None) -> Heard:
    """A whole turn. `heard`, if given, is filled meanwhile."""
    heard = heard or Heard()
    async with asyncio.timeout(TURN_TIMEOUT_S), aclosing(provider.run(wanted)) as events:
        async for event in events:
            heard.events.append(event)
    return heard


async def hear_until(events: AsyncIterator[ProviderEvent], wanted: type[TextDelta | Finished] | SystemStatus) -> None:
    async with asyncio.timeout(TURN_TIMEOUT_S):
        async for event in events:
            if event == wanted or (isinstance(wanted, type) and isinstance(event, wanted)):
                return
    raise AssertionError(f"{wanted} did not come")


async def until(holds: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def history(*contents: str) -> str:
    """A resume token as an earlier turn would have left it."""
    roles = ("user", "assistant")
    return json.dumps([{"role": roles[index % 2], "content": content} for index, content in enumerate(contents)])


# ---- Answers


async def test_hello_is_answered_in_a_sentence_that_streams(local: LocalProvider) -> None:
    heard = await hear(local, turn("hello"))
    assert any(word in heard.text.lower() for word in ("hello", "hi", "help", "assist"))
    assert heard.text.rstrip()[-1] in ".!?…"
    assert sum(isinstance(event, TextDelta) for event in heard.events) > 3
    assert heard.labels == ["loading the model", None]
    assert heard.usage.output_tokens > 3
    assert heard.events[-1] == Finished(usage=heard.usage, model=MODEL)


async def test_characters_that_are_several_tokens_arrive_whole(local: LocalProvider) -> None:
    heard = await hear(local, turn("Zebra!", token=history(*["Zebra!", "🦓🦓🦓"] * 5)))
    assert not heard.text.isascii()
    assert heard.usage.output_tokens > 2 * len(heard.text)
    assert "\ufffd" not in heard.text


async def test_a_turn_sees_the_turns_before_it(local: LocalProvider) -> None:
    first = await hear(local, turn("hello"))
    second = await hear(local, turn("What is the capital of France?", token=first.tokens[-1]))
    assert second.remembered[:3] == [*first.remembered, ("user", "What is the capital of France?")]
    assert [role for role, _ in second.remembered] == ["user", "assistant"] * 2
    assert second.usage.input_tokens > first.usage.input_tokens + first.usage.output_tokens


async def test_a_message_is_remembered_before_it_is_answered(local: LocalProvider) -> None:
    async with aclosing(local.run(turn("hello"))) as events:
        first = await anext(events)
    assert first == ContextSaved('[{"role":"user","content":"hello"}]')


async def test_an_answer_that_was_broken_off_is_remembered_until_the_session_is_let_go_of(local: LocalProvider) -> None:
    question = "What is the capital of France?"
    for is_forgotten in (False, True):
        cut_off = Heard()
        async with aclosing(local.run(turn(STORY))) as events:
            while len(cut_off.text) < 40:
                cut_off.events.append(await anext(events))
        if is_forgotten:
            await local.forget(SessionKey("api", 1, None))
        heard = await hear(local, turn(question, token=cut_off.tokens[-1]))
        answer = [] if is_forgotten else [("assistant", cut_off.text)]
        assert heard.remembered[:-1] == [("user", STORY), *answer, ("user", question)]


async def test_the_agents_own_instructions_replace_the_usual_ones_and_are_not_stored(local: LocalProvider) -> None:
    usual = await hear(local, turn("hello"))
    own = await hear(local, turn("hello", system_prompt="You are an AI."))
    assert own.usage.input_tokens < usual.usage.input_tokens
    assert [role for role, _ in own.remembered] == ["user", "assistant"]
    with pytest.raises(ProviderFailed, match="its instructions included"):
        await hear(local, turn("hello", system_prompt="You are the sea. " * 500))


async def test_a_damaged_resume_token_counts_as_none(local: LocalProvider) -> None:
    for token in ("", "not json", "{}", "[1]", '[{"role":"robot","content":"x"}]', "[" * 10_000, '[{"role":"user"}]'):
        heard = await hear(local, turn("hello", token=token))
        assert [role for role, _ in heard.remembered] == ["user", "assistant"]


# ---- Length


async def test_old_turns_are_left_out_when_the_context_is_full_and_that_is_said(local: LocalProvider) -> None:
    token = history("sea " * 900, "moon " * 900, "My name is Zebedee.", "Hello Zebedee!")
    heard = await hear(local, turn("What is my name?", token=token))
    assert "leaving out the oldest messages" in heard.labels
    assert heard.labels[-1] is None
    assert heard.remembered[:3] == [
        ("user", "My name is Zebedee."),
        ("assistant", "Hello Zebedee!"),
        ("user", "What is my name?"),
    ]


async def test_a_message_longer_than_the_context_is_refused_and_not_remembered(local: LocalProvider) -> None:
    for text in ("sea " * 2100, "🦓" * 2000, "x" * 1_000_000):
        heard = Heard()
        with pytest.raises(ProviderFailed, match="too long"):
            await hear(local, turn(text, token=history("hello", "Hello!")), heard)
        assert heard.remembered == [("user", "hello"), ("assistant", "Hello!")]
    assert (await hear(local, turn("hello", token=heard.tokens[-1]))).text


async def test_the_context_has_room_for_an_answer(local: LocalProvider) -> None:
    token = history("sea " * 1500, "Yes.")  # this alone would fit, but would leave too little
    heard = await hear(local, turn("hello", token=token))
    assert heard.remembered[0] == ("user", "hello")


# ---- The process


async def test_the_process_stays_warm_and_listens_nowhere(
    local: LocalProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYGEN_API__TOKEN", "secret")
    await hear(local, turn("hello"))
    worker = worker_of(tmp_path)
    await hear(local, turn("hello", session=2))
    assert worker_of(tmp_path) == worker
    assert worker.net_connections(kind="inet") == []
    assert list((tmp_path / "run").glob("*.sock")) == []
    assert not [name for name in worker.environ() if name.startswith("SYGEN_")]


async def test_the_process_ends_when_nobody_has_spoken_for_a_while(tmp_path: Path, weights: Path) -> None:
    local = LocalProvider(
        run_dir=tmp_path / "run", weights=weights, env={"AGENT_MARKER": str(tmp_path)}, idle_ttl_s=0.05
    )
    await hear(local, turn("hello"))
    await until(lambda: not survivors("AGENT_MARKER", str(tmp_path)))
    assert (await hear(local, turn("hello"))).text
    await local.close()
    assert survivors("AGENT_MARKER", str(tmp_path)) == set()


async def test_a_process_that_dies_in_the_middle_of_an_answer_fails_that_turn_only(
    local: LocalProvider, tmp_path: Path
) -> None:
    async with aclosing(local.run(turn(STORY))) as events:
        await hear_until(events, TextDelta)
        worker_of(tmp_path).kill()
        with pytest.raises(ProviderFailed, match="broke off"):
            await hear_until(events, SystemStatus("never said"))
    assert (await hear(local, turn("hello"))).text


async def test_a_process_that_dies_before_it_has_said_anything_is_replaced(
    local: LocalProvider, tmp_path: Path
) -> None:
    text = f"{'The sea is wide. ' * 60} Tell me about the sea in two sentences."
    async with aclosing(local.run(turn(text))) as events:
        await hear_until(events, SystemStatus("reading"))
        worker_of(tmp_path).kill()
        await hear_until(events, SystemStatus("loading the model"))
        await hear_until(events, TextDelta)


async def test_a_process_that_does_not_obey_is_ended(local: LocalProvider, tmp_path: Path) -> None:
    async with aclosing(local.run(turn(STORY))) as events:
        await hear_until(events, TextDelta)
        stuck = worker_of(tmp_path)
        stuck.send_signal(signal.SIGSTOP)
        start = time.monotonic()
    assert time.monotonic() - start < 15
    assert not stuck.is_running()
    assert (await hear(local, turn("hello"))).text


async def test_cancelling_ends_the_generation_and_keeps_the_process(local: LocalProvider, tmp_path: Path) -> None:
    for wanted, text in ((TextDelta, STORY), (SystemStatus("reading"), "The sea is wide. " * 280)):
        async with aclosing(local.run(turn(text))) as events:
            await hear_until(events, wanted)
            worker = worker_of(tmp_path)
        await until(lambda: is_at_rest(worker_of(tmp_path)), timeout_s=5)
        assert worker_of(tmp_path) == worker


async def test_who_finds_all_places_taken_is_told_to_wait(local: LocalProvider) -> None:
    others = [local.run(turn(STORY, session=number)) for number in range(1, PARALLEL + 1)]
    for events in others:
        await hear_until(events, TextDelta)
    waiting = local.run(turn("hello", session=99))
    assert isinstance(await anext(waiting), ContextSaved)
    assert await anext(waiting) == SystemStatus("waiting for the model")
    await others[0].aclose()
    assert await anext(waiting) == SystemStatus(None)
    await hear_until(waiting, Finished)
    await hear_until(others[1], TextDelta)
    await others[1].aclose()


# ---- What is missing


async def test_missing_weights_are_named_with_the_remedy(tmp_path: Path) -> None:
    local = LocalProvider(run_dir=tmp_path / "run", weights=tmp_path / "missing.gguf")
    check = await local.check()
    assert (check.available, check.remedy) == (False, "Run `sygen model install`.")
    with pytest.raises(ProviderUnavailable, match="sygen model install"):
        await hear(local, turn("hello"))
    assert not (tmp_path / "run").exists()


async def test_a_missing_runtime_is_named_with_the_remedy(
    local: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    check = await local.check()
    assert not check.available
    assert "extra `local`" in check.remedy


async def test_weights_that_cannot_be_loaded_are_no_crash(tmp_path: Path, weights: Path) -> None:
    broken = tmp_path / "models" / weights.name
    shutil.copytree(weights.parent, broken.parent)
    with broken.open("r+b") as file:
        file.write(b"this is no model")
    local = LocalProvider(run_dir=tmp_path / "run", weights=broken, env={"AGENT_MARKER": str(tmp_path)})
    with pytest.raises(ProviderUnavailable, match="does not start"):
        await hear(local, turn("hello"))
    await local.close()
    assert survivors("AGENT_MARKER", str(tmp_path)) == set()


async def test_there_is_one_model(local: LocalProvider) -> None:
    assert (await local.check()).models == (MODEL,)
    with pytest.raises(ProviderUnavailable, match=MODEL):
        await hear(local, turn("hello", model="larger"))


def test_importing_the_provider_does_not_load_the_runtime() -> None:
    program = "import sys, sygen_bot.providers.local; sys.exit('xllamacpp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
