"""One running Codex app-server with one conversation: started once, asked turn after turn, interrupted, ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from sygen_bot import __version__
from sygen_bot.errors import ProviderFailed, ProviderUnavailable
from sygen_bot.events import ContextSaved, ProviderEvent
from sygen_bot.providers.base import Turn
from sygen_bot.providers.codex_context import decode_context
from sygen_bot.providers.codex_conversation import UNGUARDED, Conversation
from sygen_bot.providers.codex_events import GUARDED, TurnEvents, error_of
from sygen_bot.providers.codex_gate import Gate
from sygen_bot.providers.codex_login import PROGRAM_MISSING, ModelProvider
from sygen_bot.providers.codex_questions import Questions
from sygen_bot.providers.codex_settings import Sandbox, command_line
from sygen_bot.providers.codex_tools import ToolUse
from sygen_bot.providers.jsonrpc import Params, Peer, PeerClosed, RpcError
from sygen_bot.providers.pool import ProcessEnded
from sygen_bot.providers.stdio_agent import StdioAgent

START_TIMEOUT_S: Final = 30.0
INTERRUPT_TIMEOUT_S: Final = 1.0
"""How long Codex has, when it is interrupted, until it says that it has stopped. It needs 0.01 s."""
_CALL_TIMEOUT_S: Final = 30.0
_NOT_FOUND: Final = 127

_log = structlog.get_logger(__name__)
_Notice = tuple[str, Params | ToolUse]


class FirstStart:
    """Lets the first Codex of a gateway start alone: two that find their home empty would both set up its databases, and one fails."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._is_over = False

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Around the start of a process. One that raises was none."""
        if self._is_over:
            yield
            return
        async with self._lock:
            yield
            self._is_over = True


class CodexProcess:
    """One app-server, see `sygen_bot.providers.pool.AgentProcess`. Model and system prompt may change between its turns."""

    def __init__(
        self,
        *,
        run_dir: Path,
        cli: Path,
        environment: Mapping[str, str],
        turn: Turn,
        sandbox: Sandbox,
        model_provider: ModelProvider,
        default_model: str | None,
        first_start: FirstStart,
    ) -> None:
        """For `turn` and those that fit after it. `default_model`: None for the one that Codex itself prefers."""
        self._first_start = first_start
        self._workspace = turn.workspace
        self._make_agent: Callable[[str], StdioAgent] = lambda hook: StdioAgent(
            run_dir=run_dir,
            argv=command_line(str(cli), hook=hook, model_provider=model_provider),
            environment=environment,
            workspace=turn.workspace,
            log_name="codex",
        )
        self._conversation = Conversation(
            call=self._call, turn=turn, sandbox=sandbox, model_provider=model_provider, default_model=default_model
        )
        self._gate = Gate(workspace=turn.workspace, notice=self._notice)
        self._questions = Questions(run_dir=run_dir, ask=self._gate.before_use)
        self._agent: StdioAgent | None = None
        self._peer: Peer | None = None
        self._inbox: asyncio.Queue[_Notice | None] = asyncio.Queue()
        self._events = TurnEvents(thread_id="")
        self._in_turn = False
        self._is_ready = False
        self._is_broken = False
        self._has_strayed = False

    @property
    def is_alive(self) -> bool:
        return self._agent is not None and self._agent.is_alive and self._is_ready and not self._is_broken

    def fits(self, turn: Turn) -> bool:
        wanted = decode_context(turn.resume_token)
        return turn.workspace == self._workspace and self._conversation.thread_id == (
            wanted.thread_id if wanted else ""
        )

    async def start(self) -> None:
        async with self._first_start.alone():
            await self._questions.open()
            await self._spawn()
        self._is_ready = True

    async def _spawn(self) -> None:
        self._agent = self._make_agent(self._questions.command)
        self._peer = await self._agent.start(
            on_notification=self._heard,
            on_request=self._gate.answer,
            on_closed=lambda: self._inbox.put_nowait(None),
            names_version=False,
        )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._begin()
        except TimeoutError:
            raise ProviderUnavailable("Codex did not start in time. Try again, or check its command.") from None
        except PeerClosed:
            code = await self._agent.exit_code(within_s=1.0)
            _log.warning("codex_did_not_start", exit_code=code, stderr=self._agent.stderr_tail)
            raise (ProviderUnavailable(PROGRAM_MISSING) if code == _NOT_FOUND else ProcessEnded()) from None
        except RpcError as error:
            _log.warning("codex_did_not_start", code=error.code, message=error.message)
            raise ProviderUnavailable("Codex refused to start. The gateway's log says why.") from error

    async def turn(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        """One turn, to its `Finished`."""
        if self._agent is None or not self.is_alive:
            raise ProcessEnded
        await self._agent.remember_tree()
        self._inbox = asyncio.Queue()
        events = self._events = TurnEvents(thread_id=self._conversation.thread_id)
        self._in_turn = True
        self._gate.open(turn.approve)
        async with _as_process_ended():
            events.model = await self._conversation.model_for(turn)
            await self._conversation.tell_prompt(turn.system_prompt)
        yield self._saved()
        async with _as_process_ended():
            events.turn_id = await self._conversation.say(turn, events.model)
        while (end := _end_of_turn(notice := await self._next(), events.turn_id)) is None:
            for event in self._translated(notice):
                yield event
        await self._settle()
        yield self._saved()
        error = error_of(end)
        if error is not None:
            _log.info("codex_turn_failed", status=end.get("status"), error=end.get("error"))
            raise error
        for event in events.finish(time.monotonic()):
            yield event

    async def interrupt(self) -> bool:
        if self._agent is None or not self.is_alive:
            return False
        if not self._in_turn:
            return True
        self._gate.shut()
        self._questions.let_go()
        turn_id = self._events.turn_id
        if turn_id is None:
            return False
        try:
            async with asyncio.timeout(INTERRUPT_TIMEOUT_S):
                await self._call("turn/interrupt", {"threadId": self._conversation.thread_id, "turnId": turn_id})
                while _end_of_turn(await self._next(), turn_id) is None:
                    pass
                await self._settle(is_cut_off=True)
        except (TimeoutError, ProcessEnded, PeerClosed, RpcError, ProviderFailed) as error:
            _log.info("codex_interrupt_failed", error=repr(error))
            return False
        return await self._agent.nothing_left()

    async def end(self, *, grace_s: float) -> None:
        self._is_broken = True
        self._gate.shut()
        if self._agent is not None:
            await self._agent.end(grace_s=grace_s)
        await self._questions.close()

    async def _begin(self) -> None:
        client = {"name": "sygen", "title": "Sygen", "version": __version__}
        await self._call("initialize", {"clientInfo": client, "capabilities": {"experimentalApi": True}})
        if self._peer is not None:
            await self._peer.notify("initialized", {})
        await self._conversation.begin(self._questions.command)

    async def _settle(self, *, is_cut_off: bool = False) -> None:
        """The turn is over: nothing is allowed, and no command runs on in a terminal."""
        self._in_turn = False
        self._gate.shut()
        if is_cut_off or self._events.runs_something:
            async with _as_process_ended():
                await self._call("thread/backgroundTerminals/clean", {"threadId": self._conversation.thread_id})

    def _saved(self) -> ContextSaved:
        context = self._conversation.context
        return ContextSaved("" if context is None else context.encode())

    async def _call(self, method: str, params: Params) -> Params:
        if self._peer is None:
            raise PeerClosed
        result = await self._peer.call(method, params, timeout_s=_CALL_TIMEOUT_S)
        return result if isinstance(result, dict) else {}

    def _heard(self, method: str, params: Params) -> None:
        if not self._in_turn:  # between turns nobody asked
            return
        if method == "item/started" and self._gate.is_open and not self._was_allowed(params):
            _log.error("codex_used_a_tool_unasked", item=params.get("item"))
            self._has_strayed = True
        self._inbox.put_nowait((method, params))

    def _was_allowed(self, params: Params) -> bool:
        match params.get("item"):
            case {"type": str(kind), "id": str(use_id)} if kind in GUARDED:
                return self._gate.has_allowed(use_id)
            case _:
                return True

    def _notice(self, message: str, use: ToolUse) -> None:
        self._inbox.put_nowait((message, use))

    async def _next(self) -> _Notice:
        notice = await self._inbox.get()
        if self._has_strayed:
            self._is_broken = True
            raise ProviderFailed(UNGUARDED)
        if notice is None:
            self._inbox.put_nowait(None)
            raise ProcessEnded
        return notice

    def _translated(self, notice: _Notice) -> Iterator[ProviderEvent]:
        name, content = notice
        if isinstance(content, ToolUse):
            return self._events.of_gate(name, content, time.monotonic())
        return self._events.of(name, content, time.monotonic())


@asynccontextmanager
async def _as_process_ended() -> AsyncIterator[None]:
    """What goes wrong with a call in the middle of a turn means that nobody is there any more, or that it was refused."""
    try:
        yield
    except (PeerClosed, TimeoutError):
        raise ProcessEnded from None
    except RpcError as error:
        _log.warning("codex_refused_a_call", code=error.code, message=error.message)
        raise ProviderFailed("Codex did not take the message. The gateway's log says why.") from error


def _end_of_turn(notice: _Notice, turn_id: str | None) -> Params | None:
    """The turn as it ended, if this is its end."""
    match notice:
        case "turn/completed", {"turn": {"id": str(ended), "status": str()} as turn} if ended == turn_id:
            return dict(turn)
        case _:
            return None
