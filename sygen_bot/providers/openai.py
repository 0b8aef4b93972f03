"""Any endpoint that speaks the chat API of OpenAI: Ollama, vLLM, llama.cpp, LM Studio, OpenAI itself.

Such an endpoint remembers nothing and has no tools here: the conversation lives in its resume token, as with the local model.

    openai_endpoint       where it is, and its key
    openai_models         what it lists
    openai_client         a request, through the official client
    openai_stream         what it says, as provider events
    openai_context        the conversation, and what of it fits
    openai_attachments    files of a message
    openai_errors         what goes wrong, in sentences
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sygen_bot.errors import ProviderUnavailable
from sygen_bot.events import ContextSaved, ProviderEvent
from sygen_bot.providers.base import Availability, ProviderInfo, Turn
from sygen_bot.providers.conversation import CutOff
from sygen_bot.providers.openai_context import Windows, assumed_tokens
from sygen_bot.providers.openai_endpoint import OPENAI_URL, Endpoint, usable_url
from sygen_bot.providers.openai_models import Listing, ModelList
from sygen_bot.providers.openai_turn import ChatTurn
from sygen_bot.session.key import SessionKey

if TYPE_CHECKING:
    from sygen_bot.providers.openai_client import ChatClient

_PREFERRED: Final = ("gpt-5", "gpt-4.1", "gpt-4o")
"""OpenAI lists its models in no order: one of these is the default there, unless `models` says another."""
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class OpenAIProvider:
    """One endpoint.

    `base_url`: None for OpenAI's own. `api_key`: None where none is asked for. `models`: what may be asked for, the default
    first; empty for what the endpoint lists. `context_tokens`: how much a model sees, where the endpoint does not say or is
    wrong. `headers`: sent with every request. `silence_timeout_s`: how long the endpoint may say nothing in a turn.
    """

    def __init__(
        self,
        *,
        id: str = "openai",
        name: str = "OpenAI",
        color: str = "#10A37F",
        base_url: str | None,
        api_key: str | None,
        models: tuple[str, ...] = (),
        context_tokens: int | None = None,
        headers: Mapping[str, str] = _NOTHING,
        silence_timeout_s: float = 120.0,
    ) -> None:
        self._info = ProviderInfo(id=id, name=name, color=color)
        self._models = models
        self._silence_timeout_s = silence_timeout_s
        url = usable_url(OPENAI_URL if base_url is None else base_url)
        self._endpoint = Endpoint(id=id, name=name, url=url or OPENAI_URL, key=api_key or None, headers=dict(headers))
        self._trouble = self._find_trouble(base_url, is_usable=url is not None)
        self._list = ModelList(self._endpoint)
        self._windows = Windows(context_tokens, assumed=assumed_tokens(self._endpoint))
        self._cut_off = CutOff()
        self._client: ChatClient | None = None
        self._loading = asyncio.Lock()

    @property
    def info(self) -> ProviderInfo:
        return self._info

    @property
    def processes(self) -> int:
        return 0

    async def check(self) -> Availability:
        if self._trouble is not None:
            return self._trouble
        listing = await self._list.fresh()
        if listing.reason and not (listing.answers and self._models):
            return Availability(available=False, reason=listing.reason, remedy=listing.remedy)
        return Availability(available=True, models=self._models or self._ordered(listing))

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        if self._trouble is not None:
            raise ProviderUnavailable(f"{self._trouble.reason} {self._trouble.remedy}")
        client = await self._loaded()
        listing = await self._list.known()
        model = turn.model or next(iter(self._models or self._ordered(listing)), None)
        if model is None:
            raise ProviderUnavailable(f"{listing.reason} {listing.remedy}")
        self._windows.listed(listing.models)
        chat = ChatTurn(turn, model, self._endpoint, self._windows, resume_token=self._cut_off.resumed(turn))
        saved = ""
        try:
            async with aclosing(chat.run(client)) as events:
                async for event in events:
                    if isinstance(event, ContextSaved):
                        saved = event.resume_token
                    yield event
        finally:
            if chat.is_model_unknown:
                self._list.outdated()
            if chat.conversation.has_answer:
                self._cut_off.keep(turn.session, saved=saved, meant=chat.conversation.saved().resume_token)

    async def forget(self, session: SessionKey) -> None:
        self._cut_off.forget(session)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _find_trouble(self, configured_url: str | None, *, is_usable: bool) -> Availability | None:
        """What no request could mend; without I/O, apart from a look for the package."""
        endpoint = self._endpoint
        if configured_url is None and endpoint.key is None:
            reason = "It has no endpoint, and no API key for OpenAI."
            remedy = f"Set {endpoint.setting('base_url')}, or the environment variable OPENAI_API_KEY."
        elif not is_usable:
            reason = f"{endpoint.setting('base_url')} is no URL of an endpoint."
            remedy = "It looks like http://127.0.0.1:11434/v1."
        elif find_spec("openai") is None:
            reason = "The package openai is not installed."
            remedy = "Run `make install` in the checkout, or install the extra `openai`."
        else:
            return None
        return Availability(available=False, reason=reason, remedy=remedy)

    def _ordered(self, listing: Listing) -> tuple[str, ...]:
        """The names of the models, the default first."""
        names = [model.id for model in listing.models]
        preferred = [name for name in _PREFERRED if self._endpoint.is_openai and name in names]
        return tuple(dict.fromkeys([*preferred, *names]))

    async def _loaded(self) -> ChatClient:
        async with self._loading:
            if self._client is None:
                try:
                    self._client = await asyncio.to_thread(_load, self._endpoint, self._silence_timeout_s)
                except (ImportError, ValueError, OSError) as error:
                    raise ProviderUnavailable(
                        f"The client for {self._info.name} cannot start ({type(error).__name__}). "
                        "Check the proxies and certificates in the gateway's environment."
                    ) from error
            return self._client


def _load(endpoint: Endpoint, silence_timeout_s: float) -> ChatClient:
    from sygen_bot.providers.openai_client import ChatClient

    return ChatClient(endpoint, silence_timeout_s=silence_timeout_s)
