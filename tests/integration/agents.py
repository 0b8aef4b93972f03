"""Every real agent as the configuration of a gateway, each with a scripted model behind it."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_chat import FakeOpenAI
from tests.fakes.openai_responses import FakeResponses
from tests.fakes.survivors import MARK, new_mark
from tests.integration.acp_rig import GEMINI_ARGV, needs_gemini

ASKING = ["claude", "codex", pytest.param("gemini", marks=needs_gemini)]
"""Those that have tools of their own."""


@dataclass(frozen=True, kw_only=True)
class RealAgent:
    """`settings`: for a gateway in which it answers. `mark`: what its processes carry. `write`: a message that has it write a file."""

    name: str
    settings: dict[str, Any]
    mark: str
    write: Callable[[Path], str]


def _claude_write(path: Path) -> str:
    return f"TOOL Write {json.dumps({'file_path': str(path), 'content': 'x'})}"


def _codex_write(path: Path) -> str:
    patch = f"*** Begin Patch\n*** Add File: {path}\n+x\n*** End Patch\n"
    return f"TOOL apply_patch {json.dumps(patch)}"


def _gemini_write(path: Path) -> str:
    return f"TOOL write_file {json.dumps({'file_path': str(path), 'content': 'x'})}"


def _acp_write(path: Path) -> str:
    return f"ASK Write {json.dumps({'file_path': str(path), 'content': 'x'})}"


@asynccontextmanager
async def real_agent(name: str, home: Path) -> AsyncIterator[RealAgent]:
    """`name`: claude, codex, gemini, acp or openai. Its user lives in `home`."""
    mark = new_mark()
    async with AsyncExitStack() as stack:
        settings: dict[str, Any]
        match name:
            case "claude":
                settings = {"env": (await stack.enter_async_context(FakeAnthropic())).environment(home)}
                write = _claude_write
            case "codex":
                settings = {"env": (await stack.enter_async_context(FakeResponses())).environment(home)}
                write = _codex_write
            case "gemini":
                environment = (await stack.enter_async_context(FakeGemini())).environment(home)
                settings = {"env": environment, "command": " ".join(GEMINI_ARGV)}
                write = _gemini_write
            case "acp":
                environment = {"ACP_AGENT_SESSIONS": str(home / "sessions")}
                settings = {"env": environment, "command": f"{sys.executable} -m sygen_bot.testing.acp_agent"}
                write = _acp_write
            case "openai":
                settings = {"base_url": (await stack.enter_async_context(FakeOpenAI())).url}
                write = _acp_write
            case _:
                raise ValueError(name)
        settings["env"] = settings.get("env", {}) | {MARK: mark}
        yield RealAgent(name=name, settings={"provider": name, f"providers.{name}": settings}, mark=mark, write=write)
