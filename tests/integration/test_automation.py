"""A cron job, a signed webhook and a task through the real Claude Code: each is told once, at once, to everybody."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.anthropic_api import FakeAnthropic
from tests.integration.test_claude_gateway import TOKEN, Client, client, gateway_in

pytestmark = pytest.mark.integration

SECRET = "a secret of sixteen"
SOON_S = 1.0


async def heard(peer: Client, count: int) -> list[tuple[dict[str, Any], float]]:
    """The next notifications, each with when it came."""
    return [((await peer.until("notification"))[-1]["notification"], time.time()) for _ in range(count)]


async def test_each_leads_to_one_notification_and_one_push_on_every_client(tmp_path: Path) -> None:
    async with (
        FakeAnthropic() as api,
        gateway_in(tmp_path, api) as gateway,
        client(gateway) as one,
        client(gateway) as two,
    ):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=30) as http:
            listening = [asyncio.create_task(heard(peer, 3)) for peer in (one, two)]
            await http.post("/api/tasks", json={"prompt": "SAY the task", "title": "task"})
            job = {"title": "job", "schedule": "0 0 1 1 *", "prompt": "SAY the job"}
            job_id = (await http.post("/api/cron", json=job)).json()["id"]
            assert (await http.post(f"/api/cron/{job_id}/run")).status_code == 202
            hook = {"title": "hook", "template": "SAY {{ action }}", "auth": "github", "secret": SECRET}
            path = (await http.post("/api/webhooks", json=hook)).json()["path"]
            body = json.dumps({"action": "opened"}).encode()
            signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
            signed = {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": "d1", "Content-Type": "application/json"}
            async with httpx.AsyncClient(base_url=gateway.url) as github:
                assert (await github.post(path, content=body, headers=signed)).status_code == 202
            async with asyncio.timeout(60):
                told = await asyncio.gather(*listening)
            kept = (await http.get("/api/notifications")).json()
            runs = {
                run["id"]: run
                for url in ("/api/tasks", f"/api/cron/{job_id}/runs", f"/api/webhooks/{path.rpartition('/')[2]}/runs")
                for run in (await http.get(url)).json()
            }
    assert sorted(one["type"] for one in kept) == ["cron", "task", "webhook"]
    assert {run["status"] for run in runs.values()} == {"done"}
    for notifications in told:
        assert sorted(one["id"] for one, _ in notifications) == sorted(one["id"] for one in kept)
        for notification, came_at in notifications:
            assert came_at - runs[notification["id"].removeprefix("run-")]["ended_at"] < SOON_S
