"""The scripted provider: the user's message says what the agent does. For tests, benchmarks and demonstrations only.

Everything but the words is real: streaming, approvals, child processes under the guard, cancellation, resume tokens.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Final

import msgspec

from sygen_bot.errors import ProviderFailed
from sygen_bot.events import (
    ContextSaved,
    Finished,
    ProviderEvent,
    SystemStatus,
    TextDelta,
    ThinkingDelta,
    ToolActivity,
    Usage,
)
from sygen_bot.providers.base import Availability, ProviderInfo, ToolRequest, Turn
from sygen_bot.providers.environment import agent_environment
from sygen_bot.providers.guard import Guard
from sygen_bot.session.key import SessionKey
from sygen_bot.testing.script import (
    Ask,
    Burst,
    EchoHistory,
    Fail,
    File,
    Instruction,
    NoStream,
    Refused,
    Say,
    Slow,
    Spawn,
    Status,
    Think,
    Tick,
    Tool,
    filler,
    parse_script,
    words,
)

READ_ONLY_TOOLS: Final = frozenset({"Read", "Glob", "Grep"})
MARKER_VARIABLE: Final = "AGENT_MARKER"
"""The environment variable by which tests find what a child left behind."""

_SPAWN_TIMEOUT_S = 10.0
_FAMILY = """
import os, subprocess, sys, time
grandchild = subprocess.Popen(["sleep", sys.argv[1]], start_new_session=sys.argv[2] == "detached")
print(os.getpid(), grandchild.pid, flush=True)
time.sleep(float(sys.argv[1]))
"""


class _Context(msgspec.Struct):
    """What the resume token holds: the turns that this session has had."""

    turns: int = 0


class ScriptedProvider:
    """An agent that does what the lines of the message say; see `sygen_bot.testing.script`.

    `run_dir` is where the guard keeps its pipes. `marker`, if given, is in the environment of all children as
    `AGENT_MARKER`. What two instructions say is kept apart by a newline, except around `BURST`, `TICK` and `PACE`, whose
    deltas are 40 characters each and nothing else.
    """

    def __init__(self, *, run_dir: Path, marker: str | None = None) -> None:
        self._run_dir = run_dir
        self._environment = agent_environment(extra={} if marker is None else {MARKER_VARIABLE: marker})
        self._children: set[_Child] = set()

    @property
    def info(self) -> ProviderInfo:
        return ProviderInfo(id="scripted", name="Scripted", color="#64748B")

    @property
    def processes(self) -> int:
        return len(self._children)

    async def check(self) -> Availability:
        return Availability(available=True, models=("scripted",))

    def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        script = parse_script(turn.text) or [Say(f"You said: {turn.text}")]
        events = self._perform(script, turn)
        return _unstreamed(events) if any(isinstance(instruction, NoStream) for instruction in script) else events

    async def forget(self, session: SessionKey) -> None:
        """Nothing is kept warm."""

    async def close(self) -> None:
        """Nothing outlives a turn."""

    async def _perform(self, script: list[Instruction], turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        """Run the script. In one generator: another one around it would cost more than the deltas that it makes."""
        remembered = _turns_of(turn.resume_token)
        yield ContextSaved(msgspec.json.encode(_Context(remembered + 1)).decode())
        children: list[_Child] = []
        spoken, deltas = False, 0
        try:
            for number, instruction in enumerate(script):
                match instruction:
                    case Burst(count):
                        for index in range(count):
                            yield TextDelta(filler(index))
                        spoken, deltas = False, deltas + count
                    case Tick(count):
                        for index in range(count):
                            await asyncio.sleep(0)
                            yield TextDelta(filler(index))
                        spoken, deltas = False, deltas + count
                    case Think(text):
                        yield ThinkingDelta(text)
                    case Status(label):
                        yield SystemStatus(label)
                    case Tool(name, value):
                        yield ToolActivity(name, tool_id=f"{turn.turn_id}.{number}", input=value)
                        yield ToolActivity(
                            name, tool_id=f"{turn.turn_id}.{number}", phase="end", output="done", duration_ms=0
                        )
                    case Fail(message):
                        raise RuntimeError(message)
                    case Slow(count, seconds):
                        start = time.monotonic()
                        for index in range(count):
                            await asyncio.sleep(max(0.0, start + index * seconds - time.monotonic()))
                            piece = instruction.piece(index)
                            yield TextDelta(
                                f"\n{piece}" if spoken and index == 0 and not instruction.is_stamped else piece
                            )
                        spoken, deltas = (spoken or count > 0) and not instruction.is_stamped, deltas + count
                    case _:
                        answer = await self._answer(instruction, turn, remembered, children)
                        for word in words(f"\n{answer}" if spoken else answer):
                            yield TextDelta(word)
                            deltas += 1
                        spoken = True
        finally:
            await asyncio.gather(*(child.end() for child in children))
            self._children.difference_update(children)
        usage = Usage(input_tokens=len(turn.text.split()), output_tokens=deltas)
        yield Finished(usage=usage, model="scripted")

    async def _answer(
        self,
        instruction: Say | Ask | File | Spawn | NoStream | EchoHistory | Refused,
        turn: Turn,
        remembered: int,
        children: list[_Child],
    ) -> str:
        match instruction:
            case Say(text) | NoStream(text) | Refused(text):
                return text
            case Ask(name, value):
                request = ToolRequest(tool=name, input=value, read_only=name in READ_ONLY_TOOLS)
                return "allowed" if await turn.approve(request) == "allow" else "denied"
            case File(path):
                return f"<file:{path}>"
            case EchoHistory():
                return f"I remember {remembered} turns."
            case Spawn(seconds, detached):
                child, grandchild = await self._spawn(seconds, detached, turn.workspace, children)
                return f"child {child} grandchild {grandchild}"

    async def _spawn(self, seconds: float, detached: bool, workspace: Path, children: list[_Child]) -> tuple[int, int]:
        try:
            child = _Child(self._run_dir)
            children.append(child)
            self._children.add(child)
            return await child.start(
                [sys.executable, "-I", "-S", "-c", _FAMILY, str(seconds), "detached" if detached else "attached"],
                environment=self._environment,
                workspace=workspace,
            )
        except (OSError, TimeoutError, ValueError):
            raise ProviderFailed("The child of the script did not start.") from None


class _Child:
    """One guarded child with its grandchild."""

    def __init__(self, run_dir: Path) -> None:
        self._guard = Guard(run_dir)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, argv: list[str], *, environment: dict[str, str], workspace: Path) -> tuple[int, int]:
        """Returns the two pids. Raises OSError, TimeoutError or ValueError if the family does not come to life."""
        self._process = await self._guard.spawn(argv, env=environment, cwd=workspace)
        if self._process.stdout is None:
            raise ValueError("the guard gave no stdout")
        async with asyncio.timeout(_SPAWN_TIMEOUT_S):
            line = await self._process.stdout.readline()
        child, grandchild = map(int, line.split())
        return child, grandchild

    async def end(self) -> None:
        await self._guard.end()
        if self._process is not None:
            await self._process.wait()  # so that nothing of it is left in the event loop either


async def _unstreamed(events: AsyncGenerator[ProviderEvent, None]) -> AsyncGenerator[ProviderEvent, None]:
    """The same without deltas: what they say comes with the end."""
    said: list[str] = []
    async with aclosing(events):
        async for event in events:
            match event:
                case TextDelta(text):
                    said.append(text)
                case Finished():
                    yield msgspec.structs.replace(event, text="".join(said))
                case _:
                    yield event


def _turns_of(resume_token: str | None) -> int:
    if resume_token is None:
        return 0
    try:
        return msgspec.json.decode(resume_token, type=_Context).turns
    except msgspec.DecodeError:
        return 0
