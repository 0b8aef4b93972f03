"""WCAG 2.2 AA as far as axe-core can tell, on each screen: light and dark, wide and on a phone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from playwright.async_api import Page, expect

from tests.e2e.conftest import NewPerson
from tests.e2e.people import Person
from tests.e2e.rig import WEB, GatewayProcess
from tests.e2e.test_files import chip, hand_over, picture

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
    // A colour that fades has those that inherit it fade after it: two frames in a row have to be still.
    const moves = ({ effect, playState }) => playState === "running" && effect.getComputedTiming().iterations !== Infinity;
    for (let still = 0; still < 2; ) {
        await new Promise((resolve) => requestAnimationFrame(resolve));
        still = document.getAnimations().some(moves) ? 0 : still + 1;
    }
}"""


async def stand_still(page: Page) -> None:
    """Now and then a headless Chromium draws no more frames until it is asked for one."""
    for _ in range(3):
        try:
            async with asyncio.timeout(15):
                await page.evaluate(_STILL)
                return
        except TimeoutError:
            await page.screenshot()
    pytest.fail("the page draws no frames, or never stands still")


async def look_over(page: Page) -> list[str]:
    """What is wrong with what is on the screen now. In the dark, only the colours are others."""
    await page.emulate_media(color_scheme="light")
    await stand_still(page)
    light = await page.evaluate(_FINDINGS, TAGS)
    await page.emulate_media(color_scheme="dark")
    await stand_still(page)
    dark = await page.evaluate(_FINDINGS, ["color-contrast"])
    return [*light, *(f"dark: {finding}" for finding in dark)]


async def connecting(person: Person) -> None:
    await person.page.goto(f"{person.url}/#token=x&server=nonsense")
    await expect(person.page.get_by_role("heading", name="Connect to your gateway")).to_be_visible()
    await expect(person.page.get_by_text("This is not a link to a gateway.")).to_be_visible()


async def greeting(person: Person) -> None:
    await person.come_to_new_chat()
    await expect(person.page.get_by_role("list", name="Ways to begin")).to_be_visible()


async def conversation(person: Person) -> None:
    await in_new_chat(person)
    await person.ask(
        "Everything:\n\n# One\n\n## Two\n\n- [x] done\n- [ ] to do\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> said\n\n"
        "```python\nprint('x')  # a comment\n```\n\n[link](https://example.com) and `code`\n\n---\n\n1. one\n2. two"
    )
    await person.ask('THINK hm\nTOOL Bash {"command": "ls"}\nTOOL Read {"file_path": "/a"}\nSAY done', "done")
    await person.last.get_by_role("button", name=re.compile("^Bash")).click()
    await person.last.get_by_role("button", name="Thought").click()
    await person.say("FAIL it")
    await expect(person.last).to_contain_text("No answer")


async def files(person: Person) -> None:
    await in_new_chat(person)
    for name, content in (("chart.png", picture()), ("paper.txt", b"notes")):
        await hand_over(person.page, "paste", name, content, "application/octet-stream")
        await expect(chip(person, name).get_by_role("button", name=f"Remove {name}")).to_be_visible()
    workspace = person.gateway.home / "workspace"
    (workspace / "chart.png").write_bytes(picture())
    (workspace / "page.html").write_text("<p>")
    await person.say(f"SAY seen\nFILE {workspace / 'chart.png'}\nFILE {workspace / 'page.html'}")
    await person.is_answered()
    await hand_over(person.page, "paste", "more.txt", b"more", "text/plain")
    await expect(chip(person, "more.txt").get_by_role("button", name="Remove more.txt")).to_be_visible()


async def large_picture(person: Person) -> None:
    await files(person)
    await person.last.get_by_role("button", name=re.compile("Picture chart.png")).last.click()
    await expect(person.page.get_by_role("dialog", name="chart.png")).to_be_visible()


async def running(person: Person) -> None:
    await in_new_chat(person)
    await person.say('ASK Bash {"command": "rm -rf build"}')
    await expect(person.page.get_by_role("article", name=re.compile("asks to use Bash"))).to_be_visible()
    await person.say("SAY next")
    await expect(person.page.get_by_text("Waiting for its turn")).to_be_visible()


async def choosing(person: Person) -> None:
    await in_new_chat(person)
    await person.page.get_by_role("button", name=re.compile("^Who answers")).click()
    await expect(person.page.get_by_role("dialog", name="Who answers in this chat")).to_be_visible()


async def in_new_chat(person: Person) -> None:
    """Within the page as it is."""
    await person.go(f"/chat/{await person.gateway.new_chat('A look at everything')}")
    await expect(person.turns).to_have_count(0)
    await expect(person.composer).to_be_visible()


def at(place: str, heading: str) -> Callable[[Person], Awaitable[None]]:
    async def go(person: Person) -> None:
        await person.go(place)
        await expect(person.page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        await expect(person.page.get_by_text("Loading…")).to_have_count(0)

    return go


def one_of(kind: str, **made: str) -> Callable[[Person], Awaitable[None]]:
    """What is shown of a task, a cron job or a webhook that has done its work."""

    async def go(person: Person) -> None:
        thing = await person.gateway.api("POST", f"/api/{kind}", {"title": "For the eye", **made})
        if kind == "cron":
            await person.gateway.api("POST", f"/api/cron/{thing['id']}/run")
        await at(f"/automation/{kind}/{thing['id']}", "For the eye")(person)
        if kind != "webhooks":
            await expect(person.page.get_by_role("main").get_by_text("Done").first).to_be_visible()

    return go


async def palette(person: Person) -> None:
    await person.page.keyboard.press("Control+k")
    await expect(person.page.get_by_role("combobox", name="Search commands and chats")).to_be_focused()


async def shortcuts(person: Person) -> None:
    await in_new_chat(person)
    await person.page.evaluate("() => document.activeElement?.blur()")
    await person.page.keyboard.press("?")
    await expect(person.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


async def sidebar(person: Person) -> None:
    await in_new_chat(person)
    opening = person.page.get_by_role("button", name="Show the chats")
    if await opening.is_visible():
        await opening.click()
    await expect(person.page.get_by_role("button", name="Show archived chats")).to_be_visible()


SCREENS: Final[dict[str, Callable[[Person], Awaitable[None]]]] = {
    "conversation": conversation,
    "approval": running,
    "files": files,
    "large picture": large_picture,
    "who answers": choosing,
    "sidebar": sidebar,
    "palette": palette,
    "shortcuts": shortcuts,
    "task": one_of("tasks", prompt='TOOL Bash {"command": "ls"}\nSAY result'),
    "tasks": at("/automation/tasks", "Automation"),
    "new task": at("/automation/tasks/new", "New task"),
    "cron job": one_of("cron", prompt="SAY result", schedule="0 8 * * *"),
    "new cron job": at("/automation/cron/new", "New cron job"),
    "webhook": one_of("webhooks", template="SAY {{ words }}"),
    "new webhook": at("/automation/webhooks/new", "New webhook"),
    "notifications": at("/notifications", "Notifications"),
    "appearance": at("/settings/appearance", "Settings"),
    "gateways": at("/settings/gateways", "Settings"),
    "desktop": at("/settings/notifications", "Settings"),
    "rules": at("/settings/approvals", "Settings"),
    "about": at("/settings/about", "Settings"),
    "no such chat": at("/chat/nowhere", "This chat is not there"),
}


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("width", WIDTHS)
async def test_every_screen_is_for_everybody(
    person_at: NewPerson, gateway: GatewayProcess, width: str, half: int
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not there: npm ci in web/")
    findings = []
    person = await person_at(gateway, bypass_csp=True, reduced_motion="reduce", **WIDTHS[width])
    await person.page.add_init_script(AXE.read_text())
    first = {"connect": connecting} if half else {"greeting": greeting}
    for name, visit in [*first.items(), *list(SCREENS.items())[half::2]]:
        await visit(person)
        findings += [f"{name}: {finding}" for finding in await look_over(person.page)]
        if name == "connect":
            await person.come()
        await person.page.keyboard.press("Escape")  # out of dialogs
    assert not findings, "\n".join(findings)
