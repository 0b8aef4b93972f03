"""The one writer of the database: what is asked for at the same time shares a transaction, so that a disk is synced once for many."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar, Union

import sqlalchemy as sa
import structlog

from sygen_bot.errors import StorageError

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")
Operation = Callable[[sa.Connection], _T]
"""Writes by one connection within a transaction that is not its own. It may be run again if that transaction fails."""
Outcome = Union[_T, Exception]  # noqa: UP007 - an alias of a type variable
Transaction = Callable[[Sequence[Operation[Any]], Callable[[Outcome[list[Any]]], None]], None]
"""Runs operations in one transaction and calls back on the event loop, with their results or with what went wrong."""

_MOST_IN_A_BATCH: Final = 256
_MOST_PATIENT_IN_A_BATCH: Final = 2
"""So that one that is not patient never waits long for those that are."""
_MOST_TIMES_PASSED_OVER: Final = 8


@dataclass(eq=False, slots=True)
class _Pending(Generic[_T]):
    operation: Operation[_T]
    on_done: Callable[[Outcome[_T]], None]


class Journal:
    """Runs operations in the order in which they were asked for, as many as wait in one `transaction`.

    Patient ones run when no other waits, or when they were passed over a few times. An operation that fails does not take the others of its transaction with it: they are
    then run one by one. By plain calls: on a busy loop every task on the way would cost a pass of it.
    """

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._single: deque[_Pending[Any]] = deque()
        self._waiting: deque[_Pending[Any]] = deque()
        self._patient: deque[_Pending[Any]] = deque()
        self._passed_over = 0
        self._is_writing = False
        self._is_closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def submit(
        self, operation: Operation[_T], on_done: Callable[[Outcome[_T]], None], *, is_patient: bool = False
    ) -> None:
        """Run `operation`; `on_done` is called, in the order of the calls, with its result when it is committed or with its error."""
        if self._is_closed:
            on_done(StorageError("The database is closed", "The gateway is going down."))
            return
        (self._patient if is_patient else self._waiting).append(_Pending(operation, on_done))
        if not self._is_writing:
            self._next()

    async def write(self, operation: Operation[_T], *, is_patient: bool = False) -> _T:
        """Run `operation` and return its result when it is committed. Raises StorageError, or what the operation raises.

        Cancelling the caller does not take the operation back.
        """
        done: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self.submit(operation, partial(_settle, done), is_patient=is_patient)
        return await done

    async def close(self) -> None:
        """Write what waits, then take no more."""
        self._is_closed = True
        await self._idle.wait()

    def _next(self) -> None:
        queues = [(self._single, 1), (self._waiting, _MOST_IN_A_BATCH), (self._patient, _MOST_PATIENT_IN_A_BATCH)]
        if self._passed_over >= _MOST_TIMES_PASSED_OVER:
            queues.insert(1, queues.pop())
        for queue, most in queues:
            if queue:
                self._passed_over = self._passed_over + 1 if self._patient and queue is not self._patient else 0
                batch = [queue.popleft() for _ in range(min(len(queue), most))]
                self._is_writing = True
                self._idle.clear()
                self._transaction([pending.operation for pending in batch], partial(self._done, batch))
                return
        self._idle.set()

    def _done(self, batch: list[_Pending[Any]], outcome: Outcome[list[Any]]) -> None:
        self._is_writing = False
        if isinstance(outcome, Exception) and len(batch) > 1:
            self._single.extend(batch)
            self._next()
            return
        self._next()
        results = [outcome] if isinstance(outcome, Exception) else outcome
        for pending, result in zip(batch, results, strict=True):
            try:
                pending.on_done(result)
            except Exception:  # noqa: BLE001 - the others of the batch are still to be told
                _log.exception("outcome_not_told")


def _settle(done: asyncio.Future[_T], outcome: Outcome[_T]) -> None:
    if done.done():
        return  # the caller went away
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)
