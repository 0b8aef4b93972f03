"""What an endpoint says, as provider events. Pure: bytes in, events out.

https://platform.openai.com/docs/api-reference/chat/create, and what other servers make of it: reasoning beside the content or
in `<think>` tags, errors in the midst of a stream, one JSON document where a stream was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from sygen_bot.events import SystemStatus, TextDelta, ThinkingDelta, Usage
from sygen_bot.providers.openai_errors import NotAChat, Refused
from sygen_bot.session.text import speakable

Said = TextDelta | ThinkingDelta | SystemStatus

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
_MAX_SKIPPED_BYTES: Final = 64 * 1024 * 1024
"""An endpoint that sent so much of nothing will not send an answer."""

_REASONING: Final = ("reasoning_content", "reasoning")
_FIELDS: Final = (b":", b"event:", b"id:", b"retry:")


class ChatReader:
    """One answer. Feed it what comes, in pieces of any size, then `end` it.

    `feed` and `feed_document` have to be iterated to their end; they raise Refused for an error of the endpoint, and NotAChat.
    """

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.finish_reason: str | None = None
        self.is_done = False
        """Nothing more is to come."""
        self.tools: list[str] = []
        """What the model would have liked to use."""
        self.skipped: set[str] = set()
        """What kinds of nonsense there were, for the log."""
        self._line = bytearray()
        self._is_line_too_long = False
        self._skipped_bytes = 0
        self._thoughts = ThoughtSplitter()
        self._is_thinking = False

    @property
    def is_whole(self) -> bool:
        """The answer has ended; it was not cut off."""
        return self.is_done or self.finish_reason is not None

    def feed(self, data: bytes) -> Iterator[Said]:
        """A piece of a stream of server-sent events. Every `data` line counts as an event: nobody sends two for one."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._take(data[start:end])
            start = end + 1
            line, is_too_long = bytes(self._line), self._is_line_too_long
            self._line.clear()
            self._is_line_too_long = False
            if not is_too_long:
                yield from self._of_line(line.rstrip(b"\r"))
        self._take(data[start:])

    def feed_document(self, body: bytes) -> Iterator[Said]:
        """A whole answer as JSON."""
        yield from self._of_data(body)
        if self.finish_reason is None:
            raise NotAChat
        self.is_done = True

    def end(self) -> Iterator[Said]:
        """What was held back."""
        if self._line and not self._is_line_too_long:
            line = bytes(self._line)
            self._line.clear()
            yield from self._of_line(line)
        yield from self._say(self._thoughts.end())

    def _take(self, data: bytes) -> None:
        if self._is_line_too_long or len(self._line) + len(data) > MAX_LINE_BYTES:
            self._is_line_too_long = True
            self._skip("a line that is too long", len(self._line) + len(data))
            self._line.clear()
        else:
            self._line += data

    def _skip(self, kind: str, size: int) -> None:
        self.skipped.add(kind)
        self._skipped_bytes += size
        if self._skipped_bytes > _MAX_SKIPPED_BYTES:
            raise NotAChat

    def _of_line(self, line: bytes) -> Iterator[Said]:
        if line.startswith((b"data:", b"error:")):  # the latter: llama.cpp
            name, _, data = line.partition(b":")
            data = data.strip()
            if data == b"[DONE]":
                self.is_done = True
            elif data:
                yield from self._of_data(data, is_error=name == b"error")
        elif line and not line.startswith(_FIELDS):
            self._skip("a line that is no event", len(line))

    def _of_data(self, data: bytes, *, is_error: bool = False) -> Iterator[Said]:
        try:
            chunk = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            chunk = None
        if not isinstance(chunk, dict):
            self._skip("an event that is no JSON object", len(data))
            return
        if error := chunk if is_error else chunk.get("error"):
            code = error.get("code") if isinstance(error, dict) else None
            raise Refused(code if isinstance(code, int) and 400 <= code <= 599 else 0, error)
        self.usage = _usage(chunk.get("usage")) or self.usage
        if isinstance(model := chunk.get("model"), str) and model.isprintable():
            self.model = model or self.model
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and choice.get("index", 0) == 0:
                yield from self._of_choice(choice)
        if not choices and "usage" not in chunk:
            self._skip("an event without choices", len(data))

    def _of_choice(self, choice: dict[str, object]) -> Iterator[Said]:
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            thought = next((text for name in _REASONING if (text := _text(delta.get(name)))), "")
            if thought:
                yield from self._think(thought)
            if content := _text(delta.get("content")):
                yield from self._say(self._thoughts.split(content))
            if refusal := _text(delta.get("refusal")):
                yield from self._say([(False, refusal)])
            yield from self._wish(delta.get("tool_calls"))
        if isinstance(reason := choice.get("finish_reason"), str):
            self.finish_reason = reason

    def _say(self, pieces: list[tuple[bool, str]]) -> Iterator[Said]:
        for is_thought, text in pieces:
            if is_thought:
                yield from self._think(text)
                continue
            if self._is_thinking:
                self._is_thinking = False
                yield SystemStatus(None)
            yield TextDelta(speakable(text))

    def _think(self, text: str) -> Iterator[Said]:
        if not self._is_thinking:
            self._is_thinking = True
            yield SystemStatus("thinking")
        yield ThinkingDelta(speakable(text))

    def _wish(self, calls: object) -> Iterator[Said]:
        for call in calls if isinstance(calls, list) else ():
            match call:
                case {"function": {"name": str(name)}} if name and name not in self.tools and len(self.tools) < 16:
                    self.tools.append(name)
                    shown = name[:64] if name.isprintable() else "a tool"
                    yield SystemStatus(f"asked for {shown}, which it does not have here")
                case _:
                    pass


class ThoughtSplitter:
    """Takes the reasoning out of a text that begins with it, in `<think>` tags: (is it a thought, text) in order.

    A tag may come in pieces; what might be the beginning of one is held back.
    """

    _OPEN: Final = "<think>"
    _CLOSE: Final = "</think>"

    def __init__(self) -> None:
        self._held = ""
        self._state = "start"

    def split(self, text: str) -> list[tuple[bool, str]]:
        """What is certain now."""
        pieces: list[tuple[bool, str]] = []
        self._held += text
        if self._state == "start":
            self._start()
        if self._state == "thought":
            thought, tag, rest = self._held.partition(self._CLOSE)
            kept = 0 if tag else _overlap(thought, self._CLOSE)
            pieces.append((True, thought[: len(thought) - kept]))
            self._held = rest if tag else thought[len(thought) - kept :]
            self._state = "gap" if tag else "thought"
        if self._state == "gap":
            self._held = self._held.lstrip()
            self._state = "text" if self._held else "gap"
        if self._state == "text":
            pieces.append((False, self._held))
            self._held = ""
        return [piece for piece in pieces if piece[1]]

    def end(self) -> list[tuple[bool, str]]:
        """What was held back, now that nothing follows."""
        held, self._held = self._held, ""
        return [(self._state == "thought", held)] if held else []

    def _start(self) -> None:
        begun = self._held.lstrip()
        if begun.startswith(self._OPEN):
            self._held = begun.removeprefix(self._OPEN).lstrip()
            self._state = "thought"
        elif not self._OPEN.startswith(begun):
            self._state = "text"


def _overlap(text: str, tag: str) -> int:
    """How much of the end of `text` may be the beginning of `tag`."""
    return next((size for size in range(len(tag) - 1, 0, -1) if text.endswith(tag[:size])), 0)


def _text(content: object) -> str:
    """Content that is a text, or a list of parts with texts."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""


def _usage(usage: object) -> Usage | None:
    match usage:
        case {"prompt_tokens": int(read), "completion_tokens": int(written)} if read >= 0 and written >= 0:
            return Usage(input_tokens=read, output_tokens=written)
        case _:
            return None
