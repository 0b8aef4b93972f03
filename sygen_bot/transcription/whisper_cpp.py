"""whisper.cpp, under each of the names that its program has had."""

from __future__ import annotations

import asyncio
import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from sygen_bot.transcription.command import Commands
from sygen_bot.transcription.engines import EngineCheck, EngineName, Heard, is_path, located
from sygen_bot.transcription.errors import EngineFailed
from sygen_bot.transcription.recording import Recording
from sygen_bot.transcription.whisper_cli import read_output

_NATIVE: Final = ("whisper-cli", "whisper-cpp", "main")
_PYTHON: Final = "pwcpp"
_PYTHON_MODEL: Final = "base"
_OF_WHISPER_CPP: Final = b"whisper_full"  # the function that transcribes: every program on the library names it

_MOST_THREADS: Final = 4  # what whisper.cpp takes by itself: more hardly help


@dataclass(frozen=True, slots=True, kw_only=True)
class WhisperCpp:
    """`model`: a ggml file; for `pwcpp` also a name, which it downloads."""

    name: ClassVar[EngineName] = "whisper.cpp"
    commands: Commands
    model: str | None
    language: str | None

    def check(self) -> EngineCheck:
        found = self._find()
        if found is not None:
            return EngineCheck(name=self.name, is_ready=True, detail=f"{found[0]}, model {found[1]}")
        native = self._native()
        if native is not None:
            return EngineCheck(
                name=self.name,
                is_ready=False,
                detail=f"{native} is there, but no model for it",
                remedy='Download a ggml model and name its file: `transcription.models` {"whisper.cpp": "/path/to/ggml-base.bin"}.',
            )
        return EngineCheck(
            name=self.name,
            is_ready=False,
            detail="none of whisper-cli, whisper-cpp, main (of whisper.cpp) and pwcpp is on the PATH",
            remedy="Install whisper.cpp, or pip install pywhispercpp.",
        )

    async def hear(self, recording: Recording) -> Heard:
        found = await asyncio.to_thread(self._find)
        if found is None:
            raise EngineFailed("it is not installed any more")
        program, model = found
        wav = await recording.wav()
        if Path(program).name == _PYTHON:
            output = wav.with_name(f"{wav.name}.txt")
            language = ["--language", self.language] if self.language else []
            argv = [program, "-m", model, *language, "--n_threads", str(_threads()), "-otxt", str(wav)]
        else:
            output = wav.with_name("whisper-cpp.txt")
            prefix = str(output.with_suffix(""))
            options = ["-l", self.language or "auto", "-t", str(_threads()), "-nt", "-np", "-otxt", "-of", prefix]
            argv = [program, "-m", model, *options, "-f", str(wav)]
        await self.commands.run(argv, cwd=recording.directory)
        said = await asyncio.to_thread(read_output, output)
        return Heard(said.decode(errors="replace"))

    def _find(self) -> tuple[str, str] | None:
        """The program and its model: the first name that is there, if there is a model for it."""
        file = located(self.model) if self.model is not None and Path(located(self.model)).is_file() else None
        if file is not None and (native := self._native()) is not None:
            return native, file
        python = self.commands.find(_PYTHON)
        if python is None:
            return None
        name = _PYTHON_MODEL if self.model is None or is_path(self.model) else self.model
        return python, file or name

    def _native(self) -> str | None:
        for name in _NATIVE:
            program = self.commands.find(name)
            if program is not None and (name != "main" or _is_whisper_cpp(Path(program))):
                return program
        return None


def _threads() -> int:
    """One processor stays free: its threads wait for each other in loops, and if one gets no processor all take several times longer."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST_THREADS, max(1, processors - 1))


def _is_whisper_cpp(program: Path) -> bool:
    """Many programs are called `main`. Asking one what it is would mean running it: so this looks into it."""
    try:
        with program.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(_OF_WHISPER_CPP) != -1
    except (OSError, ValueError):
        return False
