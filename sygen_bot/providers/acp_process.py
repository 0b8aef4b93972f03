"""One running ACP agent under its guard: started once, asked turn after turn, cancelled, ended."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from sygen_bot.errors import ProviderFailed, ProviderUnavailable
from sygen_bot.events import ContextSaved, Finished, ProviderEvent, SystemStatus
from sygen_bot.providers.acp_context import Context, decode_context
from sygen_bot.providers.acp_errors import error_of, not_logged_in, says_login_is_missing
from sygen_bot.providers.acp_events import TurnEvents, commands_label, has_no_tokens, usage_of
from sygen_bot.providers.acp_opening import open_session
from sygen_bot.providers.acp_permissions import CANCELLED, Gate, is_about_attachment, outcome
from sygen_bot.providers.acp_profiles import AcpProfile
from sygen_bot.providers.acp_prompt import prompt_of
from sygen_bot.providers.acp_session import Offer, uses_tools_unasked
from sygen_bot.providers.base import ToolRequest, Turn
from sygen_bot.providers.jsonrpc import METHOD_NOT_FOUND, Params, Peer, PeerClosed, RpcError
from sygen_bot.providers.pool import STARTED_ANEW, ProcessEnded
from sygen_bot.providers.stdio_agent import StdioAgent

INTERRUPT_TIMEOUT_S: Final = 1.0
"""How long an agent has to stop when it is told to. Gemini CLI needs 0.01 s."""
_SETTING_TIMEOUT_S: Final = 10.0
_SILENCE_S: Final = 0.1
_REPLAY_TIMEOUT_S: Final = 5.0
_INVALID_PARAMS: Final = -32602
_NOT_FOUND: Final = 127
_NOTES: Final = {
    "max_tokens": "The answer ends here: it has reached the length that the model allows.",
    "max_turn_requests": "The answer ends here: the agent has reached the number of steps that it may take.",
}
_CUT_OFF: Final = "The answer ends here: the connection to the model broke off."
_WORD: Final = re.compile(r"\s*[A-Za-z][\w-]*(\s|$)")
_log = structlog.get_logger(__name__)


class AcpProcess:
    """One agent with one session, see `sygen_bot.providers.pool.AgentProcess`.

    The agent gets no access to files or terminals through the gateway: it runs on the same machine, and has its own.
    """

    def __init__(
        self,
        *,
        profile: AcpProfile,
        run_dir: Path,
        argv: tuple[str, ...],
        environment: Mapping[str, str],
        turn: Turn,
        learned: Callable[[tuple[str, ...]], None],
    ) -> None:
        """For `turn` and those that fit after it. `learned` hears which models the agent offers."""
        self._profile = profile
        self._learned = learned
        self._workspace = turn.workspace
        self._system_prompt = turn.system_prompt
        self._model: str | None = turn.model if profile.model_option else None
        self._wanted = decode_context(turn.resume_token)
        self._context = self._wanted or Context("", time.time())
        self._is_anew = self._is_retold = False
        self._agent = StdioAgent(
            run_dir=run_dir, argv=argv, environment=environment, workspace=turn.workspace, log_name=profile.id
        )
        self._connection: Peer | None = None
        self._is_ready = False
        self._capabilities: Mapping[str, Any] = {}
        self._offer = Offer()
        self._news = asyncio.Event()
        self._commands: str | None = None
        self._gate = Gate()
        self._turn: Turn | None = None
        self._events = TurnEvents()
        # Unbounded: an agent whose updates were not taken would not hear of a cancellation either.
        self._inbox: asyncio.Queue[ProviderEvent | None] = asyncio.Queue()
        self._prompting: asyncio.Task[Any] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def is_alive(self) -> bool:
        return self._is_ready and self._agent.is_alive

    def fits(self, turn: Turn) -> bool:
        wanted = decode_context(turn.resume_token)
        return (
            wanted is not None
            and wanted.session_id == self._context.session_id
            and (turn.workspace, turn.system_prompt) == (self._workspace, self._system_prompt)
            and (self._profile.model_option is None or turn.model == self._model)
        )

    # --- its life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        try:
            async with asyncio.timeout(self._profile.start_timeout_s):
                await self._open()
            self._is_ready = True
        except TimeoutError:
            raise ProviderUnavailable(f"{self._profile.name} did not start in time.") from None
        except PeerClosed:
            raise await self._end_at_start() from None
        except RpcError as error:
            _log.warning("acp_start_failed", agent=self._profile.id, code=error.code, error=error.message)
            raise error_of(error, self._profile) from error

    async def interrupt(self) -> bool:
        prompting, self._prompting = self._prompting, None
        if prompting is None:
            return self.is_alive
        try:
            await self._peer.notify("session/cancel", {"sessionId": self._context.session_id})
            self._gate.shut()  # the questions get their answer now: the agent waits for it
            await asyncio.wait({prompting}, timeout=INTERRUPT_TIMEOUT_S)
        except PeerClosed:
            return False
        finally:
            self._gate.shut()
            self._turn = None
            self._context = self._context.answered(self._events.answer)
            if not prompting.done():
                self._keep(prompting)
                prompting.cancel()
        has_stopped = (
            prompting.done() and not prompting.cancelled() and not isinstance(prompting.exception(), PeerClosed)
        )
        return has_stopped and await self._agent.nothing_left()

    async def end(self, *, grace_s: float) -> None:
        self._gate.shut()
        self._turn = None
        tasks = {*self._tasks, *([self._prompting] if self._prompting else [])}
        for task in tasks:
            task.cancel()
        await self._agent.end(grace_s=grace_s)
        if tasks:
            await asyncio.wait(tasks)

    async def _open(self) -> None:
        peer = await self._agent.start(on_notification=self._heard, on_request=self._asked)
        self._connection = peer
        opening = await open_session(peer, profile=self._profile, wanted=self._wanted, workspace=self._workspace)
        self._context, self._offer, self._is_anew = opening.context, opening.offer, opening.is_anew
        self._capabilities = opening.prompt_capabilities
        if self._wanted is not None and not self._is_anew:
            await self._settle()
        if self._profile.model_option is None:
            self._model = self._offer.model
        if self._offer.models:
            self._learned(self._offer.models)

    async def _settle(self) -> None:
        """Some agents have loaded a conversation before they have told all of it again: wait until they are silent."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REPLAY_TIMEOUT_S):
                while await self._hears_something():
                    pass

    async def _hears_something(self) -> bool:
        self._news.clear()
        try:
            async with asyncio.timeout(_SILENCE_S):
                return await self._news.wait()
        except TimeoutError:
            return False

    async def _end_at_start(self) -> Exception:
        code = await self._agent.exit_code(within_s=1.0)
        if code == _NOT_FOUND:
            return ProviderUnavailable(f"The program of {self._profile.name} is missing. {self._profile.remedy}")
        _log.warning("acp_ended_at_start", agent=self._profile.id, exit_code=code, stderr=self._agent.stderr_tail)
        return not_logged_in(self._profile) if says_login_is_missing(self._agent.stderr_tail) else ProcessEnded()

    # --- a turn -------------------------------------------------------------------------------------------------------

    async def turn(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        """One turn, to its `Finished`."""
        await self._agent.remember_tree()
        if not self.is_alive:
            raise ProcessEnded
        self._context = self._context.having(turn.text)
        yield ContextSaved(self._context.encode())
        if self._is_anew and not self._is_retold:
            yield SystemStatus(STARTED_ANEW)
        if self._commands is not None:
            yield SystemStatus(self._commands)
            yield SystemStatus(None)
            self._commands = None
        await self._choose_model(turn.model)
        if not await self._may_act(turn):
            yield Finished(text=f"{self._profile.name} was not allowed to run this command.")
            return
        self._events = TurnEvents(self._offer.mode_names)
        self._inbox = asyncio.Queue()
        self._turn = turn
        self._gate.open(turn.approve)
        prompt = await self._prompt(turn)
        self._prompting = asyncio.create_task(self._ask(prompt, self._inbox))
        while (event := await self._inbox.get()) is not None:
            yield event
        for event in await self._finish(turn, self._prompting):
            yield event

    async def _finish(self, turn: Turn, prompting: asyncio.Task[Any]) -> list[ProviderEvent]:
        """The end of the turn, after the agent has answered the prompt. Raises what it means if that was an error."""
        self._prompting = None
        self._gate.shut()
        self._turn = None
        events = self._events
        self._context = self._context.answered(events.answer)
        try:
            result = _object(await prompting)
        except PeerClosed:
            _log.warning("acp_ended", agent=self._profile.id, stderr=self._agent.stderr_tail)
            raise ProcessEnded from None
        except RpcError as error:
            _log.warning("acp_prompt_failed", agent=self._profile.id, code=error.code, error=error.message)
            raise error_of(error, self._profile) from error
        reason = result.get("stopReason")
        if reason == "refusal":
            raise ProviderFailed(
                f"{self._profile.name} refused to answer. Put it another way, or choose another model."
            )
        if reason == "cancelled" and not events.answer:
            raise ProviderFailed(
                f"{self._profile.name} stopped before it had an answer. Send the message again to retry."
            )
        cost_usd = self._cost_of_turn(events.cost_usd)
        usage, model = usage_of(result, cost_usd)
        note = _NOTES.get(str(reason), "")
        if has_no_tokens(result) and not self._is_own_command(turn.text):
            if not events.answer:
                raise ProviderUnavailable(
                    f"{self._profile.name} got no answer from its model. Send the message again to retry."
                )
            note = _CUT_OFF
        last = events.finish(usage, model or self._model, time.monotonic(), note=note)
        return [ContextSaved(self._context.encode()), *last]

    def _cost_of_turn(self, total_usd: float | None) -> float | None:
        """The agent tells what its conversation has cost; a total below what was known means that it began to count anew."""
        if total_usd is None:
            return None
        before, self._context = self._context.cost_usd, msgspec.structs.replace(self._context, cost_usd=total_usd)
        return total_usd - before if total_usd >= before else total_usd

    async def _prompt(self, turn: Turn) -> Params:
        preface = []
        told = hashlib.sha256(turn.system_prompt.encode()).hexdigest()[:16] if turn.system_prompt else ""
        if turn.system_prompt and told != self._context.told:
            preface.append(f"Instructions for this conversation:\n\n{turn.system_prompt}")
        if self._is_anew and not self._is_retold:
            # Without the message of this turn, which follows in full.
            before = msgspec.structs.replace(self._context, recent=self._context.recent[:-1])
            preface.append(before.retold())
            self._is_retold = True
        self._context = msgspec.structs.replace(self._context, told=told)
        blocks = await prompt_of(
            turn.text,
            preface="\n\n".join(filter(None, preface)),
            attachments=turn.attachments,
            capabilities=self._capabilities,
            mixes_forms=self._profile.mixes_forms,
        )
        return {"sessionId": self._context.session_id, "prompt": blocks}

    async def _ask(self, prompt: Params, inbox: asyncio.Queue[ProviderEvent | None]) -> Any:  # JSON
        try:
            return await self._peer.call("session/prompt", prompt)
        finally:
            inbox.put_nowait(None)

    async def _choose_model(self, model: str | None) -> None:
        wanted = model or self._offer.model
        if wanted is None or wanted == self._model:
            return
        change = self._offer.set_model(self._context.session_id, wanted)
        if change is None:
            raise ProviderFailed(f"{self._profile.name} cannot change its model here: choose it in its own settings.")
        try:
            await self._peer.call(*change, timeout_s=_SETTING_TIMEOUT_S)
        except PeerClosed:
            raise ProcessEnded from None
        except (RpcError, TimeoutError) as error:
            raise ProviderFailed(f"{self._profile.name} does not take this model. Choose another one.") from error
        self._model = wanted

    async def _may_act(self, turn: Turn) -> bool:
        """Whether the agent may carry out the message by itself, if it is one of its own commands."""
        if not self._is_own_command(turn.text):
            return True
        request = ToolRequest(tool="Command", input={"command": turn.text.strip()}, read_only=False)
        return await turn.approve(request) == "allow"

    def _is_own_command(self, text: str) -> bool:
        # A word behind the sign, so that a path is none.
        sign, rest = text.lstrip()[:1], text.lstrip()[1:]
        return sign != "" and sign in self._profile.acts_on and _WORD.match(rest) is not None

    # --- what the agent says ------------------------------------------------------------------------------------------

    def _heard(self, method: str, params: Params) -> None:
        if method != "session/update" or (self._is_ready and params.get("sessionId") != self._context.session_id):
            return
        self._news.set()
        update = _object(params.get("update"))
        match update:
            case {"sessionUpdate": "available_commands_update"}:
                self._commands = commands_label(update)
            case {"sessionUpdate": "current_mode_update", "currentModeId": str(mode)} if uses_tools_unasked(mode):
                self._keep_asking()
            case _:
                pass
        if self._prompting is not None:  # else it is what was said long ago, told again
            self._say(*self._events.of(update, time.monotonic()))

    def _keep_asking(self) -> None:
        mode = self._offer.asking_mode
        if mode is not None:
            self._keep(asyncio.create_task(self._set_mode(mode)))

    def _keep(self, task: asyncio.Task[Any]) -> None:
        """Until it is done, so that `end` can end it."""
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.info("acp_call_failed", agent=self._profile.id, error=repr(error))

    async def _set_mode(self, mode: str) -> None:
        params = {"sessionId": self._context.session_id, "modeId": mode}
        await self._peer.call("session/set_mode", params, timeout_s=_SETTING_TIMEOUT_S)

    async def _asked(self, method: str, params: Params) -> object:
        if method != "session/request_permission":
            raise RpcError(METHOD_NOT_FOUND, "The client does not offer this.")
        turn, events = self._turn, self._events
        if turn is None or self._prompting is None or params.get("sessionId") != self._context.session_id:
            return CANCELLED
        try:
            use = events.use(_object(params.get("toolCall")))
        except KeyError:
            raise RpcError(_INVALID_PARAMS, "The tool call has no id.") from None
        if is_about_attachment(use, turn.attachments):
            return outcome(params.get("options"), "allow")[0]
        self._say(*events.asked(use, time.monotonic()))
        read_only = await asyncio.to_thread(use.is_read_only, turn.workspace)
        request = ToolRequest(tool=use.name, input=use.asked_input, read_only=read_only, summary=use.title)
        answer, is_allowed = outcome(params.get("options"), await self._gate.decide(request))
        self._say(*events.decided(use.id, is_allowed=is_allowed, now=time.monotonic()))
        return answer

    def _say(self, *events: ProviderEvent) -> None:
        for event in events:
            self._inbox.put_nowait(event)

    @property
    def _peer(self) -> Peer:
        if self._connection is None:
            raise PeerClosed
        return self._connection


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
