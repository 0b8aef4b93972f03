"""What can go wrong with an endpoint, and the sentences that say so. Pure: no input or output."""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Mapping
from typing import Final

from sygen_bot.errors import ProviderFailed, ProviderUnavailable, TurnError
from sygen_bot.providers.openai_endpoint import Endpoint
from sygen_bot.session.text import one_line

_SHOWN: Final = 300
_LONGEST_WAIT_S: Final = 7 * 86400
_CONTEXT_CODES: Final = ("context_length_exceeded", "exceed_context_size_error")
_CONTEXT_WORDS: Final = re.compile(
    r"(?:maximum|available|model'?s?) context|context[ _](?:length|window|size|overflow)|prompt is too long"
    r"|too many (?:input )?tokens|exceeds? the (?:model'?s? )?(?:maximum )?(?:context|number of tokens)",
    re.IGNORECASE,
)
_CONTEXT_NUMBER: Final = re.compile(
    r"(?:maximum context length|context (?:length|size|window))(?: is| of| only|:)*\s?\(?(\d{3,9})", re.IGNORECASE
)
_IMAGE_WORDS: Final = re.compile(r"image|vision|multi-?modal|mmproj|content.{0,20}must be a string", re.IGNORECASE)
_IMAGE_STATUS: Final = (400, 413, 415, 422)


class ChatError(Exception):
    """The endpoint gave no answer, or only the beginning of one."""


class Unreachable(ChatError):
    """Nobody answers there."""


class Silent(ChatError):
    """The endpoint took the request and said nothing for too long."""


class Broken(ChatError):
    """The connection ended in the middle of an answer."""


class NotAChat(ChatError):
    """Something answers, but not with what the chat API says."""


class Refused(ChatError):
    """The endpoint said no: with an HTTP `status`, or in the midst of its stream (0, if that has no number).

    `error`: what it sent, as far as it was JSON. `retry_after_s`: how long it wants to be left alone.
    """

    def __init__(self, status: int, error: object, *, retry_after_s: float | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.retry_after_s = retry_after_s
        fields = error if isinstance(error, dict) else {}
        self.message = _message(error)
        self.codes = {str(fields[name]) for name in ("code", "type") if fields.get(name) is not None}
        self._numbers = {name: value for name, value in fields.items() if isinstance(value, int)}

    @property
    def is_context_full(self) -> bool:
        """The request is longer than what the model can see."""
        if not self.codes.isdisjoint(_CONTEXT_CODES):
            return True
        return self.status in (0, 400, 413, 422, 500) and _CONTEXT_WORDS.search(self.message) is not None

    @property
    def context_tokens(self) -> int | None:
        """What the model can see, where the refusal says it."""
        if (told := self._numbers.get("n_ctx", 0)) > 0:
            return told
        found = _CONTEXT_NUMBER.search(self.message)
        return int(found[1]) if found else None

    @property
    def may_mean_images(self) -> bool:
        """A request with images might be taken without them."""
        return self.status in _IMAGE_STATUS or (self.status != 429 and _IMAGE_WORDS.search(self.message) is not None)

    @property
    def is_for_good(self) -> bool:
        """The same message would be refused again, whenever it is sent."""
        return self.status in (400, 413, 415, 422)


def is_passing(error: ChatError) -> bool:
    """Another try may do, soon."""
    return isinstance(error, Unreachable | Broken) or (isinstance(error, Refused) and error.status >= 500)


def for_people(error: ChatError, endpoint: Endpoint, model: str, *, has_spoken: bool) -> TurnError:
    """The error as the end of a turn. `has_spoken`: a part of the answer was heard."""
    name = endpoint.name
    match error:
        case Refused():
            return _refusal(error, endpoint, model)
        case Unreachable():
            remedy = "Check the network connection." if endpoint.is_openai else "Start it, and ask again."
            return ProviderUnavailable(f"{name} does not answer at {endpoint.origin}. {remedy}")
        case Silent():
            return ProviderFailed(f"{name} has said nothing for too long. Ask again, or choose a smaller model.")
        case NotAChat():
            return ProviderUnavailable(
                f"What answers at {endpoint.origin} does not speak the chat API of OpenAI. "
                f"Check {endpoint.setting('base_url')}, which often ends in /v1."
            )
        case _ if has_spoken:
            return ProviderFailed(f"{name} broke off in the middle of its answer. Ask it to go on.")
        case _:
            return ProviderUnavailable(f"{name} breaks off before it has said anything. Try again later.")


def too_long(model: str, context_tokens: int | None) -> TurnError:
    """One message alone is more than the model can see."""
    sees = "" if context_tokens is None else f": {model} sees {context_tokens} tokens"
    return ProviderFailed(f"The message is too long for the model{sees}, its instructions and the answer included.")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The wait that the headers of an answer ask for. `headers` with names in lower case."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "")
        try:
            seconds = float(value) * unit_s
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
            except ValueError:
                continue
        if math.isfinite(seconds) and 0 <= seconds <= _LONGEST_WAIT_S:
            return seconds
    return None


def _refusal(error: Refused, endpoint: Endpoint, model: str) -> TurnError:
    name, said = endpoint.name, _quoted(error, endpoint)
    match error.status:
        case 401:
            return ProviderUnavailable(f"{name} {endpoint.key_trouble} {endpoint.key_remedy}")
        case 403:
            return ProviderUnavailable(f"{name} does not allow this{said} The key may not cover the model {model}.")
        case 402:
            return ProviderUnavailable(f"{name} wants to be paid first{said}")
        case 404 if "model" in error.message.lower() or "model_not_found" in error.codes:
            return ProviderUnavailable(f"{name} has no model {model}. `/model` lists what there is.")
        case 404:
            where = endpoint.setting("base_url")
            return ProviderUnavailable(
                f"{name} has no chat at {endpoint.origin}. Check {where}, which often ends in /v1."
            )
        case 429 if "insufficient_quota" in error.codes:
            return ProviderUnavailable(f"The account at {name} has no quota left. Check its plan and billing.")
        case 429:
            return ProviderUnavailable(f"{name} gets too many requests. {_try_again(error.retry_after_s)}")
        case 503 | 529:
            return ProviderUnavailable(f"{name} is overloaded. {_try_again(error.retry_after_s)}")
        case status if status >= 500:
            return ProviderUnavailable(f"{name} answers with the error {status}{said} Try again later.")
        case status if 300 <= status < 400:
            return ProviderUnavailable(
                f"{name} has moved away from {endpoint.origin}. Correct {endpoint.setting('base_url')}."
            )
        case 0:
            return ProviderFailed(f"{name} stopped with an error{said}")
        case status:
            return ProviderFailed(f"{name} refuses the message with the error {status}{said}")


def _try_again(wait_s: float | None) -> str:
    if wait_s is None:
        return "Try again later."
    if wait_s < 120:
        return f"Try again in {max(1, math.ceil(wait_s))} s."
    return f"Try again in {math.ceil(wait_s / 60)} minutes."


def _quoted(error: Refused, endpoint: Endpoint) -> str:
    said = one_line(endpoint.without_secrets(error.message))
    if not said:
        return "."
    said = said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"
    return f": {said}" if said.endswith((".", "!", "?", "…")) else f": {said}."


def _message(error: object) -> str:
    """What an endpoint says in its error. A page for browsers says nothing."""
    match error:
        case {"message": str(message)} | {"error": {"message": str(message)}} | {"error": str(message)}:
            return message
        case {"detail": str(message)}:
            return message
        case str(message) if not message.lstrip().startswith("<"):
            return message
        case _:
            return ""
