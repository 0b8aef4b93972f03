"""The local end of a download: a `.part` file that a later call goes on with, or a stream."""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from sygen_bot.client.errors import TransferFailed
from sygen_bot.files.names import safe_name


class Sink(Protocol):
    """Where the bytes go."""

    def resume_point(self) -> tuple[int, str]:
        """How much is here already, and the ETag of the file that it is of. 0 and nothing to start anew."""
        ...

    def start(self, etag: str, name: str | None) -> None:
        """The file comes from its beginning; what was here is of no use. `name`: what the gateway calls it."""
        ...

    def go_on(self, name: str | None) -> None:
        """What comes follows what is here."""
        ...

    def write(self, data: bytes) -> None: ...


class Part:
    """`TO.part`, and beside it a note that says of what file it is a part. Only one at a time has it open.

    Raises OSError for everything the disk says, FileExistsError if `TO` is there and must not be replaced.
    """

    def __init__(self, to: Path, source: str, *, overwrite: bool) -> None:
        self._source = source
        self._is_folder = to.is_dir()
        self._overwrite = overwrite
        self._to = to / safe_name(source) if self._is_folder else to
        self._part = self._to.with_name(f"{self._to.name}.part")
        self._note = self._to.with_name(f"{self._to.name}.part.json")
        if not self._is_folder:
            self._check_free()
        self._file = self._open()
        self._etag = self._noted_etag()
        self._size = os.fstat(self._file.fileno()).st_size
        self._name: str | None = None

    def _open(self) -> BinaryIO:
        file = os.fdopen(os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b", buffering=0)
        if not _locked(file):
            file.close()
            raise TransferFailed(f"{self._part} is being downloaded already.")
        return file

    def resume_point(self) -> tuple[int, str]:
        return (self._size, self._etag) if self._etag and self._size else (0, "")

    def start(self, etag: str, name: str | None) -> None:
        self._name = name
        self._check_free()
        if self._size:
            self._file.truncate(0)
            self._size = 0
        self._etag = etag if _is_strong(etag) else ""
        self._note.write_text(json.dumps({"path": self._source, "etag": self._etag}), "utf-8")

    def go_on(self, name: str | None) -> None:
        self._name = name
        self._check_free()

    def write(self, data: bytes) -> None:
        try:
            self._file.seek(self._size)
            left = memoryview(data)
            while left:
                written = self._file.write(left)
                self._size += written
                left = left[written:]
        except OSError as error:
            raise _named(error, self._part) from error

    def finish(self) -> Path:
        """All is here: give it its name."""
        self._check_free()
        self._part.replace(self._final)
        self._note.unlink(missing_ok=True)
        return self._final

    def close(self) -> None:
        self._file.close()
        if self._size == 0:  # nothing to go on with
            with suppress(OSError):
                self._note.unlink(missing_ok=True)
                if self._part.exists() and self._part.stat().st_size == 0:
                    self._part.unlink()

    @property
    def _final(self) -> Path:
        return self._to.with_name(safe_name(self._name)) if self._is_folder and self._name else self._to

    def _check_free(self) -> None:
        if self._final.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self._final))
        if not self._overwrite and os.path.lexists(self._final):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self._final))

    def _noted_etag(self) -> str:
        try:
            noted = json.loads(self._note.read_text("utf-8"))
            is_ours = noted["path"] == self._source and isinstance(noted["etag"], str)
        except (OSError, ValueError, TypeError, KeyError):
            return ""
        return str(noted["etag"]) if is_ours else ""


class Outflow:
    """A stream that takes what comes. What it has taken cannot be taken back."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._etag = ""
        self._size = 0

    def resume_point(self) -> tuple[int, str]:
        if self._size and not self._etag:
            raise TransferFailed("The connection broke, and the gateway does not say how to go on: begin anew.")
        return self._size, self._etag

    def start(self, etag: str, name: str | None) -> None:  # noqa: ARG002 - a stream has its own name
        if self._size:
            raise TransferFailed("The file changed while it was being downloaded: begin anew.")
        self._etag = etag if _is_strong(etag) else ""

    def go_on(self, name: str | None) -> None:
        pass

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            written = self._stream.write(left)
            self._size += written
            left = left[written:]
        self._stream.flush()


def _locked(file: BinaryIO) -> bool:
    """Whether the file is ours alone now, as far as this system can tell."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_strong(etag: str) -> bool:
    """Only such an ETag promises the same bytes, which is what pieces are put together by."""
    return etag.startswith('"')


def _named(error: OSError, path: Path) -> OSError:
    """The same error, with the file that it is about."""
    return type(error)(error.errno, error.strerror, str(path))
