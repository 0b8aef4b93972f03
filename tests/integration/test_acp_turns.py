"""Turns of an agent made with the reference library: what is heard, what it is told, what it keeps, what is left of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sygen_bot.errors import ProviderFailed
from sygen_bot.events import ThinkingDelta
from sygen_bot.providers.base import Attachment, ToolRequest
from sygen_bot.providers.pool import STARTED_ANEW
from sygen_bot.testing.contract import Approvals
from tests.fakes.survivors import marked
from tests.integration.acp_rig import SCRIPTED, Rig, acp_rig
from tests.integration.agent_rig import cancel, running

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with acp_rig(tmp_path, SCRIPTED) as rig:
        yield rig


def kept(rig: Rig) -> dict[str, Any]:
    """The one conversation that the agent has kept."""
    (file,) = rig.sessions.glob("*.json")
    document: dict[str, Any] = json.loads(file.read_bytes())
    return document


def prompts(rig: Rig) -> list[list[dict[str, Any]]]:
    return [turn["prompt"] for turn in kept(rig)["turns"]]


def bash(command: str) -> str:
    return f"ASK Bash {json.dumps({'command': command})}"


async def test_a_turn_thinks_plans_uses_a_tool_and_speaks(rig: Rig) -> None:
    approvals = Approvals("allow")
    script = (
        f"THINK deep thoughts\nSTATUS find the fault\nSAY one two\n{bash('echo hi; pwd')}\nSTATUS mode default\nSAY end"
    )
    await rig.say(script, approve=approvals)
    assert rig.answer == "one two\nallowed\nend"
    assert "".join(event.data for event in rig.events if isinstance(event, ThinkingDelta)) == "deep thoughts"
    start, end = rig.tools
    assert (start.name, start.phase, start.input) == ("Bash", "start", {"command": "echo hi; pwd"})
    assert (end.phase, end.output, end.is_error, end.tool_id) == ("end", f"hi\n{rig.workspace}", False, start.tool_id)
    assert end.duration_ms is not None
    assert approvals.requests == [
        ToolRequest(tool="Bash", input={"command": "echo hi; pwd"}, read_only=False, summary="Bash")
    ]
    labels = rig.labels[2:] if rig.labels[0] == "commands: /script" else rig.labels  # when they come is up to the agent
    assert labels == ["thinking", "plan 0/1: find the fault", None, "mode: Default", None]
    assert rig.finished.text is None
    assert rig.finished.model == "small"
    assert rig.finished.usage is not None
    assert rig.finished.usage.input_tokens > 0


async def test_only_looking_at_files_of_the_workspace_is_read_only(rig: Rig) -> None:
    approvals = Approvals("deny")
    (rig.workspace / "way-out").symlink_to("/etc")
    paths = [str(rig.workspace / "a.txt"), "b.txt", "/etc/passwd", "../c", str(rig.workspace / "way-out" / "passwd")]
    uses = [f"ASK Read {json.dumps({'file_path': path})}" for path in paths]
    await rig.say("\n".join([*uses, "ASK Grep {}", 'ASK Write {"file_path": "a.txt"}']), approve=approvals)
    assert [request.read_only for request in approvals.requests] == [True, True, False, False, False, False, False]
    assert all(tool.is_error for tool in rig.tools if tool.phase == "end")
    assert not (rig.workspace / "a.txt").exists()


async def test_instructions_and_attachments_reach_the_agent(rig: Rig) -> None:
    image, text, song = rig.directory / "a.png", rig.directory / "ä b.txt", rig.directory / "c.mp3"
    for file in (image, text, song):
        file.write_bytes(PNG)
    attachments = (
        Attachment(path=image, mime="image/png", name="a.png"),
        Attachment(path=text, mime="text/plain", name="ä b.txt"),
        Attachment(path=song, mime="audio/mpeg", name="c.mp3"),
        Attachment(path=rig.directory / "gone.png", mime="image/png", name="gone.png"),
    )
    await rig.say("SAY seen", system_prompt="Be brief.", attachments=attachments)
    await rig.say("SAY again", system_prompt="Be brief.")
    first, second = prompts(rig)
    assert [block["type"] for block in first] == ["text", "text", "image", "resource_link", "resource_link"]
    assert "Be brief." in first[0]["text"]
    assert first[1]["text"] == "SAY seen\n"
    assert (first[2]["mimeType"], first[2]["data"]) == ("image/png", "iVBORw0KGgo=")
    assert (first[3]["uri"], first[3]["name"]) == (f"file://{text}", "ä b.txt")
    assert [block["text"] for block in second] == ["SAY again"]


async def test_the_model_changes_within_the_conversation(rig: Rig) -> None:
    models, labels = [], []
    for model in (None, "large", "large", None):
        await rig.say("SAY hello", model=model)
        models.append((rig.finished.model, kept(rig)["model"]))
        labels += rig.labels
    assert models == [("small", "small"), ("large", "large"), ("large", "large"), ("small", "small")]
    assert labels == ["commands: /script", None]
    assert (await rig.provider.check()).models == ("small", "large")
    assert rig.provider.processes == 1
    with pytest.raises(ProviderFailed, match="does not take this model"):
        await rig.say("SAY hello", model="enormous")


async def test_a_conversation_goes_on_in_another_process_without_being_told_again(rig: Rig) -> None:
    await rig.say("SAY the first", system_prompt="Be brief.")
    await rig.say("SAY the second", system_prompt="Be brief.")
    await rig.provider.close()
    rig.restart()
    await rig.say("ECHO_HISTORY", system_prompt="Be brief.")
    assert rig.answer == "I remember 2 turns."
    assert STARTED_ANEW not in rig.labels
    assert [len(prompt) for prompt in prompts(rig)] == [2, 1, 1]


async def test_an_abort_keeps_the_agent_warm_and_what_it_knows(rig: Rig) -> None:
    await rig.say("SAY hello")
    before = marked(rig.mark)
    async with running(rig, "SAY begun\nSLOW 1000 0.02") as task:
        await cancel(task)
    assert marked(rig.mark) == before
    await rig.say("ECHO_HISTORY")
    assert rig.answer == "I remember 2 turns."


async def test_an_agent_in_a_mode_without_questions_is_put_into_another(tmp_path: Path) -> None:
    async with acp_rig(tmp_path, SCRIPTED, {"ACP_AGENT_MODE": "yolo"}) as rig:
        await rig.say("STATUS mode default\nSAY hello")
        assert "mode: Default" in rig.labels
        await rig.say("STATUS mode yolo\nSLOW 10 0.01")
        assert [label for label in rig.labels if label] == ["mode: Yolo", "mode: Default"]
