"""The local provider: SmolLM2-135M on this machine's processor, for a first conversation without any account.

The model lives in one process for all sessions (see `local_worker`), started by the first turn and ended after a while
without any. A conversation lives in its resume token.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final

import structlog

from sygen_bot.errors import AgentDied, ProviderFailed, ProviderUnavailable
from sygen_bot.events import ContextSaved, Finished, ProviderEvent, SystemStatus, TextDelta, Usage
from sygen_bot.providers import local_worker
from sygen_bot.providers.base import Availability, ProviderInfo, Turn
from sygen_bot.providers.conversation import CutOff
from sygen_bot.providers.environment import agent_environment
from sygen_bot.providers.local_conversation import Conversation
from sygen_bot.providers.local_process import LocalProcess, ProcessDied, PromptTooLong
from sygen_bot.providers.local_worker import CONTEXT_TOKENS, PARALLEL
from sygen_bot.providers.weights import weights_installed
from sygen_bot.session.key import SessionKey

MODEL: Final = "smollm2-135m"
_LONG_READ_TOKENS: Final = 150  # about a second, on one core
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

_log = structlog.get_logger(__name__)

_TOO_LONG: Final = f"The message is too long: the local model sees {CONTEXT_TOKENS} tokens (about 1500 words), its instructions included."
_DOES_NOT_RUN: Final = "The local model does not start, or ends at once. The gateway's log has the details."


class LocalProvider:
    """A small model that needs neither an account nor a network.

    `run_dir`: where the guard keeps its pipes. `weights`: the model file, see `install_weights`. `env`: variables that the
    model's process gets on top. `idle_ttl_s`: how long that process, and its 250 to 350 MB, outlive the last turn.
    """

    def __init__(
        self, *, run_dir: Path, weights: Path, env: Mapping[str, str] = _NOTHING, idle_ttl_s: float = 600.0
    ) -> None:
        self._run_dir = run_dir.absolute()
        self._weights = weights.absolute()
        self._environment = agent_environment(extra=env)
        self._idle_ttl_s = idle_ttl_s
        self._places = asyncio.Semaphore(PARALLEL)
        self._worker: LocalProcess | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._cut_off = CutOff()
        self._turns = 0
        self._idle: asyncio.TimerHandle | None = None

    @property
    def info(self) -> ProviderInfo:
        return ProviderInfo(id="local", name="SmolLM2 (offline demo)", color="#F59E0B")

    @property
    def processes(self) -> int:
        return (self._worker is not None) + len(self._ending)

    async def check(self) -> Availability:
        if find_spec("xllamacpp") is None:
            return Availability(
                available=False,
                reason="xllamacpp, which runs the local model, is not installed.",
                remedy="Run `make install` in the checkout, or install the extra `local`.",
            )
        if not await asyncio.to_thread(weights_installed, self._weights):
            return Availability(
                available=False,
                reason="The weights of the local model are not installed.",
                remedy="Run `sygen model install`.",
            )
        return Availability(available=True, models=(MODEL,))

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        await self._require(turn.model)
        conversation = Conversation(turn, resume_token=self._cut_off.resumed(turn))
        saved, is_labelled = "", False
        with self._in_use():
            try:
                async with aclosing(self._answer(conversation)) as events:
                    async for event in events:
                        match event:
                            case ContextSaved(saved):
                                pass
                            case SystemStatus():
                                is_labelled = True
                            case TextDelta() if is_labelled:
                                yield SystemStatus(None)
                                is_labelled = False
                        yield event
            finally:
                if conversation.answer:
                    self._cut_off.keep(turn.session, saved=saved, meant=conversation.saved().resume_token)

    async def forget(self, session: SessionKey) -> None:
        self._cut_off.forget(session)

    async def close(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._let_go()
        if self._ending:
            await asyncio.wait(self._ending)

    async def _require(self, model: str | None) -> None:
        check = await self.check()
        if not check.available:
            raise ProviderUnavailable(f"{check.reason} {check.remedy}")
        if model not in (None, MODEL):
            raise ProviderUnavailable(f"The local provider has only one model, {MODEL}.")

    async def _answer(self, conversation: Conversation) -> AsyncGenerator[ProviderEvent, None]:
        yield conversation.saved()
        if self._places.locked():
            yield SystemStatus("waiting for the model")
        async with self._places:
            is_second_try = False
            while True:
                try:
                    async with aclosing(self._try(conversation)) as events:
                        async for event in events:
                            yield event
                    return
                except PromptTooLong:
                    if not conversation.cut():
                        yield conversation.saved_without_this_turn()
                        raise ProviderFailed(_TOO_LONG) from None
                    yield conversation.saved()
                    yield SystemStatus("leaving out the oldest messages")
                except ProcessDied as error:
                    _log.warning("local_model_died", reason=error.reason, stderr=error.stderr)
                    if conversation.answer:
                        raise AgentDied("The local model broke off. Ask it again.") from None
                    if is_second_try:
                        raise ProviderUnavailable(_DOES_NOT_RUN) from None
                    is_second_try = True

    async def _try(self, conversation: Conversation) -> AsyncGenerator[ProviderEvent, None]:
        worker = self._running_worker()
        if not worker.is_ready:
            yield SystemStatus("loading the model")
            await worker.ready()
        async with aclosing(worker.generate(conversation.prompt, conversation.room)) as lines:
            async for line in lines:
                if line.reading > _LONG_READ_TOKENS:
                    yield SystemStatus("reading")
                if line.delta:
                    conversation.answer += line.delta
                    yield TextDelta(line.delta)
        if not conversation.answer:
            raise ProviderFailed("The local model has no answer to this. Try it in other words.")
        if line.end == "length":
            yield TextDelta(" …")
        yield conversation.saved()
        yield Finished(usage=Usage(*line.usage, cost_usd=0.0), model=MODEL)

    def _running_worker(self) -> LocalProcess:
        if self._worker is None or self._worker.has_ended:
            # -P: nothing is imported from the directory that the program lies in.
            argv = [sys.executable, "-P", local_worker.__file__, str(self._weights)]
            self._worker = LocalProcess(argv, env=self._environment, run_dir=self._run_dir)
        return self._worker

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        """The worker stays while this block runs, and `idle_ttl_s` after the last such block."""
        self._turns += 1
        if self._idle is not None:
            self._idle.cancel()
        try:
            yield
        finally:
            self._turns -= 1
            if not self._turns:
                self._idle = asyncio.get_running_loop().call_later(self._idle_ttl_s, self._let_go)

    def _let_go(self) -> None:
        if self._worker is not None:
            task = asyncio.create_task(self._worker.end())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            self._worker = None
