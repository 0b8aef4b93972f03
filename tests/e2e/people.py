"""People at the page: what they see and do, by the roles and names under which they find it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from playwright.async_api import Error, Locator, Page, expect

from tests.e2e.rig import TOKEN, GatewayProcess

PATIENCE_MS: Final = 15_000
"""Other tests run beside this one, on few processors."""

expect.set_options(timeout=PATIENCE_MS)


_ALL_THAT_IS_KEPT = """async () => {
    const found = { ...localStorage, ...sessionStorage, cookie: document.cookie };
    for (const { name } of await indexedDB.databases()) {
        const database = await new Promise((resolve, reject) => {
            const request = indexedDB.open(name);
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(request.error);
        });
        for (const store of database.objectStoreNames) {
            const records = await new Promise((resolve) => {
                const request = database.transaction(store).objectStore(store).getAll();
                request.onsuccess = () => resolve(request.result);
            });
            found[`${name} ${store}`] = records.map((record) => {
                if (record instanceof CryptoKey) return `key that ${record.extractable ? "can" : "cannot"} be read out`;
                const shown = (value) =>
                    ArrayBuffer.isView(value) || value instanceof ArrayBuffer
                        ? new TextDecoder("latin1").decode(value)
                        : value;
                return Object.fromEntries(Object.entries(record).map(([field, value]) => [field, shown(value)]));
            });
        }
        database.close();
    }
    return JSON.stringify(found);
}"""


class Person:
    """Somebody who looks at one page."""

    def __init__(self, page: Page, gateway: GatewayProcess, url: str | None = None, *, has_touch: bool = False) -> None:
        self.page = page
        self.gateway = gateway
        self.url = url or gateway.url
        self.has_touch = has_touch

    # --- coming

    @property
    def link(self) -> str:
        return f"{self.url}/#token={quote(TOKEN)}"

    async def come(self, chat: str | None = None) -> None:
        """Open the gateway's link, and then one of its chats."""
        await self.page.goto(self.link)
        await expect(self.composer).to_be_visible()
        if chat is not None:
            session = await self.gateway.api("GET", f"/api/chat/sessions/{chat}")
            await self.go(f"/chat/{chat}")
            await expect(self.page.get_by_role("heading", name=session["title"], exact=True, level=1)).to_be_visible()
            await expect(self.composer).to_be_visible()

    async def go(self, place: str) -> None:
        await self.page.goto(f"{self.url}/#{place}")

    async def come_to_new_chat(self, title: str = "A chat of this test") -> str:
        chat = await self.gateway.new_chat(title)
        await self.come(chat)
        await self.is_connected()
        return chat

    async def is_connected(self) -> None:
        """On a phone the chats, where it is told, are out of sight."""
        await expect(
            self.page.get_by_role("button", name=re.compile(r"^Gateway .*, connected$"), include_hidden=True)
        ).to_be_attached()

    # --- talking

    @property
    def composer(self) -> Locator:
        return self.page.get_by_role("textbox", name="Message", exact=True)

    @property
    def turns(self) -> Locator:
        return self.page.get_by_role("feed", name="Messages").get_by_role("article")

    @property
    def last(self) -> Locator:
        return self.turns.last

    def turn(self, words: str) -> Locator:
        """The turn that begins with these words of the person."""
        return self.page.get_by_role("article", name=re.compile(f"^You: {re.escape(words)}"))

    async def say(self, text: str) -> None:
        await self.composer.fill(text)
        if self.has_touch:  # there, Enter begins a new line
            await self.page.get_by_role("button", name=re.compile("^Send")).click()
        else:
            await self.composer.press("Enter")
        await expect(self.composer).to_have_value("")

    async def ask(self, text: str, answer: str | None = None) -> None:
        """Say it, and wait until all of the answer is there."""
        await self.say(text)
        if answer is not None:
            await expect(self.last).to_contain_text(answer)
        await self.is_answered()

    async def is_answered(self) -> None:
        await expect(self.last.get_by_role("button", name="Copy answer")).to_be_attached()

    # --- around

    @property
    def chats(self) -> Locator:
        return self.page.get_by_role("navigation", name="Chats")

    def chat(self, title: str) -> Locator:
        return self.chats.get_by_role("listitem").filter(has_text=title)

    def told(self, words: str) -> Locator:
        """Short words about what was just done, with what can be done about it."""
        return self.page.get_by_role("status").locator("> *").filter(has_text=words)

    async def all_that_is_kept(self) -> str:
        """What the browser stores for the page, keys that cannot be read out aside."""
        return str(await self.page.evaluate(_ALL_THAT_IS_KEPT))

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)


async def press(button: Locator) -> None:
    """Press what may go by itself at any moment."""
    try:
        await button.click(timeout=1_000)
    except Error:
        return
