"""What an engine is: something that may be there and that turns a recording into text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from sygen_bot.transcription.errors import EngineFailed
from sygen_bot.transcription.recording import Recording, seconds

EngineName = Literal["custom", "openai", "whisper", "whisper-ctranslate2", "whisper.cpp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCheck:
    """Whether an engine would be tried. `detail`: what would run, or why nothing would; `remedy`: what to do about that."""

    name: EngineName
    is_ready: bool
    detail: str
    remedy: str = ""
    is_configured: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """What an engine heard; `duration_s` if it said how long the recording is."""

    text: str
    duration_s: float | None = None


class Engine(Protocol):
    """One engine of the chain."""

    @property
    def name(self) -> EngineName: ...

    def check(self) -> EngineCheck:
        """Whether it is there. Starts nothing."""
        ...

    async def hear(self, recording: Recording) -> Heard:
        """Transcribe. Raises EngineFailed."""
        ...


def is_path(model: str) -> bool:
    """Whether a model is named by where it lies."""
    return model.startswith(("/", "~", "./", "../")) or ("/" in model and Path(model).exists())


def located(model: str) -> str:
    """A model's path in full; its name as it is."""
    return str(Path(model).expanduser().absolute()) if is_path(model) else model


class _Answer(msgspec.Struct):
    text: str
    duration: object = None


def read_answer(said: bytes, *, must_be_json: bool = False) -> Heard:
    """What an engine said, as `{"text": ...}` or as the text alone. Raises EngineFailed."""
    if must_be_json or said.lstrip()[:1] == b"{":
        try:
            answer = msgspec.json.decode(said, type=_Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise EngineFailed("it answered with JSON that has no text") from error
        return Heard(answer.text, seconds(answer.duration))
    return Heard(said.decode(errors="replace"))
