"""What happened while nobody looked: the same on all pages, and read once."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, expect

from tests.e2e.conftest import NewPerson, Serve
from tests.e2e.people import Person

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
