"""Words that attack: whatever an agent or a person says, nothing of it runs, and nobody else is asked for anything."""

from __future__ import annotations

import json
import textwrap
from typing import Final

import pytest
from playwright.async_api import expect

from tests.e2e.people import Person
from tests.e2e.rig import WEB

pytestmark = pytest.mark.asyncio(loop_scope="session")

ATTACKS: Final[list[str]] = json.loads((WEB / "tests/markdown/attacks.json").read_text())["small"]
AT_ONCE: Final = 37

_WHAT_IS_WRONG = """(turn) => {
    const wrong = [];
    for (const one of turn.querySelectorAll("*")) {
        if (/^(script|iframe|object|embed|link|meta|base|form|template|marquee)$/i.test(one.localName)) wrong.push(one.outerHTML);
        if (one.localName === "img" && !one.src.startsWith("blob:")) wrong.push(one.outerHTML);
        for (const { name, value } of one.attributes) {
            if (/^on/i.test(name)) wrong.push(one.outerHTML);
            if (name === "href" && !/^(https?:|mailto:|tel:)/.test(value)) wrong.push(one.outerHTML);
        }
    }
    return wrong;
}"""


@pytest.mark.parametrize("first", range(0, len(ATTACKS), AT_ONCE))
async def test_nothing_of_it_runs(person: Person, first: int) -> None:
    """The watch over the browser fails this test for each dialog, and each request to somebody else."""
    attacks = ATTACKS[first : first + AT_ONCE]
    await person.come_to_new_chat()
    # Each in an item of its own: what is not closed in one would hide the next.
    items = "\n".join(f"- begin\n\n{textwrap.indent(attack, '  ')}\n" for attack in attacks)
    await person.say(f"Attacks:\n\n{items}\n\nThe end.")
    answer = person.last.get_by_role("heading", name="Main").locator("xpath=ancestor::section")
    await expect(answer.get_by_text("The end.")).to_be_visible()
    await person.is_answered()
    assert await answer.get_by_text("begin").count() >= len(attacks) - 1
    assert await person.last.evaluate(_WHAT_IS_WRONG) == []
    assert await person.page.evaluate("() => document.getElementById('app')?.parentElement?.localName") == "body"
    assert person.page.url.startswith(person.url)
