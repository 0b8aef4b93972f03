"""A gateway that is killed while cron jobs, webhooks and tasks run: each of them ends in one notification, and none is run twice."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.wire import TOKEN
from tests.fakes.survivors import new_mark
from tests.integration.crash_gateway import Lives, Plan, executions, lives

pytestmark = pytest.mark.integration

KILLS = 12
PATIENCE_S = 40.0
AUTHORIZED = {b"Authorization": f"Bearer {TOKEN}".encode()}


class Caller:
    """Makes tasks, calls a webhook and starts a job, again and again, and remembers what the gateway said it had taken."""

    def __init__(self, gateway: Lives) -> None:
        self.gateway = gateway
        self.taken: set[str] = set()
        self.is_leaving = False
        self.hook: dict[str, Any] = {}
        self.job: dict[str, Any] = {}
        self.calls = 0

    async def prepare(self) -> None:
        self.hook = await self.post("/api/webhooks", {"title": "hook", "template": "SAY {{ said }}\nSLOW 20 0.01"})
        body = {"title": "job", "schedule": "0 0 1 1 *", "prompt": "SAY job\nSLOW 20 0.01"}
        self.job = await self.post("/api/cron", body)

    async def post(self, path: str, body: object = None, headers: dict[bytes, bytes] | None = None) -> Any:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.gateway.port}", timeout=PATIENCE_S) as http:
            answer = await http.post(path, json=body, headers=headers or AUTHORIZED)
        if answer.status_code == 409:  # the job runs still
            return None
        assert answer.is_success, answer.text
        return answer.json()

    async def keep_calling(self) -> None:
        while not self.is_leaving:
            await self.gateway.up.wait()
            try:
                await self.call_once()
            except (httpx.HTTPError, OSError):
                await asyncio.sleep(0.02)

    async def call_once(self) -> None:
        self.calls += 1
        made = await self.post("/api/tasks", {"prompt": f"SAY task {self.calls}\nSLOW 10 0.01", "repeats": False})
        self.taken.add(made["id"])
        secret, delivery = self.hook["secret"], f"d{self.calls}"
        headers = {b"Authorization": f"Bearer {secret}".encode(), b"X-Delivery-Id": delivery.encode()}
        for _ in range(2):  # the sender did not hear that it was taken
            delivered = await self.post(self.hook["path"], {"said": f"hook {self.calls}"}, headers)
            self.taken.add(delivered["run_id"])
        if (started := await self.post(f"/api/cron/{self.job['id']}/run")) is not None:
            self.taken.add(started["id"])


async def ended_runs(gateway: Lives, wanted: set[str]) -> list[dict[str, Any]]:
    """All notifications, when there is one for each of the runs."""
    address = f"http://127.0.0.1:{gateway.port}"
    async with asyncio.timeout(PATIENCE_S), httpx.AsyncClient(base_url=address, headers=AUTHORIZED) as http:
        while True:
            found: list[dict[str, Any]] = []
            while True:
                before = {"before": found[-1]["id"]} if found else {}
                page = (await http.get("/api/notifications", params={"limit": 200, **before})).json()
                found += page
                if len(page) < 200:
                    break
            if wanted <= {one["id"].removeprefix("run-") for one in found}:
                return found
            await asyncio.sleep(0.1)


async def test_whatever_was_taken_ends_once_and_is_told_once(tmp_path: Path) -> None:
    plan = Plan(
        home=str(tmp_path / "home"),
        executions=str(tmp_path / "executions"),
        token=TOKEN,
        marker=new_mark(),
        database=f"sqlite:///{tmp_path / 'sygen.db'}",
    )
    chance = random.Random(5)  # noqa: S311 - the same kills every time
    async with lives(plan) as gateway:
        await gateway.begin()
        await asyncio.wait_for(gateway.up.wait(), PATIENCE_S)
        caller = Caller(gateway)
        await caller.prepare()
        calling = asyncio.create_task(caller.keep_calling())
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.05, 0.3))
            await gateway.end()
            await gateway.begin()
            await asyncio.wait_for(gateway.up.wait(), PATIENCE_S)
        caller.is_leaving = True
        await calling
        notifications = await ended_runs(gateway, caller.taken)
    assert caller.calls > KILLS
    assert max(Counter(one["id"] for one in notifications).values()) == 1
    assert {one["type"] for one in notifications} == {"task", "webhook", "cron"}
    statuses = Counter(one["status"] for one in notifications)
    assert statuses["done"], json.dumps(statuses)
    assert set(statuses) <= {"done", "interrupted"}, json.dumps(statuses)
    ran = Counter(run.text for run in executions(plan) if "job" not in run.text)
    assert max(ran.values()) == 1, "something was run twice"
    assert max(Counter(run.turn_id for run in executions(plan)).values()) == 1
