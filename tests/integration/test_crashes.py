"""A gateway that is killed again and again: no accepted message is lost, and none is run twice."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import WebSocketException

from sygen_bot.errors import StorageError
from sygen_bot.storage.engine import open_storage
from sygen_bot.testing.contract import survivors
from sygen_bot.testing.scripted import MARKER_VARIABLE
from tests.api.wire import TOKEN, Address, Client, Event, client
from tests.fakes.survivors import new_mark
from tests.integration.crash_gateway import Lives, Plan, executions, lives

pytestmark = pytest.mark.integration

KILLS = 30
SESSIONS = 12
LONGEST_LIFE_S = 0.5
MOST_AHEAD = 3
PATIENCE_S = 40.0


@dataclass(frozen=True)
class Outcome:
    """How a turn ended, as a client was told."""

    turn_id: str
    text: str
    status: str

    @classmethod
    def of(cls, event: Event) -> Outcome:
        status = "done" if not event.get("aborted") else "aborted" if event["reason"] == "abort" else "interrupted"
        return cls(event["turn_id"], event["text"], status)


@dataclass
class Person:
    """Talks in one session, and sends again what has no answer when the connection is lost. Half of them follow by cursor."""

    chat: int
    chance: random.Random
    sent: dict[str, str] = field(default_factory=dict)
    turns: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    heard: dict[str, str] = field(default_factory=dict)
    cursor: str | None = None
    is_leaving: bool = False

    @property
    def follows(self) -> bool:
        return self.chat % 2 == 0

    @property
    def waiting(self) -> list[str]:
        return [name for name in self.sent if name not in self.outcomes]

    async def talk(self, gateway: Lives) -> None:
        """Until everything that was said has its outcome, and more is not to be said."""
        while self.waiting or not self.is_leaving:
            await gateway.up.wait()
            sync: dict[str, Any] = {"sync": True, "cursor": self.cursor} if self.follows else {}
            try:
                async with client(Address(gateway.port), chat_id=self.chat, **sync) as peer:
                    await self._talk(peer)
            except (WebSocketException, OSError, EOFError):
                await asyncio.sleep(0.02)

    async def _talk(self, peer: Client) -> None:
        if self.follows and peer.hello.get("resume") != "ok":
            self.heard.clear()
            self.cursor = peer.hello["cursor"]
        for name in self.waiting:
            await peer.say(self.sent[name], id=name)
        while self.waiting or not self.is_leaving:
            while len(self.waiting) < MOST_AHEAD and not self.is_leaving:
                name = f"c{self.chat}n{len(self.sent)}"
                self.sent[name] = self._message(name)
                await peer.say(self.sent[name], id=name)
            if self.chance.random() < 0.01:
                await peer.send(type="abort", scope="channel")
            self._take(await peer.receive())

    def _message(self, name: str) -> str:
        lines = [f"SAY {name}", f"SLOW {self.chance.choice([1, 2, 5, 10, 40, 100])} 0.01"]
        if self.chat in (1, 2) and len(self.sent) % 8 == 0:
            lines.insert(0, "SPAWN 60")
        return "\n".join(lines)

    def _take(self, event: Event) -> None:
        turn_id = event.get("turn_id", "")
        if self.follows and "cursor" in event:
            self.cursor = event["cursor"]
        match event["type"]:
            case "accepted":
                assert self.turns.setdefault(event["id"], turn_id) == turn_id, "one message, one turn"
            case "user_message":
                self.heard[turn_id] = ""
            case "text_delta" if turn_id in self.heard:
                self.heard[turn_id] += event["data"]
            case "result":
                outcome = Outcome.of(event)
                if outcome.status == "done" and turn_id in self.heard:
                    assert self.heard.pop(turn_id) == outcome.text
                name = next((name for name, known in self.turns.items() if known == turn_id), None)
                if name is not None:  # else its receipt was lost, and both come again
                    assert self.outcomes.setdefault(name, outcome) == outcome, "what was told once stays so"
            case "error":
                raise AssertionError(event)


async def everything_holds(plan: Plan, gateway: Lives, people: list[Person]) -> Counter[str]:
    """Check what the gateway, its database and its agent say of all that was accepted. Returns the outcomes, counted."""
    runs = executions(plan)
    assert max(Counter(run.text for run in runs).values()) == 1, "a message was run twice"
    ran = {run.text for run in runs}
    for person in people:
        assert await told_again(gateway, person) == person.outcomes
        expected: list[tuple[str, str, str]] = []
        for name, message in person.sent.items():
            outcome = person.outcomes[name]
            expected += [(outcome.turn_id, "user", message), (outcome.turn_id, outcome.status, outcome.text)]
            spoken = without_pids(outcome.text)
            assert whole_answer(message).startswith(spoken)
            assert message in ran or (outcome.status != "done" and not spoken)
            assert outcome.status != "done" or spoken == whole_answer(message)
        assert await history(gateway, person.chat) == expected
    return Counter(outcome.status for person in people for outcome in person.outcomes.values())


async def told_again(gateway: Lives, person: Person) -> dict[str, Outcome]:
    """What a new client hears that sends every message once more."""
    outcomes: dict[str, Outcome] = {}
    async with client(Address(gateway.port), chat_id=person.chat) as peer:
        for name, text in person.sent.items():
            await peer.say(text, id=name)
            accepted, result = await peer.receive(), await peer.receive()
            assert accepted == {
                "type": "accepted",
                "id": name,
                "turn_id": person.turns[name],
                "position": 0,
                "duplicate": True,
            }
            outcomes[name] = Outcome.of(result)
    return outcomes


async def history(gateway: Lives, chat: int) -> list[tuple[str, str, str]]:
    """(turn, sender or status, text) of all messages of a chat, over HTTP, page by page."""
    address, headers = (
        f"http://127.0.0.1:{gateway.port}/api/chat/sessions",
        {b"Authorization": f"Bearer {TOKEN}".encode()},
    )
    async with httpx.AsyncClient(headers=headers, timeout=PATIENCE_S) as http:
        [session] = (await http.get(address, params={"chat_id": chat})).json()
        messages: list[dict[str, Any]] = []
        more = True
        while more:
            before = {"before": messages[0]["id"]} if messages else {}
            page = (await http.get(f"{address}/{session['id']}/messages", params={"limit": 100, **before})).json()
            messages, more = page["messages"] + messages, page["has_more"]
        assert session["message_count"] == page["total"] == len(messages)
    return [(one["turn_id"], "user" if one["sender"] == "user" else one["status"], one["content"]) for one in messages]


def without_pids(text: str) -> str:
    return re.sub(r"^child (\d+ (grandchild (\d+\n?)?)?)?", "", text)


def whole_answer(message: str) -> str:
    """What the agent says to a message of ours, but for the pids of its children."""
    *_, say, slow = message.splitlines()
    return f"{say.removeprefix('SAY ')}\n" + "".join(f"w{number} " for number in range(int(slow.split()[1])))


def always_the_same(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - chance, not secrecy


async def survive(plan: Plan, seed: int) -> Counter[str]:
    """Kill the gateway `KILLS` times under load and look at what is left."""
    people = [Person(chat, always_the_same(seed * 1000 + chat)) for chat in range(1, SESSIONS + 1)]
    chance = always_the_same(seed)
    async with lives(plan) as gateway:
        talking = [asyncio.create_task(person.talk(gateway)) for person in people]
        try:
            for number in range(KILLS):
                await gateway.begin()
                if number % 2:  # the others may be ended before they take connections
                    async with asyncio.timeout(PATIENCE_S):
                        await gateway.up.wait()
                await asyncio.sleep(chance.uniform(0, LONGEST_LIFE_S))
                assert not any(task.done() for task in talking), "somebody gave up"
                await gateway.end()
            await gateway.begin()
            for person in people:
                person.is_leaving = True
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(*talking)
        finally:
            for task in talking:
                task.cancel()
            await asyncio.gather(*talking, return_exceptions=True)
        outcomes = await everything_holds(plan, gateway, people)
        await gateway.end(signal.SIGTERM)
        assert survivors(MARKER_VARIABLE, plan.marker) == set()
    return outcomes


async def test_thirty_kills_under_load_lose_nothing_and_run_nothing_twice(tmp_path: Path, database: str) -> None:
    plan = Plan(
        home=str(tmp_path / "home"),
        executions=str(tmp_path / "executions"),
        database=database,
        token=TOKEN,
        marker=new_mark(),
    )
    outcomes = await survive(plan, seed=11)
    assert min(outcomes["done"], outcomes["interrupted"], outcomes["aborted"]) > 0


async def test_a_first_start_that_breaks_off_leaves_nothing_in_the_way_of_the_next(tmp_path: Path) -> None:
    """A crash between two tables cannot be timed; a table that is in the way of the last one ends the same transaction."""
    file = tmp_path / "sygen.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE turn_parts (obstacle)")
    with pytest.raises(StorageError):
        await open_storage(file)
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("turn_parts",)]
        database.execute("DROP TABLE turn_parts")
    await (await open_storage(file)).close()
