"""What a model is given to read: a conversation, measured in tokens and cut to what the model can see."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Final

from sygen_bot.events import ContextSaved
from sygen_bot.providers.base import Turn
from sygen_bot.providers.conversation import Message, remembered, saved, turn_starts
from sygen_bot.providers.openai_endpoint import Endpoint
from sygen_bot.providers.openai_models import Model

_ASSUMED_TOKENS: Final = 8192
_ASSUMED_TOKENS_OPENAI: Final = 128_000
_BYTES_A_TOKEN: Final = 4
_TOKENS_A_MESSAGE: Final = 4
_MOST_ANSWER_TOKENS: Final = 4096
_LEAST_FACTOR: Final = 0.5
_GREATEST_FACTOR: Final = 3.0
_LEAST_TELLING: Final = 200
"""Shorter texts say more of the model's own template than of its tokens."""


class Measure:
    """How many tokens a text has for one model: guessed from its length, and corrected by what the endpoint counts."""

    def __init__(self) -> None:
        self.factor = 1.0

    def tokens(self, messages: list[Message], *, extra: int = 0) -> int:
        """An estimate. `extra`: what does not depend on the model."""
        return round(sum(_guess(message) for message in messages) * self.factor) + extra

    def correct(self, messages: list[Message], counted: int) -> None:
        """The endpoint has counted so many tokens in these messages."""
        guessed = sum(_guess(message) for message in messages)
        if guessed >= _LEAST_TELLING and counted > 0:
            # Endpoints that leave out what they have cached would make long texts look short.
            self.factor = min(max(counted / guessed, _LEAST_FACTOR), _GREATEST_FACTOR)


class Windows:
    """How much each model sees, and how its tokens are counted: what is known of it, and what was learned.

    `configured`: of all models, whatever the endpoint says. `assumed`: of models of which nothing is known.
    """

    def __init__(self, configured: int | None, *, assumed: int) -> None:
        self._configured = configured
        self._assumed = assumed
        self._listed: dict[str, int] = {}
        self._measures: dict[str, Measure] = {}

    def listed(self, models: Iterable[Model]) -> None:
        """What the endpoint lists."""
        self._listed = {model.id: model.context_tokens for model in models if model.context_tokens is not None}

    def known(self, model: str) -> int | None:
        """How much the model sees, if that is known."""
        return self._configured or self._listed.get(model)

    def tokens(self, model: str) -> int:
        """How much the model sees, or might."""
        return self.known(model) or self._assumed

    def measure(self, model: str) -> Measure:
        return self._measures.setdefault(model, Measure())


def assumed_tokens(endpoint: Endpoint) -> int:
    """How much a model sees if nobody says. OpenAI never does, and its models see more than others."""
    return _ASSUMED_TOKENS_OPENAI if endpoint.is_openai else _ASSUMED_TOKENS


class ChatConversation:
    """What one turn begins with, and what the model has answered so far."""

    def __init__(self, turn: Turn, *, resume_token: str | None) -> None:
        self._system = [Message("system", turn.system_prompt)] if turn.system_prompt else []
        self._messages = [*remembered(resume_token), Message("user", turn.text)]
        self._answer: list[str] = []

    @property
    def prompt(self) -> list[Message]:
        """What is sent. Neighbours of one role, from turns without an answer, are one message: some models insist on it."""
        messages = [*self._system, *self._messages]
        return [
            Message(role, "\n\n".join(message.content for message in group))
            for role, group in groupby(messages, key=lambda message: message.role)
        ]

    @property
    def has_answer(self) -> bool:
        return bool(self._answer)

    def said(self, text: str) -> None:
        self._answer.append(text)

    @property
    def answer(self) -> str:
        return "".join(self._answer)

    def saved(self) -> ContextSaved:
        answer = [Message("assistant", self.answer)] if self._answer else []
        return saved([*self._messages, *answer])

    def saved_without_this_turn(self) -> ContextSaved:
        return saved(self._messages[:-1])

    def last_alone(self, measure: Measure, *, extra: int) -> int:
        """The tokens of the least that can be sent: the instructions and this turn's message."""
        return measure.tokens([*self._system, self._messages[-1]], extra=extra)

    def fit(self, context_tokens: int, measure: Measure, *, extra: int) -> int:
        """Leave out the oldest turns, if it does not fit, and say how many. `extra`: the tokens of the files.

        Then it is cut to three quarters, because a model has to read everything again after a cut: there should be few.
        """
        most = context_tokens - min(_MOST_ANSWER_TOKENS, context_tokens // 4)
        if measure.tokens(self.prompt, extra=extra) <= most:
            return 0
        return self._cut_to(most * 3 // 4, measure, extra=extra)

    def halve(self, measure: Measure, *, extra: int) -> int:
        """Leave out the older half, and say how many turns that were; 0 if there is only this one."""
        return self._cut_to(measure.tokens(self.prompt, extra=extra) // 2, measure, extra=extra)

    def _cut_to(self, most: int, measure: Measure, *, extra: int) -> int:
        starts = turn_starts(self._messages)
        sizes = [measure.tokens([message]) for message in self._messages]
        rest = most - extra - measure.tokens(self._system)
        left_out = next(
            (number for number, start in enumerate(starts) if sum(sizes[start:]) <= rest), max(len(starts) - 1, 0)
        )
        self._messages = self._messages[starts[left_out] :]
        return left_out


def _guess(message: Message) -> float:
    return len(message.content.encode(errors="replace")) / _BYTES_A_TOKEN + _TOKENS_A_MESSAGE
