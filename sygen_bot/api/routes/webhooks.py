"""Webhooks over HTTP: managed by clients, called by anybody who has the secret of one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final, NoReturn, cast

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, Field, WithJsonSchema

from sygen_bot.api.auth import protected_router
from sygen_bot.api.context import ApiContext
from sygen_bot.api.refusals import Refusal, refusals
from sygen_bot.api.routes.chat_shapes import ChatId, Title, Wanted
from sygen_bot.api.routes.run_shapes import RunOut, run_out
from sygen_bot.automation.webhooks import HookChange, NotProved, Receipt, TooOften, Webhooks
from sygen_bot.errors import BadRequest, TooLarge, UnsupportedMedia
from sygen_bot.storage.hooks import Delivery, Hook, HookAuth, HookMode

MAX_PAGE: Final = 200
_BODY_S: Final = 30.0
_TOO_OFTEN: Final[dict[int | str, dict[str, Any]]] = {
    429: {
        "model": Refusal,
        "description": "It is called too often",
        "headers": {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}, "required": True}},
    }
}
_OPENAPI: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    "security": [],  # the gateway's token is not asked for
}
_Mode = Annotated[
    HookMode, Field(description="`task`: each delivery runs in a session of its own; `chat`: it is a message in a chat")
]
_Template = Annotated[
    str,
    Field(
        description="What the agent is to do: a Jinja template over the keys of the payload, `payload` itself and `hook`",
        json_schema_extra={"minLength": 1, "maxLength": 16_384},
    ),
]
_Secret = Annotated[
    str | None,
    Field(description="16 to 512 characters; null for 256 random bits", json_schema_extra={"writeOnly": True}),
]


class HookOut(BaseModel):
    """A webhook, without its secret. `provider` and `model` are null for the agent's default."""

    id: str
    title: str
    path: str = Field(description="Where it is called, on this host")
    mode: HookMode
    template: str
    auth: HookAuth
    agent: str
    provider: str | None
    model: str | None
    chat_id: int | None = Field(description="The chat in which it speaks; null for mode `task`")
    channel_id: int | None
    enabled: bool
    created_at: float
    updated_at: float


class NewHookOut(HookOut):
    """A new webhook with its secret, which is never shown again."""

    secret: str


class SecretOut(BaseModel):
    """The secret from now on. It is never shown again."""

    secret: str


class DeliveryOut(BaseModel):
    """Something that was delivered and proved: it has a run, or there is a reason why not."""

    delivery_id: str
    received_at: float
    run_id: str | None
    refusal: str | None = Field(description="Why there is no run, in a sentence")


class ReceiptOut(BaseModel):
    """The delivery is kept, and its run will come."""

    delivery_id: str = Field(description="The sender's name for it, or one of ours")
    run_id: str
    duplicate: bool = Field(description="It was delivered before: this is the run that it got then")


class NewHook(Wanted):
    """A webhook to make."""

    title: Title
    template: _Template
    mode: _Mode = "task"
    auth: HookAuth = Field(default="bearer", description="How senders prove that they have the secret")
    secret: _Secret = None
    agent: str | None = None
    provider: str | None = None
    model: str | None = None
    chat_id: ChatId | None = Field(default=None, description="Only for mode `chat`; null for the default chat")
    channel_id: ChatId | None = None
    enabled: bool = True


def _as_it_is() -> Any:
    """For a field that need not be given, and has no default then."""
    return Field(default_factory=lambda: None)


class ChangedHook(Wanted):
    """What of a webhook is to be different; what is not named stays as it is."""

    title: Title = _as_it_is()
    template: _Template = _as_it_is()
    mode: _Mode = _as_it_is()
    agent: str = _as_it_is()
    provider: str | None = _as_it_is()
    model: str | None = _as_it_is()
    chat_id: ChatId | None = _as_it_is()
    channel_id: ChatId | None = _as_it_is()
    enabled: bool = _as_it_is()


class NewSecret(Wanted):
    """A secret to take from now on."""

    secret: _Secret = None


class Sample(Wanted):
    """What to deliver; null for something like what such a sender sends."""

    payload: Annotated[dict[str, Any] | None, WithJsonSchema({"type": ["object", "null"], "description": "Any"})] = None


def router(context: ApiContext, webhooks: Webhooks, *, max_body_bytes: int) -> APIRouter:
    """Both the protected routes and the public one."""
    both = APIRouter()
    both.include_router(_managing(context, webhooks))
    both.include_router(_called(webhooks, max_body_bytes))
    return both


def _managing(context: ApiContext, webhooks: Webhooks) -> APIRouter:
    routes = protected_router(context.token, prefix="/api/webhooks", tags=["webhooks"])
    of_one, with_body = refusals(404, 503), refusals(400, 404, 413, 422, 503)

    @routes.get("", summary="The webhooks, oldest first", response_description="The webhooks", responses=refusals(503))
    async def listed() -> list[HookOut]:
        return [_out(hook) for hook in await webhooks.listed()]

    @routes.post(
        "",
        summary="Make a webhook",
        status_code=201,
        response_description="The webhook with its secret",
        responses=refusals(400, 413, 422, 503),
    )
    async def create(body: NewHook) -> NewHookOut:
        hook, secret = await webhooks.create(
            title=body.title,
            template=body.template,
            auth=body.auth,
            secret=body.secret,
            mode=body.mode,
            agent=body.agent,
            provider=body.provider,
            model=body.model,
            chat_id=body.chat_id,
            channel_id=body.channel_id,
            is_enabled=body.enabled,
        )
        return NewHookOut(**_out(hook).model_dump(), secret=secret)

    @routes.get("/{hook_id}", summary="One webhook", response_description="The webhook", responses=of_one)
    async def get(hook_id: str) -> HookOut:
        return _out(await webhooks.get(hook_id))

    @routes.put("/{hook_id}", summary="Change a webhook", response_description="The webhook", responses=with_body)
    async def change(hook_id: str, body: ChangedHook) -> HookOut:
        named = body.model_dump(exclude_unset=True)
        if "enabled" in named:
            named["is_enabled"] = named.pop("enabled")
        return _out(await webhooks.update(hook_id, **cast(HookChange, named)))

    @routes.delete(
        "/{hook_id}",
        summary="Remove a webhook; its runs stay",
        status_code=204,
        response_description="It is gone",
        responses=of_one,
    )
    async def delete(hook_id: str) -> None:
        await webhooks.remove(hook_id)

    @routes.post(
        "/{hook_id}/secret",
        summary="Replace the secret of a webhook",
        response_description="The new secret; the old one is worth nothing any more",
        responses=with_body,
    )
    async def rotate(hook_id: str, body: NewSecret | None = None) -> SecretOut:
        return SecretOut(secret=await webhooks.rotate_secret(hook_id, None if body is None else body.secret))

    @routes.post(
        "/{hook_id}/test",
        summary="Deliver a signed sample to a webhook, as its sender would",
        status_code=202,
        response_description="What the sender would be told",
        responses={**refusals(400, 404, 409, 413, 422, 503), **_TOO_OFTEN},
    )
    async def test(hook_id: str, body: Sample | None = None) -> ReceiptOut:
        with _refusing():
            return _receipt(await webhooks.test(hook_id, None if body is None else body.payload))

    @routes.get(
        "/{hook_id}/deliveries",
        summary="What was delivered to a webhook, newest first",
        response_description="The deliveries of the last 30 days; those that were not proved are only in the log",
        responses=refusals(404, 422, 503),
    )
    async def deliveries(hook_id: str, limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50) -> list[DeliveryOut]:
        return [_delivery(one) for one in await webhooks.delivered(hook_id, limit=limit)]

    @routes.get(
        "/{hook_id}/runs",
        summary="The runs of a webhook, newest first",
        response_description="A page of runs",
        responses=refusals(404, 422, 503),
    )
    async def runs(
        hook_id: str,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        before: Annotated[str | None, Query(description="The id of the last run of the page before")] = None,
    ) -> list[RunOut]:
        return [run_out(run) for run in await webhooks.runs(hook_id, before=before or None, limit=limit)]

    return routes


def _called(webhooks: Webhooks, max_body_bytes: int) -> APIRouter:
    routes = APIRouter(tags=["webhooks"])

    @routes.post(
        "/hooks/{hook_id}",
        summary="Call a webhook",
        description="Open to everybody who has the secret of the webhook: as `Authorization: Bearer`, with `X-Delivery-Id` or "
        "`Idempotency-Key` for what must not be run twice, or signed as GitHub and Stripe sign.",
        status_code=202,
        response_description="It is kept, and will be run once",
        responses={**refusals(400, 401, 413, 415, 422, 503), **_TOO_OFTEN},
        openapi_extra=_OPENAPI,
    )
    async def receive(hook_id: str, request: Request) -> ReceiptOut:
        _check_type(request.headers.get("content-type", ""))
        body = await _read(request, max_body_bytes)
        with _refusing():
            return _receipt(await webhooks.receive(hook_id, dict(request.headers), body))

    return routes


@contextmanager
def _refusing() -> Iterator[None]:
    """Says over HTTP what only a webhook says."""
    try:
        yield
    except NotProved as error:
        raise HTTPException(401, str(error), {"WWW-Authenticate": "Bearer"}) from error
    except TooOften as error:
        raise HTTPException(429, str(error), {"Retry-After": str(error.retry_after_s)}) from error


def _check_type(given: str) -> None:
    kind = given.partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMedia("A webhook takes application/json.")


async def _read(request: Request, max_bytes: int) -> bytes:
    """The body, of which never more than `max_bytes` are held. Raises TooLarge, BadRequest for one that does not come."""

    def refuse() -> NoReturn:
        raise TooLarge(f"A webhook takes at most {max_bytes} bytes.")

    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared[:20]) > max_bytes:
        refuse()
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for chunk in request.stream():
                if len(body) + len(chunk) > max_bytes:
                    refuse()
                body += chunk
    except TimeoutError as error:
        raise BadRequest("The body did not come in time.") from error
    return bytes(body)


def _out(hook: Hook) -> HookOut:
    return HookOut(
        id=hook.id,
        title=hook.title,
        path=f"/hooks/{hook.id}",
        mode=hook.mode,
        template=hook.template,
        auth=hook.auth,
        agent=hook.agent,
        provider=hook.provider,
        model=hook.model,
        chat_id=hook.chat_id,
        channel_id=hook.channel_id,
        enabled=hook.is_enabled,
        created_at=hook.created_at,
        updated_at=hook.updated_at,
    )


def _delivery(one: Delivery) -> DeliveryOut:
    return DeliveryOut(delivery_id=one.delivery_id, received_at=one.received_at, run_id=one.run_id, refusal=one.refusal)


def _receipt(receipt: Receipt) -> ReceiptOut:
    return ReceiptOut(delivery_id=receipt.delivery_id, run_id=receipt.run_id, duplicate=receipt.is_duplicate)
