"""Stopping turns: what an abort covers, what it leaves alone, and that nothing of the agent survives it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sygen_bot.orchestrator.lifecycle import Gateway
from sygen_bot.paths import Paths
from sygen_bot.testing.contract import survivors
from sygen_bot.testing.scripted import MARKER_VARIABLE, ScriptedProvider
from tests.api.conftest import Serve
from tests.api.wire import Address, Client, Event, client, results, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

REAP_S = 15.0


async def running(peer: Client, *more: str, script: str = "SLOW 5000 0.01") -> None:
    """Let a turn run that would not end by itself, and others wait behind it."""
    await peer.say(script)
    for text in more:
        await peer.say(text)
    await peer.until("text_delta")


# --- what it covers ---------------------------------------------------------------------------------------------------


async def test_an_abort_ends_running_and_queued_turns_at_once_and_then_counts_them(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        await peer.say("SLOW 5000 0.01")
        first = await peer.until("text_delta")
        await peer.say("SAY two")
        await peer.say("SAY three")
        await peer.send(type="abort")
        events = first + await peer.until("abort_ok")
        running_result, *queued = results(events)
        assert running_result == {
            "type": "result",
            "text": said(events),
            "stream_fallback": False,
            "aborted": True,
            "reason": "abort",
        }
        assert [(one["text"], one["aborted"], one["reason"]) for one in queued] == [("", True, "abort")] * 2
        assert events[-1] == {"type": "abort_ok", "killed": 3}
        assert await peer.quiet() == [], "what the agent still says is dropped"


async def test_an_abort_with_nothing_to_stop_counts_none(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        for message in ({"type": "abort"}, {"type": "abort", "scope": "channel"}, {"type": "message", "text": "/stop"}):
            await peer.socket.send(peer.seal(message))
            assert await peer.receive() == {"type": "abort_ok", "killed": 0}
        await peer.ask("SAY done")
        await peer.send(type="abort")
        assert await peer.receive() == {"type": "abort_ok", "killed": 0}, "a turn that has ended is none"


@pytest.mark.parametrize("text", ["/stop", "/STOP", "/Stop", "  /stop\n", "\t/sToP \r\n", "\u00a0/stop\u3000"])
async def test_stop_is_an_abort_in_every_case_and_with_white_space_around_it(
    gateway: Gateway, chat: int, text: str
) -> None:
    async with client(gateway, chat_id=chat) as peer:
        await running(peer, "SAY later")
        await peer.say(text)
        assert (await peer.until("abort_ok"))[-1]["killed"] == 2


@pytest.mark.parametrize("text", ["/stop it", "stop", "//stop", "/ stop", "please /stop", "/stopp"])
async def test_what_only_looks_like_stop_is_a_turn(gateway: Gateway, chat: int, text: str) -> None:
    async with client(gateway, chat_id=chat) as peer:
        assert (await peer.ask(text))[-1]["type"] == "result"


async def test_the_scope_chat_reaches_all_channels_and_connections_and_no_other_chat(
    gateway: Gateway, chat: int
) -> None:
    async with (
        client(gateway, chat_id=chat) as bare,
        client(gateway, chat_id=chat, channel_id=1) as one,
        client(gateway, chat_id=chat, channel_id=2) as two,
        client(gateway, chat_id=10_000_000 + chat, channel_id=1) as stranger,
        client(gateway, chat_id=chat, channel_id=3) as caller,
    ):
        for peer in (bare, one, two, stranger):
            await running(peer, "SAY queued")
        await caller.send(type="abort")
        assert await caller.receive() == {"type": "abort_ok", "killed": 6}
        for peer in (bare, one, two):
            assert [end["aborted"] for end in results(await peer.until_ends(2))] == [True, True]
        assert all(event["type"] == "text_delta" for event in await stranger.quiet())
        await stranger.send(type="abort")
        assert (await stranger.until("abort_ok"))[-1]["killed"] == 2


async def test_the_scope_channel_reaches_this_session_only_from_any_of_its_connections(
    gateway: Gateway, chat: int
) -> None:
    async with (
        client(gateway, chat_id=chat) as bare,
        client(gateway, chat_id=chat, channel_id=1) as one,
        client(gateway, chat_id=chat, channel_id=1) as same,
    ):
        await running(bare)
        await running(one, "SAY queued")
        await same.send(type="abort", scope="channel")
        assert await same.receive() == {"type": "abort_ok", "killed": 2}
        assert [end["aborted"] for end in results(await one.until_ends(2))] == [True, True]
        assert all(event["type"] == "text_delta" for event in await bare.quiet())
        await bare.send(type="abort", scope="channel")
        assert (await bare.until("abort_ok"))[-1]["killed"] == 1


async def test_an_abort_covers_only_what_was_accepted_before_it(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        messages = [("message", "SLOW 5000 0.01"), ("message", "SAY queued"), ("abort", None), ("message", "SAY after")]
        for kind, text in messages:  # in one go, without waiting for anything
            await peer.socket.send(peer.seal({"type": kind} | ({} if text is None else {"text": text})))
        events = await peer.until("abort_ok")
        assert events[-1]["killed"] == 2
        after = await peer.until("result")
        assert after[-1] == {"type": "result", "text": "after", "stream_fallback": False}


async def test_an_aborted_turn_is_remembered_and_queued_ones_are_not(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        await running(peer, "SAY never", "SAY never")
        await peer.send(type="abort")
        await peer.until("abort_ok")
        assert said(await peer.ask("ECHO_HISTORY")) == "I remember 1 turns."


async def test_an_abort_in_a_flood_of_output_does_not_wait_for_its_end(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        await running(peer, script="BURST 1000000\n" * 20)
        reading = asyncio.create_task(peer.until("abort_ok"))
        await peer.send(type="abort")
        events = await reading
        assert results(events)[-1]["aborted"] is True
        assert await peer.quiet() == []


async def test_a_long_aborted_answer_still_comes_before_abort_ok(gateway: Gateway, chat: int) -> None:
    """Its frame is so large that it is made on another thread; what follows has to wait for it."""
    async with client(gateway, chat_id=chat) as peer:
        await peer.say("BURST 20000\nSLOW 5000 0.01")
        events: list[Event] = []
        while "w1 " not in said(events[-3:]):
            events.append(await peer.receive())
        await peer.say("SAY queued")
        await peer.send(type="abort")
        events += await peer.until("abort_ok")
        ends = results(events)
        assert ends[0]["text"] == said(events)
        assert len(ends[0]["text"]) > 800_000
        assert [event["type"] for event in events[-3:]] == ["result", "result", "abort_ok"]
        assert ends[1]["text"] == ""


async def test_aborts_from_two_connections_at_once_count_each_turn_once(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as one, client(gateway, chat_id=chat) as other:
        await running(one, "SAY queued")
        await asyncio.gather(one.send(type="abort"), other.send(type="abort"))
        killed = [(await peer.until("abort_ok"))[-1]["killed"] for peer in (one, other)]
        assert sorted(killed) == [0, 2]
        assert await one.quiet() == []


# --- what it leaves of the agent: nothing -----------------------------------------------------------------------------


@pytest.fixture
def marker() -> str:
    return uuid.uuid4().hex


@pytest.mark.parametrize("instruction", ["SPAWN", "SPAWN_DETACHED"])
async def test_mistake_stop_that_stops_the_agent_but_not_the_processes_it_started(
    serve: Serve, tmp_path: Path, marker: str, instruction: str
) -> None:
    provider = ScriptedProvider(run_dir=Paths(tmp_path / "home").run_dir, marker=marker)
    async with serve(providers=[provider]) as gateway, client(gateway) as peer:
        await peer.say(f"{instruction} 300\nSLOW 5000 0.01")
        text = ""
        while "w0 " not in text:
            text += said(await peer.until("text_delta"))
        pids = {int(word) for word in re.findall(r"\d+", text.split("w0")[0])}
        assert pids < await three_alive(marker), "child and grandchild, and the guard besides"
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)  # until they are forced, nothing ends them
        await peer.send(type="abort")
        await peer.until("abort_ok")
        assert pids & survivors(MARKER_VARIABLE, marker), "the answer does not wait for the processes"
        assert said(await peer.ask("ECHO_HISTORY")) == "I remember 1 turns."
        assert survivors(MARKER_VARIABLE, marker) == set(), "the next turn waits until they are gone"


async def three_alive(marker: str) -> set[int]:
    """The processes of one SPAWN: right after its start a program shows no environment for a moment."""
    async with asyncio.timeout(REAP_S):
        while len(alive := survivors(MARKER_VARIABLE, marker)) < 3:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    return alive


async def test_children_of_a_turn_end_with_a_gateway_that_stops(serve: Serve, tmp_path: Path, marker: str) -> None:
    provider = ScriptedProvider(run_dir=Paths(tmp_path / "home").run_dir, marker=marker)
    async with serve(providers=[provider]) as gateway, client(gateway) as peer:
        await running(peer, script="SPAWN_DETACHED 300\nSLOW 5000 0.01")
        await three_alive(marker)
    assert survivors(MARKER_VARIABLE, marker) == set()


@asynccontextmanager
async def served(home: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, Address, str]]:
    """`sygen serve` as a process of its own: (process, where it listens, its token)."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "SYGEN_HOME": str(home), "SYGEN_API__TOKEN": "t0ken"}
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("sygen")),
        *("serve", "--host", "127.0.0.1", "--port", "0", "--provider", "scripted"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
        cwd=home,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            async for line in process.stdout:
                if match := re.search(rb"listening on http://127\.0\.0\.1:(\d+)", line):
                    break
            else:
                pytest.fail("the gateway did not start")
        yield process, Address(int(match[1])), "t0ken"
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()  # also reads what is left, so that nothing of the pipe stays open


def identity_of(pid: int) -> tuple[bytes, str] | None:
    """The command line of a running process and when it started; None if there is none."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if state in "ZX" else (Path(f"/proc/{pid}/cmdline").read_bytes(), fields[18])
    except (OSError, ValueError):
        return None


async def program_of(pid: int, argument: bytes) -> tuple[bytes, str]:
    """The identity of a process, once its program shows its arguments: right after its start it has none for a moment."""
    async with asyncio.timeout(REAP_S):
        while (found := identity_of(pid)) is None or argument not in found[0]:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    return found


@pytest.mark.parametrize("instruction", ["SPAWN", "SPAWN_DETACHED"])
async def test_kill_9_of_the_gateway_leaves_no_process_of_an_agent(tmp_path: Path, instruction: str) -> None:
    async with served(tmp_path) as (process, at, token), client(at, token=token) as peer:
        await peer.say(f"{instruction} 321\nSLOW 5000 0.01")
        text = ""
        while "w0 " not in text:
            text += said(await peer.until("text_delta"))
        child, grandchild = (int(word) for word in re.findall(r"\d+", text.split("w0")[0]))
        before = {pid: await program_of(pid, b"321") for pid in (child, grandchild)}
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
        deadline = time.monotonic() + REAP_S
        while any(identity_of(pid) == before[pid] for pid in before):
            assert time.monotonic() < deadline, "they are still there"
            await asyncio.sleep(0.02)
