"""Has a person at this terminal say what agents may do: one question after another, gone when somebody else was faster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from sygen_bot.cli.approval_words import subject, told
from sygen_bot.cli.terminal import command_line, visible
from sygen_bot.client import (
    ApprovalRequest,
    ApprovalResolved,
    ClientError,
    ConnectionLost,
    MessageRefused,
    TooLate,
)

if TYPE_CHECKING:
    from sygen_bot.cli.question import Reply
    from sygen_bot.client import ApprovalDecision, ApprovalNews, Gateway

APPROVE: Final = "/approve"


class Asker(Protocol):
    """Where a person is asked."""

    @property
    def can_ask(self) -> bool:
        """Whether a person is there to answer."""
        ...

    async def ask(self, request: ApprovalRequest, *, others: Callable[[], int]) -> Reply:
        """Ask one question. To cancel this takes it away. `others`: how many wait behind it."""
        ...

    def note(self, sentence: str, *, is_error: bool = False) -> None: ...


class Approver:
    """Asks what this conversation's agent wants to know; says in a line that another one waits.

    `decide` may answer without asking. `hear` is told all that concerns this conversation. `stop`: the person stops the turn. `elsewhere`:
    how others are answered from here.
    """

    def __init__(
        self,
        gateway: Gateway,
        asker: Asker,
        *,
        stop: Callable[[], None],
        elsewhere: str | None = None,
        decide: Callable[[ApprovalRequest], ApprovalDecision | None] = lambda _request: None,
        hear: Callable[[ApprovalNews], None] = lambda _news: None,
    ) -> None:
        self._gateway = gateway
        self._asker = asker
        self._stop = stop
        self._elsewhere = elsewhere
        self._decide = decide
        self._hear = hear
        self._waiting: dict[str, ApprovalRequest] = {}
        self._ours: set[str] = set()
        self._asked: tuple[str, asyncio.Task[Reply]] | None = None
        self._answering: str | None = None
        self._resolution: ApprovalResolved | None = None
        """What became of the request that is being answered."""
        self._work: asyncio.Task[None] | None = None
        self._free = asyncio.Event()
        self._free.set()
        self._has_hinted = False

    async def follow(self) -> None:
        """Ask what comes, until the connection is over."""
        with suppress(ClientError):
            async for event in self._gateway.approvals.follow():
                match event:
                    case ApprovalRequest() if event.session_id == self._gateway.hello.session_id:
                        self._ours.add(event.id)
                        self._hear(event)
                        self._add(event)
                    case ApprovalRequest() if self._elsewhere is not None and self._asker.can_ask:
                        what = f"{visible(event.agent)}, {subject(event.tool, event.summary)}"
                        self._asker.note(f"Another conversation waits: {what} · {self._elsewhere}")
                    case ApprovalResolved():
                        self._settled(event)
        await self.put_away()

    async def free(self) -> None:
        """Wait until no question is on the screen."""
        await self._free.wait()

    async def ask_all(self) -> None:
        """Ask all that waits now, of whatever conversation, and wait for the answers."""
        pending = self._gateway.approvals.pending
        if not pending:
            self._asker.note("Nothing waits for an answer.")
            return
        for request in pending:
            self._add(request)
        if self._work is not None:
            await asyncio.wait([self._work])

    async def put_away(self) -> None:
        """Take the question away: nobody answers it here."""
        self._waiting.clear()
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    # --- one after another --------------------------------------------------------------------------------------------

    def _add(self, request: ApprovalRequest) -> None:
        self._waiting.setdefault(request.id, request)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._ask_waiting(), name="approvals")

    async def _ask_waiting(self) -> None:
        while self._waiting:
            request = next(iter(self._waiting.values()))
            decision = self._decide(request)
            if decision is not None:
                await self._answer(request, decision, is_asked=False)
            elif not self._asker.can_ask:
                self._waiting.pop(request.id)
                self._hint(request)
            else:
                await self._ask(request)

    async def _ask(self, request: ApprovalRequest) -> None:
        asking = asyncio.create_task(
            self._asker.ask(request, others=lambda: len(self._waiting) - (request.id in self._waiting))
        )
        self._asked = (request.id, asking)
        self._free.clear()
        try:
            await asyncio.wait([asking])
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            self._asked = None
            self._free.set()
        if asking.cancelled():  # somebody else was faster
            return
        match asking.result():
            case None:
                self._waiting.pop(request.id, None)
            case "stop" if request.id in self._ours:
                self._waiting.pop(request.id, None)
                self._stop()
            case "stop":
                self._waiting = {one: waits for one, waits in self._waiting.items() if one in self._ours}
                self._asker.note(f"It goes on waiting. {APPROVE} asks again.")
            case decision:
                await self._answer(request, decision, is_asked=True)

    async def _answer(self, request: ApprovalRequest, decision: ApprovalDecision, *, is_asked: bool) -> None:
        self._answering, self._resolution = request.id, None
        try:
            await self._gateway.approvals.answer(request.id, decision)
            self._asker.note(told(request.tool, request.summary, decision))
            if decision == "allow_always":
                await self._tell_rule(request)
        except TooLate as error:
            settled = self._resolution
            self._asker.note(
                str(error) if settled is None else told(request.tool, request.summary, settled.decision, settled.by)
            )
        except ConnectionLost:
            if await self._is_back():
                return  # once more, if it waits still
        except MessageRefused as error:
            self._asker.note(str(error), is_error=True)
            if is_asked:
                return
        except ClientError:
            pass  # the connection is over, and others say so
        finally:
            self._answering = None
        self._waiting.pop(request.id, None)

    async def _is_back(self) -> bool:
        try:
            await self._gateway.ping()
        except ClientError:
            return False
        return True

    async def _tell_rule(self, request: ApprovalRequest) -> None:
        with suppress(ClientError):
            rules = [rule for rule in await self._gateway.approvals.rules() if rule.tool == request.tool]
            if rules:
                newest = max(rules, key=lambda rule: rule.created_at)
                what = subject(newest.tool, newest.pattern)
                self._asker.note(
                    f"{visible(newest.agent)} does not ask again for {what}. "
                    f"`{command_line('approvals', 'revoke', newest.id)}` takes that back."
                )

    def _settled(self, event: ApprovalResolved) -> None:
        if event.id in self._ours:
            self._ours.discard(event.id)
            self._hear(event)
        if event.id == self._answering:
            self._resolution = event
            return
        request = self._waiting.pop(event.id, None)
        if request is None:
            return
        if self._asked is not None and self._asked[0] == event.id:
            self._asked[1].cancel()
        self._asker.note(told(request.tool, request.summary, event.decision, event.by))

    def _hint(self, request: ApprovalRequest) -> None:
        if not self._has_hinted:
            self._has_hinted = True
            self._asker.note(
                f"The agent waits for somebody's yes or no to {subject(request.tool, request.summary)}. "
                f"Say it on another device, or with `{command_line('approvals')}`."
            )
