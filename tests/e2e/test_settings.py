"""Choices, gateways, and the page without its gateway."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import NewPerson, Serve
from tests.e2e.people import Person
from tests.e2e.rig import GatewayProcess, Watch

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_choices_hold_at_once_and_over_a_reload(person: Person) -> None:
    page = person.page
    await person.come_to_new_chat()
    await person.ask("SAY counted", "counted")
    await expect(person.last).not_to_contain_text("tokens in")
    await person.chats.get_by_role("link", name="Settings").click()
    await expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()
    root = page.locator("html")
    await page.get_by_role("group", name="Theme").get_by_text("Dark").click()
    await expect(root).to_have_attribute("data-theme", "dark")
    await page.get_by_role("group", name="Density").get_by_text("Compact").click()
    await expect(root).to_have_attribute("data-density", "compact")
    await page.get_by_role("group", name="What sends a message").get_by_role("radio").nth(1).check()
    await page.get_by_text("Show tokens and costs").click()
    await page.get_by_role("combobox", name="Language").select_option("Deutsch")
    await expect(page.get_by_role("heading", name="Einstellungen", level=1)).to_be_visible()
    await expect(root).to_have_attribute("lang", "de")
    await page.reload()
    await expect(page.get_by_role("heading", name="Einstellungen", level=1)).to_be_visible()
    await expect(root).to_have_attribute("data-theme", "dark")
    await page.get_by_role("combobox", name="Sprache").select_option("English")

    await page.go_back()
    await expect(person.last).to_contain_text("tokens in")
    await person.composer.fill("SAY by the other key")
    await person.composer.press("Enter")
    await expect(person.composer).to_have_value("SAY by the other key\n")
    await person.composer.press("Control+Enter")
    await expect(person.last).to_contain_text("by the other key")


async def test_the_first_look_asks_for_a_link_and_says_what_is_wrong_with_one(
    person_at: NewPerson, gateway: GatewayProcess
) -> None:
    person = await person_at(gateway)
    page = person.page
    await page.goto(f"{gateway.url}/#token=x&server=nonsense")
    await expect(page.get_by_role("heading", name="Connect to your gateway")).to_be_visible()
    field = page.get_by_role("textbox", name="The gateway’s link")
    wrong = page.get_by_text("This is not a link to a gateway.")
    await expect(wrong).to_be_visible()
    assert "nonsense" not in page.url
    await field.fill("no link at all")
    await expect(wrong).to_be_hidden()
    await field.press("Enter")
    await expect(wrong).to_be_visible()
    await expect(field).to_be_focused()
    await field.fill(f"127.0.0.1:{gateway.port}")
    await expect(page.get_by_role("textbox", name="Token")).to_be_visible()
    await field.fill(person.link)
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(person.composer).to_be_visible()
    await person.is_connected()


async def test_several_gateways_one_page(
    serve: Serve, person_at: NewPerson, gateway: GatewayProcess, watch: Watch
) -> None:
    """The page of one talks to another, where both allow it."""
    other = await serve(SYGEN_API__ALLOWED_ORIGINS='["http://127.0.0.1"]')
    await other.stop()
    home = await serve(SYGEN_WEB__GATEWAYS=f'["{other.url}"]')
    allowing = GatewayProcess(other.home, home.page, SYGEN_API__ALLOWED_ORIGINS=f'["{home.url}"]')
    allowing.port = other.port
    async with allowing:
        person = await person_at(home)
        watch.allow_host(allowing.url)
        page = person.page
        await person.come_to_new_chat("At home")
        await person.ask("SAY this is home", "this is home")
        await person.go("/settings/gateways")
        there = Person(page, allowing)
        await page.get_by_role("textbox", name="The gateway’s link").fill(there.link)
        await page.get_by_role("button", name="Connect", exact=True).click()
        await person.is_connected()
        await expect(person.chat("At home")).to_be_hidden()
        await person.ask("SAY this is elsewhere", "this is elsewhere")

        await person.go("/settings/gateways")
        name = f"127.0.0.1:{allowing.port}"
        await page.get_by_role("button", name=f"Rename {name}").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("textbox", name="Name").fill("The other one")
        await dialog.get_by_role("button", name="Save").click()
        await page.get_by_role("button", name=re.compile("^Gateway The other one, ")).click()
        await page.get_by_role("menuitemradio", name=f"127.0.0.1:{home.port}").click()
        await expect(person.chat("At home")).to_be_visible()
        await page.reload()
        await expect(person.chat("At home")).to_be_visible()

        await person.go("/settings/gateways")
        await page.get_by_role("button", name="Forget The other one").click()
        await page.get_by_role("dialog").get_by_role("button", name="Forget").click()
        await expect(person.told("The other one is forgotten.")).to_be_visible()
        await expect(page.get_by_role("list", name="Gateways").get_by_role("heading")).to_have_count(1)
        await person.button("Forget everything").click()
        await page.get_by_role("dialog").get_by_role("button", name="Forget everything").click()
        await expect(page.get_by_role("heading", name="Connect to your gateway")).to_be_visible()
        kept = await person.all_that_is_kept()
        assert home.url not in kept
        assert "key that" not in kept


async def test_the_page_opens_without_its_gateway_and_what_was_sent_then_arrives(
    serve: Serve, person_at: NewPerson, watch: Watch
) -> None:
    watch.expect_lost_connections()
    watch.expect("Failed to load resource", "Failed to fetch", "An unknown error occurred when fetching the script")
    gateway = await serve()
    person = await person_at(gateway)
    chat = await person.come_to_new_chat("Kept")
    await person.page.evaluate("() => navigator.serviceWorker.ready.then(() => undefined)")
    await gateway.kill()
    await expect(person.page.get_by_text("What you send goes as soon as the gateway is there.")).to_be_visible()
    await person.say("SAY before the reload")
    await expect(person.last).to_contain_text("Not sent yet")
    await person.composer.fill("half a thought")
    await person.page.reload()
    await gateway.start()
    await expect(person.composer).to_have_value("half a thought")
    await expect(person.turn("SAY before")).to_contain_text("before the reload")
    await person.is_answered()
    await expect(person.turns).to_have_count(1)
    page = await gateway.api("GET", f"/api/chat/sessions/{chat}/messages")
    assert [one["content"] for one in page["messages"] if one["sender"] == "user"] == ["SAY before the reload"]
