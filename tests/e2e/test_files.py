"""Files to the agent and from it: chosen, pasted and dropped, looked at, and never let run."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Locator, Page, expect

from tests.e2e.conftest import NewPerson, Serve
from tests.e2e.people import Person
from tests.e2e.rig import GatewayProcess, Watch
from tests.fakes.fault_proxy import FaultProxy

pytestmark = pytest.mark.asyncio(loop_scope="session")


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(out, "PNG")
    return out.getvalue()


def chip(person: Person, name: str) -> Locator:
    return person.page.get_by_role("list", name="Files of this message").get_by_role("listitem").filter(has_text=name)


async def choose(person: Person, *files: Path) -> None:
    """By the button and the browser's own dialog."""
    async with person.page.expect_file_chooser() as choosing:
        await person.button("Attach files").click()
    await (await choosing.value).set_files(files)


_HAND_OVER = """([kind, name, type, content]) => {
    const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type }));
    const field = document.querySelector("textarea");
    const given = { bubbles: true, cancelable: true };
    if (kind === "paste") field.dispatchEvent(new ClipboardEvent("paste", { ...given, clipboardData: data }));
    else field.dispatchEvent(new DragEvent(kind, { ...given, dataTransfer: data }));
}"""


async def hand_over(page: Page, kind: str, name: str, content: bytes, media_type: str) -> None:
    """What the browser does when a person pastes or drags a file."""
    await page.evaluate(_HAND_OVER, [kind, name, media_type, base64.b64encode(content).decode()])


async def test_files_are_chosen_pasted_dropped_and_sent_with_a_message(person: Person, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("some notes")
    await person.come_to_new_chat()
    await choose(person, notes)
    await expect(chip(person, "notes.txt")).to_contain_text("10 ")
    await hand_over(person.page, "paste", "image.png", picture(), "image/png")
    await expect(
        chip(person, "pasted-").get_by_role("button", name=re.compile("^Remove pasted-.*png$"))
    ).to_be_visible()

    await hand_over(person.page, "dragenter", "over.txt", b"", "text/plain")
    await expect(person.page.get_by_text("Drop the files to attach them")).to_be_visible()
    await hand_over(person.page, "drop", "dropped.txt", b"dropped", "text/plain")
    await expect(person.page.get_by_text("Drop the files to attach them")).to_be_hidden()
    await chip(person, "dropped.txt").get_by_role("button", name="Remove dropped.txt").click()
    await expect(chip(person, "dropped.txt")).to_be_hidden()

    await person.composer.fill("SAY seen")
    await person.composer.press("Enter")
    await expect(person.last).to_contain_text("seen")
    await expect(person.last.get_by_role("button", name="Download notes.txt")).to_be_visible()
    await expect(person.last.get_by_role("img", name=re.compile("^Picture pasted-"))).to_be_visible()
    await expect(person.last.get_by_role("paragraph").filter(has_text="SAY seen")).to_have_text("SAY seen")
    stored = [file.read_bytes() for file in (person.gateway.home / "workspace").rglob("*notes*.txt")]
    assert stored == [b"some notes"]


async def test_an_upload_is_cancelled_and_one_that_fails_is_tried_again(
    person_at: NewPerson, gateway: GatewayProcess, watch: Watch
) -> None:
    watch.expect_lost_connections()
    async with FaultProxy(gateway.port) as network:
        person = await person_at(gateway, f"http://127.0.0.1:{network.port}")
        await person.come_to_new_chat()
        await person.page.wait_for_load_state("networkidle")  # what is loaded later would be held, too
        network.hold()
        await hand_over(person.page, "paste", "first.txt", b"one", "text/plain")
        await chip(person, "first.txt").get_by_role("button", name="Cancel the upload of first.txt").click()
        await expect(chip(person, "first.txt")).to_be_hidden()
        await hand_over(person.page, "paste", "second.txt", b"two", "text/plain")
        await network.shut()
        await expect(chip(person, "second.txt").get_by_role("alert")).to_be_visible()
        await person.composer.fill("SAY it is there")
        await person.composer.press("Enter")
        await expect(person.told("Not every file is with the gateway.")).to_be_visible()
        await expect(person.composer).to_have_value("SAY it is there")
        network.open()
        await chip(person, "second.txt").get_by_role("button", name="Try again").click()
        await expect(chip(person, "second.txt").get_by_role("button", name="Remove second.txt")).to_be_visible()
        await person.composer.press("Enter")
        await expect(person.last).to_contain_text("it is there")
        await expect(person.last.get_by_role("button", name=re.compile(r"Download second.*\.txt"))).to_be_visible()


async def test_what_is_too_large_is_refused_with_a_sentence(serve: Serve, person_at: NewPerson, watch: Watch) -> None:
    watch.expect(r"status of 413")
    gateway = await serve(SYGEN_API__MAX_UPLOAD_BYTES="1000")
    person = await person_at(gateway)
    await person.come_to_new_chat()
    await hand_over(person.page, "paste", "large.bin", b"x" * 5000, "application/octet-stream")
    await expect(chip(person, "large.bin").get_by_role("alert")).to_contain_text(
        "This is larger than the gateway takes."
    )
    await chip(person, "large.bin").get_by_role("button", name="Remove large.bin").click()

    words = "x" * 1_000_000
    await person.composer.fill(words)
    await person.composer.press("Enter")
    await expect(person.told("Attach it as a file, or send it in parts. It is still here.")).to_be_visible()
    assert len(await person.composer.input_value()) == len(words)


async def test_files_of_the_agent_are_looked_at_or_downloaded_and_never_run(person: Person, watch: Watch) -> None:
    watch.expect(r"status of 404 .*nowhere\.png")
    workspace = person.gateway.home / "workspace"
    workspace.mkdir(exist_ok=True)
    (workspace / "chart.png").write_bytes(picture())
    (workspace / "page.html").write_text("<script>alert('it ran')</script>")
    (workspace / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' onload=\"alert('it ran')\"/>")
    await person.come_to_new_chat()
    await person.say(
        "\n".join(f"FILE {workspace / name}" for name in ("chart.png", "page.html", "drawing.svg", "nowhere.png"))
    )
    await person.last.get_by_role("button", name=re.compile("Picture chart.png")).click()
    large = person.page.get_by_role("dialog", name="chart.png")
    await expect(large.get_by_role("img", name="Picture chart.png")).to_be_visible()
    await large.get_by_role("button", name="Show it in its own size").click()
    await expect(large.get_by_role("button", name="Show the whole picture")).to_be_visible()
    await person.page.keyboard.press("Escape")
    await expect(large).to_be_hidden()

    for name in ("page.html", "drawing.svg"):
        async with person.page.expect_download() as downloading:
            await person.last.get_by_role("button", name=f"Download {name}").click()
        download = await downloading.value
        assert download.suggested_filename == name
        assert (await download.path()).read_bytes() == (workspace / name).read_bytes()
    assert len(person.page.context.pages) == 1
    await expect(person.last.get_by_role("alert")).to_contain_text("This file is not there any more.")
