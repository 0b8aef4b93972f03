# ruff: noqa: ARG002 - the methods have the signatures that the library calls them with
"""A small real agent that speaks the Agent Client Protocol: `python -m sygen_bot.testing.acp_agent`. The message says what it does.

It is made with the reference library, so that what is tested against it fits other agents too. `ACP_AGENT_SESSIONS` names the folder
where it keeps its conversations (without it, it cannot load any), `ACP_AGENT_MODE` the mode that it begins in.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, cast

import acp
import msgspec
from acp import schema

from sygen_bot import __version__
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

MODELS: Final = ("small", "large")
MODES: Final = ("default", "yolo")
_KINDS: Final[dict[str, schema.ToolKind]] = {
    "Read": "read",
    "Grep": "search",
    "Write": "edit",
    "Edit": "edit",
    "Bash": "execute",
    "WebFetch": "fetch",
}
_OPTIONS: Final = [
    schema.PermissionOption(option_id="always", name="Always", kind="allow_always"),
    schema.PermissionOption(option_id="once", name="Once", kind="allow_once"),
    schema.PermissionOption(option_id="no", name="No", kind="reject_once"),
]
_COMMANDS: Final = [schema.AvailableCommand(name="script", description="Do what the lines of the message say")]
_FAMILY: Final = """
import os, subprocess, sys, time
grandchild = subprocess.Popen(["sleep", sys.argv[1]], start_new_session=sys.argv[2] == "detached")
print(os.getpid(), grandchild.pid, flush=True)
time.sleep(float(sys.argv[1]))
"""


class Exchange(msgspec.Struct):
    """One turn: the blocks of the prompt as they came, and what was said."""

    prompt: list[Any]  # JSON
    answer: str = ""


class Conversation(msgspec.Struct):
    """What is kept of a session; the file `<id>.json` in the folder of sessions holds it."""

    cwd: str
    model: str = MODELS[0]
    turns: list[Exchange] = msgspec.field(default_factory=list)


class ScriptedAgent:
    """See `sygen_bot.testing.script`. `STATUS mode x` changes its mode, another `STATUS` shows a plan; `ASK` asks for permission, then
    says `allowed`, with what came of it for `Write` and `Bash`, which it really runs, or `denied`. `FAIL 429 ...` is an error with that code.
    """

    def __init__(self, sessions: Path | None, mode: str) -> None:
        self._sessions = sessions
        self._mode = mode
        self._client: acp.Client | None = None
        self._conversations: dict[str, Conversation] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._tool_numbers = itertools.count(1)

    def on_connect(self, conn: acp.Client) -> None:
        self._client = conn

    async def initialize(
        self,
        protocol_version: int,
        client_capabilities: schema.ClientCapabilities | None = None,
        client_info: schema.Implementation | None = None,
        **kwargs: Any,
    ) -> acp.InitializeResponse:
        return acp.InitializeResponse(
            protocol_version=min(protocol_version, acp.PROTOCOL_VERSION),
            agent_info=schema.Implementation(name="scripted", version=__version__),
            agent_capabilities=schema.AgentCapabilities(
                load_session=self._sessions is not None,
                prompt_capabilities=schema.PromptCapabilities(image=True, audio=False),
            ),
        )

    async def new_session(self, cwd: str, *args: Any, **kwargs: Any) -> acp.NewSessionResponse:
        session_id = uuid.uuid4().hex
        self._conversations[session_id] = Conversation(cwd)
        self._later(self._say_commands(session_id))
        modes, options = self._offer(session_id)
        return acp.NewSessionResponse(session_id=session_id, modes=modes, config_options=options)

    async def load_session(self, cwd: str, session_id: str, *args: Any, **kwargs: Any) -> acp.LoadSessionResponse:
        file = None if self._sessions is None else self._sessions / f"{session_id}.json"
        if file is None or not file.is_file():
            raise acp.RequestError.resource_not_found(session_id)
        conversation = self._conversations[session_id] = msgspec.json.decode(file.read_bytes(), type=Conversation)
        for turn in conversation.turns[:-1]:
            await self._tell_again(session_id, turn)
        if conversation.turns:  # some agents are still at it when they have answered
            self._later(self._tell_again(session_id, conversation.turns[-1]))
        modes, options = self._offer(session_id)
        return acp.LoadSessionResponse(modes=modes, config_options=options)

    async def set_session_mode(self, session_id: str, mode_id: str, **kwargs: Any) -> acp.SetSessionModeResponse:
        self._mode = mode_id
        await self._update(
            session_id, schema.CurrentModeUpdate(session_update="current_mode_update", current_mode_id=mode_id)
        )
        return acp.SetSessionModeResponse()

    async def set_config_option(
        self, config_id: str, session_id: str, value: str | bool, **kwargs: Any
    ) -> acp.SetSessionConfigOptionResponse:
        if config_id != "model" or value not in MODELS:
            raise acp.RequestError.invalid_params()
        self._conversations[session_id].model = str(value)
        return acp.SetSessionConfigOptionResponse(config_options=self._offer(session_id)[1])

    async def prompt(self, session_id: str, prompt: list[Any], **kwargs: Any) -> acp.PromptResponse:
        conversation = self._conversations.get(session_id)
        if conversation is None:
            raise acp.RequestError.resource_not_found(session_id)
        exchange = Exchange([block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in prompt])
        conversation.turns.append(exchange)
        self._keep(session_id)
        text = next((block.text for block in reversed(prompt) if isinstance(block, schema.TextContentBlock)), "")
        task = self._running[session_id] = asyncio.create_task(self._perform(session_id, text, exchange))
        await asyncio.wait({task})
        del self._running[session_id]
        self._keep(session_id)
        if task.cancelled():
            return acp.PromptResponse(stop_reason="cancelled")
        task.result()
        counts = len(text.split()), len(exchange.answer.split())
        usage = schema.Usage(input_tokens=counts[0], output_tokens=counts[1], total_tokens=sum(counts))
        return acp.PromptResponse(stop_reason="end_turn", usage=usage)

    async def cancel(self, session_id: str, **kwargs: Any) -> None:
        if session_id in self._running:
            self._running[session_id].cancel()

    # --- the script ---------------------------------------------------------------------------------------------------

    async def _perform(self, session_id: str, text: str, exchange: Exchange) -> None:
        for instruction in parse_script(text) or [Say(f"You said: {text}")]:
            match instruction:
                case Think(thought):
                    await self._update(session_id, acp.update_agent_thought_text(thought))
                case Status(label):
                    await self._show(session_id, label or "")
                case Tool(name, arguments):
                    call_id = await self._begin_tool(session_id, name, arguments)
                    await self._end_tool(session_id, call_id, "done")
                case Fail(message):
                    status, _, rest = message.partition(" ")
                    raise acp.RequestError(int(status) if status.isdigit() else -32603, rest or message)
                case _:
                    is_first = True
                    async for piece in self._pieces(session_id, instruction):
                        separate = is_first and exchange.answer and not isinstance(instruction, Burst | Tick)
                        is_first = False
                        said = f"\n{piece}" if separate else piece
                        exchange.answer += said
                        await self._update(session_id, acp.update_agent_message_text(said))

    async def _pieces(self, session_id: str, instruction: Instruction) -> AsyncIterator[str]:
        match instruction:
            case Say(text) | Refused(text):
                for word in words(text):
                    yield word
            case NoStream(text):
                yield text
            case Slow(count, seconds):
                start = time.monotonic()
                for number in range(count):
                    await asyncio.sleep(max(0.0, start + number * seconds - time.monotonic()))
                    yield instruction.piece(number)
            case Burst(count) | Tick(count):
                for number in range(count):
                    yield filler(number)
            case File(path):
                yield f"<file:{path}>"
            case EchoHistory():
                yield f"I remember {len(self._conversations[session_id].turns) - 1} turns."
            case Ask(name, arguments):
                for word in words(await self._ask(session_id, name, arguments)):
                    yield word
            case Spawn(seconds, detached):
                yield await _spawn(seconds, detached)
            case _:
                yield f"{type(instruction).__name__} is nothing that this agent does"

    async def _ask(self, session_id: str, name: str, arguments: object) -> str:
        call_id = await self._begin_tool(session_id, name, arguments, "pending")
        answer = await self._connection.request_permission(
            session_id=session_id, tool_call=schema.ToolCallUpdate(tool_call_id=call_id), options=_OPTIONS
        )
        chosen = answer.outcome.option_id if isinstance(answer.outcome, schema.AllowedOutcome) else None
        if chosen not in ("once", "always"):
            await self._end_tool(session_id, call_id, "refused", is_error=True)
            return "denied"
        result = await _run_tool(name, arguments if isinstance(arguments, dict) else {})
        await self._end_tool(session_id, call_id, result)
        return f"allowed{'' if chosen == 'once' else ' for ever'}"

    async def _begin_tool(
        self, session_id: str, name: str, arguments: object, status: schema.ToolCallStatus = "in_progress"
    ) -> str:
        call_id = f"call-{next(self._tool_numbers)}"
        path = arguments.get("file_path") if isinstance(arguments, dict) else None
        locations = [schema.ToolCallLocation(path=path)] if isinstance(path, str) else None
        call = acp.start_tool_call(
            call_id, name, kind=_KINDS.get(name, "other"), status=status, raw_input=arguments, locations=locations
        )
        await self._update(session_id, call)
        return call_id

    async def _end_tool(self, session_id: str, call_id: str, output: str, *, is_error: bool = False) -> None:
        content = [acp.tool_content(acp.text_block(output))]
        await self._update(
            session_id,
            acp.update_tool_call(call_id, status="failed" if is_error else "completed", content=content),
        )

    async def _show(self, session_id: str, label: str) -> None:
        first, _, mode = label.partition(" ")
        if first == "mode" and mode:
            self._mode = mode
            update = schema.CurrentModeUpdate(session_update="current_mode_update", current_mode_id=mode)
            await self._update(session_id, update)
        else:
            await self._update(
                session_id, acp.update_plan([acp.plan_entry(label, status="in_progress")] if label else [])
            )

    # --- the rest -----------------------------------------------------------------------------------------------------

    @property
    def _connection(self) -> acp.Client:
        if self._client is None:
            raise RuntimeError("nobody is connected")
        return self._client

    async def _update(self, session_id: str, update: Any) -> None:
        await self._connection.session_update(session_id=session_id, update=update)

    async def _tell_again(self, session_id: str, turn: Exchange) -> None:
        await self._update(session_id, acp.update_user_message_text(str(turn.prompt[-1].get("text", ""))))
        if turn.answer:
            await self._update(session_id, acp.update_agent_message_text(turn.answer))

    async def _say_commands(self, session_id: str) -> None:
        update = schema.AvailableCommandsUpdate(
            session_update="available_commands_update", available_commands=_COMMANDS
        )
        await self._update(session_id, update)

    def _later(self, update: Any) -> None:
        task = asyncio.create_task(update)
        self._running[f"update {id(task)}"] = task
        task.add_done_callback(lambda done: self._running.pop(f"update {id(done)}", None))

    def _offer(self, session_id: str) -> tuple[schema.SessionModeState, list[Any]]:
        modes = [schema.SessionMode(id=mode, name=mode.title()) for mode in MODES]
        models = [schema.SessionConfigSelectOption(value=model, name=model.title()) for model in MODELS]
        option = schema.SessionConfigOptionSelect(
            type="select",
            id="model",
            name="Model",
            category="model",
            current_value=self._conversations[session_id].model,
            options=models,
        )
        return schema.SessionModeState(current_mode_id=self._mode, available_modes=modes), [option]

    def _keep(self, session_id: str) -> None:
        if self._sessions is not None:
            self._sessions.mkdir(parents=True, exist_ok=True)
            fresh = self._sessions / f"{session_id}.new"
            fresh.write_bytes(msgspec.json.encode(self._conversations[session_id]))
            fresh.replace(self._sessions / f"{session_id}.json")


async def _run_tool(name: str, arguments: dict[str, Any]) -> str:
    if name == "Write":
        path = Path(str(arguments["file_path"]))
        await asyncio.to_thread(path.write_text, str(arguments.get("content", "")))
        return "written"
    if name != "Bash":
        return "done"
    process = await asyncio.create_subprocess_shell(
        str(arguments["command"]),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate()
        return output.decode(errors="replace").strip()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _spawn(seconds: float, detached: bool) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", _FAMILY, str(seconds), "detached" if detached else "attached"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    if process.stdout is None:
        raise RuntimeError("the child has no stdout")
    child, grandchild = (await process.stdout.readline()).decode().split()
    return f"child {child} grandchild {grandchild}"


def main() -> None:
    """Speaks on the standard streams until its stdin ends."""
    sessions = os.environ.get("ACP_AGENT_SESSIONS")
    agent = ScriptedAgent(Path(sessions) if sessions else None, os.environ.get("ACP_AGENT_MODE", MODES[0]))
    asyncio.run(acp.run_agent(cast(acp.Agent, agent)))


if __name__ == "__main__":
    main()
