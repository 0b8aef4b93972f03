"""Real agents behind a real gateway: what they want to do is asked on one device and answered on another, and none outlives the gateway."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.api.conftest import serving
from tests.api.wire import TOKEN, Address, client
from tests.cli.command import serving as gateway_process
from tests.fakes.survivors import marked, until_marked
from tests.integration.acp_rig import GEMINI_PROGRAM
from tests.integration.agents import ASKING, RealAgent, real_agent

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("name", ASKING)
async def test_an_approval_is_asked_on_one_device_and_answered_on_another_and_the_tool_runs_or_does_not(
    name: str, tmp_path: Path
) -> None:
    async with real_agent(name, tmp_path / "user") as agent:
        async with (
            serving(tmp_path / "home", agent.settings) as gateway,
            client(gateway, chat_id=1, sync=True, approvals=True, tools="full") as laptop,
            client(gateway, chat_id=2, approvals=True, device="phone") as phone,
        ):
            workspace = tmp_path / "home" / "workspace"
            for decision, file in (("deny", workspace / "denied.txt"), ("allow_once", workspace / "allowed.txt")):
                await laptop.say(agent.write(file))
                asked = (await phone.until("approval_request"))[-1]
                assert not file.exists()
                assert file.name in json.dumps(asked["input"])
                assert file.name in asked["summary"]
                await phone.send(type="approval", id=asked["id"], decision=decision)
                events = await laptop.until("result")
                assert file.exists() == (decision == "allow_once")
                (outcome,) = [event for event in events if event["type"] == "approval_resolved"]
                assert (outcome["decision"], outcome["by"]) == (decision, "phone")
                tools = [event for event in events if event["type"] == "tool_activity"]
                assert [tool["phase"] for tool in tools] == ["start", "end"]
                assert tools[1].get("is_error", False) == (decision == "deny")
        assert marked(agent.mark) == set()


async def test_who_is_asked_again_remembers_what_it_was_told_and_not_what_others_were(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        agents = [
            await stack.enter_async_context(real_agent(name, tmp_path / name)) for name in ("claude", "codex", "acp")
        ]
        providers = {f"providers.{agent.name}": agent.settings[f"providers.{agent.name}"] for agent in agents}
        gateway = await stack.enter_async_context(serving(tmp_path / "home", providers | {"provider": "claude"}))
        peer = await stack.enter_async_context(client(gateway, sync=True))
        assert (await peer.ask("SAY one"))[-1]["text"] == "one"
        assert (await peer.ask("@codex ECHO_HISTORY"))[-1]["text"] == "1 turns", "only this one"
        assert (await peer.ask("/model acp"))[-1]["text"].startswith("From now on **acp**")
        assert (await peer.ask("ECHO_HISTORY"))[-1]["text"] == "I remember 0 turns."
        await peer.ask("/model default")
        end = (await peer.ask("ECHO_HISTORY"))[-1]
        assert (end["text"], end["provider"]) == ("2 turns", "claude")
        assert (await peer.ask("@codex ECHO_HISTORY"))[-1]["text"] == "2 turns"
    assert not any(marked(agent.mark) for agent in agents)


async def test_no_agent_outlives_a_gateway_that_is_killed(tmp_path: Path) -> None:
    names = [name for name in ("claude", "codex", "gemini", "acp") if name != "gemini" or GEMINI_PROGRAM.exists()]
    async with AsyncExitStack() as stack:
        agents = [await stack.enter_async_context(real_agent(name, tmp_path / name)) for name in names]
        home = tmp_path / "home"
        configure(home, agents)
        gateway, url = stack.enter_context(gateway_process(home))
        address = Address(int(url.rpartition(":")[2]))
        for chat, name in enumerate(names, 1):
            peer = await stack.enter_async_context(client(address, chat_id=chat))
            await peer.say(f"@{name} SLOW 2000 0.05")
            await peer.until("text_delta")
        assert all(marked(agent.mark) for agent in agents)
        gateway.process.kill()
        for agent in agents:
            assert await until_marked(agent.mark, 0) == set(), agent.name


def configure(home: Path, agents: Sequence[RealAgent]) -> None:
    folder = home / "config"
    folder.mkdir(parents=True, mode=0o700)
    providers = {agent.name: agent.settings[f"providers.{agent.name}"] for agent in agents}
    (folder / "config.json").write_text(json.dumps({"api": {"token": TOKEN}, "providers": providers}))
