"""Keeps what a running turn has said, so that a crash loses at most its last moment."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog

from sygen_bot.errors import StorageError
from sygen_bot.orchestrator.session import TurnStore
from sygen_bot.session.log import SessionLog

INTERVAL_S: Final = 0.25
UNSAVED_CHARS: Final = 64 * 1024

_log = structlog.get_logger(__name__)


class TurnRecorder:
    """Stores a turn's new text and trace every `INTERVAL_S` seconds, and sooner when `UNSAVED_CHARS` have come."""

    def __init__(self, store: TurnStore, log: SessionLog, turn_id: str, *, after_seq: int) -> None:
        self._store = store
        self._log = log
        self._turn_id = turn_id
        self._saved_seq = after_seq
        self._saved_chars = 0
        self._unsaved = 0
        self._much = asyncio.Event()

    def said(self, chars: int) -> None:
        """Note that `chars` more were logged."""
        self._unsaved += chars
        if self._unsaved >= UNSAVED_CHARS:
            self._much.set()

    async def run(self) -> None:
        """Store again and again until cancelled. A failing database is tried again at the next turn of the clock."""
        number = 0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL_S):
                    await self._much.wait()
            self._much.clear()
            self._unsaved = 0
            trace = self._log.trace(self._turn_id, after=self._saved_seq)
            if not trace:
                continue
            text = self._log.text(self._turn_id, start=self._saved_chars)
            try:
                await self._store.add_part(self._turn_id, number, text, trace)
            except StorageError as error:
                _log.warning("part_not_stored", turn_id=self._turn_id, error=str(error))
                continue
            number += 1
            self._saved_seq = trace[-1].seq
            self._saved_chars += len(text)
