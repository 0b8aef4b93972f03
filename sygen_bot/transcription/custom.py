"""The engine that people bring: a command, or a server. Where none is configured, our own command on faster-whisper."""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Final

from sygen_bot.transcription.command import Commands
from sygen_bot.transcription.engines import EngineCheck, EngineName, Heard, is_path, located, read_answer
from sygen_bot.transcription.errors import EngineFailed
from sygen_bot.transcription.recording import Recording

_OWN_MODEL: Final = "base"
_PLACE: Final = re.compile(r"\{(file|language|model)\}")
_CORRECTION: Final = "Correct `transcription.custom`: a command with {file} in it, or a URL."


def has_faster_whisper() -> bool:
    """Whether the extra `whisper` is installed."""
    return find_spec("faster_whisper") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """`template`: a command with `{file}`, and perhaps `{language}` and `{model}` in it; no shell reads it. Or a URL."""

    name: ClassVar[EngineName] = "custom"
    template: str
    commands: Commands
    model: str | None
    language: str | None

    def check(self) -> EngineCheck:
        try:
            detail = self.template.partition("?")[0] if self._is_url else Path(self._command(Path("/"))[0]).name
        except EngineFailed as failure:
            return EngineCheck(
                name=self.name, is_ready=False, is_configured=True, detail=str(failure), remedy=_CORRECTION
            )
        return EngineCheck(name=self.name, is_ready=True, is_configured=True, detail=detail)

    async def hear(self, recording: Recording) -> Heard:
        if not self._is_url:
            command = await asyncio.to_thread(self._command, recording.path)
            return read_answer(await self.commands.run(command, cwd=recording.directory), must_be_json=False)
        from sygen_bot.transcription.posting import post  # httpx takes its time to load

        fields = {"model": self.model, "language": self.language}
        return await post(
            self.template, recording, fields={name: value for name, value in fields.items() if value}, headers={}
        )

    @property
    def _is_url(self) -> bool:
        return self.template.startswith(("http://", "https://"))

    def _command(self, file: Path) -> list[str]:
        try:
            words = shlex.split(self.template)
        except ValueError as error:
            raise EngineFailed("a quote in `transcription.custom` is not closed") from error
        if not any("{file}" in word for word in words[1:]):
            raise EngineFailed("`transcription.custom` has no {file} in it")
        program = self.commands.find(str(Path(words[0]).expanduser()) if words[0].startswith("~") else words[0])
        if program is None:
            raise EngineFailed(f"the program {Path(words[0]).name} of `transcription.custom` is not found")
        return [program, *_filled(words[1:], {"file": str(file), "language": self.language, "model": self.model})]


@dataclass(frozen=True, slots=True, kw_only=True)
class FasterWhisper:
    """Our own command, where `transcription.custom` is not set."""

    name: ClassVar[EngineName] = "custom"
    commands: Commands
    model: str | None
    language: str | None
    is_installed: bool

    def check(self) -> EngineCheck:
        if not self.is_installed:
            return EngineCheck(
                name=self.name,
                is_ready=False,
                detail="`transcription.custom` is not set, and faster-whisper is not installed",
                remedy="pip install 'sygen-bot[whisper]'",
            )
        model = self.model or _OWN_MODEL
        if is_path(model) and not Path(located(model)).is_dir():
            return EngineCheck(
                name=self.name,
                is_ready=False,
                is_configured=True,
                detail="faster-whisper: its model is no directory",
                remedy="Correct `transcription.models.custom` or `transcription.model`.",
            )
        origin = "" if is_path(model) else ", downloaded at its first use"
        return EngineCheck(name=self.name, is_ready=True, detail=f"faster-whisper, model {model}{origin}")

    async def hear(self, recording: Recording) -> Heard:
        from sygen_bot.transcription import faster_whisper

        model = await asyncio.to_thread(located, self.model or _OWN_MODEL)
        # -P: else the program's own directory comes first, where it is called like the package that it needs.
        argv = [sys.executable, "-P", faster_whisper.__file__, "--model", model]
        language = ["--language", self.language] if self.language else []
        file = str(await recording.readable())
        return read_answer(
            await self.commands.run([*argv, *language, file], cwd=recording.directory), must_be_json=True
        )


def _filled(words: list[str], values: dict[str, str | None]) -> list[str]:
    """The words with the values in their places. A word whose value is not known goes, with the option before it."""
    filled: list[str] = []
    for word in words:
        if all(values[name] is not None for name in _PLACE.findall(word)):
            filled.append(_PLACE.sub(lambda place: values[place[1]] or "", word))
        elif word.startswith("{") and filled and filled[-1].startswith("-"):
            filled.pop()
    return filled
