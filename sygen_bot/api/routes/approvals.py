"""Approvals over HTTP: what agents want to do, who said what to that, and the rules that answer for people."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from sygen_bot.api.auth import protected_router
from sygen_bot.api.context import ApiContext, Approvals
from sygen_bot.api.protocol import MAX_DEVICE_CHARS
from sygen_bot.api.refusals import refusals
from sygen_bot.events import ApprovalDecision, ApprovalOutcome, ApprovalRequest
from sygen_bot.session.text import one_line

MAX_PAGE: Final = 200


class Pending(BaseModel):
    """A use of a tool that waits for somebody's yes or no."""

    id: str
    session_id: str
    turn_id: str
    agent: str
    tool: str = Field(examples=["Bash"])
    summary: str = Field(description="What would be done, in one line", examples=["rm -r build"])
    input: Any = Field(description="The tool's whole input; text, with `truncated`, if that is too long")
    truncated: bool
    options: list[ApprovalDecision]
    pattern: str = Field(description="What `allow_always` would hold for; empty where that is no option")
    expires_at: float = Field(description="Epoch seconds; nobody by then means no")


class Answered(BaseModel):
    """A use of a tool that was asked for, and what became of it."""

    id: str
    session_id: str
    turn_id: str
    agent: str
    tool: str
    summary: str
    asked_at: float
    decision: ApprovalOutcome | None = Field(description="null as long as nobody has answered")
    decided_by: str | None = Field(description="Who answered: a device, an address, or a rule")
    decided_at: float | None


class Rule(BaseModel):
    """An agent may use a tool for exactly what `pattern` says without being asked."""

    id: str
    agent: str
    tool: str
    pattern: str = Field(description="A command, a file, a host, or the tool's whole input as JSON")
    made_by: str | None
    created_at: float


class Answer(BaseModel):
    """Somebody's answer. `allow_always` makes a rule of it. `device`: what others see as the one who answered."""

    model_config = ConfigDict(strict=True)

    decision: ApprovalDecision
    device: str | None = Field(default=None, max_length=MAX_DEVICE_CHARS)


class Settled(BaseModel):
    """The answer counts."""

    id: str
    decision: ApprovalDecision


def router(context: ApiContext, approvals: Approvals) -> APIRouter:
    routes = protected_router(context.token, prefix="/api/approvals", tags=["approvals"])

    @routes.get("", summary="What waits for an answer", response_description="The requests, oldest first")
    async def pending() -> list[Pending]:
        return [_pending(request) for request in approvals.pending()]

    @routes.get(
        "/history",
        summary="What was asked, and who answered what",
        response_description="A page of them, newest first",
        responses=refusals(404, 422, 503),
    )
    async def history(
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        before: Annotated[str | None, Query(description="The id of the last one of the page before")] = None,
    ) -> list[Answered]:
        found = await approvals.history(before=before or None, limit=limit)
        return [Answered(**{name: getattr(approval, name) for name in Answered.model_fields}) for approval in found]

    @routes.get("/rules", summary="The rules that allow without asking", response_description="The rules, oldest first")
    async def rules() -> list[Rule]:
        return [Rule(**{name: getattr(rule, name) for name in Rule.model_fields}) for rule in approvals.rules()]

    @routes.delete(
        "/rules/{rule_id}",
        summary="Revoke a rule: from now on the agent asks again",
        response_description="The rule that was",
        responses=refusals(404, 503),
    )
    async def revoke(rule_id: str) -> Rule:
        rule = await approvals.revoke(rule_id)
        return Rule(**{name: getattr(rule, name) for name in Rule.model_fields})

    @routes.post(
        "/{approval_id}",
        summary="Say yes or no; the first answer counts",
        response_description="The answer counts",
        responses=refusals(404, 422, 503),
    )
    async def answer(approval_id: str, body: Answer, request: Request) -> Settled:
        by = one_line(body.device or "") or (request.client.host if request.client else None)
        await approvals.answer(approval_id, body.decision, by=by)
        return Settled(id=approval_id, decision=body.decision)

    return routes


def _pending(request: ApprovalRequest) -> Pending:
    return Pending(
        id=request.id,
        session_id=request.session_id,
        turn_id=request.turn_id,
        agent=request.agent,
        tool=request.tool,
        summary=request.summary,
        input=request.input,
        truncated=request.truncated,
        options=list(request.options),
        pattern=request.pattern,
        expires_at=request.expires_at,
    )
