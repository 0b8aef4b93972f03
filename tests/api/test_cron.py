"""Cron jobs over HTTP: made, changed, run and removed, and what is refused."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.conftest import Serve
from tests.api.wire import TOKEN, client

pytestmark = pytest.mark.asyncio(loop_scope="module")

CRON = "/api/cron"
LONG = "SLOW 5000 0.01"
JOB_FIELDS = {
    *("id", "title", "schedule", "timezone", "prompt", "agent", "provider", "model", "chat_id", "channel_id"),
    *("quiet_from", "quiet_to", "enabled", "missed", "created_at", "updated_at", "next_run_at", "last_run"),
}
RUN_FIELDS = {
    *("id", "source", "source_id", "title", "prompt", "agent", "provider", "model", "status", "created_at"),
    *("started_at", "ended_at", "duration_s", "session_id", "chat_id", "channel_id", "answer", "error", "attempt"),
}
YEARLY = {"title": "New year", "schedule": "0 0 1 1 *", "prompt": "SAY happy new year"}


def browser(gateway: Gateway) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=gateway.url, headers={b"Authorization": f"Bearer {TOKEN}".encode()})


@pytest_asyncio.fixture(loop_scope="module")
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(gateway) as one:
        yield one


async def make(http: httpx.AsyncClient, **fields: object) -> dict[str, Any]:
    answer = await http.post(CRON, json=YEARLY | fields)
    assert answer.status_code == 201, answer.text
    job: dict[str, Any] = answer.json()
    assert set(job) == JOB_FIELDS
    return job


async def run_to_its_end(gateway: Gateway, http: httpx.AsyncClient, job: dict[str, Any]) -> dict[str, Any]:
    """Run a job now, wait until its end is told, and return the run as it is then."""
    async with client(gateway) as listening:
        answer = await http.post(f"{CRON}/{job['id']}/run")
        assert answer.status_code == 202, answer.text
        begun = answer.json()
        assert set(begun) == RUN_FIELDS
        assert (begun["source"], begun["source_id"], begun["status"]) == ("cron", job["id"], "queued")
        told = ""
        while told != job["id"]:
            told = (await listening.until("notification"))[-1]["notification"]["source_id"]
    (run, *_) = (await http.get(f"{CRON}/{job['id']}/runs")).json()
    assert set(run) == RUN_FIELDS
    assert run["id"] == begun["id"]
    found: dict[str, Any] = run
    return found


async def test_a_job_is_made_with_the_defaults_of_the_gateway(http: httpx.AsyncClient) -> None:
    job = await make(http)
    assert job == job | YEARLY
    assert job["agent"] == "main"
    assert job["timezone"]
    assert job["next_run_at"] > time.time()
    assert (job["enabled"], job["missed"], job["last_run"]) == (True, "skip", None)
    assert (await http.get(f"{CRON}/{job['id']}")).json() == job
    assert job in (await http.get(CRON)).json()


async def test_a_change_touches_only_what_is_given_and_null_takes_back(http: httpx.AsyncClient) -> None:
    job = await make(http, chat_id=7, channel_id=8, provider="scripted", quiet_from="22:00", quiet_to="07:00")
    address = f"{CRON}/{job['id']}"
    changed = (await http.put(address, json={"enabled": False})).json()
    assert changed == job | {"enabled": False, "next_run_at": None, "updated_at": changed["updated_at"]}
    changed = (await http.put(address, json={"chat_id": None, "channel_id": None, "provider": None})).json()
    assert (changed["chat_id"], changed["channel_id"], changed["provider"]) == (None, None, None)
    assert (changed["quiet_from"], changed["quiet_to"]) == ("22:00", "07:00")
    assert (await http.put(address, json=job)).json() == job | {
        "updated_at": (await http.get(address)).json()["updated_at"]
    }


async def test_a_job_that_is_run_now_ends_in_a_notification_and_shows_its_last_run(
    gateway: Gateway, http: httpx.AsyncClient
) -> None:
    job = await make(http, chat_id=70, channel_id=71)
    last = await run_to_its_end(gateway, http, job)
    assert (last["chat_id"], last["channel_id"]) == (70, 71)
    assert (last["status"], last["answer"], last["error"]) == ("done", "happy new year", None)
    assert last["duration_s"] == pytest.approx(last["ended_at"] - last["started_at"])
    assert (await http.get(f"{CRON}/{job['id']}")).json()["last_run"] == last


async def test_a_job_that_runs_is_not_run_beside_itself(http: httpx.AsyncClient) -> None:
    job = await make(http, prompt=LONG)
    assert (await http.post(f"{CRON}/{job['id']}/run")).status_code == 202
    again = await http.post(f"{CRON}/{job['id']}/run")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_a_job_that_is_removed_is_gone(http: httpx.AsyncClient) -> None:
    job = await make(http)
    address = f"{CRON}/{job['id']}"
    assert (await http.delete(address)).status_code == 204
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/run"), ("GET", "/runs")):
        answer = await http.request(method, f"{address}{path}", json={} if method == "PUT" else None)
        assert (method, path, answer.status_code, answer.json()["code"]) == (method, path, 404, "not_found")
    assert job["id"] not in [one["id"] for one in (await http.get(CRON)).json()]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schedule": "61 * * * *"}, "The minute '61' is wrong. Allowed: 0-59"),
        ({"schedule": "0 0 30 2 *"}, "never comes"),
        ({"schedule": "@daily"}, "five fields"),
        ({"schedule": None}, "schedule"),
        ({"timezone": "Mars/Olympus"}, "There is no time zone 'Mars/Olympus'"),
        ({"title": ""}, "A title has"),
        ({"prompt": "\n"}, "A prompt has"),
        ({"prompt": "x" * 100_001}, "A prompt has"),
        ({"agent": "nobody"}, "There is no agent 'nobody'"),
        ({"chat_id": "7"}, "chat_id"),
        ({"chat_id": 2**53}, "`chat_id`"),
        ({"channel_id": 7}, "`chat_id`, too"),
        ({"model": "x"}, "`provider`, too"),
        ({"quiet_from": "22:00"}, "give both"),
        ({"quiet_from": "24:00", "quiet_to": "07:00"}, "not '24:00'"),
        ({"missed": "always"}, "missed"),
        ({"enabled": "yes"}, "enabled"),
    ],
)
async def test_what_cannot_be_is_refused_with_the_reason(
    http: httpx.AsyncClient, change: dict[str, object], reason: str
) -> None:
    job = await make(http)
    for answer in (
        await http.post(CRON, json=YEARLY | change),
        await http.put(f"{CRON}/{job['id']}", json=change),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
        assert reason in answer.json()["error"]
    assert (await http.get(f"{CRON}/{job['id']}")).json() == job


@pytest.mark.parametrize("limit", ["0", "-1", "abc", "201", ""])
async def test_a_wrong_limit_is_refused(http: httpx.AsyncClient, limit: str) -> None:
    job = await make(http)
    assert (await http.get(f"{CRON}/{job['id']}/runs", params={"limit": limit})).status_code == 422


async def test_what_is_no_job_is_a_bad_request(http: httpx.AsyncClient) -> None:
    for body in ("{", '{"title": "x"}', ""):
        answer = await http.post(CRON, content=body, headers={"Content-Type": "application/json"})
        assert (body, answer.status_code) == (body, 400)
    answer = await http.post(CRON, content="[" * 100_000, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)


async def test_nothing_is_told_without_the_token(gateway: Gateway) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as stranger:
        assert (await stranger.get(CRON)).status_code == 401
        assert (await stranger.post(CRON, json=YEARLY)).status_code == 401


async def test_jobs_and_their_runs_survive_a_restart(serve: Serve) -> None:
    async with serve() as gateway, browser(gateway) as http:
        job = await make(http)
        last = await run_to_its_end(gateway, http, job)
    async with serve() as gateway, browser(gateway) as http:
        assert (await http.get(CRON)).json() == [job | {"last_run": last}]


async def test_where_cron_is_off_there_is_none(serve: Serve) -> None:
    async with serve({"cron.enabled": False}) as gateway, browser(gateway) as http:
        assert (await http.get(CRON)).status_code == 404
