"""The main screens as people first see them, on a desk and on a phone. With SYGEN_SCREENSHOTS=1 their pictures go into docs."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from typing import Any, Final

import pytest
from playwright.async_api import Page, expect

from tests.e2e.conftest import NewPerson, Serve
from tests.e2e.people import Person
from tests.e2e.rig import ROOT, Watch

pytestmark = pytest.mark.asyncio(loop_scope="session")

PICTURES: Final = ROOT / "docs/screenshots"
MOST_BYTES: Final = 200_000
DESK: Final[dict[str, Any]] = {"viewport": {"width": 1280, "height": 800}}
PHONE: Final[dict[str, Any]] = {
    "viewport": {"width": 360, "height": 740},
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}
CHATS: Final = ("Trip to the lake", "Invoices of October", "Names for the cat")
QUESTION: Final = "How do I find the largest files of a folder?"
ANSWER: Final = """THINK The person wants a command. `du` counts folders, `find` lists files.
TOOL Bash {"command": "find . -type f -printf '%s %p\\\\n' | sort -rn | head -3"}
SAY Three commands are enough, one after the other:
SAY ```bash
SAY find . -type f -printf '%s %p\\n' | sort -rn | head
SAY ```
SAY | Part | What it does |
SAY |---|---|
SAY | `find` | lists each file with its size |
SAY | `sort -rn` | puts the **largest** first |
SAY | `head` | shows the first ten |"""


TAKES_PICTURES: Final = os.environ.get("SYGEN_SCREENSHOTS") == "1"


async def picture(page: Page, name: str) -> None:
    if not TAKES_PICTURES:
        return
    PICTURES.mkdir(parents=True, exist_ok=True)
    file = PICTURES / f"{name}.png"
    await page.screenshot(path=file, animations="disabled", caret="hide")
    assert file.stat().st_size < MOST_BYTES, f"{name} is too large for the docs"


async def talk(person: Person) -> None:
    """A chat as people have them."""
    for title in CHATS:
        await person.gateway.new_chat(title)
    await person.come_to_new_chat("The largest files")
    await person.ask(f"{QUESTION}\n{ANSWER}", "the first ten")
    if TAKES_PICTURES:
        await without_script(person)
    await expect(person.last.get_by_role("table")).to_be_visible()


async def without_script(person: Person) -> None:
    """Leave only the question of what was said: the script of the answer is nothing for a picture."""
    await person.gateway.stop()
    with closing(sqlite3.connect(person.gateway.home / "sygen.db")) as database, database:
        database.execute("UPDATE turns SET text = ?", (QUESTION,))
    await person.gateway.start()
    await person.page.reload()
    await expect(person.turn(QUESTION)).to_be_visible()
    await person.is_connected()


async def fits(page: Page) -> None:
    """Nothing is wider than the screen."""
    assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_desk(serve: Serve, person_at: NewPerson, watch: Watch, scheme: str) -> None:
    watch.expect_lost_connections()
    gateway = await serve()
    person = await person_at(gateway, color_scheme=scheme, **DESK)
    page = person.page
    await talk(person)
    await expect(person.chats.get_by_role("listitem")).to_have_count(5)
    await picture(page, f"conversation-{scheme}")
    if scheme == "dark":
        return
    task = {"title": "Tidy up", "prompt": 'ASK Bash {"command": "rm -rf build/ dist/"}'}
    await gateway.api("POST", "/api/tasks", task)
    await person.button("One thing waits for your answer").click()
    card = page.get_by_role("article", name=re.compile("asks to use Bash"))
    await expect(card.get_by_role("link", name="In the task “Tidy up”")).to_be_visible()
    await expect(card.get_by_role("button", name=re.compile("^Allow once"))).to_be_in_viewport()
    await picture(page, "approval")
    await page.keyboard.press("Escape")
    for schedule, title in (("0 8 * * *", "The news of the morning"), ("0 18 * * 5", "What was done this week")):
        job = {"title": title, "schedule": schedule, "prompt": "SAY done", "timezone": "Europe/Berlin"}
        await gateway.api("POST", "/api/cron", job)
    await person.go("/automation/cron")
    await expect(page.get_by_role("main").get_by_role("listitem")).to_have_count(2)
    await picture(page, "automation")
    await person.go("/settings/appearance")
    await expect(page.get_by_role("group", name="Theme")).to_be_visible()
    await picture(page, "settings")


async def test_on_a_phone(serve: Serve, person_at: NewPerson, watch: Watch) -> None:
    watch.expect_lost_connections()
    gateway = await serve()
    person = await person_at(gateway, color_scheme="dark", **PHONE)
    page = person.page
    await talk(person)
    await fits(page)
    await picture(page, "phone")
    await expect(person.chats).to_be_hidden()
    await person.button("Show the chats").tap()
    await person.chat("Trip to the lake").get_by_role("link").tap()
    await expect(page.get_by_role("heading", name="Trip to the lake", level=1)).to_be_visible()
    await expect(person.chats).to_be_hidden()
    await person.say('ASK Bash {"command": "make everything"}')
    allow = page.get_by_role("button", name=re.compile("^Allow once"))
    box = await allow.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    await fits(page)
    for place in (
        "automation/tasks",
        "automation/cron/new",
        "notifications",
        "settings/appearance",
        "settings/gateways",
    ):
        await person.go(f"/{place}")
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await fits(page)
