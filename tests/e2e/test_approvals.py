"""What agents ask for: it is said to the letter, answered once, by whoever is first, and not by accident."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from playwright.async_api import Locator, expect

from tests.e2e.conftest import NewPerson
from tests.e2e.people import Person, press
from tests.e2e.rig import GatewayProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASK = 'ASK Bash {"command": "rm -rf build"}'
AGAIN_AFTER_MS = 700


def card_of(person: Person, tool: str = "Bash") -> Locator:
    return person.page.get_by_role("article", name=re.compile(f"asks to use {tool}$"))


async def until(act: Callable[[], Awaitable[None]], done: Callable[[], Awaitable[None]]) -> None:
    """Do it again and again: what comes in the first half second of a question does not count, lest it be an accident."""
    for _attempt in range(20):
        await act()
        with suppress(AssertionError):
            await done()
            return
    raise AssertionError("it was never done")


async def answer(card: Locator, act: Callable[[], Awaitable[None]], outcome: str) -> None:
    await until(act, lambda: expect(card.get_by_text(outcome)).to_be_visible(timeout=AGAIN_AFTER_MS))


async def go_by_keys_to(card: Locator) -> None:
    await until(
        lambda: card.page.keyboard.press("Control+."), lambda: expect(card).to_be_focused(timeout=AGAIN_AFTER_MS)
    )


async def test_a_yes_on_one_page_takes_the_question_from_the_other(
    person_at: NewPerson, gateway: GatewayProcess
) -> None:
    one, other = await person_at(gateway), await person_at(gateway)
    chat = await one.come_to_new_chat("Asking")
    await other.come_to_new_chat("Elsewhere")
    await one.say(ASK)
    card = card_of(one)
    await expect(card.get_by_role("region", name="command")).to_have_text("rm -rf build")
    await expect(card).to_contain_text("“Always” lets this agent run exactly this command without asking.")
    await expect(one.last).to_contain_text("Waiting for your decision")

    bar = other.button("One thing waits for your answer")
    await bar.click()
    dialog = other.page.get_by_role("dialog", name="Waiting for your answer")
    await expect(dialog.get_by_role("link", name="In the chat “Asking”")).to_have_attribute("href", f"#/chat/{chat}")
    allow = dialog.get_by_role("button", name=re.compile("^Allow once"))
    await answer(dialog, lambda: press(allow), "Allowed once")
    await expect(card).to_contain_text(re.compile("Allowed once (on|from) "))
    await expect(one.last).to_contain_text("allowed")
    await expect(card).to_be_hidden()
    await expect(bar).to_be_hidden()


async def test_questions_are_answered_by_keys_and_always_is_kept(person: Person) -> None:
    await person.come_to_new_chat()
    await person.say(ASK)
    card = card_of(person).filter(has_text="rm -rf build")
    await expect(card).to_be_visible()
    await expect(person.composer).to_be_focused()  # whoever types is not interrupted
    await person.composer.press("n")
    await expect(person.composer).to_have_value("n")
    await person.composer.fill("")
    await go_by_keys_to(card)
    await answer(card, lambda: person.page.keyboard.press("n"), "Denied")
    await expect(person.last).to_contain_text("denied")

    command = "make a-rule-of-this-test"
    await person.say(f'ASK Bash {{"command": "{command}"}}')
    card = card_of(person).filter(has_text=command)
    await go_by_keys_to(card)
    await answer(card, lambda: person.page.keyboard.press("a"), "Always allowed")
    await expect(person.last).to_contain_text("allowed")
    await person.ask(f'SAY again\nASK Bash {{"command": "{command}"}}', "again\nallowed")
    assert [rule["pattern"] for rule in await person.gateway.api("GET", "/api/approvals/rules")].count(command) == 1


async def test_what_cannot_be_seen_is_made_visible(person: Person) -> None:
    await person.come_to_new_chat()
    await person.say('ASK Bash {"command": "ls \\u202e gpj.exe\\u200b"}')
    card = card_of(person)
    box = card.get_by_role("region", name="command")
    await expect(box).to_contain_text("202E")
    await expect(box).to_contain_text("200B")
    await answer(card, lambda: press(card.get_by_role("button", name=re.compile("^Deny"))), "Denied")
