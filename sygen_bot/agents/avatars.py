"""The agents' pictures: the one that was uploaded, or else the one in the configuration, or else one made from the name."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from sygen_bot.agents.portrait import portrait
from sygen_bot.errors import RequestError
from sygen_bot.files.images import ImageScaler

_NEW: Final = ".new-"
_MAX_STORED_BYTES: Final = 4 * 1024 * 1024
"""A picture in the directory is smaller by far; what is larger was put there by somebody else."""
_WEBP: Final = "image/webp"
_SVG: Final = "image/svg+xml"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Avatar:
    """A picture. `etag` changes with `data`, quotes included."""

    data: bytes
    mime: str
    etag: str


_Stamp = tuple[int, int, int]
"""Which file it is, when it was changed and its size: a configured picture is read again when one of them is another."""


class Avatars:
    """`directory` holds what was uploaded; one gateway uses it. `configured`: pictures by agent, which are only read.

    Names may be any text; no file is named after one.
    """

    def __init__(self, directory: Path, *, configured: Mapping[str, Path], scaler: ImageScaler) -> None:
        self._directory = directory
        self._configured = dict(configured)
        self._scaler = scaler
        self._read: dict[str, tuple[_Stamp, Avatar | None]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, name: str) -> Avatar:
        return await self.picture(name) or _avatar(portrait(name).encode(), _SVG)

    async def picture(self, name: str) -> Avatar | None:
        """The picture that somebody chose, in WebP; None if nobody did, or if it cannot be used."""
        return await asyncio.to_thread(_stored, self._file(name)) or await self._from_configuration(name)

    async def put(self, name: str, source: Path) -> None:
        """Keep the picture in `source`, cut to a square. Raises RequestError if it is none, OSError if it cannot be stored."""
        async with self._square(source) as square:
            await asyncio.to_thread(_install, square, self._file(name))

    async def remove(self, name: str) -> None:
        """Forget what was uploaded, if anything was."""
        await asyncio.to_thread(self._file(name).unlink, missing_ok=True)

    async def _from_configuration(self, name: str) -> Avatar | None:
        source = self._configured.get(name)
        if source is None:
            return None
        async with self._locks[name]:
            try:
                about = await asyncio.to_thread(source.stat)
            except OSError:
                return None
            stamp = (about.st_ino, about.st_mtime_ns, about.st_size)
            known = self._read.get(name)
            if known is None or known[0] != stamp:
                known = self._read[name] = (stamp, await self._read_configured(name, source))
            return known[1]

    async def _read_configured(self, name: str, source: Path) -> Avatar | None:
        try:
            async with self._square(source) as square:
                return await asyncio.to_thread(_stored, square)
        except (RequestError, OSError) as error:
            _log.warning("avatar_unusable", agent=name, reason=str(error))
            return None

    @asynccontextmanager
    async def _square(self, source: Path) -> AsyncIterator[Path]:
        """A temporary file with the picture in `source` as it is kept."""
        await asyncio.to_thread(self._directory.mkdir, mode=0o700, parents=True, exist_ok=True)
        square = self._directory / f"{_NEW}{secrets.token_hex(8)}"
        try:
            await self._scaler.as_avatar(source, square)
            yield square
        finally:
            await asyncio.to_thread(square.unlink, missing_ok=True)

    def _file(self, name: str) -> Path:
        return self._directory / f"{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}.webp"


def sweep_avatars(directory: Path) -> None:
    """Remove what a gateway that crashed left half-way. Only before the first upload."""
    for leftover in directory.glob(f"{_NEW}*"):
        leftover.unlink(missing_ok=True)


def _avatar(data: bytes, mime: str) -> Avatar:
    return Avatar(data, mime, f'"{hashlib.sha256(data).hexdigest()[:32]}"')


def _stored(file: Path) -> Avatar | None:
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_STORED_BYTES + 1)
    except OSError:
        return None
    return _avatar(data, _WEBP) if 0 < len(data) <= _MAX_STORED_BYTES else None


def _install(square: Path, file: Path) -> None:
    """Put it into its place, whole or not at all, also if the machine goes down."""
    with square.open("rb") as written:
        os.fsync(written.fileno())
    square.replace(file)
    with contextlib.suppress(OSError):  # not every system can sync a directory
        directory = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
