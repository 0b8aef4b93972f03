"""The commands `whisper` of OpenAI and `whisper-ctranslate2`, which take the same options."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sygen_bot.transcription.command import MOST_OUTPUT, Commands
from sygen_bot.transcription.engines import EngineCheck, Heard, is_path, located, read_answer
from sygen_bot.transcription.errors import EngineFailed
from sygen_bot.transcription.recording import Recording

_MODEL = "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class WhisperCommand:
    """One of the two commands. `model`: a name; or a file for `whisper`, a directory for `whisper-ctranslate2`."""

    name: Literal["whisper", "whisper-ctranslate2"]
    commands: Commands
    model: str | None
    language: str | None

    def check(self) -> EngineCheck:
        program = self.commands.find(self.name)
        package = "openai-whisper" if self.name == "whisper" else "whisper-ctranslate2"
        if program is None:
            return EngineCheck(
                name=self.name,
                is_ready=False,
                detail=f"`{self.name}` is not on the PATH",
                remedy=f"pip install {package}",
            )
        if self.name == "whisper" and self.commands.find("ffmpeg") is None:
            return EngineCheck(
                name=self.name,
                is_ready=False,
                detail="it needs ffmpeg, which is not installed",
                remedy="Install ffmpeg.",
            )
        return EngineCheck(name=self.name, is_ready=True, detail=f"{program}, model {self._model}")

    async def hear(self, recording: Recording) -> Heard:
        program = await asyncio.to_thread(self.commands.find, self.name)
        if program is None:
            raise EngineFailed("it is not installed any more")
        file = await (recording.wav() if self.name == "whisper" else recording.readable())
        output = recording.directory / self.name
        options = await asyncio.to_thread(self._prepare, output)
        await self.commands.run([program, str(file), *options], cwd=recording.directory)
        said = await asyncio.to_thread(read_output, output / f"{file.stem}.json")
        return read_answer(said, must_be_json=True)

    def _prepare(self, output: Path) -> list[str]:
        """The options of a call that writes into the directory `output`, which this makes."""
        output.mkdir()
        model = self._model
        option = "--model_directory" if is_path(model) and self.name != "whisper" else "--model"
        language = ["--language", self.language] if self.language else []
        told = ["--output_dir", str(output), "--output_format", "json", "--verbose", "False"]
        return [option, located(model), *language, *told]

    @property
    def _model(self) -> str:
        """A path only if it is of the kind that this command takes: `transcription.model` is for all engines."""
        if self.model is None or not is_path(self.model):
            return self.model or _MODEL
        path = Path(located(self.model))
        return self.model if path.is_dir() == (self.name == "whisper-ctranslate2") else _MODEL


def read_output(file: Path) -> bytes:
    """What a command wrote into a file. Raises EngineFailed."""
    try:
        with file.open("rb") as output:
            said = output.read(MOST_OUTPUT + 1)
    except OSError as error:
        raise EngineFailed("it wrote no text") from error
    if len(said) > MOST_OUTPUT:
        raise EngineFailed(f"it wrote more than {MOST_OUTPUT // 1024 // 1024} MiB")
    return said
