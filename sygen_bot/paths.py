"""Every path below the gateway's home, `~/.sygen` unless SYGEN_HOME says otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sygen_bot.errors import SetupError


@dataclass(frozen=True, slots=True)
class Paths:
    """The gateway's files. Everything here but the workspace is private: no agent and no client reads it."""

    home: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Raises SetupError if the home cannot be told."""
        configured = environ.get("SYGEN_HOME")
        try:
            return cls(Path(configured).expanduser().absolute() if configured else Path.home() / ".sygen")
        except RuntimeError as error:
            raise SetupError("There is no home directory for this user", "Name one with SYGEN_HOME.") from error

    @property
    def config_file(self) -> Path:
        return self.home / "config" / "config.json"

    @property
    def database(self) -> Path:
        return self.home / "sygen.db"

    @property
    def identity_key(self) -> Path:
        return self.home / "keys" / "identity.key"

    @property
    def workspace(self) -> Path:
        return self.home / "workspace"

    @property
    def uploads(self) -> Path:
        return self.workspace / "api_files"

    @property
    def avatars(self) -> Path:
        return self.home / "avatars"

    @property
    def run_dir(self) -> Path:
        return self.home / "run"

    @property
    def lock_file(self) -> Path:
        return self.run_dir / "gateway.lock"

    @property
    def weights(self) -> Path:
        return self.home / "models" / "smollm2-135m-instruct-q4_1.gguf"

    @property
    def chat_history(self) -> Path:
        return self.home / "cli" / "history"

    @property
    def private(self) -> tuple[Path, ...]:
        """What no client reads, and no agent that may only read."""
        parts = (self.config_file, self.identity_key, self.lock_file, self.weights, self.chat_history)
        databases = (self.database.with_name(f"{self.database.name}{suffix}") for suffix in ("", "-wal", "-shm"))
        return (*(part.parent for part in parts), *databases)

    def prepare(self) -> None:
        """Make the home (mode 0700) and its folders. Raises SetupError in one line if that cannot be done."""
        folders = {part.parent for part in (self.config_file, self.identity_key, self.lock_file, self.weights)}
        try:
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.home.chmod(0o700)
            for folder in (*folders, self.workspace, self.chat_history.parent):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise SetupError(
                f"The home {self.home} cannot be used: {error.strerror or error}",
                "Make it writable, or name another with SYGEN_HOME.",
            ) from error
