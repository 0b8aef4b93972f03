"""The process that the local model runs in, from the gateway's side: started, asked, told to stop, ended."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from sygen_bot.errors import ProviderFailed
from sygen_bot.providers.conversation import Message
from sygen_bot.providers.guard import Guard
from sygen_bot.providers.local_conversation import ANSWER_TOKENS

_LOAD_TIMEOUT_S: Final = 60.0
_OBEY_TIMEOUT_S: Final = 2.5  # with what the guard needs, this stays under the 5 s that a cancellation may take

_log = structlog.get_logger(__name__)


class Line(msgspec.Struct):
    """What the worker says, see there."""

    id: int = 0
    ready: bool = False
    reading: int = 0
    fatal: str | None = None
    delta: str | None = None
    end: str | None = None
    usage: tuple[int, int] = (0, 0)
    error: str | None = None
    too_long: bool = False

    @property
    def is_last(self) -> bool:
        return self.end is not None or self.error is not None


class PromptTooLong(Exception):
    """The prompt does not fit into the model's context."""


class ProcessDied(Exception):
    """The worker ended, or never began."""

    def __init__(self, reason: str, stderr: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.stderr = stderr


class LocalProcess:
    """The model's process, from its start to its end. Create it on the loop; `await end()`."""

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str], run_dir: Path) -> None:
        self._argv, self._env, self._run_dir = argv, env, run_dir
        self.has_ended = False
        self.is_ready = False
        self._loaded = asyncio.Event()
        self._reason = ""
        self._stderr: deque[bytes] = deque(maxlen=2)
        self._stdin: asyncio.StreamWriter | None = None
        self._ids = itertools.count(1)
        self._heard: dict[int, asyncio.Queue[Line | None]] = {}
        self._life = asyncio.create_task(self._live())

    async def ready(self) -> None:
        """Returns when the model is loaded. Raises ProcessDied."""
        try:
            async with asyncio.timeout(_LOAD_TIMEOUT_S):
                await self._loaded.wait()
        except TimeoutError:
            self._reason = f"the model was not loaded within {_LOAD_TIMEOUT_S:.0f} s"
            await self.end()
        if not self.is_ready:
            raise self._death()

    async def generate(self, messages: Sequence[Message], room: int) -> AsyncGenerator[Line, None]:
        """What the worker says about one answer, an `end` last.

        Raises ProcessDied, ProviderFailed, or PromptTooLong if the context would have less than `room` tokens left for the answer.
        Closing it, or cancelling, ends the generation, with the process if there is no other way, and only then returns.
        """
        if self.has_ended:
            raise self._death()
        number = next(self._ids)
        heard = self._heard[number] = asyncio.Queue()
        is_over = False
        try:
            request = {"messages": messages, "max_tokens": ANSWER_TOKENS, "room": room}
            self._send({"op": "generate", "id": number, **request})
            while not is_over:
                line = await heard.get()
                is_over = line is None or line.is_last
                if line is None:
                    raise self._death()
                if line.too_long:
                    raise PromptTooLong
                if line.error is not None:
                    _log.warning("local_model_failed", reason=line.error)
                    raise ProviderFailed("The local model could not answer this.")
                yield line
        finally:
            if not is_over:
                await _undisturbed(self._silence(number, heard))
            del self._heard[number]

    async def end(self) -> None:
        """End the process, within the time that the guard needs."""
        self.has_ended = True
        self._life.cancel()
        await asyncio.wait({self._life})
        self._loaded.set()  # if the task had not even begun, it did not do that

    async def _silence(self, number: int, heard: asyncio.Queue[Line | None]) -> None:
        self._send({"op": "cancel", "id": number})
        try:
            async with asyncio.timeout(_OBEY_TIMEOUT_S):
                while (line := await heard.get()) is not None and not line.is_last:
                    pass
        except TimeoutError:
            self._reason = "it did not stop when told to"
            await self.end()

    def _send(self, request: Mapping[str, object]) -> None:
        if self._stdin is not None and not self.has_ended:
            self._stdin.write(msgspec.json.encode(request) + b"\n")

    def _death(self) -> ProcessDied:
        return ProcessDied(self._reason, b"".join(self._stderr).decode(errors="replace"))

    async def _live(self) -> None:
        process: asyncio.subprocess.Process | None = None
        try:
            async with Guard(self._run_dir) as guard:
                process = await guard.spawn(self._argv, env=self._env, cwd=self._run_dir)
                await self._listen(process)
        except (OSError, ValueError, msgspec.DecodeError) as error:
            self._reason = repr(error)
        finally:
            self.has_ended = True
            self.is_ready = False
            if process is not None:
                code = await process.wait()  # so that nothing of it is left in the event loop either
                self._reason = self._reason or f"it ended with code {code}"
            self._loaded.set()
            for heard in self._heard.values():
                heard.put_nowait(None)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None or process.stderr is None:
            raise ValueError("the guard gave no streams")
        self._stdin = process.stdin
        complaints = asyncio.create_task(self._collect(process.stderr))
        try:
            async for answer in process.stdout:
                self._hear(msgspec.json.decode(answer, type=Line))
            await asyncio.wait({complaints}, timeout=1)
        finally:
            complaints.cancel()

    def _hear(self, line: Line) -> None:
        if line.ready:
            self.is_ready = True
            self._loaded.set()
        elif line.fatal is not None:
            self._reason = line.fatal
        elif heard := self._heard.get(line.id):
            heard.put_nowait(line)

    async def _collect(self, stderr: asyncio.StreamReader) -> None:
        while some := await stderr.read(4096):
            self._stderr.append(some)


async def _undisturbed(work: Coroutine[None, None, None]) -> None:
    """Wait for `work` to be done, also when cancelled meanwhile; the cancellation passes on then."""
    task = asyncio.ensure_future(work)
    is_cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled:
        raise asyncio.CancelledError
