"""What the gateway adds to a turn of each real agent: to its first word, and to the whole of it.

The agents are the real programs against scripted models; a tee between gateway and agent notes when pieces go by. Each number is the
difference between that and what a client sees.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.gateway import gateway
from benchmarks.samples import milliseconds
from benchmarks.wire import Wire, connect
from sygen_bot.providers import claude_login, codex_login
from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_chat import FakeOpenAI
from tests.fakes.openai_responses import FakeResponses

TURNS: Final = 40
TARGETS: Final = {"first_delta_ms": 15, "turn_ms": 5}
GEMINI: Final = Path(__file__).parents[1] / "tests" / "node" / "node_modules" / ".bin" / "gemini"
_SPEECH: Final = "TICK 2"
_SPOKEN: Final = "0" * 38
_TEE: Final = Path(__file__).with_name("tee.py")
_ENDS: Final = {
    "claude": '"type":"result"',
    "codex": '"turn/completed"',
    "gemini": '"stopReason"',
    "acp": '"stopReason"',
    "openai": "[DONE]",
}
"""What an agent says last in a turn."""


def run() -> dict[str, Any]:
    """One row for each agent that is installed."""
    names = [name for name in _ENDS if name != "gemini" or GEMINI.exists()]
    return {"targets": TARGETS, "rows": [asyncio.run(_measure(name)) for name in names]}


async def _measure(name: str) -> dict[str, Any]:
    with TemporaryDirectory(prefix="sygen-benchmark-") as folder:
        log = Path(folder) / "log"
        Path(f"{log}.marks").write_text(f"{_SPOKEN}\n{_ENDS[name]}\n")
        async with _agent(name, Path(folder), log) as settings:
            home = Path(folder) / "home"
            (home / "config").mkdir(parents=True, mode=0o700)
            (home / "config" / "config.json").write_text(json.dumps({"providers": {name: settings}}))
            running = gateway("--provider", name, home=home)
            server = await asyncio.to_thread(running.__enter__)  # it may ask the scripted model, which is here
            try:
                wire = await connect(server.port, token=server.token, chat_id=1)
                for _ in range(3):  # so that it is warm
                    await _turn(wire)
                spans = [await _turn(wire) for _ in range(TURNS)]
            finally:
                await asyncio.to_thread(running.__exit__, None, None, None)
        pieces = [line.split() for line in log.read_text().splitlines()]
    added = [_added(span, pieces) for span in spans]
    return {
        "agent": name,
        "first_delta_ms": milliseconds([first for first, _ in added]),
        "turn_ms": milliseconds([whole for _, whole in added]),
        "own_turn_ms": milliseconds(
            [end - begin - whole for (begin, _, end), (_, whole) in zip(spans, added, strict=True)]
        ),
    }


async def _turn(wire: Wire) -> tuple[float, float, float]:
    """When it was asked, when its first delta came, when its result came."""
    asked = wire.send(type="message", text=_SPEECH)
    begun, first = await wire.event_of("text_delta", "result", "error")
    if begun["type"] != "text_delta":
        raise RuntimeError(f"the agent said nothing: {begun}")
    result, ended = await wire.event_of("result", "error")
    if _SPOKEN not in result.get("text", ""):
        raise RuntimeError(f"the answer is wrong: {result}")
    return asked, first, ended


def _added(span: tuple[float, float, float], pieces: list[list[str]]) -> tuple[float, float]:
    """Seconds that the gateway added to the first delta, and to the whole turn."""
    asked, first, ended = span
    within = [(float(when), way, marks) for when, way, marks in pieces if asked <= float(when) <= ended]
    given = next(when for when, way, _ in within if way == "<")
    spoke = next(when for when, way, marks in within if way == ">" and "0" in marks)
    finished = [when for when, way, marks in within if way == ">" and "1" in marks][-1]
    return first - spoke, (ended - asked) - (finished - given)


@asynccontextmanager
async def _agent(name: str, folder: Path, log: Path) -> AsyncIterator[dict[str, Any]]:
    """The settings of the provider."""
    async with AsyncExitStack() as stack:
        home = folder / "user"
        match name:
            case "claude":
                environment = (await stack.enter_async_context(FakeAnthropic())).environment(home)
                program = [str(claude_login.find_cli(None, None))]
            case "codex":
                environment = (await stack.enter_async_context(FakeResponses())).environment(home)
                program = [str(codex_login.find_cli(None, None))]
            case "gemini":
                environment = (await stack.enter_async_context(FakeGemini())).environment(home)
                program = [str(GEMINI), "--acp"]
            case "acp":
                environment = {"ACP_AGENT_SESSIONS": str(home)}
                program = [sys.executable, "-m", "sygen_bot.testing.acp_agent"]
            case _:
                api = await stack.enter_async_context(FakeOpenAI())
                yield {"base_url": await stack.enter_async_context(_relay(api.url, log))}
                return
        launcher = folder / "launch"
        launcher.write_text(
            f'#!/bin/sh\nexec {shlex.join([sys.executable, "-I", "-S", str(_TEE), str(log), "--", *program])} "$@"\n'
        )
        launcher.chmod(0o700)
        path = str(Path(shutil.which("node") or "/usr/bin/node").parent)
        yield {"command": str(launcher), "env": environment | {"PATH": f"{path}:/usr/local/bin:/usr/bin:/bin"}}


@asynccontextmanager
async def _relay(url: str, log: Path) -> AsyncIterator[str]:
    """A URL that leads to `url`, with the same notes as the tee."""
    marks = Path(f"{log}.marks").read_bytes().splitlines()
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    host, _, port = authority.partition(":")

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        while piece := await reader.read(1 << 20):
            now = time.perf_counter()
            writer.write(piece)
            held = "".join(_held(marks, piece))
            with log.open("a") as notes:
                notes.write(f"{now!r} {direction} {held or '-'}\n")
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(
            pass_on(reader, there_writer, "<"), pass_on(there_reader, writer, ">"), return_exceptions=True
        )

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}{slash}{path}"


def _held(marks: list[bytes], piece: bytes) -> Iterator[str]:
    return (str(number) for number, mark in enumerate(marks) if mark in piece)
