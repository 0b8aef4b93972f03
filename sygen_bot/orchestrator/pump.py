"""Carrying what a provider says into the session log: one turn from its first event to its end."""

from __future__ import annotations

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
from sygen_bot.orchestrator.recorder import TurnRecorder
from sygen_bot.orchestrator.session import LiveSession
from sygen_bot.orchestrator.turn import TurnJob
from sygen_bot.providers.base import Provider, Turn
from sygen_bot.session.json_value import cut, kept_json
from sygen_bot.session.text import speakable

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
        recorder: TurnRecorder,
        save_context: Callable[[str], None],
    ) -> Result | None:
        """Run `turn` and return its result, None if it was stopped. Returns when the provider has cleaned up; raises what it raises."""
        started = time.monotonic()
        finished = await self._pump(session, job, provider, turn, recorder, save_context)
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
        recorder: TurnRecorder,
        save_context: Callable[[str], None],
    ) -> Finished:
        share, append, turn_id = self._share, session.log.append, job.turn_id
        room = self._max_answer_bytes
        has_spoken = False
        events = provider.run(turn)
        try:
            async for event in events:
                if job.has_ended:
                    break
                if isinstance(event, TextDelta):
                    data = speakable(event.data)
                    if not data:
                        continue
                    room -= _wire_size(data)
                    if room < 0:
                        session.stop(job, "answer_too_large")
                        break
                    append(turn_id, event if data is event.data else TextDelta(data))
                    recorder.said(len(data))
                    has_spoken = True
                elif isinstance(event, Finished):
                    return event
                elif isinstance(event, ThinkingDelta) and not event.data:
                    continue
                elif isinstance(event, ContextSaved):
                    save_context(event.resume_token)
                else:
                    append(turn_id, _cleaned(event))
                if share.is_spent(has_spoken=has_spoken):
                    await share.next_pass(has_spoken=has_spoken)
        finally:
            await events.aclose()
        return Finished()


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
