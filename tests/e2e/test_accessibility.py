"""WCAG 2.2 AA as far as axe-core can tell, on each screen: light and dark, wide and on a phone."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from playwright.async_api import Page, expect

from tests.e2e.conftest import NewPerson
from tests.e2e.people import Person
from tests.e2e.rig import WEB, GatewayProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE: Final = WEB / "node_modules/axe-core/axe.min.js"
TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDTHS: Final[dict[str, dict[str, Any]]] = {
    "wide": {},
    "phone": {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True},
}

_FINDINGS = """async (only) => {
    const { violations } = await axe.run(document, { runOnly: only, resultTypes: ["violations"] });
    return violations.flatMap(({ id, help, nodes }) =>
        nodes.map(({ html, any }) => `${id}: ${help}\\n    ${html.slice(0, 300)}\\n    ${any[0]?.message ?? ""}`));
}"""


_STILL = """async () => {
    // A colour that fades has those that inherit it fade after it.
    for (let round = 0; round < 100; round++) {
        await new Promise((resolve) => requestAnimationFrame(resolve));
        const moving = document.getAnimations().filter(({ effect }) => effect.getComputedTiming().iterations !== Infinity);
        if (moving.length === 0) return;
        await Promise.all(moving.map(({ finished }) => finished.catch(() => undefined)));
    }
}"""


async def look_over(page: Page) -> list[str]:
    """What is wrong with what is on the screen now. In the dark, only the colours are others."""
    await page.emulate_media(color_scheme="light")
    await page.evaluate(_STILL)
    light = await page.evaluate(_FINDINGS, TAGS)
    await page.emulate_media(color_scheme="dark")
    await page.evaluate(_STILL)  # colours fade into each other
    dark = await page.evaluate(_FINDINGS, ["color-contrast"])
    return [*light, *(f"dark: {finding}" for finding in dark)]


async def conversation(person: Person) -> None:
    await person.come_to_new_chat("A look at everything")
    await person.ask(
        "Everything:\n\n# One\n\n## Two\n\n- [x] done\n- [ ] to do\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> said\n\n"
        "```python\nprint('x')  # a comment\n```\n\n[link](https://example.com) and `code`\n\n---\n\n1. one\n2. two"
    )
    await person.ask('THINK hm\nTOOL Bash {"command": "ls"}\nTOOL Read {"file_path": "/a"}\nSAY done', "done")
    await person.last.get_by_role("button", name=re.compile("^Bash")).click()
    await person.last.get_by_role("button", name="Thought").click()
    await person.say("FAIL it")
    await expect(person.last).to_contain_text("No answer")


async def greeting(person: Person) -> None:
    await person.come_to_new_chat()
    await expect(person.page.get_by_role("list", name="Ways to begin")).to_be_visible()


async def running(person: Person) -> None:
    await person.come_to_new_chat()
    await person.say('ASK Bash {"command": "rm -rf build"}')
    await expect(person.page.get_by_role("article", name=re.compile("asks to use Bash"))).to_be_visible()
    await person.say("SAY next")
    await expect(person.page.get_by_text("Waiting for its turn")).to_be_visible()


async def choosing(person: Person) -> None:
    await person.come_to_new_chat()
    await person.page.get_by_role("button", name=re.compile("^Who answers")).click()
    await expect(person.page.get_by_role("dialog", name="Who answers in this chat")).to_be_visible()


def at(place: str, heading: str) -> Callable[[Person], Awaitable[None]]:
    async def go(person: Person) -> None:
        await person.come()
        await person.go(place)
        await expect(person.page.get_by_role("heading", name=heading, level=1)).to_be_visible()
        await expect(person.page.get_by_text("Loading…")).to_have_count(0)

    return go


async def palette(person: Person) -> None:
    await person.come()
    await person.is_connected()
    await person.page.keyboard.press("Control+k")
    await expect(person.page.get_by_role("combobox", name="Search commands and chats")).to_be_focused()


async def shortcuts(person: Person) -> None:
    await person.come()
    await person.is_connected()
    await person.page.get_by_role("heading", level=1).click()
    await person.page.evaluate("() => document.activeElement?.blur()")
    await person.page.keyboard.press("?")
    await expect(person.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


async def sidebar(person: Person) -> None:
    await person.come()
    await person.is_connected()
    await person.gateway.new_chat("Another one")
    opening = person.page.get_by_role("button", name="Show the chats")
    if await opening.is_visible():
        await opening.click()
    await expect(person.page.get_by_role("button", name="Show archived chats")).to_be_visible()


async def connecting(person: Person) -> None:
    await person.page.goto(f"{person.url}/#token=x&server=nonsense")
    await expect(person.page.get_by_role("heading", name="Connect to your gateway")).to_be_visible()


SCREENS: Final[dict[str, Callable[[Person], Awaitable[None]]]] = {
    "connect": connecting,
    "greeting": greeting,
    "conversation": conversation,
    "approval": running,
    "who answers": choosing,
    "sidebar": sidebar,
    "palette": palette,
    "shortcuts": shortcuts,
    "notifications": at("/notifications", "Notifications"),
    "tasks": at("/automation/tasks", "Automation"),
    "new task": at("/automation/tasks/new", "New task"),
    "new cron job": at("/automation/cron/new", "New cron job"),
    "new webhook": at("/automation/webhooks/new", "New webhook"),
    "appearance": at("/settings/appearance", "Settings"),
    "gateways": at("/settings/gateways", "Settings"),
    "desktop": at("/settings/notifications", "Settings"),
    "rules": at("/settings/approvals", "Settings"),
    "about": at("/settings/about", "Settings"),
}


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("width", WIDTHS)
async def test_every_screen_is_for_everybody(
    person_at: NewPerson, gateway: GatewayProcess, width: str, half: int
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not there: npm ci in web/")
    await gateway.api("POST", "/api/tasks", {"prompt": "SAY result", "title": "A task for the eye"})
    findings = []
    person = await person_at(gateway, bypass_csp=True, reduced_motion="reduce", **WIDTHS[width])
    await person.page.add_init_script(AXE.read_text())
    for name, visit in list(SCREENS.items())[half::2]:
        await person.page.goto("about:blank")
        await visit(person)
        findings += [f"{name}: {finding}" for finding in await look_over(person.page)]
    assert not findings, "\n".join(findings)
