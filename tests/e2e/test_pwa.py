"""The page as an app: installed, opened without its gateway, replaced by a newer one, and where it cannot start."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.e2e.conftest import NewPerson, OpenContext, Serve
from tests.e2e.people import Person
from tests.e2e.rig import FLAGS, GatewayProcess, Watch, chromium
from tests.e2e.test_files import chip, hand_over

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEWER = "A new version of the page is there."

_WHAT_IS_KEPT = """async () => {
    const urls = [];
    for (const name of await caches.keys())
        for (const { url } of await (await caches.open(name)).keys()) urls.push(new URL(url).pathname);
    return urls;
}"""


async def keeps_its_files(page: Page) -> None:
    """Wait until the worker has kept the page, and answers for it."""
    await page.evaluate("""async () => {
        await navigator.serviceWorker.ready;
        if (navigator.serviceWorker.controller === null)
            await new Promise((done) => navigator.serviceWorker.addEventListener("controllerchange", done));
    }""")


async def look_for_newer(page: Page) -> None:
    await page.evaluate("async () => void (await (await navigator.serviceWorker.ready).update())")


def make_newer(page: Path) -> None:
    """What an upgrade does: another page with another worker, and a part of the older page has gone."""
    index, worker = page / "index.html", page / "sw.js"
    [part] = (page / "assets").glob("settings-*.js")
    for file in (*page.glob("index.html.*"), *page.glob("sw.js.*"), *page.glob(f"assets/{part.name}*")):
        file.unlink()
    index.write_text(index.read_text().replace('<html lang="en">', '<html lang="en" data-newer>'))
    words = worker.read_text()
    newer = re.sub(r"(?<=version:.)[0-9a-f]{16}", "0" * 16, words).replace(f"assets/{part.name},", "")
    assert len(newer) < len(words)
    worker.write_text(newer)


async def test_the_page_can_be_installed(gateway: GatewayProcess, tmp_path: Path) -> None:
    """In a profile of its own: browsers do not install anything from private windows, which other tests have."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path, executable_path=chromium(), args=[*FLAGS]
        )
        try:
            page = context.pages[0]
            await page.goto(gateway.url)
            await keeps_its_files(page)
            browser = await context.new_cdp_session(page)
            manifest = await browser.send("Page.getAppManifest")
            assert manifest["url"] == f"{gateway.url}/manifest.webmanifest"
            assert manifest["errors"] == []
            assert (await browser.send("Page.getInstallabilityErrors"))["installabilityErrors"] == []
        finally:
            await context.close()


async def test_nothing_is_kept_but_the_page_itself(person: Person, page_directory: Path) -> None:
    await person.come_to_new_chat()
    await keeps_its_files(person.page)
    await hand_over(person.page, "paste", "notes.txt", b"notes", "text/plain")
    await expect(chip(person, "notes.txt").get_by_role("button", name="Remove notes.txt")).to_be_visible()
    await person.ask("SAY words that nobody else keeps", "words that nobody else keeps")
    await person.page.reload()
    await expect(person.last).to_contain_text("words that nobody else keeps")
    kept = await person.page.evaluate(_WHAT_IS_KEPT)
    assert "/" in kept
    assert {path for path in kept if not (page_directory / path[1:]).exists()} == set()
    built = {f"/assets/{file.name}" for file in (page_directory / "assets").iterdir() if file.suffix in (".js", ".css")}
    assert {path for path in kept if path.startswith("/assets/")} == built


async def test_without_its_gateway_the_page_opens_and_says_so(serve: Serve, person_at: NewPerson, watch: Watch) -> None:
    watch.expect_lost_connections()
    watch.expect("Failed to load resource", "Failed to fetch", "An unknown error occurred when fetching the script")
    gateway = await serve()
    person = await person_at(gateway)
    await person.come()
    await keeps_its_files(person.page)
    await gateway.kill()
    await person.page.reload()
    await expect(person.composer).to_be_visible()
    gone = person.page.get_by_role("status").filter(has_text="The gateway does not answer. Is it running")
    await expect(gone).to_be_visible()
    await person.go("/settings/about")  # a part that was never shown before
    await expect(person.page.get_by_role("heading", name="Versions")).to_be_visible()


async def test_a_newer_page_waits_until_somebody_wants_it(
    serve: Serve, person_at: NewPerson, page_directory: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "page"
    shutil.copytree(page_directory, directory)
    gateway = await serve(SYGEN_WEB__DIRECTORY=str(directory))
    person = await person_at(gateway)
    await person.come()
    await keeps_its_files(person.page)
    other = Person(await person.page.context.new_page(), gateway)
    await other.page.goto(gateway.url)
    await expect(other.composer).to_be_visible()
    newer = person.page.locator("html[data-newer]")

    make_newer(directory)
    await look_for_newer(person.page)
    await expect(person.told(NEWER)).to_be_visible()
    await expect(other.told(NEWER)).to_be_visible()
    await person.page.reload()
    await expect(person.composer).to_be_visible()
    await expect(newer).to_have_count(0)

    await person.composer.fill("half a thought")
    await person.told(NEWER).get_by_role("button", name="Reload").click()
    await expect(newer).to_have_count(1)
    await expect(person.composer).to_have_value("half a thought")
    await expect(person.told(NEWER)).to_have_count(0)

    await expect(other.page.locator("html[data-newer]")).to_have_count(0)
    await (await other.page.context.new_cdp_session(other.page)).send("Network.clearBrowserCache")
    await other.go("/settings/appearance")  # its part of this is not on the gateway any more
    await expect(other.page.get_by_role("heading", name="Settings", level=1)).to_be_visible()


async def test_a_browser_that_is_too_old_is_told_which_ones_work(person: Person) -> None:
    await person.page.add_init_script("delete Array.prototype.findLast")
    await person.page.goto(person.link)
    await expect(person.page.get_by_text("This browser is too old for this page.")).to_be_in_viewport()
    await expect(person.page.locator(".unstarted")).to_have_css("display", "none")
    await expect(person.composer).to_have_count(0)


async def test_without_scripts_it_is_said_why_they_are_needed(
    open_context: OpenContext, gateway: GatewayProcess, watch: Watch
) -> None:
    watch.allow_host(gateway.url)
    page = await (await open_context(java_script_enabled=False)).new_page()
    await page.goto(gateway.url)
    why = page.locator("noscript p").first  # no text is found by its words in there
    await expect(why).to_contain_text("This page needs JavaScript")
    await expect(why).to_be_in_viewport()
    await expect(page.locator(".unstarted")).to_have_css("display", "none")


async def test_a_page_that_does_not_start_is_not_just_empty(person: Person, watch: Watch) -> None:
    watch.expect("Failed to load resource")
    notice = person.page.get_by_text("The page has not started yet.")
    await person.page.route("**/assets/*.js", lambda route: route.abort())
    await person.page.goto(person.link)
    await expect(notice).to_be_hidden()
    await person.page.evaluate("() => document.getAnimations().forEach((one) => one.finish())")  # some seconds pass
    await expect(notice).to_be_visible()
    await expect(notice).to_be_in_viewport()
    await person.page.unroute("**/assets/*.js")
    await person.page.reload()
    await expect(person.composer).to_be_visible()
    await expect(notice).to_be_hidden()
