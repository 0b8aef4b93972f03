"""Two thousand signed deliveries to one webhook, and whether each of them has its run."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
import uvloop

from benchmarks.gateway import Running, gateway
from benchmarks.samples import milliseconds
from sygen_bot.config import save_setting
from sygen_bot.paths import Paths

DELIVERIES: Final = 2000
SENDERS: Final = 40
TARGET_S: Final = 10
_SECRET: Final = "a secret for a benchmark"  # noqa: S105 - of a hook that lives for a minute
_LIMIT_S: Final = 60.0


def run() -> dict[str, Any]:
    """All of them at once, from as many connections as `SENDERS`."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return {"deliveries": DELIVERIES, "senders": SENDERS, "target_s": TARGET_S, **runner.run(_measure())}


async def _measure() -> dict[str, Any]:
    with TemporaryDirectory(prefix="sygen-benchmark-") as folder:
        home = Path(folder) / "home"
        save_setting(Paths(home), "webhooks.rate_per_minute", DELIVERIES * 2)
        with gateway("--provider", "scripted", home=home) as server:
            return await _measure_with(server)


async def _measure_with(server: Running) -> dict[str, Any]:
    token = {"Authorization": f"Bearer {server.token}"}
    url = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(base_url=url, headers=token, timeout=_LIMIT_S) as http:
        hook = {"title": "hook", "template": "SAY {{ number }}", "auth": "github", "secret": _SECRET}
        path = (await http.post("/api/webhooks", json=hook)).json()["path"]
        began = time.perf_counter()
        waits, receipts = await _deliver(server, path)
        took = time.perf_counter() - began
        runs = await _ended_runs(http, path.rpartition("/")[2])
        ended = time.perf_counter() - began
    assert set(receipts) == set(runs), "every 202 has its run"
    return {
        "accepted": len(receipts),
        "took_s": round(took, 2),
        "all_ended_s": round(ended, 2),
        "wait_ms": milliseconds(waits),
        "runs": len(runs),
    }


async def _deliver(server: Running, path: str) -> tuple[list[float], list[str]]:
    waits: list[float] = []
    receipts: list[str] = []
    numbers = iter(range(DELIVERIES))

    async def send() -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=_LIMIT_S) as http:
            for number in numbers:
                body = json.dumps({"number": number}).encode()
                signature = "sha256=" + hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()
                headers = {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": str(number)}
                asked = time.perf_counter()
                answer = await http.post(path, content=body, headers=headers | {"Content-Type": "application/json"})
                waits.append(time.perf_counter() - asked)
                if answer.status_code == httpx.codes.ACCEPTED:
                    receipts.append(answer.json()["run_id"])

    await asyncio.gather(*(send() for _ in range(SENDERS)))
    return waits, receipts


async def _ended_runs(http: httpx.AsyncClient, hook_id: str) -> list[str]:
    """The ids of the hook's runs, when all have ended."""
    async with asyncio.timeout(_LIMIT_S):
        while True:
            found: list[dict[str, Any]] = []
            while True:
                before = {"before": found[-1]["id"]} if found else {}
                page = (await http.get(f"/api/webhooks/{hook_id}/runs", params={"limit": 200, **before})).json()
                found += page
                if len(page) < 200:
                    break
            if all(one["ended_at"] is not None for one in found):
                return [one["id"] for one in found]
            await asyncio.sleep(0.5)
