"""The gateway's lasting identity: a Curve25519 key by which clients recognise it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from sygen_bot.api.crypto import KEY_BYTES, encode_key, new_key_pair, public_key
from sygen_bot.errors import SetupError
from sygen_bot.paths import Paths


def load_identity(paths: Paths) -> bytes:
    """The private identity key, 32 bytes, mode 0600; made at the first call. Raises SetupError."""
    file = paths.identity_key
    try:
        if not file.exists():
            _create(file)
        key = file.read_bytes()
    except OSError as error:
        raise SetupError(
            f"The identity key {file} cannot be used: {error.strerror}", "Make it readable and writable."
        ) from error
    if len(key) != KEY_BYTES:
        raise SetupError(
            f"The identity key {file} is damaged", "Restore it; or remove it, and clients learn the new one."
        )
    return key


def load_public_identity(paths: Paths) -> str | None:
    """The public half as base64 text, or None if this home has no key yet."""
    return encode_key(public_key(load_identity(paths))) if paths.identity_key.exists() else None


def _create(file: Path) -> None:
    """Write a new key so that it is there whole or not at all, and only once if two processes try."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as temporary:
            temporary.write(new_key_pair()[1])
            temporary.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(name, file)
    finally:
        Path(name).unlink()
