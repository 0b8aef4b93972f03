"""Pictures made smaller, in processes of their own. The gateway itself never opens one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
import sys
from pathlib import Path
from typing import Final, Literal

import structlog

from sygen_bot.errors import RequestError, UnsupportedMedia
from sygen_bot.files import image_worker
from sygen_bot.files.image_worker import Job, Outcome

ImageFormat = Literal["webp", "jpeg", "png"]

MAX_PIXELS: Final = 64_000_000
"""Decoded. A JPEG may have four times as many: it is decoded in a smaller size."""
TIMEOUT_S: Final = 20.0
"""A PNG of `MAX_PIXELS` takes 3.5 s."""
MAX_PARALLEL: Final = 2

_MAX_MEMORY_BYTES: Final = 768 * 1024 * 1024
_MEMORY_CALM: Final = {"MALLOC_ARENA_MAX": "1"}  # so that the bound is about what is used, not about what is set aside
_MAGIC: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_LONGEST_MAGIC: Final = 32

_log = structlog.get_logger(__name__)


class UnusablePicture(RequestError):
    code = "invalid"
    sentence = "This picture cannot be used."


class ImageScaler:
    """Scales pictures down, `max_parallel` at a time; others wait. `max_dimension` is in pixels a side."""

    def __init__(
        self,
        *,
        max_dimension: int,
        output_format: ImageFormat,
        quality: int,
        max_pixels: int = MAX_PIXELS,
        timeout_s: float = TIMEOUT_S,
        max_parallel: int = MAX_PARALLEL,
    ) -> None:
        self._max_dimension = max_dimension
        self._format = output_format
        self._quality = quality
        self._max_pixels = max_pixels
        self._timeout_s = timeout_s
        self._places = asyncio.Semaphore(max_parallel)

    async def scaled(self, source: Path, target: Path) -> str | None:
        """Write a smaller `source` to `target` and return its MIME type; None if it stays as it is, and nothing is at `target`.

        It stays if it is small enough, moves or has pages, is no picture that can be read, or would take too much. The new one
        is upright and keeps its colours and its transparency (on white in a JPEG), and tells nothing else, such as a place.
        """
        outcome = await self._work(
            source, target, output_format=self._format, quality=self._quality, side=self._max_dimension
        )
        return f"image/{self._format}" if outcome is Outcome.WRITTEN else None

    async def as_avatar(self, source: Path, target: Path, *, side: int = 256) -> None:
        """Write the middle of `source` to `target` as a square of at most `side` pixels, in WebP. What moves stands still.

        Raises UnsupportedMedia, UnusablePicture; then nothing is at `target`.
        """
        outcome = await self._work(source, target, output_format="webp", quality=90, side=side, is_avatar=True)
        if outcome is Outcome.TOO_MANY_PIXELS:
            raise UnusablePicture("This picture has too many pixels.")
        if outcome is Outcome.UNREADABLE:
            raise UnsupportedMedia("This is not a picture that can be read.")
        if outcome is not Outcome.WRITTEN:
            raise UnusablePicture("This picture could not be read in time, or not at all.")

    async def _work(
        self, source: Path, target: Path, *, output_format: str, quality: int, side: int, is_avatar: bool = False
    ) -> Outcome | None:
        """How it went; None if the process did not come to its end."""
        if not await asyncio.to_thread(_may_be_a_picture, source):  # most files are none: no process for those
            return Outcome.UNREADABLE
        job: Job = {
            "source": str(source.absolute()),
            "target": str(target.absolute()),
            "format": output_format,
            "quality": quality,
            "side": side,
            "is_avatar": is_avatar,
            "max_pixels": self._max_pixels,
            "max_memory_bytes": _MAX_MEMORY_BYTES,
            "timeout_s": self._timeout_s,
        }
        outcome: Outcome | None = None
        try:
            async with self._places:
                outcome = await self._run(job)
        finally:
            if outcome is not Outcome.WRITTEN:
                await asyncio.to_thread(target.unlink, missing_ok=True)
        return outcome

    async def _run(self, job: Job) -> Outcome | None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", image_worker.__file__, json.dumps(job)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.defpath, **_MEMORY_CALM},
            cwd="/",
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                code = await process.wait()
        except TimeoutError:
            _log.warning("picture_given_up", reason="it took too long")
            return None
        finally:
            if process.returncode is None:
                await _killed(process)
        with contextlib.suppress(ValueError):
            return Outcome(code)
        _log.warning("picture_given_up", reason=f"the process that read it ended with code {code}")
        return None


async def _killed(process: asyncio.subprocess.Process) -> None:
    """Returns when the process is gone, also if this is cancelled meanwhile: a killed process takes no time."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    gone = asyncio.ensure_future(process.wait())
    is_cancelled = False
    while not gone.done():
        try:
            await asyncio.shield(gone)
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled:
        raise asyncio.CancelledError


def _may_be_a_picture(source: Path) -> bool:
    """Whether it begins as one of the formats does that the worker opens."""
    try:
        number = os.open(source, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                return False
            head = file.read(_LONGEST_MAGIC)
    except OSError:
        return False
    is_avif = head[4:8] == b"ftyp" and (b"avif" in head[8:] or b"avis" in head[8:] or b"mif1" in head[8:])
    return head.startswith(_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or is_avif
