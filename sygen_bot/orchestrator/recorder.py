"""Keeps what running turns have said, so that a crash loses at most its last moment."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog

from sygen_bot.errors import StorageError
from sygen_bot.orchestrator.session import TurnStore
from sygen_bot.orchestrator.turn import TurnJob
from sygen_bot.session.log import SessionLog
from sygen_bot.storage.sessions import TurnPart

INTERVAL_S: Final = 0.25
UNSAVED_CHARS: Final = 64 * 1024
_TOGETHER: Final = 128
_TOGETHER_CHARS: Final = 256 * 1024
"""What is stored in one transaction, at most: a message that comes meanwhile waits for it."""

_log = structlog.get_logger(__name__)


class Recorder:
    """Stores the new text and trace of all running turns, together: every `INTERVAL_S` seconds, and sooner what `UNSAVED_CHARS` have come of.

    It works only while there are turns.
    """

    def __init__(self, store: TurnStore) -> None:
        self._store = store
        self._turns: dict[str, TurnRecord] = {}
        self._much = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def follow(self, log: SessionLog, job: TurnJob) -> TurnRecord:
        """Record a turn from its message on, until `leave`, and note in it what is stored."""
        record = self._turns[job.turn_id] = TurnRecord(log, job, self._much)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="recorder")
        return record

    def leave(self, record: TurnRecord) -> None:
        """The turn is over: its end is stored elsewhere."""
        self._turns.pop(record.turn_id, None)

    async def close(self) -> None:
        """Returns when nothing is being stored any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            await self._record()
        except Exception:  # noqa: BLE001 - the task ends here; the next turn starts another one
            _log.exception("recorder_crashed")
        finally:
            self._task = None

    async def _record(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + INTERVAL_S
        while self._turns:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._much.wait()
            self._much.clear()
            if is_due := loop.time() >= due:
                due = loop.time() + INTERVAL_S
            await self._store_some([record for record in self._turns.values() if is_due or record.has_much])

    async def _store_some(self, records: list[TurnRecord]) -> None:
        chosen: list[TurnRecord] = []
        chars = 0
        for record in records:
            chosen.append(record)
            chars += record.prepare()
            if chars >= _TOGETHER_CHARS or len(chosen) >= _TOGETHER:
                await self._store_all(chosen)
                chosen, chars = [], 0
        await self._store_all(chosen)

    async def _store_all(self, records: list[TurnRecord]) -> None:
        parts = [record.part for record in records if record.part is not None]
        if not parts:
            return
        try:
            await self._store.add_parts(parts)
        except StorageError as error:
            _log.warning(
                "parts_not_stored", turns=len(parts), error=str(error)
            )  # they come again, with what is new by then
            return
        for record in records:
            record.saved()


class TurnRecord:
    """The part of a turn that is stored next."""

    def __init__(self, log: SessionLog, job: TurnJob, much: asyncio.Event) -> None:
        self.turn_id: Final = job.turn_id
        self._log = log
        self._job = job
        self._much = much
        self._saved_seq = job.user_seq or 0
        self.part: TurnPart | None = None
        self.has_much = False

    def hurry(self) -> None:
        """`UNSAVED_CHARS` have come: do not wait for the time."""
        self.has_much = True
        self._much.set()

    def prepare(self) -> int:
        """Make `part` of what came since the last one that was stored, if there is anything. Returns its characters."""
        self.has_much = False
        trace = self._log.trace(self.turn_id, after=self._saved_seq)
        text = self._log.text(self.turn_id, start=self._job.chars_in_parts) if trace else ""
        self.part = TurnPart(turn_id=self.turn_id, number=self._job.parts, text=text, trace=trace) if trace else None
        return len(text)

    def saved(self) -> None:
        """The newest part is stored."""
        if self.part is not None:
            self._job.parts += 1
            self._job.chars_in_parts += len(self.part.text)
            self._saved_seq = self.part.trace[-1].seq
            self.part = None
