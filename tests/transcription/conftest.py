"""A machine with only those speech engines that a test puts on it, and recordings of real speech."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sygen_bot.transcription.chain import Transcriber, TranscriptionOptions
from tests.fakes.speech import Speech, speak

HERE = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
"""Where the tests look for real programs: those of this environment first."""


@dataclass
class Machine:
    """Its PATH is `bin` alone. Scripts that stand for engines are real processes."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bin.mkdir()
        self.environ |= {"PATH": str(self.bin), "HOME": str(self.root), "LANG": "C.UTF-8"}
        for tool in ("sh", "cat", "sleep", "touch", "env", "head"):
            self.link(tool)

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def run_dir(self) -> Path:
        return self.root / "run"

    def link(self, *names: str) -> None:
        """Put the real programs of these names on the PATH."""
        for name in names:
            program = shutil.which(name, path=HERE)
            if program is None:
                pytest.fail(f"The tests need {name}: `make system install` brings it.", pytrace=False)
            (self.bin / name).symlink_to(program)

    def put(self, name: str, script: str) -> Path:
        """Put a shell script on the PATH."""
        program = self.bin / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    def transcriber(self, *, is_own_installed: bool = False, **options: Any) -> Transcriber:
        return Transcriber(
            options=TranscriptionOptions(**options),
            run_dir=self.run_dir,
            environ=self.environ,
            is_own_installed=is_own_installed,
        )

    def left(self) -> list[Path]:
        """What is still in the run directory."""
        return list(self.run_dir.iterdir()) if self.run_dir.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Speech:
    """A sentence, spoken."""
    return speak(tmp_path_factory.mktemp("speech"))
