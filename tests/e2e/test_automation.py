"""What agents do in the background: tasks, cron jobs and webhooks, made and run on the page."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.async_api import expect

from tests.e2e.people import Person
from tests.e2e.rig import GatewayProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_task_is_made_runs_and_is_removed(person: Person) -> None:
    page = person.page
    await person.come()
    await person.chats.get_by_role("link", name="Automation").click()
    await page.get_by_role("link", name="New task").click()
    form = page.get_by_role("form", name="New task")
    await form.get_by_role("button", name="Start").click()
    prompt = form.get_by_role("textbox", name="What is to be done")
    await expect(prompt).to_have_attribute("aria-invalid", "true")
    await expect(prompt).to_be_focused()
    await prompt.fill('THINK hm\nTOOL Bash {"command": "ls"}\nSAY **all done**')
    await form.get_by_role("textbox", name="Name").fill("A task of mine")
    await page.reload()
    await expect(prompt).to_have_value(re.compile("all done"))  # what was typed is kept
    await form.get_by_role("button", name="Start").click()

    await expect(page.get_by_role("heading", name="A task of mine", level=1)).to_be_visible()
    await expect(page.get_by_role("status").filter(has_text="Done")).to_be_visible()
    await expect(page.get_by_role("main").locator("strong", has_text="all done")).to_be_visible()
    await page.get_by_role("link", name="Tasks").click()
    item = page.get_by_role("listitem").filter(has_text="A task of mine")
    await expect(item).to_contain_text("Done")
    await item.get_by_role("link").click()
    await person.button("Delete").click()
    dialog = page.get_by_role("dialog", name="Delete this task?")
    await dialog.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("heading", name="Automation", level=1)).to_be_visible()
    await expect(item).to_be_hidden()


async def test_a_running_task_is_watched_and_stopped(person: Person) -> None:
    task = await person.gateway.api("POST", "/api/tasks", {"prompt": "SLOW 600 0.05", "title": "Long"})
    await person.come()
    await person.go(f"/automation/tasks/{task['id']}")
    await expect(person.page.get_by_role("status").filter(has_text="Running")).to_be_visible()
    await person.button("Stop").click()
    await expect(person.page.get_by_role("status").filter(has_text="Stopped")).to_be_visible()


async def test_a_cron_job_is_made_run_changed_and_switched_off(person: Person) -> None:
    page = person.page
    await person.come()
    await person.go("/automation/cron/new")
    form = page.get_by_role("form", name="New cron job")
    await form.get_by_role("textbox", name="What is to be done").fill("SAY good morning")
    await form.get_by_role("textbox", name="Name").fill("Mornings")
    await form.get_by_role("combobox", name="Schedule").select_option("Every week")
    await form.get_by_role("combobox", name="Day of the week").select_option("Friday")
    await form.get_by_label("Time", exact=True).fill("07:30")
    await form.get_by_role("combobox", name="Time zone").fill("Europe/Berlin")
    await form.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("heading", name="Mornings", level=1)).to_be_visible()
    await expect(page.get_by_role("main")).to_contain_text(re.compile(r"Every Friday at 0?7:30"))

    await person.button("Run now").click()
    run = page.get_by_role("listitem").filter(has_text="good morning")
    await expect(run).to_contain_text("Done")
    await run.get_by_role("button").click()
    await expect(run.get_by_role("paragraph").filter(has_text="good morning")).to_be_visible()

    await person.button("Edit").click()
    form = page.get_by_role("form", name="Edit")
    await form.get_by_role("combobox", name="Schedule").select_option("Cron expression")
    await form.get_by_role("textbox", name="Expression").fill("not a schedule")
    await form.get_by_role("button", name="Save").click()
    await expect(form.get_by_role("textbox", name="Expression")).to_have_attribute("aria-invalid", "true")
    await form.get_by_role("textbox", name="Expression").fill("*/15 * * * *")
    await form.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("main")).to_contain_text("Every 15 minutes")
    await page.get_by_role("group", name="Mornings").get_by_text("Active").click()
    await expect(page.get_by_role("main")).to_contain_text("Not while it is off")


async def test_a_webhook_is_made_called_and_tried(person: Person, gateway: GatewayProcess) -> None:
    page = person.page
    await person.come()
    await person.go("/automation/webhooks/new")
    form = page.get_by_role("form", name="New webhook")
    await form.get_by_role("textbox", name="Name").fill("Callers")
    await form.get_by_role("textbox", name="What the agent is told").fill("SAY it says {{ words }}")
    await form.get_by_role("button", name="Create").click()
    fresh = page.get_by_role("region", name="Keep this secret now")
    await expect(fresh.get_by_role("heading", name="Keep this secret now")).to_be_focused()
    secret = await fresh.get_by_role("region", name="Secret", exact=True).inner_text()
    address = await fresh.get_by_role("region", name="Address", exact=True).inner_text()

    async with httpx.AsyncClient() as service:
        answer = await service.post(address, json={"words": "hello"}, headers={"Authorization": f"Bearer {secret}"})
    assert answer.is_success, answer.text
    await person.button("I have kept it").click()
    await expect(fresh).to_be_hidden()
    await expect(page.get_by_text("Accepted")).to_have_count(1)
    await expect(page.get_by_role("listitem").filter(has_text="it says hello")).to_contain_text("Done")

    await page.get_by_text("Deliver a test").click()
    trial = page.get_by_role("form", name="Deliver a test")
    await trial.get_by_role("textbox", name="What is delivered").fill("{no json")
    await trial.get_by_role("button", name="Deliver it").click()
    await expect(trial.get_by_text("This is no JSON object")).to_be_visible()
    await trial.get_by_role("textbox", name="What is delivered").fill('{"words": "from the page"}')
    await trial.get_by_role("button", name="Deliver it").click()
    await expect(page.get_by_role("listitem").filter(has_text="it says from the page")).to_contain_text("Done")
    await page.reload()
    await expect(page.get_by_text("Accepted")).to_have_count(2)
    assert secret not in await page.content()
