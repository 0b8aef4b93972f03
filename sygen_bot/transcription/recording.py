"""The recording that engines are given: a private copy, as it came and as the WAV that most of them want."""

from __future__ import annotations

import asyncio
import math
import mimetypes
import os
import re
import stat
import threading
import wave
from pathlib import Path
from typing import Final, Self

from sygen_bot.errors import NotFound
from sygen_bot.transcription.command import Commands
from sygen_bot.transcription.errors import EngineFailed, NotARecording, RecordingTooLarge

RATE: Final = 16_000
"""Samples a second of the WAV that engines get: mono, 16 bit."""

_MOST_WAV_BYTES: Final = 512 * 1024 * 1024  # 4.6 hours
_MEASURE_S: Final = 20.0
_PIECE: Final = 1024 * 1024
_SUFFIX: Final = re.compile(r"\.[A-Za-z0-9]{1,8}")
_SIGNATURES: Final = (
    re.compile(rb"\x1a\x45\xdf\xa3"),  # WebM, Matroska
    re.compile(rb"OggS|fLaC|ID3|caff|FLV\x01|#!AMR|MAC |wvpk"),
    re.compile(rb"RIFF....(?:WAVE|AVI )|RF64....WAVE|FORM....AIF[FC]", re.DOTALL),
    re.compile(rb"....ftyp", re.DOTALL),  # MP4, M4A, 3GP, QuickTime
    re.compile(rb"\xff[\xe2-\xff]"),  # MPEG audio, AAC
    re.compile(rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # WMA, WMV
    re.compile(rb"\x00\x00\x01[\xb0-\xbf]"),  # MPEG video
    re.compile(rb"\x47.{187}\x47", re.DOTALL),
)
_FORMATS: Final = "wav,w64,aiff,caf,ogg,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,flac,aac,amr,avi,flv,asf,ape,wv,mpeg,mpegvideo,mpegts"
"""What ffmpeg may take a file for: containers of sound only. Playlists would make it open other files and addresses."""


def looks_recorded(head: bytes) -> bool:
    """Whether a file that begins like this is a container of sound, whatever its name says."""
    return any(signature.match(head) for signature in _SIGNATURES)


class Recording:
    """One recording, in a private directory. Its file names are ours, so that no name can be taken for an option."""

    def __init__(self, path: Path, *, mime: str, commands: Commands, is_wanted_wav: bool) -> None:
        """`is_wanted_wav`: whether it comes as the WAV that engines get."""
        self.path = path
        self.mime = mime
        self._commands = commands
        self._wav: Path | None = path if is_wanted_wav else None

    @classmethod
    async def of(cls, path: Path, *, mime: str, commands: Commands) -> Self:
        """Looks into the file."""
        is_wanted_wav = await asyncio.to_thread(_is_wanted_wav, path)
        return cls(path, mime=mime, commands=commands, is_wanted_wav=is_wanted_wav)

    @property
    def directory(self) -> Path:
        return self.path.parent

    async def wav(self) -> Path:
        """It as 16 kHz mono WAV. Raises EngineFailed."""
        if self._wav is None:
            ffmpeg = await self._find("ffmpeg")
            if ffmpeg is None:
                raise EngineFailed(
                    "it needs a WAV file with 16 kHz, and ffmpeg, which could make one, is not installed"
                )
            wav = self.directory / "converted.wav"
            await self._commands.run(
                [
                    *(ffmpeg, "-nostdin", "-loglevel", "error", "-y", *self._input()),
                    *("-vn", "-sn", "-dn", "-map_metadata", "-1", "-ac", "1", "-ar", str(RATE), "-c:a", "pcm_s16le"),
                    *("-fs", str(_MOST_WAV_BYTES), "-f", "wav", str(wav)),
                ],
                cwd=self.directory,
            )
            if (await asyncio.to_thread(wav.stat)).st_size >= _MOST_WAV_BYTES - RATE:
                raise EngineFailed("the recording is too long")
            self._wav = wav
        return self._wav

    async def readable(self) -> Path:
        """It for engines that read most formats: as WAV if ffmpeg is here, which is told what it may read; else as it is."""
        return self.path if await self._find("ffmpeg") is None else await self.wav()

    async def duration(self) -> float | None:
        """How long it is, in seconds; None if that cannot be told."""
        known = await asyncio.to_thread(_wav_length, self._wav or self.path)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(_MEASURE_S):
                return await self._header_duration() or await self._decoded_duration()
        except (EngineFailed, TimeoutError):
            return None

    async def _header_duration(self) -> float | None:
        ffprobe = await self._find("ffprobe")
        if ffprobe is None:
            return None
        told = ("-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0")
        answer = await self._commands.run([ffprobe, *told, *self._input()], cwd=self.directory)
        return seconds(answer.decode(errors="replace").strip())

    async def _decoded_duration(self) -> float | None:
        """What a browser records has no length in its header: then decoding tells it."""
        ffmpeg = await self._find("ffmpeg")
        if ffmpeg is None:
            return None
        shown = ("-nostdin", "-loglevel", "error", "-nostats", "-progress", "pipe:1")
        argv = [ffmpeg, *shown, *self._input(), "-vn", "-sn", "-dn", "-f", "null", "-"]
        answer = (await self._commands.run(argv, cwd=self.directory)).decode(errors="replace")
        times = re.findall(r"^out_time_us=(\d+)", answer, re.MULTILINE)
        return int(times[-1]) / 1e6 if times else None

    async def _find(self, program: str) -> str | None:
        return await asyncio.to_thread(self._commands.find, program)

    def _input(self) -> tuple[str, ...]:
        return ("-protocol_whitelist", "file", "-format_whitelist", _FORMATS, "-i", f"file:{self.path}")


async def copy_recording(path: Path, directory: Path, *, fd: int | None, mime: str, max_bytes: int) -> Path:
    """A copy of a file, or of what `fd` has open, in `directory`, which this makes, with the suffix that `path` has.

    Raises NotFound if it is no regular file, NotARecording, RecordingTooLarge.
    """
    source = None if fd is None else os.dup(fd)
    is_unwanted = threading.Event()
    copying = asyncio.ensure_future(
        asyncio.to_thread(_copy, path, source, directory, mime=mime, max_bytes=max_bytes, is_unwanted=is_unwanted)
    )
    try:
        return await asyncio.shield(copying)
    finally:
        is_unwanted.set()
        await asyncio.wait({copying})
        copying.exception()  # it has been looked at, also if this was cancelled


def seconds(told: object) -> float | None:
    """A length in seconds as some program told it; None if it is none."""
    try:
        length = float(told)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return length if math.isfinite(length) and length >= 0 else None


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise NotFound("There is no such file.") from error


def _copy(
    path: Path, fd: int | None, directory: Path, *, mime: str, max_bytes: int, is_unwanted: threading.Event
) -> Path:
    """Closes `fd`."""
    source = _opened(path) if fd is None else fd
    try:
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.mkdir(mode=0o700)
        suffix = path.suffix if _SUFFIX.fullmatch(path.suffix) else mimetypes.guess_extension(mime) or ""
        target = directory / f"speech{suffix.lower()}"
        status = os.fstat(source)
        if not stat.S_ISREG(status.st_mode):
            raise NotFound("There is no such file.")
        if status.st_size > max_bytes:
            raise RecordingTooLarge
        if not looks_recorded(os.pread(source, 4096, 0)):
            raise NotARecording
        with target.open("xb") as copy:
            copied = 0
            while not is_unwanted.is_set() and (piece := os.pread(source, _PIECE, copied)):
                copied += len(piece)
                if copied > max_bytes:  # it grows while it is read
                    raise RecordingTooLarge
                copy.write(piece)
        return target
    finally:
        os.close(source)


def _wav_length(path: Path) -> float | None:
    form = _wav_form(path)
    return None if form is None else form[3] / form[1]


def _is_wanted_wav(path: Path) -> bool:
    form = _wav_form(path)
    return form is not None and form[:3] == (1, RATE, 2)


def _wav_form(path: Path) -> tuple[int, int, int, int] | None:
    """Channels, samples a second, bytes a sample and samples, if it is a plain WAV file that has what it promises."""
    try:
        with wave.open(str(path), "rb") as file:
            form = (file.getnchannels(), file.getframerate(), file.getsampwidth(), file.getnframes())
    except (OSError, EOFError, wave.Error, ValueError, ArithmeticError):
        return None
    channels, rate, width, samples = form
    is_whole = rate > 0 and samples * channels * width <= path.stat().st_size
    return form if is_whole else None
