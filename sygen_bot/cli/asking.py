"""How `sygen ask` gets its answer: one turn, ended by its result, a signal or a time-out."""

from __future__ import annotations

import asyncio
import signal
import uuid
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final

from sygen_bot.cli.approver import Approver
from sygen_bot.cli.asker import TerminalAsker
from sygen_bot.cli.connection import ABORTED, ANSWERED, FAILED, NO_CONNECTION, Endpoint, device_name, with_advice
from sygen_bot.cli.interrupts import on_interrupt
from sygen_bot.client import ClientError, Gateway, MessageRefused, connect

if TYPE_CHECKING:
    from sygen_bot.cli.printing import AnswerPrinter
    from sygen_bot.client import ApprovalDecision

GIVE_UP_S: Final = 15.0
"""How long a lost connection may take to come back. The agent goes on meanwhile, and the answer waits."""
_ABORT_S: Final = 3.0
_TIME_OUT: Final = 0  # no signal has this number


async def ask_once(
    endpoint: Endpoint,
    question: str,
    printer: AnswerPrinter,
    *,
    timeout_s: float | None,
    chat: tuple[int | None, int | None],
    tools: ApprovalDecision | None = None,
) -> int:
    """Ask, print, and return the exit code. `tools`: the answer to whatever the agent asks about tools in this turn; None asks people."""
    asking = _Asking(printer, tools)
    with on_interrupt(asking.stop):
        timer = None if timeout_s is None else asyncio.get_running_loop().call_later(timeout_s, asking.stop, _TIME_OUT)
        try:
            code = await asking.run(endpoint, question, chat)
        except ClientError as error:
            printer.fail(error.code, with_advice(error, endpoint))
            code = FAILED if isinstance(error, MessageRefused) else NO_CONNECTION
        finally:
            if timer is not None:
                timer.cancel()
    printer.end()
    if asking.stopped_by == _TIME_OUT:
        what = "no connection" if code == NO_CONNECTION else "no whole answer"
        printer.explain(f"There was {what} within {timeout_s:g} s.")
    elif asking.stopped_by is not None:
        return 128 + asking.stopped_by
    return code


class _Asking:
    """One question on its way. `stopped_by`: the signal that ended it, or 0 for the time-out."""

    def __init__(self, printer: AnswerPrinter, tools: ApprovalDecision | None) -> None:
        self._printer = printer
        self._tools = tools
        self._task: asyncio.Task[int] | None = None
        self._gateway: Gateway | None = None
        self._aborting: asyncio.Task[None] | None = None
        self.stopped_by: int | None = None

    async def run(self, endpoint: Endpoint, question: str, chat: tuple[int | None, int | None]) -> int:
        """The exit code. Raises ClientError."""
        self._task = asyncio.create_task(self._converse(endpoint, question, chat))
        try:
            return await self._task
        except asyncio.CancelledError:
            if self.stopped_by is None:
                raise
            return ABORTED if self._gateway is not None else NO_CONNECTION

    def stop(self, number: int) -> None:
        """Abort the turn, and leave when it has ended; at once if there is none yet, or if this is said twice."""
        is_first, self.stopped_by = self.stopped_by is None, number
        self._printer.explains_aborts = False  # who stops it knows
        if self._task is None:
            return
        if is_first and self._gateway is not None:
            self._aborting = asyncio.create_task(_abort(self._gateway))
            asyncio.get_running_loop().call_later(_ABORT_S, self._task.cancel)
        else:
            self._task.cancel()

    async def _converse(self, endpoint: Endpoint, question: str, chat: tuple[int | None, int | None]) -> int:
        async with connect(
            endpoint.url,
            endpoint.opening,
            *chat,
            server_key=endpoint.server_key,
            ssl_context=endpoint.ssl_context,
            give_up_after_s=GIVE_UP_S,
            approvals=True,
            device=device_name(),
        ) as gateway:
            if question.strip().lower() == "/stop":
                return await _stop_turns(gateway, self._printer)
            self._gateway = gateway
            try:
                await self._answer(gateway, question)
            except BrokenPipeError:  # who read the answer has heard enough
                await _abort(gateway)
                raise
        return ABORTED if self._printer.was_aborted else ANSWERED

    async def _answer(self, gateway: Gateway, question: str) -> None:
        message_id = uuid.uuid4().hex
        asker = TerminalAsker(self._printer)
        approver = Approver(
            gateway,
            asker,
            stop=lambda: self.stop(signal.SIGINT),
            decide=lambda request: self._tools if request.turn_id == gateway.turn_of(message_id) else None,
            hear=self._printer.approval,
        )
        following = asyncio.create_task(approver.follow())
        try:
            self._printer.begin()
            async with aclosing(gateway.ask(question, message_id=message_id)) as events:
                async for event in events:
                    await approver.free()
                    self._printer.show(event)
        finally:
            following.cancel()
            await approver.put_away()
            asker.close()


async def _abort(gateway: Gateway) -> None:
    with suppress(ClientError):  # then the turn ends with the connection
        await gateway.abort(channel_only=True)


async def _stop_turns(gateway: Gateway, printer: AnswerPrinter) -> int:
    """`/stop` is no turn: it has no answer but the number of turns it stopped."""
    stopped = await gateway.abort()
    printer.explain(f"{stopped} turns were stopped." if stopped != 1 else "1 turn was stopped.")
    return ANSWERED
