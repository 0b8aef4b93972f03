"""Programs that engines run: found on the PATH, started under the guard, with bounded output and few variables."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sygen_bot.providers.environment import agent_environment
from sygen_bot.providers.guard import Guard
from sygen_bot.transcription.errors import EngineFailed

MOST_OUTPUT: Final = 4 * 1024 * 1024
"""The longest output of an engine, in bytes: a day of talking is a tenth of it."""

_MOST_STDERR: Final = 4096
_CACHES: Final = frozenset(
    {
        *("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HUGGINGFACE_HUB_CACHE"),
        *("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """Runs programs for engines. `environ` is where PATH and the few variables that pass come from."""

    run_dir: Path
    environ: Mapping[str, str]

    def find(self, name: str) -> str | None:
        """The absolute path of a program; of a name with a slash in it, whether it is one."""
        found = shutil.which(name, path=self.environ.get("PATH", os.defpath))
        return None if found is None else str(Path(found).absolute())

    async def run(self, argv: Sequence[str], *, cwd: Path) -> bytes:
        """What the program wrote to stdout. Raises EngineFailed, with the end of its stderr.

        When this is cancelled, all its processes end before the cancellation passes on.
        """
        guard, output = Guard(self.run_dir), _Output()
        try:
            environment = agent_environment(credentials=_CACHES, source=self.environ)
            process = await guard.spawn(argv, env=environment, cwd=cwd)
            output.read(process)
            await output.ended_or_flooded(process)
        except OSError as error:
            raise EngineFailed(f"its process cannot be started: {error.strerror}") from error
        finally:
            await guard.end()
            await output.finish()
        if output.is_flooded:
            raise EngineFailed(f"it wrote more than {MOST_OUTPUT // 1024 // 1024} MiB")
        if code := await process.wait():
            raise EngineFailed(output.last_words() or f"it ended with exit code {code}")
        return bytes(output.stdout)


class _Output:
    """Reads both streams to their ends, whatever comes, and keeps the beginning of one and the end of the other."""

    def __init__(self) -> None:
        self.stdout = bytearray()
        self._stderr = b""
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._flooded = asyncio.Event()

    @property
    def is_flooded(self) -> bool:
        return self._flooded.is_set()

    def read(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        if process.stdin is not None:
            process.stdin.close()
        if process.stdout is not None and process.stderr is not None:
            self._readers = [
                asyncio.create_task(self._keep_head(process.stdout)),
                asyncio.create_task(self._keep_tail(process.stderr)),
            ]

    async def ended_or_flooded(self, process: asyncio.subprocess.Process) -> None:
        either = {asyncio.create_task(process.wait()), asyncio.create_task(self._wait_for_flood())}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in either:
                task.cancel()

    async def finish(self) -> None:
        """Returns when both streams are at their ends and nothing of the process is left in the event loop either.

        All who could write to the streams are gone.
        """
        if self._process is not None:
            await asyncio.wait([*self._readers, asyncio.create_task(self._process.wait())])
            await asyncio.sleep(0)  # the loop is told of the exit in the next turn

    def last_words(self) -> str:
        lines = [line.strip() for line in self._stderr.decode(errors="replace").splitlines() if line.strip()]
        has_traceback = any(line.startswith("Traceback") for line in lines)
        return "; ".join(lines[-1:] if has_traceback else lines[-2:])

    async def _wait_for_flood(self) -> None:
        await self._flooded.wait()

    async def _keep_head(self, stream: asyncio.StreamReader) -> None:
        while some := await stream.read(65536):
            if len(self.stdout) + len(some) <= MOST_OUTPUT:
                self.stdout += some
            else:
                self._flooded.set()

    async def _keep_tail(self, stream: asyncio.StreamReader) -> None:
        while some := await stream.read(65536):
            self._stderr = (self._stderr + some)[-_MOST_STDERR:]
