"""The models of an endpoint, as `GET /models` lists them: asked seldom, and never waited for long."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from sygen_bot.providers.openai_endpoint import Endpoint

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S: Final = 3.0
_FRESH_S: Final = 15.0
_FRESH_TROUBLE_S: Final = 2.0  # people start what they were told to start, and look again
_MOST_BYTES: Final = 8 * 1024 * 1024
_MOST_MODELS: Final = 1000
_MOST_TOKENS: Final = 100_000_000

_NOT_FOR_CHAT: Final = re.compile(
    r"(?:^|[-_/:.])(?:embed(?:ding)?s?|whisper|tts|dall-e|moderation|rerank(?:er)?|transcribe|realtime|audio|image"
    r"|sora|stable-diffusion|davinci|babbage)(?=$|[-_/:.@0-9])",
    re.IGNORECASE,
)
_OTHER_TYPES: Final = ("embedding", "image", "audio", "rerank", "moderation", "transcribe", "transcription", "speech")
_CONTEXT_FIELDS: Final = (
    ("loaded_context_length",),  # LM Studio, of a model that is loaded
    ("max_model_len",),  # vLLM
    ("meta", "n_ctx"),  # llama.cpp
    ("context_length",),  # OpenRouter and others
    ("context_window",),
    ("max_context_length",),  # LM Studio
    ("meta", "n_ctx_train"),  # llama.cpp: what the model could see, if its server lets it
)


@dataclass(frozen=True, slots=True)
class Model:
    """One model for conversations. `context_tokens`: None where the endpoint does not say."""

    id: str
    context_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What asking gave. With a `reason` there are no models; `answers`: it may take a conversation even so."""

    models: tuple[Model, ...] = ()
    reason: str = ""
    remedy: str = ""
    answers: bool = True


class ModelList:
    """The list of one endpoint. What was heard counts as fresh for 15 s; trouble for 2 s."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._lock = asyncio.Lock()
        self._heard: Listing | None = None
        self._heard_at = 0.0

    async def fresh(self) -> Listing:
        """The list as it is now. Takes 3 s at most and never raises."""
        async with self._lock:
            if self._heard is None or time.monotonic() - self._heard_at > self._fresh_s():
                self._heard = await self._ask()
                self._heard_at = time.monotonic()
            return self._heard

    async def known(self) -> Listing:
        """The list as it was heard last, however long ago; asked for if it never was."""
        heard = self._heard
        return heard if heard is not None and heard.answers else await self.fresh()

    def outdated(self) -> None:
        """Something has shown that the list is wrong: it has to be asked for again."""
        self._heard = None

    def _fresh_s(self) -> float:
        return _FRESH_S if self._heard is not None and not self._heard.reason else _FRESH_TROUBLE_S

    async def _ask(self) -> Listing:
        try:
            client = await asyncio.to_thread(
                _client, self._endpoint
            )  # what that takes, the endpoint is not to blame for
            async with client, asyncio.timeout(_TIMEOUT_S):
                return await _list(client, self._endpoint)
        except TimeoutError:
            return _unreachable(self._endpoint, "does not answer")
        except (OSError, ValueError, ImportError) as error:  # of the environment: a broken proxy, a missing certificate
            return _unreachable(self._endpoint, f"cannot be asked ({type(error).__name__})")


def models_of(body: bytes) -> tuple[Model, ...] | None:
    """The models for conversations in an answer to `GET /models`, in its order; None if it is no such answer."""
    try:
        match msgspec.json.decode(body):
            case {"data": list(entries)} | {"models": list(entries)} | list(entries):
                pass
            case {"data": None}:  # Ollama without any model
                entries = []
            case _:
                return None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    models = {model.id: model for entry in entries for model in _model(entry)}
    return tuple(models.values())[:_MOST_MODELS]


def _model(entry: object) -> Iterator[Model]:
    if not isinstance(entry, dict):
        return
    match entry:
        case {"id": str(name)} | {"model": str(name)} | {"name": str(name)} if _is_for_chat(name, entry):
            yield Model(name, _context_tokens(entry))
        case _:
            pass


def _is_for_chat(name: str, entry: dict[str, object]) -> bool:
    kind = entry.get("type")
    is_other = isinstance(kind, str) and kind.lower().startswith(_OTHER_TYPES)
    return 0 < len(name) <= 200 and name.isprintable() and not is_other and _NOT_FOR_CHAT.search(name) is None


def _context_tokens(entry: dict[str, object]) -> int | None:
    for path in _CONTEXT_FIELDS:
        found: object = entry
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, int) and not isinstance(found, bool) and 0 < found <= _MOST_TOKENS:
            return found
    return None


def _client(endpoint: Endpoint) -> httpx.AsyncClient:
    """In a thread: httpx takes its time to load, and reads certificates. Redirects are not followed: the key is for one server."""
    import httpx

    return httpx.AsyncClient(
        timeout=_TIMEOUT_S, trust_env=not endpoint.is_loopback, headers=endpoint.own_headers, follow_redirects=False
    )


async def _list(client: httpx.AsyncClient, endpoint: Endpoint) -> Listing:
    import httpx

    body = bytearray()
    try:
        async with client.stream("GET", f"{endpoint.url}/models") as response:
            async for some in response.aiter_bytes():
                body += some
                if len(body) > _MOST_BYTES:
                    return _strange(endpoint)
    except httpx.TimeoutException:
        return _unreachable(endpoint, "does not answer")
    except (httpx.HTTPError, httpx.InvalidURL):
        return _unreachable(endpoint, "does not answer")
    return _listing(endpoint, response.status_code, bytes(body))


def _listing(endpoint: Endpoint, status: int, body: bytes) -> Listing:
    if status in (401, 403):
        reason = f"{endpoint.name} at {endpoint.origin} {endpoint.key_trouble}"
        return Listing(reason=reason, remedy=endpoint.key_remedy, answers=False)
    if status == 429 or status >= 500:
        reason = f"{endpoint.name} at {endpoint.origin} is not ready: it answers with the error {status}."
        return Listing(reason=reason, remedy="Try again later.", answers=False)
    models = models_of(body) if status == 200 else None
    if models is None:
        return _strange(endpoint)
    if not models:
        reason = f"{endpoint.name} at {endpoint.origin} has no model for conversations."
        return Listing(reason=reason, remedy="Load or download one there.")
    return Listing(models)


def _unreachable(endpoint: Endpoint, what: str) -> Listing:
    remedy = f"Start it, or set {endpoint.setting('base_url')}."
    if endpoint.is_openai:
        remedy = "Check the network connection."
    return Listing(reason=f"{endpoint.name} {what} at {endpoint.origin}.", remedy=remedy, answers=False)


def _strange(endpoint: Endpoint) -> Listing:
    return Listing(
        reason=f"What answers at {endpoint.origin} does not list models as an OpenAI-compatible endpoint does.",
        remedy=f"Check {endpoint.setting('base_url')}, which often ends in /v1, or name models in {endpoint.setting('models')}.",
    )
