"""One turn with an endpoint: asked, heard, and asked once more where that may help."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import structlog

from sygen_bot.errors import ProviderFailed
from sygen_bot.events import Finished, ProviderEvent, SystemStatus, TextDelta, ThinkingDelta
from sygen_bot.providers.base import Turn
from sygen_bot.providers.openai_attachments import Files, read_files
from sygen_bot.providers.openai_context import ChatConversation, Windows
from sygen_bot.providers.openai_endpoint import Endpoint
from sygen_bot.providers.openai_errors import Broken, ChatError, NotAChat, Refused, for_people, is_passing, too_long
from sygen_bot.providers.openai_stream import ChatReader

if TYPE_CHECKING:
    from sygen_bot.providers.openai_client import ChatClient

_RETRY_AFTER_S: Final = 0.5
_SURELY_TOO_LONG: Final = 2
"""By how much a guess at the length of a message must exceed the context, for the endpoint not even to be asked."""

_log = structlog.get_logger(__name__)


class ChatTurn:
    """From a message to the end of its answer. `conversation` and `is_model_unknown` tell what became of it."""

    def __init__(
        self, turn: Turn, model: str, endpoint: Endpoint, windows: Windows, *, resume_token: str | None
    ) -> None:
        self.conversation = ChatConversation(turn, resume_token=resume_token)
        self.is_model_unknown = False
        self._turn = turn
        self._model = model
        self._endpoint = endpoint
        self._windows = windows
        self._measure = windows.measure(model)
        self._files = Files()
        self._reader = ChatReader()
        self._has_begun = False
        self._is_labelled = False
        self._was_cut = self._was_repeated = False

    async def run(self, client: ChatClient) -> AsyncGenerator[ProviderEvent, None]:
        """The events of the turn, in the way of a provider."""
        yield self.conversation.saved()
        self._files = await read_files(self._turn.attachments)
        for note in self._files.notes:
            yield self._label(note)
        if self._is_surely_too_long():
            yield self.conversation.saved_without_this_turn()
            raise too_long(self._model, self._windows.known(self._model))
        left_out = self.conversation.fit(self._windows.tokens(self._model), self._measure, extra=self._files.tokens)
        for event in self._cut(left_out):
            yield event
        while True:
            try:
                async with aclosing(self._try(client)) as events:
                    async for event in events:
                        yield event
                break
            except ChatError as error:
                if self._has_begun:
                    raise self._failure(error) from error
                async for event in self._second_chance(error, client):
                    yield event
        for event in self._finish():
            yield event

    async def _try(self, client: ChatClient) -> AsyncGenerator[ProviderEvent, None]:
        """One request, and what is heard of its answer."""
        from sygen_bot.providers.openai_client import read_rest

        self._reader = reader = ChatReader()
        try:
            async with client.ask(self._model, self._messages()) as answer, aclosing(answer.pieces()) as pieces:
                body = bytearray()
                async for piece in pieces:
                    if not answer.is_stream:
                        body += piece
                        continue
                    for said in reader.feed(piece):
                        for event in self._hear(said):
                            yield event
                    if reader.is_done:
                        break
                if not answer.is_stream:
                    for said in reader.feed_document(bytes(body)):
                        for event in self._hear(said):
                            yield event
                for said in reader.end():
                    for event in self._hear(said):
                        yield event
                if reader.is_done:
                    await read_rest(pieces)
        finally:
            if reader.skipped:
                _log.warning("endpoint_sent_nonsense", provider=self._endpoint.id, kinds=sorted(reader.skipped))
        if not reader.is_whole:
            raise NotAChat if reader.skipped and not self._has_begun else Broken

    def _messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = [
            {"role": message.role, "content": message.content} for message in self.conversation.prompt
        ]
        messages[-1]["content"] = self._files.content(messages[-1]["content"])
        return messages

    def _hear(self, said: TextDelta | ThinkingDelta | SystemStatus) -> Iterator[ProviderEvent]:
        match said:
            case SystemStatus(label):
                self._is_labelled = label is not None
            case ThinkingDelta():
                self._has_begun = True
            case TextDelta(text):
                self._has_begun = True
                self.conversation.said(text)
                if self._is_labelled:
                    self._is_labelled = False
                    yield SystemStatus(None)
        yield said

    async def _second_chance(self, error: ChatError, client: ChatClient) -> AsyncGenerator[ProviderEvent, None]:
        """Get ready to ask once more; raises what people are told if that would not help."""
        if isinstance(error, Refused):
            if error.is_context_full:
                for event in self._make_room(error):
                    yield event
                return
            if self._files.images and error.may_mean_images:
                self._files = Files(text=self._files.text)
                yield self._label("the model takes no images: it gets their names only")
                return
            if "stream_options" in error.message and client.asks_for_usage:
                client.asks_for_usage = False
                return
            self.is_model_unknown = error.status == 404
            if error.is_for_good:
                yield self.conversation.saved_without_this_turn()
        if self._was_repeated or not is_passing(error):
            raise self._failure(error) from error
        self._was_repeated = True
        await asyncio.sleep(_RETRY_AFTER_S)

    def _make_room(self, error: Refused) -> Iterator[ProviderEvent]:
        context_tokens = error.context_tokens or self._windows.known(self._model)
        left_out = 0 if self._was_cut else self.conversation.halve(self._measure, extra=self._files.tokens)
        if not left_out:
            yield self.conversation.saved_without_this_turn()
            raise too_long(self._model, context_tokens) from error
        self._was_cut = True
        if context_tokens is not None:
            left_out += self.conversation.fit(context_tokens, self._measure, extra=self._files.tokens)
        yield from self._cut(left_out)

    def _cut(self, left_out: int) -> Iterator[ProviderEvent]:
        if left_out:
            yield self.conversation.saved()
            turns = "1 earlier turn" if left_out == 1 else f"{left_out} earlier turns"
            yield self._label(f"{turns} left out: the model's context is full")

    def _finish(self) -> Iterator[ProviderEvent]:
        reader = self._reader
        if reader.usage is not None and not self._files.images:
            self._measure.correct(self.conversation.prompt, reader.usage.input_tokens - self._files.tokens)
        if not self.conversation.has_answer and not reader.tools:
            raise ProviderFailed(_no_answer(self._endpoint.name, reader.finish_reason))
        if reader.finish_reason == "length":
            yield TextDelta(" …")
        yield self.conversation.saved()
        yield Finished(usage=reader.usage, model=reader.model or self._model)

    def _is_surely_too_long(self) -> bool:
        known = self._windows.known(self._model)
        if known is None:
            return False
        return self.conversation.last_alone(self._measure, extra=self._files.tokens) > known * _SURELY_TOO_LONG

    def _label(self, label: str) -> ProviderEvent:
        self._is_labelled = True
        return SystemStatus(label)

    def _failure(self, error: ChatError) -> Exception:
        _log.warning(
            "endpoint_failed",
            provider=self._endpoint.id,
            error=type(error).__name__,
            status=error.status if isinstance(error, Refused) else None,
        )
        return for_people(error, self._endpoint, self._model, has_spoken=self._has_begun)


def _no_answer(name: str, finish_reason: str | None) -> str:
    match finish_reason:
        case "length":
            return f"{name} reached the longest answer that it gives before it came to one. Ask for less."
        case "content_filter":
            return f"The content filter of {name} keeps the answer back. Ask in other words."
        case _:
            return f"{name} has no answer to this. Try it in other words."
