"""One conversation in Codex: begun or taken up again under the gate, with the model and the system prompt of each turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import structlog

from sygen_bot.errors import ProviderFailed, ProviderUnavailable
from sygen_bot.providers.base import Turn
from sygen_bot.providers.codex_context import Context, decode_context, prompt_digest
from sygen_bot.providers.codex_login import ModelProvider
from sygen_bot.providers.codex_settings import Sandbox
from sygen_bot.providers.jsonrpc import Params, RpcError
from sygen_bot.providers.pool import ConversationMissing

UNGUARDED: Final = (
    "This Codex cannot be made to ask before it uses a tool, so it may not run. Install the extra `codex` again."
)
_CANNOT_BEGIN: Final = "Codex could not begin a conversation. The gateway's log says why."
_BAD_SETTINGS: Final = "Codex cannot read its configuration. Correct its `config.toml`; the gateway's log says where."
_NO_LONGER: Final = "The instructions that the user gave you at first do not hold any more."
_MISSING: Final = ("no rollout found", "invalid session id")
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})

_log = structlog.get_logger(__name__)


class Conversation:
    """What `turn` begins or goes on with. `call` asks the app-server; its errors pass where nothing else is said.

    `default_model`: None for the one that Codex itself prefers.
    """

    def __init__(
        self,
        *,
        call: Callable[[str, Params], Awaitable[Params]],
        turn: Turn,
        sandbox: Sandbox,
        model_provider: ModelProvider,
        default_model: str | None,
    ) -> None:
        self._call = call
        self._first_turn = turn
        self._model_provider = model_provider
        self._default_model = default_model
        self._limits: Params = {"approvalPolicy": "on-request", "approvalsReviewer": "user", "sandbox": sandbox}
        self.context = decode_context(turn.resume_token)

    @property
    def thread_id(self) -> str:
        """Empty before it has begun."""
        return "" if self.context is None else self.context.thread_id

    async def begin(self, hook: str) -> None:
        """`hook`: the command that Codex is to run before each use of a tool.

        Raises ConversationMissing, ProviderUnavailable, ProviderFailed.
        """
        try:
            trust = await self._trust(hook, self._first_turn.workspace)
            if self.context is None:
                self.context = await self._start(trust)
            else:
                await self._resume(self.context, trust)
        except RpcError as error:
            _log.warning("codex_cannot_begin", code=error.code, message=error.message)
            is_setting = "configuration" in error.message
            raise (ProviderUnavailable(_BAD_SETTINGS) if is_setting else ProviderFailed(_CANNOT_BEGIN)) from error

    async def model_for(self, turn: Turn) -> str | None:
        """The model that answers `turn`. It has to be named: a conversation stays with its last one."""
        if turn.model is None and self._default_model is None:
            self._default_model = await self._preferred_model()
        return turn.model or self._default_model

    async def say(self, turn: Turn, model: str | None) -> str | None:
        """Begin to answer `turn`; the id of the turn in Codex."""
        message = await asyncio.to_thread(_input, turn)
        params = {"threadId": self.thread_id, "input": message, "model": model}
        return text_at(await self._call("turn/start", params), "turn", "id")

    async def tell_prompt(self, system_prompt: str | None) -> None:
        """What the system prompt is now, if it has changed: Codex keeps what it was told when the conversation began."""
        digest = prompt_digest(system_prompt)
        if self.context is None or self.context.prompt == digest:
            return
        content = [{"type": "input_text", "text": system_prompt or _NO_LONGER}]
        item = {"type": "message", "role": "developer", "content": content}
        await self._call("thread/inject_items", {"threadId": self.thread_id, "items": [item]})
        self.context = Context(self.thread_id, digest)

    async def _trust(self, hook: str, workspace: Path) -> Params:
        """The setting that makes Codex trust our hook, and no other. Raises ProviderUnavailable if it has not taken up the hook."""
        listed = await self._call("hooks/list", {"cwds": [str(workspace)]})
        for entry in listed.get("data", []):
            for found in entry.get("hooks", []):
                is_ours = found.get("source") == "sessionFlags" and found.get("command") == hook
                if is_ours and found.get("enabled") is True:
                    return {"hooks.state": {found["key"]: {"trusted_hash": found["currentHash"]}}}
        raise ProviderUnavailable(UNGUARDED)

    async def _start(self, trust: Params) -> Context:
        prompt, model = self._first_turn.system_prompt, self._first_turn.model or self._default_model
        # Without `cwd` it works in the directory it was started in. With it, it would mark the folder as trusted in the user's
        # configuration, and run whatever the folder's own settings name.
        params = {"config": trust, "developerInstructions": prompt, "model": model, **self._limits}
        started = await self._call("thread/start", params)
        thread_id = text_at(started, "thread", "id")
        if thread_id is None:
            raise ProviderFailed(_CANNOT_BEGIN)
        if model is None:
            self._default_model = text_at(started, "model")
        return Context(thread_id, prompt_digest(prompt))

    async def _resume(self, context: Context, trust: Params) -> None:
        model = await self.model_for(self._first_turn)
        provider = self._model_provider.id
        where = {"threadId": context.thread_id, "modelProvider": provider, "model": model, "excludeTurns": True}
        try:
            await self._call("thread/resume", where | {"config": trust, **self._limits})
        except RpcError as error:
            if any(words in error.message for words in _MISSING):
                raise ConversationMissing from None
            raise

    async def _preferred_model(self) -> str | None:
        """What a new conversation would use."""
        configured = text_at(await self._call("config/read", {"includeLayers": False}), "config", "model")
        if configured is not None:
            return configured
        listed = (await self._call("model/list", {})).get("data", [])
        return next((text_at(model, "id") for model in listed if model.get("isDefault") is True), None)


def text_at(document: Any, *names: str) -> str | None:  # JSON
    """The text that is found below `names`; None if there is none."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, str) and document else None


def _input(turn: Turn) -> list[Params]:
    """The message. Images go along as such; of other files its text tells the path."""
    images = [
        {"type": "localImage", "path": str(attachment.path)}
        for attachment in turn.attachments
        if attachment.mime in _IMAGES and attachment.path.is_file()
    ]
    return [{"type": "text", "text": turn.text}, *images]
