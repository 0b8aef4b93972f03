"""A turn of the real Codex against a scripted model: what is heard, what it used, what goes wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sygen_bot.errors import AgentDied, ProviderFailed, ProviderUnavailable, TurnError
from sygen_bot.events import ThinkingDelta
from sygen_bot.providers.base import Attachment, ToolRequest
from sygen_bot.testing.contract import Approvals
from tests.fakes.openai_responses import INPUT_TOKENS, OUTPUT_TOKENS
from tests.fakes.survivors import marked
from tests.integration.agent_rig import running
from tests.integration.codex_rig import Rig, bash, codex_rig, patch

pytestmark = pytest.mark.integration

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with codex_rig(tmp_path) as rig:
        yield rig


async def test_a_turn_thinks_uses_tools_and_speaks(rig: Rig) -> None:
    approvals = Approvals("allow")
    await rig.say(
        f"THINK deep thoughts\nSAY one two\n{bash('echo hi; exit 3')}\n{patch('a.txt')}\nSAY three four",
        approve=approvals,
    )
    assert rig.answer == "one two\n\nthree four"
    assert "".join(event.data for event in rig.events if isinstance(event, ThinkingDelta)) == "deep thoughts"
    start, end, edit, edited = rig.tools
    assert (start.name, start.phase, start.input) == ("Bash", "start", {"command": "echo hi; exit 3"})
    assert (end.name, end.phase, end.output, end.is_error) == ("Bash", "end", "hi\n", True)
    assert start.tool_id == end.tool_id
    assert end.duration_ms is not None
    assert (edit.name, edited.output, edited.is_error) == ("Edit", f"add {rig.workspace}/a.txt", False)
    asked, asked_to_edit = approvals.requests
    assert asked == ToolRequest(tool="Bash", input={"command": "echo hi; exit 3"}, read_only=False)
    assert (asked_to_edit.tool, asked_to_edit.summary, asked_to_edit.read_only) == ("Edit", "Edit a.txt", False)
    assert (rig.workspace / "a.txt").read_text() == "x\n"
    assert rig.labels == ["thinking", None]
    assert rig.finished.text is None
    assert rig.finished.model is not None
    assert rig.finished.model.startswith("gpt-")
    usage = rig.finished.usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.cost_usd) == (3 * INPUT_TOKENS, 3 * OUTPUT_TOKENS, None)
    await rig.say("NOSTREAM all at once")
    assert rig.answer == "all at once"
    assert rig.finished.usage is not None
    assert rig.finished.usage.input_tokens == INPUT_TOKENS


async def test_another_model_or_prompt_goes_on_with_the_same_conversation(rig: Rig) -> None:
    lighthouse, harbour = "You are a lighthouse.", "You are a harbour."
    await rig.say("SAY a", system_prompt=lighthouse, model="gpt-5.6-sol")
    process = rig.cli().pid
    assert lighthouse in rig.told
    await rig.say("SAY b", system_prompt=lighthouse, model="gpt-5.6-luna")
    assert rig.told.count(lighthouse) == 1
    await rig.say("SAY c", system_prompt=harbour, model="gpt-5.6-luna")
    assert rig.told.rindex(harbour) > rig.told.rindex(lighthouse)
    await rig.say("SAY d", system_prompt=harbour)
    preferred = rig.finished.model
    assert rig.cli().pid == process
    await rig.say("SAY e", system_prompt=harbour, model="gpt-5.6-sol")
    await rig.provider.close()
    rig.restart()
    await rig.say("ECHO_HISTORY", system_prompt=harbour)
    assert rig.answer == "6 turns"
    assert rig.told.count(harbour) == 1
    models = [request.body["model"] for request in rig.api.conversations]
    assert models == ["gpt-5.6-sol", "gpt-5.6-luna", "gpt-5.6-luna", preferred, "gpt-5.6-sol", preferred]
    assert preferred not in (None, *models[:3]), "without a model the preferred one answers"


async def test_images_reach_the_model_and_what_is_gone_does_not_matter(rig: Rig) -> None:
    image, note = rig.workspace / "pixel.png", rig.workspace / "note.txt"
    image.write_bytes(PIXEL)
    note.write_text("a note")
    attachments = (
        Attachment(path=image, mime="image/png", name="pixel.png"),
        Attachment(path=note, mime="text/plain", name="note.txt"),
        Attachment(path=rig.workspace / "gone.png", mime="image/png", name="gone.png"),
    )
    await rig.say("SAY I see", attachments=attachments)
    assert rig.answer == "I see"
    assert rig.told.count('"input_image"') == 1
    assert "gone.png" not in rig.told


async def test_an_error_of_the_api_is_told_in_one_clear_sentence(rig: Rig) -> None:
    expected: list[tuple[str, type[TurnError], str]] = [
        ("FAIL 401 a message with sk-fake in it", ProviderUnavailable, "login"),
        ("FAIL 403", ProviderUnavailable, "login"),
        ("FAIL 429", ProviderUnavailable, "limit"),
        ("FAIL 503", ProviderUnavailable, "overloaded"),
        ("FAIL 404", ProviderFailed, "model"),
        ("FAIL 500", ProviderFailed, "500"),
        ("SAY hello\nFAIL in the middle", ProviderFailed, "broke off"),
    ]
    for script, kind, hint in expected:
        with pytest.raises(kind, match=hint) as failure:
            await rig.say(script)
        assert type(failure.value) is kind
        for leak in ("sk-fake", "/", "Traceback"):
            assert leak not in str(failure.value)
    await rig.say("SAY back again")
    assert rig.answer == "back again"


async def test_a_model_that_cannot_be_reached_is_unavailable(rig: Rig) -> None:
    text = (rig.codex_home / "config.toml").read_text()
    (rig.codex_home / "config.toml").write_text(text.replace(rig.api.url, "http://127.0.0.1:9/v1"))
    with pytest.raises(ProviderUnavailable, match="cannot be reached"):
        await rig.say("SAY anything")


@pytest.mark.parametrize("env", [{}, {"OPENAI_API_KEY": ""}], ids=["with-a-key", "without-a-key"])
async def test_an_endpoint_of_ones_own_needs_no_configuration(rig: Rig, env: dict[str, str]) -> None:
    rig.restart(base_url=rig.api.url, env=env)
    (rig.codex_home / "config.toml").unlink()
    assert (await rig.provider.check()).available
    await rig.say("SAY hello")
    assert rig.answer == "hello"
    key = rig.api.conversations[-1].headers.get("authorization")
    assert key == (None if env else "Bearer sk-fake")


@pytest.mark.parametrize(
    "token",
    [
        json.dumps({"thread_id": "0e1f2a3b-4c5d-4e6f-8a9b-0c1d2e3f4a5b"}),
        json.dumps({"thread_id": "nonsense"}),
        "not a token of ours",
    ],
)
async def test_a_conversation_that_is_gone_begins_anew(rig: Rig, token: str) -> None:
    rig.token = token
    await rig.say("ECHO_HISTORY")
    assert rig.answer == "1 turns"
    assert any("gone" in (label or "") for label in rig.labels) == token.startswith("{")
    await rig.say("ECHO_HISTORY")
    assert rig.answer == "2 turns"


async def test_an_agent_that_dies_is_started_again(rig: Rig) -> None:
    async with running(rig, "SLOW 1000 0.02") as task:
        rig.cli().kill()
        with pytest.raises(AgentDied, match="ended unexpectedly"):
            await task
    assert rig.answer
    assert marked(rig.mark) == set()
    await rig.say("SAY alive")
    rig.cli().kill()
    await rig.say("ECHO_HISTORY")
    assert rig.answer == "3 turns"
