"""One running Claude Code under its guard: started once, asked turn after turn, interrupted, ended."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import psutil
import structlog
from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    Message,
    ProcessError,
    ResultMessage,
    SystemMessage,
)
from claude_agent_sdk.types import SystemPromptPreset

from sygen_bot.errors import ProviderUnavailable
from sygen_bot.events import ContextSaved, ProviderEvent
from sygen_bot.providers.base import Turn
from sygen_bot.providers.claude_context import Context, decode_context
from sygen_bot.providers.claude_events import TurnEvents, error_of
from sygen_bot.providers.claude_login import PROGRAM_MISSING, is_trusted
from sygen_bot.providers.claude_message import message_content
from sygen_bot.providers.claude_tasks import SERVER, TaskTool
from sygen_bot.providers.claude_tools import SETTINGS, Gate
from sygen_bot.providers.guard import STREAM_LIMIT, Guard
from sygen_bot.providers.pool import ConversationMissing, ProcessEnded
from sygen_bot.providers.process_tree import process_tree

START_TIMEOUT_S: Final = 30.0
INTERRUPT_TIMEOUT_S: Final = 1.0
"""How long the CLI has, when it is interrupted, until it says that it has stopped. It needs 0.03 s."""
_AFTERMATH_S: Final = 0.3
"""How long what a tool started has, after an interruption, until it must be gone."""
_SDK_TIMEOUT_S: Final = 0.5
_NOT_FOUND: Final = 127

_log = structlog.get_logger(__name__)
# Every end of the CLI that the SDK did not expect is an error in its log; here it is told with its reason.
logging.getLogger("claude_agent_sdk").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a process keeps for its life: a turn with another setting needs another one.

    The SDK could change the model, but the CLI would write that into the conversation, for the agent to read.
    """

    model: str
    workspace: Path
    system_prompt: str | None
    starts_tasks: bool


def setting_of(turn: Turn, *, default_model: str) -> Setting:
    return Setting(
        model=turn.model or default_model,
        workspace=turn.workspace,
        system_prompt=turn.system_prompt,
        starts_tasks=turn.start_task is not None,
    )


class ClaudeProcess:
    """One CLI with one conversation, see `sygen_bot.providers.pool.AgentProcess`."""

    @classmethod
    async def make(
        cls, *, run_dir: Path, cli: Path, environment: Mapping[str, str], turn: Turn, default_model: str
    ) -> Self:
        """For `turn` and those that fit after it, not started yet. Raises OSError if `run_dir` cannot be used."""
        trusts = await asyncio.to_thread(is_trusted, turn.workspace, environment)
        guard = Guard(run_dir)
        try:
            launcher = await guard.launcher([str(cli)], env=environment)
            return cls(guard=guard, launcher=launcher, is_trusted=trusts, turn=turn, default_model=default_model)
        except BaseException:
            await guard.end()
            raise

    def __init__(self, *, guard: Guard, launcher: Path, is_trusted: bool, turn: Turn, default_model: str) -> None:
        """See `make`. `launcher`: starts the CLI under `guard`. `is_trusted`: whether the workspace's own settings load."""
        self._default_model = default_model
        self._setting = setting_of(turn, default_model=default_model)
        self._context = resume = decode_context(turn.resume_token)
        self._is_trusted = is_trusted
        self._guard = guard
        self._launcher = launcher
        self._gate = Gate(decided=self._allowed)
        self._task_tool = TaskTool()
        self._events = TurnEvents()
        self._client = ClaudeSDKClient(self._options(resume))
        # Unbounded, as the SDK stops answering permission requests when its own stream of 100 messages is full.
        self._inbox: asyncio.Queue[Message | None] = asyncio.Queue()
        self._in_turn = False
        self._reader: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._guard_pid: int | None = None
        self._known_pids: set[int] = set()
        self._connecting: asyncio.Task[None] | None = None
        self._is_broken = False

    @property
    def is_alive(self) -> bool:
        return self._reader is not None and not self._reader.done() and not self._is_broken

    def fits(self, turn: Turn) -> bool:
        wanted = decode_context(turn.resume_token)
        wanted_id = None if wanted is None else wanted.session_id
        known_id = None if self._context is None else self._context.session_id
        return self._setting == setting_of(turn, default_model=self._default_model) and known_id == wanted_id

    async def start(self) -> None:
        self._connecting = asyncio.create_task(self._client.connect())
        await asyncio.wait({self._connecting}, timeout=START_TIMEOUT_S)
        if not self._connecting.done():
            raise ProviderUnavailable("Claude Code did not start in time.")
        failure = self._connecting.exception()
        if failure is not None:
            raise _meaning(failure)
        self._reader = asyncio.create_task(self._read())

    async def turn(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        """One turn, to its `Finished`."""
        self._known_pids = await asyncio.to_thread(self._tree)
        self._events = TurnEvents()
        self._inbox = asyncio.Queue()
        self._in_turn = True
        if not self.is_alive:  # what the reader said at its end was for the last turn
            raise ProcessEnded
        self._gate.open(turn.approve)
        self._task_tool.open(turn.start_task)
        prompt_id = str(uuid.uuid4())
        content = await asyncio.to_thread(message_content, turn) if turn.attachments else turn.text
        await self._send(content, prompt_id)
        while not isinstance(message := await self._next(), ResultMessage) or _answers_another(message, prompt_id):
            if isinstance(message, SystemMessage) and message.subtype == "init":
                self._remember(message.data.get("session_id"), None)
                yield self._saved()
            for event in self._events.of(message, time.monotonic()):
                yield event
        cost_before = self._cost
        self._settle(message)
        yield self._saved()
        error = error_of(message)
        if error is not None:
            raise error
        for event in self._events.finish(message, _difference(message.total_cost_usd, cost_before)):
            yield event

    async def interrupt(self) -> bool:
        if not self.is_alive or not self._in_turn:
            return self.is_alive
        try:
            async with asyncio.timeout(INTERRUPT_TIMEOUT_S):
                # If the CLI has not even taken up the message, it drops it without a result, and time runs out here.
                await self._client.interrupt()
                while not isinstance(message := await self._next(), ResultMessage):
                    pass
                self._settle(message)
        except (TimeoutError, ProcessEnded, ConversationMissing):
            return False
        except Exception as error:  # noqa: BLE001 - the SDK raises bare Exceptions; the process ends here
            _log.info("claude_interrupt_failed", error=str(error))
            return False
        return await self._nothing_left()

    async def end(self, *, grace_s: float) -> None:
        self._is_broken = True
        self._gate.shut()
        self._task_tool.shut()
        connecting, leaving = self._connecting, None
        if connecting is not None and not connecting.done():
            connecting.cancel()
        else:
            leaving = asyncio.create_task(self._client.disconnect())
            await asyncio.wait({leaving}, timeout=grace_s)
        await self._guard.end()
        # With the process gone nothing holds the SDK up any more.
        tasks = {task for task in (connecting, leaving) if task is not None}
        if tasks:
            await asyncio.wait(tasks, timeout=_SDK_TIMEOUT_S)
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait({self._reader})
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                _log.debug("claude_ended", error=str(error))

    def _options(self, resume: Context | None) -> ClaudeAgentOptions:
        # Without `snapshot=False` a conversation keeps the prompt it began with, whatever the configuration says now.
        prompt = SystemPromptPreset(type="preset", preset="claude_code", snapshot=False)
        if self._setting.system_prompt:
            prompt["append"] = self._setting.system_prompt
        options = ClaudeAgentOptions(
            cli_path=self._launcher,
            cwd=self._setting.workspace,
            model=self._setting.model,
            resume=resume.session_id if resume else None,
            system_prompt=prompt,
            setting_sources=["user", "project", "local"] if self._is_trusted else ["user"],
            settings=json.dumps(SETTINGS),
            include_partial_messages=True,
            max_buffer_size=STREAM_LIMIT,
            stderr=lambda line: _log.debug("claude_stderr", line=line),
        )
        if self._setting.starts_tasks:
            options.mcp_servers = {SERVER: self._task_tool.server()}
        self._gate.guard(options)
        return options

    async def _send(self, content: str | list[dict[str, Any]], prompt_id: str) -> None:
        async def messages() -> AsyncIterator[dict[str, Any]]:
            message = {"role": "user", "content": content}
            yield {"type": "user", "message": message, "parent_tool_use_id": None, "uuid": prompt_id}

        try:
            await self._client.query(messages())
        except Exception as error:  # whatever the pipe says, nobody reads it
            self._is_broken = True
            raise ProcessEnded from error

    async def _read(self) -> None:
        try:
            async for message in self._client.receive_messages():
                if self._in_turn:  # between turns nobody asked
                    self._inbox.put_nowait(message)
        except Exception as error:  # noqa: BLE001 - the connection ends here
            self._failure = error
        finally:
            self._inbox.put_nowait(None)

    async def _next(self) -> Message:
        message = await self._inbox.get()
        if message is None:
            self._inbox.put_nowait(None)
            raise _meaning(self._failure)
        return message

    @property
    def _cost(self) -> float:
        return self._context.cost_usd if self._context else 0.0

    def _remember(self, session_id: object, cost_usd: float | None) -> None:
        if isinstance(session_id, str):
            self._context = Context(session_id, self._cost if cost_usd is None else cost_usd)

    def _saved(self) -> ContextSaved:
        return ContextSaved(self._context.encode() if self._context else "")

    def _settle(self, result: ResultMessage) -> None:
        """The turn is over for the CLI: remember where the conversation stands."""
        self._in_turn = False
        self._gate.shut()
        self._task_tool.shut()
        self._remember(result.session_id, result.total_cost_usd)

    def _allowed(self, tool_id: str) -> None:
        self._events.allowed(tool_id, time.monotonic())

    async def _nothing_left(self) -> bool:
        deadline = time.monotonic() + _AFTERMATH_S
        while True:
            tree = await asyncio.to_thread(self._tree)
            if tree and tree <= self._known_pids:
                return True
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)

    def _tree(self) -> set[int]:
        """The pids below the guard, its own included; empty if it cannot be found."""
        try:
            if self._guard_pid is None:
                directory = str(self._launcher.parent)
                children = psutil.Process().children()
                self._guard_pid = next(child.pid for child in children if directory in child.cmdline())
        except (psutil.Error, StopIteration):
            return set()
        return process_tree(self._guard_pid)


def _answers_another(result: ResultMessage, prompt_id: str) -> bool:
    """Whether this ends a turn that something else began, such as a message of another Claude Code on this machine."""
    began = result.origin["kind"] if result.origin else "human"
    return began != "human" and prompt_id not in (result.user_message_uuids or [])


def _difference(total: float | None, before: float) -> float | None:
    """What one turn cost. A total below what was known means that the CLI began to count anew."""
    if total is None:
        return None
    return total - before if total >= before else total


def _meaning(failure: BaseException | None) -> Exception:
    """What the end of the CLI, or of its start, means."""
    data = getattr(failure, "data", None)  # of a ResultError: the last result
    said = json.dumps(data) if isinstance(data, dict) else str(failure)
    if "No conversation found" in said:
        return ConversationMissing()
    if isinstance(failure, ProcessError) and failure.exit_code == _NOT_FOUND:
        return ProviderUnavailable(PROGRAM_MISSING)
    return ProcessEnded()
