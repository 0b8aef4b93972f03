"""Where the tests keep their files: in memory if the machine lets them, for every commit to a database waits for its disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

_PLACE: Final = Path("/dev/shm")
_ROOM_BYTES: Final = 4 * 1024**3


def ramdisk() -> Path | None:
    """A folder in memory with plenty of room, in which programs may be run; None if there is no such thing."""
    if not os.access(_PLACE, os.W_OK) or os.statvfs(_PLACE).f_flag & os.ST_NOEXEC:
        return None
    return _PLACE if shutil.disk_usage(_PLACE).free >= _ROOM_BYTES else None
