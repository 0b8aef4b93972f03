"""Carrying what a provider says into the session log: one turn from its first event to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import msgspec

from sygen_bot.events import (
    ContextSaved,
    Finished,
    Result,
    SystemStatus,
    TextDelta,
    ThinkingDelta,
    ToolActivity,
)
from sygen_bot.files.tags import file_refs
from sygen_bot.orchestrator.fairness import FairShare
from sygen_bot.orchestrator.recorder import UNSAVED_CHARS, TurnRecord
from sygen_bot.orchestrator.session import LiveSession
from sygen_bot.orchestrator.turn import TurnJob
from sygen_bot.providers.base import Provider, Turn
from sygen_bot.session.json_value import cut, kept_json
from sygen_bot.session.log import SessionLog
from sygen_bot.session.text import speakable

MAX_GATHERED_BYTES: Final = 16 * 1024
_MOST_CHARS: Final = MAX_GATHERED_BYTES // 2
_LOOK_EVERY: Final = 4
"""Deltas that come without a pause: to look at the clock after each of them would be a tenth of what they cost."""
_MOST_BYTES_OF_CHAR: Final = 6
"""In a JSON string: `\\u001f`."""
MAX_TOOL_BYTES: Final = 16 * 1024
"""What is kept and told of a tool's input and output; longer ones are cut."""


class Pump:
    """Runs turns. Shares the loop fairly with all other turns of the same `share`.

    `max_answer_bytes` bounds an answer by its size as a JSON string in UTF-8, which is what has to fit into a frame.
    """

    def __init__(self, *, share: FairShare, max_answer_bytes: int) -> None:
        self._share = share
        self._max_answer_bytes = max_answer_bytes

    async def run(
        self,
        session: LiveSession,
        job: TurnJob,
        provider: Provider,
        turn: Turn,
        *,
        record: TurnRecord,
        save_context: Callable[[str], None],
    ) -> Result | None:
        """Run `turn` and return its result, None if it was stopped. Returns when the provider has cleaned up; raises what it raises."""
        started = time.monotonic()
        finished = await self._pump(session, job, provider, turn, record, save_context)
        if job.has_ended:
            return None
        text = session.log.text(job.turn_id)
        fallback = bool(finished.text) and not text
        if fallback:
            text = speakable(finished.text or "")
            if _wire_size(text) > self._max_answer_bytes:
                session.stop(job, "answer_too_large")
                return None
        return Result(
            text,
            stream_fallback=fallback,
            files=file_refs(text),
            provider=provider.info.id,
            model=finished.model or turn.model,
            usage=finished.usage,
            duration_ms=round((time.monotonic() - started) * 1000),
        )

    async def _pump(
        self,
        session: LiveSession,
        job: TurnJob,
        provider: Provider,
        turn: Turn,
        record: TurnRecord,
        save_context: Callable[[str], None],
    ) -> Finished:
        share, log, turn_id = self._share, session.log, job.turn_id
        words = _Words(log, job, record, max_bytes=self._max_answer_bytes)
        has_spoken = False
        spoke_in = 0  # the turn of the loop in which something was handed on
        unlooked = 0  # deltas since the clock was looked at
        events = provider.run(turn)
        try:
            async for event in events:
                if job.has_ended:
                    break
                if isinstance(event, TextDelta):
                    if not event.data:
                        continue
                    if spoke_in and spoke_in == share.turn_of_loop:
                        fits = words.gather(event.data)
                        unlooked += 1
                        if fits and unlooked < _LOOK_EVERY:
                            continue
                        unlooked = 0
                    else:
                        fits = words.say_at_once(event)
                        has_spoken = True
                    if not fits:
                        session.stop(job, "answer_too_large")
                        break
                else:
                    words.hand_on()
                    if isinstance(event, Finished):
                        return event
                    if isinstance(event, ContextSaved):
                        save_context(event.resume_token)
                    elif not isinstance(event, ThinkingDelta) or event.data:
                        log.append(turn_id, _cleaned(event))
                if share.is_spent(has_spoken=has_spoken):
                    words.hand_on()
                    await share.next_pass(has_spoken=has_spoken)
                if has_spoken:
                    spoke_in = share.turn_of_loop
        finally:
            words.hand_on()
            await events.aclose()
            job.hand_on = _nothing_more
        return Finished()


class _Words:
    """An answer on its way into the log.

    What an agent says without giving way to the event loop cannot be sent before it does, so it is gathered and handed on as one:
    at the end of that turn of the loop, or as soon as it is `_MOST_CHARS`; in pieces of at most `MAX_GATHERED_BYTES` as JSON.
    """

    def __init__(self, log: SessionLog, job: TurnJob, record: TurnRecord, *, max_bytes: int) -> None:
        self._log = log
        self._append = log.append_text
        self._job = job
        self._turn_id = job.turn_id
        self._unsaved = 0
        self._record = record
        self._loop = asyncio.get_running_loop()
        self._gathered: list[str] = []
        self._chars = 0
        self._room = max_bytes
        self._at_most = 0  # bytes that were said since `_room` was measured
        self._measured = 0  # characters
        job.hand_on = self.hand_on

    def say_at_once(self, delta: TextDelta) -> bool:
        """Hand it on, after what was gathered. Whether it fits: the answer stays within its bounds."""
        data = speakable(delta.data)
        self._at_most += len(data) * _MOST_BYTES_OF_CHAR
        if self._at_most > self._room and not self._fits_when_measured(data):
            return False
        if self._gathered:
            self.hand_on()
        self._say(delta if data is delta.data else TextDelta(data))
        return True

    def gather(self, data: str) -> bool:
        """Keep it for the end of this turn of the loop. Whether it fits."""
        size = len(data)
        self._at_most += size * _MOST_BYTES_OF_CHAR
        if self._at_most > self._room and not self._fits_when_measured(speakable(data)):
            return False
        if not self._gathered:
            self._loop.call_soon(self.hand_on)
        self._gathered.append(data)
        self._chars += size
        if self._chars >= _MOST_CHARS:
            self.hand_on()
        return True

    def _fits_when_measured(self, data: str) -> bool:
        """The guess is not enough: measure what was said since the last time."""
        self.hand_on()
        text = self._log.text(self._turn_id, start=self._measured)
        self._room -= _wire_size(text)
        self._measured += len(text)
        self._at_most = len(data) * _MOST_BYTES_OF_CHAR
        return self._at_most <= self._room or _wire_size(data) <= self._room

    def _say(self, delta: TextDelta) -> None:
        self._append(self._turn_id, delta)
        self._unsaved += len(delta.data)
        if self._unsaved >= UNSAVED_CHARS:
            self._unsaved = 0
            self._record.hurry()

    def hand_on(self) -> None:
        """Put what was gathered into the log, unless the turn has its end."""
        if self._gathered:
            text = speakable("".join(self._gathered))
            self._gathered.clear()
            self._chars = 0
            is_large = len(text) * _MOST_BYTES_OF_CHAR > MAX_GATHERED_BYTES and _wire_size(text) > MAX_GATHERED_BYTES
            size = MAX_GATHERED_BYTES // _MOST_BYTES_OF_CHAR if is_large else len(text)
            for start in range(0, 0 if self._job.has_ended else len(text), size):
                self._say(TextDelta(text[start : start + size]))


def _nothing_more() -> None:
    """All is handed on. The turn lets go of what was said: in a cycle with it, large answers would stay in memory until the collector finds
    them, and then be freed all at once, with the loop waiting.
    """


def _wire_size(text: str) -> int:
    return len(msgspec.json.encode(text)) - 2


def _cleaned(event: ThinkingDelta | SystemStatus | ToolActivity) -> ThinkingDelta | SystemStatus | ToolActivity:
    match event:
        case ThinkingDelta(data):
            return ThinkingDelta(speakable(data))
        case SystemStatus(str() as label):
            return SystemStatus(speakable(label))
        case ToolActivity():
            output, is_output_cut = cut(speakable(event.output or ""), MAX_TOOL_BYTES)
            value, is_input_cut = kept_json(event.input, MAX_TOOL_BYTES)
            return msgspec.structs.replace(
                event,
                name=speakable(event.name),
                tool_id=speakable(event.tool_id),
                input=value,
                output=None if event.output is None else output,
                truncated=event.truncated or is_output_cut or is_input_cut,
            )
        case _:
            return event
