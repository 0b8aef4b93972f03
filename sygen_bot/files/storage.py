"""Where uploads lie: whole or not at all, each under a name of its own, in a folder for each day."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import secrets
import stat
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Final

from sygen_bot.files.names import safe_name

_TEMPORARY: Final = ".incoming-"
_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class UploadFolder:
    """The folder of all uploads. Every method waits for the disk and raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def temporary(self) -> Path:
        """The path of a file that is still on its way: on the same disk, not there yet."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._folder / f"{_TEMPORARY}{secrets.token_hex(8)}"

    def publish(self, temporary: Path, name: str, *, today: date) -> Path:
        """Give a whole file its name: `name` made safe, or with `_1`, `_2` ... before its suffix if that is taken.

        Two at once never get the same name, and nobody ever sees a part of a file.
        """
        day = self._folder / today.isoformat()
        day.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = os.open(day, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)  # no link to elsewhere
        try:
            wanted = Path(safe_name(name))
            return day / next(free for free in _names(wanted) if _move(temporary, free, folder))
        finally:
            os.close(folder)

    def remove_old(self, *, days: int, now: float) -> int:
        """Remove uploads that are older than `days` and the folders that they leave empty. Returns how many files went.

        `now`: epoch seconds. Only what lies in the folder of a day is touched; links are removed, not followed.
        """
        before, removed = now - days * 86_400, 0
        for day in self._days():
            if datetime.fromisoformat(day.name).timestamp() >= before:
                continue
            for file in day.iterdir():
                status = file.lstat()
                if not stat.S_ISDIR(status.st_mode) and status.st_mtime < before:
                    file.unlink(missing_ok=True)
                    removed += 1
            with contextlib.suppress(OSError):  # something is in it still
                day.rmdir()
        return removed

    def remove_unfinished(self) -> None:
        """Remove what a gateway that was killed left half-way. Only before the first upload."""
        for file in self._folder.glob(f"{_TEMPORARY}*"):
            file.unlink(missing_ok=True)

    def _days(self) -> Iterator[Path]:
        if not self._folder.is_dir():
            return
        for day in sorted(self._folder.iterdir()):
            if _DAY.fullmatch(day.name) and _is_date(day.name) and day.is_dir() and not day.is_symlink():
                yield day


def _names(wanted: Path) -> Iterator[str]:
    yield wanted.name
    for number in itertools.count(1):
        yield f"{wanted.stem}_{number}{wanted.suffix}"


def _move(source: Path, name: str, folder: int) -> bool:
    """Whether `source` has this name in the open `folder` now: not if something else has it."""
    try:
        os.link(source, name, dst_dir_fd=folder)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        try:  # the name is taken first, and is an empty file for an instant
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600, dir_fd=folder))
        except FileExistsError:
            return False
        os.replace(source, name, dst_dir_fd=folder)
        return True
    source.unlink()
    return True


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
