"""What agents ask before they act, as a client knows it: what waits now, what comes, and somebody's yes or no."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode

from sygen_bot.api.protocol import ApprovalAnswer, ErrorReply
from sygen_bot.client.errors import ClientError, ConnectionLost, MessageRefused, TooLate
from sygen_bot.client.inbox import Inbox
from sygen_bot.client.shapes import ApprovalRule, PastApproval, shaped
from sygen_bot.client.wire import Wire
from sygen_bot.events import ApprovalDecision, ApprovalRequest, ApprovalResolved

_PATH: Final = "/api/approvals"
_PAGE: Final = 200

ApprovalNews = ApprovalRequest | ApprovalResolved


class _Request(Protocol):
    async def __call__(self, method: str, path: str) -> Any: ...  # JSON


class Approvals:
    """All approvals of one gateway, whatever their session. They arrive if `connect` was told `approvals=True`."""

    def __init__(self, *, connected: Callable[[], Awaitable[Wire]], request: _Request) -> None:
        self._connected = connected
        self._request = request
        self._pending: dict[str, ApprovalRequest] = {}
        self._unsure: dict[str, ApprovalRequest] = {}
        """Those of the connection before, as long as nobody has said whether they wait still."""
        self._answers: dict[str, tuple[ApprovalDecision, asyncio.Future[ApprovalResolved]]] = {}
        self._listeners: set[Inbox[ApprovalNews]] = set()
        self._looking_up: asyncio.Task[None] | None = None
        self._over: ClientError | None = None

    # --- what a program does ------------------------------------------------------------------------------------------

    @property
    def pending(self) -> tuple[ApprovalRequest, ...]:
        """What waits for an answer, as far as this connection has told."""
        return tuple(self._pending.values())

    async def follow(self) -> AsyncGenerator[ApprovalNews, None]:
        """Yield what waits now, then each request and what becomes of it, once, until the connection is over; raises what ended it.

        What was settled while the connection was away is told when it is back.
        """
        if self._over is not None:
            raise self._over
        inbox: Inbox[ApprovalNews] = Inbox()
        for request in (self._pending | self._unsure).values():
            inbox.put(request)
        self._listeners.add(inbox)
        try:
            while True:
                yield await inbox.get()
        finally:
            self._listeners.discard(inbox)

    async def answer(self, request_id: str, decision: ApprovalDecision) -> ApprovalResolved:
        """Say yes or no. The first answer on any device counts.

        Raises TooLate if this one does not, MessageRefused if it is none for this request, ConnectionLost if nobody said whether it
        counts: then the request's resolution does.
        """
        wire = await self._connected()
        if request_id in self._answers:
            raise MessageRefused("conflict", "This request is being answered already.")
        answered: asyncio.Future[ApprovalResolved] = asyncio.get_running_loop().create_future()
        self._answers[request_id] = (decision, answered)
        try:
            await wire.send(ApprovalAnswer(request_id, decision))
            return await answered
        finally:
            del self._answers[request_id]

    async def history(self, *, limit: int = 50, before: str | None = None) -> list[PastApproval]:
        """What was asked, newest first, and who answered what; those before the request `before`."""
        paging = {"limit": str(limit)} | ({} if before is None else {"before": before})
        return shaped(await self._request("GET", f"{_PATH}/history?{urlencode(paging)}"), list[PastApproval])

    async def rules(self) -> list[ApprovalRule]:
        """What agents may do without being asked about it, oldest first."""
        return shaped(await self._request("GET", f"{_PATH}/rules"), list[ApprovalRule])

    async def revoke(self, rule_id: str) -> ApprovalRule:
        """Take a rule back: the agent asks again. Raises RequestFailed if there is no such rule."""
        return shaped(await self._request("DELETE", f"{_PATH}/rules/{quote(rule_id, safe='')}"), ApprovalRule)

    # --- what the connection tells ------------------------------------------------------------------------------------

    def take(self, event: ApprovalNews) -> None:
        """Note an event. What waits already, or waits no more, is not told twice."""
        if isinstance(event, ApprovalResolved):
            known = self._pending.pop(event.id, None) or self._unsure.pop(event.id, None)
            decision, answered = self._answers.get(event.id, (None, None))
            if answered is not None and event.decision == decision and not answered.done():
                answered.set_result(event)  # by another decision ours is late: the gateway says so
            if known is not None:
                self._tell(event)
        elif event.id not in self._pending:
            is_new = self._unsure.pop(event.id, None) is None
            self._pending[event.id] = event
            if is_new:
                self._tell(event)

    def refuse(self, error: ErrorReply) -> bool:
        """Whether the error is about an answer of ours; then that has it."""
        _, answered = self._answers.get(error.id or "", (None, None))
        if answered is None:
            return False
        if not answered.done():
            kind = TooLate if error.code == "not_found" else MessageRefused
            answered.set_exception(kind(error.code, error.message))
        return True

    def lose(self) -> None:
        """The connection is gone."""
        if self._looking_up is not None:
            self._looking_up.cancel()
        for _, answered in self._answers.values():
            if not answered.done():
                answered.set_exception(ConnectionLost())

    def come_back(self) -> None:
        """There is another connection, and nothing was read from it yet: what waits is told on it anew."""
        self._unsure |= self._pending
        self._pending = {}
        if self._unsure:
            self._looking_up = asyncio.create_task(self._look_up(), name="look up approvals")

    def end(self, error: ClientError) -> None:
        """Nothing more comes."""
        self._over = error
        for listener in self._listeners:
            listener.fail(error)

    async def _look_up(self) -> None:
        """Tell what became of requests that were not told anew. The answer to a question comes after all that was."""
        past: dict[str, PastApproval] = {}
        try:
            past = {one.id: one for one in await self.history(limit=_PAGE)}
        except ConnectionLost:
            return  # the next connection tells
        except ClientError:
            pass  # then nobody knows: they wait no more, that is all
        for request_id in tuple(self._unsure):
            found = past.get(request_id)
            del self._unsure[request_id]
            if found is None or found.decision is None:
                self._tell(ApprovalResolved(request_id, "cancelled"))
            else:
                self._tell(ApprovalResolved(request_id, found.decision, found.decided_by))

    def _tell(self, event: ApprovalNews) -> None:
        for listener in self._listeners:
            listener.put(event)
