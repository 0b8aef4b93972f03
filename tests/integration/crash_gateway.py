"""A real gateway that is made to be killed, and how a test drives it.

The program loads everything once and forks for each life of the gateway, so that coming back costs a fraction of a second.
Its agent notes every execution in a file of its own, synced, before it says anything.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from sygen_bot.events import ProviderEvent
    from sygen_bot.providers.base import Availability, Provider, ProviderInfo, Turn
    from sygen_bot.session.key import SessionKey

_PATIENCE_S = 40.0
_LOADED_BEFORE = (
    *("sygen_bot.orchestrator.lifecycle", "sygen_bot.testing.scripted", "asyncpg"),
    *(
        "cffi.cparser",
        "encodings.ascii",
        "pydantic.v1",
        "uvicorn.lifespan.off",
        "uvicorn.protocols.http.httptools_impl",
    ),
)


class Plan(msgspec.Struct):
    """Where a gateway lives, in all its lives. `executions`: what the agent ran; `marker`: in the environment of its children."""

    home: str
    executions: str
    token: str
    marker: str
    database: str


class Execution(msgspec.Struct, array_like=True):
    """One line of the executions: the agent was given this message."""

    turn_id: str
    text: str


def executions(plan: Plan) -> list[Execution]:
    """Everything that the agent ran, oldest first."""
    file = Path(plan.executions)
    lines = file.read_bytes().splitlines() if file.exists() else []
    return [msgspec.json.decode(line, type=Execution) for line in lines]


class Lives:
    """The lives of one gateway, one after the other. `up` is set while one of them takes connections at `port`."""

    def __init__(self, program: asyncio.subprocess.Process) -> None:
        self._program = program
        self._pid: int | None = None
        self.up = asyncio.Event()
        self.port = 0

    async def begin(self) -> None:
        """Begin a life. It may be ended before it is `up`."""
        assert self._program.stdin is not None
        self._program.stdin.write(b"live\n")
        self._pid = int(await self._line("pid"))
        self._telling = asyncio.create_task(self._listen())

    async def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the life. Returns when nothing is left of its process."""
        assert self._pid is not None
        assert not self._telling.done(), "the gateway ended by itself"
        os.kill(self._pid, number)
        self._pid = None
        self.up.clear()
        await self._telling
        self.up.clear()

    async def over(self) -> None:
        """No more lives."""
        if self._pid is not None and not self._telling.done():
            await self.end()
        assert self._program.stdin is not None
        self._program.stdin.close()
        await self._program.wait()

    async def _listen(self) -> None:
        """Read what the life says of itself until it is over."""
        assert self._program.stdout is not None
        while (line := (await self._program.stdout.readline()).split())[:1] != [b"over"]:
            assert line, "the program is gone"
            self.port = int(line[1])
            self.up.set()

    async def _line(self, kind: str) -> str:
        assert self._program.stdout is not None
        async with asyncio.timeout(_PATIENCE_S):
            word, value = (await self._program.stdout.readline()).decode().split()
        assert word == kind
        return value


@asynccontextmanager
async def lives(plan: Plan) -> AsyncIterator[Lives]:
    """A gateway that can be begun and ended; nothing of it is left afterwards."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, msgspec.json.encode(plan).decode()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={"PATH": os.environ["PATH"], "HOME": plan.home, "LANG": "C.UTF-8"},
    )
    gateway = Lives(program)
    try:
        yield gateway
    finally:
        await gateway.over()


# --- the program ------------------------------------------------------------------------------------------------------


class _Noting:
    """The scripted agent, with a note of every execution that no crash of the gateway can undo."""

    def __init__(self, agent: Provider, notes: str) -> None:
        self._agent = agent
        self._file = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    @property
    def info(self) -> ProviderInfo:
        return self._agent.info

    @property
    def processes(self) -> int:
        return 0

    async def check(self) -> Availability:
        return await self._agent.check()

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        os.write(self._file, msgspec.json.encode(Execution(turn.turn_id, turn.text)) + b"\n")
        os.fsync(self._file)
        async with aclosing(self._agent.run(turn)) as events:
            async for event in events:
                yield event

    async def forget(self, session: SessionKey) -> None:
        await self._agent.forget(session)

    async def close(self) -> None:
        await self._agent.close()
        os.close(self._file)


async def _live(plan: Plan) -> None:
    from sygen_bot.config import load_settings
    from sygen_bot.orchestrator.lifecycle import running_gateway
    from sygen_bot.paths import Paths
    from sygen_bot.testing.scripted import ScriptedProvider

    stop, paths = asyncio.Event(), Paths(Path(plan.home))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    asyncio.get_running_loop().add_reader(0, os._exit, 1)  # nothing is written there while we live: the test is gone
    overrides = {"api.host": "127.0.0.1", "api.port": 0, "api.drain_s": 0, "provider": "scripted"}
    settings = load_settings(paths, overrides=overrides | {"storage.url": plan.database})
    agent = _Noting(ScriptedProvider(run_dir=paths.run_dir, marker=plan.marker), plan.executions)
    async with running_gateway(settings, paths, token=plan.token, providers=[agent]) as gateway:
        _say(f"port {gateway.port}")
        await stop.wait()


def _say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def main() -> None:
    """Live once for each line on standard input."""
    for module in _LOADED_BEFORE:
        importlib.import_module(module)
    import uvloop

    plan = msgspec.json.decode(sys.argv[1], type=Plan)
    while os.read(0, 64):
        pid = os.fork()
        if pid == 0:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_live(plan))
            return
        _say(f"pid {pid}")
        os.waitpid(pid, 0)
        os.set_blocking(0, True)  # the loop of the life that is over had it otherwise
        _say("over now")


if __name__ == "__main__":
    main()
