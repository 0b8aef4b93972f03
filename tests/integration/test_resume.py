"""No answer is lost and nothing is told twice, whatever the network does and whenever the gateway goes."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path

import pytest

from sygen_bot.client import (
    AnswerEvent,
    Gateway,
    Received,
    Result,
    SystemStatus,
    TextDelta,
    ThinkingDelta,
    ToolActivity,
    UserMessage,
    connect,
)
from sygen_bot.config import load_settings
from sygen_bot.events import ProviderEvent
from sygen_bot.orchestrator.lifecycle import running_gateway
from sygen_bot.paths import Paths
from sygen_bot.providers.base import Availability, Provider, ProviderInfo, Turn
from sygen_bot.session.key import SessionKey
from sygen_bot.testing.scripted import ScriptedProvider
from tests.fakes.fault_proxy import FaultProxy
from tests.fakes.survivors import new_mark
from tests.integration.crash_gateway import Lives, Plan, executions, lives

pytestmark = pytest.mark.integration

CUTS = 200
PATIENCE_S = 50.0
TOKEN = "a token"


class Talker:
    """Says all kinds of things until there is `enough`. `said` is what it said."""

    def __init__(self) -> None:
        self.enough = asyncio.Event()
        self.said: list[ProviderEvent] = []

    @property
    def info(self) -> ProviderInfo:
        return ProviderInfo(id="scripted", name="Talker", color="#64748B")

    @property
    def processes(self) -> int:
        return 0

    async def check(self) -> Availability:
        return Availability(available=True, models=("scripted",))

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:  # noqa: ARG002 - it says the same to everything
        for number in itertools.count():
            if self.enough.is_set():
                return
            for event in self._events(number):
                self.said.append(event)
                yield event
            await asyncio.sleep(0.003)

    def _events(self, number: int) -> Iterable[ProviderEvent]:
        match number % 40:
            case 10:
                yield ThinkingDelta(f"thought {number} 🤔 ")
            case 20:
                yield ToolActivity("Read", tool_id=f"t{number}", input={"number": number})
            case 21:
                yield ToolActivity("Read", tool_id=f"t{number - 1}", phase="end", output=f"ö{number}", duration_ms=3)
            case 30:
                yield SystemStatus(f"step {number}" if number % 80 == 30 else None)
            case _:
                yield TextDelta(f"wörd{number} ")

    async def forget(self, session: SessionKey) -> None:
        """Nothing is kept."""

    async def close(self) -> None:
        """Nothing is open."""


def joined(events: Iterable[object]) -> list[object]:
    """The events with adjacent deltas made one: how they are cut does not matter."""
    whole: list[object] = []
    for event in events:
        last = whole[-1] if whole else None
        if isinstance(event, TextDelta | ThinkingDelta) and isinstance(last, type(event)):
            whole[-1] = type(event)(last.data + event.data)
        else:
            whole.append(event)
    return whole


def text_of(events: Iterable[object]) -> str:
    return "".join(event.data for event in events if isinstance(event, TextDelta))


@asynccontextmanager
async def served(home: Path, agent: Provider) -> AsyncIterator[int]:
    """A gateway in this process, with that agent; gives its port."""
    paths = Paths(home)
    overrides = {"api.host": "127.0.0.1", "api.port": 0, "api.drain_s": 0, "provider": "scripted"}
    settings = load_settings(paths, overrides=overrides)
    async with running_gateway(settings, paths, token=TOKEN, providers=[agent]) as gateway:
        yield gateway.port


def device(port: int) -> AbstractAsyncContextManager[Gateway]:
    return connect(f"http://127.0.0.1:{port}", TOKEN)


class Follower:
    """Collects what a device hears of its session."""

    def __init__(self, gateway: Gateway) -> None:
        self.heard: list[Received] = []
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._listen(gateway))

    async def _listen(self, gateway: Gateway) -> None:
        async for received in gateway.follow():
            self.heard.append(received)
            self._changed.set()

    async def until(self, kind: type[object], count: int = 1) -> None:
        """Wait until that many events of a kind have come."""
        async with asyncio.timeout(PATIENCE_S):
            while sum(isinstance(received.event, kind) for received in self.heard) < count:
                self._changed.clear()
                await self._changed.wait()

    async def leave(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def following(gateway: Gateway) -> AsyncIterator[Follower]:
    follower = Follower(gateway)
    await gateway.ping()  # by now it listens
    yield follower
    await follower.leave()


async def everything(events: AsyncGenerator[AnswerEvent, None]) -> list[AnswerEvent]:
    async with asyncio.timeout(PATIENCE_S), aclosing(events):
        return [event async for event in events]


# --- a bad line ---------------------------------------------------------------------------------------------------------


async def test_an_answer_survives_two_hundred_cuts_and_a_second_device_hears_the_same(tmp_path: Path) -> None:
    talker = Talker()
    async with (
        served(tmp_path / "home", talker) as port,
        FaultProxy(port, seed=7, most_bytes=4000, most_cuts=CUTS) as proxy,
        device(proxy.port) as cut,
        device(port) as whole,
        following(cut) as on_cut,
        following(whole) as on_whole,
    ):
        proxy.go_wild()
        asking = asyncio.create_task(everything(cut.ask("Talk until I say stop.")))
        async with asyncio.timeout(PATIENCE_S):
            await proxy.is_done.wait()
        talker.enough.set()
        *events, result = await asking
        assert proxy.cuts == CUTS
        assert isinstance(result, Result)
        assert not result.aborted
        assert joined(events) == joined(talker.said)
        assert text_of(events) == result.text
        await on_cut.until(Result)
        await on_whole.until(Result)
        heard = [joined(received.event for received in device.heard) for device in (on_cut, on_whole)]
        assert heard[0] == heard[1]
        assert heard[0][1:-1] == joined(talker.said)
        assert on_cut.heard[-1].cursor == on_whole.heard[-1].cursor
        page = await cut.history()
        assert [message["content"] for message in page["messages"]] == ["Talk until I say stop.", result.text]


@pytest.mark.parametrize("script", ["SAY one two three", "SLOW 60 0.01"], ids=["has ended", "still runs"])
async def test_an_answer_arrives_whole_although_the_receipt_was_lost(tmp_path: Path, script: str) -> None:
    async with (
        served(tmp_path / "home", ScriptedProvider(run_dir=tmp_path / "run")) as port,
        FaultProxy(port) as proxy,
        device(proxy.port) as cut,
        device(port) as whole,
        following(whole) as on_whole,
    ):
        proxy.hold()
        asking = asyncio.create_task(everything(cut.ask(script)))
        await on_whole.until(TextDelta, 2)  # what an agent says at once comes as one
        await proxy.cut()
        *events, result = await asking
        await on_whole.until(Result)
        assert isinstance(result, Result)
        assert text_of(events) == result.text == text_of(received.event for received in on_whole.heard)


async def test_asking_again_under_the_same_name_gives_the_answer_once_and_whole(tmp_path: Path) -> None:
    async with (
        served(tmp_path / "home", ScriptedProvider(run_dir=tmp_path / "run")) as port,
        device(port) as first,
        device(port) as second,
        following(second) as on_second,
    ):
        asking = asyncio.create_task(everything(first.ask("SLOW 40 0.01", message_id="a name")))
        await on_second.until(TextDelta, 3)
        while_it_runs = await everything(second.ask("SLOW 40 0.01", message_id="a name"))
        afterwards = await everything(second.ask("SLOW 40 0.01", message_id="a name"))
        for events in (await asking, while_it_runs, afterwards):
            assert isinstance(events[-1], Result)
            assert text_of(events) == events[-1].text == "".join(f"w{number} " for number in range(40))


async def test_an_old_answer_that_is_asked_for_again_does_not_lead_back_in_the_conversation(tmp_path: Path) -> None:
    async with (
        served(tmp_path / "home", ScriptedProvider(run_dir=tmp_path / "run")) as port,
        FaultProxy(port) as proxy,
        device(proxy.port) as client,
        following(client) as on_client,
    ):
        for number in range(12):  # more than the gateway holds in memory
            await everything(client.ask(f"SAY answer {number}", message_id=f"m{number}"))
        for number in (0, 11):
            assert (
                text_of(await everything(client.ask(f"SAY answer {number}", message_id=f"m{number}")))
                == f"answer {number}"
            )
            await proxy.cut()
        await everything(client.ask("SAY the last"))
        results = [received.event.text for received in on_client.heard if isinstance(received.event, Result)]
        assert results == [*(f"answer {number}" for number in range(12)), "the last"]


# --- a gateway that goes ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def mortal(folder: Path, *, seed: int = 0, most_bytes: int = 1, most_cuts: int = 0) -> AsyncIterator[Mortal]:
    """A gateway that can be ended, with an address that stays."""
    plan = Plan(
        home=str(folder / "home"),
        executions=str(folder / "executions"),
        database=f"sqlite:///{folder / 'sygen.db'}",
        token=TOKEN,
        marker=new_mark(),
    )
    async with lives(plan) as gateway, FaultProxy(0, seed=seed, most_bytes=most_bytes, most_cuts=most_cuts) as proxy:
        mortal = Mortal(plan, gateway, proxy)
        await mortal.begin()
        yield mortal


class Mortal:
    def __init__(self, plan: Plan, gateway: Lives, proxy: FaultProxy) -> None:
        self.plan, self._gateway, self.proxy = plan, gateway, proxy

    async def begin(self) -> None:
        await self._gateway.begin()
        async with asyncio.timeout(PATIENCE_S):
            await self._gateway.up.wait()
        self.proxy.target = self._gateway.port

    async def restart(self, number: signal.Signals) -> None:
        await self._gateway.end(number)
        await self.begin()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["clean", "killed"])
async def test_an_asker_is_told_how_far_the_answer_came_when_the_gateway_restarts(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with mortal(tmp_path) as gateway, device(gateway.proxy.port) as client, following(client) as on_client:
        asking = asyncio.create_task(everything(client.ask("SLOW 10000 0.01")))
        await on_client.until(TextDelta, 40)
        await gateway.restart(number)
        *events, result = await asking
        assert isinstance(result, Result)
        assert (result.aborted, result.reason) == (True, "shutdown" if number is signal.SIGTERM else "interrupted")
        assert result.text
        assert text_of(events).startswith(result.text), "what nobody had stored yet may have been heard"
        assert number is signal.SIGKILL or text_of(events) == result.text
        assert text_of(await everything(client.ask("SAY still here"))) == "still here"
        assert [run.text for run in executions(gateway.plan)] == ["SLOW 10000 0.01", "SAY still here"]


async def test_what_had_not_begun_when_the_gateway_was_killed_is_answered_by_the_next(tmp_path: Path) -> None:
    async with mortal(tmp_path) as gateway, device(gateway.proxy.port) as client, following(client) as on_client:
        first = asyncio.create_task(everything(client.ask("SLOW 10000 0.01")))
        await on_client.until(TextDelta, 3)
        others = [asyncio.create_task(everything(client.ask(f"SAY answer {number}"))) for number in range(3)]
        await on_client.until(UserMessage, 4)
        await gateway.restart(signal.SIGKILL)
        interrupted = (await first)[-1]
        assert isinstance(interrupted, Result)
        assert interrupted.reason == "interrupted"
        for number, events in enumerate(await asyncio.gather(*others)):
            assert isinstance(events[-1], Result)
            assert not events[-1].aborted
            assert text_of(events) == events[-1].text == f"answer {number}"
        runs = [run.text for run in executions(gateway.plan)]
        assert runs == ["SLOW 10000 0.01", *(f"SAY answer {number}" for number in range(3))]


async def test_an_asker_hears_of_a_kill_also_over_a_line_that_breaks_again_and_again(tmp_path: Path) -> None:
    async with (
        mortal(tmp_path, seed=5, most_bytes=2500, most_cuts=6) as gateway,
        device(gateway.proxy.port) as client,
        following(client) as on_client,
    ):
        asking = asyncio.create_task(everything(client.ask("SLOW 10000 0.01")))
        await on_client.until(TextDelta, 3)
        gateway.proxy.go_wild()
        await gateway.restart(signal.SIGKILL)
        result = (await asking)[-1]
        assert isinstance(result, Result)
        assert result.reason == "interrupted"
        assert len(executions(gateway.plan)) == 1
