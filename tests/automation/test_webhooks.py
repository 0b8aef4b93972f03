"""Webhooks with a real database, runner and orchestrator: what is delivered is proved, bounded, and run once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from sygen_bot.automation.runner import Runner
from sygen_bot.automation.signatures import sign
from sygen_bot.automation.webhooks import HookWrong, NotProved, Receipt, TooOften, Webhooks
from sygen_bot.errors import BadRequest, Conflict, NotFound, RequestError
from sygen_bot.notifications.center import NotificationCenter, Read
from sygen_bot.providers.registry import ProviderRegistry
from sygen_bot.session.key import SessionKey
from sygen_bot.storage.engine import Storage, open_storage
from sygen_bot.storage.hooks import HookAuth, HookStore
from sygen_bot.storage.notifications import Notification, NotificationStore
from sygen_bot.storage.runs import Run, RunStore
from sygen_bot.storage.sessions import SessionStore
from sygen_bot.testing.scripted import ScriptedProvider
from tests.orchestrator.alone import orchestrator_alone

SECRET = "a secret of the sender"
RATE = 60
START = 1_700_000_000.0
AUTHS: tuple[HookAuth, ...] = ("bearer", "github", "stripe")


class Clock:
    """Only moves when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Rig:
    """A database and everything that turns a delivery into a notification."""

    def __init__(self, storage: Storage, tmp_path: Path) -> None:
        self.clock = Clock()
        self.store, self.runs = HookStore(storage), RunStore(storage)
        self.registry = ProviderRegistry([ScriptedProvider(run_dir=tmp_path / "run")])
        self.told: list[Notification] = []
        self._news = asyncio.Event()
        self.center = NotificationCenter(NotificationStore(storage))
        self.center.listen(self._hear)
        self.orchestrator = orchestrator_alone(
            storage, self.registry, tmp_path, store=SessionStore(storage), queue_limit=1000
        )
        self.runner = self.new_runner()
        self.webhooks = self.again()

    def new_runner(self) -> Runner:
        return Runner(
            agents=self.orchestrator,
            store=self.runs,
            notifications=self.center,
            max_parallel=4,
            clock=self.clock,
        )

    def again(self, rate_per_minute: int = RATE) -> Webhooks:
        """The webhooks of another gateway on the same database."""
        return Webhooks(
            store=self.store,
            runner=self.runner,
            notifications=self.center,
            agents=["main", "ada"],
            default_agent="main",
            default_chat_id=9,
            rate_per_minute=rate_per_minute,
            find_target=self.registry.named,
            clock=self.clock,
        )

    def _hear(self, news: Notification | Read) -> None:
        if isinstance(news, Notification):
            self.told.append(news)
            self._news.set()

    async def notified(self, count: int) -> list[Notification]:
        """What was told, once it is so much."""
        async with asyncio.timeout(30):
            while len(self.told) < count:
                self._news.clear()
                await self._news.wait()
        return self.told

    async def hook(self, auth: HookAuth = "github", template: str = "SAY got {{ n }}", **rest: Any) -> str:
        hook, secret = await self.webhooks.create(title="Shop", template=template, auth=auth, secret=SECRET, **rest)
        assert secret == SECRET
        return hook.id

    async def send(
        self, hook_id: str, payload: object = None, *, auth: HookAuth = "github", delivery_id: str | None = None
    ) -> Receipt:
        """Deliver as that kind of sender does."""
        body = payload if isinstance(payload, bytes) else json.dumps({} if payload is None else payload).encode()
        headers = sign(auth, SECRET, body, now=self.clock.now, delivery_id=delivery_id)
        return await self.webhooks.receive(hook_id, headers, body)

    async def run_of(self, receipt: Receipt) -> Run:
        run = await self.runs.get(receipt.run_id)
        assert run is not None
        return run

    async def refusals(self, hook_id: str) -> list[str | None]:
        return [one.refusal for one in await self.store.delivered(hook_id, limit=100)]


@asynccontextmanager
async def rig_on(database: str | Path, tmp_path: Path) -> AsyncIterator[Rig]:
    storage = await open_storage(database)
    rig = Rig(storage, tmp_path)
    await rig.registry.refresh()
    yield rig
    rig.runner.refuse()
    await rig.orchestrator.drain(0)
    await rig.runner.close()
    await rig.registry.close()
    await storage.close()


@pytest.fixture
async def rig(database: str, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig_on(database, tmp_path) as rig:
        yield rig


@pytest.fixture
async def light(tmp_path: Path) -> AsyncIterator[Rig]:
    """For what has nothing to do with the kind of database."""
    async with rig_on(tmp_path / "light.db", tmp_path) as rig:
        yield rig


# --- from a delivery to a notification --------------------------------------------------------------------------------


@pytest.mark.parametrize("auth", AUTHS)
async def test_a_delivery_leads_to_one_run_and_one_notification(rig: Rig, auth: HookAuth) -> None:
    hook_id = await rig.hook(auth)
    receipt = await rig.send(hook_id, {"id": "evt_1", "n": 42}, auth=auth, delivery_id="evt_1")
    assert (receipt.delivery_id, receipt.is_duplicate) == ("evt_1", False)
    (told,) = await rig.notified(1)
    assert (told.type, told.status, told.severity, told.source_id) == ("webhook", "done", "info", hook_id)
    assert "got 42" in told.body
    run = await rig.run_of(receipt)
    assert (run.source, run.source_id, run.status, run.key.transport) == ("webhook", hook_id, "done", "task")
    assert told.chat_id is None


async def test_a_hook_in_a_chat_speaks_there(rig: Rig) -> None:
    hook_id = await rig.hook(mode="chat", chat_id=5, channel_id=6)
    run = await rig.run_of(await rig.send(hook_id, {"n": 1}))
    assert run.key == SessionKey("api", 5, 6)
    (told,) = await rig.notified(1)
    assert (told.chat_id, told.channel_id) == (5, 6)
    other = await rig.hook(mode="chat", provider="scripted")
    run = await rig.run_of(await rig.send(other, {"n": 2}))
    assert run.key == SessionKey("api", 9, None), "the default chat"
    await rig.notified(2)
    assert "got 2" in rig.told[1].body


async def test_a_payload_is_no_command_and_chooses_nobody(rig: Rig) -> None:
    hook_id = await rig.hook(template="{{ text }}", mode="chat", chat_id=5)
    for text in ("/model scripted", "@scripted SAY owned", "/new"):
        await rig.send(hook_id, {"text": text})
    for told in await rig.notified(3):
        assert "From now on" not in told.body
        assert "New conversation" not in told.body


async def test_two_hundred_deliveries_at_once_each_have_their_run(rig: Rig) -> None:
    rig.webhooks = rig.again(rate_per_minute=1000)
    hook_id = await rig.hook(template="SAY {{ n }}")
    receipts = await asyncio.gather(*(rig.send(hook_id, {"n": n}, delivery_id=f"d{n}") for n in range(200)))
    assert len({receipt.run_id for receipt in receipts}) == 200
    await rig.notified(200)
    ended = await rig.webhooks.runs(hook_id, before=None, limit=200)
    assert {run.id for run in ended} == {receipt.run_id for receipt in receipts}
    assert {run.status for run in ended} == {"done"}
    assert await rig.refusals(hook_id) == [None] * 100


# --- once -------------------------------------------------------------------------------------------------------------


async def test_a_delivery_that_comes_again_and_again_runs_once(rig: Rig) -> None:
    hook_id = await rig.hook()
    receipts = await asyncio.gather(*(rig.send(hook_id, {"n": 1}, delivery_id="same") for _ in range(30)))
    assert [receipt.is_duplicate for receipt in receipts].count(False) == 1
    assert len({receipt.run_id for receipt in receipts}) == 1
    rig.webhooks = rig.again()
    late = await rig.send(hook_id, {"n": 2}, delivery_id="same")
    assert (late.is_duplicate, late.run_id) == (True, receipts[0].run_id), "in the next gateway too"
    await rig.notified(1)
    assert len(await rig.webhooks.runs(hook_id, before=None, limit=9)) == 1


async def test_what_was_taken_by_a_gateway_that_is_gone_is_run_by_the_next(rig: Rig) -> None:
    hook_id = await rig.hook()
    rig.runner.refuse()
    receipt = await rig.send(hook_id, {"n": 1}, delivery_id="same")
    assert (await rig.run_of(receipt)).status == "queued"
    rig.runner = rig.new_runner()
    await rig.runner.start()
    rig.webhooks = rig.again()
    assert (await rig.send(hook_id, {"n": 1}, delivery_id="same")).is_duplicate
    (told,) = await rig.notified(1)
    assert "got 1" in told.body
    assert (await rig.run_of(receipt)).status == "done"


async def test_what_is_forgotten_is_still_not_run_twice(rig: Rig) -> None:
    hook_id = await rig.hook()
    first = await rig.send(hook_id, delivery_id="same")
    rig.clock.now += 31 * 86400
    assert await rig.webhooks.forget(before=rig.clock.now - 30 * 86400) == 1
    again = await rig.send(hook_id, delivery_id="same")
    assert (again.is_duplicate, again.run_id) == (True, first.run_id)


async def test_without_a_name_each_delivery_is_a_new_one(rig: Rig) -> None:
    hook_id = await rig.hook("bearer")
    one, other = [await rig.send(hook_id, {"n": 1}, auth="bearer") for _ in range(2)]
    assert one.run_id != other.run_id
    assert one.delivery_id != other.delivery_id


async def test_an_event_of_stripe_is_known_by_its_id_whenever_it_is_signed(light: Rig) -> None:
    hook_id = await light.hook("stripe")
    one = await light.send(hook_id, {"id": "evt_1"}, auth="stripe")
    light.clock.now += 3600
    again = await light.send(hook_id, {"id": "evt_1"}, auth="stripe")
    assert (again.is_duplicate, again.run_id) == (True, one.run_id)
    other = await light.hook("stripe")
    assert not (await light.send(other, {"id": "evt_1"}, auth="stripe")).is_duplicate


async def test_a_recorded_delivery_of_stripe_is_worth_nothing_later(rig: Rig) -> None:
    hook_id, body = await rig.hook("stripe"), b'{"id": "evt_1"}'
    headers = sign("stripe", SECRET, body, now=START)
    for moved in (301, -301):
        rig.clock.now = START + moved
        with pytest.raises(NotProved):
            await rig.webhooks.receive(hook_id, headers, body)
    rig.clock.now = START + 299
    await rig.webhooks.receive(hook_id, headers, body)


# --- refused ----------------------------------------------------------------------------------------------------------


async def test_who_has_no_secret_learns_nothing_and_leaves_nothing(rig: Rig) -> None:
    hook_id, off = await rig.hook(), await rig.hook(is_enabled=False)
    body = b"not even JSON"
    right, wrong = (sign("github", secret, body, now=START) for secret in (SECRET, "another secret!!"))
    tries = [(hook_id, wrong), (hook_id, {}), (off, right), (off, wrong), ("unknown", right), ("\0\ud800" * 99, {})]
    answers = set()
    with structlog.testing.capture_logs() as logged:
        for name, headers in tries:
            with pytest.raises(NotProved) as refused:
                await rig.webhooks.receive(name, headers, body)
            answers.add(str(refused.value))
    assert len(answers) == 1
    assert await rig.refusals(hook_id) == await rig.refusals(off) == []
    assert [one["event"] for one in logged] == ["hook_refused"] * len(tries)
    assert SECRET not in str(logged)
    assert right["x-hub-signature-256"] not in str(logged)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"\xff", "not UTF-8"),
        (b"{", "no JSON"),
        (b"[]", "no JSON object"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "deeper than 64"),
    ],
)
async def test_what_is_no_object_is_refused_with_a_reason_that_is_kept(light: Rig, body: bytes, told: str) -> None:
    for auth in AUTHS:
        hook_id = await light.hook(auth)
        with pytest.raises(BadRequest, match=told):
            await light.send(hook_id, body, auth=auth)
        (refusal,) = await light.refusals(hook_id)
        assert told in (refusal or "")
    assert await light.runs.unfinished() == []
    assert light.told == []


async def test_a_hook_takes_so_many_a_minute_and_then_again(rig: Rig) -> None:
    hook_id, other = await rig.hook(), await rig.hook()
    answers = await asyncio.gather(
        *(rig.send(hook_id, delivery_id=f"d{n}") for n in range(RATE + 5)), return_exceptions=True
    )
    refused = [one for one in answers if isinstance(one, TooOften)]
    assert (len(answers) - len(refused), len(refused)) == (RATE, 5)
    assert {one.retry_after_s for one in refused} == {1}
    assert len([one for one in await rig.refusals(hook_id) if one]) == 5
    assert not (await rig.send(other)).is_duplicate, "others are left alone"
    rig.clock.now -= 1000
    with pytest.raises(TooOften):
        await rig.send(hook_id)
    rig.clock.now += 1
    some_refused = next(n for n, one in enumerate(answers) if isinstance(one, TooOften))
    late = await rig.send(hook_id, delivery_id=f"d{some_refused}")
    assert not late.is_duplicate, "what was refused may come again"


async def test_a_sender_that_floods_fills_nothing(light: Rig) -> None:
    hook_id = await light.hook()
    for number in range(3 * RATE):
        try:
            await light.send(hook_id, b"x", delivery_id=f"d{number}")
        except RequestError:
            continue
    assert len(await light.store.delivered(hook_id, limit=1000)) == RATE


async def test_strangers_do_not_use_up_the_rate(light: Rig) -> None:
    hook_id = await light.hook()
    for _ in range(2 * RATE):
        with pytest.raises(NotProved):
            await light.webhooks.receive(hook_id, {"x-hub-signature-256": "sha256=" + "0" * 64}, b"{}")
    assert not (await light.send(hook_id)).is_duplicate


async def test_a_template_that_fails_refuses_and_its_owner_is_told_once(rig: Rig) -> None:
    hook_id = await rig.hook(template="{{ n + 1 }}")
    for number in range(3):
        with pytest.raises(RequestError, match="line 1") as refused:
            await rig.send(hook_id, {"n": "text"}, delivery_id=f"d{number}")
        assert refused.value.code == "invalid"
    (told,) = rig.told
    assert (told.type, told.severity, told.status, told.source_id) == ("webhook", "critical", "failed", hook_id)
    assert "line 1" in told.body
    assert len(await rig.refusals(hook_id)) == 3
    rig.clock.now += 1
    await rig.webhooks.update(hook_id, template="SAY {{ n }}")
    mended = await rig.send(hook_id, {"n": "text"}, delivery_id="d0")
    assert not mended.is_duplicate
    await rig.notified(2)


# --- managed ----------------------------------------------------------------------------------------------------------


async def test_a_secret_is_made_shown_once_and_of_a_token_only_the_digest_kept(light: Rig) -> None:
    made = [await light.webhooks.create(title="t", template="x", auth=auth) for auth in AUTHS]
    assert len({secret for _, secret in made}) == 3
    assert all(len(secret) >= 43 for _, secret in made)
    hook, secret = made[0]
    assert secret not in repr(await light.store.get(hook.id))
    for wrong in ("", "x" * 15, "x" * 600, "with a\nline break", "\ud800" * 20):
        with pytest.raises(HookWrong):
            await light.webhooks.create(title="t", template="x", secret=wrong)
        with pytest.raises(HookWrong):
            await light.webhooks.rotate_secret(hook.id, wrong)


@pytest.mark.parametrize("auth", AUTHS)
async def test_a_replaced_secret_opens_nothing_any_more(rig: Rig, auth: HookAuth) -> None:
    hook_id = await rig.hook(auth)
    new = await rig.webhooks.rotate_secret(hook_id)
    with pytest.raises(NotProved):
        await rig.send(hook_id, {"id": "a"}, auth=auth)
    body = b'{"id": "b"}'
    await rig.webhooks.receive(hook_id, sign(auth, new, body, now=START), body)
    assert await rig.webhooks.rotate_secret(hook_id, SECRET) == SECRET
    await rig.send(hook_id, {"id": "c"}, auth=auth)


async def test_a_change_at_the_same_time_does_not_bring_an_old_secret_back(light: Rig) -> None:
    hook_id = await light.hook()
    changes = [light.webhooks.update(hook_id, title=f"t{n}") for n in range(10)]
    *_, new = await asyncio.gather(*changes, light.webhooks.rotate_secret(hook_id))
    hook = await light.webhooks.get(hook_id)
    assert (hook.title, hook.secret) == ("t9", new)


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""},
        {"title": " \n "},
        {"title": "x" * 201},
        {"template": ""},
        {"template": "{{ a"},
        {"agent": "nobody"},
        {"provider": "nobody"},
        {"model": "nothing"},
        {"mode": "task", "chat_id": 5},
        {"mode": "chat", "chat_id": 0},
        {"mode": "chat", "chat_id": 2**53},
        {"mode": "chat", "channel_id": -1},
    ],
)
async def test_a_hook_that_cannot_be_is_refused_when_it_is_made_or_changed(light: Rig, wrong: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as refused:
        await light.hook(**wrong) if "title" not in wrong else await light.webhooks.create(template="x", **wrong)
    assert refused.value.code == "invalid"
    assert await light.webhooks.listed() == []
    hook_id = await light.hook()
    before = await light.webhooks.get(hook_id)
    with pytest.raises(RequestError):
        await light.webhooks.update(hook_id, **wrong)
    assert await light.webhooks.get(hook_id) == before


async def test_only_what_is_named_changes(rig: Rig) -> None:
    hook_id = await rig.hook(mode="chat", chat_id=5, provider="scripted", agent="ada")
    rig.clock.now += 5
    hook = await rig.webhooks.update(hook_id, title=" a\tb\n", is_enabled=False)
    assert (hook.title, hook.is_enabled, hook.chat_id, hook.provider, hook.agent) == (
        "a b",
        False,
        5,
        "scripted",
        "ada",
    )
    assert hook.updated_at == hook.created_at + 5
    hook = await rig.webhooks.update(hook_id, mode="task", provider=None)
    assert (hook.mode, hook.chat_id, hook.provider) == ("task", None, None)
    assert [await rig.webhooks.get(hook_id)] == await rig.webhooks.listed() == [hook]


async def test_what_is_not_there_is_not_found(rig: Rig) -> None:
    hook_id = await rig.hook()
    await rig.send(hook_id)
    await rig.webhooks.remove(hook_id)
    for asked in (
        rig.webhooks.get(hook_id),
        rig.webhooks.update(hook_id, title="x"),
        rig.webhooks.remove(hook_id),
        rig.webhooks.rotate_secret(hook_id),
        rig.webhooks.test(hook_id),
        rig.webhooks.delivered(hook_id, limit=1),
        rig.webhooks.runs(hook_id, before=None, limit=1),
    ):
        with pytest.raises(NotFound):
            await asked
    with pytest.raises(NotProved):
        await rig.send(hook_id)
    await rig.notified(1)


@pytest.mark.parametrize("auth", AUTHS)
async def test_a_sample_goes_the_whole_way(rig: Rig, auth: HookAuth) -> None:
    hook_id = await rig.hook(auth, template="SAY {{ n }} {{ id }}")
    one, other = await rig.webhooks.test(hook_id), await rig.webhooks.test(hook_id, {"n": 5})
    assert one.run_id != other.run_id
    assert not one.is_duplicate
    assert one.delivery_id.startswith("test-")
    told = await rig.notified(2)
    assert any("5 " in one.body for one in told)
    await rig.webhooks.update(hook_id, is_enabled=False)
    with pytest.raises(Conflict):
        await rig.webhooks.test(hook_id)
