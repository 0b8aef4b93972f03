"""Everything without a mouse: the palette, shortcuts, and the way of the Tab key."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import NewPerson, Serve
from tests.e2e.people import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_palette_finds_commands_and_chats_by_keys_alone(person: Person) -> None:
    page = person.page
    await person.gateway.new_chat("Far away mountains")
    await person.come()
    await person.is_connected()
    await page.keyboard.press("Control+k")
    search = page.get_by_role("combobox", name="Search commands and chats")
    await expect(search).to_be_focused()
    await search.fill("mountains")
    await expect(page.get_by_role("option")).to_have_text(re.compile("Far away mountains"))
    await search.press("Enter")
    await expect(page.get_by_role("heading", name="Far away mountains", level=1)).to_be_visible()
    await page.keyboard.press("Control+k")
    await search.fill("automat")
    await search.press("Enter")
    await expect(page.get_by_role("heading", name="Automation", level=1)).to_be_visible()
    await page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    await expect(sheet).to_contain_text("While a message is typed")
    await page.keyboard.press("Escape")
    await expect(sheet).to_be_hidden()


async def test_shortcuts_lead_through_chats_and_screens(serve: Serve, person_at: NewPerson) -> None:
    gateway = await serve()
    person = await person_at(gateway)
    page = person.page
    older, newer = await gateway.new_chat("The older one"), await gateway.new_chat("The newer one")
    await person.come(newer)

    async def is_at(chat: str) -> None:
        await expect(page).to_have_url(f"{gateway.url}/#/chat/{chat}")

    await page.keyboard.press("Alt+ArrowDown")
    await is_at(older)
    await page.keyboard.press("Alt+ArrowUp")
    await is_at(newer)
    await page.keyboard.press("Control+Shift+o")
    await expect(page.get_by_role("heading", name="What can Main do for you?")).to_be_visible()
    await expect(page).not_to_have_url(f"{gateway.url}/#/chat/{newer}")
    await expect(person.composer).to_be_focused()

    await page.keyboard.press("Control+b")
    await expect(person.chats).to_be_hidden()
    await page.keyboard.press("Control+b")
    await expect(person.chats).to_be_visible()
    await page.keyboard.press("Control+,")
    await expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()
    await page.go_back()
    await expect(person.composer).to_be_visible()
    await person.composer.blur()
    await page.keyboard.press("/")
    await expect(person.composer).to_be_focused()
    await expect(person.composer).to_have_value("")
    await page.keyboard.type("SAY typed / and ? are words here")
    await page.keyboard.press("Enter")
    await expect(person.last).to_contain_text("typed / and ? are words here")


async def test_the_tab_key_reaches_what_there_is(person: Person) -> None:
    page = person.page
    await person.come_to_new_chat()
    await person.ask("SAY [a link](https://example.com/)", "a link")
    link = person.last.get_by_role("link", name="a link")
    await expect(person.composer).to_be_focused()
    for _step in range(20):
        await page.keyboard.press("Shift+Tab")
        if await link.evaluate("(link) => document.activeElement === link"):
            break
    await expect(link).to_be_focused()

    await person.go("/settings/about")
    await page.reload()
    await expect(page.get_by_role("heading", name="Versions")).to_be_visible()
    await page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the conversation")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("main").locator(":focus")).to_be_visible()
