"""Which files clients may read, and opening them so that what was checked is what is read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from sygen_bot.errors import BadRequest, Forbidden, NotFound
from sygen_bot.files.mime import HEAD_BYTES

_MAX_PATH_BYTES: Final = 4096
_PSEUDO: Final = ("/proc", "/sys")
"""File systems whose files are the kernel talking, not files."""
_OPEN_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A regular file that a client may read, open for reading. `path`: without symlinks. Leaving it as a context closes it."""

    path: Path
    fd: int
    size: int
    modified_at: float
    etag: str
    head: bytes

    @classmethod
    def of(cls, fd: int, path: str) -> Self:
        """What is open as `fd`, which it takes over."""
        status = os.fstat(fd)
        identity = f"{status.st_dev}-{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"
        return cls(
            path=Path(path),
            fd=fd,
            size=status.st_size,
            modified_at=status.st_mtime,
            etag=f'"{hashlib.blake2b(identity.encode(), digest_size=12).hexdigest()}"',
            head=os.pread(fd, HEAD_BYTES, 0),
        )

    def close(self) -> None:
        os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


class AllowedRoots:
    """Opens what lies below one of `roots` (None: anywhere), but nothing that is the gateway's own.

    That is everything in `home` outside of `workspace`, and `private`: files elsewhere that hold secrets of the gateway.
    """

    def __init__(
        self, *, roots: Sequence[Path] | None, home: Path, workspace: Path, private: Sequence[Path] = ()
    ) -> None:
        self._roots = roots
        self._home = home
        self._workspace = workspace
        self._private = private

    def open(self, path: str) -> OpenedFile:
        """Raises BadRequest for what is no absolute path, Forbidden outside of the roots, NotFound for what is no regular file.

        May wait for the disk.
        """
        real = self._resolved(path)
        try:
            if not stat.S_ISREG(os.lstat(real).st_mode):  # to open a device or a FIFO is already to use it
                raise NotFound
            fd = os.open(real, _OPEN_FLAGS)
        except PermissionError as error:
            raise Forbidden("The gateway itself may not read this file.") from error
        except OSError as error:
            raise NotFound from error
        try:
            return self._checked(fd)
        except BaseException:
            os.close(fd)
            raise

    def resolve(self, path: str) -> Path:
        """The same file by its one real path. Raises as `open` does."""
        with self.open(path) as opened:
            return opened.path

    def _resolved(self, path: str) -> str:
        if not path.startswith("/") or any(unicodedata.category(character) == "Cc" for character in path):
            raise BadRequest("`path` is the absolute path of a file, without control characters.")
        try:
            if len(os.fsencode(path)) > _MAX_PATH_BYTES:
                raise NotFound
            real = os.path.realpath(path)
        except ValueError as error:  # a lone surrogate is in no file name
            raise BadRequest("`path` is not a path.") from error
        except OSError as error:
            raise NotFound from error
        self._check(real)
        return real

    def _checked(self, fd: int) -> OpenedFile:
        """What was really opened may be another file than the one that was looked at: it is checked itself."""
        real, status = _path_of(fd), os.fstat(fd)
        self._check(real)
        if not stat.S_ISREG(status.st_mode) or status.st_dev in _pseudo_devices():
            raise NotFound
        if status.st_nlink > 1 and (status.st_dev, status.st_ino) in self._secrets():
            raise Forbidden
        return OpenedFile.of(fd, real)

    def _check(self, real: str) -> None:
        """Raises Forbidden unless this path, which has no symlinks, may be read."""
        home, workspace = os.path.realpath(self._home), os.path.realpath(self._workspace)
        if _is_below(real, home) and not (_is_below(real, workspace) and _is_below(workspace, home)):
            raise Forbidden("The gateway's own files are for nobody else.")
        if any(real == os.path.realpath(private) for private in self._private):
            raise Forbidden("The gateway's own files are for nobody else.")
        if self._roots is not None and not any(_is_below(real, os.path.realpath(root)) for root in self._roots):
            raise Forbidden("This file is outside of what `file_access` opens.")
        if any(_is_below(real, pseudo) for pseudo in _PSEUDO):
            raise NotFound

    def _secrets(self) -> Iterator[tuple[int, int]]:
        """Device and inode of every file that is the gateway's own."""
        workspace = os.path.realpath(self._workspace)
        for folder, folders, files in os.walk(os.path.realpath(self._home)):
            folders[:] = [name for name in folders if os.path.join(folder, name) != workspace]  # noqa: PTH118
            for file in (*(Path(folder, name) for name in files), *self._private):
                try:
                    status = file.stat()
                except OSError:
                    continue
                yield status.st_dev, status.st_ino


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _path_of(fd: int) -> str:
    """The path of what is open. Raises NotFound if it has none any more."""
    try:
        if sys.platform == "darwin":
            import fcntl

            path = os.fsdecode(fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
        else:
            path = str(Path(f"/proc/self/fd/{fd}").readlink())
        same = os.lstat(path)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
            raise
        raise NotFound from error
    if not os.path.samestat(same, os.fstat(fd)):
        raise NotFound
    return path


def _pseudo_devices() -> set[int]:
    devices = set()
    for mount in _PSEUDO:
        try:
            devices.add(Path(mount).stat().st_dev)
        except OSError:
            continue
    return devices
