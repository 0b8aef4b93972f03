"""Talking with an agent: what comes in, how it looks, and what can be done with it."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

from tests.e2e.conftest import NewPerson
from tests.e2e.people import Person
from tests.e2e.rig import GatewayProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")


CLIPBOARD = ["clipboard-read", "clipboard-write"]


async def copied(page: Page) -> str:
    """What is on the clipboard."""
    return str(await page.evaluate("() => navigator.clipboard.readText()"))


async def test_an_answer_streams_in_and_can_be_stopped(person: Person) -> None:
    await person.come_to_new_chat()
    await expect(person.page.get_by_role("heading", name="What can Main do for you?")).to_be_visible()
    await expect(person.composer).to_be_focused()

    await person.say("SLOW 600 0.05")
    await expect(person.last).to_contain_text("w0 w1 w2")
    await expect(person.last).to_contain_text("Writing…")
    await expect(person.page.get_by_text("Main is answering.")).to_be_attached()
    await person.page.get_by_role("button", name="Stop the answer").click()
    await expect(person.last).to_contain_text("You stopped this.")
    assert "w599" not in await person.last.inner_text()

    await person.say("SLOW 600 0.05")
    await expect(person.last).to_contain_text("w0 w1 w2")
    await person.composer.press("Escape")
    await expect(person.last).to_contain_text("You stopped this.")

    await person.say("SLOW 600 0.05")
    await person.last.get_by_role("button", name="Stop", exact=True).click()
    await expect(person.last).to_contain_text("You stopped this.")
    assert await person.turns.count() == 3


MARKDOWN = """Look:

## A heading

Some **bold** and *slanted* words, `code`, and [a link](https://example.com/there).

- one
- two

| a | b |
|---|---|
| 1 | 2 |

```python
def hello() -> str:
    return 'hi'
```
"""


async def test_markdown_becomes_what_it_means(person_at: NewPerson, gateway: GatewayProcess) -> None:
    person = await person_at(gateway, permissions=CLIPBOARD)
    await person.come_to_new_chat()
    await person.ask(MARKDOWN)
    answer = person.last
    await expect(answer.get_by_role("heading", name="A heading")).to_be_visible()
    await expect(answer.locator("strong")).to_have_text("bold")
    await expect(answer.locator("em")).to_have_text("slanted")
    link = answer.get_by_role("link", name="a link")
    await expect(link).to_have_attribute("href", "https://example.com/there")
    await expect(link).to_have_attribute("rel", re.compile("noopener"))
    await expect(answer.get_by_role("listitem")).to_have_text(["one", "two"])
    await expect(answer.get_by_role("cell")).to_have_text(["1", "2"])
    await expect(answer.locator("pre code span").first).to_be_attached()  # its colours are there

    await answer.get_by_role("button", name="Copy code").click()
    assert await copied(person.page) == "def hello() -> str:\n    return 'hi'"
    await answer.get_by_role("button", name="Copy answer").click()
    assert await copied(person.page) == f"You said: {MARKDOWN}".strip()
    await answer.get_by_role("button", name="Copy message").click()
    assert await copied(person.page) == MARKDOWN.strip()


async def test_thinking_and_tools_are_folded_and_open(person: Person) -> None:
    await person.come_to_new_chat()
    await person.ask(
        'THINK a deep thought\nTOOL Bash {"command": "ls -la"}\nTOOL Read {"file_path": "/a/b.txt"}\nSAY done'
    )
    turn = person.last
    thinking, thought = turn.get_by_role("button", name="Thought"), turn.get_by_text("a deep thought", exact=True)
    await expect(thought).to_be_hidden()
    await thinking.click()
    await expect(thought).to_be_visible()
    await thinking.click()
    await expect(thought).to_be_hidden()

    step = turn.get_by_role("button", name=re.compile(r"Bash\s*ls -la\s*done"))
    await expect(step).to_have_attribute("aria-expanded", "false")
    await step.press("Enter")
    await expect(turn.get_by_label("Command", exact=True)).to_have_text("ls -la")
    await expect(turn.get_by_label("Output", exact=True)).to_have_text("done")
    await expect(turn.get_by_role("button", name=re.compile("Read.*b.txt"))).to_be_visible()
    await person.page.reload()  # all of it is history too
    await expect(person.last.get_by_role("button", name=re.compile(r"Bash\s*ls -la\s*done"))).to_be_visible()


async def test_what_is_sent_meanwhile_waits_and_comes_in_its_order(person: Person) -> None:
    await person.come_to_new_chat()
    await person.say("SLOW 600 0.05")
    await expect(person.last).to_contain_text("w0 w1")
    await person.composer.fill("SAY second")
    await person.button("Send; it comes after the running answer").click()
    await person.say("SAY third")
    await expect(person.turn("SAY second")).to_contain_text("Waiting for its turn")
    await expect(person.turn("SAY third")).to_contain_text("Waiting for its turn")
    await expect(person.turns).to_have_count(3)
    await person.turn("SLOW").get_by_role("button", name="Stop", exact=True).click()
    await expect(person.turn("SLOW")).to_contain_text("Stopped")


async def test_the_last_message_is_edited_and_sent_again(person: Person) -> None:
    await person.come_to_new_chat()
    await person.ask("SAY one", "one")
    await person.say("SLOW 600 0.05")
    await expect(person.last).to_contain_text("w0 w1")
    await person.composer.fill("what I was about to say")
    await person.last.get_by_role("button", name="Edit and send again").click()
    await expect(person.composer).to_have_value("SLOW 600 0.05")
    await expect(person.composer).to_be_focused()
    await expect(person.page.get_by_text("You edit your last message.")).to_be_visible()
    await person.button("Leave it as it is").click()
    await expect(person.composer).to_have_value("what I was about to say")

    await person.composer.fill("")
    await person.composer.press("ArrowUp")
    await expect(person.composer).to_have_value("SLOW 600 0.05")
    await person.composer.fill("SAY better")
    await person.composer.press("Enter")
    await expect(person.last).to_contain_text("better")
    await expect(person.turn("SLOW")).to_contain_text("You stopped this.")
    await expect(person.turns).to_have_count(3)


async def test_a_failed_answer_says_why_and_is_tried_again(person: Person) -> None:
    await person.come_to_new_chat()
    await person.say("SAY so far\nFAIL the secret of a bug")
    await expect(person.last).to_contain_text("No answer")
    await expect(person.last).to_contain_text("The gateway had a problem with this. Its log says more.")
    assert "secret of a bug" not in await person.last.get_by_text("No answer").locator("..").inner_text()
    await person.last.get_by_role("button", name="Try again").click()
    await expect(person.turns).to_have_count(2)
    await person.ask("SAY fine", "fine")
    await person.last.get_by_role("button", name="Try again").click()
    await expect(person.turns).to_have_count(4)
    await expect(person.last).to_contain_text("fine")


async def test_who_answers_is_chosen_for_this_chat(person: Person) -> None:
    chat = await person.come_to_new_chat()
    chip = person.page.get_by_role("button", name=re.compile("^Who answers: "))
    await chip.click()
    panel = person.page.get_by_role("dialog", name="Who answers in this chat")
    await expect(panel.get_by_role("radio", name="The gateway’s default")).to_be_checked()
    await panel.get_by_role("radio", name=re.compile("^scripted")).click()
    await expect(panel).to_be_hidden()
    await expect(chip).to_be_focused()
    await chip.click()
    await expect(panel.get_by_role("radio", name=re.compile("^scripted"))).to_be_checked()
    await panel.press("Escape")
    await expect(panel).to_be_hidden()
    session = await person.gateway.api("GET", f"/api/chat/sessions/{chat}")
    assert (session["provider"], session["model"]) == ("scripted", "scripted")


async def test_a_long_conversation_is_read_page_by_page(person: Person) -> None:
    """Only what is near what is seen is in the page, the end is where one begins, and reading on goes to the beginning."""
    await person.come_to_new_chat()
    await person.ask("SAY the first one", "the first one")
    for number in range(3):
        await person.say(f"BURST {3000 + number}")
    await person.ask("SAY the last one", "the last one")
    await person.page.reload()
    await expect(person.page.get_by_text("the last one").last).to_be_in_viewport()
    await person.page.get_by_role("region", name="Messages").focus()
    await person.page.keyboard.press("Home")
    await expect(person.page.get_by_text("the first one").last).to_be_in_viewport()
    latest = person.button("To the latest")
    await latest.click()
    await expect(person.page.get_by_text("the last one").last).to_be_in_viewport()
    await expect(latest).to_be_hidden()


async def test_a_long_answer_stays_where_it_is_read(person: Person) -> None:
    """What is out of sight is not laid out, and is as high as when it is."""
    paragraphs = [f"## Part {number}\n\n{'Some words of it. ' * (number * 7 % 40)}" for number in range(80)]
    await person.come_to_new_chat()
    await person.ask("\n\n".join(paragraphs), "Part 79")
    await person.page.set_viewport_size({"width": 390, "height": 844})
    await person.page.reload()
    await expect(person.page.get_by_role("heading", name="Part 79")).to_be_attached()
    jumps, last = await person.page.evaluate(_JUMPS, 45)
    assert jumps == []
    assert 10 < int(last.removeprefix("Part ")) < 60  # it went a long way

    rewrapped = asyncio.create_task(person.page.evaluate(_REWRAPPED))
    await person.page.set_viewport_size({"width": 700, "height": 844})  # the phone is turned
    await rewrapped
    await expect(person.page.get_by_role("heading", name=last, exact=True)).to_be_in_viewport()
    jumps, _ = await person.page.evaluate(_JUMPS, 10)
    assert jumps == []


_REWRAPPED = """() => new Promise((done) => {
    const list = document.querySelector("#messages");
    new MutationObserver(() => "rewraps" in list.dataset || done()).observe(list, { attributes: true });
})"""
_JUMPS = """async (steps) => {
    const frame = () => new Promise((then) => {
        requestAnimationFrame(then);
        setTimeout(then, 500); // a headless browser may draw none for a while
    });
    const scroller = document.querySelector("#messages");
    const inSight = () => [...scroller.querySelectorAll("h4")].find((part) => part.getBoundingClientRect().top > 150);
    const jumps = [];
    for (let step = 0; step < steps; step++) {
        const part = inSight();
        const before = part.getBoundingClientRect().top;
        scroller.scrollBy(0, -300);
        for (let frames = 0; frames < 4; frames++) await frame();
        const moved = part.getBoundingClientRect().top - before;
        if (Math.abs(moved - 300) > 1) jumps.push([part.textContent, moved]);
    }
    return [jumps, inSight().textContent];
}"""
