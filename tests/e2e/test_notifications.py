"""What happened while nobody looked: the same on all pages, and read once."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, expect

from tests.e2e.conftest import NewPerson, Serve
from tests.e2e.people import Person
from tests.e2e.rig import GatewayProcess
from tests.e2e.test_pwa import keeps_its_files

pytestmark = pytest.mark.asyncio(loop_scope="session")


def bell(person: Person, label: str) -> Locator:
    return person.chats.get_by_role("link", name=label, exact=True)


async def test_what_is_read_on_one_page_is_read_on_the_other(serve: Serve, person_at: NewPerson) -> None:
    gateway = await serve()
    one, other = await person_at(gateway), await person_at(gateway)
    for person in (one, other):
        await person.come()
        await person.is_connected()
        await expect(bell(person, "Notifications")).to_be_visible()
    for number in range(3):
        await gateway.api("POST", "/api/tasks", {"prompt": f"SAY result {number}", "title": f"Task {number}"})
    for person in (one, other):
        await expect(bell(person, "3 unread notifications")).to_be_visible()
        await expect(person.page).to_have_title(re.compile(r"3"))

    await bell(one, "3 unread notifications").click()
    await expect(one.page.get_by_role("heading", name="Notifications", level=1)).to_be_visible()
    await expect(one.page.get_by_role("main").get_by_role("heading", name="Today")).to_be_visible()
    items = one.page.get_by_role("main").get_by_role("listitem")
    await expect(items).to_have_count(3)
    await items.first.get_by_role("button", name="Mark as read").click()
    for person in (one, other):
        await expect(bell(person, "2 unread notifications")).to_be_visible()

    await other.go("/notifications")
    await other.page.get_by_text("Only unread", exact=True).click()
    await expect(other.page.get_by_role("switch", name="Only unread")).to_be_checked()
    await expect(other.page.get_by_role("main").get_by_role("listitem")).to_have_count(2)
    await other.button("Mark all as read").click()
    await expect(other.page.get_by_text("You have read everything")).to_be_visible()
    for person in (one, other):
        await expect(bell(person, "Notifications")).to_be_visible()
    await items.filter(has_text="Task 1").get_by_role("link").click()
    await expect(one.page.get_by_role("heading", name="Task 1", level=1)).to_be_visible()
    await expect(one.page.get_by_role("main")).to_contain_text("result 1")


_OUT_OF_SIGHT = """() => {
    Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


async def on_desktop(person: Person) -> list[str]:
    shown: list[str] = await person.page.evaluate("""async () =>
        (await (await navigator.serviceWorker.ready).getNotifications()).map(({ title, body }) => `${title}: ${body}`)""")
    return shown


async def desktop_shows(person: Person, words: list[str]) -> None:
    """Wait until these, and no others, are on the desktop."""
    for _attempt in range(150):
        shown = sorted(await on_desktop(person))
        if shown == sorted(words):
            return
        await person.page.wait_for_timeout(100)
    raise AssertionError(shown)


async def test_the_desktop_tells_what_happens_while_nobody_looks(person_at: NewPerson, gateway: GatewayProcess) -> None:
    person = await person_at(gateway, permissions=["notifications"])
    await person.come_to_new_chat("Far away")
    await keeps_its_files(person.page)
    await person.go("/settings/notifications")
    await person.page.get_by_text("Notifications of the desktop", exact=True).click()
    await expect(person.page.get_by_role("switch", name="Notifications of the desktop")).to_be_checked()
    await person.page.go_back()
    await person.ask("SAY seen", "seen")  # whoever looks is told nothing

    await person.say("SLOW 10 0.05\nSAY the end")
    await person.page.evaluate(_OUT_OF_SIGHT)
    answered = "Answered: Far away: w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 the end"
    await desktop_shows(person, [answered])
    await person.say('ASK Bash {"command": "make all"}')
    await desktop_shows(person, [answered, "main asks to use Bash: make all"])
    [request] = await gateway.api("GET", "/api/approvals")
    await gateway.api("POST", f"/api/approvals/{request['id']}", {"decision": "deny"})
    await gateway.api("POST", "/api/tasks", {"prompt": "SAY result", "title": "A task in the night"})
    await desktop_shows(person, [answered, "Answered: Far away: denied", "A task in the night is done: result"])
