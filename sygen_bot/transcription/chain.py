"""From a recording to its text: the engines that are there are asked one after the other, until one answers."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from sygen_bot.transcription.command import Commands
from sygen_bot.transcription.custom import Custom, FasterWhisper, has_faster_whisper
from sygen_bot.transcription.engines import Engine, EngineCheck, EngineName, Heard
from sygen_bot.transcription.errors import EngineFailed, NoEngine, NotARecording, TranscriptionFailed
from sygen_bot.transcription.openai import OpenAI
from sygen_bot.transcription.recording import Recording, copy_recording
from sygen_bot.transcription.whisper_cli import WhisperCommand
from sygen_bot.transcription.whisper_cpp import WhisperCpp
from sygen_bot.transcription.wording import complaint, secrets_of, transcript

_PREFIX: Final = "transcription-"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionOptions:
    """The settings of the section `transcription`, see docs/config.md. Sizes in bytes, times in seconds."""

    custom: str | None = None
    openai_base_url: str | None = None
    openai_api_key_env: str = "OPENAI_API_KEY"
    model: str | None = None
    models: Mapping[EngineName, str] = field(default_factory=dict)
    language: str | None = None
    timeout_s: float = 120.0
    max_file_bytes: int = 200 * 1024 * 1024
    max_parallel: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What was said, who heard it, and how long the recording is if anybody can tell."""

    text: str
    engine: EngineName
    duration_s: float | None


class Transcriber:
    """The chain of engines. `is_own_installed` says whether our own engine can be used, None that this is found out."""

    def __init__(
        self,
        *,
        options: TranscriptionOptions,
        run_dir: Path,
        environ: Mapping[str, str],
        is_own_installed: bool | None = None,
    ) -> None:
        self._options = options
        self._run_dir = run_dir
        self._environ = environ
        self._is_own_installed = has_faster_whisper() if is_own_installed is None else is_own_installed
        self._commands = Commands(run_dir=run_dir, environ=environ)
        self._places = asyncio.Semaphore(options.max_parallel)
        self._running: set[asyncio.Task[Transcript]] = set()
        self._is_closed = False

    def engines(self) -> list[EngineCheck]:
        """Every engine, in the order in which those that are ready are asked. Starts nothing."""
        return [engine.check() for engine in self._engines()]

    async def transcribe(self, path: Path, *, mime: str, fd: int | None = None) -> Transcript:
        """The text of a recording. With `fd` that open file is read, and `path` only names it.

        Raises NotFound, NotARecording, RecordingTooLarge, NoEngine, TranscriptionFailed. Cancelling it ends its processes.
        """
        if not mime.startswith(("audio/", "video/")):
            raise NotARecording
        if self._is_closed:
            raise NoEngine("The gateway stops.")
        work = asyncio.create_task(self._work(path, mime, fd), name="transcription")
        self._running.add(work)
        try:
            await asyncio.wait({work})
        finally:
            work.cancel()
            await asyncio.wait({work})
            self._running.discard(work)
            if not work.cancelled():
                work.exception()  # it has been looked at, also if nobody waits for it any more
        if work.cancelled():
            raise NoEngine("The gateway stops.")
        return work.result()

    async def close(self) -> None:
        """End what runs; nothing begins any more."""
        self._is_closed = True
        for work in self._running:
            work.cancel()
        if self._running:
            await asyncio.wait(set(self._running))

    def _engines(self) -> Sequence[Engine]:
        options, commands = self._options, self._commands

        def model(name: EngineName) -> str | None:
            return options.models.get(name, options.model)

        own: Engine = (
            FasterWhisper(
                commands=commands,
                model=model("custom"),
                language=options.language,
                is_installed=self._is_own_installed,
            )
            if options.custom is None
            else Custom(template=options.custom, commands=commands, model=model("custom"), language=options.language)
        )
        return (
            own,
            OpenAI(
                base_url=options.openai_base_url,
                key_variable=options.openai_api_key_env,
                environ=self._environ,
                model=model("openai"),
                language=options.language,
            ),
            WhisperCommand(name="whisper", commands=commands, model=model("whisper"), language=options.language),
            WhisperCommand(
                name="whisper-ctranslate2",
                commands=commands,
                model=model("whisper-ctranslate2"),
                language=options.language,
            ),
            WhisperCpp(commands=commands, model=model("whisper.cpp"), language=options.language),
        )

    async def _work(self, path: Path, mime: str, fd: int | None) -> Transcript:
        async with self._places:
            directory = self._run_dir.absolute() / f"{_PREFIX}{secrets.token_hex(8)}"
            try:
                most = self._options.max_file_bytes
                copy = await copy_recording(path, directory, fd=fd, mime=mime, max_bytes=most)
                return await self._ask_all(await Recording.of(copy, mime=mime, commands=self._commands))
            finally:
                await asyncio.shield(asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True))

    async def _ask_all(self, recording: Recording) -> Transcript:
        complaints: dict[EngineName, str] = {}
        is_anybody_there = False
        for engine in self._engines():
            check = await asyncio.to_thread(engine.check)
            if not check.is_ready:
                if check.is_configured:
                    complaints[engine.name] = self._shown(check.detail)
                continue
            is_anybody_there = True
            try:
                heard = await self._ask(engine, recording)
            except EngineFailed as failure:
                complaints[engine.name] = self._shown(str(failure))
                _log.warning("transcription_engine_failed", engine=engine.name, reason=complaints[engine.name])
                continue
            duration = heard.duration_s if heard.duration_s is not None else await recording.duration()
            return Transcript(
                text=transcript(heard.text),
                engine=engine.name,
                duration_s=None if duration is None else round(duration, 3),
            )
        said = " ".join(f"{name}: {words.rstrip('.')}." for name, words in complaints.items())
        if not is_anybody_there:
            raise NoEngine(f"{NoEngine.sentence} {said}".strip())
        raise TranscriptionFailed(f"{TranscriptionFailed.sentence} {said}")

    async def _ask(self, engine: Engine, recording: Recording) -> Heard:
        try:
            async with asyncio.timeout(self._options.timeout_s):
                return await engine.hear(recording)
        except TimeoutError as error:
            raise EngineFailed(f"it took longer than {self._options.timeout_s:g} s") from error
        except OSError as error:
            raise EngineFailed(f"its files cannot be written or read: {error.strerror}") from error

    def _shown(self, said: str) -> str:
        options = self._options
        return complaint(said, secrets_of(self._environ, options.custom, options.openai_base_url))


def sweep_recordings(run_dir: Path) -> None:
    """Remove what a gateway that crashed left below `run_dir`: other people's voices."""
    for directory in run_dir.glob(f"{_PREFIX}*"):
        shutil.rmtree(directory, ignore_errors=True)
