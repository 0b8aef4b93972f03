"""The local end of an upload: a file or a stream, and the form that it travels in."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from sygen_bot.client.errors import TransferFailed
from sygen_bot.client.line import Line

CHUNK_BYTES: Final = 128 * 1024


@dataclass(slots=True)
class Given:
    """What is uploaded. `size` in bytes, None where only the end will tell; `start`: where it begins, None if there is no way back."""

    stream: BinaryIO
    name: str
    size: int | None
    start: int | None
    is_ours: bool

    @property
    def is_small(self) -> bool:
        return self.size is not None and self.size < CHUNK_BYTES

    def close(self) -> None:
        if self.is_ours:
            self.stream.close()

    def rewind(self) -> bool:
        """Go back to the beginning. Returns whether that can be done."""
        if self.start is None:
            return False
        self.stream.seek(self.start)
        return True


def opened(source: str | os.PathLike[str] | BinaryIO, name: str | None) -> Given:
    """Raises OSError."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        stream: BinaryIO = path.open("rb", buffering=0)
        said: object = path.name
    else:
        stream, said = source, getattr(source, "name", None)
    size = start = None
    if stream.seekable():
        start = stream.tell()
        size = stream.seek(0, os.SEEK_END) - start
        stream.seek(start)
    own_name = Path(said).name if isinstance(said, str) else ""
    return Given(stream, name or own_name or "file", size=size, start=start, is_ours=stream is not source)


class Form:
    """The body of an upload, around the file."""

    def __init__(self, name: str, caption: str | None) -> None:
        boundary = uuid.uuid4().hex
        unquoted = "".join("_" if char in '"\\' or not char.isprintable() else char for char in name)
        fields = [] if caption is None else [f'name="caption"\r\n\r\n{caption}\r\n']
        fields.append(f'name="file"; filename="{unquoted}"\r\nContent-Type: application/octet-stream\r\n\r\n')
        head = "".join(f"--{boundary}\r\nContent-Disposition: form-data; {field}" for field in fields)
        self.content_type = f"multipart/form-data; boundary={boundary}".encode()
        self.head = head.encode("utf-8", "replace")
        self.tail = f"\r\n--{boundary}--\r\n".encode()


def body_of(form: Form, given: Given, line: Line, told: Callable[[int, int | None], None]) -> Iterator[bytes]:
    import httpcore

    yield form.head
    sent = 0
    told(0, given.size)
    while given.size is None or sent < given.size:
        data = given.stream.read(CHUNK_BYTES if given.size is None else min(CHUNK_BYTES, given.size - sent))
        if not data:
            if given.size is not None:
                raise TransferFailed("The file became shorter while it was read.")
            break
        line.check()
        if line.is_answered_early:
            raise httpcore.WriteError  # as if it could not be written: what follows is to read the answer
        yield data
        sent += len(data)
        told(sent, given.size)
    line.check()
    yield form.tail
