"""The chats at the side: finding, naming, putting away and removing them, and what is kept of each."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import NewPerson, Serve
from tests.e2e.people import Person
from tests.e2e.rig import GatewayProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_what_is_typed_is_kept_for_each_chat_and_over_a_reload(person: Person) -> None:
    first, second = await person.gateway.new_chat("Drafts one"), await person.gateway.new_chat("Drafts two")
    await person.come(first)
    await expect(person.page.get_by_role("heading", name="Drafts one")).to_be_visible()
    await person.composer.fill("half a thought")
    await person.chat("Drafts two").get_by_role("link").click()
    await expect(person.page.get_by_role("heading", name="Drafts two")).to_be_visible()
    await expect(person.composer).to_have_value("")
    await person.composer.fill("another one")
    await person.chat("Drafts one").get_by_role("link").click()
    await expect(person.composer).to_have_value("half a thought")
    await person.page.reload()
    await expect(person.composer).to_have_value("half a thought")
    await person.go(f"/chat/{second}")
    await expect(person.composer).to_have_value("another one")
    await person.ask("SAY sent", "sent")
    await person.page.reload()
    await expect(person.last).to_contain_text("sent")
    await expect(person.composer).to_have_value("")


async def test_a_chat_is_found_by_its_address_and_one_that_is_gone_says_so(person: Person) -> None:
    chat = await person.gateway.new_chat("Deep down")
    await person.come()
    assert "token" not in person.page.url  # the link's secret has left the address
    await person.page.goto("about:blank")
    await person.go(f"/chat/{chat}")
    await expect(person.page.get_by_role("heading", name="Deep down", level=1)).to_be_visible()
    await expect(person.page).to_have_title(re.compile(r"^(\(\d+\) )?Deep down · Sygen$"))
    await expect(person.chat("Deep down").get_by_role("link")).to_have_attribute("aria-current", "page")
    await person.go("/chat/nowhere")
    await expect(person.page.get_by_role("heading", name="This chat is not there")).to_be_visible()
    await person.page.go_back()
    await expect(person.page.get_by_role("heading", name="Deep down", level=1)).to_be_visible()
    await person.go("/no/such/page/at/all")
    await expect(person.page.get_by_text("There is no such page.")).to_be_visible()
    await person.page.get_by_role("link", name="To the chats").click()
    await expect(person.composer).to_be_visible()


async def test_chats_are_searched_renamed_archived_and_deleted(serve: Serve, person_at: NewPerson) -> None:
    gateway = await serve()
    person = await person_at(gateway)
    kept = await gateway.new_chat("Übersicht der Äpfel")
    for title in ("Plan for spring", "Old things"):
        await gateway.new_chat(title)
    await person.come(kept)
    await expect(person.chat("Old things")).to_be_visible()

    search = person.page.get_by_role("searchbox", name="Search chats")
    await search.fill("apfel ubersicht")
    await expect(person.chats.get_by_role("listitem")).to_have_count(1)
    await search.fill("nowhere to be found")
    await expect(person.page.get_by_text("No chat has this in its title.")).to_be_visible()
    await search.press("Escape")

    await person.chat("Plan for spring").get_by_role("button").click()
    await person.page.get_by_role("menuitem", name="Rename").click()
    name = person.page.get_by_role("textbox", name="New title")
    await expect(name).to_be_focused()
    await name.fill("Plan for autumn")
    await name.press("Enter")
    await expect(person.chat("Plan for autumn").get_by_role("link")).to_be_focused()
    titles = [one["title"] for one in await gateway.api("GET", "/api/chat/sessions")]
    assert "Plan for autumn" in titles
    assert "Plan for spring" not in titles

    await person.chat("Old things").get_by_role("button").click()
    await person.page.keyboard.press("a")
    await person.page.keyboard.press("Enter")
    await expect(person.told("“Old things” was archived.")).to_be_visible()
    await expect(person.chat("Old things")).to_be_hidden()
    await person.button("Show archived chats").click()
    await expect(person.chat("Old things")).to_be_visible()
    await person.button("Back to the chats").click()

    link = person.chat("Plan for autumn").get_by_role("link")
    await link.press("Delete")
    await expect(link).to_be_hidden()
    await person.told("“Plan for autumn” was deleted.").get_by_role("button", name="Undo").click()
    await expect(link).to_be_visible()
    await link.press("Delete")
    await person.told("“Plan for autumn” was deleted.").get_by_role("button", name="Dismiss").click()
    await expect(person.told("was deleted")).to_be_hidden()
    await person.page.reload()
    await expect(person.chat("Übersicht")).to_be_visible()
    await expect(link).to_be_hidden()


async def test_the_header_renames_exports_and_copies_a_link(person_at: NewPerson, gateway: GatewayProcess) -> None:
    person = await person_at(gateway, permissions=["clipboard-read", "clipboard-write"])
    chat = await person.come_to_new_chat("A first name")
    await person.ask("SAY for the record", "for the record")
    await person.page.get_by_role("heading", name="A first name").get_by_role("button").dblclick()
    name = person.page.get_by_role("textbox", name="Name of this chat")
    await name.fill("A better name")
    await name.press("Enter")
    await expect(person.chat("A better name")).to_be_visible()

    more = person.button("More for this chat")
    async with person.page.expect_download() as downloading:
        await more.click()
        await person.page.get_by_role("menuitem", name="Export as Markdown").click()
    download = await downloading.value
    assert download.suggested_filename.endswith(".md")
    assert "for the record" in (await download.path()).read_text()
    await more.click()
    await person.page.get_by_role("menuitem", name="Copy link").click()
    await expect(person.page.get_by_text("Copied.")).to_be_attached()
    assert await person.page.evaluate("() => navigator.clipboard.readText()") == f"{gateway.url}/#/chat/{chat}"


async def test_what_was_answered_elsewhere_is_marked_until_it_is_looked_at(
    person_at: NewPerson, gateway: GatewayProcess
) -> None:
    await gateway.new_chat("Looked at")
    there = await gateway.new_chat("Out of sight")
    person, other = await person_at(gateway), await person_at(gateway)
    await person.come(there)
    await expect(person.page.get_by_role("heading", name="Out of sight")).to_be_visible()
    await person.chat("Looked at").get_by_role("link").click()
    await expect(person.page.get_by_role("heading", name="Looked at")).to_be_visible()
    await other.come(there)
    await other.ask("SAY news", "news")
    await expect(person.chat("Out of sight").get_by_role("link", name=re.compile("unread$"))).to_be_visible()
    await person.chat("Out of sight").get_by_role("link").click()
    await expect(person.last).to_contain_text("news")
    await expect(person.chats.get_by_role("link", name="Out of sight", exact=True)).to_be_visible()


async def test_two_pages_show_the_same_as_it_happens(person_at: NewPerson, gateway: GatewayProcess) -> None:
    one, other = await person_at(gateway), await person_at(gateway)
    chat = await one.come_to_new_chat("Shared")
    await other.come(chat)
    await other.is_connected()
    await one.say("SLOW 600 0.05")
    await expect(other.last).to_contain_text("SLOW 600 0.05")
    await expect(other.last).to_contain_text("w0 w1")
    await other.page.get_by_role("button", name="Stop the answer").click()
    await expect(one.last).to_contain_text("Stopped")
    await other.say("SAY from the other one")
    await expect(one.last).to_contain_text("from the other one")
    await expect(one.turns).to_have_count(2)


async def test_a_chat_that_is_deleted_elsewhere_says_so(person_at: NewPerson, gateway: GatewayProcess) -> None:
    person = await person_at(gateway)
    chat = await person.come_to_new_chat()
    await person.ask("SAY soon gone", "soon gone")
    await gateway.api("DELETE", f"/api/chat/sessions/{chat}")
    await expect(
        person.page.get_by_text("This chat was deleted. What you see is all that is left of it.")
    ).to_be_visible()
    await expect(person.last).to_contain_text("soon gone")
    await person.page.get_by_role("link", name="To the default chat").click()
    await expect(person.composer).to_be_visible()
